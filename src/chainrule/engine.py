"""The graph and the one backward sweep that everything else reads.

A computation is a directed acyclic graph. A `Node` knows the operation (`op`) that made it
and the `inputs` it was made from; references run from output to inputs only, so a graph holds
no cycle and is freed by reference counting the moment its root goes. A node without inputs is a
leaf; the node where backward starts is the root.

Nothing here recurses and nothing here knows what a particular op does: the engine walks, the
op's declaration supplies the rule.
"""

from __future__ import annotations

import copy
import itertools
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.errors import ChangedDataError
from chainrule.recording import flaw, lift, shown, tracers, views_as_they_were, watching
from chainrule.sites import Site, site_text
from chainrule.traced import NO_PARAMS, Operation, Params, Traced, plain, slots_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


#: In place of the numbers of nodes: those that get a `.grad`.
KEPT: frozenset[int] = frozenset({-1})

#: The next creation number.
tick = itertools.count().__next__


class Node(Traced):
    """A node of a computation graph; `Value` and `Tensor` are the two final classes.

    `index` is a creation number. An input always exists before what is computed from it, so
    descending index is a topological order. Assigning to a leaf's `.data` gives the leaf a new
    index, later than every node computed from the old data: that is how a stale graph is noticed.
    """

    __slots__ = ("_grad", "_held", "index", "op")

    op: Operation | None
    _grad: Any
    index: int
    _held: Any

    if TYPE_CHECKING:  # how a class keeps them is its own affair
        inputs: tuple[Any, ...]
        label: str | None
        site: Site | None

    #: Static arguments of the op, such as an axis.
    params: Params = NO_PARAMS
    #: What input arrays were like, by position, see `Tensor`.
    guards: tuple[tuple[int, Any], ...] = ()
    #: A cotangent of exactly this class fits without a look.
    plain_class: ClassVar[type | None] = None

    @property
    def grad(self) -> Any:
        """The derivative that `backward()` left here, or None."""
        if tracers:
            lift((self,))
        return self._grad

    @grad.setter
    def grad(self, grad: Any) -> None:
        if tracers:
            lift((self,))
        self._grad = grad

    @property
    def partials(self) -> tuple[Any, ...] | None:
        """The local derivatives by input, where they are plain numbers known since forward."""
        return None

    def item(self) -> float:
        """The number of a one-element node, outside the graph."""
        raise NotImplementedError

    def inside(self) -> Any:
        lift((self,))
        return self._held

    def require_leaf(self) -> None:
        if self.op is not None:
            raise TypeError(
                f"this {type(self).__name__} was computed ({self.describe()}): its data follows"
                f" from its inputs, assign to a leaf instead"
            )

    def replace_data(self, data: Any) -> None:
        """Replace a leaf's data by fitting data that nobody else will write into."""
        self._held = data
        self.renew()

    def renew(self) -> None:
        """Take a new creation number: graphs recorded with the old data become stale."""
        self.index = tick()

    def pull(self, y_bar: Any, *, record: bool, since: int = 0) -> list[tuple[Node, Any]]:
        """Carry this node's cotangent to its inputs by the rule of its op.

        Returns pairs of an input that is a node and its cotangent, one for each edge; inputs made
        before `since` get none.
        """
        op = self.op
        assert op is not None
        wanted: list[int] = []
        values: list[Any] = []
        inputs = self.inputs_then() if op.views else self.inputs
        for i, x in enumerate(inputs):
            if isinstance(x, Node):
                if x.index >= since:
                    wanted.append(i)
                values.append(x if record else x._held)
            else:
                values.append(x)
        if not wanted:
            return []
        self.check_unchanged()
        y = self if record else self._held
        try:
            cotangents = op.vjp(wanted, y_bar, y, values, self.params)
        except (ArithmeticError, ValueError) as error:
            if y_bar.__class__ is not float:
                raise
            message = f"the derivative of {self.describe()} is not finite: {error}"
            raise type(error)(message) from None
        return [
            (inputs[i], x_bar)
            for i, x_bar in zip(wanted, cotangents, strict=True)
            if x_bar is not None
        ]

    def restored(self, x: Node) -> Node:
        """An input as it was when this node was computed: entries of it were assigned since.

        The node of an assignment has what it was before as its last input.
        """
        before = x
        while before.index > self.index:
            before = before.inputs[-1]
        if not (self.op and self.op.views):  # a view still has to find what it is a view of
            self.inputs = tuple(before if other is x else other for other in self.inputs)  # type: ignore[misc]
        return before

    def inputs_then(self) -> tuple[Any, ...]:
        """The inputs as they were when this node was computed."""
        if not (self.op and self.op.views):
            return self.inputs
        return tuple(
            self.restored(x)
            if isinstance(x, Node) and x.index > self.index and x.op is not None
            else x
            for x in self.inputs
        )

    def check_unchanged(self) -> None:
        """Raise ChangedDataError if an input that the rule needs is not what it was."""
        op = self.op
        assert op is not None
        for i, x in enumerate(self.inputs):
            if isinstance(x, Node) and x.index > self.index and op.needs_input(i):
                raise ChangedDataError.of(self, i)
        if self.guards and (changed := self.changed_array({})) is not None:
            raise ChangedDataError.of(self, changed)

    def watch_result(self, numbers: Any) -> None:
        """Raise where the op made NaN or infinity of finite numbers."""
        if name := flaw(self._held, numbers):
            raise FloatingPointError(
                f"{self.describe()} made {name} of finite numbers, in a result of shape"
                f" {getattr(self._held, 'shape', ())}"
            )

    def watch_cotangent(self, x: Node, x_bar: Any, y_bar: Any) -> None:
        """Raise where the rule made NaN or infinity of finite numbers."""
        data = [plain(self._held), plain(y_bar), *[plain(source) for source in self.inputs]]
        if name := flaw(plain(x_bar), data):
            at = f" of '{x.label}'" if x.label else ""
            raise FloatingPointError(
                f"the derivative of {self.describe()} made {name} of finite numbers, in the"
                f" cotangent{at} of shape {getattr(x_bar, 'shape', ())}"
            )

    def changed_array(self, taken: dict[int, Any]) -> int | None:
        """The position of a guarded input array that was written into, or None.

        `taken` holds what arrays are like now, by id, as far as that is known.
        """
        raise NotImplementedError

    def fit_cotangent(self, x_bar: Any, consumer: Node) -> Any:
        """Check that a cotangent of this node has its shape and dtype; raise RuleError if not."""
        raise NotImplementedError

    def new_seed(self, seed: Any) -> Any:
        """The cotangent that backward starts with at this root."""
        raise NotImplementedError

    def own(self, x_bar: Any) -> Any:
        """A cotangent as data that belongs to this node alone."""
        return x_bar

    def keeps_grad(self) -> bool:
        """Whether this node gets a `.grad`: a leaf always, a Tensor in between if labelled."""
        return True

    def backward(self, seed: Any = None) -> None:
        """Set the derivative of this node with respect to every leaf it was computed from.

        Leaves accumulate: a second call adds the same gradient again. Intermediate nodes get the
        value of this sweep, they are never counted twice.

        Raises:
            ValueError: without a seed on a node that is not a scalar, or with one of another shape.
            ChangedDataError: data the sweep needs was changed since it was recorded.
            RuleError: an op's rule returned something that does not fit.
        """
        seed = seed.inside() if isinstance(seed, Node) else seed
        if seed is not None:
            seed = self.new_seed(seed)
        # The whole sweep runs before any .grad is written, so an error leaves all of them alone.
        for node, y_bar in self.cotangents(seed, KEPT):
            accumulate = node.op is None and node._grad is not None
            node._grad = node._grad + y_bar if accumulate else y_bar

    def cotangents(
        self, seed: Any, wanted: frozenset[int], since: int = 0
    ) -> Iterable[tuple[Node, Any]]:
        """The wanted nodes under this one, by number, with cotangents in data of their own.

        Without a seed this must be one real number, and the seed is one.
        """
        if seed is None:
            seed = self.new_seed(None)
        if wanted is KEPT:
            pairs = swept(self, seed, lambda node: node.keeps_grad(), since=since)
        else:
            pairs = swept(self, seed, lambda node: node.index in wanted, since=since)
        for i, (node, y_bar) in enumerate(pairs):  # in its place: none is there twice for long
            pairs[i] = (node, node.own(y_bar))
        return pairs

    def describe(self) -> str:
        """Op, label and line, as error messages name a node."""
        name = "leaf" if self.op is None else self.op.name
        label = f" '{self.label}'" if self.label else ""
        where = f" recorded at {site_text(self.site)}" if self.site else ""
        return f"{name}{label}{where}"

    def __bool__(self) -> bool:
        if tracers:
            lift((self,))
        return bool(self._held)

    def __copy__(self) -> Node:
        if self.op is None:
            return copy.deepcopy(self)
        return self.shallow()

    def shallow(self) -> Node:
        """The same computed node once more, over the same inputs."""
        twin = object.__new__(type(self))
        for name in slots_of(type(self)):
            setattr(twin, name, getattr(self, name))
        twin.renew()
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Node:
        """Copy the whole graph under this node, by iteration; ChangedDataError if it is stale."""
        for node in reversed(newest_first(self)):
            if id(node) not in memo:
                memo[id(node)] = node.twin(memo)
        twin: Node = memo[id(self)]
        return twin

    def twin(self, memo: dict[int, Any]) -> Node:
        """This node over the copies of its inputs; a leaf with data of its own."""
        if self.op is None:
            lift((self,))
            twin = type(self)(self._held, self.label)  # type: ignore[call-arg]
        else:
            self.check_unchanged()
            twin = self.shallow()
            inputs = self.inputs_then()
            twin.inputs = tuple(memo[id(x)] if isinstance(x, Node) else x for x in inputs)  # type: ignore[misc]
        twin._grad = copy.copy(self._grad)
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        if self.op is not None:
            raise TypeError(
                f"cannot pickle a node that carries a graph ({self.describe()}): pickle its .data"
            )
        return (type(self), (self._held, self.label))


