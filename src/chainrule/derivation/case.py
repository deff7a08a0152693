"""A question about single numbers, and what every form of its answer needs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.derivation.numbers import TOLERANCE
from chainrule.derivation.question import Question
from chainrule.errors import DerivationError
from chainrule.formulas.algebra import size_of
from chainrule.formulas.digits import number
from chainrule.formulas.styles import TEXT, takes_bar
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import written

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.engine import Node

#: Products of numbers below this may be lost, in one order of multiplication and not in another.
SMALLEST = 1e-150


@dataclass
class Case(Question):
    """A question: the steps of a graph, the way to one node if there is one, and how to print."""

    formulas: dict[tuple[int, int], Any] = field(default_factory=dict)
    #: Whether numbers were met that floats cannot compute with any more.
    too_small: bool = False

    def partial(self, y: Node, x: Node) -> Any:
        """The formula of ∂y/∂x."""
        key = id(y), id(x)
        if key not in self.formulas:
            self.formulas[key] = self._named(y, x, self.steps.partial(y, x))
        return self.formulas[key]

    def _named(self, y: Node, x: Node, formula: Any) -> Any:
        """The partial of an op that is known by its numbers only goes by the name ∂y/∂x."""
        op: Any = y.op
        short = len(written(formula)) <= self.digits + 2
        if isinstance(formula, Symbol) or not op.opaque or short:
            return formula
        name = f"∂{TEXT.name(self.name(y))}/∂{TEXT.name(self.name(x))}"
        self.steps.values[name] = formula
        return Symbol(name)

    @cached_property
    def scales(self) -> dict[int, float]:
        """For each node the size of all that is added up in its adjoint, cancelling or not."""
        scales = {id(self.root): 1.0}
        for node in reversed(self.steps.steps):
            for x in self.steps.inputs(node) if id(node) in scales else ():
                size = scales[id(node)] * self.size(self.partial(node, x))
                scales[id(x)] = scales.get(id(x), 0.0) + size
        return scales

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
                op: Any = node.op
                value = exact[self.name(node)]
                if not op.opaque:
                    value = self._read(self.steps.formula(node), exact)
                exact[self.name(node)] = self.to_step(value)
        return exact

    def _read(self, formula: Any, values: dict[str, float]) -> float:
        # Writing a formula may have named constants since the values were gathered.
        used = self.steps.used([formula])
        names = {name: values.get(name, self.steps.values[name]) for name in used}
        return float(self.steps.number(formula, names))

    def number(self, name: str) -> float:
        """What a name stands for."""
        return self.values.get(name, float(np.asarray(self.steps.values[name])))

    def evaluated(self, formula: Any) -> float:
        """The number a formula gives, read back from its own text."""
        return self._read(formula, self.values)

    def size(self, formula: Any) -> float:
        """The size of what a formula adds up, from which cancellation may leave little."""
        names = {name: self.number(name) for name in self.steps.used([formula])}
        return size_of(formula, names)[1]

    def check(self, what: str, given: float, expected: float, scale: Callable[[], float]) -> None:
        """Raise if what is printed is not the gradient.

        A derivation that disagrees with `backward()` would be worse than none. The difference is
        measured against the size of what is added up, since that is what rounding is about.
        """
        if given == expected or (math.isnan(given) and math.isnan(expected)):
            return
        if (math.isnan(given) and expected == 0) or math.isinf(given):
            self.by_convention = True
            return
        if max(abs(given), abs(expected)) < SMALLEST:
            self.too_small = True
            return
        difference = abs(given - expected)
        if difference <= TOLERANCE * abs(expected):
            return
        if not difference <= TOLERANCE * scale():
            raise DerivationError(
                f"{what} gives {given!r}, backward gives {expected!r}: this is a fault of the"
                f" derivation, please report it"
            )


def count_text(count: int) -> str:
    """A number of paths, exactly up to a hundred digits."""
    digits = count.bit_length() * math.log10(2)
    return f"{count:,}" if digits < 100 else f"about 10^{int(digits)}"


def paths_text(count: int) -> str:
    """1 path, 2 paths."""
    return "1 path" if count == 1 else f"{count_text(count)} paths"


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


def order_text(name: str, into: list[str]) -> str:
    """Why a node that went into several others comes after all of them."""
    most = into if len(into) <= 4 else [*into[:3], f"{len(into) - 3:,} more"]
    listed = ", ".join(most[:-1]) + " and " + most[-1]
    return (
        f"({name} went into {listed}: its adjoint is the sum over all of them and may be used only"
        f" when it is complete. That is why the order is topological: a node comes after everything"
        f" that was computed from it.)"
    )
