"""Where a NaN would show: products of derivatives in which zero wins over infinity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainrule.compiler.tiles import needed, operands

if TYPE_CHECKING:
    from chainrule.compiler.trace import Step, Trace

#: Methods through which NaN passes.
_METHODS = {"reshape", "transpose", "swapaxes", "astype", "clip", "T"}


def to_check(trace: Trace, wanted: set[int]) -> list[int]:
    """Results to test for NaN, so that every product of a derivative that is NaN shows in one.

    In eager mode zero wins over infinity in such a product. Compiled code does not look at each:
    a NaN goes through arithmetic to the results, and then the call is done again eagerly.
    """
    reached: dict[int, set[int]] = {}  # step -> the products that a NaN in it would come from
    products = {step.number for step in trace.steps if step.product}
    read = needed(trace, set(wanted))
    lost: set[int] = set()
    for number in sorted(read):
        step = trace.steps[number]
        own = {number} if number in products else set()
        inherited: set[int] = set()
        for operand in operands(step):
            inherited |= reached.get(operand, set())
        if step.call is not None and not passes_nan(step):
            lost |= inherited
            inherited = set()
        reached[number] = own | inherited
    checked = sorted(lost)
    missing = {number for number in products if number in read} - lost
    ends = sorted(
        (number for number in wanted if _can_be_nan(trace.steps[number])),
        key=lambda number: np.size(trace.steps[number].value),
    )
    while missing:
        best = max(ends, key=lambda number: len(reached[number] & missing), default=None)
        if best is None or not reached[best] & missing:
            return checked + sorted(missing)
        checked.append(best)
        missing -= reached[best]
    return checked


def _can_be_nan(step: Step) -> bool:
    return getattr(step.value, "dtype", np.dtype(float)).kind in "fc"


_PASSING = {
    *(np.add, np.subtract, np.multiply, np.true_divide, np.negative, np.matmul, np.dot, np.square),
    *(np.conjugate, np.positive, np.exp, np.sin, np.cos, np.tanh, np.sqrt, np.log, np.broadcast_to),
    *(np.absolute, np.einsum, np.concatenate, np.stack, np.array, np.squeeze, float, np.vdot),
}


def passes_nan(step: Step) -> bool:
    """Whether a NaN in any entry of an operand makes some entry of the result NaN."""
    call = step.call
    assert call is not None
    if call.style in {"method", "attribute"}:
        return call.text in _METHODS
    return call.function in _PASSING or call.function == np.add.reduce
