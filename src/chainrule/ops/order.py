"""Statistics of order: sorting, medians, quantiles, and covariance."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops.arithmetic import conjugated, real
from chainrule.ops.base import frozen
from chainrule.ops.functions import sqrt
from chainrule.ops.indexing import getitem
from chainrule.ops.linear_algebra import matmul
from chainrule.ops.partials import where
from chainrule.ops.reductions import sum
from chainrule.ops.registry import answers
from chainrule.ops.shapes import concatenate, reshaped, transpose
from chainrule.ops.sums import as_array, average, axes_of, converted, counted
from chainrule.traced import plain

# ruff: noqa: ARG001 -- the bodies have NumPy's signatures; out= is refused before


@answers(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """The entries at given positions along an axis."""
    arr = as_array(arr)
    if axis is None:
        return getitem(reshaped(arr, (arr.size,)), indices)
    (axis,) = axes_of(axis, arr.ndim)
    shape = tuple(np.shape(indices))
    if len(shape) != arr.ndim:
        raise ValueError(f"indices of shape {shape} for an array of shape {arr.shape}")
    grids = np.ogrid[tuple(slice(n) for n in arr.shape)]
    return getitem(arr, (*grids[:axis], as_array(indices), *grids[axis + 1 :]))


@answers(np.sort)
def sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    """Sorted along an axis; each entry keeps its derivative, ties in their order before."""
    a = as_array(a)
    if axis is None:
        a, axis = reshaped(a, (a.size,)), -1
    return take_along_axis(a, np.argsort(plain(a), axis=axis, kind="stable"), axis)


@answers(np.partition)
def partition(
    a: Any, kth: Any, axis: int | None = -1, kind: Any = "introselect", order: Any = None
) -> Any:
    """Partly sorted along an axis; each entry keeps its derivative."""
    a = as_array(a)
    if axis is None:
        a, axis = reshaped(a, (a.size,)), -1
    return take_along_axis(a, np.argpartition(plain(a), kth, axis=axis, kind=kind), axis)


@answers(np.unique)
def unique(ar: Any, *args: Any, **kwargs: Any) -> Any:
    """The distinct entries, sorted; the derivative goes to the first of equal entries."""
    ar = as_array(ar)
    if args or kwargs:
        raise TypeError("np.unique of a traced array takes no options: apply them to its .data")
    _, first = np.unique(plain(ar), return_index=True)
    return getitem(reshaped(ar, (ar.size,)), first)


def _lined_up(a: Any, axis: Any) -> Any:
    """The reduced axes as one last axis."""
    axes = axes_of(axis, a.ndim)
    rest = tuple(i for i in range(a.ndim) if i not in axes)
    moved = transpose(a, (*rest, *axes)) if a.ndim else a
    return reshaped(moved, (*[a.shape[i] for i in rest], counted(a.shape, axes, True)))


@answers(np.quantile)
def quantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: Any = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
    ignore_nan: bool = False,
) -> Any:
    """Quantiles over axes by any of NumPy's methods; differentiable in the entries."""
    if weights is not None:
        raise TypeError("quantiles of a traced array take no weights: sort it and weigh it")
    a = as_array(a)
    dtype = a.dtype if isinstance(frozen(q), int | float) else np.result_type(a.dtype, np.float64)
    q = np.asarray(q, dtype=np.float64)
    lined = sort(_lined_up(a, axis))
    data = plain(lined)
    whole = np.full(data.shape[:-1], data.shape[-1])
    count = np.sum(~np.isnan(data), axis=-1) if ignore_nan else whole
    # A method is a rule for a position among n sorted numbers: its answer for 0, 1, 2, … n - 1.
    sizes, which = np.unique(count, return_inverse=True)
    ramps = [np.arange(max(n, 1), dtype=float) for n in sizes]
    table = [np.quantile(ramp, q.ravel(), method=method) for ramp in ramps]
    position = np.stack(table, axis=-1)[:, which.reshape(count.shape)]
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    share = (position - low).astype(dtype)
    rows = np.ogrid[tuple(slice(n) for n in count.shape)]
    below, above = getitem(lined, (*rows, low)), getitem(lined, (*rows, high))
    equal = plain(below) == plain(above)  # two infinities have no difference
    y = where(equal | (share == 0), below, below * (1 - share) + above * share)
    if not ignore_nan:
        y = where(np.isnan(data).any(axis=-1), np.nan, y)
    if keepdims:
        gone = axes_of(axis, a.ndim)
        kept = tuple(1 if i in gone else n for i, n in enumerate(a.shape))
        return reshaped(y, (*q.shape, *kept))
    return reshaped(y, (*q.shape, *count.shape))


