"""The derivation of a gradient of single numbers node by node: its adjoints, its trace."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from chainrule.derivation.blocks import Equation, Note, Table
from chainrule.derivation.case import drift_text, order_text
from chainrule.derivation.numbers import agreeing
from chainrule.formulas.digits import number
from chainrule.formulas.reading import product
from chainrule.formulas.styles import bar_name
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import Blank, Joined, Printed, Words, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainrule.derivation.case import Case
    from chainrule.engine import Node
    from chainrule.formulas.ways import Ways

#: Rows of a trace that are printed: from its beginning, and from its end.
FIRST_ROWS, LAST_ROWS = 40, 10
#: Terms of a sum that are printed.
MOST_TERMS = 8


def adjoint_blocks(case: Case, nodes: Sequence[Node], ways: Ways | None) -> Iterator[Any]:
    """Each node once, root first: its adjoint is the sum over what was computed from it."""
    consumers = _consumers(case, nodes, ways)
    told = _explained_order(case, nodes, consumers) if ways is None else None
    adjoints = dict(case.adjoints)
    shown = _shown(nodes)
    for i, node in enumerate(nodes):
        if i == shown[0]:
            yield Note(f"… {shown[1] - shown[0]:,} nodes between are left out …")
        if shown[0] <= i < shown[1]:
            continue
        yield _adjoint_row(case, node, consumers[id(node)], adjoints)
        if told is not None and node is told[0]:
            yield Note(told[1])
    if case.to_step is not None and ways is not None:
        drifted, exact = adjoints[id(ways.target)], case.adjoints[id(ways.target)]
        yield Note(drift_text(drifted, exact))


def _shown(nodes: Sequence[Node]) -> tuple[int, int]:
    """The rows that are left out: from, to."""
    if len(nodes) <= FIRST_ROWS + LAST_ROWS:
        return len(nodes), len(nodes)
    return FIRST_ROWS, len(nodes) - LAST_ROWS


def _consumers(
    case: Case, nodes: Sequence[Node], ways: Ways | None
) -> dict[int, list[tuple[Node, float]]]:
    found: dict[int, list[tuple[Node, float]]] = {id(node): [] for node in nodes}
    for node in nodes:
        if ways is not None:
            edges = ways.edges.get(id(node), [])
        else:
            partials = case.steps.partials(node)
            edges = [(x, partials.get(id(x), 0.0)) for x in case.steps.inputs(node)]
        for x, partial in edges:
            found[id(x)].append((node, partial))
    for node in nodes:
        if node is not case.root:
            _check_sum(case, node, found[id(node)])
    return found


def _check_sum(case: Case, node: Node, consumers: Sequence[tuple[Node, float]]) -> None:
    terms = [float(product(case.adjoints[id(y)], p)) for y, p in consumers]
    what = f"the sum over what was computed from {case.name(node)}"
    case.check(what, sum(terms), case.adjoints[id(node)], lambda: case.scales[id(node)])


def bar(case: Case, node: Node) -> str:
    """The name of a node's adjoint: ā2, or ∂E/∂a2 where a bar would not fit on every name."""
    return bar_name(case.name(case.root), case.name(node), bars=case.bars)


def _adjoint_row(
    case: Case, node: Node, consumers: Sequence[tuple[Node, float]], adjoints: dict[int, float]
) -> Equation:
    left = Symbol(bar(case, node))
    if node is case.root:
        return Equation(left, [[Printed("1")]])
    if len(consumers) > MOST_TERMS:
        return _long_row(case, node, consumers)
    formulas = [case.partial(y, node) for y, _ in consumers]
    hidden = [case.is_hidden(y, node) for y, _ in consumers]
    factors, value = _added_up(case, node, consumers, formulas, adjoints)

    def printed(digits: int) -> list[Any]:
        numbers = [
            Blank() if case.is_hidden(case.root, y) else Printed(number(adjoints[id(y)], digits))
            for y, _ in consumers
        ]
        by = [
            1.0 if not isinstance(f, Symbol) and f == 1 else Printed(number(p, digits))
            for f, p in zip(formulas, factors, strict=True)
        ]
        return [_terms(numbers, by, hidden)]

    digits = case.digits
    blank = any(hidden) or any(case.is_hidden(case.root, y) for y, _ in consumers)
    if case.to_step is None and not blank and math.isfinite(value):
        digits, _ = agreeing(printed, value, case.digits)
    final = Blank() if case.is_hidden(case.root, node) else Printed(number(value, case.digits))
    symbols = [Symbol(bar(case, y)) for y, _ in consumers]
    rows = [_terms(symbols, formulas, hidden), *printed(digits), final]
    texts = [written(r) for r in rows]
    return Equation(left, [[r for i, r in enumerate(rows) if not i or texts[i] != texts[i - 1]]])


