"""Which form a derivation takes, and what is said around it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.derivation.blocks import Equation, Heading, Note
from chainrule.derivation.matrix import (
    array_adjoint_blocks,
    array_path_blocks,
    matrix_blocks,
    order_note,
    shape_text,
)
from chainrule.derivation.numbers import array, number
from chainrule.derivation.paths import Ways
from chainrule.derivation.result import Derivation, Path
from chainrule.derivation.routes import layer_blocks, path_blocks
from chainrule.derivation.traces import adjoint_blocks, table_blocks
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import Printed, Words, written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainrule.derivation.case import Case
    from chainrule.derivation.matrix import ArrayCase
    from chainrule.engine import Node


def array_derivation(
    case: ArrayCase,
    target: Node | None,
    form: str,
    max_paths: int,
    reveal: Callable[[], Derivation] | None,
) -> Derivation:
    steps, root = case.steps, case.name(case.root)
    form = "matrix" if form == "auto" else form
    facts: dict[str, Any] = {
        "title": f"Derivation of {root}",
        "root": root,
        "wrt": None,
        "value": None,
        "digits": case.digits,
        "form": form,
    }
    lead: list[Any] = []
    if target is None:
        lead = [Heading(f"The backward pass of {root} = {array(case.root._held, case.digits)}")]
        targets = [node for node in steps.steps if node.op is None]
        nodes = steps.steps[::-1]
        edges = {id(node): steps.inputs(node) for node in nodes}
    else:
        ways = Ways(steps, target, numbers=False)
        targets, nodes = [target], ways.nodes
        edges = {i: [x for x, _ in pairs] for i, pairs in ways.edges.items()}
        facts |= {
            "title": f"∂{root}/∂{case.name(target)}",
            "wrt": case.name(target),
            "value": case.adjoints[id(target)],
            "path_count": ways.count(),
        }
    if form == "paths" and target is not None:
        count = ways.count()
        if count > max_paths:
            raise ValueError(
                f"{count:,} paths of arrays lead from {root} to {case.name(target)}, max_paths is"
                f' {max_paths}: raise it, or use form="adjoints"'
            )
        routes = [route.nodes for route in ways.every()]
        blocks = list(array_path_blocks(case, routes, count))
    elif form == "adjoints":
        blocks = list(array_adjoint_blocks(case, nodes, edges))
    else:
        blocks = list(matrix_blocks(case, targets))
    if target is None:
        blocks += order_note(case, nodes)
    return Derivation([*lead, *_where(case, blocks)], facts, (), reveal)


def scalar_derivation(
    case: Case,
    target: Node | None,
    options: tuple[str, int, int | None, str | None],
    reveal: Callable[[], Derivation] | None,
) -> Derivation:
    form, max_paths, top, group_by = options
    steps = case.steps
    root = case.name(case.root)
    if form == "matrix":
        raise ValueError(f'form="matrix" is for arrays, {root} is computed from single numbers')
    facts: dict[str, Any] = {
        "title": f"Derivation of {root}",
        "root": root,
        "wrt": None,
        "value": None,
        "digits": case.digits,
    }
    if target is None:
        nodes = steps.steps[::-1]
        form = "table" if form == "table" else "adjoints"
        blocks = list((table_blocks if form == "table" else adjoint_blocks)(case, nodes, None))
        facts["form"] = form
        heading = [Heading(f"The backward pass of {root} = {_value(case, case.root)}")]
        return Derivation([*heading, *_where(case, blocks)], facts, (), reveal)
    ways = Ways(steps, target)
    count = ways.count()
    total = case.adjoints[id(target)]
    routes = []
    lead: list[Any] = []
    if form == "auto":
        form = "paths" if count <= max_paths or top is not None else "adjoints"
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
        blocks = list(made(case, ways.nodes, ways))
        what = f"∂{root}/∂{case.name(target)} = {number(total, case.digits)}"
        if form == "table" or (root, case.name(target)) in case.hidden:
            what = f"∂{root}/∂{case.name(target)}"
        words = "1 path" if count == 1 else f"the sum over {count:,} paths"
        lead = [Heading(f"{what}, {words}, each node once:")]
    notes = [Note(text) for text in (_remark(case, ways, total),) if text]
    paths = [Path(case, route.nodes, route.contribution) for route in routes]
    facts |= {
        "title": f"∂{root}/∂{case.name(target)}",
        "wrt": case.name(target),
        "value": total,
        "form": form,
        "path_count": count,
    }
    return Derivation([*lead, *_where(case, blocks), *notes], facts, paths, reveal)


def _value(case: Case, node: Node) -> str:
    return number(case.values[case.name(node)], case.digits)


def _where(case: Case | ArrayCase, blocks: Sequence[Any]) -> list[Any]:
    """The blocks, and what the automatic names in them stand for."""
    steps = case.steps
    automatic = {
        steps.name(node): node
        for node in steps.steps
        if id(node) not in steps.given and node.op is not None
    }
    pending = steps.used(_formulas(blocks))
    if steps.name(steps.root) in automatic:
        pending.insert(0, steps.name(steps.root))
    told: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    while pending:
        name = pending.pop(0)
        if name in automatic and name not in told:
            node = automatic[name]
            formula = steps.formula(node)
            shown = array(steps.values[name], case.digits)
            last = Words(shown) if np.ndim(node._held) else Printed(shown)
            aside = shape_text(np.shape(node._held)) if np.ndim(node._held) else ""
            told[name] = Equation(Symbol(name), [[formula, last]], (), aside)
            pending += steps.used([formula])
        elif steps.is_automatic_constant(name):
            shown = array(steps.values[name], case.digits)
            plain[name] = Equation(Symbol(name), [[Words(shown)]])
    if not told and not plain:
        return list(blocks)
    in_order = sorted(told, key=lambda name: automatic[name].index)
    return [*blocks, Note("where"), *plain.values(), *[told[name] for name in in_order]]


def _formulas(blocks: Sequence[Any]) -> list[Any]:
    """Every formula in blocks."""
    found: list[Any] = []
    pending: list[Any] = list(blocks)
    while pending:
        x = pending.pop()
        if isinstance(x, Symbol):
            found.append(x)
        elif isinstance(x, tuple | list):
            pending += x
    return found


def _remark(case: Case, ways: Ways, total: float) -> str:
    """Why a gradient is zero, or where NaN comes from."""
    bad = [n for n in case.steps.steps if not math.isfinite(float(np.asarray(n._held)))]
    if bad:
        first = min(bad, key=lambda node: node.index)
        name = case.name(first)
        made = f" = {written(case.steps.formula(first))}" if first.op is not None else ""
        return f"{name}{made} is {number(first._held, 4)}: nothing computed from it is a gradient."
    if total or not ways.nodes:
        return ""
    zero = [(y, x) for y in ways.nodes for x, partial in ways.edges.get(id(y), ()) if not partial]
    if not zero:
        return "The contributions cancel: the gradient is zero although no factor is."
    reasons = []
    for y, x in zero[:3]:
        formula = written(case.partial(y, x))
        shown = "0" if formula == "0.0" else f"{formula} = 0"
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
                return f" ({op.name}: {op.__doc__})"
    return ""
