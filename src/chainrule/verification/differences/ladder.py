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
from itertools import cycle, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.traced import plain
from chainrule.verification.differences.tableau import NO_QUOTIENT, Quotient, limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: How many steps the ladder has at least, each a quarter of the one before.
LEVELS = 25
#: So many steps are shorter than x itself, where x is small.
BELOW_X = 12
#: Noise is seen in a few samples only: how much larger it may really be.
NOISE_MARGIN = 12.0
#: The least noise of a value, in halves of its last place: library functions are off by that.
LEAST = 2.0
#: Stairs higher than this part of the value ask for more care.
WARY = 1e-4
#: One-sided derivatives closer than unit^BENT of the steepest slope nearby are no kink: the second
#: derivative jumps nearby, or they are not as exact as they seem.
BENT = 0.35
#: How much more than the height of a stair rounding may hide.
STAIRS = 2.0
#: How closely a stair is looked for.
HALVINGS = 40
#: Where the function leaves a line its noise is looked at, these parts of longer ways apart.
ASIDE = (0.37, 0.23, 0.41, 0.29)
#: At so many lengths at most.
MOST_ASIDE = 8
#: Noise of so many last places is nothing special; stairs look alike, within this factor.
PLACES, EVEN = 2.0, 6.0
#: A stair of no more than unit^ROUNDED of the largest value is rounding, one of more than MEANT of
#: it is a jump of the function; what one in between is cannot be told.
ROUNDED, MEANT = 0.6, 0.1
#: What happens at once is a jump if it is larger than so many last places.
JUMP = 8.0
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
    def around(self) -> float:
        """The error that the ends of the interval may have."""
        least, most = self.interval
        return self.bound - (most - least) / 2 if self.kink else self.bound

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
        along: a function of one number that returns one number. Where it raises or is not finite,
            the point is left out.
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
        except Exception:  # noqa: BLE001 -- whatever a function raises where it has no number
            return math.nan

    def result(self, levels: int | None, noise: float | None) -> Slope:
        here = self.at(0.0)
        if not math.isfinite(here):
            return self.nothing()
        if levels is None:
            below = math.ceil(math.log(self.first / self.size, 4)) + BELOW_X
            levels = max(LEVELS, below)
        rungs = [self.rung(self.first / 4.0**level) for level in range(levels)]
        near, far = self.noises(here) if noise is None else (noise, noise)
        near, far = max(near, self.least), max(far, self.least)
        largest = max(abs(f) for f in [here, *_finite(rungs)])
        # So much noise may be no noise: the function may turn within that distance.
        most = math.sqrt(self.unit) * largest
        if near > most:
            return self.nothing()
        sides = (True, False) if noise is None else ()  # known noise is that of stairs, too
        stair = max((self.stair(here, rungs, ahead=ahead) for ahead in sides), default=0.0)
        if stair > MEANT * largest:
            stair = 0.0
        found = self.solved(here, rungs, max(near, far), STAIRS * stair)
        doubtful = stair > self.unit**ROUNDED * largest  # it may jump, or be rounded inside
        if not doubtful and far <= max(near, most):
            return found
        plain = self.solved(here, rungs, near, 0.0)
        if not _agree(found, plain):
            return self.nothing()
        return found if doubtful else min(found, plain, key=lambda estimate: estimate.bound)

    def nothing(self) -> Slope:
        """Nothing can be said."""
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

        The shortest steps give a line. Where the function leaves it, either it does so slowly, or
        it jumps, by more than its own last places: then something inside of it was rounded.
        """
        pairs = [(r[0], r[2]) if ahead else (r[1], r[3]) for r in rungs[::-1]]
        values = [(t, f) for t, f in pairs if t and math.isfinite(f)]
        k, slope, place = self.departure(here, values)
        if not k:
            return 0.0

        def off(t: float, f: float) -> float:
            return f - here - slope * t

        (flat, f_flat), (there, f_there) = values[k - 1], values[k]
        off_flat, off_there = off(flat, f_flat), off(there, f_there)
        middle_way = (off_flat + off_there) / 2
        jumps = [abs(off_there - off_flat)]
        for _ in range(HALVINGS):
            middle = self.step((flat + there) / 2)
            if middle in {flat, there} or not jumps[-1] > JUMP * place:
                break
            off_middle = off(middle, self.at(middle))
            if (off_middle > middle_way) == (off_there > middle_way):
                there, off_there = middle, off_middle
            else:
                flat, off_flat = middle, off_middle
            jumps.append(abs(off_there - off_flat))
        if jumps[-1] > max(JUMP * place, jumps[max(-5, -len(jumps))] / 4):  # at once, not slowly
            return jumps[-1]
        return self.teeth(here, place, [abs(t) for t, _ in values[k:]])

    def departure(
        self, here: float, values: Sequence[tuple[float, float]]
    ) -> tuple[int, float, float]:
        """Where the function leaves a line (0 if it never does), its slope, and the last place."""
        low, high, place = -math.inf, math.inf, 0.0
        for k, (t, f) in enumerate(values):
            place = max(place, LEAST * self.unit * max(abs(here), abs(f)))
            quotient, error = (f - here) / t, 2 * place / abs(t)
            if quotient - error > high or quotient + error < low:
                return k, (low + high) / 2, place
            low, high = max(low, quotient - error), min(high, quotient + error)
        return 0, math.nan, place

    def teeth(self, here: float, place: float, steps: Sequence[float]) -> float:
        """The height of stairs so short that each climb is followed by a fall.

        What differences of high order see there is the same at steps of any length.
        """
        seen: list[float] = []
        tall = self.unit**ROUNDED * abs(here)  # so tall ones may be kinks as well: once more
        longer = zip(cycle(ASIDE), steps[1 : 2 * MOST_ASIDE : 2], strict=False)
        for n, (factor, t) in enumerate(longer, start=1):
            height = self.noise(here, factor * t) / NOISE_MARGIN
            high = height > PLACES * place
            seen += [height] if high else []
            even = [h for h in seen if height < EVEN * h < EVEN**2 * height]
            if len(even) > (2 if height > tall else 1):
                return max(even)
            if n >= len(ASIDE) and not high:
                break
        return 0.0

    def solved(self, here: float, rungs: Sequence[_Rung], noise: float, stair: float) -> Slope:
        """The derivative, if the values have so much noise, and stairs that grow with them."""
        wary = stair > WARY * abs(here)

        def quotients(pairs: Iterable[tuple[float, float, float]]) -> list[Quotient]:
            found: list[Quotient] = []
            for width, above, below in pairs:
                if width > 0 and math.isfinite(above) and math.isfinite(below):
                    size = max(abs(above), abs(below))
                    stairs = stair * math.sqrt(max(1.0, size / abs(here))) if here else stair
                    own = max(noise, stairs, LEAST * self.unit * size)
                    found.append(Quotient((above - below) / width, 2 * own / width))
                else:
                    found.append(NO_QUOTIENT)
            return found

        over = quotients((ahead, f, here) for ahead, _, f, _ in rungs)
        under = quotients((-behind, here, f) for _, behind, _, f in rungs)
        right, left = limit(over, 4.0, wary=wary), limit(under, 4.0, wary=wary)
        apart = abs(right.value - left.value)
        steepest = max((abs(q.value) for q in [*over, *under] if math.isfinite(q.value)), default=0)
        if right.disagrees(left, 2.0) and self.unit**BENT * steepest < apart < math.inf:
            middle, half = (left.value + right.value) / 2, apart / 2
            bound = half + max(left.bound, right.bound)
            return Slope(
                middle, bound, left.value, right.value, self.evaluations, max(noise, stair)
            )
        central = limit(quotients((a - b, f, g) for a, b, f, g in rungs), 16.0, wary=wary)
        best = min(central, right, left, key=lambda estimate: estimate.bound)
        if not math.isfinite(best.bound):
            return self.nothing()
        # Rounding that no sample shows: of the result, and of what cancels inside the function.
        bound = best.bound + 4 * self.unit * (abs(best.value) + abs(here) / self.first)
        if math.isfinite(apart) and (right.disagrees(left) or best is not central):
            bound = max(bound, 2 * apart)
        return Slope(best.value, bound, None, None, self.evaluations, max(noise, stair))

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


def _agree(a: Slope, b: Slope) -> bool:
    return abs(a.value - b.value) <= a.bound + b.bound


def _finite(rungs: Sequence[_Rung]) -> list[float]:
    """The values of some rungs that are numbers."""
    return [f for rung in rungs for f in rung[2:] if math.isfinite(f)]
