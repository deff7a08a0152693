"""Piecewise constant and piecewise linear functions: rounding, remainders, signs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.ops.arithmetic import imag, indicator, maximum, minimum, real, sign
from chainrule.ops.base import constant, is_complex
from chainrule.ops.partials import Elementwise, where
from chainrule.ops.registry import answers
from chainrule.traced import plain


def _python_remainder(a: float, b: float) -> float:
    return a % b


# fmt: off
floor = Elementwise(
    np.floor, 0,
    scalar=lambda x: float(math.floor(x)), doc="Largest whole number ≤ x; derivative 0 everywhere.",
)
ceil = Elementwise(
    np.ceil, 0,
    scalar=lambda x: float(math.ceil(x)), doc="Smallest whole number ≥ x; derivative 0 everywhere.",
)
trunc = Elementwise(
    np.trunc, 0,
    scalar=lambda x: float(math.trunc(x)), doc="Rounded towards zero; derivative 0 everywhere.",
)
rint = Elementwise(
    np.rint, 0,
    scalar=lambda x: float(round(x)), doc="Nearest whole number; derivative 0 everywhere.",
)
round_to = Elementwise(
    np.round, 0,
    name="round", params=("decimals",), doc="Rounded to decimals; derivative 0 everywhere.",
)
floor_divide = Elementwise(
    np.floor_divide, 0, 0,
    scalar=lambda a, b: a // b, doc="floor(a / b); derivative 0 everywhere.",
)
remainder = Elementwise(
    np.remainder, 1, lambda y, a, b: rint((y - a) / b),
    scalar=_python_remainder,
    doc="a - b·floor(a/b), with the sign of b; at a jump the derivative of its sides.",
)
fmod = Elementwise(
    np.fmod, 1, lambda y, a, b: rint((y - a) / b),
    scalar=math.fmod,
    doc="a - b·trunc(a/b), with the sign of a; at a jump the derivative of its sides.",
)
copysign: Elementwise = Elementwise(
    np.copysign, lambda _y, a, b: sign(a) * copysign(1.0, b), 0,
    scalar=math.copysign, doc="|a| with the sign of b; derivative 0 at a = 0.",
)
heaviside = Elementwise(
    np.heaviside, 0, lambda y, x, _h: indicator(x == 0, y),
    doc="0, h or 1 for x below, at and above 0; derivative 0 in x everywhere.",
)
ldexp = Elementwise(
    np.ldexp, lambda y, _x, n: indicator(n == n, y) * 2.0**n, None,  # noqa: PLR0124
    doc="x · 2ⁿ for whole n.",
)
fabs = Elementwise(
    np.fabs, lambda _y, x: sign(x),
    scalar=math.fabs, doc="|x|; derivative 0 at the kink x = 0.",
)

is_finite = constant(np.isfinite, 1)
is_nan = constant(np.isnan, 1)


def _first_share(first: Any, second: Any, better: Any, y: Any) -> Any:
    """The share of the first of two numbers in fmax or fmin: NaN never counts."""
    return (
        indicator(better, y)
        + 0.5 * indicator(first == second, y)
        + indicator(is_nan(second), y) * (1 - indicator(is_nan(first), y))
    )


fmax = Elementwise(
    np.fmax,
    lambda y, a, b: _first_share(a, b, a > b, y), lambda y, a, b: _first_share(b, a, b > a, y),
    doc="The larger of a and b, or the one that is not NaN; in a tie each gets half.",
)
fmin = Elementwise(
    np.fmin,
    lambda y, a, b: _first_share(a, b, a < b, y), lambda y, a, b: _first_share(b, a, b < a, y),
    doc="The smaller of a and b, or the one that is not NaN; in a tie each gets half.",
)
# fmt: on


@answers(np.fix)
def fix(x: Any, out: Any = None) -> Any:  # noqa: ARG001 -- refused before
    """Rounded towards zero; derivative 0 everywhere."""
    return trunc(x)


@answers(np.divmod)
def divmod_(a: Any, b: Any) -> tuple[Any, Any]:
    """The pair of `floor_divide` and `remainder`."""
    return floor_divide(a, b), remainder(a, b)


@answers(np.modf)
def modf(x: Any) -> tuple[Any, Any]:
    """Fractional and whole part; the fraction has the derivative 1, the whole part 0."""
    whole = trunc(x)
    return x - whole, whole


@answers(np.frexp)
def frexp(x: Any) -> tuple[Any, Any]:
    """Mantissa and exponent; the exponent is a plain array of integers."""
    _, exponents = np.frexp(plain(x))
    return ldexp(x, -exponents), exponents


@answers(np.clip)
def clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,  # noqa: ARG001 -- refused before
    *,
    min: Any = None,  # noqa: A002
    max: Any = None,  # noqa: A002
) -> Any:
    """Limited to an interval: the minimum of a_max and the maximum of a and a_min."""
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    if low is not None:
        a = maximum(a, low)
    return a if high is None else minimum(a, high)


@answers(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """NaN and infinities replaced by numbers, whose derivative is 0."""
    if not copy:
        raise TypeError("np.nan_to_num(copy=False) writes into its input: leave copy out")
    if is_complex(x):
        parts = [nan_to_num(part, True, nan, posinf, neginf) for part in (real(x), imag(x))]
        return parts[0] + parts[1] * 1j
    replaced = np.nan_to_num(plain(x), nan=nan, posinf=posinf, neginf=neginf)
    return where(is_finite(x), x, replaced)


@answers(np.float_power)
def float_power(a: Any, b: Any) -> Any:
    """The power a ** b in at least double precision."""
    a, b = (x if hasattr(x, "dtype") else np.asarray(x) for x in (a, b))
    double = np.result_type(a.dtype, b.dtype, np.float64)
    return a.astype(double) ** b.astype(double)
