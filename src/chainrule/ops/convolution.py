"""Convolution as neural networks use it, with a rule that reads like one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.indexing import getitem
from chainrule.ops.joining import pad
from chainrule.ops.kinds import Multilinear
from chainrule.ops.shapes import concatenate, reshaped
from chainrule.ops.sums import as_array
from chainrule.ops.windows import added_windows, each, numbers, window_views

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.traced import Inputs, Params

# ruff: noqa: ARG005 -- a transpose takes what the op takes


def _correlate(x: Any, w: Any, stride: Any = None, dilation: Any = None) -> Any:
    """Each kernel times every window: (N, C, *lengths) and (K, C, *size) to (N, K, *positions)."""
    seen = window_views(x, w.shape[2:], *_spacing(w.ndim - 2, stride, dilation))
    count = w.ndim - 2
    last = tuple(range(seen.ndim - count, seen.ndim))
    return np.moveaxis(np.tensordot(seen, w, ((1, *last), tuple(range(1, w.ndim)))), -1, 1)


def _correlate_input(y: Any, w: Any, shape: Any, stride: Any = None, dilation: Any = None) -> Any:
    """Every entry of y times its kernel, added up where the windows were."""
    seen = np.moveaxis(np.tensordot(y, w, ((1,), (0,))), w.ndim - 1, 1)
    return added_windows(seen, shape, w.shape[2:], *_spacing(w.ndim - 2, stride, dilation))


def _correlate_kernel(x: Any, y: Any, size: Any, stride: Any = None, dilation: Any = None) -> Any:
    """Every window times the entry of y it gave, added up over samples and positions."""
    seen = window_views(x, size, *_spacing(len(size), stride, dilation))
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
    steps, gaps = each(stride, axes, "stride"), each(dilation, axes, "dilation")
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
        widths = [(n, n) for n in numbers(padding, count, "padding", 0)]
    if not any(a or b for a, b in widths):
        return x
    return pad(x, [(0, 0)] * (x.ndim - len(widths)) + widths)
