"""What answers for NumPy's functions when they meet a placeholder."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.tracing.calls import UPDATED, attribute, spelled
from chainrule.compiler.tracing.recorder import Operand, concrete, constant, recorded, refused
from chainrule.ops.contraction import contracted

if TYPE_CHECKING:
    from chainrule.compiler.tracing.trace import Trace

#: Functions of shapes and dtypes only: their answers are plain.
_ABOUT = {
    *(np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj, np.result_type, np.can_cast),
    *(np.may_share_memory, np.shares_memory, np.min_scalar_type, np.common_type),
}
#: Functions that make an array like another, by what fills it.
_FILLED = {np.ones_like: 1.0, np.zeros_like: 0.0, np.empty_like: 0.0}
#: NumPy's reductions by the method of a ufunc that they stand for.
_REDUCED = {
    np.sum: np.add.reduce,
    np.prod: np.multiply.reduce,
    np.max: np.maximum.reduce,
    np.min: np.minimum.reduce,
    np.any: np.logical_or.reduce,
    np.all: np.logical_and.reduce,
}


#: Functions that change their first argument.
_CHANGING = {np.fill_diagonal, np.put_along_axis, np.put, np.place, np.putmask}


def answer(trace: Trace, function: Any, args: Any, kwargs: Any) -> Any:
    """The result of a function, written down."""
    if not args:
        bound = inspect.signature(function).bind(*args, **kwargs)
        args, kwargs = bound.args, bound.kwargs
    if function in _ABOUT:
        return function(*[concrete(x) for x in args], **kwargs)
    if function in _FILLED:
        like = function(*[concrete(x) for x in args], **kwargs)
        filled = np.full_like(like, _FILLED[function])
        return constant(trace, filled)
    if kwargs.get("out") is not None:
        raise refused("a result is written into an array", "take the result as it is returned")
    if function in _CHANGING:
        call = UPDATED._replace(text=spelled(function).text)
        args = inspect.signature(function).bind(*args, **kwargs).args
        args[0].become(call, args, function)
        return None
    if function is np.copyto:
        mask = kwargs.get("where", True)
        args[0][...] = args[1] if mask is True else np.where(mask, args[1], args[0])
        return None
    if function in _REDUCED and args and isinstance(args[0], Operand):
        options = {key: value for key, value in kwargs.items() if key != "out"}
        options.setdefault("axis", args[1] if len(args) > 1 else None)
        if len(args) <= 2:
            return recorded(trace, spelled(_REDUCED[function]), args[:1], options)
    return SHORTER.get(function, _whole)(trace, function, args, kwargs)


def array_of(x: Any) -> Any:
    """The same numbers as an array, of shape () if x is a number."""
    if isinstance(x.value, np.ndarray):
        return x.alone()
    return recorded(x.tape, spelled(np.array), (x,))


def _whole(trace: Trace, function: Any, args: Any, kwargs: Any) -> Any:
    """A function of NumPy's as it is."""
    return recorded(trace, spelled(function), args, kwargs)


def _shape_like(_trace: Trace, function: Any, args: Any, kwargs: Any) -> Any:
    """A function that a method of the array does as well."""
    x, *rest = args
    return getattr(x, function.__name__)(*rest, **kwargs)


def _real(trace: Trace, function: Any, args: Any, _kwargs: Any) -> Any:
    x = args[0]
    if not isinstance(x.value, np.ndarray) and x.dtype.kind != "c":
        return x if function is np.real else type(x.value)(0)
    if x.dtype.kind == "c":
        return recorded(trace, attribute(function.__name__), (x,))
    return x.view() if function is np.real else constant(trace, np.zeros(x.shape, x.dtype))


def _matrix_transpose(_trace: Trace, _function: Any, args: Any, _kwargs: Any) -> Any:
    return args[0].T if args[0].ndim == 2 else args[0].swapaxes(-1, -2)


def _mean(trace: Trace, function: Any, args: Any, kwargs: Any) -> Any:
    """A sum divided by a number, as NumPy computes it."""
    x = args[0]
    axis = args[1] if len(args) > 1 else kwargs.get("axis")
    if len(args) > 2 or set(kwargs) - {"axis", "keepdims"} or x.dtype.kind not in "fc":
        return _whole(trace, function, args, kwargs)
    if x.dtype.itemsize < 4 or not x.size:
        return _whole(trace, function, args, kwargs)
    total = np.sum(x, axis=axis, keepdims=kwargs.get("keepdims", False))
    return total / (x.size // (total.size or 1))


def _einsum(trace: Trace, function: Any, args: Any, kwargs: Any) -> Any:
    """Einstein's sum of two arrays as a matrix product."""
    subscripts, *operands = args
    arrays = isinstance(subscripts, str) and all(hasattr(x, "shape") for x in operands)
    if arrays and len(operands) == 2 and not set(kwargs) - {"optimize"}:
        product = None if trace.exact else contracted(subscripts, *operands)
        if product is not None:
            return product.alone()
    return _whole(trace, function, args, kwargs)


SHORTER = {
    np.reshape: _shape_like,
    np.transpose: _shape_like,
    np.swapaxes: _shape_like,
    np.ravel: _shape_like,
    np.copy: lambda _trace, _function, args, _kwargs: array_of(args[0]),
    np.real: _real,
    np.imag: _real,
    np.matrix_transpose: _matrix_transpose,
    np.mean: _mean,
    np.einsum: _einsum,
}
