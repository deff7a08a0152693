"""Learning rates that change with the steps: functions of the number of steps before.

They are written with NumPy's functions, so that compiled code computes them, too. Any function of
that number is a schedule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.optim.optimizer import require

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class StepDecay:
    """rate · factor^⌊t / every⌋ after t steps.

    >>> schedule = StepDecay(0.1, every=100, factor=0.5)
    >>> [round(float(schedule(t)), 4) for t in (0, 99, 100, 250)]
    [0.1, 0.1, 0.05, 0.025]
    """

    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        require(self.rate > 0, f"rate={self.rate}: above 0")
        require(self.every >= 1, f"every={self.every}: at least 1 step")
        require(self.factor > 0, f"factor={self.factor}: above 0")

    def __call__(self, count: Any) -> Any:
        return self.rate * self.factor ** np.floor(count / self.every)


@dataclass(frozen=True)
class Exponential:
    """rate · factor^t after t steps."""

    rate: float
    factor: float

    def __post_init__(self) -> None:
        require(self.rate > 0, f"rate={self.rate}: above 0")
        require(self.factor > 0, f"factor={self.factor}: above 0")

    def __call__(self, count: Any) -> Any:
        return self.rate * self.factor**count


@dataclass(frozen=True)
class Cosine:
    """From rate down to floor along half a cosine, in `steps` steps; floor from then on.

    floor + (rate - floor) · ½(1 + cos(π·min(t / steps, 1))) after t steps (Loshchilov and Hutter,
    2017).

    >>> [round(float(Cosine(0.1, 100)(t)), 4) for t in (0, 50, 100, 150)]
    [0.1, 0.05, 0.0, 0.0]
    """

    rate: float
    steps: int
    floor: float = 0.0

    def __post_init__(self) -> None:
        require(self.rate > 0, f"rate={self.rate}: above 0")
        require(self.steps >= 1, f"steps={self.steps}: at least 1")
        require(0 <= self.floor <= self.rate, f"floor={self.floor}: from 0 to the rate")

    def __call__(self, count: Any) -> Any:
        part = np.minimum(count / self.steps, 1.0)
        return self.floor + (self.rate - self.floor) * 0.5 * (1 + np.cos(np.pi * part))


@dataclass(frozen=True)
class WarmUp:
    """A line up to another schedule (or to a rate): (t + 1) / steps of it while t < steps.

    The other one begins after the line: it is asked for t - steps steps, and for 0 before.

    >>> [round(float(WarmUp(4, 0.1)(t)), 3) for t in range(6)]
    [0.025, 0.05, 0.075, 0.1, 0.1, 0.1]
    """

    steps: int
    then: float | Callable[[Any], Any]

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"steps={self.steps}: at least 1")
        require(callable(self.then) or self.then > 0, f"then={self.then}: above 0, or a schedule")

    def __call__(self, count: Any) -> Any:
        after = self.then(np.maximum(count - self.steps, 0.0)) if callable(self.then) else self.then
        return after * np.minimum((count + 1.0) / self.steps, 1.0)
