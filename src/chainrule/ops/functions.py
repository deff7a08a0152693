"""Elementary functions of one number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.ops.notation import around
from chainrule.ops.partials import Elementwise


@np.errstate(over="ignore")  # exp(-x) may become inf; 1 / inf is the right answer
def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _sigmoid_scalar(x: float) -> float:
    try:
        return 1 / (1 + math.exp(-x))
    except OverflowError:
        return 0.0


# fmt: off
exp = Elementwise(
    np.exp, lambda y, _x: y,
    scalar=math.exp, doc="e to the power x.",
)
log = Elementwise(
    np.log, lambda _y, x: 1 / x,
    scalar=math.log, doc="Natural logarithm, x > 0.",
)
sqrt = Elementwise(
    np.sqrt, lambda y, _x: 0.5 / y,
    scalar=math.sqrt, notation=around("√(", ")"),
    doc="Square root, x ≥ 0; the derivative at 0 is infinite.",
)
sin = Elementwise(
    np.sin, lambda _y, x: cos(x),
    scalar=math.sin, doc="Sine, x in radians.",
)
cos: Elementwise = Elementwise(
    np.cos, lambda _y, x: -sin(x),
    scalar=math.cos, doc="Cosine, x in radians.",
)
tanh = Elementwise(
    np.tanh, lambda y, _x: 1 - y * y,
    scalar=math.tanh, doc="Hyperbolic tangent.",
)
sigmoid = Elementwise(
    _sigmoid, lambda y, _x: y * (1 - y),
    name="sigmoid", scalar=_sigmoid_scalar, doc="1 / (1 + exp(-x)), in (0, 1).",
)
relu = Elementwise(
    lambda x: np.maximum(x, 0), lambda y, _x: y > 0,
    name="relu", scalar=lambda x: 0.0 if x <= 0 else x,
    doc="max(x, 0); derivative 0 at the kink x = 0.",
)
stop_gradient = Elementwise(
    lambda x: x, 0,
    name="stop_gradient", scalar=lambda x: x,
    doc="x itself, through which no derivative flows.",
)
