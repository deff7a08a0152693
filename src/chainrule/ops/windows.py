"""Operations of neural networks: windows, convolution, pooling, lookup, normalisation, dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.base import frozen, shape_of
from chainrule.ops.functions import logaddexp, sqrt
from chainrule.ops.indexing import getitem
from chainrule.ops.joining import pad
from chainrule.ops.kinds import General, Linear, Multilinear
from chainrule.ops.reductions import max, mean
from chainrule.ops.shapes import concatenate, reshaped
from chainrule.ops.sums import as_array
from chainrule.traced import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.traced import Inputs, Params

# ruff: noqa: ARG005 -- a transpose takes what the op takes


def _windows(x: Any, size: Any, stride: Any, dilation: Any) -> Any:
    """Views of shape (*leading, *positions, *size) over the last axes."""
    count = len(size)
    span = tuple(d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True))
    axes = tuple(range(x.ndim - count, x.ndim))
    views = np.lib.stride_tricks.sliding_window_view(x, span, axes)
    steps = tuple(slice(None, None, s) for s in stride)
    inside = tuple(slice(None, None, d) for d in dilation)
    index: Any = (..., *steps, *inside)
    return views[index]


def _unwindowed(y: Any, shape: Any, size: Any, stride: Any, dilation: Any) -> Any:
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
    _windows,
    lambda y_bar, x, **params: fold(y_bar, shape=x.shape, **params),
    name="windows",
    params=("size", "stride", "dilation"),
    stacked=True,
    doc="The windows that a kernel sees over the last axes, as new last axes.",
)
fold: Linear = Linear(
    _unwindowed,
    lambda y_bar, _y, shape, **params: windows(y_bar, **params),
    name="fold",
    params=("shape", "size", "stride", "dilation"),
    stacked=lambda y, shape, **params: fold(y, shape=(len(y), *shape), **params),
    doc="The transpose of windows: overlapping entries add up.",
)


def _correlate(x: Any, w: Any, stride: Any = None, dilation: Any = None) -> Any:
    """Each kernel times every window: (N, C, *lengths) and (K, C, *size) to (N, K, *positions)."""
    seen = _windows(x, w.shape[2:], *_spacing(w.ndim - 2, stride, dilation))
    count = w.ndim - 2
    last = tuple(range(seen.ndim - count, seen.ndim))
    return np.moveaxis(np.tensordot(seen, w, ((1, *last), tuple(range(1, w.ndim)))), -1, 1)


def _correlate_input(y: Any, w: Any, shape: Any, stride: Any = None, dilation: Any = None) -> Any:
    """Every entry of y times its kernel, added up where the windows were."""
    seen = np.moveaxis(np.tensordot(y, w, ((1,), (0,))), w.ndim - 1, 1)
    return _unwindowed(seen, shape, w.shape[2:], *_spacing(w.ndim - 2, stride, dilation))


def _correlate_kernel(x: Any, y: Any, size: Any, stride: Any = None, dilation: Any = None) -> Any:
    """Every window times the entry of y it gave, added up over samples and positions."""
    seen = _windows(x, size, *_spacing(len(size), stride, dilation))
    places = (0, *range(2, y.ndim))
    return np.tensordot(y, seen, (places, places))


def _spacing(count: int, stride: Any, dilation: Any) -> tuple[Any, Any]:
    """Stride and dilation, 1 on each axis where nothing is given."""
    return stride or (1,) * count, dilation or (1,) * count


class Correlation(Multilinear):
    """A convolution as networks use it, or one of its two transposes: each other's rules."""

    def batch(self, size: int, inputs: Inputs, mine: Sequence[bool], params: Params) -> Any:
        if list(mine) != [True, False] or self is correlate_kernel:
            return super().batch(size, inputs, mine, params)
        x, w = inputs
        if "shape" in params:
            params = {**params, "shape": (size * x.shape[1], *params["shape"][1:])}
        y = self.apply((reshaped(x, (-1, *x.shape[2:])), w), params)
        return reshaped(y, (size, -1, *y.shape[1:]))


correlate: Multilinear = Correlation(
    _correlate,
    (
        lambda y_bar, x, w, **params: correlate_input(y_bar, w, shape=x.shape, **params),
        lambda y_bar, x, w, **params: correlate_kernel(x, y_bar, size=w.shape[2:], **params),
    ),
    name="correlate",
    params=("stride", "dilation"),
    doc="Kernels (K, C, *size) times the windows of x (N, C, *lengths): a convolution without b.",
)
correlate_input: Multilinear = Correlation(
    _correlate_input,
    (
        lambda x_bar, y, w, shape, **params: correlate(x_bar, w, **params),
        lambda x_bar, y, w, shape, **params: correlate_kernel(x_bar, y, size=w.shape[2:], **params),
    ),
    name="correlate_input",
    params=("shape", "stride", "dilation"),
    doc="The transpose of `correlate` in x.",
)
correlate_kernel: Multilinear = Correlation(
    _correlate_kernel,
    (
        lambda w_bar, x, y, size, **params: correlate_input(y, w_bar, shape=x.shape, **params),
        lambda w_bar, x, y, size, **params: correlate(x, w_bar, **params),
    ),
    name="correlate_kernel",
    params=("size", "stride", "dilation"),
    doc="The transpose of `correlate` in its kernels.",
)


