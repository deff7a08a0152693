"""Reductions over axes: the rule is the partial of the result in each entry of the input."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.arithmetic import indicator
from chainrule.ops.base import Op, constant
from chainrule.ops.broadcasting import stretched
from chainrule.ops.misconceptions import wrong
from chainrule.ops.notation import ATOM, REDUCTION, Notation, prefix
from chainrule.ops.partials import Elementwise
from chainrule.ops.shapes import reshaped
from chainrule.traced import Traced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainrule.traced import Inputs, Params


#: Dtypes that NumPy adds up as they are.
COMMON = frozenset({np.dtype(np.float32), np.dtype(np.float64)})


class Reduction(Elementwise):
    """An op that reduces axes: `op(x, axis=None, keepdims=False)`.

    The rule is one partial, a number or `partial(y, x, axis)`: the derivative of the result in
    each entry of x. It is given the result with the reduced axes kept as length one, so it reads
    like an elementwise rule.
    """

    def __init__(self, forward: Callable[..., Any], partial: Any, **declaration: Any) -> None:
        super().__init__(forward, partial, params=("axis", "keepdims"), **declaration)

    def partial(self, position: int, y: Any, inputs: Inputs, params: Params) -> Any:
        rule = self.rules[position]
        return rule(y, inputs[0], params.get("axis")) if callable(rule) else rule

    def vjp(self, wanted: Inputs, y_bar: Any, y: Any, inputs: Inputs, params: Params) -> list[Any]:
        x, kept = inputs[0], kept_shape(inputs[0].shape, params.get("axis"))
        y_bar, y = reshaped(y_bar, kept), reshaped(y, kept)
        x_bar = self.times(self.partial(0, y, inputs, params), y_bar)
        return [stretched(x_bar, x.shape)]

    def batch(self, size: int, inputs: Inputs, mine: Sequence[bool], params: Params) -> Any:
        (x,), axis = inputs, params.get("axis")
        ndim = len(x.shape) - 1
        axes = range(ndim) if axis is None else (axis,) if np.ndim(axis) == 0 else axis
        return self.apply((x,), {**params, "axis": tuple(i % ndim + 1 for i in axes)})

    def result_like(self, arrays: Inputs, params: Params) -> tuple[tuple[int, ...], Any]:
        return Op.result_like(self, arrays, params)

    def jvp(self, tangents: Inputs, y: Any, inputs: Inputs, params: Params) -> Any:
        y = reshaped(y, kept_shape(inputs[0].shape, params.get("axis")))
        return sum(self.times(self.partial(0, y, inputs, params), tangents[0]), **params)


_added: Any = np.add.reduce
_largest: Any = np.maximum.reduce


def plain_sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """NumPy's sum, of its own arrays without what it looks at first."""
    if x.__class__ is np.ndarray and x.dtype in COMMON:
        return _added(x, axis=axis, keepdims=keepdims)
    return np.sum(x, axis=axis, keepdims=keepdims)


def plain_mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """NumPy's mean, in the same way."""
    if x.__class__ is np.ndarray and x.dtype in COMMON and x.size and x.ndim:
        total = _added(x, axis=axis, keepdims=keepdims)
        return total / (x.size // (total.size or 1))
    return np.mean(x, axis=axis, keepdims=keepdims)


def plain_max(x: Any, axis: Any = None) -> Any:
    """NumPy's maximum, -inf of nothing, with axes of length one in place of those that are gone."""
    if x.__class__ is np.ndarray and x.dtype in COMMON:
        return _largest(x, axis=axis, keepdims=True, initial=-np.inf)
    return np.max(x, axis=axis, keepdims=True, initial=-np.inf)


def kept_shape(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """The shape after a reduction with `keepdims=True`."""
    if axis is None or not shape:
        return (1,) * len(shape)
    axes = (axis,) if isinstance(axis, int | np.integer) else axis
    reduced = {a % len(shape) for a in axes}
    return tuple(1 if i in reduced else size for i, size in enumerate(shape))


def _tie_share(y: Any, x: Any, axis: Any) -> Any:
    """1 for the one extreme entry, equal shares where several tie."""
    chosen = indicator(x == y, x)
    return chosen / sum(chosen, axis=axis, keepdims=True)


def _axes(inputs: Inputs, params: Params) -> tuple[list[int], str]:
    """The axes of a reduction, and how a formula names them."""
    ndim, axis = inputs[0].ndim, params.get("axis")
    axes = (
        list(range(ndim)) if axis is None else sorted({int(i) % ndim for i in np.atleast_1d(axis)})
    )
    return axes, f"{'axis' if len(axes) == 1 else 'axes'}{'_'.join(map(str, axes))}"


def _kept(name: str) -> Callable[[Inputs, Params], Notation | None]:
    """Mean_axis1(x) where the axis stays with length one; else a call."""

    def notation(inputs: Inputs, params: Params) -> Notation | None:
        if not params.get("keepdims", False) or not inputs[0].ndim:
            return None
        return Notation("bare", (f"{name}_{_axes(inputs, params)[1]}",), ATOM, ())

    return notation


def _sum_sign(inputs: Inputs, params: Params) -> Notation | None:
    """Σ with the axes it is over: a leading axis goes, another stays with length one."""
    ndim, keepdims = inputs[0].ndim, params.get("keepdims", False)
    axes, name = _axes(inputs, params)
    if not keepdims and len(axes) == ndim:
        return prefix("Σ ", REDUCTION, inner=ATOM)
    if not keepdims and axes == [0]:
        return prefix("Σ_batch ", REDUCTION, inner=ATOM)
    if not keepdims:
        return None
    return prefix(f"Σ_{name} ", REDUCTION, inner=ATOM)


def entries(x: Any, axis: Any) -> Any:
    """How many entries a reduction over axes takes in, at least 1; in a formula the name N."""
    if isinstance(x, Traced) and not x.concrete:
        return entry_count.apply((x,), {"axis": axis})
    return x.size // (math.prod(kept_shape(x.shape, axis)) or 1) or 1


entry_count = constant(
    lambda x, axis=None: entries(x if hasattr(x, "shape") else np.asarray(x), axis),
    1,
    name="entry_count",
    params=("axis",),
)
sum = Reduction(
    plain_sum,
    1,
    name="sum",
    numpy=np.sum,
    complex=True,
    notation=_sum_sign,
    misconceptions=(
        wrong("the sum was averaged", lambda _y, _x, axis: 1 / entries(_x, axis), rare=1.5),
    ),
    doc="Sum over the given axes, by default all.",
)
mean = Reduction(
    plain_mean,
    lambda _y, _x, axis: 1 / entries(_x, axis),  # a number, no data
    name="mean",
    numpy=np.mean,
    complex=True,
    notation=_kept("mean"),
    misconceptions=(
        wrong("the 1/N of the mean was forgotten", 1),
        wrong(
            "the 1/N of the mean was applied twice", lambda _y, _x, axis: entries(_x, axis) ** -2.0
        ),
    ),
    doc="Arithmetic mean over the given axes, by default all: a sum times 1/N.",
)
max = Reduction(
    np.max,
    _tie_share,
    name="max",
    notation=_kept("max"),
    doc="Largest entry; entries that tie share the derivative.",
)
min = Reduction(
    np.min,
    _tie_share,
    name="min",
    notation=_kept("min"),
    doc="Smallest entry; entries that tie share the derivative.",
)

__all__ = ["Reduction", "kept_shape", "max", "mean", "min", "sum"]
