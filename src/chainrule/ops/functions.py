"""Elementary functions of one number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.ops.base import constant
from chainrule.ops.misconceptions import wrong
from chainrule.ops.notation import around, call
from chainrule.ops.partials import Elementwise, where
from chainrule.ops.registry import answers


@np.errstate(over="ignore")  # exp(-x) may become inf; 1 / inf is the right answer
def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _sigmoid_scalar(x: float) -> float:
    try:
        return 1 / (1 + math.exp(-x))
    except OverflowError:
        return 0.0


def _logaddexp(a: float, b: float) -> float:
    return a if a == b and math.isinf(a) else max(a, b) + math.log1p(math.exp(-abs(a - b)))


def _relu(x: Any) -> Any:
    # NumPy's clip is up to three times as fast as its maximum with a number.
    return x.clip(0.0, np.inf) if getattr(x, "dtype", None) in CLIPPED else np.maximum(x, 0)


def _difference(a: Any, b: Any) -> Any:
    """A - b, and 0 where both are the same infinity."""
    same = both_infinite(a, b)
    return where(same, 0.0, a) - where(same, 0.0, b)


def _bessel_i(x: Any, order: int) -> Any:
    """The mean of exp(x cos θ) cos(nθ) over the circle: the trapezoid sum converges at once."""
    y = 0.0
    for k in range(CIRCLE_POINTS):
        theta = 2 * math.pi * k / CIRCLE_POINTS
        y = y + np.exp(x * math.cos(theta)) * (math.cos(order * theta) / CIRCLE_POINTS)
    return y


CLIPPED = {np.dtype(np.float64), np.dtype(np.float32)}
LOG_2, LOG_10 = math.log(2), math.log(10)
#: Enough for every x whose exp(x) is finite: the error is about exp(-CIRCLE_POINTS² / 2x).
CIRCLE_POINTS = 256
both_infinite = constant(
    lambda a, b: np.isinf(a) & (a == b),
    2,
    name="both_infinite",
    scalar=lambda a, b: math.isinf(a) and a == b,
)

# fmt: off
exp: Elementwise = Elementwise(
    np.exp, lambda y, _x: y,
    scalar=math.exp, complex=True, doc="e to the power x.",
    misconceptions=(
        wrong("the derivative of exp was forgotten", 1),
        wrong("exp was treated like a power: {a}·exp({a} - 1)", lambda _y, x: x * exp(x - 1)),
    ),
)
log = Elementwise(
    np.log, lambda _y, x: 1 / x,
    scalar=math.log, complex=True, doc="Natural logarithm, x > 0.",
    misconceptions=(
        wrong("the derivative 1/{a} of the logarithm was forgotten", 1),
        wrong("the logarithm was left as it is instead of differentiated", lambda y, _x: y),
        wrong("1/log({a}) in place of 1/{a}", lambda y, _x: 1 / y),
    ),
)
exp2 = Elementwise(
    np.exp2, lambda y, _x: LOG_2 * y,
    scalar=math.exp2, complex=True, doc="2 to the power x.",
)
expm1 = Elementwise(
    np.expm1, lambda y, _x: y + 1,
    scalar=math.expm1, complex=True, doc="exp(x) - 1, exact near 0.",
)
log2 = Elementwise(
    np.log2, lambda _y, x: 1 / (LOG_2 * x),
    scalar=math.log2, complex=True, doc="Logarithm to base 2, x > 0.",
)
log10 = Elementwise(
    np.log10, lambda _y, x: 1 / (LOG_10 * x),
    scalar=math.log10, complex=True, doc="Logarithm to base 10, x > 0.",
)
log1p = Elementwise(
    np.log1p, lambda _y, x: 1 / (1 + x),
    scalar=math.log1p, complex=True, doc="log(1 + x), exact near 0.",
)
logaddexp = Elementwise(
    np.logaddexp,
    lambda _y, a, b: sigmoid(_difference(a, b)), lambda _y, a, b: sigmoid(_difference(b, a)),
    scalar=_logaddexp, doc="log(exp(a) + exp(b)) without overflow.",
)
logaddexp2 = Elementwise(
    np.logaddexp2,
    lambda _y, a, b: sigmoid(LOG_2 * _difference(a, b)),
    lambda _y, a, b: sigmoid(LOG_2 * _difference(b, a)),
    doc="log2(2 ** a + 2 ** b) without overflow.",
)
sqrt = Elementwise(
    np.sqrt, lambda y, _x: 0.5 / y,
    scalar=math.sqrt, notation=around("√(", ")"),
    complex=True, doc="Square root, x ≥ 0; the derivative at 0 is infinite.",
    misconceptions=(
        wrong("the factor ½ of the root's derivative was forgotten", lambda y, _x: 1 / y),
        wrong("1/(2·{a}) in place of 1/(2·√{a})", lambda _y, x: 0.5 / x),
        wrong("½·√{a} in place of 1/(2·√{a})", lambda y, _x: 0.5 * y),
        wrong("the derivative of the root was forgotten", 1),
    ),
)
cbrt = Elementwise(
    np.cbrt, lambda y, _x: 1 / (3 * y * y),
    scalar=math.cbrt, doc="Cube root; the derivative at 0 is infinite.",
)
square = Elementwise(
    np.square, lambda _y, x: 2 * x,
    scalar=lambda x: x * x, complex=True, doc="x · x.",
    misconceptions=(
        wrong("the factor 2 of the square was forgotten", lambda _y, x: x),
        wrong("the derivative of the square was forgotten", 1),
        wrong("the square was left as it is instead of differentiated", lambda y, _x: y),
    ),
)
reciprocal = Elementwise(
    np.reciprocal, lambda y, _x: -y * y,
    scalar=lambda x: 1 / x, complex=True, doc="1 / x.",
    misconceptions=(
        wrong("the sign of the derivative -1/{a}² was lost", lambda y, _x: y * y),
        wrong("-1/{a} in place of -1/{a}²", lambda y, _x: -y),
    ),
)
sin = Elementwise(
    np.sin, lambda _y, x: cos(x),
    scalar=math.sin, complex=True, doc="Sine, x in radians.",
    misconceptions=(
        wrong("the derivative of sin was given a minus sign", lambda _y, x: -cos(x)),
        wrong("the derivative of sin was forgotten", 1),
        wrong("sin was left as it is instead of differentiated", lambda y, _x: y),
    ),
)
cos: Elementwise = Elementwise(
    np.cos, lambda _y, x: -sin(x),
    scalar=math.cos, complex=True, doc="Cosine, x in radians.",
    misconceptions=(
        wrong("the minus sign of the derivative of cos was lost", lambda _y, x: sin(x)),
        wrong("the derivative of cos was forgotten", 1),
        wrong("cos was left as it is instead of differentiated", lambda y, _x: y),
    ),
)
tanh: Elementwise = Elementwise(
    np.tanh, lambda y, _x: 1 - y * y,
    scalar=math.tanh, complex=True, doc="Hyperbolic tangent.",
    misconceptions=(
        wrong("the derivative of tanh was forgotten", 1),
        wrong(
            "tanh′ was taken with its input: 1 - {a}² in place of 1 - tanh({a})²",
            lambda _y, x: 1 - x * x,
        ),
        wrong(
            "tanh was taken twice: 1 - tanh({y})² in place of 1 - {y}²",
            lambda y, _x: 1 - tanh(y) * tanh(y),
        ),
        wrong("the derivative of the sigmoid, y·(1 - y), for tanh", lambda y, _x: y * (1 - y)),
        wrong("the square was forgotten: 1 - {y} in place of 1 - {y}²", lambda y, _x: 1 - y),
        wrong("the sign was wrong: 1 + {y}² in place of 1 - {y}²", lambda y, _x: 1 + y * y, rare=2),
        wrong("the derivative of tanh was multiplied twice", lambda y, _x: (1 - y * y) ** 2),
    ),
)
sigmoid: Elementwise = Elementwise(
    _sigmoid, lambda y, _x: y * (1 - y),
    name="sigmoid", scalar=_sigmoid_scalar, notation=call("σ"), complex=True,
    misconceptions=(
        wrong("the derivative of the sigmoid was forgotten", 1),
        wrong(
            "σ′ was taken at the output instead of the input: σ({y})·(1 - σ({y})) in place of"
            " {y}·(1 - {y})",
            lambda y, _x: sigmoid(y) * (1 - sigmoid(y)),
        ),
        wrong(
            "σ′ was taken with the input: {a}·(1 - {a}) in place of {y}·(1 - {y})",
            lambda _y, x: x * (1 - x),
        ),
        wrong("the factor {y} of σ′ was forgotten: 1 - {y} only", lambda y, _x: 1 - y),
        wrong("the factor (1 - {y}) of σ′ was forgotten: {y} only", lambda y, _x: y),
        wrong("the derivative of tanh, 1 - y², for the sigmoid", lambda y, _x: 1 - y * y),
        wrong(
            "the derivative of the sigmoid was multiplied twice",
            lambda y, _x: (y * (1 - y)) ** 2,
        ),
        wrong("the sign was wrong: {y}·(1 + {y})", lambda y, _x: y * (1 + y), rare=2),
        wrong("the sign was wrong: -{y}·(1 - {y})", lambda y, _x: -y * (1 - y), rare=2),
    ),
    doc="1 / (1 + exp(-x)), in (0, 1).",
)
relu = Elementwise(
    _relu, lambda y, _x: y > 0,
    name="relu", scalar=lambda x: 0.0 if x <= 0 else x,
    misconceptions=(
        wrong("the derivative of relu was forgotten: every entry passes", 1),
        wrong("the mask was turned round: entries below zero pass", lambda _y, x: x <= 0),
        wrong("the value max({a}, 0) was taken in place of its derivative", lambda y, _x: y),
        wrong("the derivative of the sigmoid for relu", lambda y, _x: y * (1 - y), rare=2),
    ),
    doc="max(x, 0); derivative 0 at the kink x = 0.",
)
bessel_i: Elementwise = Elementwise(
    _bessel_i,
    lambda _y, x, order: (bessel_i(x, abs(order - 1)) + bessel_i(x, order + 1)) / 2,
    name="bessel_i", params=("order",),
    doc="Modified Bessel function of the first kind, of whole order.",
)
stop_gradient = Elementwise(
    lambda x: x, 0,
    name="stop_gradient", scalar=lambda x: x,
    complex=True, doc="x itself, through which no derivative flows.",
)
# fmt: on


@answers(np.i0)
def i0(x: Any) -> Any:
    """Modified Bessel function of the first kind, of order 0."""
    return bessel_i(x, order=0)
