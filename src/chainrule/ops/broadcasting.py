"""Broadcasting and its transpose, and the conversion of dtypes: what every other kind builds on."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from chainrule.ops.base import shape_of
from chainrule.ops.kinds import Linear

#: For so many rows a vector of ones is kept.
_SHORT = 1024
#: Dtypes whose products are BLAS's.
_BLAS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})


@cache
def _ones(length: int, dtype: Any) -> np.ndarray:
    ones = np.ones(length, dtype)
    ones.flags.writeable = False
    return ones


def _is_summed_by_blas(x: Any) -> bool:
    return 0 < x.shape[0] <= _SHORT and x.dtype in _BLAS


def _sum_to_shape(x: Any, shape: tuple[int, ...]) -> Any:
    """Sum the axes away that broadcasting to `x.shape` added or stretched."""
    numpys = x.__class__ is np.ndarray or hasattr(x, "as_one_call")  # or traced for compilation
    if numpys and x.ndim == 2 and shape == x.shape[1:] and _is_summed_by_blas(x):
        return np.dot(_ones(x.shape[0], x.dtype), x)  # the sum of the rows, faster
    extra = x.ndim - len(shape)
    stretched = tuple(
        extra + axis for axis, size in enumerate(shape) if size == 1 != x.shape[extra + axis]
    )
    axes = (*range(extra), *stretched)
    return x.sum(axis=axes, keepdims=True).reshape(shape) if axes else x


def _raised(x: Any, shape: tuple[int, ...]) -> Any:
    """A stack of arrays with axes of length one in front."""
    return x.reshape((len(x), *(1,) * (len(shape) + 1 - x.ndim), *x.shape[1:]))


def _lowered(x: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape with as many axes as the arrays of a stack."""
    return (*(1,) * (x.ndim - 1 - len(shape)), *shape)


broadcast_to: Linear = Linear(
    np.broadcast_to,
    lambda y_bar, x, shape: sum_to_shape(y_bar, shape_of(x)),  # noqa: ARG005
    params=("shape",),
    views="read",
    stacked=lambda x, shape: broadcast_to(_raised(x, shape), shape=(len(x), *shape)),
    doc="Repeat along new or singleton axes.",
)
sum_to_shape: Linear = Linear(
    _sum_to_shape,
    lambda y_bar, x, shape: broadcast_to(y_bar, x.shape),  # noqa: ARG005
    name="sum_to_shape",
    params=("shape",),
    stacked=lambda x, shape: sum_to_shape(x, shape=(len(x), *_lowered(x, shape))).reshape(
        (len(x), *shape)
    ),
    doc="The transpose of broadcasting: sum over every axis that broadcasting repeats.",
)


def _astype(x: Any, dtype: Any) -> Any:
    """Converted; of complex numbers the real part where the dtype is real."""
    if x.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        x = x.real
    return x.astype(dtype)


astype: Linear = Linear(
    _astype,
    lambda y_bar, x, dtype: astype(y_bar, x.dtype),  # noqa: ARG005
    name="astype",
    params=("dtype",),
    stacked=True,
    doc="Convert to another floating-point dtype; from complex to real it is the real part.",
)


def summed(x: Any, shape: tuple[int, ...]) -> Any:
    """`x` itself if it has the shape, else summed to it: broadcasting undone."""
    # Straight to the reader: there is nothing to bind or to freeze.
    return x if x.shape == shape else sum_to_shape.apply((x,), {"shape": shape})


def stretched(x: Any, shape: tuple[int, ...]) -> Any:
    """`x` itself if it has the shape, else broadcast to it."""
    return x if x.shape == shape else broadcast_to.apply((x,), {"shape": shape})
