"""What every question has, about single numbers or about arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.engine import Node
    from chainrule.formulas.steps import Steps


@dataclass
class Question:
    """The steps of a graph with their adjoints, and how to print them."""

    steps: Steps
    adjoints: dict[int, Any]
    digits: int
    to_step: Callable[[float], float] | None
    hidden: frozenset[tuple[str, str]]
    #: Whether a formula gave 0/0 where the gradient is 0 by the convention 0·∞ = 0, or too much.
    by_convention: bool = False

    @property
    def root(self) -> Node:
        return self.steps.root

    def name(self, node: Node) -> str:
        return self.steps.name(node)

    def is_hidden(self, y: Node, x: Node) -> bool:
        """Whether ∂y/∂x is to be left blank."""
        return (self.name(y), self.name(x)) in self.hidden
