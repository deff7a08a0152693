"""Claims that are formulas: read in the words of a graph, evaluated at its numbers and others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import chain, islice, product
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.errors import FormulaError, UndefinedError
from chainrule.formulas.handwritten import read_tokens
from chainrule.formulas.named import tokens_of
from chainrule.formulas.styles import bar_name
from chainrule.formulas.vocabulary import normal
from chainrule.tensor import Tensor
from chainrule.traced import plain
from chainrule.value import Value
from chainrule.verification.arithmetic import known_to, with_leaves
from chainrule.verification.claims import Numbers, as_numbers, number_text
from chainrule.verification.differences.reference import MARGIN, UNIT
from chainrule.verification.findings import Point
from chainrule.verification.subject import MOST_COMPARED, is_data_name, is_symmetric
from chainrule.verification.targets import Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainrule.formulas.vocabulary import Vocabulary
    from chainrule.verification.subject import Subject

#: At so many other points a formula has to hold.
POINTS = 2
#: A number in a formula may stand for one of so many entries, and so many readings are tried.
MOST_MEANINGS, MOST_READINGS = 8, 128
#: How much larger the rounding error of a derivative may be elsewhere.
FURTHER = 1e3
#: By how much a formula may be off elsewhere, relative to the size of what is computed.
ELSEWHERE = 1e-7

#: For some numbers of a formula, by token, the node and the entry of it that each stands for.
Reading = Mapping[int, tuple[int, int]]


class ClaimedFormulas:
    """The formulas and numbers that are claimed about one graph: each may use the ones before."""

    def __init__(self, subject: Subject, rounded: Sequence[Sequence[Any]]) -> None:
        self.subject, self.tape = subject, subject.tape
        #: The data of the graph with other rounding.
        self.rounded = rounded
        #: The nodes that derivatives are asked by, and numbers that are exact beside the graph's.
        self.asked: set[int] = set()
        self.exact: set[float] = set()
        #: Names that formulas may use beside those of the graph, with the formulas they stand for.
        self.helpers: dict[str, str] = {}
        self.formulas: dict[tuple[str, Any], str] = {}
        self.numbers: dict[tuple[str, Any], Numbers] = {}
        #: Claimed formulas by data, and those that are being evaluated.
        self._memo: dict[tuple[Any, int], tuple[Any, Any]] = {}
        self._open: set[tuple[str, Any]] = set()
        #: Claims with numbers in place of names: they say nothing at another point.
        self._here_only: set[tuple[str, Any]] = set()
        #: The leaves that stand for printed numbers in formulas, with their half units.
        self._papers: dict[int, tuple[Node, np.ndarray]] = {}

    def reads_names(self, formula: str) -> bool:
        """Whether a name of the graph, such as e, occurs in a formula."""
        vocabulary = self.subject.vocabulary(self.tape.data)
        names = [token.text for token in tokens_of(formula) if token.kind == "name"]
        return any(vocabulary.find(name) is not None or name in self.helpers for name in names)

    def known_numbers(self) -> set[float]:
        """Numbers that are exact on paper: those that the graph starts from, and rates."""
        return self.exact | self._start

    @cached_property
    def _start(self) -> set[float]:
        """The numbers that the graph starts from."""
        leaves = [self.tape.recorded[i] for i in self.tape.leaves]
        constants = [value for value, _ in self.subject.constants.values()]
        constants += [x for some in self.tape.constants for x in some if x is not None]
        few = [np.ravel(x)[:MOST_COMPARED].real for x in [*leaves, *constants]]
        return {float(x) for entries in few for x in entries}

    def evaluated(self, target: Target, formula: str) -> Numbers:
        """What a formula gives at the numbers of the graph.

        Printed numbers of earlier claims in it are known to half of their last digit only.
        """
        result = self.value_of(target, formula, self.tape.data)
        value = as_numbers(plain(result))
        half = 8 * UNIT * np.abs(value)
        if isinstance(result, Node):
            half = half + known_to(result, self._papers)
        half = half + self._own_rounding(target, formula, value)
        whole = target.kind == "gradient" and target.at is None
        shape = np.shape(self.tape.data[target.place]) if whole else ()
        if not value.shape and shape:
            value, half = (np.broadcast_to(x, shape) for x in (value, half))
        printed = isinstance(result, Node)
        return Numbers(value, half, number_text(value), printed, whole=np.array(printed))

    def _own_rounding(self, target: Target, formula: str, value: np.ndarray) -> Any:
        """What rounding does to a formula: it may cancel what it computes with."""
        moved = [np.zeros(value.shape)]
        try:
            for data in self.rounded:
                found = as_numbers(plain(self.value_of(target, formula, data)))
                moved.append(np.abs(found - value))
        except (_OnPaperOnlyError, UndefinedError):
            return 0.0
        off = MARGIN * np.max(moved, axis=0)
        return np.where(np.isfinite(off), off, 0.0)

    def value_of(
        self, target: Target, formula: str, data: Sequence[Any], reading: Reading | None = None
    ) -> Any:
        """A formula at some data of the graph, some numbers in it standing for entries of nodes.

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
                return _scalar(self.tape.partial(data, i, j))
            return self.on_paper(self.numbers[key], data)

        names = self.subject.names
        claimed = {names[i] for kind, i in self.numbers if kind == "gradient" and i in names}
        vocabulary = self.subject.vocabulary(data, derivative, claimed)
        try:
            for name, meaning in self._helpers_in(formula):
                vocabulary = vocabulary.extended(name, self.read(meaning, vocabulary, data))
            return self.read(formula, vocabulary, data, reading)
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
        if key in self._here_only and data is not self.tape.data:
            raise _OnPaperOnlyError
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

    def on_paper(self, numbers: Numbers, data: Sequence[Any]) -> Node:
        """A claimed number as a leaf of a formula."""
        if data is not self.tape.data:
            raise _OnPaperOnlyError
        leaf = self._leaf(numbers.value)
        self._papers[id(leaf)] = leaf, numbers.known_to
        return leaf

    def read(
        self,
        formula: str,
        vocabulary: Vocabulary,
        data: Sequence[Any],
        reading: Reading | None = None,
    ) -> Any:
        """A formula; long decimals in it are printed numbers, known to their digits only.

        At other data numbers may stand for entries of nodes instead.
        """
        if data is not self.tape.data or np.iscomplexobj(data[self.tape.last]):
            tokens = tokens_of(formula)
            for k, (place, index) in (reading or {}).items():
                tokens[k] = tokens[k]._replace(kind="name", text=f"#{k}", spaced=True)
                vocabulary = vocabulary.extended(f"#{k}", float(np.ravel(data[place])[index].real))
            return read_tokens(formula, tokens, vocabulary)
        tokens, leaves = with_leaves(tokens_of(formula), self.known_numbers(), self._leaf)
        for name, (leaf, half) in leaves.items():
            self._papers[id(leaf)] = leaf, half
            vocabulary = vocabulary.extended(name, leaf)
        return read_tokens(formula, tokens, vocabulary)

    def _leaf(self, x: Any) -> Node:
        single = self.tape.data[self.tape.last].__class__ is float
        return Value(float(x)) if single else Tensor(np.array(x, dtype=float))

    # ------------------------------------------------------------------ at other numbers

    def points(
        self, target: Target, formula: str, bound: float, rate: float | None = None
    ) -> list[Point]:
        """What a formula gives where the numbers of the graph are others.

        A number in it may stand for what it is the value of: if the formula holds elsewhere so,
        that is how it is read.
        """
        places = self._places(target, [], POINTS, rate)
        plain = self._at(places, target, formula)
        if chance(plain, bound) is not None:
            if with_leaves(tokens_of(formula), self.known_numbers(), self._leaf)[1]:
                self._here_only.add(target[:2])  # numbers worked out on paper
                return []
            for reading in self._readings(formula):
                found = self._at(places, target, formula, reading)
                if found and chance(found, bound) is None:
                    self._here_only.add(target[:2])
                    return found
        return plain

    def further(self, target: Target, formula: str, rate: float | None = None) -> list[Point]:
        """What a formula gives where data is other, too, if no number may stand for it."""
        held = self.subject.held(self.asked | {target.place})
        numbers = {float(t.text) for t in tokens_of(formula) if t.kind == "number"}
        few = [np.ravel(self.tape.recorded[i])[:MOST_COMPARED] for i in held]
        if not held or any(float(x) in numbers for entries in few for x in entries):
            return []
        return self._at(self._places(target, held, 1, rate), target, formula)

    def _places(
        self, target: Target, freely: Sequence[int], count: int, rate: float | None
    ) -> list[tuple[Sequence[Any], np.ndarray]]:
        """The data of the graph at so many other points, and what is right there."""
        random = np.random.default_rng(7)
        asked = self.asked | {target.place}
        moved = [self.subject.moved(random, asked, freely) for _ in range(count)]
        places = [data for data in moved if data is not None]
        rights = [np.asarray(target.entry(self._right(target, data, rate))) for data in places]
        return list(zip(places, rights, strict=True))

    def counted_on(
        self, target: Target, formula: str, bound: float, rate: float | None = None
    ) -> list[str]:
        """What is given that a formula counts on: it holds where these are as they are only."""

        def holds(freely: Sequence[int]) -> bool:
            places = self._places(target, freely, 1, rate)
            readings: Iterator[Reading | None] = chain([None], self._readings(formula))
            return any(
                chance(self._at(places, target, formula, reading), bound) is None
                for reading in readings
            )

        held = self.subject.held(self.asked | {target.place})
        if not held or target[:2] in self._here_only or holds(held):
            return []
        return [self._said(i) for i in held if not holds([i])]

    def _said(self, i: int) -> str:
        name, x = self.subject.name(i), self.tape.recorded[i]
        if not np.ndim(x):
            return f"{name} = {number_text(x)}"
        symmetric = is_symmetric(x) and not is_data_name(name)
        return f"{name} being symmetric" if symmetric else f"the numbers in {name}"

    def _at(
        self,
        places: Sequence[tuple[Sequence[Any], np.ndarray]],
        target: Target,
        formula: str,
        reading: Reading | None = None,
    ) -> list[Point]:
        found: list[Point] = []
        for data, right in places:
            try:
                given = as_numbers(plain(self.value_of(target, formula, data, reading)))
            except _OnPaperOnlyError:
                return []
            except UndefinedError:  # it can be read, but not at these numbers: √ of less than 0
                continue
            real = np.isrealobj(given) and np.isrealobj(right)
            if real and np.all(np.isfinite(right)) and np.all(np.isfinite(given)):
                found.append(Point(data, np.broadcast_to(given, right.shape), right))
        return found

    def _readings(self, formula: str) -> Iterator[Reading]:
        """The ways in which numbers may stand for entries of nodes that the formula does not name.

        A number is what it is or, for each node, the entry that has this value.
        """
        tokens = tokens_of(formula)
        vocabulary = self.subject.vocabulary(self.tape.data)
        known = {vocabulary.find(token.text) for token in tokens if token.kind == "name"}
        named = {self.subject.positions.get(str(name)) for name in known}
        options: list[list[tuple[int, tuple[int, int] | None]]] = []
        depth = 0  # in an index nothing stands for anything else
        for k, token in enumerate(tokens):
            opens = token.text == "[" and not token.spaced and k and tokens[k - 1].kind == "name"
            depth += bool(opens or (depth and token.text == "["))
            depth -= bool(depth and token.text == "]")
            if token.kind != "number" or depth:
                continue
            meanings = [
                (i, int(index))
                for i, x in enumerate(self.tape.data)
                if i not in named and (i in self.subject.names or self.tape.nodes[i].op is None)
                for index in np.flatnonzero(np.ravel(x)[:MOST_COMPARED] == float(token.text))
            ]
            options.append([(k, None), *((k, m) for m in meanings[:MOST_MEANINGS])])
        for chosen in islice(product(*options), 1, MOST_READINGS):
            yield {k: meaning for k, meaning in chosen if meaning is not None}

    def _right(self, target: Target, data: Sequence[Any], rate: float | None) -> Any:
        kind, place, *_ = target
        if kind == "value":
            return data[place]
        y, x = place if kind == "partial" else (self.tape.last, place)
        found = self.tape.partial(data, y, x)
        return data[place] - (rate or 0.0) * found if kind == "updated" else found


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
