"""Arrays made after the model of another, or from a formula; and functions that answer plainly."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops.arithmetic import positive
from chainrule.ops.base import frozen
from chainrule.ops.broadcasting import astype, broadcast_to
from chainrule.ops.functions import exp, log
from chainrule.ops.indexing import scatter
from chainrule.ops.partials import where
from chainrule.ops.rearranging import expand_dims
from chainrule.ops.reductions import sum
from chainrule.ops.registry import answers, answers_plainly
from chainrule.ops.rounding import round_to
from chainrule.ops.shapes import reshaped, stack
from chainrule.ops.sums import as_array, axes_of, converted, max_, min_
from chainrule.traced import plain

# ruff: noqa: ARG001 -- the bodies have NumPy's signatures; out= is refused before

answers(np.amax)(max_)
answers(np.amin)(min_)
answers(np.around)(round_to)

# Their results are positions, truth values, counts, names: nothing to differentiate.
answers_plainly(
    *(np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition, np.lexsort),
    *(np.argwhere, np.nonzero, np.flatnonzero, np.count_nonzero, np.searchsorted, np.digitize),
    *(np.any, np.all, np.isclose, np.allclose, np.array_equal, np.array_equiv, np.isin),
    *(np.isinf, np.signbit, np.logical_and, np.logical_or, np.logical_not, np.logical_xor),
    *(np.iscomplex, np.isreal, np.iscomplexobj, np.isrealobj, np.isneginf, np.isposinf),
    *(np.result_type, np.can_cast, np.common_type, np.linalg.matrix_rank),
    *(np.may_share_memory, np.shares_memory, np.min_scalar_type, np.ix_),
    *(np.tril_indices_from, np.triu_indices_from, np.diag_indices_from),
    *(np.array_repr, np.array_str, np.array2string, np.einsum_path),
)


@answers(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """The shape."""
    return tuple(a.shape)


@answers(np.ndim)
def ndim(a: Any) -> int:
    """The number of axes."""
    return len(a.shape)


@answers(np.size)
def size(a: Any, axis: Any = None) -> int:
    """The number of entries, in all or along axes."""
    return int(np.size(np.broadcast_to(0, a.shape), axis))


@answers(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """The same entries as a new node."""
    return positive(a)


@answers(np.astype)
def astype_(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """Converted to another dtype."""
    return x.astype(dtype)


def _like(fill: float) -> Any:
    def like(
        a: Any,
        dtype: Any = None,
        order: str = "K",
        subok: bool = True,
        shape: Any = None,
        *,
        device: Any = None,
    ) -> Any:
        return full_like(a, fill, dtype, order, subok, shape)

    return like


@answers(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """An array filled with a value, in the shape of another; entries may be assigned to it.

    It is traced as its model is. An integer dtype gives a plain array.
    """
    shape = a.shape if shape is None else shape
    if dtype is not None and np.dtype(dtype).kind not in "fc":
        return np.full(shape, plain(fill_value), dtype)
    dtype = a.dtype if dtype is None else dtype
    model = astype(where(False, sum(a), 0.0), dtype)  # a zero that belongs where `a` does
    filling = converted(as_array(fill_value), dtype)
    return broadcast_to(model, shape) + np.zeros(shape, dtype) + filling


zeros_like = answers(np.zeros_like)(_like(0.0))
ones_like = answers(np.ones_like)(_like(1.0))
empty_like = answers(np.empty_like)(_like(0.0))


@answers(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """Numbers at equal distances; differentiable in both ends."""
    parts = num - 1 if endpoint else num
    start, stop = (x if np.isscalar(x) else as_array(x) for x in (start, stop))
    wide = np.result_type(*[getattr(x, "dtype", x) for x in (start, stop)], 1.0)
    start, stop = converted(start, wide), converted(stop, wide)  # as NumPy
    step = (stop - start) / (parts if parts > 0 else np.nan)
    rows = [start + step * i if i else start + 0 * step for i in range(num)]
    if num == 1:
        rows = [start + 0 * stop]
    elif endpoint and num:
        rows[-1] = stop + 0 * start
    if not rows:
        raise ValueError("linspace of traced numbers needs num of 1 or more")
    y = stack(rows, axis=axis)
    if dtype is not None:
        y = y.astype(dtype) if np.dtype(dtype).kind in "fc" else np.floor(plain(y)).astype(dtype)
    return (y, step) if retstep else y


@answers(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Numbers at equal ratios, from base**start to base**stop."""
    if np.ndim(plain(base)):
        raise TypeError("logspace of traced numbers takes one number as base")
    y = base ** linspace(start, stop, num, endpoint, axis=axis)
    return y if dtype is None else y.astype(dtype)


