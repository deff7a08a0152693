"""Where a NaN would show: products of derivatives in which zero wins over infinity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainrule.compiler.planning.tiles import needed, operands

if TYPE_CHECKING:
    from chainrule.compiler.tracing.trace import Step, Trace

#: Methods through which NaN passes.
_METHODS = {"reshape", "transpose", "swapaxes", "astype", "clip", "T"}


def to_check(trace: Trace, wanted: set[int]) -> list[int]:
    """Results to test for NaN, so that every product of a derivative that is NaN shows in one.

    In eager mode zero wins over infinity in such a product. Compiled code does not look at each:
    a NaN goes through arithmetic to the results, and then the call is done again eagerly. Small
    results are tested first; a product that none of them would show is tested itself.
    """
    products = {number for number in needed(trace, wanted) if trace.steps[number].product}
    missing = {number for number in products if np.size(trace.steps[number].value)}
    ends = sorted(
        (number for number in wanted if _can_be_nan(trace.steps[number])),
        key=lambda number: (np.size(trace.steps[number].value), -number),  # late ones show most
    )
    checked = []
    seen: set[int] = set()
    for end in ends:
        shown = missing & _shown_by(trace, end, seen)
        if shown:
            checked.append(end)
            missing -= shown
    return checked + sorted(missing)


def _shown_by(trace: Trace, end: int, seen: set[int]) -> set[int]:
    """The steps, of those not seen yet, in which a NaN would make a result NaN."""
    shown: set[int] = set()
    pending = [end]
    while pending:
        number = pending.pop()
        if number in seen:
            continue
        seen.add(number)
        step = trace.steps[number]
        if not np.size(step.value):
            continue  # nothing shows in an empty array
        shown.add(number)
        if step.call is not None and passes_nan(step):
            pending += operands(step)
    return shown


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
