"""One claim checked: what was claimed, what it is compared with, and what is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.verification.claims import index_text, number_text, short
from chainrule.verification.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.verification.claims import Numbers
    from chainrule.verification.targets import Target
    from chainrule.verification.verdicts import Judgement, Reference


#: Factors that a wrong number may be off by.
_SIMPLE = (2, 3, 4, 5, 0.5, 0.25, 0.2, -2, -0.5, 10, 0.1)


class Point(NamedTuple):
    """A formula at other numbers: the data of the graph, what it gives, and the right value."""

    data: Sequence[Any]
    given: np.ndarray
    right: np.ndarray


@dataclass(eq=False)
class Finding:
    """One claim and the verdict on it.

    Attributes:
        target: what it is about; `str(finding.target.name)` is how reports call it.
        claim: the claimed numbers; None where their shape does not fit.
        reference: what they are compared with.
        judgement: the verdict on every entry.
        formula: the formula that was claimed, "" for numbers.
        step: whether it came as a step, not as a result.
        chance: of a formula right at these numbers only, its value elsewhere and the right one.
        follows: whether a wrong number follows from earlier wrong ones of the same calculation.
        expected: what a number should be, given the numbers before it.
        own: the verdict by those.
        flaw: why nothing could be compared, such as a wrong shape.
        line: its line in a worksheet.
        rate: the learning rate of an update.
        points: what its formula gives where the numbers of the graph are others.
        slack: how far rounding every step may lead, where steps were rounded.
    """

    target: Target
    claim: Numbers | None
    reference: Reference
    judgement: Judgement | None
    formula: str = ""
    step: bool = False
    chance: tuple[float, float] | None = None
    follows: bool = False
    expected: np.ndarray | None = None
    own: Judgement | None = None
    flaw: str = ""
    line: int | None = None
    rate: float | None = None
    slack: Any = 0.0
    points: list[Point] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the claim is about."""
        return self.target.name

    @property
    def key(self) -> str:
        """The name of the node it is about."""
        return self.name.rpartition("∂")[2]

    @property
    def verdict(self) -> Verdict:
        """The verdict on the whole claim."""
        if self.flaw or self.chance is not None or self.judgement is None:
            return Verdict.WRONG
        return self.judgement.verdict

    @property
    def wrong(self) -> list[tuple[int, ...]]:
        """The entries that are wrong: by the numbers before them, where there are some."""
        judgements = [j for j in (self.own, self.judgement) if j is not None]
        return next((j.wrong for j in judgements if j.wrong), [])

    @property
    def resolution(self) -> float:
        """The smallest relative error that this check would have seen; infinite if none."""
        if self.judgement is None or not self.judgement.resolution.size:
            return 0.0
        return float(np.max(self.judgement.resolution))

    @property
    def text(self) -> str:
        """What was claimed, as it was written."""
        if self.formula:
            return self.formula
        return self.claim.text if self.claim is not None else "?"

    def sentence(self, digits: int = 6) -> str:
        """The verdict in words."""
        if self.flaw:
            return self.flaw
        if self.chance is not None:
            given, right = (short(x, digits) for x in self.chance)
            return (
                f"agrees at these numbers only: at other values the formula gives {given}, the"
                f" derivative is {right}"
            )
        say = {
            Verdict.WRONG: self._wrong,
            Verdict.KINK: self._kink,
            Verdict.UNKNOWN: self._unknown,
            Verdict.ROUNDED: self._rounded,
        }.get(self.verdict)
        return say(digits) if say else ""

    def _kink(self, digits: int) -> str:
        return f"no derivative here: any subgradient from {self._interval(digits)} is right"

    def _unknown(self, _digits: int) -> str:
        assert self.judgement is not None
        if not np.all(np.isfinite(self.reference.value)) or not np.all(
            np.isfinite(self.judgement.smallest)
        ):
            return "the derivative is not finite or cannot be measured here"
        smallest = short(float(np.max(self.judgement.smallest)), 2)
        assert self.claim is not None
        if self.formula or not self.claim.printed:
            return f"rounding hides errors below {smallest} here"
        return f"an error of {smallest} would not be seen: give more digits"

    def _rounded(self, digits: int) -> str:
        return f"off by rounding every step; exactly it is {self.right_text(digits)}"

    def _interval(self, digits: int) -> str:
        low, high = self.reference.low, self.reference.high
        index = tuple(np.argwhere(low != high)[0])
        where = f" at {list(map(int, index))}" if index else ""
        return f"{short(float(low[index]), digits)} to {short(float(high[index]), digits)}{where}"

    def right_text(self, digits: int = 6) -> str:
        """The right numbers."""
        return number_text(self.reference.value, digits)

    def _wrong(self, digits: int) -> str:
        claim, right = self.claim, self.reference.value
        assert claim is not None
        assert self.judgement is not None
        if not right.shape:
            if np.any(self.reference.kinks):
                return f"no derivative here, and no subgradient: those are {self._interval(digits)}"
            if np.iscomplexobj(right) or np.iscomplexobj(claim.value):
                return f"it is {complex(right):.{digits}g}"
            return f"it is {self._like_printed(float(right), digits)}{self._relation()}"
        wrong = self.wrong
        index = wrong[0]
        place = index_text(index)
        more = f" and {len(wrong) - 1} more of {right.size} entries" if len(wrong) > 1 else ""
        given, exact = (number_text(x[index], digits) for x in (claim.value, right))
        if len(wrong) == right.size and right.size > 1:
            return f"every entry; {place} is {exact}, not {given}"
        return f"entry {place} is {exact}, not {given}{more}"

    def _like_printed(self, right: float, digits: int) -> str:
        """The right number with as many digits as the claim has."""
        claim = self.claim
        assert claim is not None
        if not claim.printed or self.formula or not float(claim.half_unit):
            return short(right, digits)
        places = round(-np.log10(2 * float(claim.half_unit)))
        text = f"{right:.{max(places, 0)}f}"
        if "e" in claim.text.lower() or not float(text) or places > 12:
            return short(right, digits)
        return text

    def _relation(self) -> str:
        """What a wrong number is of the right one, where that can be seen."""
        assert self.claim is not None
        given, right = float(self.claim.value), float(self.reference.value)
        half = float(self.claim.half_unit)
        if not right or not given or not np.isfinite(given):
            return ""
        text = ""
        if self.claim.printed and abs(given - right) < 3 * half < abs(right) / 10:
            text = "off by one in the last digit"
        elif abs(given + right) <= half + 1e-9 * abs(right):
            text = "the sign is wrong"
        elif (
            not self.claim.printed
            and not self.formula
            and abs(given / right - 1) < 10.0 ** (1 - digits_of(given))
        ):
            text = f'if these are rounded digits, give them as text, "{given!r}"'
        return f": {text or ratio_text(given, right, half)}"


def digits_of(x: float) -> int:
    """How many significant digits a float is written with."""
    return len(repr(x).split("e")[0].replace(".", "").strip("-0"))


def ratio_text(given: float, right: float, half: float) -> str:
    """How a wrong number is related to the right one: 2 times as much, off by 12 %."""
    for times in _SIMPLE:
        if abs(given - times * right) <= half * (1 + 1e-9) + 1e-9 * abs(right):
            point = "; is the decimal point in the right place?" if times in {10, 0.1} else ""
            return f"{times} times as much{point}"
    ratio = given / right
    if 0.5 < ratio < 2:
        return f"off by {short(abs(ratio - 1) * 100, 2)} %"
    return f"{short(ratio, 3)} times as much"