def newest_first(root: Node, since: int = 0) -> list[Node]:
    """Every node under the root, each once, in a topological order (consumers first).

    Of those made before `since` only the root.

    Why not simply walk from the root and push adjoints down? Take `b = a + a; c = b * b`.
    A walk that visits `a` once per edge sees it four times: with 60 such doublings that is 2^60
    visits; and one that visits it once, but before `b` has collected both of its contributions,
    passes on half the gradient. A node may send its adjoint on only when all of its consumers
    have contributed. Creation order gives exactly that: a consumer is always younger.
    """
    seen = {root.index}
    pending = [root]
    computed: list[Node] = []
    leaves: list[Node] = []
    while pending:
        node = pending.pop()
        (leaves if node.op is None else computed).append(node)
        for x in node.inputs:
            if isinstance(x, Node):
                if x.index > node.index and x.op is not None:
                    x = node.restored(x)  # noqa: PLW2901
                if x.index >= since and x.index not in seen:
                    seen.add(x.index)
                    pending.append(x)
    computed.sort(key=_by_index, reverse=True)
    leaves.sort(key=_by_index, reverse=True)
    # Leaves go last: one whose data was reassigned is younger than its consumers.
    return computed + leaves


_by_index = attrgetter("index")


def sweep(
    root: Node, seed: Any, *, record: bool = False, since: int = 0
) -> Iterator[tuple[Node, Any]]:
    """Reverse mode: yield every node under `root` with its adjoint, consumers first.

    An adjoint is complete when its node is yielded and dropped from the table afterwards. With
    `record` the rules are fed nodes instead of data, so the adjoints are nodes of a new graph
    and can be differentiated again.
    """
    table: dict[int, Any] = {root.index: seed}
    watched = watching()
    for node in newest_first(root, since):
        y_bar = table.pop(node.index, None)
        if y_bar is None:
            continue
        yield node, y_bar
        if node.op is None:
            continue
        for x, x_bar in contributions(node, y_bar, record=record, since=since):
            if watched:
                node.watch_cotangent(x, x_bar, y_bar)
            if x_bar.__class__ is not x.plain_class:
                x_bar = x.fit_cotangent(x_bar, node)  # noqa: PLW2901
            key = x.index
            # Parallel edges are kept: `h * h` contributes to h twice.
            table[key] = table[key] + x_bar if key in table else x_bar


