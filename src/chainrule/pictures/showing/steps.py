"""A computation step by step: forward, then backward with each accumulation spelled out."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.engine import Node
from chainrule.formulas.styles import bar_name
from chainrule.pictures.showing.texts import gradient_rows, shape_text, shown
from chainrule.pictures.showing.units import Constant, distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.pictures.scene import Scene
    from chainrule.pictures.showing.reading import Reading
    from chainrule.pictures.showing.units import Items, Unit


class Step(NamedTuple):
    """One step: what it says, and the boxes and edges it is about."""

    text: str
    boxes: tuple[int, ...]
    edges: tuple[int, ...]


class Steps(NamedTuple):
    """All steps of a picture.

    `value[i]` is the step from which on box i has a value; `grads[i]` are the gradients that the
    box of a single number shows, each from a step on; `late[i]` is the step from which on the
    gradient of any other box is there.
    """

    steps: tuple[Step, ...]
    value: tuple[int, ...]
    grads: dict[int, tuple[tuple[int, str], ...]]
    late: dict[int, int]
    forward: int


def steps_of(
    reading: Reading, items: Items, units: Sequence[Unit], scene: Scene, digits: int
) -> Steps:
    """The steps through the boxes of a scene."""
    order = _order(reading, items, units)
    computed = [i for i in order if _is_computed(units[i])]
    into = defaultdict(list)
    for e, edge in enumerate(scene.edges):
        into[edge.target].append(e)
    steps = [Step("The inputs and parameters are given.", _leaves(units), ())]
    value = [0] * len(units)
    for count, i in enumerate(computed, 1):
        value[i] = count
        text = f"Forward {count}/{len(computed)}: {_forward(reading, units[i], digits)}"
        steps.append(Step(text, (i,), tuple(into[i])))
    forward = len(steps) - 1
    teller = _Backward(reading, units, scene, digits)
    if reading.adjoints is not None:
        for count, i in enumerate(reversed(computed), 1):
            said = teller.told(i, into[i], len(steps))
            text = f"Backward {count}/{len(computed)}: {said}"
            steps.append(
                Step(text, (i,), tuple(e for e in into[i] if not _is_plain(units, scene, e)))
            )
    grads = {i: tuple(changes) for i, changes in teller.changes.items()}
    return Steps(tuple(steps), tuple(value), grads, teller.late, forward)


def _order(reading: Reading, items: Items, units: Sequence[Unit]) -> list[int]:
    """As computed; where there are groups, by the distance from the leaves first."""
    place = {id(x): i for i, x in enumerate(reading.nodes)}
    last = [max((place.get(id(x), 0) for x in unit.items), default=0) for unit in units]
    grouped = any(unit.title for unit in units)
    rank = distances(items, units) if grouped else [0] * len(units)
    return sorted(range(len(units)), key=lambda i: (rank[i], last[i]))


def _is_computed(unit: Unit) -> bool:
    return any(isinstance(x, Node) and x.op is not None for x in unit.items)


def _leaves(units: Sequence[Unit]) -> tuple[int, ...]:
    return tuple(i for i, unit in enumerate(units) if not _is_computed(unit))


def _is_plain(units: Sequence[Unit], scene: Scene, e: int) -> bool:
    """Whether an edge comes from a constant, to which no gradient goes."""
    return isinstance(units[scene.edges[e].source].single, Constant)


def _forward(reading: Reading, unit: Unit, digits: int) -> str:
    node = unit.single
    if not isinstance(node, Node):
        return f"{unit.title}, {len(unit.items):,} values"
    parts = [reading.name(node), reading.formula(node)]
    data = node._held
    parts.append(shown(data, digits) if not np.ndim(data) else f"array of {shape_text(data)}")
    return " = ".join(part for part in parts if part)


class _Backward:
    """Tells what each box passes on, and keeps the sums."""

    def __init__(self, reading: Reading, units: Sequence[Unit], scene: Scene, digits: int) -> None:
        self.reading, self.units, self.scene, self.digits = reading, units, scene, digits
        self.sums: dict[int, Any] = {}
        self.changes: dict[int, list[tuple[int, str]]] = defaultdict(list)
        self.late: dict[int, int] = {}

    def told(self, i: int, edges: Sequence[int], step: int) -> str:
        node = self.units[i].single
        if node is self.reading.root:
            self._add(i, self.reading.root.new_seed(None), step)
        if not isinstance(node, Node):
            names = [self._name(self.scene.edges[e].source) for e in edges]
            for e in edges:
                self.late.setdefault(self.scene.edges[e].source, step)
            self.late.setdefault(i, step)
            return (
                f"{self.units[i].title} passes its gradients on to {', '.join(names) or 'nothing'}"
            )
        parts = []
        for e in edges:
            edge = self.scene.edges[e]
            if _is_plain(self.units, self.scene, e):
                continue
            self.late.setdefault(edge.source, step)
            parts.append(self._part(node, edge.source, edge.slot, step))
        adjoint = self.reading.adjoints[id(node)] if self.reading.adjoints else None
        grad = gradient_rows(adjoint, self.digits, grid=False)[0].text
        head = f"at {self._name(i)} (grad {grad})"
        return f"{head} → {'; '.join(parts)}" if parts else head

    def _part(self, node: Node, source: int, slot: int, step: int) -> str:
        x = self._name(source)
        local = self.reading.locals(node).get(slot)
        unit = self.units[source].single
        if local is None or not isinstance(unit, Node):
            return f"{x} gets its share"
        if local.partial is None:
            formula = self.reading.partial_formula(node, slot) or "its share"
            return f"{bar_name(self.reading.name(self.reading.root), x)} += {formula}"
        self._add(source, local.passed, step)
        upstream = (self.reading.adjoints or {}).get(id(node), 0.0)
        return f"{x} += {shown(local.partial, self.digits)} × {shown(upstream, self.digits)}"

    def _add(self, i: int, amount: Any, step: int) -> None:
        """What box i has collected so far."""
        unit = self.units[i].single
        if not isinstance(unit, Node) or np.ndim(unit._held) or amount is None:
            return
        self.sums[i] = self.sums.get(i, 0.0) + np.asarray(amount).item()
        text = gradient_rows(self.sums[i], self.digits)[0].text
        self.changes[i].append((step, text))

    def _name(self, i: int) -> str:
        unit = self.units[i]
        x = unit.single
        if x is None:
            return unit.title
        return x.name or "a constant" if isinstance(x, Constant) else self.reading.name(x)
