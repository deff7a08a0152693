"""What every network has in common."""

from __future__ import annotations

from typing import Any


class Module:
    """Something with parameters: a layer or a network of layers."""

    def parameters(self) -> list[Any]:
        """Every weight, in a fixed order."""
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters, so that the next backward starts from none."""
        for p in self.parameters():
            p.grad = None
