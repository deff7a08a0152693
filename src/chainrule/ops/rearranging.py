"""Arrays cut apart, turned, repeated, and entries picked from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops.base import frozen
from chainrule.ops.broadcasting import broadcast_to
from chainrule.ops.indexing import getitem, scatter
from chainrule.ops.kinds import Linear
from chainrule.ops.partials import where
from chainrule.ops.registry import answers
from chainrule.ops.shapes import along, matrix_transpose, reshaped, stack, transpose
from chainrule.ops.sums import as_array, axes_of, converted
from chainrule.traced import plain

# ruff: noqa: ARG001 -- the bodies have NumPy's signatures; out= is refused before


class Rearrangement(Linear):
    """A NumPy function whose result is entries of its input, and zeros.

    The transpose needs no rule: the function applied to the positions 1, 2, 3 … says where each
    entry came from, and 0 says from nowhere.
    """

    def __init__(self, forward: Any, *params: str, **declaration: Any) -> None:
        super().__init__(
            forward, self._untangled, params=params, stacked=self._rearranged, **declaration
        )

    def sources(self, shape: tuple[int, ...], params: Any) -> np.ndarray:
        """For each entry of the result the position of its source, counted from 1."""
        size = int(np.prod(shape, dtype=int))
        positions: np.ndarray = self.compute((np.arange(1, size + 1).reshape(shape),), params)
        return positions

    def _untangled(self, y_bar: Any, x: Any, **params: Any) -> Any:
        sources = self.sources(x.shape, params)
        if (sources == 0).any():
            y_bar, sources = getitem(y_bar, np.nonzero(sources)), sources[sources != 0]
        entries = scatter(reshaped(y_bar, (y_bar.size,)), sources.ravel() - 1, (x.size,))
        return reshaped(entries, x.shape)

    def _rearranged(self, x: Any, **params: Any) -> Any:
        """All arrays of a stack by the same positions."""
        sources = self.sources(x.shape[1:], params)
        entries = getitem(x.reshape((len(x), -1)), (slice(None), np.maximum(sources - 1, 0)))
        return where(sources == 0, 0.0, entries) if (sources == 0).any() else entries


# fmt: off
roll = Rearrangement(np.roll, "shift", "axis", doc="Entries shifted along axes, around the end.")
rot90 = Rearrangement(
    np.rot90, "k", "axes", views="write", doc="Turned by 90° in the plane of two axes, k times.",
)
tile = Rearrangement(np.tile, "reps", doc="Copies laid side by side.")
repeat = Rearrangement(np.repeat, "repeats", "axis", doc="Each entry repeated.")
resize = Rearrangement(np.resize, "new_shape", doc="Another size: repeated or cut in C order.")
diag = Rearrangement(
    np.diag, "k", views="read", doc="The diagonal of a matrix, or the matrix of a diagonal.",
)
diagflat = Rearrangement(np.diagflat, "k", doc="The matrix with the flattened input on a diagonal.")
diagonal = Rearrangement(
    np.diagonal, "offset", "axis1", "axis2", views="read",
    doc="The diagonal over two axes, as the last axis.",
)
tril = Rearrangement(np.tril, "k", doc="The lower triangle of matrices, zeros above.")
triu = Rearrangement(np.triu, "k", doc="The upper triangle of matrices, zeros below.")
delete = Rearrangement(np.delete, "obj", "axis", doc="Without the entries at some positions.")
sliding_window_view = Rearrangement(
    np.lib.stride_tricks.sliding_window_view, "window_shape", "axis", views="read",
    doc="Every window of a shape, on new last axes.",
)
# fmt: on


@answers(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """Flattened to one axis, in C or Fortran order."""
    return reshape_in_order(a, (-1,), order)


def reshape_in_order(a: Any, shape: Any, order: str = "C") -> Any:
    """Reshaped, in C or Fortran order."""
    a = as_array(a)
    shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    if order == "F":
        return transpose(reshape_in_order(transpose(a), shape[::-1]))
    if order != "C":
        raise ValueError(f"order is 'C' or 'F', got {order!r}: a Tensor has no layout of memory")
    return a.reshape(shape)


@answers(np.reshape)
def reshape_(
    a: Any, /, shape: Any = None, order: str = "C", *, copy: Any = None, **old: Any
) -> Any:
    """The same entries in another shape."""
    return reshape_in_order(a, old.get("newshape") if shape is None else shape, order)


@answers(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    axes = list(range(a.ndim))
    (i,), (j,) = axes_of(axis1, a.ndim), axes_of(axis2, a.ndim)
    axes[i], axes[j] = j, i
    return transpose(a, tuple(axes))


@answers(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Axes moved to other positions, the others in their order."""
    sources, targets = axes_of(source, a.ndim), axes_of(destination, a.ndim)
    if len(sources) != len(targets):
        raise ValueError("source and destination name the same number of axes")
    axes = [i for i in range(a.ndim) if i not in sources]
    for target, i in sorted(zip(targets, sources, strict=True)):
        axes.insert(target, i)
    return transpose(a, tuple(axes))


