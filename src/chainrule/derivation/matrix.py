"""The derivation of a gradient of arrays, in the language of matrices.

The cotangent of a layer is written once, as δ, where a rule that is not elementwise or several
rules read it; what is elementwise in between is written out.
"""

from __future__ import annotations

import re
from collections import ChainMap
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.derivation.blocks import Equation, Heading, Note, Table
from chainrule.derivation.case import drift_text, order_text
from chainrule.derivation.numbers import DTYPE_TOLERANCE, array, number
from chainrule.engine import Node
from chainrule.errors import DerivationError
from chainrule.formulas.algebra import constant_of, narrow
from chainrule.formulas.styles import bar_name
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import Blank, Derivative, Joined, Printed, Words, written
from chainrule.ops.base import total
from chainrule.ops.broadcasting import broadcast_to
from chainrule.ops.linear_algebra import matmul
from chainrule.ops.reductions import sum as summation

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from chainrule.formulas.steps import Steps

TOLERANCE = 1e-12
#: A sum of more terms than this is added up in parts.
MOST_TERMS = 8
#: A formula of a cotangent with more ops than this gets a name.
LONGEST = 12


@dataclass
class ArrayCase:
    """A question about arrays: the steps of a graph, its adjoints, and how to print."""

    steps: Steps
    adjoints: dict[int, Any]
    digits: int
    to_step: Callable[[float], float] | None
    hidden: frozenset[tuple[str, str]]
    #: Whether a formula gave 0/0 where the gradient is 0 by the convention 0·∞ = 0, or too much.
    by_convention: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    #: Formulas on their way down, with the named node each is the adjoint of.
    carriers: dict[int, tuple[Any, Node]] = field(default_factory=dict)

    @property
    def deltas(self) -> dict[str, Any]:
        """The names of cotangents, with their values."""
        return self.steps.cotangent_values

    @property
    def root(self) -> Node:
        return self.steps.root

    def name(self, node: Node) -> str:
        return self.steps.name(node)

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
        return np.broadcast_to(self.rounded(self.steps.number(formula, names)), exact.shape)

    @cached_property
    def largest(self) -> float:
        """The largest entry of all adjoints, which rounding errors are in proportion to."""
        return max(float(np.max(np.abs(x), initial=0.0)) for x in self.adjoints.values())

    def check(self, what: str, formula: Any, expected: Any) -> None:
        """Read a formula back from its text and compare it with the adjoint."""
        text = written(formula)
        given = np.asarray(self.steps.number(formula, ChainMap(self.deltas, self.steps.values)))
        expected = np.asarray(expected)
        largest = self.largest
        tolerance = DTYPE_TOLERANCE.get(str(expected.dtype), TOLERANCE)
        given = np.broadcast_to(given, expected.shape) if given.size == 1 else given
        if given.shape != expected.shape and given.size == expected.size:
            given = given.reshape(expected.shape)
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


def one(shape: tuple[int, ...], dtype: Any) -> Symbol:
    """The cotangent that backward starts with."""
    return Symbol.made(broadcast_to, (1.0,), {"shape": shape}, shape, dtype)


def _as_symbol(x: Any, node: Node) -> Any:
    if isinstance(x, Symbol):
        return x
    held = np.asarray(node._held)
    return Symbol.made(broadcast_to, (float(x),), {"shape": held.shape}, held.shape, held.dtype)


# ------------------------------------------------------------------ the textbook form


