"""`op.check()`: does a declaration hold what it promises, on floats and on arrays?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainrule.engine import Inputs, Params

#: Largest error of a derivative against differences, relative to the size of the derivative.
DIFFERENCE_TOLERANCE = 1e-6
#: Largest disagreement between two exact computations of one number, relative.
EXACT_TOLERANCE = 1e-10


class OpCheckError(AssertionError):
    """An op's declaration contradicts itself; the message says which op, what and where."""


def check_op(op: Any, inputs: Inputs, params: Params) -> None:
    """Check the rule of an op at given arrays. Away from kinks all of it must hold.

    The jvp is compared with central differences of the forward, the vjp with the jvp by
    ⟨ȳ, J v⟩ = ⟨Jᵀȳ, v⟩ in random directions, every cotangent with the shape and dtype of its input,
    floats with arrays, and inputs that the rule claims not to read are replaced by NaN.

    Raises:
        OpCheckError: on the first contradiction.
    """
    random = np.random.default_rng(1)
    inputs = tuple(x if type(x) in {float, int, bool} else np.asarray(x) for x in inputs)
    moving = [i for i, x in enumerate(inputs) if _moves(x) and _has_rule(op, i)]
    y = np.asarray(op.evaluate(inputs, params))
    y_bar = random.standard_normal(y.shape).astype(y.dtype)
    tangents = [
        random.standard_normal(x.shape).astype(x.dtype) if i in moving else None
        for i, x in enumerate(inputs)
    ]
    cotangents = op.vjp(moving, y_bar, y, inputs, params)
    for i, x_bar in zip(moving, cotangents, strict=True):
        if np.shape(x_bar) != inputs[i].shape:
            _fail(op, f"cotangent {i} has shape {np.shape(x_bar)}, expected {inputs[i].shape}")
        if x_bar.dtype != y.dtype:
            _fail(op, f"cotangent {i} has dtype {x_bar.dtype}, expected {y.dtype}")
    for i, x_bar in zip(moving, cotangents, strict=True):
        alone = [tangents[j] if j == i else None for j in range(len(inputs))]
        y_dot = op.jvp(alone, y, inputs, params)
        if np.shape(y_dot) != y.shape:
            _fail(op, f"the tangent from input {i} has shape {np.shape(y_dot)}, expected {y.shape}")
        _compare_differences(op, i, inputs, tangents[i], y_dot, params)
        forward, reverse = np.sum(y_bar * y_dot), np.sum(x_bar * tangents[i])
        size = np.sum(np.abs(y_bar * y_dot)) + np.sum(np.abs(x_bar * tangents[i]))
        if not abs(forward - reverse) <= _exact(y) * (size + 1e-300):
            _fail(op, f"vjp and jvp of input {i} disagree: {reverse} against {forward}")
    _check_unread(op, moving, cotangents, y_bar, y, inputs, params)
    if op.scalar is not None and not params:
        _check_floats(op, moving, inputs)


def _check_unread(
    op: Any,
    moving: Sequence[int],
    cotangents: Sequence[Any],
    y_bar: Any,
    y: Any,
    inputs: Inputs,
    params: Params,
) -> None:
    poisoned = [
        np.full_like(x, np.nan) if _moves(x) and not op.needs_input(i) else x
        for i, x in enumerate(inputs)
    ]
    again = op.vjp(moving, y_bar, y, poisoned, params)
    for x_bar, repeated in zip(cotangents, again, strict=True):
        if not np.array_equal(x_bar, repeated, equal_nan=True):
            _fail(op, "the rule reads an argument that its underscore says it does not read")


def _check_floats(op: Any, moving: Sequence[int], inputs: Inputs) -> None:
    """The scalar forward and the rule on floats against the same on arrays, entry by entry."""
    for entries in zip(*[x.flat for x in np.broadcast_arrays(*inputs)], strict=True):
        floats = [entry.item() for entry in entries]
        arrays = [np.asarray(number) for number in floats]
        y = op.evaluate(floats, {})
        y_array = op.evaluate(arrays, {})
        pairs = [(y, y_array)]
        pairs += zip(
            op.vjp(moving, 0.75, y, floats, {}),
            op.vjp(moving, np.asarray(0.75), y_array, arrays, {}),
            strict=True,
        )
        for number, array in pairs:
            if not np.isclose(number, array, rtol=EXACT_TOLERANCE, atol=0, equal_nan=True):
                _fail(op, f"floats give {number}, arrays give {array} at {floats}")


def _compare_differences(
    op: Any, i: int, inputs: Inputs, tangent: Any, y_dot: Any, params: Params
) -> None:
    if inputs[i].dtype != np.float64:
        return  # differences of float32 see nothing; vjp against jvp and the float64 run do

    def moved(t: float) -> Any:
        shifted = [x + t * tangent if j == i else x for j, x in enumerate(inputs)]
        return np.asarray(op.evaluate(shifted, params))

    slope = central_difference(moved)
    error = np.max(np.abs(slope - y_dot), initial=0.0)
    if not error <= DIFFERENCE_TOLERANCE * (1 + np.max(np.abs(slope), initial=0.0)):
        _fail(op, f"the derivative in input {i} is off by {error:.3g} from differences")


def central_difference(f: Callable[[float], Any], h: float = 2e-3) -> Any:
    """df/dt at 0 by central differences, their error terms h² and h⁴ extrapolated away."""
    d = [(f(step) - f(-step)) / (2 * step) for step in (h, h / 2, h / 4)]
    first = [(4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3]
    return (16 * first[1] - first[0]) / 15


def _moves(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def _has_rule(op: Any, position: int) -> bool:
    return op.sequence or op.rules[position if position < len(op.rules) else 0] is not None


def _exact(y: Any) -> float:
    return EXACT_TOLERANCE if y.dtype == np.float64 else 1e-4


def _fail(op: Any, what: str) -> None:
    raise OpCheckError(f"op {op.name}: {what}")
