"""Whether a point is at a kink, where a formula gives the convention of an op and no derivative."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import written
from chainrule.ops import arithmetic as ar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainrule.formulas.steps import Steps

_RELATIONS = {ar.greater, ar.greater_equal, ar.less, ar.less_equal}
#: Kinks that are told of.
MOST_KINKS = 3


def kinks(steps: Steps, formulas: Sequence[Any]) -> list[str]:
    """A sentence for each condition that holds on its very edge, at most three."""
    told: dict[str, str] = {}
    for x in _parts(formulas):
        if x.op in _RELATIONS or x.op is ar.sign:
            left, right = x.inputs if len(x.inputs) == 2 else (x.inputs[0], 0.0)
            text = written(x)
            if text not in told and len(told) < MOST_KINKS and _meet(steps, left, right):
                told[text] = (
                    f"Here {written(left)} is {written(right)}, where {text} has a kink: there is"
                    f" no derivative, and the convention of the op stands in its place."
                )
    return list(told.values())


def _parts(formulas: Sequence[Any]) -> Iterator[Symbol]:
    pending = list(formulas)
    while pending:
        x = pending.pop()
        if isinstance(x, Symbol) and x.op is not None:
            yield x
            pending += x.inputs


def _meet(steps: Steps, left: Any, right: Any) -> bool:
    """Whether two sides are equal anywhere at the point."""
    known = set(steps.values) | set(steps.cotangent_values)
    if not set(steps.used([left, right])) <= known:
        return False
    a, b = (steps.number(side, steps.known) for side in (left, right))
    return bool(np.any(np.asarray(a) == np.asarray(b)))
