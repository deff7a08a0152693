"""Which form a derivation takes, and what is said around it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.derivation.array_forms import (
    array_adjoint_blocks,
    array_path_blocks,
    array_table_blocks,
    order_note,
)
from chainrule.derivation.blocks import Equation, Heading, Note
from chainrule.derivation.case import SMALLEST, count_text, paths_text
from chainrule.derivation.kinks import kinks
from chainrule.derivation.matrix import matrix_blocks, shape_text
from chainrule.derivation.numbers import array, displayed
from chainrule.derivation.result import Derivation, Path
from chainrule.derivation.routes import MOST_FACTORS, layer_blocks, path_blocks
from chainrule.derivation.traces import adjoint_blocks, table_blocks
from chainrule.formulas.digits import number
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.ways import Ways
from chainrule.formulas.writing import Blank, Derivative, Printed, Words, written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainrule.derivation.array_case import ArrayCase
    from chainrule.derivation.case import Case
    from chainrule.engine import Node

#: Said where a formula has no value at the point but the gradient has.
CONVENTION = (
    "At this point a formula is 0/0 or 0·∞ or overflows; the number is what backward gives, where"
    " 0·∞ counts as 0."
)
#: Equations between arrays that are printed: of more than so many, the first and the last.
MOST_EQUATIONS, FIRST_EQUATIONS, LAST_EQUATIONS = 60, 40, 10
#: Definitions of automatic names that are printed.
MOST_DEFINITIONS = 40


def array_derivation(
    case: ArrayCase,
    target: Node | None,
    form: str,
    max_paths: int,
    reveal: Callable[[], Derivation] | None,
) -> Derivation:
    """The derivation for arrays."""
    steps, root = case.steps, case.name(case.root)
    form = "matrix" if form == "auto" else form
    if target is None:
        lead = [Heading(f"The backward pass of {root} = {array(case.root._held, case.digits)}")]
        nodes = steps.steps[::-1]
        edges = {id(node): steps.inputs(node) for node in nodes}
        blocks = _array_blocks(case, form, nodes, edges, [n for n in steps.steps if n.op is None])
        blocks += [*order_note(case, nodes), *_array_remark(case)]
        return _derivation(case, form, None, [*lead, *blocks], reveal)
    ways = Ways.over(steps, target, numbers=False)
    count = ways.count()
    if form == "paths":
        if count > max_paths:
            raise ValueError(
                f"{count_text(count)} paths of arrays lead from {root} to {case.name(target)},"
                f' max_paths is {max_paths}: raise it, or use form="adjoints"'
            )
        routes = [route.nodes for route in ways.every()]
        blocks = list(array_path_blocks(case, routes, count))
    else:
        edges = {i: [x for x, _ in pairs] for i, pairs in ways.edges.items()}
        blocks = _array_blocks(case, form, ways.nodes, edges, [target])
    blocks += [*_array_remark(case), *_why_zeros(case, ways)]
    return _derivation(case, form, target, blocks, reveal, count)


def _why_zeros(case: ArrayCase, ways: Ways) -> list[Note]:
    """Where a gradient that is zero in every entry was lost."""
    zero = [x for x in ways.nodes if not np.any(case.adjoints[id(x)])]
    if not any(x is ways.target for x in zero):
        return []
    lost = zero[0]
    into = next(y for y in ways.nodes if any(x is lost for x, _ in ways.edges.get(id(y), ())))
    formula = written(case.steps.formula(into))
    return [
        Note(
            f"Every entry is zero: nothing comes back through {case.name(into)} = {formula} to"
            f" {case.name(lost)}."
        )
    ]


def _bounded(blocks: list[Any]) -> list[Any]:
    """The first equations and the last, where there are too many for a page."""
    if len(blocks) <= MOST_EQUATIONS:
        return blocks
    left_out = len(blocks) - FIRST_EQUATIONS - LAST_EQUATIONS
    gap = Note(f"… {left_out:,} equations between are left out …")
    return [*blocks[:FIRST_EQUATIONS], gap, *blocks[-LAST_EQUATIONS:]]


def _array_remark(case: ArrayCase) -> list[Note]:
    bad = [n for n in case.steps.steps if not np.all(np.isfinite(n._held))]
    if bad:
        first = min(bad, key=lambda node: node.index)
        return [Note(f"{case.name(first)} is not finite: look there first.")]
    if case.by_convention:
        return [Note(CONVENTION)]
    return []


def _array_blocks(
    case: ArrayCase,
    form: str,
    nodes: Sequence[Node],
    edges: dict[int, list[Node]],
    targets: Sequence[Node],
) -> list[Any]:
    if form == "table":
        return list(array_table_blocks(case, nodes, edges))
    if form == "adjoints":
        return _bounded(list(array_adjoint_blocks(case, nodes, edges)))
    return _bounded(list(matrix_blocks(case, targets)))


def scalar_derivation(
    case: Case,
    target: Node | None,
    options: tuple[str, int, int | None, str | None],
    reveal: Callable[[], Derivation] | None,
) -> Derivation:
    """The derivation for single numbers."""
    form, max_paths, top, group_by = options
    steps = case.steps
    root = case.name(case.root)
    if form == "matrix":
        raise ValueError(f'form="matrix" is for arrays, {root} is computed from single numbers')
    if target is None:
        form = "table" if form == "table" else "adjoints"
        made = table_blocks if form == "table" else adjoint_blocks
        heading = Heading(f"The backward pass of {root} = {_value(case, case.root)}")
        blocks = [heading, *made(case, steps.steps[::-1], None)]
        worst = max(case.adjoints.values(), key=lambda x: not math.isfinite(x))
        blocks += [Note(text) for text in (_remark(case, None, worst),) if text]
        return _derivation(case, form, None, blocks, reveal)
    ways = Ways.over(steps, target)
    count = ways.count()
    routes = []
    if form == "auto":
        few = count <= max_paths and len(ways.nodes) <= MOST_FACTORS
        form = "paths" if few or top is not None else "adjoints"
    if group_by is not None:
        form = "layers"
        blocks = list(layer_blocks(case, ways))
    elif form == "paths":
        most = max_paths if top is None else top
        routes = list(ways.every()) if count <= most else ways.largest(most)
        if top is not None:
            routes.sort(key=lambda route: -abs(route.contribution))
        blocks = list(path_blocks(case, ways, routes, count))
    else:
        made = table_blocks if form == "table" else adjoint_blocks
        blocks = [_headline(case, target, count, form), *made(case, ways.nodes, ways)]
    blocks += [Note(text) for text in (_remark(case, ways, case.adjoints[id(target)]),) if text]
    paths = [Path(case, r.nodes, r.contribution) for r in routes if not case.hidden]
    return _derivation(case, form, target, blocks, reveal, count, paths)


def no_path(root: str, wrt: str, digits: int) -> Derivation:
    """An entry that the root was not computed from."""
    blocks = [
        Equation(Derivative(root, wrt), [[Printed("0")]]),
        Note(f"No path leads from {wrt} to {root}: {root} was not computed from this entry."),
    ]
    facts = {
        "title": f"∂{root}/∂{wrt}",
        "root": root,
        "wrt": wrt,
        "value": 0.0,
        "form": "paths",
        "digits": digits,
        "path_count": 0,
        "names": {},
    }
    return Derivation(blocks, facts)


def _headline(case: Case, target: Node, count: int, form: str) -> Heading:
    root, wrt = case.name(case.root), case.name(target)
    value = f" = {number(case.adjoints[id(target)], case.digits)}"
    if form == "table" or case.is_hidden(case.root, target) or case.to_step is not None:
        value = ""
    paths = paths_text(count) if count == 1 else f"the sum over {paths_text(count)}"
    return Heading(f"∂{root}/∂{wrt}{value}, {paths}, each node once:")


def _derivation(
    case: Case | ArrayCase,
    form: str,
    target: Node | None,
    blocks: Sequence[Any],
    reveal: Callable[[], Derivation] | None,
    count: int | None = None,
    paths: Sequence[Path] = (),
) -> Derivation:
    """Blocks with what their automatic names stand for, and the facts beside them."""
    steps, root = case.steps, case.name(case.root)
    if case.hidden and not _holds_blank(blocks):
        pairs = ", ".join(f"{y}/{x}" for y, x in sorted(case.hidden))
        raise ValueError(f'hide={pairs} leaves nothing blank in form="{form}": choose another')
    blocks = [*blocks, *map(Note, kinks(steps, _formulas(blocks)))]
    if form != "table":  # a table tells every name
        blocks = [*blocks, *_where(case, blocks)]
    used = steps.used(_formulas(blocks))
    facts = {
        "title": f"Derivation of {root}" if target is None else f"∂{root}/∂{case.name(target)}",
        "root": root,
        "wrt": None if target is None else case.name(target),
        "value": None if target is None else case.adjoints[id(target)],
        "form": form,
        "digits": case.digits,
        "path_count": count,
        "names": {name: steps.values[name] for name in used if name in steps.values},
    }
    return Derivation(blocks, facts, paths, reveal)


def of_itself(root: str, digits: int) -> Derivation:
    """The derivative of the root in itself."""
    facts = {
        "title": f"∂{root}/∂{root}",
        "root": root,
        "wrt": root,
        "value": 1.0,
        "form": "paths",
        "digits": digits,
        "path_count": 1,
        "names": {},
    }
    return Derivation([Equation(Derivative(root, root), [[Printed("1")]])], facts)


def _value(case: Case, node: Node) -> str:
    return number(case.values[case.name(node)], case.digits)


def _where(case: Case | ArrayCase, blocks: Sequence[Any]) -> list[Any]:
    """What the automatic names in blocks stand for."""
    steps = case.steps
    automatic = {steps.name(node): node for node in steps.steps if id(node) not in steps.given}
    pending = steps.used(_formulas(blocks))[::-1]
    if steps.name(steps.root) in automatic:
        pending.append(steps.name(steps.root))
    told: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    left_out = False
    while pending:
        name = pending.pop()
        if name in automatic and name not in told:
            if len(told) == MOST_DEFINITIONS:
                left_out = True
                continue
            node = automatic[name]
            formulas = [] if node.op is None else [steps.formula(node)]
            last = displayed(case.values[name], case.digits)
            aside = shape_text(np.shape(node._held)) if np.ndim(node._held) else ""
            told[name] = Equation(Symbol(name), [[*formulas, last]], (), aside)
            pending = [*steps.used(formulas)[::-1], *pending]
        elif steps.is_automatic_constant(name):
            single: list[Any] = [displayed(steps.values[name], case.digits)]
            rows = [[Words(steps.pulled[name])], single] if name in steps.pulled else [single]
            plain[name] = Equation(Symbol(name), rows)
    if not told and not plain:
        return []
    in_order = sorted(told, key=lambda name: automatic[name].index)
    more = [Note("… other automatic names are left out …")] if left_out else []
    return [Note("where"), *plain.values(), *[told[name] for name in in_order], *more]


def _holds_blank(x: Any) -> bool:
    if isinstance(x, Blank):
        return True
    return isinstance(x, tuple | list) and any(map(_holds_blank, x))


def _formulas(blocks: Sequence[Any]) -> list[Any]:
    """Every formula in blocks."""
    found: list[Any] = []
    pending: list[Any] = list(blocks)
    while pending:
        x = pending.pop()
        if isinstance(x, Symbol):
            found.append(x)
        elif isinstance(x, Derivative):
            found += [Symbol(x.y), Symbol(x.x)]
        elif isinstance(x, tuple | list):
            pending += x
    return found


def _remark(case: Case, ways: Ways | None, total: float) -> str:
    """Why a gradient is zero, or where NaN comes from."""
    bad = [n for n in case.steps.steps if not math.isfinite(float(np.asarray(n._held)))]
    if bad and not (math.isfinite(total) and math.isfinite(float(np.asarray(case.root._held)))):
        first = min(bad, key=lambda node: node.index)
        name = case.name(first)
        made = f" = {written(case.steps.formula(first))}" if first.op is not None else ""
        return f"{name}{made} is {number(first._held, 4)}: nothing computed from it is a gradient."
    if case.by_convention:
        return CONVENTION
    if case.too_small:
        return f"Numbers below {SMALLEST:g} are met: floats lose them in products."
    return "" if ways is None or total or not ways.nodes else _why_zero(case, ways)


def _why_zero(case: Case, ways: Ways) -> str:
    zero = [(y, x) for y in ways.nodes for x, partial in ways.edges.get(id(y), ()) if not partial]
    if not zero and ways.count() > 1 and ways.absolute_sum():
        return "The contributions cancel: the gradient is zero although no factor is."
    if not zero:
        return "The product of the factors is smaller than the smallest float, so it is zero."
    reasons = []
    for y, x in zero[:3]:
        formula = written(case.partial(y, x))
        shown = "0" if formula == "0" else f"{formula} = 0"
        reasons.append(f"∂{case.name(y)}/∂{case.name(x)} = {shown}{_why(case, y)}")
    more = f" and {len(zero) - 3:,} more" if len(zero) > 3 else ""
    return f"The gradient is zero because {', '.join(reasons)}{more}."


def _why(case: Case, y: Node) -> str:
    """What the op says of itself, for a step without derivative."""
    for inner in case.steps.region(y):
        op: Any = inner.op
        if op is not None and inner.op is not None and op.gives_partials:
            partials = [p for p in op.rules if not callable(p)]
            if partials and all(p == 0 for p in partials):
                return f" ({op.name}: {op.__doc__.rstrip('.')})"
    return ""
