"""The derivation of a gradient of single numbers by its paths."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from chainrule.derivation.blocks import Equation, Heading, Note, Table
from chainrule.derivation.case import count_text, drift_text, paths_text, share_text
from chainrule.derivation.numbers import agreeing, substituted
from chainrule.formulas.digits import number
from chainrule.formulas.reading import product
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import Blank, Derivative, Joined, Printed, Words, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from chainrule.derivation.case import Case
    from chainrule.engine import Node
    from chainrule.formulas.ways import Route, Ways

#: A path of more factors than this is printed by its first and its last.
MOST_FACTORS, FIRST_FACTORS, LAST_FACTORS = 40, 20, 10
#: Groups of paths that are printed.
MOST_GROUPS = 40


def path_blocks(case: Case, ways: Ways, routes: Sequence[Route], count: int) -> Iterator[Any]:
    """One path as a chain of equal rows, several each with a title, and their sum."""
    if len(routes) == count == 1:
        path = told_path(case, routes[0])
        yield from _one_path(case, routes[0], path)
        values = [path.value]
    else:
        told = [told_path(case, route, brief=True) for route in routes]
        yield from _several_paths(case, ways, routes, told, count)
        values = [path.value for path in told]
    yield from _drift(case, ways, values, whole=len(routes) == count)


def _one_path(case: Case, route: Route, path: Told) -> Iterator[Any]:
    names = [case.name(node) for node in route.nodes]
    hidden = case.is_hidden(route.nodes[0], route.nodes[-1])
    rows: list[list[Any]] = []
    if 2 < len(names) <= MOST_FACTORS:
        rows.append([Joined(tuple(map(Derivative, names, names[1:])))])
    rows += [[row] for row in path.rows]
    final = Blank() if hidden else Printed(number(path.value, case.digits))
    if written(rows[-1][0]) != written(final):
        rows.append([final])
    yield Equation(Derivative(names[0], names[-1]), rows)
    if path.note and not hidden:
        yield Note(path.note)


def _several_paths(
    case: Case, ways: Ways, routes: Sequence[Route], told: Sequence[Told], count: int
) -> Iterator[Any]:
    words = f"sum over {paths_text(count)}"
    if len(routes) < count:
        words += f"; the {len(routes)} largest:" if len(routes) > 1 else "; the largest:"
    left = Derivative(case.name(case.root), case.name(ways.target))
    yield Equation(left, [[Words(words)]])
    for i, (route, path) in enumerate(zip(routes, told, strict=True), start=1):
        names = [case.name(node) for node in route.nodes]
        if len(names) > MOST_FACTORS:
            names[FIRST_FACTORS:-LAST_FACTORS] = ["…"]
        chain = Joined(tuple(map(Symbol, names)), " → ")
        value = Printed(number(path.value, case.digits))
        same = written(path.rows[-1]) == written(value)
        last = [path.rows[-1]] if same else [path.rows[-1], value]
        rows = [[row] for row in path.rows[:-1]]
        yield Equation(None, [*rows, last], [Words(f"path {i}: "), chain])
        if path.note:
            yield Note(path.note)
    yield from _sum_of_paths(case, ways, [path.value for path in told], count)


@dataclass
class Told:
    """A path in formulas: its rows, its value with the rounding asked for, and a remark."""

    rows: list[Any]
    value: float
    note: str = ""


def told_path(case: Case, route: Route, *, brief: bool = False) -> Told:
    """The rows of one path: formulas, numbers in them (unless brief), factors."""
    pairs = list(pairwise(route.nodes))
    if len(pairs) > MOST_FACTORS:
        return _told_shortly(case, pairs, route.contribution)
    formulas = [case.partial(y, x) for y, x in pairs]
    hidden = [case.is_hidden(y, x) for y, x in pairs]
    factors = [case.evaluated(formula) for formula in formulas]
    if case.to_step is None:
        chain = " → ".join(case.name(node) for node in route.nodes)
        case.check(
            f"the formula of {chain}",
            _times(factors, None),
            route.contribution,
            lambda: math.prod(map(case.size, formulas)),
        )
    else:
        factors = [case.to_step(factor) for factor in factors]
    value = _times(factors, case.to_step)

    def numbers(digits: int) -> list[Any]:
        names = {name: number(case.number(name), digits) for name in case.steps.used(formulas)}
        with_numbers = Joined(
            tuple(
                Blank() if blank else substituted(formula, names, digits)
                for formula, blank in zip(formulas, hidden, strict=True)
            )
        )
        as_factors = Joined(
            tuple(
                Blank() if blank else Printed(number(factor, digits))
                for factor, blank in zip(factors, hidden, strict=True)
            )
        )
        if len(factors) == 1 and not brief:  # the factor is the result
            return [with_numbers]
        return [as_factors] if brief else [with_numbers, as_factors]

    digits, off = case.digits, None
    if case.to_step is None and not any(hidden) and math.isfinite(value):
        digits, off = agreeing(numbers, value, case.digits)
    shown = Joined(tuple(Blank() if b else f for f, b in zip(formulas, hidden, strict=True)))
    rows: list[Any] = [shown, *numbers(digits)]
    rows = [row for i, row in enumerate(rows) if not i or written(row) != written(rows[i - 1])]
    return Told(rows, value, _off_note(off, value, digits, case.digits))


def _told_shortly(case: Case, pairs: Sequence[tuple[Node, Node]], value: float) -> Told:
    """A long path: its first and last factors, and the product that the sweep found."""
    left_out = len(pairs) - FIRST_FACTORS - LAST_FACTORS
    gap = Words(f"… {left_out:,} factors …")
    shown = [*pairs[:FIRST_FACTORS], *pairs[-LAST_FACTORS:]]
    formulas = [Blank() if case.is_hidden(y, x) else case.partial(y, x) for y, x in shown]
    factors = [*formulas[:FIRST_FACTORS], gap, *formulas[FIRST_FACTORS:]]
    return Told([Joined(tuple(factors))], value)


def _off_note(off: float | None, value: float, used: int, digits: int) -> str:
    if off is None:
        return ""
    return (
        f"(the numbers as printed, to {used} digits, give {number(off, digits)}; with all digits"
        f" it is {number(value, digits)})"
    )


def _times(factors: Sequence[float], to_step: Callable[[float], float] | None) -> float:
    result = 1.0
    for factor in factors:
        result = float(product(result, factor))
        if to_step is not None:
            result = to_step(result)
    return result


def _sum_of_paths(case: Case, ways: Ways, values: Sequence[float], count: int) -> Iterator[Any]:
    """What the contributions add up to; of a few of many, their share."""
    total, scale = case.adjoints[id(ways.target)], ways.absolute_sum()
    digits = case.digits
    added = sum(values)
    hidden = case.is_hidden(case.root, ways.target)
    if len(values) < count and hidden:
        return
    if len(values) < count:
        sizes = sum(map(abs, values))
        yield Note(
            f"Together {number(added, digits)}: {share_text(added, total)} of the gradient"
            f" {number(total, digits)}, and {share_text(sizes, scale)} of the sum of all sizes."
        )
        return
    if case.to_step is None:
        case.check("the sum over the paths", added, total, lambda: case.scales[id(ways.target)])

    def shown(more: int) -> list[Any]:
        return [Joined(tuple(Printed(number(v, more)) for v in values), " + ")]

    final = added if case.to_step is None else case.to_step(added)
    off = None
    if case.to_step is None and all(map(math.isfinite, values)):
        digits, off = agreeing(shown, final, case.digits)
    result = Blank() if hidden else Printed(number(final, case.digits))
    yield Equation(None, [[shown(digits)[0], result]])
    if off is not None and not hidden:
        yield Note(
            f"(the contributions as printed give {number(off, case.digits)}; with all digits it is"
            f" {number(final, case.digits)})"
        )


def _drift(case: Case, ways: Ways, values: Sequence[float], *, whole: bool) -> Iterator[Any]:
    """How far rounding every step has led from the exact value."""
    if case.to_step is None or not whole or case.is_hidden(case.root, ways.target):
        return
    yield Note(drift_text(case.to_step(sum(values)), case.adjoints[id(ways.target)]))


def layer_blocks(case: Case, ways: Ways) -> Iterator[Any]:
    """Paths through the same layers taken together."""
    layers = ways.layers()
    groups = ways.by_layer()
    total = case.adjoints[id(ways.target)]
    added = sum(group.contribution for group in groups)
    case.check("the sum over the layers", added, total, lambda: case.scales[id(ways.target)])
    left = Derivative(case.name(case.root), case.name(ways.target))
    count = ways.count()
    yield Heading(f"{written(left)}: {paths_text(count)}, by the layers they go through")
    rows = [
        [
            Words(" → ".join(_layer_name(case, layers[i]) for i in group.layers)),
            Words(count_text(group.paths)),
            Printed(number(group.contribution, case.digits)),
            Words(share_text(group.contribution, total)),
        ]
        for group in groups[:MOST_GROUPS]
    ]
    yield Table(["layers", "paths", "contribution", "share"], rows)
    if len(groups) > MOST_GROUPS:
        yield Note(f"… {len(groups) - MOST_GROUPS:,} smaller rows are left out …")
    hidden = case.is_hidden(case.root, ways.target)
    yield Equation(left, [[Blank() if hidden else Printed(number(total, case.digits))]])


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
