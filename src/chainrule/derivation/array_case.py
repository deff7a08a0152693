"""A question about arrays, and what every form of its answer needs."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.derivation.numbers import DTYPE_TOLERANCE, TOLERANCE, largest
from chainrule.derivation.question import Question
from chainrule.errors import DerivationError
from chainrule.formulas.algebra import narrow
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import written
from chainrule.ops.broadcasting import broadcast_to

if TYPE_CHECKING:
    from chainrule.engine import Node


@dataclass
class ArrayCase(Question):
    """A question about arrays: the steps of a graph, its adjoints, and how to print."""

    counts: dict[str, int] = field(default_factory=dict)
    #: Formulas on their way down, with the named node each is the adjoint of.
    carriers: dict[int, tuple[Any, Node]] = field(default_factory=dict)

    @property
    def deltas(self) -> dict[str, Any]:
        """The names of cotangents, with their values."""
        return self.steps.cotangent_values

    @cached_property
    def values(self) -> dict[str, Any]:
        """Every name's number or array, rounded after every step if that is asked for."""
        values = dict(self.steps.values)
        if self.to_step is not None:
            for node in self.steps.steps:
                if node.op is not None:
                    formula = self.steps.formula(node)
                    known = ChainMap(values, self.steps.values)
                    values[self.name(node)] = self.rounded(self.steps.number(formula, known))
        return values

    def fresh(self, letter: str) -> str:
        """A name that nothing has yet, such as s1."""
        count = self.counts.get(letter, 0)
        while True:
            count += 1
            name = f"{letter}{count}"
            if name not in self.deltas and name not in self.steps.values:
                self.counts[letter] = count
                return name

    def rounded(self, x: Any) -> np.ndarray:
        """Each entry rounded as hand work would."""
        assert self.to_step is not None
        x = np.asarray(x, float)
        return np.array([self.to_step(entry) for entry in x.flat]).reshape(x.shape)

    def value(self, what: str, node: Node, formula: Any) -> np.ndarray:
        """The cotangent of a node: what backward gives, or what rounding every step leads to."""
        exact = np.asarray(self.adjoints[id(node)])
        if self.to_step is None:
            self.check(what, formula, exact)
            return exact
        names = ChainMap(self.deltas, self.values, self.steps.values)
        return np.broadcast_to(self.rounded(self.steps.number(narrow(formula), names)), exact.shape)

    @cached_property
    def largest(self) -> float:
        """The largest entry of all adjoints, which rounding errors are in proportion to."""
        return largest(self.adjoints.values())

    def check(self, what: str, formula: Any, expected: Any) -> None:
        """Read a formula back from its text and compare it with the adjoint."""
        formula = narrow(formula)
        text = written(formula)
        given = np.asarray(self.steps.number(formula, ChainMap(self.deltas, self.steps.values)))
        expected = np.asarray(expected)
        largest = self.largest
        tolerance = DTYPE_TOLERANCE.get(str(expected.dtype), TOLERANCE)
        if given.shape != expected.shape:
            same_size = given.size == expected.size
            given = given.reshape(expected.shape) if same_size else _stretched(given, expected)
        if given.shape == expected.shape:
            same = (given == expected) | (np.isnan(given) & np.isnan(expected))
            convention = (np.isnan(given) & (expected == 0)) | np.isinf(given)
            self.by_convention |= bool(np.any(convention & ~same))
            same |= convention
            with np.errstate(invalid="ignore"):
                near = np.abs(given - expected) <= tolerance * (np.abs(expected) + largest)
            if np.all(same | near):
                return
        raise DerivationError(
            f"the formula of {what}, {text}, does not give what backward gives: this is a fault of"
            f" the derivation, please report it"
        )


def _stretched(given: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Stretched to a shape, where that can be."""
    try:
        return np.broadcast_to(given, like.shape)
    except ValueError:
        return given


def one(shape: tuple[int, ...], dtype: Any) -> Symbol:
    """The cotangent that backward starts with."""
    return Symbol.made(broadcast_to, (1.0,), {"shape": shape}, shape, dtype)


def as_symbol(x: Any, node: Node) -> Any:
    if isinstance(x, Symbol):
        return x
    held = np.asarray(node._held)
    return Symbol.made(broadcast_to, (float(x),), {"shape": held.shape}, held.shape, held.dtype)
