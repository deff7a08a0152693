"""Making a formula shorter without changing its value.

A small set of rewrites, each kept under the op it is about. None cancels a factor against a
denominator, reorders what does not commute, or expands a product: the value stays the same at
every point where the formula has one, and tests compare it at random points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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


def simplified(x: Any, holds: Callable[[Symbol], bool] | None = None) -> Any:
    """The formula, shorter.

    Args:
        x: a Symbol or a number.
        holds: whether a condition holds anywhere at the point in question. With it, a guard
            `where(x = 0, …, f)` that does not hold there is written as f.
    """
    return _simplified(x, holds, {})


def _simplified(x: Any, holds: Callable[[Symbol], bool] | None, done: dict[int, Any]) -> Any:
    if not isinstance(x, Symbol):
        return _as_number(x)
    if x.op is None:
        return x
    if id(x) not in done:
        inputs = tuple(_simplified(part, holds, done) for part in x.inputs)
        done[id(x)] = _rewritten(_with_inputs(x, inputs), holds)
    return done[id(x)]


def _with_inputs(x: Symbol, inputs: tuple[Any, ...]) -> Symbol:
    if all(a is b for a, b in zip(inputs, x.inputs, strict=True)):
        return x
    return Symbol.made(x.op, inputs, x.params, x.shape, x.dtype)


def _rewritten(x: Symbol, holds: Callable[[Symbol], bool] | None) -> Any:
    numbers = [constant_of(part) for part in x.inputs]
    if not x.shape and None not in numbers and x.op.scalar is not None and not x.params:
        try:
            return float(x.op.evaluate(tuple(numbers), x.params))
        except (ArithmeticError, ValueError):
            return x
    if x.op is where and holds is not None:
        condition = x.inputs[0]
        if isinstance(condition, Symbol) and condition.op in GUARDS and not holds(condition):
            return _shaped(x.inputs[2], x)
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


def full(number: float, shape: tuple[int, ...], dtype: Any = np.float64) -> Any:
    """A number in a shape."""
    if not shape:
        return number
    return Symbol.made(br.broadcast_to, (number,), {"shape": shape}, shape, dtype)


def constant_of(x: Any) -> float | None:
    """The number that x is everywhere, or None."""
    if isinstance(x, Symbol):
        if x.op is br.broadcast_to:
            return constant_of(x.inputs[0])
        return None
    return float(x) if isinstance(x, int | float | np.floating | np.integer) else None


def _shaped(x: Any, like: Symbol) -> Any:
    """`x` stretched to a shape, if it does not have it."""
    number = constant_of(x)
    if number is not None:
        return full(number, like.shape, like.dtype)
    if getattr(x, "shape", ()) == like.shape:
        return x
    return Symbol.made(br.broadcast_to, (x,), {"shape": like.shape}, like.shape, like.dtype)


def _narrow(x: Any) -> Any:
    """`x` before it was stretched."""
    while isinstance(x, Symbol) and x.op is br.broadcast_to:
        x = x.inputs[0]
    return x


def key_of(x: Any) -> Any:
    """Equal for formulas that are the same tree."""
    if not isinstance(x, Symbol):
        return x.tobytes() if isinstance(x, np.ndarray) else x
    if x.op is None:
        return x.name
    return id(x.op), repr(x.params), *[key_of(part) for part in x.inputs]


# ------------------------------------------------------------------ products

Factors = tuple[float, list[tuple[Any, float]]]


def _factors(x: Any) -> Factors:
    """A number times powers: x as a product."""
    number = constant_of(x)
    if number is not None:
        return number, []
    if isinstance(x, Symbol):
        if x.op is br.broadcast_to:
            return _factors(x.inputs[0])
        decompose = _AS_PRODUCT.get(x.op)
        if decompose is not None:
            return decompose(x)
    return 1.0, [(x, 1.0)]


def _factors_of_product(x: Symbol) -> Factors:
    (a, left), (b, right) = map(_factors, x.inputs)
    return a * b, left + right


def _factors_of_quotient(x: Symbol) -> Factors:
    (a, left), (b, right) = map(_factors, x.inputs)
    if b == 0:
        return 1.0, [(x, 1.0)]
    return a / b, left + [(base, -exponent) for base, exponent in right]


def _factors_of_negative(x: Symbol) -> Factors:
    a, bases = _factors(x.inputs[0])
    return -a, bases


def _factors_of_power(x: Symbol) -> Factors:
    exponent = constant_of(x.inputs[1])
    if exponent is None or not exponent:
        return 1.0, [(x, 1.0)]
    return 1.0, [(x.inputs[0], exponent)]


_AS_PRODUCT: dict[Any, Callable[[Symbol], Factors]] = {
    ar.multiply: _factors_of_product,
    ar.divide: _factors_of_quotient,
    ar.negative: _factors_of_negative,
    ar.power: _factors_of_power,
    fn.square: lambda x: (1.0, [(x.inputs[0], 2.0)]),
    fn.reciprocal: lambda x: (1.0, [(x.inputs[0], -1.0)]),
}


def _product(x: Symbol) -> Any:
    coefficient, bases = _factors(x)
    if not np.isfinite(coefficient):
        return x
    collected: dict[Any, tuple[Any, float]] = {}
    for base, exponent in bases:
        key = key_of(base), exponent > 0  # x/x stays: it is no number at 0
        known = collected.get(key, (base, 0.0))
        collected[key] = known[0], known[1] + exponent
    if coefficient == 0:
        return _shaped(0.0, x)
    above = [_raised(base, e) for base, e in collected.values() if e > 0]
    below = [_raised(base, -e) for base, e in collected.values() if e < 0]
    if below and coefficient and abs(round(1 / coefficient)) == 1 / abs(coefficient) > 1:
        below.insert(0, 1 / abs(coefficient))
        coefficient = np.sign(coefficient)
    if abs(coefficient) != 1 or not above:
        above.insert(0, abs(coefficient))
    if coefficient < 0:
        above[0] = -above[0] if not isinstance(above[0], Symbol) else _op(ar.negative, above[0])
    result = _chain(above)
    return _shaped(_op(ar.divide, result, _chain(below)) if below else result, x)


def _raised(base: Any, exponent: float) -> Any:
    return base if exponent == 1 else _op(ar.power, base, exponent)


def _chain(parts: list[Any]) -> Any:
    result = parts[0]
    for part in parts[1:]:
        result = _op(ar.multiply, result, part)
    return result


def _op(op: Any, *inputs: Any) -> Symbol:
    """An elementwise op on formulas, as it stands."""
    shape = np.broadcast_shapes(*[getattr(part, "shape", ()) for part in inputs])
    dtypes = [part.dtype for part in inputs if isinstance(part, Symbol)]
    return Symbol.made(op, inputs, {}, shape, np.result_type(*dtypes) if dtypes else np.float64)


# ------------------------------------------------------------------ sums


def _terms(x: Any, sign: float) -> list[tuple[float, Any]]:
    """Numbers times what they multiply: x as a sum."""
    if isinstance(x, Symbol):
        if x.op is ar.add:
            return _terms(x.inputs[0], sign) + _terms(x.inputs[1], sign)
        if x.op is ar.subtract:
            return _terms(x.inputs[0], sign) + _terms(x.inputs[1], -sign)
    x = _narrow(x)
    number = constant_of(x)
    if number is not None:
        return [(sign * number, None)]
    coefficient, bases = _factors(x)
    if len(bases) == 1 and bases[0][1] == 1:
        return [(sign * coefficient, bases[0][0])]
    positive = x if coefficient == 1 or not bases else _product(_op(ar.divide, x, coefficient))
    return [(sign * coefficient, positive)]


def _sum(x: Symbol) -> Any:
    collected: dict[Any, tuple[float, Any]] = {}
    for coefficient, term in _terms(x, 1.0):
        key = None if term is None else key_of(term)
        collected[key] = coefficient + collected.get(key, (0.0, term))[0], term
    terms = [(c, term) for c, term in collected.values() if c]
    if not terms:
        return _shaped(0.0, x)
    first = next((i for i, (c, _) in enumerate(terms) if c > 0), 0)
    terms.insert(0, terms.pop(first))
    result = _scaled(*terms[0])
    for c, term in terms[1:]:
        result = _op(ar.add if c > 0 else ar.subtract, result, _scaled(abs(c), term))
    return _shaped(result, x)


def _scaled(coefficient: float, term: Any) -> Any:
    if term is None:
        return coefficient
    if coefficient == 1:
        return term
    return _product(_op(ar.multiply, coefficient, term))


# ------------------------------------------------------------------ shapes


def _reshaped(x: Symbol) -> Any:
    inner = x.inputs[0]
    if not getattr(_narrow(inner), "shape", ()):  # one number, in any shape
        return _shaped(_narrow(inner), x)
    while isinstance(inner, Symbol) and inner.op is sh.reshape:
        inner = inner.inputs[0]
    if inner.shape == x.shape:
        return inner
    return Symbol.made(sh.reshape, (inner,), {"shape": x.shape}, x.shape, x.dtype)


def _transposed(x: Symbol) -> Any:
    inner = x.inputs[0]
    axes = x.params.get("axes")
    if axes is not None and tuple(axes) == tuple(range(len(x.shape))):
        return inner
    if not getattr(_narrow(inner), "shape", ()):
        return _shaped(_narrow(inner), x)
    if len(x.shape) != 2 and x.op is sh.transpose:
        return x
    if isinstance(inner, Symbol) and inner.op is sh.matrix_transpose:
        return inner.inputs[0]
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
        return _shaped(number * count, x)
    if x.op is summation:
        return x
    if before[1:] == x.shape:
        return Symbol.made(summation, (inner,), {"axis": 0}, x.shape, x.dtype)
    if len(before) == len(x.shape):
        axes = tuple(i for i, (m, n) in enumerate(zip(before, x.shape, strict=True)) if m != n)
        params = {"axis": axes, "keepdims": True}
        return Symbol.made(summation, (inner,), params, x.shape, x.dtype)
    if not x.shape:
        return Symbol.made(summation, (inner,), {}, x.shape, x.dtype)
    return x


def _stretched(x: Symbol) -> Any:
    return _shaped(_narrow(x), x)


def _same(x: Symbol) -> Any:
    return _shaped(x.inputs[0], x)


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
    return bare if coefficient == 1 else _op(ar.negative, bare)


def _above_zero(x: Symbol) -> Any:
    """Relu is above zero where its input is."""
    left, right = x.inputs
    if constant_of(right) == 0 and isinstance(left, Symbol) and left.op is fn.relu:
        return _with_inputs(x, (left.inputs[0], right))
    return x


#: op -> the rewrite of a formula that it is on top of.
REWRITES: dict[Any, Callable[[Symbol], Any]] = {
    ar.add: _sum,
    ar.subtract: _sum,
    ar.multiply: _product,
    ar.divide: _product,
    ar.negative: _product,
    ar.power: _product,
    fn.square: _product,
    fn.reciprocal: _product,
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
    ar.greater: _above_zero,
}
