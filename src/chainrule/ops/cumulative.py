"""Along an axis: cumulative sums, differences, integrals, interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops.base import beside, is_complex, real_dtype
from chainrule.ops.indexing import getitem
from chainrule.ops.kinds import Linear
from chainrule.ops.partials import where
from chainrule.ops.reductions import sum
from chainrule.ops.registry import answers
from chainrule.ops.shapes import along, concatenate, reshaped
from chainrule.ops.sums import as_array, axes_of, converted, with_initial
from chainrule.traced import Traced, plain

# ruff: noqa: ARG001 -- the bodies have NumPy's signatures; out= is refused before


def backwards(x: Any, axis: int) -> Any:
    """The entries along an axis in reverse order."""
    return getitem(x, along(axis, slice(None, None, -1), x.ndim))


running_sum: Linear = Linear(
    lambda x, axis: np.cumsum(x, axis),  # noqa: PLW0108 -- not an answer for np.cumsum
    lambda y_bar, x, axis: backwards(running_sum(backwards(y_bar, axis), axis), axis),  # noqa: ARG005
    name="running_sum",
    params=("axis",),
    stacked=lambda x, axis: running_sum(x, axis + 1),
    doc="Sums of the first entries along one axis (np.cumsum).",
)


@answers(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """Sums of the first entries along an axis, by default of the flattened array."""
    a = converted(a, dtype)
    if axis is None:
        return running_sum(reshaped(a, (a.size,)), 0)
    return running_sum(a, axes_of(axis, a.ndim)[0])


@answers("cumulative_sum")
def cumulative_sum(
    x: Any,
    /,
    *,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    include_initial: bool = False,
) -> Any:
    """Sums of the first entries along an axis, with a 0 in front if asked for."""
    return with_initial(cumsum, x, axis, dtype, 0.0 if include_initial else None)


@answers(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Differences of neighbours along an axis, n times."""
    a = as_array(a)
    (axis,) = axes_of(axis, a.ndim)
    if n < 0:
        raise ValueError(f"diff of order {n}: n must not be negative")
    if n == 0:
        return a
    pieces = [_piece(prepend, a, axis), [a], _piece(append, a, axis)]
    a = concatenate([p for piece in pieces for p in piece], axis=axis)
    for _ in range(n):
        a = getitem(a, along(axis, slice(1, None), a.ndim)) - getitem(
            a, along(axis, slice(-1), a.ndim)
        )
    return a


def _piece(x: Any, a: Any, axis: int) -> list[Any]:
    """What `prepend` or `append` puts beside an array."""
    if x is None:
        return []
    x = as_array(x)
    if x.ndim == 0:
        shape = tuple(1 if i == axis else n for i, n in enumerate(a.shape))
        x = x[()] + beside(np.zeros(shape, a.dtype), a)
    return [x]