@answers(np.percentile)
def percentile(a: Any, q: Any, *args: Any, **kwargs: Any) -> Any:
    """Quantiles counted in per cent."""
    return quantile(
        a, q / 100 if isinstance(frozen(q), int | float) else np.asarray(q) / 100, *args, **kwargs
    )


@answers(np.median)
def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Any:
    """The middle entry over axes; of two middle entries the mean."""
    return quantile(a, 0.5, axis, keepdims=keepdims)


@answers(np.nanmedian)
def nanmedian(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Any:
    """The middle one of the entries that are not NaN."""
    return quantile(a, 0.5, axis, keepdims=keepdims, ignore_nan=True)


@answers(np.nanquantile)
def nanquantile(*args: Any, **kwargs: Any) -> Any:
    """Quantiles of the entries that are not NaN."""
    return quantile(*args, ignore_nan=True, **kwargs)


@answers(np.nanpercentile)
def nanpercentile(*args: Any, **kwargs: Any) -> Any:
    """Quantiles of the entries that are not NaN, counted in per cent."""
    return percentile(*args, ignore_nan=True, **kwargs)


@answers(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Covariance matrix; differentiable in the observations."""
    x, others = as_rows(m, rowvar), None if y is None else as_rows(y, rowvar)
    if dtype is None:  # as NumPy: at least double precision
        dtype = np.result_type(x.dtype, np.float64, np.float64 if others is None else others.dtype)
    x = converted(x, dtype)
    if others is not None:
        x = concatenate([x, converted(others, dtype)])
    ddof = (0 if bias else 1) if ddof is None else ddof
    if ddof != int(ddof):
        raise ValueError(f"ddof is a whole number, got {ddof}")
    weights = None
    for given in (fweights, aweights):
        if given is not None:
            weights = as_array(given) * (1.0 if weights is None else weights)
    mean, total = average(x, axis=1, weights=weights, returned=True)
    total = total[0]
    if weights is None:
        divisor = x.shape[1] - ddof
    elif ddof == 0:
        divisor = total
    elif aweights is None:
        divisor = total - ddof
    else:
        divisor = total - ddof * sum(weights * as_array(aweights)) / total
    deviation = x - mean[:, None]
    weighted = deviation if weights is None else deviation * weights
    if np.any(plain(divisor) <= 0):  # as NumPy: too few observations for this ddof
        divisor = np.float64(0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        other = transpose(conjugated(deviation))
        c = matmul(weighted, other) / divisor
    return c[0, 0] if c.size == 1 else c


def as_rows(m: Any, rowvar: bool) -> Any:
    """Observations with one variable in each row."""
    m = as_array(m)
    if m.ndim > 2:
        raise ValueError(f"observations have one or two axes, got shape {m.shape}")
    if m.ndim < 2:
        return reshaped(m, (1, m.size))
    single = not rowvar and m.shape[0] == 1 and np.cov([[1.0, 2.0]], rowvar=False).ndim == 0
    return m if rowvar or single else transpose(m)  # until NumPy 2.2 one row stayed a row


@answers(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Matrix of correlation coefficients; differentiable in the observations."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    size = sqrt(real(getitem(c, (np.arange(len(c)), np.arange(len(c))))))
    return c / size[:, None] / size[None, :]