def _added_up(
    case: Case,
    node: Node,
    consumers: Sequence[tuple[Node, float]],
    formulas: Sequence[Any],
    adjoints: dict[int, float],
) -> tuple[list[float], float]:
    """The partials as numbers and the adjoint: checked, or rounded after every step."""
    factors = [case.evaluated(formula) for formula in formulas]
    bars = [adjoints[id(y)] for y, _ in consumers]
    if case.to_step is None:
        value = case.adjoints[id(node)]
        given = float(sum(product(y_bar, p) for y_bar, p in zip(bars, factors, strict=True)))
        what = f"the formula of {bar(case, node)}"
        case.check(what, given, value, lambda: case.scales[id(node)])
        return factors, value
    factors = [case.to_step(factor) for factor in factors]
    value = 0.0
    for y_bar, factor in zip(bars, factors, strict=True):
        value = case.to_step(value + case.to_step(float(product(y_bar, factor))))
    adjoints[id(node)] = value
    return factors, value


def _terms(bars: Sequence[Any], partials: Sequence[Any], hidden: Sequence[bool]) -> Any:
    """Adjoints times partials, added; a partial of 1 is not written."""
    terms: list[Any] = []
    for y_bar, partial, blank in zip(bars, partials, hidden, strict=True):
        if blank:
            terms.append(Joined((y_bar, Blank())))
        elif isinstance(partial, float) and partial == 1:
            terms.append(y_bar)
        else:
            terms.append(Joined((y_bar, partial)))
    return terms[0] if len(terms) == 1 else Joined(tuple(terms), " + ")


def _long_row(case: Case, node: Node, consumers: Sequence[tuple[Node, float]]) -> Equation:
    """The adjoint of a node that went into many: the first terms and the last."""
    shown = [*consumers[: MOST_TERMS - 2], *consumers[-2:]]
    terms: list[Any] = [
        Blank()
        if case.is_hidden(y, node)
        else Joined((Symbol(bar(case, y)), case.partial(y, node)))
        for y, _ in shown
    ]
    terms.insert(MOST_TERMS - 2, Words(f"… {len(consumers) - MOST_TERMS:,} terms …"))
    final = (
        Blank()
        if case.is_hidden(case.root, node)
        else Printed(number(case.adjoints[id(node)], case.digits))
    )
    return Equation(Symbol(bar(case, node)), [[Joined(tuple(terms), " + "), final]])


def _explained_order(
    case: Case, nodes: Sequence[Node], consumers: dict[int, list[tuple[Node, float]]]
) -> tuple[Node, str] | None:
    """The first node with two consumers, and why the order has to be a topological one."""
    for node in nodes:
        if len(consumers[id(node)]) > 1:
            names = [case.name(y) for y, _ in consumers[id(node)]]
            return node, order_text(case.name(node), names)
    return None


def table_blocks(case: Case, nodes: Sequence[Node], ways: Ways | None) -> Iterator[Any]:
    """Forward and reverse trace side by side, in the order of the forward pass."""
    consumers = _consumers(case, nodes, ways)
    adjoints = dict(case.adjoints)
    forward = list(case.steps.steps)
    at = {id(node) for node in nodes}
    reverse = {}
    shown = _shown(forward)
    kept = {id(node) for i, node in enumerate(forward) if not shown[0] <= i < shown[1]}
    for node in nodes:
        if id(node) in kept:
            reverse[id(node)] = _adjoint_row(case, node, consumers[id(node)], adjoints)
    rows: list[list[Any]] = []
    for i, node in enumerate(forward):
        if i == shown[0]:
            gap = Words(f"… {shown[1] - shown[0]:,} rows left out …")
            rows.append([gap, Words("…")])
        if id(node) not in kept:
            continue
        cells: list[Any] = [Symbol(case.name(node))]
        if node.op is not None:
            cells.append(case.steps.formula(node))
        cells.append(Printed(number(case.values[case.name(node)], case.digits)))
        back: Any = Words("")
        if id(node) in at:
            equation = reverse[id(node)]
            back = (equation.left, *equation.rows[0])
        rows.append([tuple(cells), back])
    yield Table(["forward ↓", "reverse ↑"], rows)
