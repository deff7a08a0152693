"""The derivation of a gradient of arrays, in the language of matrices.

The cotangent of a layer is written once, as δ, where a rule that is not elementwise or several
rules read it; what is elementwise in between is written out.
"""

from __future__ import annotations

import re
from collections import ChainMap
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.derivation.blocks import Equation, Note
from chainrule.derivation.case import drift_text
from chainrule.derivation.numbers import displayed
from chainrule.engine import Node
from chainrule.formulas.algebra import narrow
from chainrule.formulas.digits import number
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import Blank, Derivative, DerivativeIn, written
from chainrule.ops.base import total
from chainrule.ops.linear_algebra import matmul
from chainrule.ops.reductions import sum as summation

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from chainrule.formulas.steps import Steps

from chainrule.derivation.array_case import ArrayCase, as_symbol, one

#: A formula longer than this is not written into ∂J/∂(…).
LONGEST_INSIDE = 40
#: A sum of more terms than this is added up in parts.
MOST_TERMS = 8
#: A formula of a cotangent with more ops than this gets a name.
LONGEST = 12


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
        y_bar = yield from added(case, terms, node)
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
                passed = x_bar if x_bar is y_bar else finished(case, x_bar, x)
                table.setdefault(id(x), []).append(passed)


def added(case: ArrayCase, terms: list[Any], node: Node) -> Generator[Any, None, Any]:
    """What several consumers passed on; of many, parts of the sum get names."""
    while len(terms) > MOST_TERMS:
        parts = []
        for i in range(0, len(terms), MOST_TERMS):
            part = finished(case, total(terms[i : i + MOST_TERMS]), node)
            name = case.fresh("s")
            value = np.asarray(case.steps.number(part, ChainMap(case.deltas, case.steps.values)))
            value = np.broadcast_to(value, np.shape(node._held))
            case.deltas[name] = value if case.to_step is None else case.rounded(value)
            yield Equation(Symbol(name), [[shown_of(case, None, part)]], (), shapes_of(part))
            parts.append(Symbol(name, value.shape, value.dtype))
        terms = parts
    return terms[0] if len(terms) == 1 else finished(case, total(terms), node)


def _reaching(steps: Steps, wanted: set[int]) -> dict[int, int]:
    """The nodes that were computed from wanted ones, with how many of their inputs were."""
    reaches: dict[int, int] = {}
    for node in steps.nodes:
        inputs = {id(x) for x in node.inputs_then() if isinstance(x, Node)}
        onward = len(inputs & reaches.keys())
        if onward or id(node) in wanted:
            reaches[id(node)] = onward
    return reaches


def finished(case: ArrayCase, formula: Any, node: Node) -> Any:
    return as_symbol(case.steps.finished(formula), node)


def _deserves_a_name(node: Node, y_bar: Any, onward: int) -> bool:
    op: Any = node.op
    if y_bar.op is None or not getattr(narrow(y_bar), "shape", ()):
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
        name = case.fresh("δ_")
    value = case.value(name, node, y_bar)
    case.deltas[name] = value
    root = case.name(case.root)
    meaning: list[Any] = [Derivative(root, base)] if carrier is not None else []
    if carrier is None:
        inside = case.steps.formula(node)
        if len(written(inside)) <= LONGEST_INSIDE:
            meaning = [DerivativeIn(root, inside)]
    shown = shown_of(case, carrier, y_bar)
    numbers = [] if isinstance(shown, Blank) else numbers_of(case, value)
    return name, Equation(Symbol(name), [[*meaning, shown], *numbers], (), shapes_of(y_bar))


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


def shown_of(case: ArrayCase, node: Node | None, formula: Any) -> Any:
    if node is not None and case.is_hidden(case.root, node):
        return Blank()
    return narrow(formula)  # the shape it is stretched to stands beside it


def _final(case: ArrayCase, node: Node, y_bar: Any) -> Iterator[Any]:
    left = Derivative(case.name(case.root), case.name(node))
    value = case.value(written(left), node, y_bar)
    shown = shown_of(case, node, y_bar)
    rows = [[shown]]
    if not isinstance(shown, Blank):
        rows += numbers_of(case, value)
    yield Equation(left, rows, (), shapes_of(y_bar))
    yield from drift(case, node, value)


def drift(case: ArrayCase, node: Node, value: np.ndarray) -> Iterator[Note]:
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


def numbers_of(case: ArrayCase, value: Any) -> list[list[Any]]:
    """The row of numbers of an equation."""
    return [[displayed(value, case.digits)]]


def shape_text(shape: Sequence[int]) -> str:
    """A shape as the tuple NumPy shows, without spaces."""
    return str(tuple(shape)).replace(" ", "")


def shapes_of(formula: Any) -> str:
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
