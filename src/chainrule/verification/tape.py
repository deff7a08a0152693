"""A graph taken apart into a list of steps that can be run again: elsewhere, or wrongly.

The user's graph is only read. Every run is on plain data of its own: with other leaves (for
differences), with a little noise after every step (for the rounding error of a gradient), or with
a mistake in it (for diagnosis).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node, newest_first
from chainrule.errors import ChangedDataError
from chainrule.ops.arithmetic import multiply
from chainrule.ops.base import is_complex
from chainrule.ops.broadcasting import astype
from chainrule.ops.kinds import Linear, Multilinear
from chainrule.ops.reductions import Reduction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: An edge of the graph: the position of the node and the position among its inputs.
Edge = tuple[int, int]
#: How far a step may be from what was recorded, by dtype: another order of summation, no more.
SAME = {np.dtype(np.float32): 1e-4, np.dtype(np.float16): 1e-1}


#: What changes a number: from it and the size of what was added up to it.
Noise = Callable[[Any, Any], Any]


class InapplicableError(Exception):
    """A mistake that cannot be made here: the shapes would not fit."""


@dataclass(frozen=True)
class Edit:
    """What is done differently in a backward pass.

    Attributes:
        ops: another op for a node, with another rule.
        factors: an edge's contribution times a number: 0 leaves a path out, 2 counts it twice.
        inputs: an edge's input data as the rule sees it, such as updated weights.
        taken: the node whose data the rule sees in place of an edge's input.
        cotangents: an edge's contribution computed otherwise, from the node's cotangent, the
            pullback of the edge and the data of every node.
        results: what a leaf's finished gradient is turned into, from it, the data of every node
            and every adjoint.
        updated: edges whose input had made its step already, with the learning rate of it.
    """

    ops: Mapping[int, Any] = field(default_factory=dict)
    factors: Mapping[Edge, float] = field(default_factory=dict)
    inputs: Mapping[Edge, Any] = field(default_factory=dict)
    taken: Mapping[Edge, int] = field(default_factory=dict)
    cotangents: Mapping[Edge, Callable[[Any, Any, Any], Any]] = field(default_factory=dict)
    results: Mapping[int, Callable[[Any, Any, Any], Any]] = field(default_factory=dict)
    updated: Mapping[Edge, float] = field(default_factory=dict)

    def __or__(self, other: Edit) -> Edit | None:
        """Both at once; None where they contradict each other."""
        merged: dict[str, Any] = {}
        for name in (f.name for f in fields(self)):
            mine, yours = getattr(self, name), getattr(other, name)
            if mine.keys() & yours.keys():
                return None
            merged[name] = {**mine, **yours}
        return replace(self, **merged)


RIGHT = Edit()


def _largest(x: Any) -> float:
    """The size of the largest finite entry."""
    sizes = np.abs(np.asarray(x))
    return float(np.max(sizes[np.isfinite(sizes)], initial=0.0))


def _selects(op: Any) -> bool:
    """Whether results are entries of the input, such as the largest: nothing is rounded there."""
    return isinstance(op, Reduction) and op.rules[0] is not None and op.reads_output[0]


def ones(x: Any) -> Any:
    """A cotangent of ones for a result."""
    return 1.0 if x.__class__ is float else np.ones_like(x)


class Tape:
    """The steps of a graph, oldest first.

    Args:
        root: the node to differentiate.
        wide: compute in float64 where the graph is float32.

    Raises:
        ChangedDataError: if the recorded data does not follow from the leaves any more.
    """

    def __init__(self, root: Node, *, wide: bool = True) -> None:
        self.root = root
        self.nodes: list[Node] = newest_first(root)[::-1]
        self.place = {id(node): i for i, node in enumerate(self.nodes)}
        self.wide = wide
        self.sources: list[list[int | None]] = []
        self.constants: list[list[Any]] = []
        for node in self.nodes:
            inputs = node.inputs_then()
            self.sources.append([self.place.get(id(x)) for x in inputs])
            self.constants.append([None if isinstance(x, Node) else self._own(x) for x in inputs])
        self.leaves = [i for i, node in enumerate(self.nodes) if node.op is None]
        self.consumers: list[list[Edge]] = [[] for _ in self.nodes]
        for i, sources in enumerate(self.sources):
            for slot, j in enumerate(sources):
                if j is not None:
                    self.consumers[j].append((i, slot))
        self.recorded = [self._own(node._held) for node in self.nodes]
        self.data = self.forward()
        self._require_unchanged()

    @property
    def last(self) -> int:
        """The position of the root."""
        return len(self.nodes) - 1

    def _own(self, x: Any) -> Any:
        if self.wide and isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "fc":
            return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
        return x

    def _require_unchanged(self) -> None:
        """Whether each recorded result follows from the recorded inputs."""
        for i, node in enumerate(self.nodes):
            if node.op is None:
                continue
            inputs = [self.input(edge, self.recorded) for edge in self.edges(i)]
            tolerance = SAME.get(getattr(node._held, "dtype", None), 1e-9)
            then = np.asarray(self.recorded[i])
            with np.errstate(all="ignore"):
                now = np.asarray(self._step(i, inputs))
                if np.array_equal(now, then):
                    continue
                sizes = (_largest(then), _largest(self._added_up(i, inputs, now)), 1e-300)
                size = max(sizes)
                off = np.abs(now - then) > tolerance * size
            if np.any(off & (np.isfinite(now) | np.isfinite(then))):
                raise ChangedDataError(
                    f"{node.describe()} does not follow from its inputs any more: data was changed"
                    f" after it was computed, run the forward pass again"
                )

    # ------------------------------------------------------------------ running it

    def forward(
        self,
        leaves: Mapping[int, Any] | None = None,
        noise: Noise | None = None,
        held: Mapping[int, Any] | None = None,
    ) -> list[Any]:
        """The data of every node.

        Args:
            leaves: other data for leaves, by position.
            noise: what every leaf and every computed result is put through.
            held: results that are given instead of computed, by position.
        """
        data: list[Any] = []
        leaves = leaves or {}
        with np.errstate(all="ignore"):
            for i, node in enumerate(self.nodes):
                if held is not None and i in held:
                    data.append(held[i])
                elif node.op is None:
                    x = leaves.get(i, self.recorded[i])
                    data.append(x if noise is None else noise(x, x))
                else:
                    inputs = [self.input(e, data) for e in self.edges(i)]
                    y = self._step(i, inputs)
                    if noise is not None and not _selects(node.op):
                        y = noise(y, self._added_up(i, inputs, y))
                    data.append(y)
        return data

    def _added_up(self, i: int, inputs: list[Any], y: Any) -> Any:
        """The size of what a step adds up: its rounding is no smaller where terms cancel."""
        op: Any = self.nodes[i].op
        sums = isinstance(op, Reduction) and not callable(op.rules[0])
        if not sums and not isinstance(op, Linear | Multilinear):
            return y
        return self._step(i, [np.abs(x) if hasattr(x, "shape") else abs(x) for x in inputs])

    def edges(self, i: int) -> list[Edge]:
        """The edges into a node."""
        return [(i, slot) for slot in range(len(self.sources[i]))]

    def input(self, edge: Edge, data: Sequence[Any]) -> Any:
        """What comes in on an edge."""
        i, slot = edge
        j = self.sources[i][slot]
        if j is not None:
            return data[j]
        return self.constants[i][slot]

    def _step(self, i: int, inputs: list[Any]) -> Any:
        node = self.nodes[i]
        op: Any = node.op
        if op is astype and self.wide:
            return inputs[0]
        try:
            return op.evaluate(inputs, node.params)
        except (ArithmeticError, ValueError):
            if not all(isinstance(x, float | int) for x in inputs):
                raise
        try:
            return float(op.compute([np.float64(x) for x in inputs], node.params))
        except (ArithmeticError, ValueError):
            return float("nan")

    def backward(
        self,
        data: Sequence[Any],
        edit: Edit = RIGHT,
        *,
        seeds: Mapping[int, Any] | None = None,
        held: Mapping[int, Any] | None = None,
        noise: Noise | None = None,
    ) -> list[Any]:
        """The adjoint of every node; None where none arrives.

        Args:
            data: of every node, from `forward`.
            edit: what is done wrongly.
            seeds: the adjoints that the sweep starts with; by default 1 at the root.
            held: adjoints that are given instead of computed, by position.
            noise: what every contribution is put through.

        Raises:
            InapplicableError: where a wrong rule gives a wrong shape.
        """
        if edit.updated:
            edit = self._with_updates(data, edit)
        bars: list[Any] = [None] * len(self.nodes)
        if seeds is None:
            bars[-1] = ones(data[-1])
        else:
            for i, seed in seeds.items():
                bars[i] = seed
        held = held or {}
        with np.errstate(all="ignore"):
            for i in range(len(self.nodes) - 1, -1, -1):
                if i in held:
                    bars[i] = held[i]
                if bars[i] is None or self.nodes[i].op is None:
                    continue
                for j, part in self._passed_on(i, bars[i], data, edit, noise):
                    bars[j] = part if bars[j] is None else bars[j] + part
        found = list(bars)
        for i, turned in edit.results.items():
            if bars[i] is not None:
                found[i] = turned(bars[i], data, bars)
        return found

    def _with_updates(self, data: Sequence[Any], edit: Edit) -> Edit:
        """The edit with weights that made their step by the gradient of the same wrong pass."""
        before = self.backward(data, replace(edit, updated={}))
        inputs = dict(edit.inputs)
        for edge, rate in edit.updated.items():
            j = self.sources[edge[0]][edge[1]]
            assert j is not None
            inputs[edge] = data[j] if before[j] is None else data[j] - rate * before[j]
        return replace(edit, inputs=inputs, updated={})

    def partial(self, data: Sequence[Any], y: int, x: int) -> np.ndarray:
        """∂y/∂x through all paths, at some data; y is seeded with ones."""
        found = self.backward(data, seeds={y: ones(data[y])})[x]
        return np.zeros(np.shape(data[x])) if found is None else np.asarray(found)

    def _passed_on(
        self, i: int, y_bar: Any, data: Sequence[Any], edit: Edit, noise: Noise | None
    ) -> list[tuple[int, Any]]:
        """What a node passes on, with noise where there is to be some."""
        parts = self.pulled(i, y_bar, data, edit)
        if noise is None:
            return parts
        both = zip(parts, self._sizes_pulled(i, y_bar, data, parts), strict=True)
        return [(j, noise(x_bar, size)) for (j, x_bar), (_, size) in both]

    def _sizes_pulled(
        self, i: int, y_bar: Any, data: Sequence[Any], parts: list[tuple[int, Any]]
    ) -> list[tuple[int, Any]]:
        """The sizes of what is added up in what a node passes on."""
        op: Any = self.nodes[i].op
        plain = op.gives_partials and not any(callable(rule) for rule in op.rules)
        if op is not multiply and not plain and not isinstance(op, Linear | Multilinear):
            return parts
        sizes = [np.abs(x) if hasattr(x, "shape") else x for x in data]
        return self.pulled(i, abs(y_bar), sizes)

    def pulled(
        self,
        i: int,
        y_bar: Any,
        data: Sequence[Any],
        edit: Edit = RIGHT,
    ) -> list[tuple[int, Any]]:
        """What a node passes on to its inputs, by position of the input."""
        op: Any = edit.ops.get(i, self.nodes[i].op)
        params = self.nodes[i].params
        wanted = [slot for slot, j in enumerate(self.sources[i]) if j is not None]
        values = [
            data[edit.taken[e]] if e in edit.taken else edit.inputs.get(e, self.input(e, data))
            for e in self.edges(i)
        ]

        def pullback(slots: list[int], bar: Any) -> Any:
            if op is astype and self.wide:
                return [bar]
            return op.vjp(slots, bar, data[i], values, params)

        try:
            cotangents = list(pullback(wanted, y_bar))
            for k, slot in enumerate(wanted):
                if (i, slot) in edit.cotangents:
                    pull = lambda bar, slot=slot: pullback([slot], bar)[0]
                    cotangents[k] = edit.cotangents[i, slot](y_bar, pull, data)
        except (ArithmeticError, ValueError, TypeError, IndexError, AttributeError) as problem:
            if edit is not RIGHT:  # also where a power of a negative number is complex
                raise InapplicableError from problem
            if y_bar.__class__ is not float:
                raise
            cotangents = [float("nan")] * len(wanted)
        pairs = zip(wanted, cotangents, strict=True)
        return [self._fitted((i, slot), x, data, edit) for slot, x in pairs if x is not None]

    def _fitted(self, edge: Edge, x_bar: Any, data: Sequence[Any], edit: Edit) -> tuple[int, Any]:
        """A contribution with its factor, in the shape of what it belongs to."""
        j = self.sources[edge[0]][edge[1]]
        assert j is not None
        if edge in edit.factors:
            x_bar = x_bar * edit.factors[edge]
        if edit is not RIGHT and np.shape(x_bar) != np.shape(data[j]):
            raise InapplicableError
        if is_complex(x_bar) and not is_complex(data[j]):
            x_bar = x_bar.real
        return j, x_bar

    def value(self, leaves: Mapping[int, Any]) -> float:
        """The root's number for other leaves."""
        return float(np.asarray(self.forward(leaves)[-1]).reshape(()))
