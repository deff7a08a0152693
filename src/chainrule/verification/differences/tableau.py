"""Richardson's tableau: the limit of difference quotients for ever smaller steps, with a bound."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How far a row of the tableau is extrapolated.
COLUMNS = 7
#: How much larger the error may be than a difference in the tableau.
SAFETY = 4.0


class Estimate(NamedTuple):
    """A limit, and the error that it may have."""

    value: float
    bound: float

    def disagrees(self, other: Estimate, margin: float = 1.0) -> bool:
        """Whether two limits are further apart than their bounds allow."""
        return abs(self.value - other.value) > margin * (self.bound + other.bound)


NOTHING = Estimate(math.nan, math.inf)


class Quotient(NamedTuple):
    """A difference quotient, and how much of it is noise."""

    value: float
    noise: float


NO_QUOTIENT = Quotient(math.nan, math.inf)


def limit(quotients: Sequence[Quotient], ratio: float, *, wary: bool) -> Estimate:
    """The limit of difference quotients for ever smaller steps.

    The entry of Richardson's tableau with the least bound that no finer quotient contradicts:
    where a kink or a jump is nearby, coarse steps agree with one another and are all wrong. Where
    one is `wary`, as on a staircase, the next finer step has to say the same.
    """
    intervals = _intervals(quotients)
    candidates = [
        (_further(estimate, finer.value) if wary else estimate, level)
        for level, (row, finer) in enumerate(
            zip(_tableau(quotients, ratio), [*quotients[1:], NO_QUOTIENT], strict=True)
        )
        for estimate in row
    ]
    for estimate, level in sorted(candidates, key=lambda pair: pair[0].bound):
        if not math.isfinite(estimate.bound):
            break
        if not any(map(estimate.disagrees, intervals[level + 1 :])):
            return estimate
    return NOTHING


def _further(estimate: Estimate, value: float) -> Estimate:
    """An estimate with a bound that reaches well beyond another value."""
    bound = estimate.bound + SAFETY * abs(value - estimate.value)
    return Estimate(estimate.value, bound if math.isfinite(bound) else math.inf)


def _tableau(quotients: Sequence[Quotient], ratio: float) -> list[list[Estimate]]:
    """Richardson's tableau: for each level the extrapolated values with their bounds."""
    found: list[list[Estimate]] = []
    before: list[Quotient] = []
    for quotient in quotients:
        row = [quotient]
        estimates = []
        for j, last in enumerate(before[:COLUMNS], start=1):
            weight = 1 / (ratio**j - 1)
            value = row[-1].value + (row[-1].value - last.value) * weight
            noise = row[-1].noise + (row[-1].noise + last.noise) * weight
            difference = max(abs(value - row[-1].value), abs(value - last.value))
            bound = SAFETY * difference + noise
            estimates.append(Estimate(value, bound if math.isfinite(value) else math.inf))
            row.append(Quotient(value, noise))
        found.append(estimates)
        before = row
    return found


def _intervals(quotients: Sequence[Quotient]) -> list[Estimate]:
    """Where each quotient says the limit is: around it, by its noise and its change to the next."""
    found = []
    for here, finer in pairwise([*quotients, NO_QUOTIENT]):
        change = abs(here.value - finer.value)
        width = here.noise + SAFETY * (change if math.isfinite(change) else 0.0)
        known = math.isfinite(here.value)
        found.append(Estimate(here.value, width) if known else NOTHING)
    return found