def matrix_blocks(case: ArrayCase, targets: Sequence[Node]) -> Iterator[Any]:
    """Each δ once, and what is asked for in terms of them."""
    steps = case.steps
    wanted = {id(node) for node in targets}
    reaches = _reaching(steps, wanted)
    table: dict[int, list[Any]] = {}
    held = np.asarray(steps.root._held)
    table[id(steps.root)] = [one(held.shape, held.dtype)]
    for node in reversed(steps.nodes):
        terms = table.pop(id(node), None)
        if terms is None:
            continue
        y_bar = yield from _added(case, terms, node)
        if id(node) in steps.given:
            case.carriers.setdefault(id(y_bar), (y_bar, node))
        if id(node) in wanted:
            yield from _final(case, node, y_bar)
        if not reaches[id(node)] or node.op is None:
            continue
        if id(node) in wanted or _deserves_a_name(node, y_bar, reaches[id(node)]):
            name, definition = _delta(case, node, y_bar)
            if definition is not None:
                yield definition
            y_bar = Symbol(name, np.shape(node._held), np.asarray(node._held).dtype)
            case.carriers[id(y_bar)] = (y_bar, node)
        for x, x_bar in steps.pull(node, y_bar):
            if id(x) in reaches:
                passed = x_bar if x_bar is y_bar else _finished(case, x_bar, x)
                table.setdefault(id(x), []).append(passed)


def _added(case: ArrayCase, terms: list[Any], node: Node) -> Generator[Any, None, Any]:
    """What several consumers passed on; of many, parts of the sum get names."""
    while len(terms) > MOST_TERMS:
        parts = []
        for i in range(0, len(terms), MOST_TERMS):
            part = _finished(case, total(terms[i : i + MOST_TERMS]), node)
            name = case.fresh("s")
            value = np.asarray(case.steps.number(part, ChainMap(case.deltas, case.steps.values)))
            value = np.broadcast_to(value, np.shape(node._held))
            case.deltas[name] = value if case.to_step is None else case.rounded(value)
            yield Equation(Symbol(name), [[_shown(case, None, part)]], (), _shapes(part))
            parts.append(Symbol(name, value.shape, value.dtype))
        terms = parts
    return terms[0] if len(terms) == 1 else _finished(case, total(terms), node)


def _reaching(steps: Steps, wanted: set[int]) -> dict[int, int]:
    """The nodes that were computed from wanted ones, with how many of their inputs were."""
    reaches: dict[int, int] = {}
    for node in steps.nodes:
        inputs = {id(x) for x in node.inputs_then() if isinstance(x, Node)}
        onward = len(inputs & reaches.keys())
        if onward or id(node) in wanted:
            reaches[id(node)] = onward
    return reaches


def _finished(case: ArrayCase, formula: Any, node: Node) -> Any:
    return _as_symbol(case.steps.finished(formula), node)


def _deserves_a_name(node: Node, y_bar: Any, onward: int) -> bool:
    op: Any = node.op
    if y_bar.op is None or constant_of(y_bar) is not None:
        return False
    several = onward > 1 and _size(y_bar) > 1
    read_whole = not op.gives_partials and not op.linear
    return several or read_whole or _size(y_bar) > LONGEST


def _size(x: Any) -> int:
    if not isinstance(x, Symbol) or x.op is None:
        return 0
    return 1 + sum(map(_size, x.inputs))


def _delta(case: ArrayCase, node: Node, y_bar: Any) -> tuple[str, Equation | None]:
    """The name of a cotangent, and its definition unless it has been told."""
    _, carrier = case.carriers.get(id(y_bar), (None, None))
    base = case.name(carrier) if carrier is not None else _parameter(case.steps, node)
    digits = re.search(r"(\d+)[′″‴]*$", base)
    named = carrier is not None and re.fullmatch(r"\w+", base)
    name = f"δ{digits[1]}" if digits else f"δ_{base}" if named else "δ"
    if name in case.deltas or name in case.steps.values:
        name = case.fresh("δ_v")
    value = case.value(name, node, y_bar)
    case.deltas[name] = value
    meaning = [Derivative(case.name(case.root), base)] if carrier is not None else []
    shown = _shown(case, carrier, y_bar)
    numbers = [] if isinstance(shown, Blank) else _numbers(case, value)
    return name, Equation(Symbol(name), [[*meaning, shown], *numbers], (), _shapes(y_bar))


