"""Making a formula shorter without changing its value.

A small set of rewrites, each kept under the op it is about. None cancels a factor against a
denominator, reorders what does not commute, or expands a product: the value stays the same at
every point where the formula has one, and tests compare it at random points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from chainrule.formulas.algebra import (
    constant_of,
    full,
    key_of,
    narrow,
    op_on,
    product_of,
    shaped,
    sum_of,
)
from chainrule.formulas.symbol import Symbol
from chainrule.ops import arithmetic as ar
from chainrule.ops import broadcasting as br
from chainrule.ops import functions as fn
from chainrule.ops import shapes as sh
from chainrule.ops.linear_algebra import matmul
from chainrule.ops.partials import where
from chainrule.ops.reductions import sum as summation

if TYPE_CHECKING:
    from collections.abc import Callable

#: Conditions that hold at single points only, where a rule guards a division.
GUARDS = (ar.equal, fn.both_infinite)


class Point(Protocol):
    """What is known of the point in question."""

    def holds(self, condition: Symbol) -> bool:
        """Whether a condition holds for any entry there."""

    def constant_number(self, x: Symbol) -> float | None:
        """The number 0 or 1 that a formula of constants alone is everywhere, or None."""


def simplified(x: Any, point: Point | None = None) -> Any:
    """The formula, shorter.

    Args:
        x: a Symbol or a number.
        point: where it is about a point, a guard `where(x = 0, …, f)` that does not hold there is
            written as f, and a sum of constants that is 1 as 1.
    """
    return _simplified(x, point, {})


def _simplified(x: Any, point: Point | None, done: dict[int, Any]) -> Any:
    if not isinstance(x, Symbol):
        return _as_number(x)
    if x.op is None:
        return x
    if id(x) not in done:
        inputs = tuple(_simplified(part, point, done) for part in x.inputs)
        done[id(x)] = _rewritten(_with_inputs(x, inputs), point)
    return done[id(x)]


def _with_inputs(x: Symbol, inputs: tuple[Any, ...]) -> Symbol:
    if all(a is b for a, b in zip(inputs, x.inputs, strict=True)):
        return x
    return Symbol.made(x.op, inputs, x.params, x.shape, x.dtype)


def _rewritten(x: Symbol, point: Point | None) -> Any:
    numbers = [constant_of(part) for part in x.inputs]
    if not x.shape and None not in numbers and x.op.scalar is not None and not x.params:
        try:
            return float(x.op.evaluate(tuple(numbers), x.params))
        except (ArithmeticError, ValueError):
            return x
    if x.op is where and point is not None:
        condition = x.inputs[0]
        if isinstance(condition, Symbol) and condition.op in GUARDS and not point.holds(condition):
            return shaped(x.inputs[2], x)
    if x.op is summation and point is not None and (number := point.constant_number(x)) is not None:
        return full(number, x.shape, x.dtype)
    if x.op is where and key_of(x.inputs[1]) == key_of(x.inputs[2]):
        return shaped(x.inputs[1], x)
    rewrite = REWRITES.get(x.op)
    return x if rewrite is None else rewrite(x)


def _as_number(x: Any) -> Any:
    """A plain input: a number stays, an array of equal entries becomes a stretched number."""
    if isinstance(x, bool | np.bool_):
        return float(x)
    if isinstance(x, np.ndarray) and x.dtype.kind in "fiu" and x.size:
        first = x.flat[0]
        if np.all(x == first):
            return float(first) if not x.ndim else full(float(first), x.shape, x.dtype)
    return x


def _op_shaped(op: Any, x: Any, shape: tuple[int, ...]) -> Symbol:
    params = {"shape": shape} if op is sh.reshape else {}
    return Symbol.made(op, (x,), params, shape, x.dtype)


# ------------------------------------------------------------------ shapes


def _reshaped(x: Symbol) -> Any:
    inner = x.inputs[0]
    if not getattr(narrow(inner), "shape", ()):  # one number, in any shape
        return shaped(narrow(inner), x)
    while isinstance(inner, Symbol) and inner.op is sh.reshape:
        inner = inner.inputs[0]
    if inner.shape == x.shape:
        return inner
    return Symbol.made(sh.reshape, (inner,), {"shape": x.shape}, x.shape, x.dtype)


def _transposed(x: Symbol) -> Any:
    inner = x.inputs[0]
    axes = x.params.get("axes")
    ndim = len(x.shape)
    if axes is not None and tuple(axes) == tuple(range(ndim)):
        return inner
    swaps = axes is not None and tuple(axes) == (*range(ndim - 2), ndim - 1, ndim - 2)
    if swaps or x.op is sh.matrix_transpose or ndim == 2:
        return _matrix_transposed(x, inner)
    narrowed = narrow(inner)
    return x if getattr(narrowed, "shape", ()) else shaped(narrowed, x)


def _matrix_transposed(x: Symbol, inner: Any) -> Any:
    if not getattr(narrow(inner), "shape", ()):
        return shaped(narrow(inner), x)
    if isinstance(inner, Symbol) and inner.op is sh.matrix_transpose:
        return inner.inputs[0]
    if isinstance(inner, Symbol) and inner.op is matmul and len(x.shape) == 2:
        a, b = inner.inputs
        if len(a.shape) == len(b.shape) == 2:  # (A B)ᵀ = Bᵀ Aᵀ
            turned = [
                _transposed(_op_shaped(sh.matrix_transpose, m, m.shape[::-1])) for m in (b, a)
            ]
            return Symbol.made(matmul, tuple(turned), {}, x.shape, x.dtype)
    return Symbol.made(sh.matrix_transpose, (inner,), {}, x.shape, x.dtype)


def _summed(x: Symbol) -> Any:
    """A sum of equal entries is a multiple; broadcasting undone is a sum over named axes."""
    inner = x.inputs[0]
    before = getattr(inner, "shape", ())
    if before == x.shape:
        return inner
    number = constant_of(inner)
    if number is not None:
        size = int(np.prod(x.shape, dtype=int))
        count = int(np.prod(before, dtype=int)) // size if size else 0
        return shaped(number * count, x)
    return x if x.op is summation else _summed_over_axes(x, inner, before)


def _summed_over_axes(x: Symbol, inner: Any, before: tuple[int, ...]) -> Any:
    """Broadcasting undone, as a sum over axes."""
    if before[1:] == x.shape:
        return Symbol.made(summation, (inner,), {"axis": 0}, x.shape, x.dtype)
    if len(before) == len(x.shape):
        axes = tuple(i for i, (m, n) in enumerate(zip(before, x.shape, strict=True)) if m != n)
        params = {"axis": axes, "keepdims": True}
        return Symbol.made(summation, (inner,), params, x.shape, x.dtype)
    if not x.shape:
        return Symbol.made(summation, (inner,), {}, x.shape, x.dtype)
    extra = len(before) - len(x.shape)
    gone = (
        *range(extra),
        *(extra + i for i, n in enumerate(x.shape) if n == 1 != before[extra + i]),
    )
    rest = tuple(n for i, n in enumerate(before) if i not in gone)
    summed = Symbol.made(summation, (inner,), {"axis": gone}, rest, x.dtype)
    return _reshaped(_op_shaped(sh.reshape, summed, x.shape))


def _stretched(x: Symbol) -> Any:
    return shaped(narrow(x), x)


def _same(x: Symbol) -> Any:
    return shaped(x.inputs[0], x)


def _same_if_real(x: Symbol) -> Any:
    inner = x.inputs[0]
    return x if getattr(inner, "dtype", np.dtype(complex)).kind == "c" else inner


def _matrix_product(x: Symbol) -> Any:
    """A sign comes out of a product of matrices."""
    coefficient, parts = 1.0, []
    for part in x.inputs:
        if isinstance(part, Symbol) and part.op is ar.negative:
            coefficient, part = -coefficient, part.inputs[0]  # noqa: PLW2901
        parts.append(part)
    bare = _with_inputs(x, tuple(parts))
    return bare if coefficient == 1 else op_on(ar.negative, bare)


def _above_zero(x: Symbol) -> Any:
    """Relu is above zero where its input is."""
    left, right = x.inputs
    if (
        x.op is ar.greater
        and constant_of(right) == 0
        and isinstance(left, Symbol)
        and left.op is fn.relu
    ):
        return _with_inputs(x, (left.inputs[0], right))
    return x


def _compared(x: Symbol) -> Any:
    """What is compared with an array need not be stretched to it."""
    bare = tuple(map(narrow, x.inputs))
    if np.broadcast_shapes(*[getattr(part, "shape", ()) for part in bare]) != x.shape:
        bare = x.inputs
    return _above_zero(_with_inputs(x, bare))


#: op -> the rewrite of a formula that it is on top of.
REWRITES: dict[Any, Callable[[Symbol], Any]] = {
    ar.add: sum_of,
    ar.subtract: sum_of,
    ar.multiply: product_of,
    ar.divide: product_of,
    ar.negative: product_of,
    ar.power: product_of,
    fn.square: product_of,
    fn.reciprocal: product_of,
    ar.positive: _same,
    ar.real: _same_if_real,
    ar.conjugate: _same_if_real,
    br.astype: _same_if_real,
    br.broadcast_to: _stretched,
    br.sum_to_shape: _summed,
    summation: _summed,
    sh.reshape: _reshaped,
    sh.transpose: _transposed,
    sh.matrix_transpose: _transposed,
    matmul: _matrix_product,
    ar.greater: _compared,
    ar.greater_equal: _compared,
    ar.less: _compared,
    ar.less_equal: _compared,
    ar.equal: _compared,
    ar.not_equal: _compared,
}
