"""The verdict on claimed numbers: no tolerance, only what is known of both sides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.verification.claims import Numbers

#: An entry so much smaller than the largest of its array is seen against that.
SMALL = 1e-3


class Verdict(Enum):
    """What is found about a claim."""

    AGREES = "agrees"
    ROUNDED = "consistent with rounding"
    KINK = "at a kink"
    UNKNOWN = "cannot tell"
    WRONG = "wrong"

    @property
    def passes(self) -> bool:
        """Whether nothing is wrong with such a claim, as far as can be told."""
        return self in {Verdict.AGREES, Verdict.ROUNDED, Verdict.KINK}

    def __str__(self) -> str:
        return self.value


#: From the best to the worst: an array is as good as its worst entry.
ORDER = (Verdict.AGREES, Verdict.ROUNDED, Verdict.KINK, Verdict.UNKNOWN, Verdict.WRONG)


@dataclass(frozen=True)
class Reference:
    """What a claim is compared with.

    Attributes:
        value: the derivative.
        bound: the error it may have, for each entry.
        low, high: at a kink the interval of subgradients, elsewhere the value twice.
        note: what else is to be said of it.
    """

    value: np.ndarray
    bound: np.ndarray
    low: np.ndarray
    high: np.ndarray
    note: str = ""

    @classmethod
    def of(cls, value: Any, bound: Any, note: str = "") -> Reference:
        value = np.asarray(value)
        return cls(value, np.broadcast_to(bound, value.shape), value, value, note)

    def part(self, entry: Callable[[np.ndarray], Any]) -> Reference:
        """The reference of one entry."""
        value, bound, low, high = (
            np.asarray(entry(x)) for x in (self.value, self.bound, self.low, self.high)
        )
        return Reference(value, bound, low, high, self.note)

    @property
    def kinks(self) -> Any:
        """Where the derivative does not exist."""
        return self.low != self.high


@dataclass(frozen=True)
class Judgement:
    """The verdict on every entry of a claim.

    Attributes:
        ranks: for each entry the place of its verdict in `ORDER`.
        off: how far the claim is from the reference.
        resolution: the smallest relative error that would have been seen, for each entry.
        smallest: the same as a number.
        vacuous: whether the reference is about zero: then a factor would not be seen.
    """

    ranks: np.ndarray
    off: np.ndarray
    resolution: np.ndarray
    smallest: np.ndarray
    vacuous: bool

    @property
    def verdict(self) -> Verdict:
        """That of the worst entry."""
        return ORDER[int(np.max(self.ranks, initial=0))]

    @property
    def wrong(self) -> list[tuple[int, ...]]:
        """The entries that are wrong, the furthest off first."""
        found = np.argwhere(self.ranks == ORDER.index(Verdict.WRONG))
        order = np.argsort([-self.off[tuple(index)] for index in found], kind="stable")
        return [tuple(int(n) for n in found[k]) for k in order]


def judge(
    claim: Numbers,
    reference: Reference,
    resolution: float,
    propagated: Any = None,
    computed: Any = 0.0,
    floor: float = 0.0,
    scale: Any = None,
) -> Judgement:
    """Compare claimed numbers with a reference of the same shape.

    With the bound E of the reference and the claim's own half unit r, a claim agrees within E + r.

    Args:
        claim: the claimed numbers.
        reference: what they should be.
        resolution: the relative error that has to be seen.
        propagated: how far rounding every step may lead, where steps were rounded.
        computed: the rounding error of a claim that was computed, without printed digits.
        floor: entries smaller than this part of the largest are seen against that.
        scale: what the resolution that is told is relative to, by default the reference.
    """
    value, half = claim.value, claim.half_unit
    complex_numbers = np.iscomplexobj(value) or np.iscomplexobj(reference.value)
    with np.errstate(invalid="ignore", divide="ignore"):
        if complex_numbers:
            off = np.abs(value - reference.value)
        else:
            below, above = reference.low - value, value - reference.high
            off = np.maximum(np.maximum(below, above), 0.0)
        off = np.where(np.isnan(value) & ~np.isnan(reference.value), np.inf, off)
        off = np.where(value == reference.value, 0.0, off)
        exact = off <= reference.bound + computed
        allowed = reference.bound + half + computed
        agrees = exact | (off <= allowed * (1 + 1e-12))
        blur = np.where(exact & claim.whole, reference.bound + computed, allowed)
        size = np.abs(reference.value)
        largest = float(np.max(size[np.isfinite(size)], initial=0.0))
        # An entry about zero is seen against the largest of its array.
        against = np.where(size <= blur, np.maximum(size, SMALL * largest), size)
        against = np.maximum(against, floor * largest)
        relative = np.where(against == 0, np.inf, blur / against)
        nothing = largest <= np.max(reference.bound, initial=0.0)  # the whole array is about zero
        # Zero for zero; the check is vacuous.
        told = exact & nothing & (floor == 0) & (np.abs(value) + blur <= resolution)
        vague = ~(relative <= resolution) & (blur != 0) & ~told
        stepwise = allowed if propagated is None else allowed + propagated
        rounded = off <= stepwise
        drowned = ~(stepwise / against <= resolution)
    ranks = np.full(np.shape(value), ORDER.index(Verdict.WRONG))
    ranks = np.where(rounded, ORDER.index(Verdict.ROUNDED), ranks)
    ranks = np.where(rounded & drowned, ORDER.index(Verdict.UNKNOWN), ranks)
    ranks = np.where(agrees, ORDER.index(Verdict.AGREES), ranks)
    ranks = np.where(agrees & vague & ~reference.kinks, ORDER.index(Verdict.UNKNOWN), ranks)
    ranks = np.where(agrees & reference.kinks, ORDER.index(Verdict.KINK), ranks)
    same = (value == reference.value) & ~np.isfinite(reference.value)  # an infinity that is meant
    unknown = ~np.isfinite(reference.value) | ~np.isfinite(reference.bound)
    ranks = np.where(unknown & ~same, ORDER.index(Verdict.UNKNOWN), ranks)
    astray = ~np.isfinite(value) & np.isfinite(reference.value)
    fled = astray & (10 * reference.bound > size)  # an infinity where there may be one
    ranks = np.where(astray, ORDER.index(Verdict.WRONG), ranks)
    ranks = np.where(fled, ORDER.index(Verdict.UNKNOWN), ranks)
    if scale is not None:
        largest = float(np.max(np.abs(scale), initial=0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(blur == 0, 0.0, blur / np.abs(scale))
    hidden = float(np.max(blur, initial=0.0))
    vacuous = largest <= hidden <= max(resolution, SMALL) and not np.any(reference.kinks)
    return Judgement(ranks, off, relative, blur, vacuous)
