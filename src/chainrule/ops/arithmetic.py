"""Arithmetic, comparison, and choosing between two numbers."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from chainrule.ops.base import PYTHON_SCALARS, constant, is_complex
from chainrule.ops.functions import log
from chainrule.ops.kinds import Linear
from chainrule.ops.misconceptions import wrong
from chainrule.ops.notation import (
    FIRST,
    FRACTION,
    PRODUCT,
    RAISED,
    SUM,
    around,
    infix,
    prefix,
    relation,
)
from chainrule.ops.partials import Elementwise, where


def _lowered(a: Any, b: Any) -> Any:
    """The exponent b - 1, and 1 where a and b are both 0, so that 0 · 0^-1 does not arise."""
    if type(b) in PYTHON_SCALARS:
        return b - 1 if b else 1
    return where(a == 0, where(b == 0, 1.0, b - 1.0), b - 1.0)


# fmt: off
add = Elementwise(
    np.add, 1, 1,
    scalar=operator.add, notation=infix(" + ", SUM), complex=True, doc="a + b",
)
subtract = Elementwise(
    np.subtract, 1, -1,
    scalar=operator.sub, notation=infix(" - ", SUM, associative=False), complex=True, doc="a - b",
    misconceptions=(wrong("the inner derivative -1 of {a} - {b} by {b} was forgotten", 1, wrt=1),),
)
multiply = Elementwise(
    np.multiply, lambda _y, _a, b: b, lambda _y, a, _b: a,
    scalar=operator.mul, notation=infix("·", PRODUCT, arrays=" ⊙ "), complex=True, doc="a · b",
    misconceptions=(
        wrong("the factor {b} was left out on the way back to {a}", 1, wrt=0),
        wrong("the factor {a} was left out on the way back to {b}", 1, wrt=1),
        wrong("{a} itself in place of the factor {b}", lambda _y, a, _b: a, wrt=0, rare=2),
        wrong("{b} itself in place of the factor {a}", lambda _y, _a, b: b, wrt=1, rare=2),
        wrong("the factor {b} was applied twice", lambda _y, _a, b: b * b, wrt=0, rare=2),
        wrong("the factor {a} was applied twice", lambda _y, a, _b: a * a, wrt=1, rare=2),
    ),
)
divide = Elementwise(
    np.divide, lambda _y, _a, b: 1 / b, lambda y, _a, b: -y / b,
    scalar=operator.truediv, notation=FRACTION,
    complex=True, doc="a / b",
    misconceptions=(
        wrong("the division by {b} was left out on the way back to {a}", 1, wrt=0),
        wrong("the division by {b} was applied twice", lambda _y, _a, b: 1 / b / b, wrt=0, rare=2),
        wrong("the minus sign of (1/{b})′ was lost", lambda y, _a, b: y / b, wrt=1),
        wrong("-{a}/{b} in place of -{a}/{b}²", lambda y, _a, _b: -y, wrt=1),
    ),
)
negative = Elementwise(
    np.negative, -1,
    scalar=operator.neg, notation=prefix("-"), complex=True, doc="-a",
    misconceptions=(wrong("the minus sign before {a} was lost", 1),),
)
positive = Elementwise(
    np.positive, 1,
    scalar=operator.pos, notation=prefix("+"), complex=True, doc="+a",
)
power = Elementwise(
    operator.pow,
    lambda _y, a, b: b * a ** _lowered(a, b),
    lambda y, a, _b: y * log(where(a == 0, 1, a)),
    name="power", numpy=np.power, scalar=math.pow,
    notation=RAISED,
    misconceptions=(
        wrong("the factor {b} of the power was forgotten", lambda _y, a, b: a ** _lowered(a, b)),
        wrong("the exponent was not lowered: {b}·({a})^{b}", lambda y, _a, b: b * y),
        wrong("the power was left as it is instead of differentiated", lambda y, _a, _b: y),
        wrong("the derivative of the power was forgotten", 1),
    ),
    complex=True, doc="a ** b. At a = 0 the derivative in b is taken as 0 (its limit for b > 0).",
)

less = constant(np.less, 2, scalar=operator.lt, notation=relation(" < "))
less_equal = constant(np.less_equal, 2, scalar=operator.le, notation=relation(" ≤ "))
greater = constant(np.greater, 2, scalar=operator.gt, notation=relation(" > "))
greater_equal = constant(np.greater_equal, 2, scalar=operator.ge, notation=relation(" ≥ "))
equal = constant(np.equal, 2, scalar=operator.eq, notation=relation(" = "))
not_equal = constant(np.not_equal, 2, scalar=operator.ne, notation=relation(" ≠ "))

indicator = constant(
    lambda condition, like: np.logical_and(condition, True).astype(like.dtype),
    2,
    name="indicator",
    scalar=lambda condition, _like: float(condition),
    notation=FIRST,
    doc="1 where the condition holds, else 0, in the dtype of `like` (Iverson's bracket).",
)


absolute = Elementwise(
    np.absolute, lambda _y, x: conjugate(unit(x)) if is_complex(x) else sign(x),
    scalar=abs, notation=around("|", "|"), complex=True,
    misconceptions=(wrong("the sign of {a} was left out of the derivative of |{a}|", 1),),
    doc="|x|; derivative 0 at the kink x = 0.",
)
real = Elementwise(
    np.real, 1,
    complex=True, views="read", doc="The real part.",
)
imag = Elementwise(
    np.imag, -1j,
    complex=True, views="read", doc="The imaginary part; 0 for real numbers.",
)
conjugate: Linear = Linear(
    np.conjugate, lambda y_bar, _x: conjugate(y_bar), stacked=True,
    doc="The complex conjugate.",
)
sign: Elementwise = Elementwise(
    np.sign, 0,
    scalar=lambda x: math.nan if math.isnan(x) else float((x > 0) - (x < 0)),
    doc="-1, 0 or 1; derivative 0 everywhere, at the jump too.",
)
maximum = Elementwise(
    np.maximum,
    lambda y, a, b: indicator(a > b, y) + 0.5 * indicator(a == b, y),
    lambda y, a, b: indicator(b > a, y) + 0.5 * indicator(a == b, y),
    scalar=lambda a, b: a if a >= b or a != a else b,  # noqa: PLR0124
    doc="The larger of a and b; in a tie each gets half of the derivative.",
)
minimum = Elementwise(
    np.minimum,
    lambda y, a, b: indicator(a < b, y) + 0.5 * indicator(a == b, y),
    lambda y, a, b: indicator(b < a, y) + 0.5 * indicator(a == b, y),
    scalar=lambda a, b: a if a <= b or a != a else b,  # noqa: PLR0124
    doc="The smaller of a and b; in a tie each gets half of the derivative.",
)
# fmt: on


def conjugated(x: Any) -> Any:
    """The complex conjugate, without a node for a real x."""
    return conjugate(x) if is_complex(x) else x


def unit(x: Any) -> Any:
    """`x / |x|`, the sign of a complex number; derivative 0 at 0."""
    size = absolute(x)
    return where(size == 0, 0.0, x / where(size == 0, 1.0, size))
