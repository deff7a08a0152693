"""The paths between a node and the root: counted, listed, and the largest found, in linear time."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from chainrule.formulas.reading import product

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainrule.engine import Node
    from chainrule.formulas.steps import Steps


class Route(NamedTuple):
    """A path, root first, with the product of its partials."""

    nodes: tuple[Node, ...]
    contribution: float


class Layered(NamedTuple):
    """All paths that go through the same layers: how many, and the sum of their contributions."""

    layers: tuple[int, ...]
    paths: int
    contribution: float


#: Paths through more different rows of layers than this are not told apart.
MOST_ROWS = 2000


class Ways:
    """The steps on the way from a root to a node, and the numbers along them.

    `nodes` has them root first; `edges[id(node)]` the inputs on the way, each with the number
    ∂node/∂input (0 without `numbers`: between arrays there is none).
    """

    def __init__(self, steps: Steps, target: Node, *, numbers: bool = True) -> None:
        self.root, self.target = steps.root, target
        reaches = {id(target)}
        inputs = {}
        for node in steps.steps:
            inputs[id(node)] = own = [x for x in steps.inputs(node) if id(x) in reaches]
            if own and node is not target:
                reaches.add(id(node))
        self.nodes: list[Node] = []
        self.edges: dict[int, list[tuple[Node, float]]] = {}
        seen = {id(steps.root)}
        for node in reversed(steps.steps):
            if id(node) not in seen or id(node) not in reaches:
                continue
            self.nodes.append(node)
            if node is target:
                continue
            partials = steps.partials(node) if numbers else {}
            self.edges[id(node)] = [(x, partials.get(id(x), 0.0)) for x in inputs[id(node)]]
            seen.update(id(x) for x, _ in self.edges[id(node)])

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
        sizes: dict[int, float] = defaultdict(float)
        sizes[id(self.root)] = 1.0
        for node in self.nodes:
            for x, partial in self.edges.get(id(node), ()):
                sizes[id(x)] += float(product(abs(partial), sizes[id(node)]))
        return sizes[id(self.target)]

    def every(self) -> Iterator[Route]:
        """All paths, in the order of the inputs."""
        # Each way is a node and the way before it, so that a long path is not copied at each step.
        pending: list[tuple[Any, float]] = [((self.root, None), 1.0)]
        while pending:
            way, contribution = pending.pop()
            node = way[0]
            if node is self.target:
                nodes = []
                while way is not None:
                    nodes.append(way[0])
                    way = way[1]
                yield Route(tuple(nodes[::-1]), contribution)
                continue
            pending += [
                ((x, way), float(product(contribution, partial)))
                for x, partial in reversed(self.edges[id(node)])
            ]

    def largest(self, k: int) -> list[Route]:
        """The k paths with the largest contributions, by size; none of the others is looked at.

        A longer path is the larger the larger its beginning is, so each node needs to remember
        only the k best ways to it.
        """
        best: dict[int, list[tuple[float, int, float, tuple[int, int] | None]]] = {
            id(self.root): [(1.0, 0, 1.0, None)]
        }
        arriving: dict[int, list[tuple[float, int, float, tuple[int, int] | None]]] = defaultdict(
            list
        )
        by_id = {id(node): node for node in self.nodes}
        order = 0
        for node in self.nodes:
            i = id(node)
            if i in arriving:
                best[i] = heapq.nlargest(k, arriving.pop(i), key=lambda way: (way[0], -way[1]))
            for x, partial in self.edges.get(i, ()):
                for rank, way in enumerate(best[i]):
                    contribution = float(product(way[2], partial))
                    order += 1
                    arriving[id(x)].append((abs(contribution), order, contribution, (i, rank)))
        routes = []
        for way in best.get(id(self.target), []):
            nodes, back = [self.target], way[3]
            while back is not None:
                nodes.append(by_id[back[0]])
                back = best[back[0]][back[1]][3]
            routes.append(Route(tuple(nodes[::-1]), way[2]))
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
