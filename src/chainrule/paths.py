"""The derivative of a root by every node under it, and the paths that it is the sum over."""

from __future__ import annotations

from collections import Counter
from typing import Any

from chainrule.engine import Node, newest_first, swept


class Adjoints(dict[Node, Any]):
    """Node -> derivative of the root with respect to it; missing nodes get a clear KeyError."""

    def __missing__(self, node: Any) -> Any:
        raise KeyError(f"{node!r} is not in the graph of this root")


def adjoints(root: Node, seed: Any = None, *, record: bool = False) -> Adjoints:
    """The derivative of `root` with respect to every node under it, without touching `.grad`.

    With `record=True` the adjoints are nodes themselves and can be differentiated again.
    """
    pairs = swept(root, root.new_seed(seed), lambda _node: True, record=record)
    return Adjoints((node, node.own(y_bar)) for node, y_bar in pairs)


def count_paths(root: Node, leaf: Node) -> int:
    """How many paths lead from `leaf` to `root`, parallel edges counted, as an exact integer.

    Counted by dynamic programming in one pass over the graph, never enumerated.
    """
    counts: Counter[int] = Counter({root.index: 1})
    for node in newest_first(root):
        if node is not leaf:
            here = counts.pop(node.index, 0)
            for x in node.inputs_then():
                if isinstance(x, Node):
                    counts[x.index] += here
    return counts[leaf.index]
