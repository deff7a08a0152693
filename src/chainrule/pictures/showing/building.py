"""Boxes and edges from units."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.engine import Node
from chainrule.pictures.drawing.letters import shortened
from chainrule.pictures.scene import Box, Cluster, Edge, Path, Row, Scene
from chainrule.pictures.showing import texts
from chainrule.pictures.showing.paths import told_paths, ways_to
from chainrule.pictures.showing.units import Constant, between, counted, hidden_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chainrule.pictures.showing.reading import Reading
    from chainrule.pictures.showing.units import Items, Link, Unit

#: The longest name and the longest formula on an edge.
LONGEST_NAME, LONGEST_FORMULA = 28, 24


@dataclass(frozen=True)
class Target:
    """Whose paths are shown: a node, or one entry of it."""

    node: Node
    index: tuple[int, ...] | None = None


class Look(NamedTuple):
    """How much a picture tells: which of "value", "grad" and "local", and to how many digits."""

    show: tuple[str, ...]
    digits: int


def boxes_of(reading: Reading, items: Items, units: Sequence[Unit], look: Look) -> list[Box]:
    """A box for each unit."""
    return [
        _group(reading, unit, look)
        if unit.single is None
        else _single(reading, items, unit.single, unit.scope, look)
        for unit in units
    ]


def _single(reading: Reading, items: Items, x: Any, scope: Path, look: Look) -> Box:
    if isinstance(x, Constant):
        name = shortened(x.name, LONGEST_NAME)
        kind = "constant" if id(x.data) in reading.unnamed else "input"
        rows = texts.value_rows(x.data, look.digits)
        if not np.ndim(x.data):
            rows = [Row("", rows[0].text, rows[0].tone)]
        tip = f"{x.name or 'a constant'}: no derivative is asked for"
        return Box(name, "constant", kind, tuple(rows if "value" in look.show else ()), scope, tip)
    name = reading.name(x)
    given = id(x) in reading.given
    rows = texts.value_rows(x._held, look.digits) if "value" in look.show else []
    if "grad" in look.show:
        rows += texts.gradient_rows(reading.gradient(x), look.digits)
    short = shortened(name, LONGEST_NAME)
    if x.op is None:
        kind = "input" if texts.is_input(name) else "parameter"
        return Box(short, "output" if x is reading.root else kind, kind, tuple(rows), scope, name)
    sign = texts.sign_of(x, items.constants, look.digits)
    formula = reading.formula(x)
    tip = f"{name} = {formula}" if formula else name
    kind = "output" if x is reading.root else "op"
    heading, role = (short, sign) if given else (sign, short)
    return Box(heading, role, kind, tuple(rows), scope, tip)


def _group(reading: Reading, unit: Unit, look: Look) -> Box:
    """A box for many nodes: how many of which kind, and the range of what comes out."""
    nodes = [x for x in unit.items if isinstance(x, Node)]
    inside = {id(x) for x in nodes}
    ends = [
        x
        for x in nodes
        if x is reading.root or any(id(y) not in inside for y in reading.consumers[id(x)])
    ]
    rows = []
    parameters = sum(np.size(x._held) for x in nodes if x.op is None)
    computed = sum(x.op is not None for x in nodes)
    if parameters and computed:
        rows.append(Row("leaves", counted(parameters, "number")))
    if "value" in look.show:
        rows += texts.range_rows(_numbers(x._held for x in ends), look.digits)
    if "grad" in look.show:
        gradients = [reading.gradient(x) for x in ends]
        known = _numbers(g for g in gradients if g is not None)
        whole = known[0] if known.size == 1 else known if known.size else None
        rows += texts.gradient_rows(whole, look.digits, grid=False)
    kinds = Counter(x.op.name if x.op is not None else "leaf" for x in nodes)
    tip = ", ".join(f"{count:,} {name}" for name, count in kinds.most_common(8))
    role = f"{len(unit.items):,} values"
    # Its hull has the names of the scopes around it.
    name = unit.title[len(".".join(unit.scope)) + 1 :] if unit.opens and unit.scope else unit.title
    name = shortened(name, LONGEST_NAME)
    return Box(
        name, role, "group", tuple(rows), unit.scope, tip, unit.opens, members=len(unit.items)
    )


def _numbers(arrays: Iterable[Any]) -> np.ndarray:
    """All entries of some arrays."""
    parts = [np.ravel(a) for a in arrays]
    return np.concatenate(parts) if parts else np.empty(0)


def edges_of(reading: Reading, items: Items, units: Sequence[Unit], look: Look) -> list[Edge]:
    """An edge for each use of an input; between groups one for all."""
    found = between(items, units)
    sizes = {key: _size(reading, links) for key, links in found.items()}
    known = [size for size in sizes.values() if size is not None and np.isfinite(size)]
    largest = max(known, default=0.0)
    edges = []
    for (source, target, slot), links in found.items():
        size = sizes[source, target, slot]
        known_size = size is not None and np.isfinite(size) and largest > 0
        share = min(size / largest, 1.0) if known_size and size is not None else None
        link = links[0]
        slots = len(link.target.inputs)
        if slot < 0:
            count = counted(len(links), "edge")
            label = count if len(links) > 1 else ""
            edges.append(Edge(source, target, 0, 1, label, count, share))
        elif isinstance(link.source, Constant):
            edges.append(Edge(source, target, slot, slots, tip="a constant: no derivative"))
        else:
            label, tip, dead = _local(reading, link, look)
            edges.append(Edge(source, target, slot, slots, label, tip, share, dead))
    return sorted(edges, key=lambda edge: (edge.target, edge.slot, edge.source))


def _size(reading: Reading, links: Iterable[Link]) -> float | None:
    """The size of what comes along some edges; None before backward."""
    if not reading.is_after_backward:
        return None
    sizes = [
        reading.contribution(link.target, link.slot)
        for link in links
        if not isinstance(link.source, Constant)
    ]
    known = [size for size in sizes if size is not None]
    return float(np.sum(known)) if known else None


def _local(reading: Reading, link: Link, look: Look) -> tuple[str, str, bool]:
    """The pill of an edge, its formula with the numbers, and whether nothing comes through."""
    local = reading.locals(link.target)[link.slot]
    y, x = reading.name(link.target), reading.names[id(link.source)]
    formula = reading.partial_formula(link.target, link.slot)
    if local.partial is None:
        label = shortened(formula, LONGEST_FORMULA)
        tip = f"∂{y} → ∂{x}: {formula}" if formula else f"from {y} to {x}"
        if local.size is not None:
            tip += f"; ‖·‖ = {texts.shown(local.size, look.digits)}"
    else:
        label = texts.shown(local.partial, look.digits)
        tip = f"∂{y}/∂{x} = {formula} = {label}" if formula not in {"", label} else ""
        tip = tip or f"∂{y}/∂{x} = {label}"
        if local.passed is not None and reading.adjoints is not None:
            upstream = texts.shown(reading.adjoints[id(link.target)], look.digits)
            product = texts.shown(local.passed, look.digits)
            tip += f"; local {label} × upstream {upstream} = {product}"
    return (label if "local" in look.show else ""), tip, local.dead


def clusters_of(boxes: Iterable[Box]) -> list[Cluster]:
    """The scopes to draw around boxes; one that holds nothing but another is not drawn."""
    inside: Counter[Path] = Counter()
    for box in boxes:
        inside.update(box.scope[:length] for length in range(1, len(box.scope) + 1))
    drawn = []
    for path, count in sorted(inside.items()):
        inner = [other for other in inside if other[:-1] == path]
        if not (len(inner) == 1 and inside[inner[0]] == count):
            drawn.append(Cluster(path, ".".join(path)))
    return drawn


def scene_of(
    reading: Reading, items: Items, units: Sequence[Unit], look: Look, target: Target | None
) -> Scene:
    """Everything in a picture; `target` is whose paths are lit."""
    boxes = boxes_of(reading, items, units, look)
    edges = edges_of(reading, items, units, look)
    notes = hidden_text(items, units, len(reading.nodes))
    footer, lit = None, None
    if target is not None:
        ways = ways_to(reading, target.node)
        footer = told_paths(reading, target.node, ways, target.index).footer(look.digits)
        on_way = {id(node) for node in ways.nodes}
        bright = frozenset(i for i, u in enumerate(units) if any(id(x) in on_way for x in u.items))
        lit_pairs = {
            (a, b, max(slot, 0))
            for (a, b, slot), links in between(items, units).items()
            if any(id(x.source) in on_way and id(x.target) in on_way for x in links)
        }
        lines = frozenset(
            i for i, e in enumerate(edges) if (e.source, e.target, e.slot) in lit_pairs
        )
        lit = (bright, lines)
    title = f"Computation graph of {reading.name(reading.root)}"
    if target is not None:
        title = f"Paths from {reading.name(target.node)} to {reading.name(reading.root)}"
    clusters = clusters_of(boxes)
    return Scene(title, tuple(boxes), tuple(edges), tuple(clusters), tuple(notes), footer, lit)