@answers(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """An axis moved to stand before position start."""
    (i,) = axes_of(axis, a.ndim)
    start += a.ndim if start < 0 else 0
    if not 0 <= start <= a.ndim:
        raise np.exceptions.AxisError(start, a.ndim + 1)
    return moveaxis(a, i, start - 1 if i < start else start)


@answers(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """Without axes of length one."""
    ones = {i for i, n in enumerate(a.shape) if n == 1}
    gone = ones if axis is None else set(axes_of(axis, a.ndim))
    if gone - ones:
        raise ValueError(f"squeeze: axis {axis} of shape {a.shape} is not of length one")
    return reshaped(a, tuple(n for i, n in enumerate(a.shape) if i not in gone))


@answers(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """With new axes of length one."""
    count = 1 if isinstance(axis, int | np.integer) else len(axis)
    new = axes_of(axis, a.ndim + count)
    lengths = iter(a.shape)
    return reshaped(a, tuple(1 if i in new else next(lengths) for i in range(a.ndim + count)))


def at_least(count: int, a: Any) -> Any:
    """With at least so many axes, new ones of length one."""
    a = as_array(a)
    if a.ndim >= count:
        return a
    shape = tuple(a.shape)
    if a.ndim == 1:
        shape = (1, *shape)
    shape += (1,) * (count - len(shape)) if a.ndim else ()
    return reshaped(a, shape if a.ndim else (1,) * count)


def _each_at_least(function: Any, count: int) -> Any:
    def each(*arrays: Any) -> Any:
        results = [at_least(count, a) for a in arrays]
        return results[0] if len(results) == 1 else tuple(results)

    each.__doc__ = f"At least {count} axes, new ones of length one."
    return answers(function)(each)


atleast_1d = _each_at_least(np.atleast_1d, 1)
atleast_2d = _each_at_least(np.atleast_2d, 2)
atleast_3d = _each_at_least(np.atleast_3d, 3)


@answers(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """All arrays in the shape they have together."""
    arrays = [as_array(a) for a in args]
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    return tuple(broadcast_to(a, shape) for a in arrays)


@answers(np.broadcast_to)
def broadcast_to_(array: Any, shape: Any, subok: bool = False) -> Any:
    """Repeated along new or singleton axes."""
    return broadcast_to(array, (shape,) if isinstance(shape, int | np.integer) else shape)


@answers(np.meshgrid)
def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Any, ...]:
    """Coordinate arrays of a grid."""
    if indexing not in {"xy", "ij"}:
        raise ValueError(f"indexing is 'xy' or 'ij', got {indexing!r}")
    vectors = [as_array(x) for x in xi]
    positions = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        positions[:2] = [1, 0]
    lengths = [vectors[positions.index(i)].size for i in range(len(vectors))]
    grids = [
        reshaped(x, tuple(n if i == at else 1 for i, n in enumerate(lengths)))
        for x, at in zip(vectors, positions, strict=True)
    ]
    return tuple(g if sparse else broadcast_to(g, tuple(lengths)) for g in grids)


# ------------------------------------------------------------------------------- cutting


@answers(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Cut along an axis into parts of nearly equal length, or at given positions."""
    ary = as_array(ary)
    (axis,) = axes_of(axis, ary.ndim)
    pieces = np.array_split(np.arange(ary.shape[axis]), indices_or_sections)
    # A cut is a slice, so that a piece is a view.
    bounds = [(int(p[0]), int(p[-1]) + 1) if p.size else (0, 0) for p in pieces]
    return [getitem(ary, along(axis, slice(*bound), ary.ndim)) for bound in bounds]


@answers(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Cut along an axis into equal parts, or at given positions."""
    sections = indices_or_sections
    if isinstance(sections, int | np.integer) and ary.shape[axis] % sections:
        raise ValueError(f"{ary.shape[axis]} entries do not split into {sections} equal parts")
    return array_split(ary, sections, axis)


@answers(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Cut along the second axis; a vector along its own."""
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@answers(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Cut along the first axis."""
    if ary.ndim < 2:
        raise ValueError("vsplit needs two axes or more")
    return split(ary, indices_or_sections, 0)


@answers(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Cut along the third axis."""
    if ary.ndim < 3:
        raise ValueError("dsplit needs three axes or more")
    return split(ary, indices_or_sections, 2)


@answers("unstack")
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The parts along an axis, without it."""
    x = as_array(x)
    (axis,) = axes_of(axis, x.ndim)
    return tuple(getitem(x, along(axis, i, x.ndim)) for i in range(x.shape[axis]))


# ------------------------------------------------------------------------ turning, picking


@answers(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """The entries along axes in reverse order."""
    axes = axes_of(axis, m.ndim)
    return getitem(m, tuple(slice(None, None, -1 if i in axes else None) for i in range(m.ndim)))


@answers(np.fliplr)
def fliplr(m: Any) -> Any:
    """Columns in reverse order."""
    return flip(m, 1)


@answers(np.flipud)
def flipud(m: Any) -> Any:
    """Rows in reverse order."""
    return flip(m, 0)


@answers(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose_(x: Any, /) -> Any:
    """The last two axes exchanged."""
    return matrix_transpose(x)


@answers(np.take)
def take(
    a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise"
) -> Any:
    """The entries at positions along an axis, by default of the flattened array."""
    a, indices = as_array(a), np.asarray(frozen(indices))
    indices = indices.astype(np.intp, casting="safe" if indices.size else "unsafe")
    if axis is None:
        a, axis = reshaped(a, (a.size,)), 0
    (axis,) = axes_of(axis, a.ndim)
    if mode == "wrap":
        indices = indices % a.shape[axis]
    elif mode == "clip":
        indices = np.clip(indices, 0, a.shape[axis] - 1)
    return getitem(a, along(axis, indices, a.ndim))


@answers(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    """The entries along an axis where a condition holds."""
    return take(a, np.flatnonzero(plain(condition)), axis)


@answers(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """The entries of the flattened array where a condition holds."""
    return take(arr, np.flatnonzero(plain(condition)))


@answers(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """Each entry from the array of choices whose number stands in a."""
    numbers = np.asarray(frozen(a))
    dtype = np.result_type(*[getattr(c, "dtype", c) for c in choices])
    arrays = [c if hasattr(c, "dtype") else np.asarray(c, dtype) for c in choices]
    shape = np.broadcast_shapes(numbers.shape, *[a.shape for a in arrays])
    options = stack([broadcast_to(a, shape) for a in arrays])
    if mode != "raise":
        numbers = (
            numbers % len(choices) if mode == "wrap" else np.clip(numbers, 0, len(choices) - 1)
        )
    elif ((numbers < 0) | (numbers >= len(choices))).any():
        raise ValueError("choose: a number outside the choices")
    grids = np.ogrid[tuple(slice(n) for n in options.shape[1:])]
    return getitem(options, (np.broadcast_to(numbers, options.shape[1:]), *grids))


@answers(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """Each entry from the first choice whose condition holds."""
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = where(plain(condition), choice, result)
    return result


@answers(np.where)
def where_(condition: Any, *branches: Any) -> Any:
    """`a` where a condition holds, else `b`; with the condition alone the positions where."""
    if not branches:
        return np.nonzero(plain(condition))
    a, b = branches
    return where(condition, a, b)


@answers(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Any:
    """Sum of a diagonal."""
    return converted(diagonal(a, offset, axis1, axis2), dtype).sum(axis=-1)


@answers(np.linalg.trace)
def matrix_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """Sum of the diagonal of matrices."""
    return trace(x, offset, -2, -1, dtype)


@answers(np.linalg.diagonal)
def matrix_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """The diagonal of matrices."""
    return diagonal(x, offset, -2, -1)