def _parameter(steps: Steps, node: Node) -> str:
    """The name of a parameter that an unnamed node was computed with, such as W2."""
    level = [node]
    for _ in range(3):
        inputs = [x for inner in level for x in inner.inputs_then() if isinstance(x, Node)]
        leaves = [steps.name(x) for x in inputs if x.op is None and id(x) in steps.given]
        for letter in "Wwb":  # the weights of a layer, never its data
            for name in leaves:
                if name.startswith(letter) or f".{letter}" in name:
                    return name
        level = [x for x in inputs if id(x) not in steps.names]
    return ""


def _shown(case: ArrayCase, node: Node | None, formula: Any) -> Any:
    if node is not None and (case.name(case.root), case.name(node)) in case.hidden:
        return Blank()
    single = narrow(formula)  # one number in every entry: the shape stands beside it
    return formula if getattr(single, "shape", ()) else single


def _final(case: ArrayCase, node: Node, y_bar: Any) -> Iterator[Any]:
    left = Derivative(case.name(case.root), case.name(node))
    value = case.value(written(left), node, y_bar)
    shown = _shown(case, node, y_bar)
    rows = [[shown]]
    if not isinstance(shown, Blank):
        rows += _numbers(case, value)
    yield Equation(left, rows, (), _shapes(y_bar))
    yield from _drift(case, node, value)


def _drift(case: ArrayCase, node: Node, value: np.ndarray) -> Iterator[Note]:
    """How far rounding every step has led."""
    if case.to_step is None:
        return
    exact = np.asarray(case.adjoints[id(node)])
    if exact.size == 1:
        yield Note(drift_text(value.item(), exact.item()))
        return
    difference = number(float(np.max(np.abs(value - exact), initial=0.0)), 2)
    largest = number(float(np.max(np.abs(exact), initial=0.0)), 4)
    yield Note(
        f"Rounded after every step; the largest difference from the exact entries is {difference},"
        f" the largest of them {largest}."
    )


def _numbers(case: ArrayCase, value: Any) -> list[list[Any]]:
    return [
        [Printed(array(value, case.digits)) if not value.ndim else Words(array(value, case.digits))]
    ]


def shape_text(shape: Sequence[int]) -> str:
    """A shape as the tuple NumPy shows, without spaces."""
    return str(tuple(shape)).replace(" ", "")


def _shapes(formula: Any) -> str:
    """The shapes of a product of matrices or of a sum, else that of the result."""
    result = shape_text(formula.shape)
    if formula.op is matmul:
        a, b = (
            shape_text(np.shape(x) if not isinstance(x, Symbol) else x.shape)
            for x in formula.inputs
        )
        return f"{a}{b}→{result}"
    if formula.op is summation:
        return f"{shape_text(formula.inputs[0].shape)}→{result}"
    return result


# ------------------------------------------------------------------ the other forms, for arrays


def array_adjoint_blocks(
    case: ArrayCase, nodes: Sequence[Node], edges: dict[int, list[Node]]
) -> Iterator[Any]:
    """Each named node once, root first, its adjoint in terms of those before."""
    steps = case.steps
    root = case.name(case.root)
    held = np.asarray(case.root._held)
    bars = {id(node): bar_name(root, case.name(node), bars=False) for node in nodes}
    received: dict[int, list[Any]] = {id(case.root): []}
    for node in nodes:
        value = np.asarray(case.adjoints[id(node)])
        y_bar = Symbol(bars[id(node)], value.shape, value.dtype)
        if node is case.root:
            yield Equation(y_bar, [[Printed("1")]])
            y_bar = one(held.shape, held.dtype)
        else:
            formula = yield from _added(case, received[id(node)], node)
            value = case.value(bars[id(node)], node, formula)
            case.deltas[bars[id(node)]] = value
            shown = _shown(case, node, formula)
            numbers = [] if isinstance(shown, Blank) else _numbers(case, value)
            yield Equation(y_bar, [[shown], *numbers], (), _shapes(formula))
            yield from _drift(case, node, value)
        onward = {id(x) for x in edges.get(id(node), ())}
        if onward:
            for i, x_bar in steps.cotangents(node, y_bar).items():
                if i in onward:
                    received.setdefault(i, []).append(_passed(x_bar, i, edges[id(node)]))