@answers(np.geomspace)
def geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Numbers at equal ratios between two positive ones."""
    if np.any(plain(start) <= 0) or np.any(plain(stop) <= 0):
        raise ValueError("geomspace of traced numbers: both ends must be positive")
    wide = np.result_type(*[getattr(x, "dtype", x) for x in (start, stop)], np.float64)
    start, stop = converted(start, wide), converted(stop, wide)  # as NumPy
    y = exp(linspace(log(start), log(stop), num, endpoint, axis=axis))
    return y if dtype is None else y.astype(dtype)


@answers(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """How often each whole number occurs, or the sum of its weights; differentiable in these."""
    numbers = np.asarray(frozen(x))
    length = len(np.bincount(numbers, minlength=minlength))
    return scatter(converted(weights, np.float64), numbers, (length,))


@answers(np.unwrap)
def unwrap(
    p: Any, discont: float | None = None, axis: int = -1, *, period: float = 2 * np.pi
) -> Any:
    """Angles with jumps of a period removed; each keeps its derivative."""
    angles = plain(p)
    return p + (np.unwrap(angles, discont, axis, period=period) - angles)


@answers(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """Assign to the diagonal, as `a[i, i] = val` would."""
    if wrap or a.ndim < 2:
        raise TypeError("fill_diagonal of a traced array needs two axes or more, and no wrap=")
    n = min(a.shape)
    a[(np.arange(n),) * a.ndim] = val


@answers(np.put_along_axis)
def put_along_axis(
    arr: Any, indices: Any, values: Any, axis: int | None, mode: str = "raise"
) -> None:
    """Assign to positions along an axis."""
    if axis is None:
        raise TypeError("put_along_axis of a traced array needs an axis")
    (axis,) = axes_of(axis, arr.ndim)
    grids = np.ogrid[tuple(slice(n) for n in arr.shape)]
    arr[(*grids[:axis], np.asarray(frozen(indices)), *grids[axis + 1 :])] = values


@answers(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """Without the zeros in front and at the end of a vector."""
    if filt.ndim != 1 or axis is not None:
        raise TypeError("trim_zeros of a traced array takes a vector")
    kept = np.flatnonzero(plain(filt))
    start = int(kept[0]) if kept.size and "f" in trim.lower() else 0
    stop = int(kept[-1]) + 1 if kept.size and "b" in trim.lower() else filt.size
    return filt[start:stop] if kept.size else filt[:0]


@answers(np.apply_over_axes)
def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    """A reduction over one axis after the other, each kept as length one."""
    a = as_array(a)
    for axis in axes_of(axes, a.ndim):
        reduced = func(a, axis)
        a = reduced if reduced.ndim == a.ndim else expand_dims(reduced, axis)
    return a


@answers(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """A function of vectors applied to every line along an axis."""
    arr = np.moveaxis(as_array(arr), axis, -1)
    batch = arr.shape[:-1]
    lines = [as_array(func1d(arr[i], *args, **kwargs)) for i in np.ndindex(*batch)]
    if not lines:
        raise ValueError("apply_along_axis: no line to apply the function to")
    y = reshaped(stack(lines), (*batch, *lines[0].shape))
    ndim = len(lines[0].shape)
    if not ndim:
        return y
    return np.moveaxis(
        y, tuple(range(-ndim, 0)), tuple(range(axis % arr.ndim, axis % arr.ndim + ndim))
    )


@answers(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """A function given by pieces: of conditions that hold together the last one counts."""
    x = as_array(x)
    single = isinstance(condlist, np.ndarray) or np.isscalar(condlist[0])
    if single and np.ndim(condlist) <= len(x.shape):
        condlist = [condlist]
    conditions = [np.asarray(plain(c), bool) for c in condlist]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    elif len(funclist) != len(conditions):
        raise ValueError(f"{len(funclist)} functions for {len(conditions)} conditions")
    y = zeros_like(x)
    for condition, piece in zip(conditions, funclist, strict=True):
        where_true = np.broadcast_to(condition, x.shape)
        if where_true.any():
            part = piece(x[where_true], *args, **kw) if callable(piece) else piece
            y = y.at[where_true].set(part)
    return y
