"""Shape: the same numbers in another arrangement, and several arrays in one."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops.indexing import getitem
from chainrule.ops.kinds import Linear
from chainrule.ops.notation import postfix


def _untranspose(y_bar: Any, _x: Any, axes: Any = None) -> Any:
    if axes is None or isinstance(axes, int):  # one axis cannot go anywhere
        return transpose(y_bar)
    return transpose(y_bar, inverse_permutation(axes))


def inverse_permutation(axes: tuple[int, ...]) -> tuple[int, ...]:
    count = len(axes)
    return tuple(sorted(range(count), key=lambda i: axes[i] % count))


def _unconcatenate(y_bar: Any, *inputs: Any, axis: int | None = 0) -> list[Any]:
    """Cut the cotangent into the pieces that were joined; without an axis they were flattened."""
    cotangents, start = [], 0
    for x in inputs:
        stop = start + (x.size if axis is None else x.shape[axis])
        piece = getitem(y_bar, along(axis or 0, slice(start, stop), y_bar.ndim))
        cotangents.append(reshaped(piece, x.shape))
        start = stop
    return cotangents


def reshaped(x: Any, shape: tuple[int, ...]) -> Any:
    """`x` itself if it has the shape, else reshaped to it."""
    return x if x.shape == shape else reshape.apply((x,), {"shape": shape})


def along(axis: int, item: Any, ndim: int) -> tuple[Any, ...]:
    """An index that picks `item` on one axis and everything on the others."""
    index = [slice(None)] * ndim
    index[axis] = item
    return tuple(index)


def _below_the_first(ndim: int, axes: Any) -> tuple[int, ...]:
    """A permutation of all axes but the first."""
    order = range(ndim - 2, -1, -1) if axes is None else axes
    return (0, *(i % (ndim - 1) + 1 for i in order))


# fmt: off
reshape: Linear = Linear(
    lambda x, shape: np.reshape(x, shape),  # noqa: PLW0108 -- NumPy 2.0 calls it newshape
    lambda y_bar, x, shape: reshape(y_bar, x.shape),  # noqa: ARG005
    name="reshape", params=("shape",), numpy=np.reshape, views="write",
    stacked=lambda x, shape: reshape(x, (len(x), *((shape,) if np.ndim(shape) == 0 else shape))),
    doc="The same entries in another shape, in C order.",
)
transpose: Linear = Linear(
    np.transpose, _untranspose,
    params=("axes",), views="write",
    notation=lambda inputs, params: (
        postfix("ᵀ") if inputs[0].ndim == 2 and params.get("axes") is None else None
    ),
    stacked=lambda x, axes=None: transpose(x, _below_the_first(x.ndim, axes)),
    doc="Permute the axes, by default reverse them.",
)
matrix_transpose: Linear = Linear(
    np.matrix_transpose, lambda y_bar, _x: matrix_transpose(y_bar),
    notation=postfix("ᵀ"), stacked=True, views="write",
    doc="Swap the last two axes.",
)
concatenate = Linear(
    np.concatenate, _unconcatenate,
    params=("axis",), sequence=True, doc="Join arrays along an existing axis.",
)
stack = Linear(
    np.stack,
    lambda y_bar, *inputs, axis=0: [
        getitem(y_bar, along(axis, i, y_bar.ndim)) for i in range(len(inputs))
    ],
    params=("axis",), sequence=True, doc="Join arrays of one shape along a new axis.",
)
