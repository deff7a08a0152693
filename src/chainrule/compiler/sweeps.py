"""A backward sweep as a program: the rules of a graph, run once on placeholders.

The graph itself is not traced: its nodes have what forward computed. The program takes what the
rules read from the nodes it is given, and its results are those of the sweep bit by bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.planning.plan import members, planned
from chainrule.compiler.planning.tiles import operands
from chainrule.compiler.program import Unusual, executed
from chainrule.compiler.tracing.capture import Recording
from chainrule.compiler.tracing.placeholder import Placeholder
from chainrule.compiler.tracing.recorder import constant
from chainrule.compiler.tracing.trace import Trace, is_uniform
from chainrule.compiler.writing.building import program_text, write_steps
from chainrule.compiler.writing.source import Writer
from chainrule.compiler.writing.spelling import Names
from chainrule.compiler.writing.variables import wishes_of
from chainrule.engine import Node, sweep, tick
from chainrule.errors import CompileError
from chainrule.records import changes

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A program that would keep more bytes is not made.
MOST_KEPT = 2**24


class TooLargeError(Exception):
    """The arrays of a program would take too much memory."""


class SweepProgram:
    """The backward sweep over graphs of one structure.

    Args:
        nodes: the nodes of such a graph, the root first.
        seed: the cotangent of the root; None for one.
        wanted: the positions of the nodes whose cotangents are results.
    """

    def __init__(self, nodes: Sequence[Node], seed: Any, wanted: Sequence[int]) -> None:
        with np.errstate(divide="ignore", invalid="ignore"):
            graph = _Graph(nodes, seed)
            self.source = graph.source(wanted)
        self._constants = graph.constants
        self._make = executed(self.source)
        self._free: list[Any] = []

    def __call__(self, nodes: Sequence[Node], seed: Any) -> list[tuple[Node, Any]] | None:
        """The wanted nodes of a graph with their cotangents; None for numbers that need a look."""
        free = self._free
        run = free.pop() if free else self._make(**self._constants)
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                pairs: list[tuple[Node, Any]] = run(nodes, seed)
        except Unusual:
            return None
        finally:
            free.append(run)
        return pairs


class _Graph:
    """A graph of placeholders, like another one."""

    def __init__(self, nodes: Sequence[Node], seed: Any) -> None:
        self.trace = Trace(Placeholder, exact=True)
        #: Where a program finds what the rules read, by step.
        self.places: dict[int, str] = {}
        self.constants: dict[str, Any] = {}
        self.labels: dict[int, str] = {}
        self.cotangents: dict[int, list[int]] = {}
        self._twins: dict[int, Node] = {}
        known = {node.index for node in nodes}
        for i, node in enumerate(nodes):
            for j, x in enumerate(node.inputs):
                if isinstance(x, Node) and x.index not in known:  # older: a constant here
                    known.add(x.index)
                    self._twins[x.index] = self._twin(x, f"nodes[{i}].inputs[{j}]._held")
        self.since = tick()
        for i, node in sorted(enumerate(nodes), key=lambda pair: pair[1].index):
            twin = self._twins[node.index] = self._twin(node, f"nodes[{i}]._held")
            twin.op = node.op
            twin.inputs = tuple(  # type: ignore[misc]
                self._input(x, f"nodes[{i}].inputs[{j}]", node.op)
                for j, x in enumerate(node.inputs)
            )
            twin.params = {  # type: ignore[misc]
                key: self._param(x, f"nodes[{i}].params[{key!r}]") for key, x in node.params.items()
            }
        self.nodes = [self._twins[node.index] for node in nodes]
        if seed is None:
            self.seed = constant(self.trace, nodes[0].new_seed(None))
        else:
            self.seed = self._placeholder(seed, "seed")

    def _placeholder(self, value: Any, place: str) -> Placeholder:
        number = self.trace.input(value)
        self.places[number] = place
        return Placeholder(self.trace, number, changes=False)

    def _twin(self, node: Node, place: str) -> Node:
        """A leaf like a node, with a placeholder for its data."""
        twin = node.shallow()
        twin.op, twin.inputs, twin.guards = None, (), ()  # type: ignore[misc]
        twin._held = self._placeholder(node._held, place)
        if node.label:
            self.labels[twin._held.number] = node.label
        return twin

    def _input(self, x: Any, place: str, op: Any) -> Any:
        """An input, with a placeholder for what may be another next time."""
        if isinstance(x, Node):
            return self._twins[x.index]
        return self._placeholder(x, place) if changes(x, op) else x

    def _param(self, x: Any, place: str) -> Any:
        """A static argument, with placeholders for arrays in it."""
        if isinstance(x, tuple | list):
            return type(x)([self._param(item, f"{place}[{i}]") for i, item in enumerate(x)])
        return self._placeholder(x, place) if isinstance(x, np.ndarray | np.generic) else x

    def source(self, wanted: Sequence[int]) -> str:
        """The source of a program that returns the wanted nodes with their cotangents."""
        found: dict[int, Any] = {}
        for node, y_bar in sweep(self.nodes[0], self.seed, since=self.since):
            found[node.index] = y_bar
            if isinstance(y_bar, Placeholder):
                self.cotangents.setdefault(y_bar.number, []).append(node._held.number)
        indices = [(i, self.nodes[i].index) for i in wanted]
        results = [(i, self._result(found[index])) for i, index in indices if index in found]
        names = (self.labels, self.cotangents)
        recording = Recording(self.trace, [], [], [], [], [], None, *names, caller=None)
        plan = planned(self.trace, {x.number for _, x in results}, None)
        kept = {id(buffer): buffer.array.nbytes for buffer in plan.buffers.values()}
        if sum(kept.values()) > MOST_KEPT:
            raise TooLargeError
        writer = Writer(self.trace, plan, Names({"nodes", "seed"}), wishes_of(recording, {}))
        self._take(writer, [x.number for _, x in results])
        write_steps(writer, recording, None)
        given: set[int] = set()
        text = ", ".join(f"(nodes[{i}], {_result_text(x, writer, given)})" for i, x in results)
        self.constants = {name: self.trace.constants[i] for i, name in writer.constants.items()}
        self.constants |= writer.outside
        head = "sweep(nodes, seed)"
        return program_text(writer, list(self.constants), head, None, f"[{text}]")

    def _result(self, y_bar: Any) -> Placeholder:
        """A cotangent; one that no number has a part in as a constant."""
        if isinstance(y_bar, Placeholder):
            return y_bar
        if is_uniform(np.asarray(y_bar)):
            return constant(self.trace, y_bar)  # type: ignore[no-any-return]
        raise CompileError("a cotangent does not depend on anything")

    def _take(self, writer: Writer, results: list[int]) -> None:
        """Write the lines that take from the nodes what the program reads."""
        steps = [step for item in writer.plan.order for step in members(item)]
        for number in dict.fromkeys([*(n for step in steps for n in operands(step)), *results]):
            place = self.places.get(number)
            if place is None:
                continue
            if place == "seed":
                writer.called[number] = place
                continue
            name = writer.name(self.trace.steps[number], "x")
            writer.body.append(f"{name} = {place}")


def _result_text(x: Placeholder, writer: Writer, given: set[int]) -> str:
    """A cotangent as an array that is nobody else's."""
    name = writer.called[x.number]
    copied = x.number in writer.plan.copied or x.number in given or not x.shape
    copied = copied or x.value.strides != np.array(x.value).strides  # a part, or with gaps
    given.add(x.number)
    return f"np.array({name})" if copied else name
