"""A graph of arrays as one of single numbers, entry by entry.

Every entry of every Tensor becomes a `Value`, by the same ops; so all that is known about single
numbers (paths, adjoints, tables) holds for the entries of arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.derivation.numbers import DTYPE_TOLERANCE, TOLERANCE, largest
from chainrule.engine import Node
from chainrule.errors import DerivationError
from chainrule.formulas.steps import Steps
from chainrule.ops.broadcasting import astype
from chainrule.ops.indexing import getitem
from chainrule.ops.notation import call
from chainrule.ops.partials import Elementwise
from chainrule.ops.reductions import entries, mean
from chainrule.paths import adjoints
from chainrule.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A graph of more single operations than this is not taken apart.
MOST_OPERATIONS = 200_000


class Entries:
    """The single numbers of a graph of Tensors.

    Args:
        steps: the steps of the graph, for the names.
        wrt: the entry asked for: a node of one element, or `W[2, 0]` of a node W in the graph.

    Raises:
        ValueError: where there are too many entries.
    """

    def __init__(self, steps: Steps, wrt: Node | None) -> None:
        self._steps = steps
        self._arrays: dict[int, Any] = {}
        self._names: dict[int, str] = {}
        self._constants: dict[int, str] = {}
        self._alive: list[Any] = []
        _require_few(steps)
        if any(np.asarray(node._held).dtype.kind == "c" for node in steps.nodes):
            raise ValueError(
                'an entry of a graph with complex numbers is not explained: form="matrix" is'
            )
        for node in steps.nodes:
            self._arrays[id(node)] = array = self._computed(node)
            if id(node) in steps.given or node is steps.root:
                self._named(array, steps.name(node), self._names)
        self.root: Any = self._arrays[id(steps.root)].item()
        self.target: Node | None = None if wrt is None else self._entry(wrt)
        keep = [] if self.target is None else [self.target]
        self.target_name = self._names.get(id(self.target), "wrt")
        if not isinstance(self.root, Value):  # no entry of a Tensor has reached it
            self.root = Value(float(self.root))
        pinned = self._names, self._constants
        self.steps = Steps(self.root, keep, pinned=pinned, taken=steps.names.values())
        if self.target is not None and wrt is not None:
            self._compare(wrt)

    def _entry(self, wrt: Node) -> Node:
        if id(wrt) in self._arrays:
            array = self._arrays[id(wrt)]
        else:
            array = self._arrays[id(wrt.inputs[0])][wrt.params["index"]]
        entry: Node = array.item() if isinstance(array, np.ndarray) else array
        return entry

    def _named(self, array: np.ndarray, name: str, names: dict[int, str]) -> None:
        for index in np.ndindex(array.shape):
            entry = array[index]
            place = f"[{','.join(map(str, index))}]" if index else ""
            known = names if isinstance(entry, Value) else self._constants
            bare = name.rstrip("′″‴")
            known.setdefault(id(entry), bare + place + name[len(bare) :])

    def _computed(self, node: Node) -> np.ndarray:
        if node.op is None:
            return _objects([Value(x) for x in np.asarray(node._held).flat], node)
        node.check_unchanged()
        inputs = [self._input(x) for x in node.inputs_then()]
        op: Any = node.op
        if op.needs_output and type(op) is not Elementwise:
            return self._by_numbers(node)
        try:
            y = _applied(op, inputs, node.params)
            if not isinstance(y, np.ndarray):
                y = _objects([y], node)
            fits = y.shape == np.shape(node._held) and _close(y, node)
        except (TypeError, ValueError, AttributeError, ArithmeticError, NotImplementedError):
            fits = False
        entries: np.ndarray = y if fits else self._by_numbers(node)
        return entries

    def _input(self, x: Any) -> Any:
        if isinstance(x, Node):
            return self._arrays[id(x)]
        if not np.ndim(x) or np.asarray(x).dtype.kind == "b":
            return x
        array: np.ndarray = np.asarray(x).astype(float).astype(object)
        self._alive.append(array)
        symbol = self._steps.constants.names.get(id(x))
        if symbol:
            self._named(array, symbol, self._constants)
        return array

    def _by_numbers(self, node: Node) -> np.ndarray:
        """Entries of an op that does not work on single numbers: their partials are numbers."""
        op: Any = node.op
        held = np.asarray(node._held)
        sources = list({id(x): x for x in node.inputs_then() if isinstance(x, Node)}.values())
        parts = [entry for x in sources for entry in self._arrays[id(x)].flat]
        y: list[Any] = []
        for index in np.ndindex(held.shape):
            seed = np.zeros(held.shape, held.dtype)
            seed[index] = 1
            found: dict[int, Any] = dict.fromkeys(map(id, sources), 0.0)
            for x, x_bar in node.pull(seed, record=False):
                found[id(x)] = found[id(x)] + np.asarray(x_bar, float)
            partials = [
                float(p)
                for x in sources
                for p in np.broadcast_to(found[id(x)], np.shape(x._held)).flat
            ]
            place = f"{op.name}[{','.join(map(str, index))}]" if index else op.name
            y.append(_node(place, float(held[index]), parts, partials))
        return _objects(y, node)

    def _compare(self, wrt: Node) -> None:
        """The entry of the gradient of the arrays is that of the numbers."""
        assert self.target is not None
        table = adjoints(self._steps.root)
        if id(wrt) in self._arrays:
            expected = np.asarray(table[wrt]).item()
        else:
            expected = np.asarray(np.asarray(table[wrt.inputs[0]])[wrt.params["index"]]).item()
        given = dict(adjoints(self.root)).get(self.target, 0.0)
        tolerance = DTYPE_TOLERANCE.get(str(self._steps.root._held.dtype), TOLERANCE)
        scale = max(abs(expected), abs(given), 1e-300)
        same = given == expected or (given != given and expected != expected)  # noqa: PLR0124
        if not same and not abs(given - expected) <= tolerance * scale + tolerance * largest(
            table.values()
        ):
            raise DerivationError(
                f"entry by entry the gradient is {given!r}, backward gives {expected!r}: this is a"
                f" fault of the derivation, please report it"
            )


def is_entry(wrt: Any, nodes: Sequence[Node]) -> bool:
    """Whether this is W[2, 0]: one element, taken from a node of the graph."""
    return (
        isinstance(wrt, Node)
        and wrt.op is getitem
        and np.size(wrt._held) == 1
        and any(wrt.inputs[0] is node for node in nodes)
    )


def _applied(op: Any, inputs: list[Any], params: Any) -> Any:
    if op is astype:
        return inputs[0]
    if op is mean:
        (x,) = inputs
        count = entries(x, params.get("axis"))
        total = np.sum(x, **params)
        return total if count == 1 else total * (1 / count)
    if type(op) is Elementwise and op.scalar is not None and not params:
        return np.frompyfunc(op, len(inputs), 1)(*inputs)
    return op.compute(inputs, params)


def _objects(entries: list[Any], like: Node) -> np.ndarray:
    array = np.empty(len(entries), object)
    for i, entry in enumerate(entries):  # one by one: NumPy would ask a Value for its array
        array[i] = entry
    return array.reshape(np.shape(like._held))


def _close(y: np.ndarray, node: Node) -> bool:
    """Whether entries are what they should be."""
    data = np.array([x.data if isinstance(x, Value) else x for x in y.flat], float)
    expected = np.asarray(node._held, float).ravel()
    return np.allclose(data, expected, rtol=1e-5, atol=1e-8, equal_nan=True)


def _node(name: str, data: float, inputs: list[Any], partials: list[float]) -> Any:
    """A Value with known partials, of those entries that it depends on."""
    kept = [(x, p) for x, p in zip(inputs, partials, strict=True) if isinstance(x, Value) and p]
    if not kept:
        return data
    op = Elementwise(
        lambda *_: data,
        *[p for _, p in kept],
        name="entry",
        scalar=lambda *_: data,
        notation=call(name),
    )
    op.opaque = True  # type: ignore[misc]
    y: Value = op(*[x for x, _ in kept])
    return y


def _require_few(steps: Steps) -> None:
    count = 0
    for node in steps.nodes:
        sizes = [np.size(x._held if isinstance(x, Node) else x) for x in node.inputs_then()]
        op: Any = node.op
        own = np.size(node._held)
        if op is not None and op.needs_output and type(op) is not Elementwise:
            count += own * max(sizes)
        elif op is not None and not op.gives_partials and not op.linear and len(sizes) == 2:
            count += int(np.sqrt(float(own) * sizes[0] * sizes[1]))  # n·m·k for two matrices
        else:
            count += max([own, *sizes])
    if count > MOST_OPERATIONS:
        raise ValueError(
            f"the graph has about {count:,} single operations (limit {MOST_OPERATIONS:,}): one"
            f' entry is explained in a smaller network or batch; form="matrix" explains all'
        )
