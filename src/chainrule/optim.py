"""Optimisers: from gradients to new weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.engine import Node

if TYPE_CHECKING:
    from collections.abc import Iterable


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
        if isinstance(parameters, Node):
            raise TypeError("parameters are a list, even of one: [w]")
        self.parameters = list(parameters)
        self.learning_rate = learning_rate
        if not self.parameters:
            raise ValueError("no parameters to optimise")
        if not learning_rate > 0:
            raise ValueError(f"the learning rate must be positive, got {learning_rate}")
        if len({id(p) for p in self.parameters}) < len(self.parameters):
            raise ValueError("a parameter is in the list twice: it would be changed twice")
        for p in self.parameters:
            if not isinstance(p, Node):
                raise TypeError(f"a parameter is a Value or a Tensor, got {type(p).__name__}")
            if p.op is not None:
                raise TypeError(f"a parameter must be a leaf, this one is computed: {p.describe()}")

    def __repr__(self) -> str:
        count = len(self.parameters)
        return f"GradientDescent({count} parameters, learning_rate={self.learning_rate:g})"

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
            # Of complex numbers the direction of ascent is the conjugate of the gradient.
            p.replace_data(p._held - self.learning_rate * p.grad.conjugate())
