"""The derivation of a gradient of single numbers: by paths, by adjoints, or as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.derivation.blocks import Equation, Heading, Note, Table
from chainrule.derivation.numbers import agreeing, number, substituted
from chainrule.errors import DerivationError
from chainrule.formulas.reading import product, read
from chainrule.formulas.styles import bar_name, takes_bar
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import Blank, Derivative, Joined, Printed, Words, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from chainrule.derivation.paths import Route, Ways
    from chainrule.engine import Node
    from chainrule.formulas.steps import Steps

#: How far what is printed may be from the gradient, relative to the size of what is added up.
TOLERANCE = 1e-12
#: Rows of a trace that are printed: from its beginning, and from its end.
FIRST_ROWS, LAST_ROWS = 40, 10


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


# ------------------------------------------------------------------ paths


def path_blocks(case: Case, ways: Ways, routes: Sequence[Route], count: int) -> Iterator[Any]:
    """One path as a chain of equal rows, several each with a title, and their sum."""
    root, target = case.root, ways.target
    total = case.adjoints[id(target)]
    left = Derivative(case.name(root), case.name(target))
    told = [told_path(case, route) for route in routes]
    if len(routes) == count == 1:
        path = told[0]
        rows: list[list[Any]] = []
        if len(routes[0].nodes) > 2:
            names = [case.name(node) for node in routes[0].nodes]
            rows.append([Joined(tuple(map(Derivative, names, names[1:])))])
        rows += [[row] for row in path.rows]
        final = (
            Blank() if case.is_hidden(root, target) else Printed(number(path.value, case.digits))
        )
        if written(rows[-1][0]) != written(final):
            rows.append([final])
        yield Equation(left, rows)
        if path.note:
            yield Note(path.note)
    else:
        words = f"sum over {count:,} paths"
        if len(routes) < count:
            words += f"; the {len(routes)} largest:" if len(routes) > 1 else "; the largest:"
        yield Equation(left, [[Words(words)]])
        for i, (route, path) in enumerate(zip(routes, told, strict=True), start=1):
            chain = " → ".join(case.name(node) for node in route.nodes)
            value = Printed(number(path.value, case.digits))
            last = [path.rows[-1]] if path.rows[-1] == value else [path.rows[-1], value]
            rows = [[row] for row in (path.rows[0], *path.rows[2:-1])] if len(path.rows) > 1 else []
            yield Equation(None, [*rows, last], [Words(f"path {i}: "), _chain(chain)])
            if path.note:
                yield Note(path.note)
        yield from _sum_of_paths(case, ways, [path.value for path in told], count, total)
    yield from _drift(case, [path.value for path in told], len(routes) == count, total)


def _chain(names: str) -> Any:
    return Joined(tuple(Symbol(name) for name in names.split(" → ")), " → ")


@dataclass
class Told:
    """A path in formulas: its rows, its value with the rounding asked for, and a remark."""

    rows: list[Any]
    value: float
    note: str = ""


def told_path(case: Case, route: Route) -> Told:
    """The rows of one path: formulas, numbers in them, factors."""
    pairs = list(zip(route.nodes, route.nodes[1:], strict=False))
    formulas = [case.partial(y, x) for y, x in pairs]
    hidden = [case.is_hidden(y, x) for y, x in pairs]
    factors = [case.evaluated(formula) for formula in formulas]
    if case.to_step is None:
        chain = " → ".join(case.name(node) for node in route.nodes)
        case.check(f"the formula of {chain}", _times(factors, None), route.contribution, 0.0)
    else:
        factors = [case.to_step(factor) for factor in factors]
    value = _times(factors, case.to_step)

    def numbers(digits: int) -> list[Any]:
        values = case.values
        names = {name: number(values[name], digits) for name in case.steps.used(formulas)}
        with_numbers = Joined(
            tuple(
                Blank() if blank else substituted(formula, names)
                for formula, blank in zip(formulas, hidden, strict=True)
            )
        )
        as_factors = Joined(
            tuple(
                Blank() if blank else Printed(number(factor, digits))
                for factor, blank in zip(factors, hidden, strict=True)
            )
        )
        return [with_numbers, as_factors]

    digits, off = case.digits, None
    if case.to_step is None and not any(hidden) and math.isfinite(value):
        digits, off = agreeing(numbers, value, case.digits)
    shown = Joined(tuple(Blank() if b else f for f, b in zip(formulas, hidden, strict=True)))
    rows: list[Any] = [shown, *numbers(digits)]
    rows = [row for i, row in enumerate(rows) if not i or written(row) != written(rows[i - 1])]
    return Told(rows, value, _off_note(off, value, digits, case.digits))


def _off_note(off: float | None, value: float, used: int, digits: int) -> str:
    if off is None:
        return ""
    return (
        f"(the factors as printed, to {used} digits, give {number(off, digits)}; with all digits"
        f" it is {number(value, digits)})"
    )


def _times(factors: Sequence[float], to_step: Callable[[float], float] | None) -> float:
    result = 1.0
    for factor in factors:
        result = float(product(result, factor))
        if to_step is not None:
            result = to_step(result)
    return result


def _sum_of_paths(
    case: Case, ways: Ways, values: Sequence[float], count: int, total: float
) -> Iterator[Any]:
    """What the contributions add up to; of a few of many, their share."""
    scale = ways.absolute_sum()
    digits = case.digits
    added = sum(values)
    if len(values) < count:
        sizes = sum(map(abs, values))
        yield Note(
            f"Together {number(added, digits)}: {_share(added, total)} of the gradient"
            f" {number(total, digits)}, and {_share(sizes, scale)} of the sum of all sizes."
        )
        return
    if case.to_step is None:
        case.check("the sum over the paths", added, total, scale)

    def shown(more: int) -> list[Any]:
        return [Joined(tuple(Printed(number(v, more)) for v in values), " + ")]

    final = added if case.to_step is None else case.to_step(added)
    off = None
    if case.to_step is None and all(map(math.isfinite, values)):
        digits, off = agreeing(shown, final, case.digits)
    hidden = case.is_hidden(case.root, ways.target)
    result = Blank() if hidden else Printed(number(final, case.digits))
    yield Equation(None, [[shown(digits)[0], result]], ())
    if off is not None:
        yield Note(
            f"(the contributions as printed give {number(off, case.digits)}; with all digits it is"
            f" {number(final, case.digits)})"
        )


def _share(part: float, whole: float) -> str:
    if not whole:
        return "no share"
    return f"{part / whole:.1%}"


def _drift(case: Case, values: Sequence[float], whole: bool, exact: float) -> Iterator[Any]:
    """How far rounding every step has led from the exact value."""
    if case.to_step is None or not whole:
        return
    drifted = case.to_step(sum(values))
    yield Note(drift_text(drifted, exact))


def drift_text(drifted: float, exact: float) -> str:
    """Rounded after every step, against exact."""
    difference = drifted - exact
    relative = f" ({difference / exact:+.2%})" if exact else ""
    return (
        f"Rounded after every step; the exact value is {number(exact, 10)}, the difference"
        f" {number(difference, 2)}{relative}."
    )


# ------------------------------------------------------------------ adjoints


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
            terms = [float(product(case.adjoints[id(y)], p)) for y, p in found[id(node)]]
            case.check(
                f"the sum over what was computed from {case.name(node)}",
                sum(terms),
                case.adjoints[id(node)],
                sum(map(abs, terms)),
            )
    return found


def bar(case: Case, node: Node) -> str:
    """The name of a node's adjoint: ā2, or ∂E/∂a2 where a bar would not fit on every name."""
    return bar_name(case.name(case.root), case.name(node), bars=case.bars)


