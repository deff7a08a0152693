"""Trigonometric and hyperbolic functions and their inverses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.ops.arithmetic import absolute
from chainrule.ops.functions import cos, sqrt
from chainrule.ops.partials import Elementwise, where

#: Of sinc'(x) = x Σ cₖ x²ᵏ, from sin(πx)/(πx) = Σ (-1)ᵏ (πx)²ᵏ / (2k+1)!.
_SINC_SERIES = [
    (-1) ** k * math.pi ** (2 * k) * 2 * k / math.factorial(2 * k + 1) for k in range(1, 11)
]


def _sinc_slope(y: Any, x: Any) -> Any:
    """(cos πx - sinc x) / x, by its series around 0, where the difference cancels."""
    series = 0.0
    for coefficient in reversed(_SINC_SERIES):
        series = series * (x * x) + coefficient
    near = absolute(x) < 0.2
    return where(near, series * x, (cos(math.pi * x) - y) / where(near, 1.0, x))


def ratio(x: Any, length: Any) -> Any:
    """X / length, 0 where the length is 0."""
    return where(length == 0, 0.0, x / where(length == 0, 1.0, length))


# fmt: off
tan = Elementwise(
    np.tan, lambda y, _x: 1 + y * y,
    scalar=math.tan, complex=True, doc="Tangent, x in radians.",
)
arcsin = Elementwise(
    np.arcsin, lambda _y, x: 1 / sqrt(1 - x * x),
    scalar=math.asin, complex=True, doc="Inverse sine, |x| ≤ 1; the derivative at ±1 is infinite.",
)
arccos = Elementwise(
    np.arccos, lambda _y, x: -1 / sqrt(1 - x * x),
    scalar=math.acos, complex=True,
    doc="Inverse cosine, |x| ≤ 1; the derivative at ±1 is infinite.",
)
arctan = Elementwise(
    np.arctan, lambda _y, x: 1 / (1 + x * x),
    scalar=math.atan, complex=True, doc="Inverse tangent.",
)
arctan2 = Elementwise(
    np.arctan2,
    lambda _y, a, b: ratio(ratio(b, hypot(a, b)), hypot(a, b)),
    lambda _y, a, b: -ratio(ratio(a, hypot(a, b)), hypot(a, b)),
    scalar=math.atan2, doc="Angle of the point (b, a); derivative 0 at the origin.",
)
sinh = Elementwise(
    np.sinh, lambda _y, x: cosh(x),
    scalar=math.sinh, complex=True, doc="Hyperbolic sine.",
)
cosh: Elementwise = Elementwise(
    np.cosh, lambda _y, x: sinh(x),
    scalar=math.cosh, complex=True, doc="Hyperbolic cosine.",
)
arcsinh = Elementwise(
    np.arcsinh, lambda _y, x: 1 / sqrt(x * x + 1),
    scalar=math.asinh, complex=True, doc="Inverse hyperbolic sine.",
)
arccosh = Elementwise(
    np.arccosh, lambda _y, x: 1 / (sqrt(x - 1) * sqrt(x + 1)),
    scalar=math.acosh, complex=True,
    doc="Inverse hyperbolic cosine, x ≥ 1; the derivative at 1 is infinite.",
)
arctanh = Elementwise(
    np.arctanh, lambda _y, x: 1 / (1 - x * x),
    scalar=math.atanh, complex=True, doc="Inverse hyperbolic tangent, |x| < 1.",
)
hypot: Elementwise = Elementwise(
    np.hypot, lambda y, a, _b: ratio(a, y), lambda y, _a, b: ratio(b, y),
    scalar=math.hypot, doc="√(a² + b²); derivative 0 at the origin.",
)
degrees = Elementwise(
    np.degrees, 180 / math.pi,
    scalar=math.degrees, doc="Radians to degrees.",
)
rad2deg = Elementwise(
    np.rad2deg, 180 / math.pi,
    scalar=math.degrees, doc="Radians to degrees.",
)
radians = Elementwise(
    np.radians, math.pi / 180,
    scalar=math.radians, doc="Degrees to radians.",
)
deg2rad = Elementwise(
    np.deg2rad, math.pi / 180,
    scalar=math.radians, doc="Degrees to radians.",
)
sinc = Elementwise(
    np.sinc, _sinc_slope,
    scalar=lambda x: math.sin(math.pi * x) / (math.pi * x) if x else 1.0, complex=True,
    doc="sin(πx) / (πx), 1 at 0.",
)
