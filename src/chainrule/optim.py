"""Optimisers: from gradients to new weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.recording import lift, tracers
from chainrule.tensor import Tensor
from chainrule.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable


class Optimizer:
    """Parameters that are changed by their gradients; `GradientDescent` and `Adam` say how.

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
        if not self.parameters:
            raise ValueError("no parameters to optimise")
        if not learning_rate > 0:
            raise ValueError(f"the learning rate must be positive, got {learning_rate}")
        #: A leaf, so that compiled code sees when it is changed.
        self._rate = Value(float(learning_rate))
        if len({id(p) for p in self.parameters}) < len(self.parameters):
            raise ValueError("a parameter is in the list twice: it would be changed twice")
        for p in self.parameters:
            if not isinstance(p, Node):
                raise TypeError(f"a parameter is a Value or a Tensor, got {type(p).__name__}")
            if p.op is not None:
                raise TypeError(f"a parameter must be a leaf, this one is computed: {p.describe()}")

    @property
    def learning_rate(self) -> float:
        """The learning rate; it may be changed between steps."""
        return self._rate.data

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._rate.data = float(rate)

    def __repr__(self) -> str:
        count = len(self.parameters)
        return f"{type(self).__name__}({count} parameters, learning_rate={self.learning_rate:g})"

    def zero_grad(self) -> None:
        """Forget the gradients, so that the next backward starts from none."""
        if tracers:
            lift(self.parameters)
        for p in self.parameters:
            p.grad = None

    def step(self) -> None:
        """Change every weight.

        Raises:
            ValueError: if a parameter has no gradient; then no weight is changed.
        """
        if tracers:
            lift(self.parameters)
        for i, p in enumerate(self.parameters):
            if p.grad is None:
                name = p.label or f"number {i}"
                raise ValueError(
                    f"parameter {name} has no gradient: call backward() on a loss computed from it"
                )
        self.update()

    def update(self) -> None:
        """Change every weight; all have a gradient."""
        raise NotImplementedError


class GradientDescent(Optimizer):
    """w ← w - learning_rate · ∂E/∂w, every weight from the gradients of the same backward.

    Arguments and errors are those of `Optimizer`.
    """

    def update(self) -> None:
        rate = self.learning_rate
        for p in self.parameters:
            # Of complex numbers the direction of ascent is the conjugate of the gradient.
            p.replace_data(p._held - rate * p.grad.conjugate())


class Adam(Optimizer):
    """Steps as long as the gradient is steady, in each entry: Adam (Kingma and Ba, 2015).

    m ← β₁·m + (1 - β₁)·g, v ← β₂·v + (1 - β₂)·g², w ← w - η·m̂ / (√v̂ + ε), where m̂ = m / (1 - β₁ᵗ)
    and v̂ = v / (1 - β₂ᵗ) in step t.

    Args:
        parameters: Tensors of real numbers.
        learning_rate: η.
        betas: β₁ and β₂, at least 0 and below 1.
        eps: ε.

    Raises:
        ValueError: for betas out of range, and as `Optimizer`.
        TypeError: for Values and complex Tensors.

    >>> import chainrule as cr
    >>> w = cr.Tensor([1.0, -20.0])
    >>> optimizer = cr.optim.Adam([w], 0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(6)
    array([  0.9, -19.9])
    """

    def __init__(
        self,
        parameters: Iterable[Node],
        learning_rate: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, learning_rate)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas are at least 0 and below 1, got {betas}")
        for p in self.parameters:
            if not isinstance(p, Tensor) or p.dtype.kind != "f":
                raise TypeError("Adam changes Tensors of real numbers")
        self.betas, self.eps = betas, eps
        #: The number of steps and the means, as leaves that belong to the optimiser.
        self.steps = Tensor(0.0)
        self.means = [Tensor(np.zeros_like(p._held)) for p in self.parameters]
        self.squares = [Tensor(np.zeros_like(p._held)) for p in self.parameters]

    def update(self) -> None:
        if tracers:
            lift([self.steps, *self.means, *self.squares])
        (beta1, beta2), count = self.betas, self.steps._held + 1.0
        self.steps.replace_data(count)
        root = np.sqrt(1 - beta2**count)  # of v̂; it goes into the rate and into ε instead
        rate, eps = self.learning_rate * root / (1 - beta1**count), self.eps * root
        for p, mean, square in zip(self.parameters, self.means, self.squares, strict=True):
            g: Any = p.grad
            m, v, squared = mean._held * beta1, square._held * beta2, g * g
            m += g * (1 - beta1)  # in arrays of its own: large ones cost more than the arithmetic
            squared *= 1 - beta2
            v += squared
            step, size = m * rate.astype(g.dtype), np.sqrt(v)
            size += eps.astype(g.dtype)
            step /= size
            mean.replace_data(m)
            square.replace_data(v)
            p.replace_data(np.subtract(p._held, step))
