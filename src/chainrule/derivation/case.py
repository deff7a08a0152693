"""A question about single numbers, and what every form of its answer needs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.derivation.numbers import number
from chainrule.errors import DerivationError
from chainrule.formulas.reading import read
from chainrule.formulas.styles import takes_bar
from chainrule.formulas.writing import written

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.engine import Node
    from chainrule.formulas.steps import Steps

#: How far what is printed may be from the gradient, relative to the size of what is added up.
TOLERANCE = 1e-12


@dataclass
class Case:
    """A question: the steps of a graph, the way to one node if there is one, and how to print."""

    steps: Steps
    adjoints: dict[int, float]
    digits: int
    to_step: Callable[[float], float] | None
    hidden: frozenset[tuple[str, str]]
    formulas: dict[tuple[int, int], Any] = field(default_factory=dict)

    @property
    def root(self) -> Node:
        return self.steps.root

    def name(self, node: Node) -> str:
        return self.steps.name(node)

    def partial(self, y: Node, x: Node) -> Any:
        """The formula of ∂y/∂x."""
        key = id(y), id(x)
        if key not in self.formulas:
            self.formulas[key] = self.steps.partial(y, x)
        return self.formulas[key]

    def is_hidden(self, y: Node, x: Node) -> bool:
        return (self.name(y), self.name(x)) in self.hidden

    @cached_property
    def bars(self) -> bool:
        """Whether every name is a letter with an index, over which a bar fits."""
        return all(map(takes_bar, self.steps.names.values()))

    @cached_property
    def values(self) -> dict[str, float]:
        """Every name's number; with rounding, what it is when every step is rounded."""
        exact = {name: float(np.asarray(x)) for name, x in self.steps.values.items()}
        if self.to_step is None:
            return exact
        for node in self.steps.steps:
            if node.op is not None:
                formula = written(self.steps.formula(node))
                exact[self.name(node)] = self.to_step(float(read(formula, self._known(exact))))
        return self._known(exact)

    def _known(self, values: dict[str, float]) -> dict[str, float]:
        """With the constants that writing a formula has named."""
        for name, x in self.steps.values.items():
            values.setdefault(name, float(np.asarray(x)))
        return values

    def evaluated(self, formula: Any, more: dict[str, float] | None = None) -> float:
        """The number a formula gives, read back from its own text."""
        names = self._known(self.values)
        return float(read(written(formula), names | (more or {})))

    def check(self, what: str, given: float, expected: float, scale: float) -> None:
        """Raise if what is printed is not the gradient.

        A derivation that disagrees with `backward()` would be worse than none.
        """
        if given == expected or (math.isnan(given) and math.isnan(expected)):
            return
        if not abs(given - expected) <= TOLERANCE * max(scale, abs(expected)):
            raise DerivationError(
                f"{what} gives {given!r}, backward gives {expected!r}: this is a fault of the"
                f" derivation, please report it"
            )


def drift_text(drifted: float, exact: float) -> str:
    """Rounded after every step, against exact."""
    difference = drifted - exact
    relative = f" ({difference / exact:+.2%})" if exact else ""
    return (
        f"Rounded after every step; the exact value is {number(exact, 10)}, the difference"
        f" {number(difference, 2)}{relative}."
    )


def share_text(part: float, whole: float) -> str:
    if not whole:
        return "no share"
    return f"{part / whole:.1%}"
