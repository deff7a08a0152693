"""The paths between a node and the root: counted, listed, and the largest found, in linear time."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from chainrule.formulas.reading import product

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from chainrule.engine import Node
    from chainrule.formulas.steps import Steps


class Route(NamedTuple):
    """A path, root first, with the product of its partials."""

    nodes: tuple[Node, ...]
    partials: tuple[float, ...]
    contribution: float


class _Way(NamedTuple):
    """One of the best ways to a node: its last partial, and where it came from."""

    size: float
    order: int
    contribution: float
    partial: float
    before: tuple[int, int] | None


class Layered(NamedTuple):
    """All paths that go through the same layers: how many, and the sum of their contributions."""

    layers: tuple[int, ...]
    paths: int
    contribution: float


#: Paths through more different rows of layers than this are not told apart.
MOST_ROWS = 2000


class Ways:
    """What lies on the way from a root to a node, and the numbers along it.

    Args:
        root, target: the ends.
        nodes: everything under the root, oldest first; others between are contracted.
        inputs: what a node is computed from, parallel edges as often as they are.
        partials: for each of those the number ∂node/∂input.

    `nodes` has those on the way root first; `edges[id(node)]` the inputs on the way, each with its
    number.
    """

    def __init__(
        self,
        root: Node,
        target: Node,
        nodes: Sequence[Node],
        inputs: Callable[[Node], Sequence[Node]],
        partials: Callable[[Node], Sequence[float]],
    ) -> None:
        self.root, self.target = root, target
        reaches = {id(target)}
        known = {}
        for node in nodes:
            known[id(node)] = own = inputs(node)
            if node is not target and any(id(x) in reaches for x in own):
                reaches.add(id(node))
        self.nodes: list[Node] = []
        self.edges: dict[int, list[tuple[Node, float]]] = {}
        seen = {id(root)}
        for node in reversed(nodes):
            if id(node) not in seen or id(node) not in reaches:
                continue
            self.nodes.append(node)
            if node is target:
                continue
            pairs = zip(known[id(node)], partials(node), strict=True)
            self.edges[id(node)] = [(x, partial) for x, partial in pairs if id(x) in reaches]
            seen.update(id(x) for x, _ in self.edges[id(node)])

    @classmethod
    def over(cls, steps: Steps, target: Node, *, numbers: bool = True) -> Ways:
        """Along the steps between named nodes; without numbers (between arrays) all are 0."""

        def partials(node: Node) -> Sequence[float]:
            found = steps.partials(node) if numbers else {}
            return [found.get(id(x), 0.0) for x in steps.inputs(node)]

        return cls(steps.root, target, steps.steps, steps.inputs, partials)

    def count(self) -> int:
        """How many paths there are, exactly."""
        counts: dict[int, int] = defaultdict(int)
        counts[id(self.root)] = 1
        for node in self.nodes:
            for x, _ in self.edges.get(id(node), ()):
                counts[id(x)] += counts[id(node)]
        return counts[id(self.target)]

    def absolute_sum(self) -> float:
        """The sum of the sizes of all contributions."""
        return self._summed(abs)

    def total(self) -> float:
        """The sum of all contributions."""
        return self._summed(float)

    def _summed(self, of: Callable[[float], float]) -> float:
        sums: dict[int, float] = defaultdict(float)
        sums[id(self.root)] = 1.0
        for node in self.nodes:
            for x, partial in self.edges.get(id(node), ()):
                sums[id(x)] += float(product(of(partial), sums[id(node)]))
        return sums[id(self.target)]

    def every(self) -> Iterator[Route]:
        """All paths, in the order of the inputs."""
        # Each way is a node and the way before it, so that a long path is not copied at each step.
        pending: list[tuple[Any, float]] = [((self.root, 1.0, None), 1.0)]
        while pending:
            way, contribution = pending.pop()
            node = way[0]
            if node is self.target:
                nodes, partials = [], []
                while way is not None:
                    nodes.append(way[0])
                    partials.append(way[1])
                    way = way[2]
                yield Route(tuple(nodes[::-1]), tuple(partials[-2::-1]), contribution)
                continue
            pending += [
                ((x, partial, way), float(product(contribution, partial)))
                for x, partial in reversed(self.edges[id(node)])
            ]

    def largest(self, k: int) -> list[Route]:
        """The k paths with the largest contributions, by size; none of the others is looked at.

        A longer path is the larger the larger its beginning is, so each node needs to remember
        only the k best ways to it.
        """
        best: dict[int, list[_Way]] = {id(self.root): [_Way(1.0, 0, 1.0, 1.0, None)]}
        arriving: dict[int, list[_Way]] = defaultdict(list)
        by_id = {id(node): node for node in self.nodes}
        order = 0
        for node in self.nodes:
            i = id(node)
            if i in arriving:
                best[i] = heapq.nlargest(k, arriving.pop(i), key=lambda way: (way.size, -way.order))
            for x, partial in self.edges.get(i, ()):
                for rank, way in enumerate(best[i]):
                    contribution = float(product(way.contribution, partial))
                    order += 1
                    arriving[id(x)].append(
                        _Way(abs(contribution), order, contribution, partial, (i, rank))
                    )
        routes = []
        for end in best.get(id(self.target), []):
            nodes, partials, way = [self.target], [], end
            while way.before is not None:
                partials.append(way.partial)
                nodes.append(by_id[way.before[0]])
                way = best[way.before[0]][way.before[1]]
            routes.append(Route(tuple(nodes[::-1]), tuple(partials[::-1]), end.contribution))
        return routes

    def layers(self) -> list[list[Node]]:
        """Nodes at the same distance from the root, along the longest path."""
        depth = {id(self.root): 0}
        for node in self.nodes:
            for x, _ in self.edges.get(id(node), ()):
                depth[id(x)] = max(depth.get(id(x), 0), depth[id(node)] + 1)
        found: list[list[Node]] = [[] for _ in range(1 + max(depth.values()))]
        for node in self.nodes:
            found[depth[id(node)]].append(node)
        return found

    def by_layer(self) -> list[Layered]:
        """Paths that go through the same layers, taken together, the largest first.

        Raises:
            ValueError: where there are too many different ways through the layers.
        """
        layer = {id(node): i for i, nodes in enumerate(self.layers()) for node in nodes}
        table: dict[int, dict[tuple[int, ...], tuple[int, float]]] = defaultdict(dict)
        table[id(self.root)][0,] = (1, 1.0)
        for node in self.nodes[:-1]:
            rows = table.pop(id(node), {})
            for x, partial in self.edges.get(id(node), ()):
                into = table[id(x)]
                for row, (count, contribution) in rows.items():
                    longer = (*row, layer[id(x)])
                    n, total = into.get(longer, (0, 0.0))
                    into[longer] = (n + count, total + float(product(contribution, partial)))
                if len(into) > MOST_ROWS:
                    raise ValueError(
                        f"the paths go through more than {MOST_ROWS} different rows of layers:"
                        f" use top= instead of group_by="
                    )
        found = [Layered(row, *pair) for row, pair in table[id(self.target)].items()]
        return sorted(found, key=lambda group: -abs(group.contribution))
