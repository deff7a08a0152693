"""The forms of a derivation of arrays besides the textbook's: adjoints, paths, a table."""

from __future__ import annotations

from collections import ChainMap
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.derivation.array_case import ArrayCase, as_symbol, one
from chainrule.derivation.blocks import Equation, Heading, Note, Table
from chainrule.derivation.case import order_text
from chainrule.derivation.matrix import added, drift, numbers_of, shapes_of, shown_of
from chainrule.derivation.numbers import displayed
from chainrule.formulas.styles import bar_name
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import Blank, Derivative, Joined, Printed, Words, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainrule.engine import Node


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
            formula = yield from added(case, received[id(node)], node)
            value = case.value(bars[id(node)], node, formula)
            case.deltas[bars[id(node)]] = value
            shown = shown_of(case, node, formula)
            numbers = [] if isinstance(shown, Blank) else numbers_of(case, value)
            yield Equation(y_bar, [[shown], *numbers], (), shapes_of(formula))
            yield from drift(case, node, value)
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
        cells.append(displayed(case.values[name], case.digits))
        back: Any = Words("")
        if id(node) in equations:
            equation = equations[id(node)]
            back = (equation.left, *[formula for row in equation.rows for formula in row])
        rows.append([tuple(cells), back])
    yield Table(["forward ↓", "reverse ↑"], rows)


def _passed(x_bar: Any, i: int, inputs: Sequence[Node]) -> Any:
    return as_symbol(x_bar, next(x for x in inputs if id(x) == i))


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
            y_bar = as_symbol(case.steps.cotangents(y, y_bar).get(id(x), 0.0), x)
        value = np.asarray(case.steps.number(y_bar, ChainMap(case.values, case.steps.values)))
        value = value if case.to_step is None else case.rounded(value)
        value = np.broadcast_to(value, np.shape(target._held)) if value.size == 1 else value
        contributions.append(value.reshape(np.shape(target._held)))
        chain = Joined(tuple(Symbol(case.name(node)) for node in nodes), " → ")
        shown = shown_of(case, target, y_bar)
        numbers = [] if isinstance(shown, Blank) else numbers_of(case, contributions[-1])
        title = [Words(f"path {i}: "), chain]
        yield Equation(None, [[shown], *numbers], title, shapes_of(y_bar))
    summed = np.sum(contributions, axis=0)
    expected = np.asarray(case.adjoints[id(target)])
    if case.to_step is None:
        case.deltas["sum"] = summed
        case.check("the sum over the paths", Symbol("sum", summed.shape), expected)
    hidden = case.is_hidden(case.root, target)
    yield Equation(left, [[Blank()]] if hidden else numbers_of(case, summed))
    yield from drift(case, target, summed)


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
