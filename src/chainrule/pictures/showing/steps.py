"""A computation step by step: forward, then backward with each accumulation spelled out."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.engine import Node
from chainrule.formulas.styles import bar_name
from chainrule.pictures.scene import gradient_part
from chainrule.pictures.showing.texts import gradient_rows, shape_text, shown
from chainrule.pictures.showing.units import Constant, between, distances

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

    `value[i]` is the step from which on box i has a value. `grads[i]` are the gradients that the
    box of a node shows, each from a step on, a text for each of its rows. `late[i]` is the step
    from which on the gradient of any other box is there. `forward` is the last step before
    backward.
    """

    steps: tuple[Step, ...]
    value: tuple[int, ...]
    grads: dict[int, tuple[tuple[int, tuple[str, ...]], ...]]
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
    if reading.adjoints is None:  # what is stored was put there at the end
        if any(node.grad is not None for node in reading.nodes):
            last = steps.pop()
            seeded = f"{last.text}. The gradients are those of an earlier backward()."
            steps.append(last._replace(text=seeded))
        return Steps(
            tuple(steps), tuple(value), {}, dict.fromkeys(range(len(units)), forward), forward
        )
    teller = _Backward(reading, items, units, scene, digits)
    for count, i in enumerate(reversed(computed), 1):
        said, used = teller.told(i, into[i], len(steps))
        steps.append(Step(f"Backward {count}/{len(computed)}: {said}", (i,), used))
    late = {i: len(steps) - 1 for i in range(len(units)) if i not in teller.changes}
    late |= teller.late
    grads = {i: tuple(changes) for i, changes in teller.changes.items()}
    return Steps(tuple(steps), tuple(value), grads, late, forward)


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

    def __init__(
        self,
        reading: Reading,
        items: Items,
        units: Sequence[Unit],
        scene: Scene,
        digits: int,
    ) -> None:
        self.reading, self.units, self.scene, self.digits = reading, units, scene, digits
        self.root = reading.name(reading.root)
        self.links = {
            (a, b, max(slot, 0)): links for (a, b, slot), links in between(items, units).items()
        }
        self.sums: dict[int, Any] = {}
        self.changes: dict[int, list[tuple[int, tuple[str, ...]]]] = defaultdict(list)
        self.late: dict[int, int] = {}
        self._from_outside(items)

    def _from_outside(self, items: Items) -> None:
        """What comes from nodes that the picture does not show, before all else."""
        shown_ones = {id(x) for x in items.all}
        first = 1 + sum(map(_is_computed, self.units))
        for i, unit in enumerate(self.units):
            x = unit.single
            for y in {id(y): y for y in self.reading.consumers.get(id(x), ())}.values():
                if id(y) in shown_ones:
                    continue
                for slot, own in enumerate(y.inputs_then()):
                    if own is x:
                        self._add(i, self.reading.locals(y)[slot].passed, first)

    def told(self, i: int, edges: Sequence[int], step: int) -> tuple[str, tuple[int, ...]]:
        """What box i passes on at a step, and along which edges."""
        node = self.units[i].single
        if node is self.reading.root:
            self._add(i, self.reading.root.new_seed(None), step)
        used, parts = [], []
        for e in edges:
            edge = self.scene.edges[e]
            source = self.units[edge.source].single
            if isinstance(source, Constant):
                continue
            used.append(e)
            parts.append(self._part(node, edge.source, edge.slot))
            for link in self.links[edge.source, i, edge.slot]:
                if link.source is source:
                    local = self.reading.locals(link.target)[link.slot]
                    self._add(edge.source, local.passed, step)
        if not isinstance(node, Node):
            self.late[i] = step
            names = ", ".join(dict.fromkeys(parts))
            gone = f"gradients go on to {names}" if names else "all gradients are complete"
            return f"in {self.units[i].title}: {gone}", tuple(used)
        adjoint = (self.reading.adjoints or {}).get(id(node), 0.0)
        grad = gradient_rows(adjoint, self.digits, grid=False)[0].text
        head = f"at {self._name(i)} (grad {grad})"
        return (f"{head} → {'; '.join(parts)}" if parts else head), tuple(used)

    def _part(self, node: Any, source: int, slot: int) -> str:
        """The accumulation along one edge in words."""
        x = self._name(source)
        if not isinstance(node, Node):
            return x
        if not isinstance(self.units[source].single, Node):
            return f"{x} get their share"
        local = self.reading.locals(node)[slot]
        if local.partial is None:
            formula = self.reading.partial_formula(node, slot) or "its share"
            return f"{bar_name(self.root, x)} += {formula}"
        upstream = (self.reading.adjoints or {}).get(id(node), 0.0)
        return f"{x} += {self._factor(local.partial)} × {self._factor(upstream)}"

    def _factor(self, x: Any) -> str:
        text = shown(x, self.digits)
        return f"({text})" if np.iscomplexobj(x) else text

    def _add(self, i: int, amount: Any, step: int) -> None:
        """What box i has collected so far, in as many rows as it shows gradients in."""
        node = self.units[i].single
        if not isinstance(node, Node) or amount is None:
            return
        before = self.sums.get(i)
        whole = np.broadcast_to(amount, np.shape(node._held))
        with np.errstate(all="ignore"):  # ∞ - ∞ is shown as the nan it is
            self.sums[i] = whole if before is None else before + whole
        rows = sum(1 for _ in gradient_part(self.scene.boxes[i].rows))
        texts = [row.text for row in gradient_rows(self.sums[i], self.digits)]
        if len(texts) != rows:  # drawn before there was a gradient
            texts = [gradient_rows(self.sums[i], self.digits, grid=False)[0].text]
            texts += [""] * (rows - 1)
        if self.changes[i] and self.changes[i][-1][0] == step:
            self.changes[i].pop()
        self.changes[i].append((step, tuple(texts)))

    def _name(self, i: int) -> str:
        unit = self.units[i]
        x = unit.single
        if x is None:
            return unit.title
        return x.name if isinstance(x, Constant) else self.reading.name(x)