@answers(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Differences of neighbours of the flattened array, with numbers put around them."""
    ary = as_array(ary)
    ary = reshaped(ary, (ary.size,))
    pieces = [ary[1:] - ary[:-1]]
    if to_begin is not None:
        pieces.insert(0, _flat(to_begin, ary))
    if to_end is not None:
        pieces.append(_flat(to_end, ary))
    return concatenate(pieces)


def _flat(x: Any, like: Any) -> Any:
    x = as_array(x)
    return reshaped(converted(x, like.dtype), (x.size,))


@answers(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Integral by the trapezoidal rule; differentiable in y and in the points x."""
    y = as_array(y)
    (axis,) = axes_of(axis, y.ndim)
    if x is None:
        width = dx
    else:
        x = as_array(x)
        if x.ndim == 1:
            width = diff(x)
            width = reshaped(width, along_shape(axis, width.shape[0], y.ndim))
        else:
            width = diff(x, axis=axis)
    left, right = along(axis, slice(-1), y.ndim), along(axis, slice(1, None), y.ndim)
    return sum(width * (getitem(y, right) + getitem(y, left)) * 0.5, axis=axis)


def along_shape(axis: int, length: int, ndim: int) -> tuple[int, ...]:
    """The shape of a vector laid along one axis."""
    return tuple(length if i == axis else 1 for i in range(ndim))


@answers(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Slopes by central differences; differentiable in the values and in the spacing."""
    f = as_array(f)
    axes = axes_of(axis, f.ndim)
    if edge_order not in {1, 2}:
        raise ValueError(f"edge_order is 1 or 2, got {edge_order}")
    spacings = list(varargs) or [1.0]
    if len(spacings) == 1 and np.ndim(plain(spacings[0])) == 0:
        spacings = spacings * len(axes)
    if len(spacings) != len(axes):
        raise TypeError(f"{len(spacings)} spacings for {len(axes)} axes")
    slopes = [_slopes(f, spacing, i, edge_order) for spacing, i in zip(spacings, axes, strict=True)]
    return slopes[0] if len(axes) == 1 else tuple(slopes)


def _slopes(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """The slopes along one axis: weights of three neighbours, exact for parabolas inside."""
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ValueError(f"axis {axis} of length {n} is too short for edge_order={edge_order}")
    spacing = as_array(spacing)
    if not isinstance(spacing, Traced) and (not spacing.ndim or spacing.dtype.kind in "iu"):
        spacing = spacing.astype(real_dtype(f.dtype))
    steps = (
        diff(spacing) if spacing.ndim else spacing + beside(np.zeros(n - 1, spacing.dtype), spacing)
    )
    if spacing.ndim and spacing.shape != (n,):
        raise ValueError(f"{spacing.shape} coordinates for axis {axis} of length {n}")

    def part(start: int | None, stop: int | None) -> Any:
        return getitem(f, along(axis, slice(start, stop), f.ndim))

    def widths(start: int | None, stop: int | None) -> Any:
        chosen = steps[start:stop]
        return reshaped(chosen, along_shape(axis, chosen.shape[0], f.ndim))

    pieces = []
    first, last = widths(None, 1), widths(-1, None)
    if edge_order == 1:
        pieces.append((part(1, 2) - part(0, 1)) / first)
    else:
        second = widths(1, 2)
        both = first + second
        pieces.append(
            -(both + first) / (first * both) * part(0, 1)
            + both / (first * second) * part(1, 2)
            - first / (second * both) * part(2, 3)
        )
    if n > 2:
        before, after = widths(None, -1), widths(1, None)
        both = before + after
        pieces.append(
            -after / (before * both) * part(None, -2)
            + (after - before) / (before * after) * part(1, -1)
            + before / (after * both) * part(2, None)
        )
    if edge_order == 1:
        pieces.append((part(-1, None) - part(-2, -1)) / last)
    else:
        second = widths(-2, -1)
        both = last + second
        pieces.append(
            last / (second * both) * part(-3, -2)
            - both / (last * second) * part(-2, -1)
            + (both + last) / (last * both) * part(-1, None)
        )
    return concatenate(pieces, axis=axis)


@answers(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """Linear interpolation; differentiable in x, xp and fp.

    At a knot the derivative in x is that of the piece on its right, at the last that on its left.
    """
    x, xp, fp = converted(x, np.float64), converted(xp, np.float64), as_array(fp)
    fp = converted(fp, np.result_type(fp.dtype, np.float64))  # as NumPy: always double precision
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size:
        raise ValueError(f"xp and fp are vectors of one length, got {xp.shape} and {fp.shape}")
    if period is not None:
        if period == 0:
            raise ValueError("period= must not be 0")
        period, left, right = abs(period), None, None
        x, xp = x % period, xp % period
        order = np.argsort(plain(xp))
        xp, fp = getitem(xp, order), getitem(fp, order)
        xp = concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = concatenate([fp[-1:], fp, fp[:1]])
    knots, points = plain(xp), plain(x)
    if xp.size == 1:
        y = fp[0] + 0 * x
    else:
        i = np.clip(np.searchsorted(knots, points, side="right") - 1, 0, xp.size - 2)
        low, high = getitem(fp, i), getitem(fp, i + 1)
        start = getitem(xp, i)
        y = low + (high - low) / (getitem(xp, i + 1) - start) * (x - start)
        y = where(points == knots[i], low, y) if not np.isfinite(plain(y)).all() else y
    if any(is_complex(end) and not is_complex(fp) for end in (left, right)):
        raise TypeError("interp: left= and right= are complex, fp is real")
    y = where(points < knots[0], fp[0] if left is None else left, y)
    y = where(points > knots[-1], fp[-1] if right is None else right, y)
    repeated = knots.size > 1 and knots[-1] == knots[-2]
    return where(points == knots[-1], fp[-1], y) if repeated else y
