"""Products and sums: numbers collected in front, equal factors and terms taken together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.formulas.symbol import Symbol
from chainrule.ops import arithmetic as ar
from chainrule.ops import broadcasting as br
from chainrule.ops import functions as fn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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


def shaped(x: Any, like: Symbol) -> Any:
    """`x` stretched to a shape, if it does not have it."""
    number = constant_of(x)
    if number is not None:
        return full(number, like.shape, like.dtype)
    if getattr(x, "shape", ()) == like.shape:
        return x
    return Symbol.made(br.broadcast_to, (x,), {"shape": like.shape}, like.shape, like.dtype)


def narrow(x: Any) -> Any:
    """`x` before it was stretched."""
    while isinstance(x, Symbol) and x.op is br.broadcast_to:
        x = x.inputs[0]
    return x


def key_of(x: Any) -> Any:
    """Equal for formulas that are the same tree."""
    if not isinstance(x, Symbol):
        return "number", x.tobytes() if isinstance(x, np.ndarray) else repr(x)
    if x.op is None:
        return x.name
    return id(x.op), repr(x.params), *[key_of(part) for part in x.inputs]


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
    if exponent is None:
        return 1.0, [(x, 1.0)]
    return 1.0, [(x.inputs[0], exponent)] if exponent else []


_AS_PRODUCT: dict[Any, Callable[[Symbol], Factors]] = {
    ar.multiply: _factors_of_product,
    ar.divide: _factors_of_quotient,
    ar.negative: _factors_of_negative,
    ar.power: _factors_of_power,
    fn.square: lambda x: (1.0, [(x.inputs[0], 2.0)]),
    fn.reciprocal: lambda x: (1.0, [(x.inputs[0], -1.0)]),
}


def product_of(x: Symbol) -> Any:
    coefficient, bases = _factors(x)
    if not np.isfinite(coefficient):
        return x
    collected: dict[Any, tuple[Any, float]] = {}
    for base, exponent in bases:
        key = key_of(base), exponent > 0  # x/x stays: it is no number at 0
        known = collected.get(key, (base, 0.0))
        collected[key] = known[0], known[1] + exponent
    if coefficient == 0:
        return shaped(0.0, x)
    above = [_raised(base, e) for base, e in collected.values() if e > 0]
    below = [_raised(base, -e) for base, e in collected.values() if e < 0]
    if below and 1e-9 < abs(coefficient) < 1 and (1 / abs(coefficient)).is_integer():
        below.insert(0, 1 / abs(coefficient))
        coefficient = np.sign(coefficient)
    if abs(coefficient) != 1 or not above:
        above.insert(0, abs(coefficient))
    if coefficient < 0:
        above[0] = -above[0] if not isinstance(above[0], Symbol) else op_on(ar.negative, above[0])
    result = _chain(above)
    return shaped(op_on(ar.divide, result, _chain(below)) if below else result, x)


def _raised(base: Any, exponent: float) -> Any:
    return base if exponent == 1 else op_on(ar.power, base, exponent)


def _chain(parts: list[Any]) -> Any:
    result = parts[0]
    for part in parts[1:]:
        result = op_on(ar.multiply, result, part)
    return result


def op_on(op: Any, *inputs: Any) -> Symbol:
    """An elementwise op on formulas, as it stands."""
    shape = np.broadcast_shapes(*[getattr(part, "shape", ()) for part in inputs])
    dtypes = [part.dtype for part in inputs if isinstance(part, Symbol | np.ndarray)]
    dtypes += [np.dtype(complex) for part in inputs if isinstance(part, complex)]
    return Symbol.made(op, inputs, {}, shape, np.result_type(*dtypes) if dtypes else np.float64)


def _terms(x: Any, sign: float) -> list[tuple[float, Any]]:
    """Numbers times what they multiply: x as a sum."""
    if isinstance(x, Symbol):
        if x.op is ar.add:
            return _terms(x.inputs[0], sign) + _terms(x.inputs[1], sign)
        if x.op is ar.subtract:
            return _terms(x.inputs[0], sign) + _terms(x.inputs[1], -sign)
    x = narrow(x)
    number = constant_of(x)
    if number is not None:
        return [(sign * number, None)]
    coefficient, bases = _factors(x)
    if len(bases) == 1 and bases[0][1] == 1:
        return [(sign * coefficient, bases[0][0])]
    positive = x if coefficient == 1 or not bases else product_of(op_on(ar.divide, x, coefficient))
    return [(sign * coefficient, positive)]


def sum_of(x: Symbol) -> Any:
    collected: dict[Any, tuple[float, Any]] = {}
    for coefficient, term in _terms(x, 1.0):
        key = None if term is None else key_of(term)
        collected[key] = coefficient + collected.get(key, (0.0, term))[0], term
    terms = [(c, term) for c, term in collected.values() if c]
    if not terms:
        return shaped(0.0, x)
    below = _common_denominators([term for _, term in terms])
    if below:
        result = _written_sum([(c, _without(term, below)) for c, term in terms])
        for base, exponent in below.values():
            result = op_on(ar.divide, result, _raised(base, -exponent))
        return shaped(result, x)
    return shaped(_written_sum(terms), x)


Powers = dict[Any, tuple[Any, float]]


def _common_denominators(terms: list[Any]) -> Powers:
    """Single numbers that every term is divided by, such as N."""
    if len(terms) < 2 or any(term is None for term in terms):
        return {}
    found: list[Powers] = []
    for term in terms:
        below = [(b, e) for b, e in _factors(term)[1] if e < 0 and not getattr(b, "shape", ())]
        found.append({(key_of(b), e): (b, e) for b, e in below})
    return {key: p for key, p in found[0].items() if all(key in other for other in found)}


def _without(term: Any, below: Powers) -> Any:
    """A term without some of its denominators."""
    coefficient, bases = _factors(term)
    result: Any = coefficient
    for base, exponent in bases:
        if (key_of(base), exponent) not in below:
            op = ar.multiply if exponent > 0 else ar.divide
            result = op_on(op, result, _raised(base, abs(exponent)))
    return product_of(result) if isinstance(result, Symbol) else result


def _written_sum(terms: list[tuple[float, Any]]) -> Any:
    """The terms one after the other, a positive one first."""
    first = next((i for i, (c, _) in enumerate(terms) if c > 0), 0)
    terms.insert(0, terms.pop(first))
    result = _scaled(*terms[0])
    for c, term in terms[1:]:
        result = op_on(ar.add if c > 0 else ar.subtract, result, _scaled(abs(c), term))
    return result


def _scaled(coefficient: float, term: Any) -> Any:
    if term is None:
        return coefficient
    if coefficient == 1:
        return term
    return product_of(op_on(ar.multiply, coefficient, term))


# ------------------------------------------------------------------ sizes


def size_of(x: Any, names: Mapping[str, float]) -> tuple[float, float]:
    """The number a formula gives, and the size of what it adds up on the way.

    Rounding errors are in proportion to the second, which cancellation does not make smaller.
    """
    if not isinstance(x, Symbol):
        return float(x), abs(float(x))
    if x.op is None:
        return names[x.name], abs(names[x.name])
    parts = [size_of(part, names) for part in x.inputs]
    with np.errstate(all="ignore"):
        value = float(x.op.evaluate([np.float64(v) for v, _ in parts], x.params))
    sizes = [size for _, size in parts]
    if x.op in {ar.add, ar.subtract}:
        return value, sum(sizes)
    if x.op is ar.multiply:
        return value, math.prod(sizes)
    if x.op is ar.divide:
        (_, above), (below, size) = parts
        return value, above * size / below**2 if below else math.inf
    return value, max(abs(value), *sizes)
