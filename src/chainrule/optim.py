"""Optimisers: from gradients to new weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainrule.engine import Node


class GradientDescent:
    """w ← w - learning_rate · ∂E/∂w, every weight from the gradients of the same backward.

    Args:
        parameters: leaves, `Value` or `Tensor`.
        learning_rate: a positive number.

    Raises:
        ValueError: if there are no parameters or the learning rate is not positive.
        TypeError: if a parameter was computed; only leaves can be changed.
    """

    def __init__(self, parameters: Iterable[Node], learning_rate: float) -> None:
        self.parameters = list(parameters)
        self.learning_rate = learning_rate
        if not self.parameters:
            raise ValueError("no parameters to optimise")
        if not learning_rate > 0:
            raise ValueError(f"the learning rate must be positive, got {learning_rate}")
        for p in self.parameters:
            if p.op is not None:
                raise TypeError(f"a parameter must be a leaf, this one is computed: {p.describe()}")

    def zero_grad(self) -> None:
        """Forget the gradients, so that the next backward starts from none."""
        for p in self.parameters:
            p.grad = None

    def step(self) -> None:
        """Change every weight.

        Raises:
            ValueError: if a parameter has no gradient; then no weight is changed.
        """
        for i, p in enumerate(self.parameters):
            if p.grad is None:
                name = p.label or f"number {i}"
                raise ValueError(
                    f"parameter {name} has no gradient: call backward() on a loss computed from it"
                )
        for p in self.parameters:
            p.data = p.data - self.learning_rate * p.grad
