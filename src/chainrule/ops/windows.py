"""Operations of neural networks: windows, convolution, pooling, lookup, normalisation, dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops.base import shape_of
from chainrule.ops.functions import sqrt
from chainrule.ops.indexing import getitem
from chainrule.ops.joining import pad
from chainrule.ops.kinds import General, Linear
from chainrule.ops.reductions import max, mean
from chainrule.ops.shapes import reshaped
from chainrule.ops.sums import as_array

# ruff: noqa: ARG005 -- a transpose takes what the op takes


def window_views(x: Any, size: Any, stride: Any, dilation: Any) -> Any:
    """Views of shape (*leading, *positions, *size) over the last axes."""
    count = len(size)
    span = tuple(d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True))
    axes = tuple(range(x.ndim - count, x.ndim))
    views = np.lib.stride_tricks.sliding_window_view(x, span, axes)
    steps = tuple(slice(None, None, s) for s in stride)
    inside = tuple(slice(None, None, d) for d in dilation)
    index: Any = (..., *steps, *inside)
    return views[index]


def added_windows(y: Any, shape: Any, size: Any, stride: Any, dilation: Any) -> Any:
    """The sum of all windows, each where it was."""
    x = np.zeros_like(y, shape=shape)
    count = len(size)
    positions = y.shape[-2 * count : -count]
    for offset in np.ndindex(*size):
        target: Any = tuple(
            slice(o * d, o * d + s * (n - 1) + 1, s)
            for o, d, s, n in zip(offset, dilation, stride, positions, strict=True)
        )
        place: Any = (..., *target)
        x[place] += y[(..., *offset)]
    return x


windows: Linear = Linear(
    window_views,
    lambda y_bar, x, **params: fold(y_bar, shape=x.shape, **params),
    name="windows",
    params=("size", "stride", "dilation"),
    stacked=True,
    doc="The windows that a kernel sees over the last axes, as new last axes.",
)
fold: Linear = Linear(
    added_windows,
    lambda y_bar, _y, shape, **params: windows(y_bar, **params),
    name="fold",
    params=("shape", "size", "stride", "dilation"),
    stacked=lambda y, shape, **params: fold(y, shape=(len(y), *shape), **params),
    doc="The transpose of windows: overlapping entries add up.",
)


def each(given: Any, count: int, what: str) -> tuple[int, ...]:
    return numbers(given, count, what, 1)


def numbers(given: Any, count: int, what: str, least: int) -> tuple[int, ...]:
    """One whole number for each axis."""
    numbers = tuple(given) if isinstance(given, list | tuple | np.ndarray) else (given,) * count
    if len(numbers) != count or any(
        not isinstance(n, int | np.integer) or n < least for n in numbers
    ):
        raise ValueError(f"{what}={given}: {count} whole number(s) from {least} on expected")
    return tuple(int(n) for n in numbers)


def max_pool(x: Any, size: Any, stride: Any = None, padding: Any = 0) -> Any:
    """The largest entry of every window over the last axes; entries that tie share.

    Args:
        x: array of shape (N, C, *lengths).
        size: of a window, one number or one for each of the last axes.
        stride: step between windows, by default their size.
        padding: entries of -inf on both sides.

    >>> import chainrule as cr
    >>> cr.nn.max_pool(np.array([[[1.0, 5.0, 2.0, 3.0]]]), 2)
    array([[[5., 3.]]])
    """
    seen, axes = _pooled(x, size, stride, padding, -np.inf)
    return max(seen, axis=axes)


def average_pool(x: Any, size: Any, stride: Any = None, padding: Any = 0) -> Any:
    """The mean of every window over the last axes; zeros of the padding count.

    >>> import chainrule as cr
    >>> cr.nn.average_pool(np.array([[[1.0, 5.0, 2.0, 4.0]]]), 2)
    array([[[3., 3.]]])
    """
    seen, axes = _pooled(x, size, stride, padding, 0.0)
    return mean(seen, axis=axes)


def _pooled(x: Any, size: Any, stride: Any, padding: Any, filling: float) -> Any:
    x = as_array(x)
    count = x.ndim - 2
    if count < 1:
        raise ValueError(f"pooling takes (N, C, *lengths), got {x.shape}")
    size = each(size, count, "size")
    steps = size if stride is None else each(stride, count, "stride")
    widths = numbers(padding, count, "padding", 0)
    if any(2 * w > k for w, k in zip(widths, size, strict=True)):
        raise ValueError(f"padding={padding}: from 0 to half of the window {size}")
    if any(widths):
        pairs = [(0, 0), (0, 0), *((w, w) for w in widths)]
        x = pad(x, pairs, constant_values=filling)
    seen = windows(x, size=size, stride=steps, dilation=(1,) * count)
    return seen, tuple(range(seen.ndim - count, seen.ndim))


def embedding(indices: Any, table: Any) -> Any:
    """Rows of a table; a row used twice collects both cotangents.

    >>> import chainrule as cr
    >>> cr.nn.embedding([2, 0], np.array([[1.0], [2.0], [3.0]])).tolist()
    [[3.0], [1.0]]
    """
    rows, table = as_array(indices), as_array(table)
    count = shape_of(table)[0]
    if rows.dtype.kind not in "iu":
        raise TypeError(f"embedding takes whole numbers, got {rows.dtype}")
    if rows.size and not 0 <= rows.min() <= rows.max() < count:
        raise ValueError(f"rows go from 0 to {count - 1}, got {rows.min()} to {rows.max()}")
    return getitem(table, rows)


def layer_norm(x: Any, scale: Any = None, shift: Any = None, *, epsilon: float = 1e-5) -> Any:
    """(x - mean) / √(variance + ε) over the last axis, then scaled and shifted.

    >>> import chainrule as cr
    >>> cr.nn.layer_norm(np.array([[1.0, 3.0]])).round(3)
    array([[-1.,  1.]])
    """
    return _normalised(x, -1, scale, shift, epsilon)


def batch_norm(x: Any, scale: Any = None, shift: Any = None, *, epsilon: float = 1e-5) -> Any:
    """(x - mean) / √(variance + ε) of every channel over the batch, then scaled and shifted.

    Args:
        x: array of shape (N, C) or (N, C, *lengths); statistics over all axes but the second.
        scale: C factors, or None.
        shift: C summands, or None.
        epsilon: what keeps the root away from 0.

    >>> import chainrule as cr
    >>> cr.nn.batch_norm(np.array([[1.0], [3.0]])).round(3)
    array([[-1.],
           [ 1.]])
    """
    x = as_array(x)
    if x.ndim < 2:
        raise ValueError(f"batch_norm takes (N, C) or (N, C, *lengths), got {x.shape}")
    shape = (x.shape[1], *(1,) * (x.ndim - 2))
    scale, shift = (None if p is None else reshaped(as_array(p), shape) for p in (scale, shift))
    return _normalised(x, (0, *range(2, x.ndim)), scale, shift, epsilon)


def _normalised(x: Any, axis: Any, scale: Any, shift: Any, epsilon: float) -> Any:
    y = standardise(as_array(x), axis=axis, epsilon=epsilon)
    y = y if scale is None else y * scale
    return y if shift is None else y + shift


def _standardise(x: Any, axis: Any, epsilon: float) -> Any:
    centered = x - np.mean(x, axis=axis, keepdims=True)
    return centered / np.sqrt(np.mean(centered * centered, axis=axis, keepdims=True) + epsilon)


def _standardised(direction: Any, y: Any, x: Any, axis: Any, epsilon: float) -> Any:
    """The Jacobian of `standardise`, which is symmetric, times a direction."""
    along = mean(direction * y, axis=axis, keepdims=True)
    centered = x - mean(x, axis=axis, keepdims=True)
    deviation = sqrt(mean(centered * centered, axis=axis, keepdims=True) + epsilon)
    return (direction - mean(direction, axis=axis, keepdims=True) - y * along) / deviation


standardise: General = General(
    _standardise,
    _standardised,
    lambda tangents, y, x, axis, epsilon: _standardised(tangents[0], y, x, axis, epsilon),
    name="standardise",
    params=("axis", "epsilon"),
    doc="(x - mean) / √(variance + epsilon) over axes.",
)


def dropout(x: Any, rate: float, seed: Any) -> Any:
    """Entries set to zero at random, the others divided by 1 - rate.

    Args:
        x: array of any shape.
        rate: the share of entries to drop, from 0 to below 1.
        seed: a number or a `numpy.random.Generator`; the same number drops the same entries.

    >>> import chainrule as cr
    >>> cr.nn.dropout(np.ones(4), 0.5, seed=1)
    array([2., 2., 0., 2.])
    """
    if not 0 <= rate < 1:
        raise ValueError(f"rate={rate}: from 0 to below 1")
    x = as_array(x)
    kept = np.random.default_rng(seed).random(x.shape) >= rate
    return x * (kept / (1 - rate)).astype(x.dtype)