def conv(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] | str = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Any:
    """Convolution over any number of axes, as neural networks use it: the kernel is not flipped.

    Args:
        x: array of shape (N, C, *lengths).
        w: kernel of shape (K, C / groups, *size).
        b: K numbers to add, or None.
        stride: step between positions, one number or one for each axis.
        padding: zeros on both sides, one number or one for each axis; or "valid" for none, or
            "same" for as many as keep the lengths (stride 1; an odd one goes to the right).
        dilation: distance between the entries that a kernel sees.
        groups: parts of the channels that do not see each other.

    Returns:
        Array of shape (N, K, *positions).

    Raises:
        ValueError: for shapes that do not fit each other.

    >>> import chainrule as cr
    >>> cr.nn.conv(np.ones((1, 1, 4)), np.ones((1, 1, 3)))
    array([[[3., 3.]]])
    """
    x, w = as_array(x), as_array(w)
    axes = x.ndim - 2
    if axes < 1 or w.ndim != x.ndim:
        raise ValueError(f"conv: x (N, C, *lengths) and w (K, C, *size), got {x.shape}, {w.shape}")
    channels, kernels = x.shape[1], w.shape[0]
    if groups < 1 or channels % groups or kernels % groups or w.shape[1] * groups != channels:
        raise ValueError(
            f"conv: kernel {w.shape} does not fit {channels} channels in {groups} group(s)"
        )
    size = tuple(w.shape[2:])
    steps, gaps = _each(stride, axes, "stride"), _each(dilation, axes, "dilation")
    x = _zero_padded(x, padding, size, steps, gaps)
    spans = tuple(d * (k - 1) + 1 for k, d in zip(size, gaps, strict=True))
    if any(n < span for n, span in zip(x.shape[2:], spans, strict=True)):
        raise ValueError(f"conv: a kernel that spans {spans} does not fit into {x.shape[2:]}")
    given = {"stride": steps, "dilation": gaps}
    spacing = {key: value for key, value in given.items() if set(value) != {1}}
    own, part = channels // groups, kernels // groups
    parts = [
        correlate(
            getitem(x, (slice(None), slice(g * own, (g + 1) * own))) if groups > 1 else x,
            getitem(w, slice(g * part, (g + 1) * part)) if groups > 1 else w,
            **spacing,
        )
        for g in range(groups)
    ]
    y = concatenate(parts, axis=1) if groups > 1 else parts[0]
    return y if b is None else y + reshaped(as_array(b), (kernels, *(1,) * axes))


def _each(given: Any, count: int, what: str) -> tuple[int, ...]:
    return _numbers(given, count, what, 1)


def _numbers(given: Any, count: int, what: str, least: int) -> tuple[int, ...]:
    """One whole number for each axis."""
    numbers = tuple(given) if isinstance(given, list | tuple | np.ndarray) else (given,) * count
    if len(numbers) != count or any(
        not isinstance(n, int | np.integer) or n < least for n in numbers
    ):
        raise ValueError(f"{what}={given}: {count} whole number(s) from {least} on expected")
    return tuple(int(n) for n in numbers)


def _zero_padded(
    x: Any, padding: Any, size: tuple[int, ...], steps: tuple[int, ...], gaps: tuple[int, ...]
) -> Any:
    if padding == "valid":
        return x
    if padding == "same":
        if any(s != 1 for s in steps):
            raise ValueError('padding="same" keeps the lengths only with stride 1')
        totals = [d * (k - 1) for k, d in zip(size, gaps, strict=True)]
        widths = [(t // 2, t - t // 2) for t in totals]
    else:
        count = len(size)
        widths = [(n, n) for n in _numbers(padding, count, "padding", 0)]
    if not any(a or b for a, b in widths):
        return x
    return pad(x, [(0, 0)] * (x.ndim - len(widths)) + widths)


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
    size = _each(size, count, "size")
    steps = size if stride is None else _each(stride, count, "stride")
    widths = _numbers(padding, count, "padding", 0)
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
    rows, table = np.asarray(frozen(indices)), as_array(table)
    count = shape_of(table)[0]
    if rows.dtype.kind not in "iu":
        raise TypeError(f"embedding takes whole numbers, got {rows.dtype}")
    if rows.size and not 0 <= rows.min() <= rows.max() < count:
        raise ValueError(f"rows go from 0 to {count - 1}, got {rows.min()} to {rows.max()}")
    return getitem(table, rows)


def binary_cross_entropy(logits: Any, targets: Any) -> Any:
    """-(t·log σ(z) + (1 - t)·log(1 - σ(z))), averaged over all entries, without overflow.

    >>> import chainrule as cr
    >>> round(float(cr.nn.binary_cross_entropy(np.array([0.0]), np.array([1.0]))), 4)
    0.6931
    """
    logits = as_array(logits)
    expected, given = logits.shape, np.shape(plain(targets))
    if expected != given:
        raise ValueError(f"logits of shape {expected} and targets of shape {given} must agree")
    return mean(logaddexp(0.0, logits) - logits * targets)


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
