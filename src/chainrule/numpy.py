"""NumPy's namespace for programs to be differentiated: `import chainrule.numpy as np`.

Every name is NumPy's own, and its functions record when they meet a traced array. What NumPy
cannot hand over, because it starts from lists or numbers, is here instead: `array`, `asarray`,
`full` and their kin take Tensors inside nested lists. A program written for autograd runs with its
import changed to this one.
"""

from __future__ import annotations

from typing import Any

import numpy  # noqa: ICN001 -- its name is this one's

from chainrule.ops.arrays import ArrayOperators as _Traced
from chainrule.ops.joining import stack_ as _stack
from chainrule.ops.sums import as_array as _as_array

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
    result = +object if isinstance(object, _Traced) else _joined(object)
    if dtype is not None:
        result = result.astype(dtype)
    missing = ndmin - len(result.shape)
    return result.reshape((1,) * missing + tuple(result.shape)) if missing > 0 else result


def asarray(a: Any, dtype: Any = None, order: Any = None, **options: Any) -> Any:
    """An array from nested lists of numbers and traced arrays; a traced array as it is."""
    if not _holds_traced(a):
        return _numpy.asarray(a, dtype, order, **options)
    if not isinstance(a, _Traced):
        a = _joined(a)
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


def _holds_traced(x: Any) -> bool:
    if isinstance(x, list | tuple):
        return any(_holds_traced(item) for item in x)
    return isinstance(x, _Traced)


def _joined(x: Any) -> Any:
    """Nested lists as one array."""
    if isinstance(x, list | tuple):
        return _stack([_joined(item) for item in x])
    return _as_array(x)


def __getattr__(name: str) -> Any:
    return getattr(_numpy, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_numpy)})
