"""Arrays put together: joined, stacked, inserted, padded."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops import reductions
from chainrule.ops.base import beside, frozen
from chainrule.ops.broadcasting import broadcast_to
from chainrule.ops.cumulative import along_shape
from chainrule.ops.indexing import getitem
from chainrule.ops.linear_algebra import matmul
from chainrule.ops.order import median
from chainrule.ops.rearranging import at_least, expand_dims, moveaxis
from chainrule.ops.registry import answers
from chainrule.ops.shapes import along, concatenate, reshaped, stack
from chainrule.ops.sums import as_array, axes_of, converted

# ruff: noqa: ARG001 -- the bodies have NumPy's signatures; out= is refused before


@answers(np.concatenate)
def concatenate_(
    arrays: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """Arrays joined along an existing axis."""
    return converted(concatenate(_parts(arrays), axis=axis), dtype)


@answers(np.stack)
def stack_(
    arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """Arrays of one shape joined along a new axis."""
    return converted(stack(_parts(arrays), axis=axis), dtype)


def _parts(arrays: Any) -> list[Any]:
    """The arrays to join; a single array means its rows."""
    return [as_array(a) for a in arrays]


@answers(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Arrays joined as rows."""
    return concatenate_([at_least(2, a) for a in tup], 0, dtype=dtype)


