"""A hand calculation as a graph: the steps of forward and backward from the values on paper.

Where the paper has a number, the number on paper is a leaf; everything else is computed from
such leaves by the ops of the graph. So what a step should be, given the steps before it, is a
node, and how far rounding may have moved it is one reverse sweep.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.ops import multiply
from chainrule.tensor import Tensor
from chainrule.value import Value
from chainrule.verification.rounding import first_order, step_half_unit
from chainrule.verification.tape import ones

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainrule.verification.claims import Numbers, Rounding
    from chainrule.verification.subject import Subject


class HandCalculation:
    """The steps that follow from the numbers on paper so far.

    Args:
        subject: the graph.
        rounding: to what every step was rounded, None if nothing is known of that.
    """

    def __init__(self, subject: Subject, rounding: Rounding | None) -> None:
        self.subject, self.tape, self.rounding = subject, subject.tape, rounding
        self.values: dict[int, Any] = {}
        self.partials: dict[tuple[int, int], Any] = {}
        self.adjoints: dict[int, Any] = {}
        self._half_units: dict[int, np.ndarray] = {}
        self._forward: list[Any] | None = None
        self._backward: dict[bool, dict[int, Any]] = {}
        self._regions: dict[int, list[int]] = {}

    def node(self, numbers: Any) -> Any:
        """Numbers as a leaf."""
        like = self.tape.data[self.tape.last]
        scalar = like.__class__ is float
        return Value(float(numbers)) if scalar else Tensor(np.array(numbers, dtype=float))

    def write(self, kind: str, place: Any, numbers: Numbers) -> None:
        """Put a number on the paper."""
        leaf = self.node(numbers.value)
        self._half_units[id(leaf)] = numbers.known_to
        papers: dict[str, dict[Any, Any]] = {
            "value": self.values,
            "partial": self.partials,
            "gradient": self.adjoints,
        }
        papers[kind][place] = leaf
        if kind == "value":
            self._forward = None
        self._backward = {}

    def stops(self) -> set[int]:
        """The nodes that a step runs between: those with a name, and those on paper."""
        on_paper = {*self.values, *self.adjoints, *(i for pair in self.partials for i in pair)}
        return {*self.subject.names, *self.tape.leaves, self.tape.last, *on_paper}

    # ------------------------------------------------------------------ what follows

    def forward(self) -> list[Any]:
        """Every node of the forward pass."""
        if self._forward is None:
            nodes: list[Any] = []
            for i, node in enumerate(self.tape.nodes):
                if i in self.values:
                    nodes.append(self.values[i])
                elif node.op is None:
                    nodes.append(self.node(self.tape.data[i]))
                else:
                    nodes.append(node.op.apply(self.inputs(i, nodes), node.params))  # type: ignore[attr-defined]
            self._forward = nodes
        return self._forward

    def inputs(self, i: int, nodes: list[Any]) -> tuple[Any, ...]:
        return tuple(
            self.tape.constants[i][slot] if j is None else nodes[j]
            for slot, j in enumerate(self.tape.sources[i])
        )

    def value(self, i: int) -> Any:
        """What a result should be, from the results on paper before it."""
        node = self.tape.nodes[i]
        return node.op.apply(self.inputs(i, self.forward()), node.params)  # type: ignore[union-attr]

    def partial(self, y: int, x: int, *, anew: bool = False) -> Any:
        """∂y/∂x by the steps between, from the results on paper."""
        one = self.node(ones(self.tape.data[y]))
        return self.sweep({y: one}, y, given=False, anew=anew).get(x, 0.0)

    def adjoint(self, i: int, *, anew: bool = False) -> Any:
        """The derivative of the root by a node, from what is on paper already.

        A rule may read the result of its op: σ′ = y (1 - y). That is the one on paper or, `anew`,
        the one that follows from the inputs on paper, as in σ′(z).
        """
        if self._backward.get(anew) is None:
            last = self.tape.last
            one = self.node(ones(self.tape.data[last]))
            self._backward[anew] = self.sweep({last: one}, last, given=True, anew=anew)
        return self._backward[anew].get(i, 0.0)

    def sweep(
        self, bars: dict[int, Any], start: int, *, given: bool, anew: bool = False
    ) -> dict[int, Any]:
        """Adjoints from one named node to the next; what is on paper is taken from there.

        Returns what arrives at each named node, before the paper is looked at.
        """
        arrived = dict(bars)
        stops = self.stops()
        for y in sorted((i for i in stops if i <= start), reverse=True):
            y_bar = arrived.get(y)
            if given and y in self.adjoints:
                y_bar = self.adjoints[y]
            if y_bar is None or self.tape.nodes[y].op is None:
                continue
            for x, x_bar in self.step(y, y_bar, stops, given=given, anew=anew).items():
                arrived[x] = x_bar if x not in arrived else arrived[x] + x_bar
        return arrived

    def step(
        self, y: int, y_bar: Any, stops: set[int], *, given: bool, anew: bool = False
    ) -> dict[int, Any]:
        """What a named node passes on to the named nodes that it is computed from."""
        nodes = self.forward()
        table: dict[int, Any] = {y: y_bar}
        found: dict[int, Any] = {}
        for i in self.region(y, stops):
            bar = table.pop(i, None)
            node = self.tape.nodes[i]
            op: Any = node.op
            if bar is None or op is None:
                continue
            slots = [slot for slot, j in enumerate(self.tape.sources[i]) if j is not None]
            result = self.value(i) if anew and i in self.values else nodes[i]
            parts = op.vjp(slots, bar, result, self.inputs(i, nodes), node.params)
            for slot, part in zip(slots, parts, strict=True):
                j = self.tape.sources[i][slot]
                if j is None or part is None:
                    continue
                target = found if j in stops else table
                target[j] = part if j not in target else target[j] + part
        if given:
            for (of, by), p in self.partials.items():
                if of == y and by in found:
                    found[by] = multiply(p, y_bar)
        return found

    def region(self, y: int, stops: set[int]) -> list[int]:
        """A node and what it takes in up to the next named nodes, the newest first."""
        inside, pending = {y}, [y]
        while pending:
            for j in self.tape.sources[pending.pop()]:
                if j is not None and j not in stops and j not in inside:
                    inside.add(j)
                    pending.append(j)
        return sorted(inside, reverse=True)

    # ------------------------------------------------------------------ how exactly

    def numbers(self, node: Any) -> np.ndarray:
        """The number that a step should be."""
        return np.asarray(node._held if isinstance(node, Node) else node, dtype=float)

    def half_unit_of(self, node: Any) -> Any:
        """How exactly a number on paper is written; 0 for what is not on paper."""
        return self._half_units.get(id(node), 0.0)

    def slack(self, result: Any) -> np.ndarray:
        """How far a step may be off by the rounding of what it is computed from."""
        return first_order(result, self._known_to)

    def _known_to(self, node: Node) -> Any:
        half = self._half_units.get(id(node))
        if half is None and self.rounding is not None:
            return step_half_unit(node, self.rounding)
        return half


def in_order(places: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Steps in the order of a hand calculation: forward, partials, backward, updates."""
    stages: dict[str, int] = defaultdict(lambda: 3, value=0, partial=1, gradient=2)

    def key(place: tuple[str, Any]) -> tuple[int, Any]:
        kind, where = place
        first = where[0] if isinstance(where, tuple) else where
        return stages[kind], first if kind == "value" else -first

    return sorted(places, key=key)
