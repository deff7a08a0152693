"""What a claim is compared with: own autodiff with its rounding error, and differences."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.functions import stop_gradient
from chainrule.verification.ladder import Slope, slope
from chainrule.verification.verdicts import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from chainrule.verification.subject import Subject

UNIT = 2.0**-53
#: Backward passes with noise in every step, and how much larger an error may be than they show.
RUNS, MARGIN = 4, 8.0
#: Random directions in which a gradient of an array is compared with differences.
DIRECTIONS = 2
#: Arrays of more entries than this are not searched for kinks entry by entry.
MOST_ENTRIES = 256
#: A kink is looked for where the two sides are apart by this much, relative.
APART = 1e-9


def jittered(unit: float, seed: int) -> Callable[[Any], Any]:
    """What a result becomes that was rounded otherwise: each entry times 1 ± unit."""
    random = np.random.default_rng(seed)

    def noise(y: Any) -> Any:
        if y.__class__ is float:
            return y * (1 + unit * random.choice((-1.0, 1.0)))
        if getattr(getattr(y, "dtype", None), "kind", "") not in {"f", "c"}:
            return y
        return y * (1 + unit * random.choice((-1.0, 1.0), np.shape(y)))

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
        self.spread = self.spread_of(UNIT)
        self._checked: dict[int, Reference] = {}
        self._stops = any(node.op is stop_gradient for node in tape.nodes)

    def spread_of(self, unit: float) -> list[Any]:
        """How far each adjoint moves when every step is rounded to a unit."""
        spread: list[Any] = [None if bar is None else np.zeros(np.shape(bar)) for bar in self.bars]
        for run in range(RUNS):
            noise = jittered(unit, run)
            data = self.tape.forward(noise=noise)
            for i, bar in enumerate(self.tape.backward(data, noise=noise)):
                if bar is not None:
                    with np.errstate(invalid="ignore"):
                        spread[i] = np.maximum(spread[i], np.abs(bar - self.bars[i]))
        return [None if s is None else MARGIN * s for s in spread]

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

    def _compared(self, i: int, found: Reference) -> Reference:
        """With a second opinion; at a kink with the interval of subgradients."""
        data = np.asarray(self.tape.data[i])
        if self._stops or data.dtype.kind != "f" or np.ndim(self.tape.data[-1]) or not data.size:
            return found
        random = np.random.default_rng(1)
        for _ in range(DIRECTIONS if data.ndim else 1):
            direction = random.choice((-1.0, 1.0), data.shape) if data.ndim else np.ones(())
            seen = self.along(i, direction)
            expected = float(np.sum(found.value * direction))
            slack = seen.bound + float(np.sum(found.bound))
            if not seen.kink and not abs(seen.value - expected) > slack:
                continue
            entries = list(np.ndindex(data.shape)) if data.size <= MOST_ENTRIES else []
            searched = self.searched(i, found, entries)
            if np.any(searched.kinks):
                return searched
            if abs(seen.value - expected) > slack and not seen.kink:
                note = (
                    f"backward() gives {expected:.9g} along one direction, differences of the"
                    f" forward pass {seen.value:.9g}: kinks that cancel, or a wrong rule of an op"
                )
                return replace(searched, note=note)
        return found

    def searched(self, i: int, found: Reference, entries: Sequence[tuple[int, ...]]) -> Reference:
        """Some entries by differences: at a kink the interval, else where `backward()` is wrong."""
        if self._stops or not np.isrealobj(found.value) or np.ndim(self.tape.data[-1]):
            return found
        value, low, high, bound = (
            np.array(x, float) for x in (found.value, found.low, found.high, found.bound)
        )
        for index in entries[:MOST_ENTRIES]:
            direction = np.zeros(low.shape)
            direction[index] = 1.0
            seen = self.along(i, direction)
            least, most = seen.interval
            if seen.kink and most - least > APART * max(abs(least), abs(most)):
                low[index], high[index] = least, most
                bound[index] = seen.bound - (most - least) / 2
            elif abs(seen.value - value[index]) > seen.bound + bound[index]:
                value[index] = low[index] = high[index] = seen.value
                bound[index] = seen.bound
        return Reference(value, bound, low, high, found.note)

    def along(self, i: int, direction: np.ndarray) -> Slope:
        """The slope of the root along a direction of a node, by differences."""
        here = self.tape.data[i]
        scalar = here.__class__ is float
        start = np.asarray(here, float)

        def value(t: float) -> float:
            moved: Any = start + t * direction
            held = {i: float(moved) if scalar else moved}
            return float(np.asarray(self.tape.forward(held=held)[-1]).reshape(()))

        return slope(value, size_of(start, direction), step=stepper(start, direction))


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
        self.unit = 2.0**-24 if any(x.dtype == np.float32 for x in self.at) else UNIT

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
            value[index], bound[index] = seen.value, seen.bound
            low[index], high[index] = seen.interval
            if seen.kink:
                bound[index] = seen.bound - (high[index] - low[index]) / 2
        return Reference(value, bound, low, high)