def contributions(node: Node, y_bar: Any, *, record: bool, since: int) -> list[tuple[Node, Any]]:
    """What a node passes on to its inputs: by the partials it knows, else by the rule of its op."""
    if record or since or y_bar.__class__ is not float:
        return node.pull(y_bar, record=record, since=since)
    if y_bar == 0.0:  # zero passes on zero, however infinite the partial
        return [(x, 0.0) for x in node.inputs if isinstance(x, Node)]
    if node.partials is None:
        return node.pull(y_bar, record=False)
    return [
        (x, partial * y_bar if partial else 0.0)
        for x, partial in zip(node.inputs, node.partials)  # noqa: B905 -- the innermost loop
        if partial is not None
    ]


def swept(
    root: Node,
    seed: Any,
    wanted: Callable[[Node], bool],
    *,
    record: bool = False,
    since: int = 0,
) -> list[tuple[Node, Any]]:
    """The wanted nodes of a sweep with their adjoints; all others are released on the way.

    Nodes made before `since` are left out.

    Divisions by zero on the way are no warning: a zero cotangent may still make them vanish.
    """
    with np.errstate(divide="ignore", invalid="ignore"), views_as_they_were(record):
        pairs = sweep(root, seed, record=record, since=since)
        if tracers:
            pairs = shown(pairs)
        return [pair for pair in pairs if wanted(pair[0])]
