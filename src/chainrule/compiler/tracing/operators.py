"""Python's operators on placeholders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.tracing.numbers import of_numbers
from chainrule.errors import CompileError
from chainrule.traced import Traced

if TYPE_CHECKING:
    from chainrule.compiler.tracing.recorder import Operand


#: What answers for itself, or is no number.
_OTHERS = (Traced, str, type(None))


def _binary(ufunc: Any, a: Any, b: Any) -> Any:
    number = of_numbers(ufunc, (a, b), pythons=True)
    if number is not None:
        return number
    if issubclass(type(a), _OTHERS) or issubclass(type(b), _OTHERS):
        return NotImplemented
    return ufunc(a, b)


#: What NumPy's operator `**` calls for an array of floats and one of these numbers.
_SHORT_POWERS = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal}


def _power(a: Any, b: Any) -> Any:
    single = not (np.ndim(a.value) or np.ndim(getattr(b, "value", b)))
    if a.tape.exact and single:
        raise CompileError("a power of a single number: NumPy has several ways to it")
    if type(b) in {int, float} and a.dtype.kind == "f":
        if isinstance(a.value, np.ndarray) and b in _SHORT_POWERS:
            return _SHORT_POWERS[b](a)
        if isinstance(a.value, np.floating) and b == 2:
            return np.multiply(a, a)
    return _binary(np.power, a, b)


def _power_to(b: Any, a: Any) -> Any:
    if b.tape.exact and not (np.ndim(b.value) or np.ndim(a)):
        raise CompileError("a power of a single number: NumPy has several ways to it")
    return _binary(np.power, a, b)


def _unary(ufunc: Any, a: Any) -> Any:
    number = of_numbers(ufunc, (a,), pythons=True)
    return ufunc(a) if number is None else number


def _in_place(ufunc: Any, a: Operand, b: Any) -> Any:
    if not isinstance(a.value, np.ndarray):
        return _binary(ufunc, a, b)
    return ufunc(a, b, out=(a,))


def give_operators(kind: Any) -> None:
    """Give a class of placeholders Python's operators, from NumPy's ufuncs, and NumPy's methods."""
    for name, ufunc in {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "truediv": np.true_divide,
        "floordiv": np.floor_divide,
        "mod": np.remainder,
        "matmul": np.matmul,
        "and": np.bitwise_and,
        "or": np.bitwise_or,
        "xor": np.bitwise_xor,
    }.items():
        setattr(kind, f"__{name}__", lambda self, other, _f=ufunc: _binary(_f, self, other))
        setattr(kind, f"__r{name}__", lambda self, other, _f=ufunc: _binary(_f, other, self))
        setattr(kind, f"__i{name}__", lambda self, other, _f=ufunc: _in_place(_f, self, other))
    kind.__pow__ = _power
    kind.__rpow__ = _power_to
    kind.__ipow__ = lambda self, other: _in_place(np.power, self, other)
    for name, ufunc in {
        "lt": np.less,
        "le": np.less_equal,
        "gt": np.greater,
        "ge": np.greater_equal,
        "eq": np.equal,
        "ne": np.not_equal,
    }.items():
        setattr(kind, f"__{name}__", lambda self, other, _f=ufunc: _binary(_f, self, other))
    for name, ufunc in {
        "neg": np.negative,
        "pos": np.positive,
        "abs": np.absolute,
        "invert": np.invert,
    }.items():
        setattr(kind, f"__{name}__", lambda self, _f=ufunc: _unary(_f, self))
    for function in (
        *(np.sum, np.mean, np.max, np.min, np.prod, np.var, np.std, np.cumsum, np.cumprod, np.any),
        *(np.all, np.squeeze, np.repeat, np.take, np.trace, np.diagonal, np.dot, np.round),
        *(np.nonzero, np.argmax, np.argmin, np.argsort, np.searchsorted),
    ):
        setattr(
            kind,
            function.__name__,
            lambda self, *args, _f=function, **kwargs: _f(self, *args, **kwargs),
        )
