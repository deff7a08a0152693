"""What every network has in common."""

from __future__ import annotations

from typing import Any

from chainrule.scopes import scoped


class Module:
    """Something with parameters: a layer or a network of layers.

    What a module computes when it is called is drawn together in pictures, under the name it has in
    your program: `net.layers[0]`.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__call__" in cls.__dict__:
            setattr(cls, "__call__", scoped(cls.__dict__["__call__"]))  # noqa: B010 -- for mypy

    def parameters(self) -> list[Any]:
        """Every weight, in a fixed order."""
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters, so that the next backward starts from none."""
        for p in self.parameters():
            p.grad = None