def _adjoint_row(
    case: Case, node: Node, consumers: Sequence[tuple[Node, float]], adjoints: dict[int, float]
) -> Equation:
    left = Symbol(bar(case, node))
    if node is case.root:
        return Equation(left, [[Printed("1")]])
    formulas = [case.partial(y, node) for y, _ in consumers]
    hidden = [case.is_hidden(y, node) for y, _ in consumers]
    bars = {bar(case, y): adjoints[id(y)] for y, _ in consumers}
    factors = [case.evaluated(formula) for formula in formulas]
    if case.to_step is None:
        terms = [
            product(bars[bar(case, y)], p) for (y, _), p in zip(consumers, factors, strict=True)
        ]
        value = case.adjoints[id(node)]
        scale = float(sum(abs(t) for t in terms))
        case.check(f"the formula of {bar(case, node)}", float(sum(terms)), value, scale)
    else:
        factors = [case.to_step(factor) for factor in factors]
        value = 0.0
        for (y, _), factor in zip(consumers, factors, strict=True):
            value = case.to_step(value + case.to_step(float(product(adjoints[id(y)], factor))))
        adjoints[id(node)] = value

    def row(pairs: Sequence[tuple[Any, Any]]) -> Any:
        terms = []
        for (first, second), blank in zip(pairs, hidden, strict=True):
            if blank:
                terms.append(Joined((first, Blank())))
            elif isinstance(second, float) and second == 1:
                terms.append(first)
            else:
                terms.append(Joined((first, second)))
        return terms[0] if len(terms) == 1 else Joined(tuple(terms), " + ")

    symbols = [Symbol(bar(case, y)) for y, _ in consumers]

    def printed(digits: int) -> list[Any]:
        numbers = [Printed(number(adjoints[id(y)], digits)) for y, _ in consumers]
        by = [
            1.0 if not isinstance(f, Symbol) and f == 1 else Printed(number(p, digits))
            for f, p in zip(formulas, factors, strict=True)
        ]
        return [row(list(zip(numbers, by, strict=True)))]

    digits = case.digits
    if case.to_step is None and not any(hidden) and math.isfinite(value):
        digits, _ = agreeing(printed, value, case.digits)
    final = (
        Blank()
        if (case.name(case.root), case.name(node)) in case.hidden
        else Printed(number(value, case.digits))
    )
    rows = [row(list(zip(symbols, formulas, strict=True))), *printed(digits), final]
    texts = [written(r) for r in rows]
    return Equation(left, [[r for i, r in enumerate(rows) if not i or texts[i] != texts[i - 1]]])


