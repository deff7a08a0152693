"""A graph seen as steps between named nodes.

What has no name is contracted: its formula is written inside the formula of a named node, unless
it would be written often or is long; then it gets an automatic name, v1. The partial of one named
node in another is found by the rules of the ops, evaluated on symbols, and once more on numbers.
"""

from __future__ import annotations

import heapq
from collections import ChainMap, Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node, newest_first
from chainrule.formulas.constants import Constants
from chainrule.formulas.naming import automatic_names, names_of
from chainrule.formulas.reading import product, read
from chainrule.formulas.rewriting import simplified
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import NamedArray, written
from chainrule.ops import TABLE
from chainrule.ops.arithmetic import add, multiply, real, subtract
from chainrule.ops.base import is_complex, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from chainrule.formulas.naming import Caller

#: A formula of more ops than this gets a name of its own.
LONGEST = 24
#: A sum may be longer.
LONGEST_SUM = 400
#: A function of a function is written out, one more inside gets a name.
DEEPEST = 2
#: From so many ops on a result that is read again, by its own rule or by several others, is named.
WORTH_A_NAME = 3


class Steps:
    """The steps between the named nodes under a root.

    Args:
        root: a node.
        keep: nodes that are steps in any case.
        given, caller: where names come from, see `naming`.
        pinned: names of nodes and constants that are settled already, by `id`.
        taken: names that are not made up again.

    `names` maps the id of every step to its name, `values` each name (of constants, too) to its
    number or array.
    """

    def __init__(
        self,
        root: Node,
        keep: Sequence[Node] = (),
        given: Mapping[Any, Any] | None = None,
        caller: Caller | None = None,
        pinned: tuple[dict[int, str], dict[int, str]] | None = None,
        taken: Iterable[str] = (),
    ) -> None:
        self.root = root
        self.nodes = newest_first(root)[::-1]
        named, constants = pinned or names_of(self.nodes, given, caller)
        self.given = frozenset(named)
        fresh = automatic_names([*named.values(), *constants.values(), *taken])
        self.names: dict[int, str] = {}
        always = {id(root), *map(id, keep)}
        consumers = self._consumers()
        inside = self._inside_functions()
        sizes: dict[int, tuple[int, int]] = {}
        for node in self.nodes:
            i = id(node)
            inner = [sizes.get(id(x), (0, 0)) for x in node.inputs_then()]
            size = 1 + sum(pair[0] for pair in inner)
            depth = _is_function(node) + max([pair[1] for pair in inner], default=0)
            if i in named:
                self.names[i] = named[i]
            elif (
                node.op is None
                or i in always
                or depth > DEEPEST
                or (size > 1 and i in inside)
                or _worth_a_name(node, size, consumers[i])
            ):
                self.names[i] = fresh()
            else:
                sizes[i] = size, depth
        self.steps = [node for node in self.nodes if id(node) in self.names]
        self.values: dict[str, Any] = {}
        for node in self.steps:
            self.values[self.names[id(node)]] = node._held
        plain = [x for node in self.nodes for x in node.inputs if isinstance(x, np.ndarray)]
        bases = [x.base for x in plain if isinstance(x.base, np.ndarray)]
        arrays = {id(x): x for x in [*plain, *bases] if id(x) in constants}
        self.constants = Constants(constants, arrays, self.values)
        self._expressions: dict[int, Any] = {}
        #: Ops of this graph that the library does not have, by name.
        self.functions = {
            op.name: op for node in self.nodes if (op := node.op) and TABLE.get(op.name) is not op
        }
        #: Numbers of cotangents that formulas name.
        self.cotangent_values: dict[str, Any] = {}
        #: Names of cotangents that are known by their numbers only, and what they are.
        self.pulled: dict[str, str] = {}

    def _consumers(self) -> Counter[int]:
        return Counter(
            id(x) for node in self.nodes for x in node.inputs_then() if isinstance(x, Node)
        )

    def _inside_functions(self) -> set[int]:
        """The functions that a further function is taken of, as in a loop h = tanh(w·h)."""
        found: set[int] = set()
        feeding: set[int] = set()
        for node in reversed(self.nodes):
            own = _is_function(node)
            if own and id(node) in feeding:
                found.add(id(node))
            if own or id(node) in feeding:
                feeding.update(id(x) for x in node.inputs_then() if isinstance(x, Node))
        return found

    def name(self, node: Node) -> str:
        """What a step is called."""
        return self.names[id(node)]

    def symbol(self, node: Node) -> Symbol:
        """A step as a symbol."""
        return Symbol(self.name(node), shape_of(node._held), np.asarray(node._held).dtype)

    # -------------------------------------------------------------- formulas

    def formula(self, node: Node) -> Any:
        """What a step is computed as, from the steps before it: its defining formula."""
        return self.finished(self._computed(node))

    def _computed(self, node: Node) -> Any:
        """The op of a node on the expressions of its inputs."""
        for inner in self.region(node)[::-1]:
            if inner is not node:
                self._expressions[id(inner)] = self._applied(inner)
        return self._applied(node)

    def _applied(self, node: Node) -> Any:
        assert node.op is not None
        inputs = tuple(self._inputs_of(node))
        held = np.asarray(node._held)
        return Symbol.made(node.op, inputs, node.params, held.shape, held.dtype)

    def _inputs_of(self, node: Node) -> list[Any]:
        plain = self.constants.factor if node.op is multiply else self.constants.expression
        return [self.expression(x) if isinstance(x, Node) else plain(x) for x in node.inputs_then()]

    def expression(self, x: Any) -> Any:
        """An input as a formula reads it: a symbol, a number, or the formula of what has no name.

        Formulas of unnamed nodes must have been written before, oldest first.
        """
        if isinstance(x, Node):
            if id(x) in self.names:
                return self.symbol(x)
            if id(x) not in self._expressions:
                self._expressions[id(x)] = self._computed(x)
            return self._expressions[id(x)]
        return self.constants.expression(x)

    def region(self, node: Node) -> list[Node]:
        """The node and the unnamed nodes its formula takes in, consumers first."""
        heap = [(-node.index, node)]
        seen = {id(node)}
        found = []
        while heap:
            _, inner = heapq.heappop(heap)
            found.append(inner)
            for x in inner.inputs_then():
                if isinstance(x, Node) and id(x) not in seen and id(x) not in self.names:
                    seen.add(id(x))
                    heapq.heappush(heap, (-x.index, x))
        return found

    def inputs(self, node: Node) -> list[Node]:
        """The steps that a step is computed from directly, each once, in order."""
        found: dict[int, Node] = {}
        inside = set()
        pending = list(node.inputs_then())[::-1]
        while pending:
            x = pending.pop()
            if not isinstance(x, Node):
                continue
            if id(x) in self.names:
                found.setdefault(id(x), x)
            elif id(x) not in inside:
                inside.add(id(x))
                pending += x.inputs_then()[::-1]
        return list(found.values())

    def finished(self, formula: Any) -> Any:
        """A formula shortened, with the counts of means named."""
        return simplified(self.constants.named(formula), self)

    @property
    def known(self) -> Mapping[str, Any]:
        """Every name with its value, those of cotangents, too."""
        return ChainMap(self.cotangent_values, self.values)

    def holds(self, condition: Symbol) -> bool:
        """Whether a condition holds for any entry at the values of this graph."""
        return bool(np.any(self.number(condition)))

    def constant_number(self, x: Symbol) -> float | None:
        """The number 0 or 1 that a formula of constants alone is everywhere, or None."""
        if not self.constants.all_constant(set(self.used([x]))):
            return None
        given = np.asarray(self.number(x))
        return next((n for n in (0.0, 1.0) if np.all(np.abs(given - n) < 1e-15)), None)

    def number(self, formula: Any, names: Mapping[str, Any] | None = None) -> Any:
        """What a formula gives, read back from its own text."""
        return read(written(formula), self.values if names is None else names, self.functions)

    # -------------------------------------------------------------- partials

    def partials(self, node: Node) -> dict[int, float]:
        """The numbers ∂step/∂input for each of its inputs, by `id`, for a graph of single numbers.

        Infinite where a rule divides by zero.
        """
        found: dict[int, float] = {}
        table: dict[int, float] = {id(node): 1.0}
        for inner in self.region(node):
            y_bar = table.pop(id(inner), None)
            if y_bar is None or inner.op is None:
                continue
            for x, x_bar in _pulled(inner):
                target = found if id(x) in self.names else table
                target[id(x)] = target.get(id(x), 0.0) + float(product(x_bar, y_bar))
        return found

    def cotangents(self, node: Node, seed: Any) -> dict[int, Any]:
        """The formulas of what a step passes on to its inputs, given that of its own cotangent."""
        found: dict[int, Any] = {}
        table: dict[int, Any] = {id(node): seed}
        for inner in self.region(node):
            y_bar = table.pop(id(inner), None)
            if y_bar is None or inner.op is None:
                continue
            for x, x_bar in self.pull(inner, y_bar):
                target = found if id(x) in self.names else table
                # The region is walked backwards, the formula is read forwards.
                target[id(x)] = x_bar if id(x) not in target else x_bar + target[id(x)]
        return {i: self.finished(x_bar) for i, x_bar in found.items()}

    def pull(self, node: Node, y_bar: Any) -> list[tuple[Node, Any]]:
        """The rule of a node's op, evaluated on symbols."""
        assert node.op is not None
        inputs = node.inputs_then()
        wanted = [i for i, x in enumerate(inputs) if isinstance(x, Node)]
        values = self._inputs_of(node)
        y = self.expression(node)
        try:
            x_bars = node.op.vjp(wanted, y_bar, y, values, node.params)
        except (TypeError, ValueError, AttributeError, NotImplementedError):
            return self._pull_numbers(node, y_bar)
        return [
            (inputs[i], _real_where(inputs[i], x_bar))
            for i, x_bar in zip(wanted, x_bars, strict=True)
            if x_bar is not None
        ]

    def _pull_numbers(self, node: Node, y_bar: Any) -> list[tuple[Node, Any]]:
        """What a rule gives that cannot be evaluated on symbols: a name for its numbers."""
        assert node.op is not None
        at = written(y_bar)
        number = self.number(y_bar, self.known)
        seed = np.broadcast_to(number, np.shape(node._held))
        pairs = []
        for x, x_bar in node.pull(seed, record=False):
            name = self.constants.fresh(x_bar)
            self.pulled[name] = f"what {node.op.name} passes on of {at}"
            pairs.append((x, Symbol(name, np.shape(x_bar), np.asarray(x_bar).dtype)))
        return pairs

    def partial(self, node: Node, x: Node) -> Any:
        """The formula ∂node/∂x for single numbers; 0 where the step does not depend on x."""
        return self.cotangents(node, 1.0).get(id(x), 0.0)

    def is_automatic_constant(self, name: str) -> bool:
        """Whether a name was made up for an array or a count, so that it has to be told."""
        return name in self.constants.automatic

    def used(self, formulas: Iterable[Any]) -> list[str]:
        """The names that formulas read, each once, in order."""
        found: dict[str, None] = {}
        pending = list(formulas)[::-1]
        while pending:
            x = pending.pop()
            if isinstance(x, Symbol):
                if x.op is None:
                    found[x.name] = None
                pending += [*x.params.values(), *x.inputs[::-1]]
            elif isinstance(x, NamedArray):
                found[x.name] = None
            elif isinstance(x, tuple):
                pending += x
        return list(found)


