"""What a training did."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from chainrule.summaries import norm_of, sparkline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(repr=False)
class History:
    """What a training did.

    `errors[0]` is the error before training and `errors[k]` the one after epoch k; with batches
    it is the mean of the errors that the batches of epoch k had as they came.
    `stopped_by` is "threshold" or "epochs".
    `gradients` has for each layer the size ‖∂E/∂W‖ of its gradient, before the update of the epochs
    in `gradient_epochs`: some 400 of them, evenly.
    """

    errors: list[float] = field(default_factory=list)
    stopped_by: str = ""
    threshold: float | None = None
    gradients: dict[str, list[float]] = field(default_factory=dict)
    gradient_epochs: list[int] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """How many epochs changed the weights."""
        return max(len(self.errors) - 1, 0)

    def plot(self) -> Any:
        """The error over the epochs, and the size of the gradient of each layer.

        Returns:
            a matplotlib Figure: `history.plot().savefig("training.png")`.

        Raises:
            ModuleNotFoundError: without matplotlib (extra `plot`).
            ValueError: if nothing was trained.
        """
        plots = import_module("chainrule.pictures.plots")
        return plots.training(self.errors, self.gradients, self.gradient_epochs)

    def sparkline(self, width: int = 40) -> str:
        """The error over the epochs as a line of text."""
        return sparkline(self.errors, width)

    def note_gradients(self, layers: Mapping[str, Sequence[Any]], epoch: int) -> None:
        """Add the sizes of the gradients as they are now."""
        self.gradient_epochs.append(epoch)
        for name, parameters in layers.items():
            sizes = [norm_of(p.grad) for p in parameters if p.grad is not None]
            self.gradients.setdefault(name, []).append(math.hypot(*sizes))

    def __repr__(self) -> str:
        return f"<History: {self}>"

    def __str__(self) -> str:
        if not self.errors:
            return "nothing trained yet"
        error = f"error {self.errors[-1]:.6g}"
        if self.stopped_by == "threshold":
            return (
                f"stopped at epoch {self.epochs}: {error} is below the threshold {self.threshold:g}"
            )
        return f"stopped after all {self.epochs} epochs: {error}"