@answers(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Arrays joined side by side: along the second axis, vectors along their own."""
    arrays = [at_least(1, a) for a in tup]
    return concatenate_(arrays, 0 if arrays[0].ndim == 1 else 1, dtype=dtype)


@answers(np.dstack)
def dstack(tup: Any) -> Any:
    """Arrays joined along the third axis."""
    return concatenate([at_least(3, a) for a in tup], axis=2)


@answers(np.column_stack)
def column_stack(tup: Any) -> Any:
    """Vectors as the columns of a matrix."""
    arrays = [as_array(a) for a in tup]
    columns = [a if a.ndim > 1 else reshaped(a, (a.size, 1)) for a in arrays]
    return concatenate(columns, axis=1)


@answers(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Values joined to the end; without an axis both are flattened."""
    return concatenate([as_array(arr), as_array(values)], axis=axis)


@answers(np.block)
def block(arrays: Any) -> Any:
    """A matrix of blocks, from nested lists."""
    depth = _depth(arrays)
    leaves = _leaves(arrays)
    ndim = max(depth, *(as_array(a).ndim for a in leaves))
    return _blocked(arrays, depth, ndim)


def _depth(arrays: Any) -> int:
    return 1 + max(_depth(a) for a in arrays) if isinstance(arrays, list) else 0


def _leaves(arrays: Any) -> list[Any]:
    if isinstance(arrays, list):
        return [leaf for a in arrays for leaf in _leaves(a)]
    return [arrays]


def _blocked(arrays: Any, depth: int, ndim: int) -> Any:
    if not isinstance(arrays, list):
        a = as_array(arrays)
        return reshaped(a, (1,) * (ndim - a.ndim) + tuple(a.shape))
    return concatenate([_blocked(a, depth - 1, ndim) for a in arrays], axis=-depth)


@answers(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """With values put before some positions; differentiable in both."""
    arr, values = as_array(arr), as_array(values)
    if axis is None:
        arr, axis = reshaped(arr, (arr.size,)), 0
    (axis,) = axes_of(axis, arr.ndim)
    # NumPy inserts markers: -1 - k stands for value k, and says how values broadcast.
    obj = frozen(obj)
    count = np.insert(np.zeros(arr.shape[axis]), obj, 0).size - arr.shape[axis]
    order = np.insert(np.arange(arr.shape[axis]), obj, -1 - np.arange(count))
    shape = tuple(count if i == axis else n for i, n in enumerate(arr.shape))
    if np.size(obj) == 1 and not isinstance(obj, slice):
        if values.ndim == arr.ndim - 1 and values.ndim and np.ndim(obj) == 0:
            values = moveaxis(expand_dims(values, 0), 0, axis)
        elif values.ndim == arr.ndim:
            values = moveaxis(values, 0, axis) if axis and np.ndim(obj) == 0 else values
            count = values.shape[axis]
            at = int(np.ravel(obj)[0])
            at += arr.shape[axis] if at < 0 else 0
            order = np.insert(np.arange(arr.shape[axis]), [at] * count, -1 - np.arange(count))
            shape = tuple(count if i == axis else n for i, n in enumerate(arr.shape))
    joined = concatenate([arr, broadcast_to(values.astype(arr.dtype), shape)], axis=axis)
    order = np.where(order < 0, arr.shape[axis] - 1 - order, order)
    return getitem(joined, along(axis, order, arr.ndim))


# ------------------------------------------------------------------------------- padding

_PICKED = {"edge", "reflect", "symmetric", "wrap"}
_STATISTICS: dict[str, Any] = {
    "maximum": reductions.max,
    "minimum": reductions.min,
    "median": median,
}


@answers(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """Entries put around an array; differentiable in it, in every mode."""
    array = as_array(array)
    if callable(mode):
        raise TypeError("np.pad with a function writes into its input: use one of the modes")
    widths = _widths(pad_width, array.ndim)
    allowed = {key: frozen(value) for key, value in kwargs.items()}
    np.pad(np.zeros((1,) * array.ndim), 0, mode, **allowed)  # refuses what NumPy refuses
    for axis in range(array.ndim):
        if any(widths[axis]):
            own = {
                k: v if k == "reflect_type" else _pairs(v, array.ndim)[axis]
                for k, v in allowed.items()
            }
            array = _padded(array, axis, widths[axis], mode, own)
    return array


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, dict):
        pairs = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            pairs[axis] = tuple(_pairs(width, 1)[0])
        return pairs
    if np.asarray(pad_width).dtype.kind not in "iu":
        raise TypeError(f"pad_width takes whole numbers, got {pad_width!r}")
    return [(int(a), int(b)) for a, b in _pairs(pad_width, ndim)]


def _pairs(given: Any, ndim: int) -> Any:
    """NumPy's short forms written out: one number, or a pair, or a pair for each axis."""
    return [(None, None)] * ndim if given is None else np.broadcast_to(given, (ndim, 2))


def _padded(a: Any, axis: int, widths: tuple[int, int], mode: Any, options: Any) -> Any:
    """One axis padded."""
    n, ndim = a.shape[axis], a.ndim
    if mode in {"constant", "empty"}:
        values = options.get("constant_values", (0, 0))
        blocks = []
        for width, value in zip(widths, values, strict=True):
            shape = tuple(width if i == axis else m for i, m in enumerate(a.shape))
            blocks.append(beside(np.full(shape, value, a.dtype), a))
        return concatenate([blocks[0], a, blocks[1]], axis=axis)
    if mode in _STATISTICS:
        lengths = options.get("stat_length", (None, None))
        blocks = []
        for width, length, at_end in zip(widths, lengths, (False, True), strict=True):
            taken = n if length is None else min(int(length), n)
            part = getitem(a, along(axis, slice(n - taken, n) if at_end else slice(taken), ndim))
            value = _STATISTICS[mode](part, axis=axis, keepdims=True)
            shape = tuple(width if i == axis else m for i, m in enumerate(a.shape))
            blocks.append(broadcast_to(value, shape))
        return concatenate([blocks[0], a, blocks[1]], axis=axis)
    if mode in _PICKED and options.get("reflect_type", "even") == "even":
        return getitem(a, along(axis, np.pad(np.arange(n), widths, mode), ndim))
    # What remains is linear along the axis, with a constant part: rows of weights say it all.
    if np.iscomplexobj(options.get("end_values")) and a.dtype.kind != "c":
        raise TypeError("complex end_values around real numbers")
    zero = np.pad(np.zeros(n, np.result_type(a.dtype, np.float64)), widths, mode, **options)
    end_values = {"end_values": 0} if "end_values" in options else {}
    weights = np.stack(
        [np.pad(row, widths, mode, **{**options, **end_values}) for row in np.eye(n)], axis=-1
    ).astype(a.dtype)
    moved = moveaxis(a, axis, -1)
    lines = matmul(expand_dims(moved, -2), weights.T)
    padded = moveaxis(reshaped(lines, (*moved.shape[:-1], len(weights))), -1, axis)
    return padded + zero.astype(a.dtype).reshape(along_shape(axis, len(zero), ndim))
