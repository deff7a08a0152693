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
    `validation[k]` is the validation error then, and `rates[k]` the learning rate of the next step.
    `stopped_by` is "threshold", "epochs", "seconds", "patience", "callback" or "interrupt".
    `best_epoch` is the epoch of the best validation error, whose weights were kept; else None.
    `gradients` has for each layer the size ‖∂E/∂W‖ of its gradient, before the update of the epochs
    in `gradient_epochs`: some 400 of them, evenly.
    """

    errors: list[float] = field(default_factory=list)
    stopped_by: str = ""
    threshold: float | None = None
    validation: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    seconds: float = 0.0
    best_epoch: int | None = None
    gradients: dict[str, list[float]] = field(default_factory=dict)
    gradient_epochs: list[int] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """How many epochs changed the weights."""
        return max(len(self.errors) - 1, 0)

    def plot(self) -> Any:
        """The errors over the epochs, and the size of the gradient of each layer.

        Returns:
            a matplotlib Figure: `history.plot().savefig("training.png")`.

        Raises:
            ModuleNotFoundError: without matplotlib (extra `plot`).
            ValueError: if nothing was trained.
        """
        plots = import_module("chainrule.pictures.plots")
        return plots.training(
            self.errors, self.gradients, self.gradient_epochs, validation=self.validation
        )

    def sparkline(self, width: int = 40) -> str:
        """The error over the epochs as a line of text."""
        return sparkline(self.errors, width)

    def note_gradients(self, layers: Mapping[str, Sequence[Any]], epoch: int) -> None:
        """Add the sizes of the gradients as they are now."""
        self.gradient_epochs.append(epoch)
        for name, parameters in layers.items():
            sizes = [norm_of(p.grad) for p in parameters if p.grad is not None]
            self.gradients.setdefault(name, []).append(math.hypot(*sizes))

    def in_short(self) -> str:
        """Error, validation error and learning rate, as a progress bar shows them."""
        parts = [f"error {self.errors[-1]:.4g}"]
        parts += [f"validation {self.validation[-1]:.4g}"] if self.validation else []
        parts += [f"rate {self.rates[-1]:.3g}"] if self.rates else []
        return ", ".join(parts)

    def __repr__(self) -> str:
        return f"<History: {self}>"

    def __str__(self) -> str:
        if not self.errors:
            return "nothing trained yet"
        epoch, error = self.epochs, f"error {self.errors[-1]:.6g}"
        said = {
            "threshold": f"stopped at epoch {epoch}: {error} is below the threshold"
            f" {self.threshold or 0.0:g}",
            "seconds": f"stopped at epoch {epoch}, after {self.seconds:.3g} seconds: {error}",
            "patience": f"stopped at epoch {epoch}, as validation gets no better: {error}",
            "callback": f"stopped by a callback at epoch {epoch}: {error}",
            "interrupt": f"interrupted at epoch {epoch}: {error}",
        }.get(self.stopped_by, f"stopped after all {epoch} epochs: {error}")
        if self.best_epoch is None:
            return said
        best = self.validation[self.best_epoch]
        return f"{said}; kept the weights of epoch {self.best_epoch}: validation error {best:.6g}"
