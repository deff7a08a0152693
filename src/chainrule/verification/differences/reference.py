"""What a claim is compared with: own autodiff with its rounding error, and differences."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.functions import stop_gradient
from chainrule.verification.claims import unit_of
from chainrule.verification.differences.ladder import Slope, slope
from chainrule.verification.verdicts import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from chainrule.verification.subject import Subject
    from chainrule.verification.tape import Noise

UNIT = 2.0**-53
#: Backward passes with noise in every step, and how much larger an error may be than they show.
RUNS, MARGIN = 4, 4.0
#: Random directions in which a gradient of an array is compared with differences.
DIRECTIONS = 2
#: Arrays of more entries than this are not searched for kinks entry by entry.
MOST_ENTRIES = 256
#: Differences overrule `backward()` where they are known to this part of either.
SHARP = 1e-2
#: Of wrong entries that many are measured, and if all of them are as computed, no others.
FIRST = 8
#: So many leaves are moved at once first; one is confirmed whose share is this much clearer than
#: the error that would be seen.
MANY_LEAVES, CLEAR = 8, 1e3
#: Where moving all at once found nothing, the nodes of all ladders are no more than this.
MOST_STEPS = 20_000
#: A kink is looked for where the two sides are apart by this much, relative.
APART = 1e-9


def jittered(unit: float, seed: int) -> Noise:
    """What a result becomes that was rounded otherwise: each entry off by its last place."""
    random = np.random.default_rng(seed)

    def noise(y: Any, size: Any) -> Any:
        if y.__class__ is float:
            return y + 2 * unit * random.choice((-1.0, 1.0)) * abs(size)
        if getattr(getattr(y, "dtype", None), "kind", "") not in {"f", "c"}:
            return y
        return y + 2 * unit * random.choice((-1.0, 1.0), np.shape(y)) * np.abs(size)

    return noise


class GraphReference:
    """The adjoints of a graph in float64, each with a bound on its rounding error.

    The error is seen by running forward and backward again with every step rounded otherwise
    (stochastic arithmetic; Vignes, *A stochastic arithmetic for reliable scientific computation*,
    1993).
    """

    def __init__(self, subject: Subject) -> None:
        self.subject, self.tape = subject, subject.tape
        tape = self.tape
        self.bars = tape.backward(tape.data)
        #: The data of the graph where every step is rounded otherwise, a few times.
        self.rounded: list[list[Any]] = []
        self.spread = self.spread_of(UNIT, keep=self.rounded)
        self._checked: dict[int | tuple[int, int], Reference] = {}
        self._spent = 0
        #: Results that are constants to `backward()`: they are held where differences are taken.
        self._stopped = {
            i: tape.data[i] for i, node in enumerate(tape.nodes) if node.op is stop_gradient
        }

    def spread_of(self, unit: float, keep: list[list[Any]] | None = None) -> list[Any]:
        """How far each adjoint moves when every step is rounded to a unit; the data may be kept."""
        spread: list[Any] = [None if bar is None else np.zeros(np.shape(bar)) for bar in self.bars]
        for run in range(RUNS):
            noise = jittered(unit, run)
            data = self.tape.forward(noise=noise)
            if keep is not None:
                keep.append(data)
            for i, bar in enumerate(self.tape.backward(data, noise=noise)):
                if bar is not None:
                    with np.errstate(invalid="ignore"):
                        spread[i] = np.maximum(spread[i], np.abs(bar - self.bars[i]))
        return [None if s is None else MARGIN * s for s in spread]

    def noise(self, i: int) -> float:
        """How far rounding may move a result."""
        here = self.tape.data[i]
        with np.errstate(invalid="ignore"):
            off = [float(np.max(np.abs(data[i] - here), initial=0.0)) for data in self.rounded]
        return MARGIN * max((x for x in off if not math.isnan(x)), default=0.0)

    def value(self, i: int) -> np.ndarray:
        """The adjoint of a node; zeros where none arrives."""
        bar = self.bars[i]
        shape = np.shape(self.tape.data[i])
        return np.zeros(shape) if bar is None else np.broadcast_to(np.asarray(bar), shape)

    def bound(self, i: int) -> np.ndarray:
        """The rounding error that the adjoint of a node may have."""
        value, spread = self.value(i), self.spread[i]
        spread = 0.0 if spread is None else spread
        bound: np.ndarray = np.asarray(spread) + 4 * UNIT * np.abs(value)
        return np.where(np.isfinite(bound), bound, math.inf)

    def of(self, i: int) -> Reference:
        """The derivative of the root by a node, compared with differences."""
        if i not in self._checked:
            self._checked[i] = self._compared(i, Reference.of(self.value(i), self.bound(i)))
        return self._checked[i]

    def partial(self, y: int, x: int) -> Reference:
        """The derivative of a result by a node, compared with differences."""
        if (y, x) not in self._checked:
            value = self.tape.partial(self.tape.data, y, x)
            found = Reference.of(value, 256 * UNIT * np.abs(value))
            self._checked[y, x] = self._compared(x, found, y)
        return self._checked[y, x]

    def _compared(self, i: int, found: Reference, of: int = -1) -> Reference:
        """With a second opinion; at a kink with the interval of subgradients."""
        data = np.asarray(self.tape.data[i])
        if not self._differs(found, of) or data.dtype.kind != "f" or not data.size:
            return found
        if of < 0 and self._seen_together(i):
            return found
        if self._spent > MOST_STEPS and self._together:
            return found
        random = np.random.default_rng(1)
        for _ in range(DIRECTIONS if data.ndim else 1):
            direction = random.choice((-1.0, 1.0), data.shape) if data.ndim else np.ones(())
            seen = self.along(i, direction, of)
            expected = float(np.sum(found.value * direction))
            slack = seen.bound + float(np.sum(found.bound))
            apart = abs(seen.value - expected) > slack
            if not seen.kink and not apart:
                continue
            entries = list(np.ndindex(data.shape)) if data.size <= MOST_ENTRIES else []
            searched = self.searched(i, found, entries, of)
            sharp = seen.bound <= SHARP * max(abs(seen.value), abs(expected))
            if np.any(searched.kinks) or seen.kink or not sharp:
                return searched
            note = (
                f"backward() gives {expected:.9g} along one direction, differences of the forward"
                f" pass {seen.value:.9g}: kinks that cancel, or a wrong rule of an op"
            )
            if not entries:  # too many to see which one is wrong
                searched = replace(searched, bound=np.full(data.shape, math.inf))
            return replace(searched, note=note)
        return found

    def _seen_together(self, i: int) -> bool:
        """Whether moving all leaves at once confirms the gradient by this one, one of many."""
        clear = [abs(self._share(i, d)) > CLEAR * slack for d, slack in self._together]
        return self.tape.nodes[i].op is None and bool(clear) and all(clear)

    def _share(self, i: int, direction: Mapping[int, np.ndarray]) -> float:
        return float(np.sum(self.value(i) * direction[i])) if i in direction else 0.0

    @cached_property
    def _together(self) -> list[tuple[dict[int, np.ndarray], float]]:
        """Directions in all leaves at once, with the error that would have been seen along each.

        There are none for few leaves, and where `backward()` and differences disagree.
        """
        leaves = [
            i
            for i in self.tape.leaves
            if np.asarray(self.tape.data[i]).dtype.kind == "f" and np.size(self.tape.data[i])
        ]
        random = np.random.default_rng(2)
        found: list[tuple[dict[int, np.ndarray], float]] = []
        for _ in range(DIRECTIONS if len(leaves) >= MANY_LEAVES else 0):
            direction = {}
            for i in leaves:
                x = np.asarray(self.tape.data[i])
                size = float(np.max(np.abs(x))) or 1.0
                direction[i] = size * random.choice((-1.0, 1.0), x.shape)
            seen = self._moved(direction, -1, 1.0, float)
            slack = seen.bound + sum(
                float(np.sum(self.bound(i) * np.abs(d))) for i, d in direction.items()
            )
            expected = sum(self._share(i, direction) for i in leaves)
            if seen.kink or not abs(seen.value - expected) <= slack < math.inf:
                return []
            found.append((direction, slack))
        return found

    def _differs(self, found: Reference, of: int) -> bool:
        """Whether differences of a result can be taken: of the root, or of the sum of another."""
        y = self.tape.data[of]
        real = np.isrealobj(y) and np.isrealobj(found.value)
        return bool(real and (of >= 0 or np.size(y) == 1))

    def searched(
        self,
        i: int,
        found: Reference,
        entries: Sequence[tuple[int, ...]],
        of: int = -1,
        first: int = MOST_ENTRIES,
    ) -> Reference:
        """Some entries by differences: at a kink the interval, else where `backward()` is wrong.

        Where so many of the first show nothing, the others are not looked at.
        """
        if not self._differs(found, of):
            return found
        value, low, high, bound = (
            np.array(x, float) for x in (found.value, found.low, found.high, found.bound)
        )
        for k, index in enumerate(entries[:MOST_ENTRIES]):
            if k == first and np.all(low == found.low) and np.all(value == found.value):
                break
            direction = np.zeros(low.shape)
            direction[index] = 1.0
            seen = self.along(i, direction, of)
            least, most = seen.interval
            if seen.kink and most - least > APART * max(abs(least), abs(most)):
                low[index], high[index] = least, most
                bound[index] = seen.around
                continue
            apart = abs(seen.value - value[index])
            if not apart > seen.bound + bound[index]:
                continue
            if seen.bound <= SHARP * max(abs(seen.value), abs(value[index])):
                value[index] = low[index] = high[index] = seen.value
                bound[index] = seen.bound
            else:  # who is right cannot be told
                bound[index] = apart + seen.bound
        if np.any(low != high):
            for index in entries[MOST_ENTRIES:]:  # not looked at
                bound[index] = math.inf
        return Reference(value, bound, low, high, found.note)

    def along(self, i: int, direction: np.ndarray, of: int = -1) -> Slope:
        """The slope of a result, the root by default, along a direction of a node."""
        start = np.asarray(self.tape.data[i], float)
        scale, step = size_of(start, direction), stepper(start, direction)
        return self._moved({i: direction}, of, scale, step)

    def _moved(
        self,
        directions: Mapping[int, np.ndarray],
        of: int,
        scale: float,
        step: Callable[[float], float],
    ) -> Slope:
        """The slope of a result where some nodes are moved."""
        starts = {i: np.asarray(self.tape.data[i], float) for i in directions}

        def value(t: float) -> float:
            held: dict[int, Any] = dict(self._stopped)
            for i, direction in directions.items():
                there: Any = starts[i] + t * direction
                held[i] = float(there) if self.tape.data[i].__class__ is float else there
            return float(np.sum(self.tape.forward(held=held)[of]))

        self._spent += len(self.tape.nodes)
        least = self.noise(of)
        return slope(value, scale, step=step, least=least if math.isfinite(least) else 0.0)


def size_of(start: np.ndarray, direction: np.ndarray) -> float:
    """The size of the numbers that are moved along a direction."""
    return float(np.max(np.abs(start[direction != 0]), initial=0.0))


def stepper(start: np.ndarray, direction: np.ndarray) -> Callable[[float], float]:
    """The step that is really made: along one entry x + t is rounded to a float of its dtype."""
    moving = np.flatnonzero(direction)
    if len(moving) != 1:
        return float
    x, sign = start.reshape(-1)[moving[0]], float(direction.reshape(-1)[moving[0]])

    def step(t: float) -> float:
        return float((type(x)(x + type(x)(t * sign)) - x) * type(x)(sign))

    return step


@dataclass
class FunctionReference:
    """The gradient of a function known by its numbers only.

    Args:
        function: takes as many arrays as there are in `at`, returns one number.
        at: the arguments.
    """

    function: Callable[..., Any]
    at: Sequence[np.ndarray]
    evaluations: int = 0

    def __post_init__(self) -> None:
        self.unit = max(map(unit_of, self.at))

    def along(
        self,
        directions: Mapping[int, np.ndarray],
        levels: int | None = None,
        noise: float | None = None,
    ) -> Slope:
        """The slope along directions in some of the arguments, see `ladder.slope`."""
        sizes = [size_of(self.at[k], d) for k, d in directions.items()]

        def value(t: float) -> Any:
            moved = [x.copy() for x in self.at]
            for k, direction in directions.items():
                dtype = moved[k].dtype
                moved[k] = (moved[k] + (t * direction).astype(dtype)).astype(dtype)
            return self.function(*moved)

        step: Callable[[float], float] = float
        if len(directions) == 1:
            ((k, d),) = directions.items()
            step = stepper(self.at[k], d)
        found = slope(value, max(sizes), self.unit, step, levels, noise)
        self.evaluations += found.evaluations
        return found

    def of(self, k: int) -> Reference:
        """The derivative by one argument, entry by entry."""
        shape = self.at[k].shape
        value, bound, low, high = (np.empty(shape) for _ in range(4))
        for index in np.ndindex(shape):
            direction = np.zeros(shape)
            direction[index] = 1.0
            seen = self.along({k: direction})
            value[index], bound[index] = seen.value, seen.around
            low[index], high[index] = seen.interval
        return Reference(value, bound, low, high)