def _explained_order(
    case: Case, nodes: Sequence[Node], consumers: dict[int, list[tuple[Node, float]]]
) -> tuple[Node, str] | None:
    """The first node with two consumers, and why the order has to be a topological one."""
    for node in nodes:
        if len(consumers[id(node)]) > 1:
            names = [case.name(y) for y, _ in consumers[id(node)]]
            listed = ", ".join(names[:-1]) + " and " + names[-1]
            return node, (
                f"({case.name(node)} went into {listed}: its adjoint is the sum over all of them"
                f" and may be used only when it is complete. That is why the order is topological:"
                f" a node comes after everything that was computed from it.)"
            )
    return None


# ------------------------------------------------------------------ table


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


# ------------------------------------------------------------------ layers


def layer_blocks(case: Case, ways: Ways) -> Iterator[Any]:
    """Paths through the same layers taken together."""
    layers = ways.layers()
    groups = ways.by_layer()
    total = case.adjoints[id(ways.target)]
    scale = ways.absolute_sum()
    added = sum(group.contribution for group in groups)
    case.check("the sum over the layers", added, total, scale)
    left = Derivative(case.name(case.root), case.name(ways.target))
    count = ways.count()
    yield Heading(f"{written(left)}: {count:,} paths, by the layers they go through")
    rows = [
        [
            Words(" → ".join(_layer_name(case, layers[i]) for i in group.layers)),
            Words(f"{group.count:,}"),
            Printed(number(group.contribution, case.digits)),
            Words(_share(group.contribution, total)),
        ]
        for group in groups[:FIRST_ROWS]
    ]
    yield Table(["layers", "paths", "contribution", "share"], rows)
    if len(groups) > FIRST_ROWS:
        yield Note(f"… {len(groups) - FIRST_ROWS:,} smaller rows are left out …")
    yield Equation(left, [[Printed(number(total, case.digits))]])


def _layer_name(case: Case, nodes: Sequence[Node]) -> str:
    """Out_o1 and out_o2 as out_o{1,2}."""
    names = sorted(case.name(node) for node in nodes)
    if len(names) == 1:
        return names[0]
    shared = 0
    while all(len(n) > shared and n[shared] == names[0][shared] for n in names):
        shared += 1
    rest = [name[shared:] for name in names]
    inside = ",".join(rest) if len(rest) <= 4 else f"{rest[0]},…,{rest[-1]}"
    return f"{names[0][:shared]}{{{inside}}}"