def _real_where(x: Node, x_bar: Any) -> Any:
    """A real input among complex ones gets the real part, as in backward."""
    return real(x_bar) if is_complex(x_bar) and not is_complex(x._held) else x_bar


def _is_function(node: Node) -> bool:
    """Whether the op is one that a formula writes as a function of one thing, such as sin."""
    op: Any = node.op
    if op is None or not op.gives_partials:
        return False
    return len(op.rules) == 1 and callable(op.rules[0])


def _worth_a_name(node: Node, size: int, consumers: int) -> bool:
    op: Any = node.op
    inputs = node.inputs_then()
    reads = any(
        op.reads_output[0 if op.sequence else i]
        for i, x in enumerate(inputs)
        if isinstance(x, Node)
    )
    read_again = reads and op.needs_output
    whole = read_again and not op.gives_partials
    if op.opaque or whole or size > (LONGEST_SUM if op in {add, subtract} else LONGEST):
        return True
    return (consumers > 1 or read_again) and size >= WORTH_A_NAME


def _pulled(node: Node) -> list[tuple[Node, float]]:
    """The local partials of a node of single numbers."""
    try:
        return [(x, float(np.asarray(p))) for x, p in node.pull(1.0, record=False)]
    except (ArithmeticError, ValueError):
        return [(x, float("inf")) for x in node.inputs_then() if isinstance(x, Node)]
