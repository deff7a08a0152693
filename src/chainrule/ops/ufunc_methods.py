"""`ufunc.reduce`, `ufunc.accumulate` and `ufunc.outer` on traced arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.cumulative import cumsum
from chainrule.ops.rearranging import expand_dims
from chainrule.ops.shapes import along, concatenate, reshaped
from chainrule.ops.sums import (
    as_array,
    axes_of,
    converted,
    cumprod,
    max_,
    min_,
    prod,
    scanned,
    squeezed,
    sum_,
)

if TYPE_CHECKING:
    from collections.abc import Callable

#: Reductions with rules of their own.
REDUCTIONS: dict[Any, Callable[..., Any]] = {
    np.add: sum_,
    np.multiply: prod,
    np.maximum: max_,
    np.minimum: min_,
}
ACCUMULATIONS: dict[Any, Callable[..., Any]] = {np.add: cumsum, np.multiply: cumprod}
ASSOCIATIVE = {np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp, np.logaddexp2, np.hypot}


def ufunc_method(ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """What `ufunc.method(*args)` is on traced arrays.

    Raises:
        TypeError: for a method that writes into its input, or that is unknown.
    """
    if method == "outer":
        return _outer(ufunc, *args, **kwargs)
    if ufunc.nin == 2 and method == "reduce":
        return _reduce(ufunc, *args, **kwargs)
    if ufunc.nin == 2 and method == "accumulate":
        return _accumulate(ufunc, *args, **kwargs)
    if ufunc is np.add and method == "reduceat":
        return _sums_between(*args, **kwargs)
    raise TypeError(
        f"chainrule has no rule for np.{ufunc.__name__}.{method}"
        + (": t.at[i].add(v) gives a new array" if method == "at" else "")
    )


def _outer(ufunc: Any, a: Any, b: Any) -> Any:
    a, b = as_array(a), as_array(b)
    return ufunc(reshaped(a, (*a.shape, *(1,) * b.ndim)), b)


def _reduce(
    ufunc: Any,
    a: Any,
    axis: Any = 0,
    dtype: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    a = as_array(a)
    if ufunc in REDUCTIONS:
        a, options = converted(a, dtype), dict[str, Any]()
        if initial is not None or where is not True:
            options |= {"initial": initial, "where": where}
        return REDUCTIONS[ufunc](a, axis=axis, keepdims=keepdims, **options)
    if where is not True:
        raise TypeError(f"np.{ufunc.__name__}.reduce of a traced array does not take where=")
    a = converted(a, dtype)
    axes = axes_of(axis, a.ndim)
    if len(axes) > 1 and ufunc not in ASSOCIATIVE:
        raise ValueError(f"np.{ufunc.__name__}.reduce over several axes: their order matters")
    y = a
    for i in sorted(axes, reverse=True):
        if not y.shape[i] and initial is None:
            raise ValueError(f"np.{ufunc.__name__}.reduce over an axis of length 0")
        rows = [y[along(i, slice(k, k + 1), a.ndim)] for k in range(y.shape[i])]
        total = rows.pop(0) if initial is None else initial
        for row in rows:
            total = ufunc(total, row)
        y, initial = total, None
    return squeezed(y, axis, a.ndim, keepdims)


def _accumulate(ufunc: Any, a: Any, axis: int = 0, dtype: Any = None) -> Any:
    if ufunc in ACCUMULATIONS:
        return ACCUMULATIONS[ufunc](a, axis, dtype)
    a = converted(a, dtype)
    if ufunc in ASSOCIATIVE:
        return scanned(ufunc, a, axis)
    (axis,) = axes_of(axis, a.ndim)
    rows = [a[along(axis, slice(0, 1), a.ndim)]]
    for k in range(1, a.shape[axis]):
        rows.append(ufunc(rows[-1], a[along(axis, slice(k, k + 1), a.ndim)]))
    return concatenate(rows, axis=axis)


def _sums_between(a: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Any:
    """Sums from each index to the next; where that is not behind it, the entry alone."""
    a = converted(a, dtype)
    (axis,) = axes_of(axis, a.ndim)
    indices = np.asarray(indices)
    if ((indices < 0) | (indices >= a.shape[axis])).any():
        raise IndexError(f"reduceat: indices {indices.tolist()} for an axis of {a.shape[axis]}")
    stops = [*indices[1:], a.shape[axis]]
    parts = [
        a[along(axis, slice(int(i), max(int(i) + 1, int(stop))), a.ndim)].sum(axis=axis)
        for i, stop in zip(indices, stops, strict=True)
    ]
    return concatenate([expand_dims(part, axis) for part in parts], axis=axis)
