"""The derivative of a function known by its numbers only, with a bound on the error.

A ladder of differences: steps from ¼·max(1, |x|) downwards by 4, forward, backward and central,
each extrapolated by Richardson's tableau. What the function's own rounding does is measured, not
assumed, and divided by the step. The answer is the place where the two errors together are least.

Sources: Richardson (1911); Ridders, *Accurate computation of F'(x) and F'(x)F''(x)* (1982), for
the error as a difference in the tableau; Hamming, *Introduction to Applied Numerical Analysis*
(1971), and Moré and Wild, *Estimating computational noise* (2011), for the noise as a high
difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.traced import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: How many steps the ladder has at least, each a quarter of the one before.
LEVELS = 25
#: So many steps are shorter than x itself, where x is small.
BELOW_X = 12
#: How far a row of the tableau is extrapolated.
COLUMNS = 7
#: Noise is seen in a few samples only: how much larger it may really be.
NOISE_MARGIN = 12.0
#: The least noise of a value, in halves of its last place: library functions are off by that.
LEAST = 2.0
#: How much more than the height of a stair rounding may hide.
STAIRS = 2.0
#: How closely a stair is looked for.
HALVINGS = 40
#: The part of a change that happens within the last half is nothing where it happens slowly.
SUDDEN = 2.0**-24
#: Where steps below unit^NEARBY tell otherwise than longer ones by less than unit^BLUR, relative to
#: the function's size there, it is hidden rounding that tells it: a staircase with long treads.
NEARBY, BLUR = 0.6, 0.7
#: How much larger the error may be than a difference in the tableau.
SAFETY = 4.0
#: The spacings at which noise is measured, in units of rounding: one for noise as fine as that of x
#: itself, one for coarse noise, where many neighbouring x give the same value.
NEAR, FAR = 2.0**4, (2771.0, 7193.0)  # no powers of two: in step with a staircase it is not seen
#: Samples at each spacing, and the differences of them that are looked at.
SAMPLES, ORDERS = 9, (5, 6)


@dataclass(frozen=True)
class Slope:
    """A derivative along one direction.

    Attributes:
        value: the best estimate; NaN where there is none.
        bound: the error that it may have; infinite where nothing can be said.
        left, right: at a kink the two one-sided derivatives, else None.
        evaluations: how often the function was called.
        noise: of the values of the function, as it was measured or given.
    """

    value: float
    bound: float
    left: float | None = None
    right: float | None = None
    evaluations: int = 0
    noise: float = 0.0

    @property
    def kink(self) -> bool:
        """Whether the one-sided derivatives disagree."""
        return self.left is not None

    @property
    def interval(self) -> tuple[float, float]:
        """The least and the largest subgradient; at a point without a kink the value twice."""
        if self.left is None or self.right is None:
            return self.value, self.value
        return min(self.left, self.right), max(self.left, self.right)


def slope(
    along: Callable[[float], Any],
    scale: float,
    unit: float = 2.0**-53,
    step: Callable[[float], float] = float,
    levels: int | None = None,
    noise: float | None = None,
    least: float = 0.0,
) -> Slope:
    """The derivative of `along(t)` at t = 0, with a bound.

    Args:
        along: a function of one number that returns one number. Where it raises an
            ArithmeticError or ValueError, or is not finite, the point is left out.
        scale: the size of x, so that the largest step is ¼·max(1, scale).
        unit: half the distance from 1 to the next number of the precision that is computed in.
        step: the step that x really makes when asked to make one of t, for x + t is rounded.
        levels: how many steps there are; by default 25, and more where x is small.
        noise: of the function's values, where it was measured already (see `Slope.noise`).
        least: noise that is known to be there, whether it is seen or not.

    Kink: where the derivatives from both sides exist and differ beyond their bounds down to
    the smallest steps, the result has `left` and `right`.

    >>> import math
    >>> found = slope(lambda t: math.sin(1.0 + t), 1.0)
    >>> abs(found.value - math.cos(1.0)) <= found.bound < 1e-11
    True
    >>> slope(abs, 0.0).interval
    (-1.0, 1.0)
    """
    if not math.isfinite(scale):
        return Slope(math.nan, math.inf)
    return _Ladder(along, scale, unit, step, least).result(levels, noise)


class _Estimate(NamedTuple):
    value: float
    bound: float

    def disagrees(self, other: _Estimate, margin: float = 1.0) -> bool:
        return abs(self.value - other.value) > margin * (self.bound + other.bound)


_NOTHING = _Estimate(math.nan, math.inf)


class _Quotient(NamedTuple):
    """A difference quotient over a width, and how much of it is noise."""

    value: float
    noise: float
    width: float = math.inf


_NO_QUOTIENT = _Quotient(math.nan, math.inf)


#: The steps really made ahead and behind, and the values there.
_Rung = tuple[float, float, float, float]


class _Ladder:
    def __init__(
        self,
        along: Callable[[float], Any],
        scale: float,
        unit: float,
        step: Callable[[float], float],
        least: float,
    ) -> None:
        self.along, self.unit, self.step, self.least = along, unit, step, least
        self.size = scale or 1.0
        self.first = 0.25 * 2.0 ** math.ceil(math.log2(max(1.0, scale)))
        self.evaluations = 0

    def at(self, t: float) -> float:
        """The function, NaN where it has no number."""
        self.evaluations += 1
        try:
            with np.errstate(all="ignore"):
                return float(np.asarray(plain(self.along(t))).reshape(()))
        except (ArithmeticError, ValueError):  # LinAlgError is a ValueError
            return math.nan

    def result(self, levels: int | None, noise: float | None) -> Slope:
        here = self.at(0.0)
        if not math.isfinite(here):
            return Slope(math.nan, math.inf, evaluations=self.evaluations)
        if levels is None:
            below = math.ceil(math.log(self.first / self.size, 4)) + BELOW_X
            levels = max(LEVELS, below)
        rungs = [self.rung(self.first / 4.0**level) for level in range(levels)]
        near, far = self.noises(here) if noise is None else (noise, noise)
        near, far = max(near, self.least), max(far, self.least)
        # So much noise may be no noise: the function may turn within that distance.
        most = math.sqrt(self.unit) * max(abs(f) for f in [here, *_finite(rungs)])
        if near > most:
            return Slope(math.nan, math.inf, evaluations=self.evaluations)
        stair = max(self.stair(here, rungs, ahead=True), self.stair(here, rungs, ahead=False))
        found = self.solved(here, rungs, max(near, far, stair))
        if max(far, stair) <= max(near, most):
            return found
        other = self.solved(here, rungs, max(near, stair))
        apart = abs(found.value - other.value)
        if apart <= found.bound + other.bound:
            return min(found, other, key=lambda estimate: estimate.bound)
        return Slope(math.nan, math.inf, evaluations=self.evaluations)

    def rung(self, h: float) -> _Rung:
        """The steps really made ahead and behind, and the values there."""
        ahead, behind = self.step(h), self.step(-h)
        return (
            ahead,
            behind,
            self.at(ahead) if ahead else math.nan,
            self.at(behind) if behind else math.nan,
        )

    def stair(self, here: float, rungs: Sequence[_Rung], *, ahead: bool) -> float:
        """How much rounding may hide where the function is a staircase here, 0 if it is none.

        Flat for the finest step and not further off: either the function sets off there slowly,
        or it jumps, and then rounding may hide as much.
        """
        pairs = [(r[0], r[2]) if ahead else (r[1], r[3]) for r in rungs[::-1]]
        values = [(t, f) for t, f in pairs if t and math.isfinite(f)]
        first = next((k for k, (_, f) in enumerate(values) if f != here), 0)
        if not first:
            return 0.0
        (flat, _), (there, f) = values[first - 1], values[first]
        height = abs(f - here)
        for _ in range(HALVINGS):
            middle = self.step((flat + there) / 2)
            if middle in {flat, there}:
                break
            f = self.at(middle)
            flat, there = (middle, there) if f == here else (flat, middle)
        jump = abs(self.at(there) - here)
        return STAIRS * jump if jump > SUDDEN * height else 0.0

    def solved(self, here: float, rungs: Sequence[_Rung], noise: float) -> Slope:
        """The derivative, if the values have so much noise."""
        blur = self.unit**BLUR * abs(here), self.unit**NEARBY * max(1.0, self.size)

        def quotients(pairs: Iterable[tuple[float, float, float]]) -> list[_Quotient]:
            found: list[_Quotient] = []
            for width, above, below in pairs:
                if width > 0 and math.isfinite(above) and math.isfinite(below):
                    own = max(noise, LEAST * self.unit * max(abs(above), abs(below)))
                    found.append(_Quotient((above - below) / width, 2 * own / width, width))
                else:
                    found.append(_NO_QUOTIENT)
            return found

        right = _limit(quotients((ahead, f, here) for ahead, _, f, _ in rungs), 4.0, *blur)
        left = _limit(quotients((-behind, here, f) for _, behind, _, f in rungs), 4.0, *blur)
        if right.disagrees(left, 2.0) and math.isfinite(right.bound + left.bound):
            middle, half = (left.value + right.value) / 2, abs(left.value - right.value) / 2
            bound = half + max(left.bound, right.bound)
            return Slope(middle, bound, left.value, right.value, self.evaluations, noise)
        central = _limit(quotients((a - b, f, g) for a, b, f, g in rungs), 16.0, *blur)
        best = min(central, right, left, key=lambda estimate: estimate.bound)
        if not math.isfinite(best.bound):
            return Slope(math.nan, math.inf, evaluations=self.evaluations)
        # Rounding that no sample shows: of the result, and of what cancels inside the function.
        bound = best.bound + 4 * self.unit * (abs(best.value) + abs(here) / self.first)
        if right.disagrees(left):
            bound = max(bound, abs(right.value - left.value))
        return Slope(best.value, bound, None, None, self.evaluations, noise)

    def noises(self, here: float) -> tuple[float, float]:
        """What rounding inside the function does to its value, at least a last place.

        In a table of differences a smooth function vanishes in the high columns, and what is left
        is noise: the j-th difference of independent errors of size ε is ε·√(2j over j).
        """
        near = NEAR * self.unit * self.size
        far = [min(n * self.unit * max(1.0, self.size), self.size / 16) for n in FAR]
        least = LEAST * self.unit * abs(here)
        coarse = max(self.noise(here, spacing) for spacing in far)
        return self.noise(here, near) + least, coarse + least

    def noise(self, here: float, spacing: float) -> float:
        middle = SAMPLES // 2
        row = [
            here if i == middle else self.at(self.step((i - middle) * spacing))
            for i in range(SAMPLES)
        ]
        largest = 0.0
        for order in range(1, max(ORDERS) + 1):
            row = [b - a for a, b in pairwise(row)]
            if order in ORDERS:
                mean = math.sqrt(sum(d * d for d in row) / len(row))
                size = mean / math.sqrt(math.comb(2 * order, order))
                largest = max(largest, size if math.isfinite(size) else 0.0)
        return NOISE_MARGIN * largest


def _finite(rungs: Sequence[_Rung]) -> list[float]:
    """The values of some rungs that are numbers."""
    return [f for rung in rungs for f in rung[2:] if math.isfinite(f)]


def _limit(quotients: Sequence[_Quotient], ratio: float, blur: float, nearby: float) -> _Estimate:
    """The limit of difference quotients for ever smaller steps.

    The entry of Richardson's tableau with the least bound that no finer quotient contradicts:
    where a kink or a jump is nearby, coarse steps agree with one another and are all wrong. What
    steps shorter than `nearby` say only by changes below `blur` is no contradiction but noise.
    """
    candidates = sorted(
        (
            (estimate, level)
            for level, row in enumerate(_tableau(quotients, ratio))
            for estimate in row
        ),
        key=lambda pair: pair[0].bound,
    )
    intervals = _intervals(quotients)
    for estimate, level in candidates:
        if not math.isfinite(estimate.bound):
            break
        hidden = 0.0  # the noise that would explain what finer steps say
        for other, quotient in zip(intervals[level + 1 :], quotients[level + 1 :], strict=True):
            if estimate.disagrees(other):
                apart = abs(estimate.value - other.value) - other.bound
                far = quotient.width > 2 * nearby
                hidden = max(hidden, math.inf if far else apart * quotient.width / 2)
        if hidden <= blur:
            return _Estimate(estimate.value, estimate.bound + 4 * hidden / quotients[level].width)
    return _NOTHING


def _tableau(quotients: Sequence[_Quotient], ratio: float) -> list[list[_Estimate]]:
    """Richardson's tableau: for each level the extrapolated values with their bounds."""
    found: list[list[_Estimate]] = []
    before: list[_Quotient] = []
    for quotient in quotients:
        row = [quotient]
        estimates = []
        for j, last in enumerate(before[:COLUMNS], start=1):
            weight = 1 / (ratio**j - 1)
            value = row[-1].value + (row[-1].value - last.value) * weight
            noise = row[-1].noise + (row[-1].noise + last.noise) * weight
            difference = max(abs(value - row[-1].value), abs(value - last.value))
            bound = SAFETY * difference + noise
            estimates.append(_Estimate(value, bound if math.isfinite(value) else math.inf))
            row.append(_Quotient(value, noise))
        found.append(estimates)
        before = row
    return found


def _intervals(quotients: Sequence[_Quotient]) -> list[_Estimate]:
    """Where each quotient says the limit is: around it, by its noise and its change to the next."""
    found = []
    for here, finer in pairwise([*quotients, _NO_QUOTIENT]):
        change = abs(here.value - finer.value)
        width = here.noise + SAFETY * (change if math.isfinite(change) else 0.0)
        known = math.isfinite(here.value)
        found.append(_Estimate(here.value, width) if known else _NOTHING)
    return found
