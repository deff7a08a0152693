"""What a training did."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.base import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from chainrule.engine import Node

BLOCKS = "▁▂▃▄▅▆▇█"
#: Above this ratio of the largest to the smallest a scale is logarithmic.
WIDE = 100.0


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
            squares = sum(
                float(np.vdot(p.grad, p.grad).real) for p in parameters if p.grad is not None
            )
            self.gradients.setdefault(name, []).append(math.sqrt(squares))

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


def sparkline(numbers: Sequence[float], width: int = 40) -> str:
    """Numbers as a line of blocks, the first and the last of them written out.

    The scale is logarithmic where the largest is more than a hundred times the smallest.

    >>> sparkline([8.0, 4.0, 2.0, 1.0])
    '8 █▄▂▁ 1'
    """
    values = np.asarray(numbers, dtype=float)
    if not len(values):
        return ""
    ends = f"{values[0]:.3g}", f"{values[-1]:.3g}"
    count = min(width, len(values))
    parts = [part.mean() for part in np.array_split(values, count)]
    shown = np.array(parts)
    finite = np.isfinite(shown)
    if not finite.any():
        return f"{ends[0]} {'?' * count} {ends[1]}"
    if scale_of(shown[finite]) == "log":
        with np.errstate(all="ignore"):
            shown = np.log(shown)
    low, high = shown[finite].min(), shown[finite].max()
    height = (shown - low) / (high - low or 1.0) * (len(BLOCKS) - 1)
    blocks = "".join(
        BLOCKS[round(h)] if known else "?" for h, known in zip(height, finite, strict=True)
    )
    return f"{ends[0]} {blocks} {ends[1]}"


def by_layer(parameters: Iterable[Node]) -> dict[str, list[Node]]:
    """Arrays each for itself; single numbers together: w1_11, w1_12, … are w1."""
    found: dict[str, list[Node]] = defaultdict(list)
    for i, p in enumerate(parameters, start=1):
        name = p.label or f"parameter {i}"
        if not shape_of(p._held):
            name = name.partition("_")[0] if p.label else "parameters"
        found[name].append(p)
    return dict(found)


def scale_of(values: Any) -> str:
    """Whether numbers are best seen on a logarithmic scale: "log" or "linear"."""
    positive = [value for value in values if np.isfinite(value)]
    if not positive or min(positive) <= 0:
        return "linear"
    return "log" if max(positive) > WIDE * min(positive) else "linear"
