"""NumPy's namespace for programs to be differentiated: `import chainrule.numpy as np`.

Every name is NumPy's own, and its functions record when they meet a traced array. What NumPy
cannot hand over, because it starts from lists or numbers, is here instead: `array`, `asarray`,
`full` and their kin take Tensors inside nested lists. A program written for autograd runs with its
import changed to this one.
"""

from __future__ import annotations

from functools import cache, wraps
from typing import Any

import numpy  # noqa: ICN001 -- its name is this one's

from chainrule.ops.arrays import ArrayOperators as _Traced
from chainrule.ops.registry import BY_NUMPY as _BY_NUMPY
from chainrule.ops.sums import as_array as _as_array
from chainrule.ops.sums import holds_traced as _holds_traced

_numpy: Any = numpy


def array(
    object: Any,  # noqa: A002
    dtype: Any = None,
    *,
    copy: Any = True,
    order: Any = "K",
    subok: bool = False,
    ndmin: int = 0,
    like: Any = None,
) -> Any:
    """An array from nested lists of numbers and traced arrays; of a traced array a copy.

    >>> import chainrule as cr
    >>> import chainrule.numpy as np
    >>> cr.grad(lambda x: np.sum(np.array([[x, 2 * x], [1.0, x**2]])))(3.0)
    9.0
    """
    if not _holds_traced(object):
        return _numpy.array(
            object, dtype, copy=copy, order=order, subok=subok, ndmin=ndmin, like=like
        )
    result = +object if isinstance(object, _Traced) else _as_array(object)
    if dtype is not None:
        result = result.astype(dtype)
    missing = ndmin - len(result.shape)
    return result.reshape((1,) * missing + tuple(result.shape)) if missing > 0 else result


def asarray(a: Any, dtype: Any = None, order: Any = None, **options: Any) -> Any:
    """An array from nested lists of numbers and traced arrays; a traced array as it is."""
    if not _holds_traced(a):
        return _numpy.asarray(a, dtype, order, **options)
    if not isinstance(a, _Traced):
        a = _as_array(a)
    return a if dtype is None else a.astype(dtype)


asanyarray = ascontiguousarray = asfortranarray = asarray


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", **options: Any) -> Any:
    """An array filled with a value, which may be traced."""
    if not isinstance(fill_value, _Traced):
        return _numpy.full(shape, fill_value, dtype, order, **options)
    filled = _numpy.broadcast_to(fill_value, shape)
    return filled if dtype is None else filled.astype(dtype)


def arange(*args: Any, **kwargs: Any) -> Any:
    """NumPy's own: a range has no derivative, so it takes plain numbers."""
    if any(isinstance(x, _Traced) for x in (*args, *kwargs.values())):
        raise TypeError("np.arange of a traced number: its length depends on it, pass .item()")
    return _numpy.arange(*args, **kwargs)


def isscalar(element: Any) -> bool:
    """Whether a number, traced ones of shape () included."""
    return _numpy.isscalar(element) or (isinstance(element, _Traced) and not element.shape)


#: Functions that take several arrays as one list.
_OF_LISTS = {
    *(_numpy.concatenate, _numpy.stack, _numpy.vstack, _numpy.hstack, _numpy.dstack),
    *(_numpy.column_stack, _numpy.block, _numpy.choose, _numpy.select),
}


@cache
def _taking_lists(function: Any) -> Any:
    """A NumPy function that takes lists of traced numbers for arrays."""

    @wraps(function)
    def taking_lists(*args: Any, **kwargs: Any) -> Any:
        if not any(isinstance(x, list | tuple) and _holds_traced(x) for x in args):
            return function(*args, **kwargs)
        if function in _OF_LISTS:
            of_parts = type(args[0])(_as_array(x) if _holds_traced(x) else x for x in args[0])
            args = (of_parts, *args[1:])
        else:
            args = tuple(_as_array(x) if _holds_traced(x) else x for x in args)
        return function(*args, **kwargs)

    return taking_lists


def __getattr__(name: str) -> Any:
    found = getattr(_numpy, name)
    if isinstance(found, _numpy.ufunc | type) or not callable(found) or found not in _BY_NUMPY:
        return found
    return _taking_lists(found)  # not kept in this namespace: `any` would be NumPy's here


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_numpy)})