def array_table_blocks(
    case: ArrayCase, nodes: Sequence[Node], edges: dict[int, list[Node]]
) -> Iterator[Any]:
    """Forward and reverse trace side by side, in the order of the forward pass."""
    blocks = list(array_adjoint_blocks(case, nodes, edges))
    by_name = {written(b.left): b for b in blocks if isinstance(b, Equation)}
    root = case.name(case.root)
    equations = {
        id(node): by_name[written(Symbol(bar_name(root, case.name(node), bars=False)))]
        for node in nodes
    }
    rows = []
    for node in case.steps.steps:
        name = case.name(node)
        cells: list[Any] = [Symbol(name)]
        if node.op is not None:
            cells.append(case.steps.formula(node))
        cells.append(Words(array(case.values[name], case.digits)))
        back: Any = Words("")
        if id(node) in equations:
            equation = equations[id(node)]
            back = (equation.left, *[formula for row in equation.rows for formula in row])
        rows.append([tuple(cells), back])
    yield Table(["forward ↓", "reverse ↑"], rows)


def _passed(x_bar: Any, i: int, inputs: Sequence[Node]) -> Any:
    return _as_symbol(x_bar, next(x for x in inputs if id(x) == i))


def array_path_blocks(
    case: ArrayCase, routes: Sequence[Sequence[Node]], count: int
) -> Iterator[Any]:
    """Each path from the root to an array, and the sum of their contributions."""
    target = routes[0][-1]
    left = Derivative(case.name(case.root), case.name(target))
    held = np.asarray(case.root._held)
    contributions = []
    yield Heading(f"{written(left)}, the sum over {count} path{'s' if count > 1 else ''}:")
    for i, nodes in enumerate(routes, start=1):
        y_bar: Any = one(held.shape, held.dtype)
        for y, x in pairwise(nodes):
            y_bar = _as_symbol(case.steps.cotangents(y, y_bar).get(id(x), 0.0), x)
        value = np.asarray(case.steps.number(y_bar, ChainMap(case.values, case.steps.values)))
        value = value if case.to_step is None else case.rounded(value)
        value = np.broadcast_to(value, np.shape(target._held)) if value.size == 1 else value
        contributions.append(value.reshape(np.shape(target._held)))
        chain = Joined(tuple(Symbol(case.name(node)) for node in nodes), " → ")
        shown = _shown(case, target, y_bar)
        numbers = [] if isinstance(shown, Blank) else _numbers(case, contributions[-1])
        title = [Words(f"path {i}: "), chain]
        yield Equation(None, [[shown], *numbers], title, _shapes(y_bar))
    summed = np.sum(contributions, axis=0)
    expected = np.asarray(case.adjoints[id(target)])
    if case.to_step is None:
        case.deltas["sum"] = summed
        case.check("the sum over the paths", Symbol("sum", summed.shape), expected)
    hidden = (case.name(case.root), case.name(target)) in case.hidden
    yield Equation(left, [[Blank()]] if hidden else _numbers(case, summed))
    yield from _drift(case, target, summed)


def order_note(case: ArrayCase, nodes: Sequence[Node]) -> list[Note]:
    """Why the order is topological, at the first node that went into several others."""
    consumers: dict[int, list[str]] = {}
    for node in nodes:
        for x in case.steps.inputs(node):
            consumers.setdefault(id(x), []).append(case.name(node))
    for node in nodes:
        into = consumers.get(id(node), [])
        if len(into) > 1:
            return [Note(order_text(case.name(node), into))]
    return []
