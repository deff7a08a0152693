"""Claims that are formulas: read in the words of a graph, evaluated at its numbers and others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.errors import FormulaError
from chainrule.formulas.handwritten import read_handwritten, read_tokens
from chainrule.formulas.named import tokens_of
from chainrule.formulas.styles import bar_name
from chainrule.formulas.vocabulary import normal
from chainrule.tensor import Tensor
from chainrule.traced import plain
from chainrule.value import Value
from chainrule.verification.arithmetic import known_to, with_leaves
from chainrule.verification.claims import Numbers, as_numbers, number_text
from chainrule.verification.findings import Point
from chainrule.verification.reference import UNIT
from chainrule.verification.subject import MOST_COMPARED
from chainrule.verification.tape import ones
from chainrule.verification.targets import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.formulas.vocabulary import Vocabulary
    from chainrule.verification.subject import Subject

#: At so many other points a formula has to hold.
POINTS = 2
_LITERAL = re.compile(r"(?<![\w.])\d+\.?\d*(?:[eE][+-]?\d+)?")
#: How much larger the rounding error of a derivative may be elsewhere.
FURTHER = 1e3
#: By how much a formula may be off elsewhere, relative to the size of what is computed.
ELSEWHERE = 1e-7


class ClaimedFormulas:
    """The formulas and numbers that are claimed about one graph: each may use the ones before."""

    def __init__(self, subject: Subject) -> None:
        self.subject, self.tape = subject, subject.tape
        #: Names that formulas may use beside those of the graph, with the formulas they stand for.
        self.helpers: dict[str, str] = {}
        self.formulas: dict[tuple[str, Any], str] = {}
        self.numbers: dict[tuple[str, Any], Numbers] = {}
        #: Claimed formulas by data, and those that are being evaluated.
        self._memo: dict[tuple[Any, int], tuple[Any, Any]] = {}
        self._open: set[tuple[str, Any]] = set()
        #: The leaves that stand for printed numbers in formulas, with their half units.
        self._papers: dict[int, tuple[Node, np.ndarray]] = {}

    def reads_names(self, formula: str) -> bool:
        """Whether a name of the graph, such as e, occurs in a formula."""
        vocabulary = self.subject.vocabulary(self.tape.data)
        names = [token.text for token in tokens_of(formula) if token.kind == "name"]
        return any(vocabulary.find(name) is not None or name in self.helpers for name in names)

    def known_numbers(self) -> set[float]:
        """The numbers that the graph starts from: on paper they are exact."""
        leaves = [self.tape.recorded[i] for i in self.tape.leaves]
        constants = [value for value, _ in self.subject.constants.values()]
        few = [np.ravel(x)[:MOST_COMPARED].real for x in [*leaves, *constants]]
        return {float(x) for entries in few for x in entries}

    def partial(self, data: Sequence[Any], y: int, x: int) -> np.ndarray:
        """∂y/∂x through all paths, at some data; y is seeded with ones."""
        found = self.tape.backward(data, seeds={y: ones(data[y])})[x]
        return np.zeros(np.shape(data[x])) if found is None else np.asarray(found)

    def evaluated(self, target: Target, formula: str) -> Numbers:
        """What a formula gives at the numbers of the graph.

        Printed numbers of earlier claims in it are known to half of their last digit only.
        """
        result = self.value_of(target, formula, self.tape.data)
        value = as_numbers(plain(result))
        half = 8 * UNIT * np.abs(value)
        if isinstance(result, Node):
            half = half + known_to(result, self._papers)
        whole = target.kind == "gradient" and target.at is None
        shape = np.shape(self.tape.data[target.place]) if whole else ()
        if not value.shape and shape:
            value, half = (np.broadcast_to(x, shape) for x in (value, half))
        return Numbers(value, half, number_text(value), printed=isinstance(result, Node))

    def value_of(self, target: Target, formula: str, data: Sequence[Any]) -> Any:
        """A formula at some data of the graph.

        A derivative in it is what was claimed of that before, else the right one.

        Raises:
            FormulaError: with the place in the formula.
        """

        def derivative(y: str, x: str) -> Any:
            i, j = self.subject.positions.get(y), self.subject.positions.get(x)
            if i is None or j is None:
                missing = y if i is None else x
                raise FormulaError(f"'{missing}' in ∂{y}/∂{x} is a constant of this graph")
            key = ("gradient", j) if i == self.tape.last else ("partial", (i, j))
            if key == target[:2] and target.at is None:
                raise FormulaError(f"{target.name} is explained by itself")
            if key in self.formulas:
                return self.claimed_before(key, y, x, data)
            if key not in self.numbers:
                return _scalar(self.partial(data, i, j))
            if data is not self.tape.data:
                raise _OnPaperOnlyError
            return self.on_paper(self.numbers[key])

        names = self.subject.names
        claimed = {names[i] for kind, i in self.numbers if kind == "gradient" and i in names}
        vocabulary = self.subject.vocabulary(data, derivative, claimed)
        try:
            for name, meaning in self._helpers_in(formula):
                vocabulary = vocabulary.extended(name, self.read(meaning, vocabulary, data))
            return self.read(formula, vocabulary, data)
        except FormulaError as problem:
            problem.text = problem.text or formula
            raise

    def _helpers_in(self, formula: str) -> list[tuple[str, str]]:
        """The names beside those of the graph that a formula may mean, each after what it uses."""
        text, found = normal(formula), []
        for name, meaning in reversed(self.helpers.items()):
            if normal(name) in text:
                text += normal(meaning)
                found.append((name, meaning))
        return found[::-1]

    def claimed_before(self, key: tuple[str, Any], y: str, x: str, data: Sequence[Any]) -> Any:
        """What an earlier claim gives, each evaluated once at the same data.

        Raises:
            FormulaError: for claims that explain each other in a ring.
        """
        known = self._memo.get((key, id(data)))
        if known is not None and known[0] is data:
            return known[1]
        target = Target(key[0], key[1], bar_name(y, x, bars=False))
        if key in self._open:
            raise FormulaError(f"{target.name} is explained by itself, in a ring")
        self._open.add(key)
        try:
            value = self.value_of(target, self.formulas[key], data)
        finally:
            self._open.discard(key)
        self._memo[key, id(data)] = data, value
        return value

    def on_paper(self, numbers: Numbers) -> Node:
        """A claimed number as a leaf of a formula."""
        leaf = self._leaf(numbers.value)
        self._papers[id(leaf)] = leaf, numbers.half_unit
        return leaf

    def read(self, formula: str, vocabulary: Vocabulary, data: Sequence[Any]) -> Any:
        """A formula; long decimals in it are printed numbers, known to their digits only."""
        if data is not self.tape.data or np.iscomplexobj(data[self.tape.last]):
            return read_handwritten(formula, vocabulary)
        tokens, leaves = with_leaves(tokens_of(formula), self.known_numbers(), self._leaf)
        for name, (leaf, half) in leaves.items():
            self._papers[id(leaf)] = leaf, half
            vocabulary = vocabulary.extended(name, leaf)
        return read_tokens(formula, tokens, vocabulary)

    def _leaf(self, x: Any) -> Node:
        single = self.tape.data[self.tape.last].__class__ is float
        return Value(float(x)) if single else Tensor(np.array(x, dtype=float))

    def points(self, target: Target, formula: str) -> list[Point]:
        """What a formula gives where the numbers of the graph are others."""
        fixed = self._literals(formula)
        random = np.random.default_rng(7)
        found: list[Point] = []
        for _ in range(POINTS):
            data = self.subject.moved(random, fixed, {target.place})
            if data is None:
                break
            try:
                given = as_numbers(plain(self.value_of(target, formula, data)))
            except _OnPaperOnlyError:
                return []
            right = self._right(target, data)
            real = np.isrealobj(given) and np.isrealobj(right)
            if real and np.all(np.isfinite(right)) and np.all(np.isfinite(given)):
                found.append(Point(data, np.broadcast_to(given, right.shape), right))
        return found

    def _literals(self, formula: str) -> set[float]:
        """Numbers in a formula: a name that has such a value may be meant by it."""
        return {float(text) for text in _LITERAL.findall(formula)}

    def _right(self, target: Target, data: Sequence[Any]) -> np.ndarray:
        return np.asarray(target.entry(self._all_right(target, data)))

    def _all_right(self, target: Target, data: Sequence[Any]) -> np.ndarray:
        kind, place, *_ = target
        if kind == "value":
            return np.asarray(data[place])
        y, x = (self.tape.last, place) if kind == "gradient" else place
        return self.partial(data, y, x)


class _OnPaperOnlyError(Exception):
    """A number on paper has no value at another point."""


def _scalar(x: Any) -> Any:
    array = np.asarray(x)
    return float(array) if not array.ndim else array


def chance(points: Sequence[Point], bound: float) -> tuple[float, float] | None:
    """Where a formula is wrong at other numbers: its value and the right one."""
    for point in points:
        off = np.abs(point.given - point.right)
        largest = np.max(np.abs(point.right), initial=0.0)
        if np.any(off > ELSEWHERE * largest + FURTHER * bound + 1e-300):
            index = np.unravel_index(np.argmax(off), off.shape)
            return float(point.given[index]), float(point.right[index])
    return None
