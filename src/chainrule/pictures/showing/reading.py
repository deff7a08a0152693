"""A graph read once for a picture: names, numbers, local derivatives, formulas."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.engine import Node, newest_first
from chainrule.errors import ChangedDataError, RuleError
from chainrule.formulas.naming import automatic_names, names_of
from chainrule.formulas.reading import product
from chainrule.formulas.steps import Steps
from chainrule.formulas.styles import bar_name
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import written
from chainrule.paths import adjoints
from chainrule.summaries import norm_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chainrule.formulas.naming import Caller

#: A graph of more nodes is shown without formulas.
MOST_FORMULAS = 3000


class Local(NamedTuple):
    """What one edge carries.

    `partial` is the number ∂node/∂input (None between arrays), `passed` what the node passes on
    along it (None where no adjoint is known).
    """

    partial: float | None
    passed: Any

    @property
    def size(self) -> float | None:
        """The size of the contribution."""
        return None if self.passed is None else norm_of(self.passed)

    @property
    def dead(self) -> bool:
        """Whether nothing comes through."""
        if self.partial == 0.0:
            return True
        return self.passed is not None and not np.any(self.passed)


class Reading:
    """Everything a picture asks of a graph.

    Args:
        root: where the picture ends.
        names: name -> node or constant, see `explain`.
        caller: whose variables give names.

    `nodes` are oldest first, leaves before all others; `names` has one for every node, those in
    `given` come from a label, from `names` or from a variable. Of the others those are v1, v2, …
    that a derivation names so, and the rest is u1, u2, …

    Raises:
        ChangedDataError: if data was changed since the graph was recorded.
    """

    def __init__(
        self, root: Node, names: Mapping[Any, Any] | None = None, caller: Caller | None = None
    ) -> None:
        self.root = root
        self.nodes = newest_first(root)[::-1]
        #: Why there are no adjoints, if so.
        self.problem = ""
        self.refuse_stale()
        named, self.constants = names_of(self.nodes, names, caller)
        self.given = frozenset(named)
        self.names = dict(named)
        fresh = automatic_names([*named.values(), *self.constants.values()])
        if len(self.nodes) <= MOST_FORMULAS:  # the numbers that a derivation gives, too
            steps = Steps(root, pinned=(named, self.constants))
            self.names = dict(steps.names)
            fresh = automatic_names([*self.names.values(), *self.constants.values()], "u")
        for node in self.nodes:
            if id(node) not in self.names:
                self.names[id(node)] = fresh()
        #: Arrays whose names are made up.
        self.unnamed = self._name_arrays()
        self.consumers: dict[int, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for x in node.inputs_then():
                if isinstance(x, Node):
                    self.consumers[id(x)].append(node)
        self._locals: dict[int, dict[int, Local]] = {}
        self._formulas: dict[tuple[int, int], str] = {}

    def _name_arrays(self) -> set[int]:
        """Give plain arrays that have no name one: c1, c2 and so on."""
        fresh = automatic_names([*self.names.values(), *self.constants.values()], "c")
        found = set()
        for node in self.nodes:
            for x in node.inputs_then():
                if isinstance(x, np.ndarray) and x.ndim and id(x) not in self.constants:
                    self.constants[id(x)] = fresh()
                    found.add(id(x))
        return found

    def refuse_stale(self) -> None:
        """Raise ChangedDataError if data was changed since the graph was recorded."""
        for node in self.nodes:
            _refuse_stale(node)

    def name(self, node: Node) -> str:
        """What a node is called."""
        return self.names[id(node)]

    @cached_property
    def adjoints(self) -> dict[int, Any] | None:
        """The derivative of the root in each node, by `id`; None where there is none."""
        name, shape = self.names[id(self.root)], np.shape(self.root._held)
        if np.size(self.root._held) != 1:
            self.problem = f"{name} has the shape {shape}: a gradient is that of one number"
            return None
        try:
            return {id(node): y_bar for node, y_bar in adjoints(self.root).items()}
        except (ArithmeticError, TypeError, ValueError, RuleError) as problem:
            self.problem = f"backward() raises: {problem}"
            return None

    @cached_property
    def is_after_backward(self) -> bool:
        """Whether the gradients that are stored are those of this root, once or several times."""
        leaves = [node for node in self.nodes if node.op is None and node.grad is not None]
        table = self.adjoints
        if not leaves or table is None:
            return False
        ratios = {_times(leaf.grad, table[id(leaf)]) for leaf in leaves if id(leaf) in table}
        ratios.discard(0)  # zero is any number of times zero
        root = self.root.grad
        most = 1 if root is None or _times(root, table[id(self.root)]) != 1 else np.inf
        return len(ratios) <= 1 and all(r is not None and r <= most for r in ratios)

    def gradient(self, node: Node) -> Any:
        """The gradient to show; None where there is none.

        Of a leaf it is what is stored. Of what was computed it is the derivative of this root, if
        backward has run here: what is stored may be that of another root.
        """
        if node.op is None or self.adjoints is None:
            return node.grad
        own = self.adjoints.get(id(node))
        if self.is_after_backward:
            return own
        stored = node.grad
        same = stored is not None and own is not None and _times(stored, own) in {0, 1}
        return stored if same else None

    def contribution(self, node: Node, slot: int) -> float | None:
        """The size of what comes along one edge; None where no adjoint is known."""
        if node.partials is None or self.adjoints is None:
            return self.locals(node)[slot].size
        partial, y_bar = node.partials[slot], self.adjoints.get(id(node))
        if y_bar is None:
            return None
        return abs(partial * y_bar) if partial and y_bar else 0.0

    def locals(self, node: Node) -> dict[int, Local]:
        """What each edge into a node carries, by the place of the input."""
        if id(node) not in self._locals:
            self._locals[id(node)] = dict(self._carried(node))
        return self._locals[id(node)]

    def _carried(self, node: Node) -> Sequence[tuple[int, Local]]:
        inputs = node.inputs_then()
        wanted = [i for i, x in enumerate(inputs) if isinstance(x, Node)]
        y_bar = None if self.adjoints is None else self.adjoints.get(id(node))
        arrays = [slot for slot in wanted if _is_array(inputs[slot]) or _is_array(node)]
        found = [
            (slot, Local(None, x_bar))
            for slot, x_bar in zip(arrays, passed(node, arrays, y_bar), strict=True)
        ]
        for slot in wanted:
            if slot not in arrays:
                partial = _partial(node, slot)
                share = None if y_bar is None else product(partial, np.asarray(y_bar).item())
                found.append((slot, Local(partial, share)))
        return found

    @cached_property
    def _steps(self) -> Steps | None:
        if len(self.nodes) > MOST_FORMULAS:
            return None
        return Steps(self.root, pinned=(self.names, self.constants))

    def formula(self, node: Node) -> str:
        """What a node is computed as, such as `w1·x`; empty for a leaf or a very large graph."""
        if self._steps is None or node.op is None:
            return ""
        return _legible(self._steps.formula(node))

    def partial_formula(self, node: Node, slot: int) -> str:
        """The local derivative along an edge: of numbers the partial, of arrays the pullback.

        In a pullback the cotangent of y is written ȳ, or ∂E/∂name for a name without a letter.
        """
        if self._steps is None:
            return ""
        if (id(node), slot) not in self._formulas:
            self._formulas.update(self._partial_formulas(node))
        return self._formulas.get((id(node), slot), "")

    def _partial_formulas(self, node: Node) -> dict[tuple[int, int], str]:
        """Those of all edges into a node."""
        assert self._steps is not None
        nodes = [x for x in node.inputs_then() if isinstance(x, Node)]
        seed: Any = 1.0
        if node is not self.root and any(map(_is_array, [node, *nodes])):
            name = bar_name(self.name(self.root), self.name(node))
            seed = Symbol(name, np.shape(node._held), node._held.dtype)
        try:
            pairs = self._steps.pull(node, seed)
            wanted = [i for i, x in enumerate(node.inputs_then()) if isinstance(x, Node)]
            if len(pairs) != len(wanted):
                return {}
            return {
                (id(node), slot): _legible(self._steps.finished(formula))
                for slot, (_, formula) in zip(wanted, pairs, strict=True)
            }
        except (ArithmeticError, TypeError, ValueError, AttributeError, KeyError):
            return {}


def _is_array(node: Node) -> bool:
    """Whether a local derivative is no single number: of arrays, and of complex numbers."""
    return bool(np.ndim(node._held)) or np.iscomplexobj(node._held)


def _times(stored: Any, own: Any) -> int | None:
    """How many times a gradient was added up; 0 if both are zero, None if it is another one."""
    with np.errstate(all="ignore"):
        if not np.any(stored) and not np.any(own):
            return 0
        size = norm_of(own)
        count = round(norm_of(stored) / size) if 0 < size < np.inf else 1
        same = np.allclose(stored, np.multiply(own, count), rtol=1e-6, atol=0, equal_nan=True)
    return count if count >= 1 and same else None


def _legible(formula: Any) -> str:
    """A formula with minus signs that are."""
    return re.sub(r"(^|[ (])-", r"\1−", written(formula))


def passed(node: Node, slots: Sequence[int], y_bar: Any) -> list[Any]:
    """What a node passes on to some of its inputs, NaN where that cannot be computed."""
    op: Any = node.op
    inputs = node.inputs_then()
    values = [v._held if isinstance(v, Node) else v for v in inputs]
    if y_bar is None or not slots:
        return [None] * len(slots)
    try:
        with np.errstate(all="ignore"):
            x_bars = op.vjp(list(slots), y_bar, node._held, values, node.params)
    except (ArithmeticError, ValueError):
        if len(slots) > 1:
            return [passed(node, [slot], y_bar)[0] for slot in slots]
        x_bars = [np.nan]
    found = []
    for slot, x_bar in zip(slots, x_bars, strict=True):
        x = inputs[slot]
        if x_bar is None or np.ndim(x_bar) != np.ndim(x._held):
            found.append(np.full(np.shape(x._held), 0.0 if x_bar is None else np.nan))
        else:
            found.append(x.fit_cotangent(x_bar, node))
    return found


def _partial(node: Node, slot: int) -> float:
    """The local derivative between two numbers; infinite where the rule divides by zero."""
    if node.partials is not None:
        known = node.partials[slot]
        return 0.0 if known is None else float(known)
    op: Any = node.op
    values = [v._held if isinstance(v, Node) else v for v in node.inputs_then()]
    try:
        with np.errstate(all="ignore"):
            (partial,) = op.vjp([slot], node.new_seed(None), node._held, values, node.params)
    except (ArithmeticError, ValueError):
        return float("inf")
    return 0.0 if partial is None else np.asarray(partial).item()


def _refuse_stale(node: Node) -> None:
    """A picture of old results beside new data would lie."""
    if node.op is None:
        return
    for x in node.inputs_then():
        if isinstance(x, Node) and x.index > node.index:
            raise ChangedDataError(
                f"the data of '{x.label or 'a leaf'}' was changed after {node.describe()}: draw the"
                f" graph before changing data, or run the forward pass again"
            )
    node.check_unchanged()
