"""What goes wrong in training, noticed: errors that grow, units that are dead."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.base import shape_of

if TYPE_CHECKING:
    from chainrule.optim import Optimizer
    from chainrule.training.history import History

#: The error has grown without bound when it rose this many epochs in a row …
RISING_EPOCHS = 10
#: … and is this many times the first one.
RISING_FACTOR = 1000.0
#: Of fewer samples it may be by chance that none has a gradient.
FEWEST_SAMPLES = 20


class DivergedError(ArithmeticError):
    """The error is no longer finite, or grows without bound. `.history` holds what happened."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history

    def __reduce__(self) -> Any:
        """It comes back from other processes whole."""
        return type(self), (str(self), self.history)


class TrainingWarning(UserWarning):
    """A part of a network does not learn."""


def diverged(what: str, optimizer: Optimizer, history: History) -> DivergedError:
    """The error that says so, and what to do."""
    start = f" from {history.errors[0]:.3g}" if history.errors else ""
    rate = float(optimizer.learning_rate)
    return DivergedError(
        f"training diverged: {what}{start} after {len(history.errors)} epochs. The learning rate"
        f" {rate:g} is probably too large: try {rate / 10:g}, from fresh weights",
        history,
    )


def check_error(error: float, optimizer: Optimizer, history: History) -> None:
    """Raise DivergedError unless an error is finite."""
    if not math.isfinite(error):
        raise diverged(f"the error became {error}", optimizer, history)


def check_growth(optimizer: Optimizer, history: History) -> None:
    """Raise DivergedError if the error grows without bound."""
    recent = history.errors[-RISING_EPOCHS - 1 :]
    rising = all(a < b for a, b in pairwise(recent))
    if len(recent) > RISING_EPOCHS and rising and recent[-1] > RISING_FACTOR * history.errors[0]:
        raise diverged(f"the error grew to {recent[-1]:.3g}", optimizer, history)


class DeadUnits:
    """Units whose bias and weights had no gradient in a whole epoch: nothing reaches the error.

    Epochs 1, 2, 4, 8, … are looked at, so that it costs little, and those of enough samples.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.biases = [
            (i, p)
            for i, p in enumerate(optimizer.parameters)
            if len(shape_of(p._held)) == 1 and shape_of(p._held)[0] > 1
        ]
        #: The weights that a bias belongs to, which stand before it, and the axis of the units.
        self.weights: dict[int, Any] = {}
        self.axis: dict[int, int] = {}
        for i, p in self.biases:
            before = optimizer.parameters[i - 1] if i else None
            shape = () if before is None else shape_of(before._held)
            for axis in (len(shape) - 1, 0):
                if len(shape) > 1 and shape[axis] == shape_of(p._held)[0]:
                    self.weights.setdefault(id(p), before)
                    self.axis.setdefault(id(p), axis)
        self.alive: list[Any] = []
        self.told: set[int] = set()
        self.watching, self.samples = False, 0

    def begin(self, epoch: int, batch: int) -> None:
        """An epoch begins; those that are begun in the middle are not looked at."""
        self.watching = bool(self.biases) and batch == 0 and epoch & (epoch - 1) == 0
        self.samples = 0
        self.alive = [np.zeros(shape_of(p._held), bool) for _, p in self.biases]

    def look(self, size: int) -> None:
        """Look at the gradients of a batch of so many samples."""
        self.samples += size
        if self.watching:
            for alive, (_, p) in zip(self.alive, self.biases, strict=True):
                self._look_at_weights(p, alive)
                if p.grad is not None:
                    np.logical_or(alive, np.asarray(p.grad) != 0, out=alive)

    def _look_at_weights(self, bias: Any, alive: Any) -> None:
        """Before batch norm a bias has no gradient, and its weights have one."""
        weights = self.weights.get(id(bias))
        if weights is not None and weights.grad is not None:
            columns = np.moveaxis(np.asarray(weights.grad) != 0, self.axis[id(bias)], 0)
            np.logical_or(alive, columns.reshape(len(alive), -1).any(axis=1), out=alive)

    def end(self, epoch: int) -> None:
        """Warn of units that were dead all the time."""
        enough = self.watching and self.samples >= FEWEST_SAMPLES
        if not enough or not any(alive.any() for alive in self.alive):
            return
        for alive, (i, p) in zip(self.alive, self.biases, strict=True):
            dead = int(np.sum(~alive))
            if dead and i not in self.told:
                self.told.add(i)
                warnings.warn(
                    f"{dead} of {alive.size} units of {p.label or f'parameter {i}'} had no gradient"
                    f" in epoch {epoch}: they are dead, such as a relu that is never on. Try a"
                    f" smaller learning rate, initializer='he_normal', or cr.nn.leaky_relu",
                    TrainingWarning,
                    stacklevel=2,
                )
