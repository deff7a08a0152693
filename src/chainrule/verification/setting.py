"""What diagnosis knows of a graph besides its claims."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.verification.tape import Edge

if TYPE_CHECKING:
    from chainrule.verification.subject import Subject


class Setting:
    """A graph, its right adjoints and its learning rate."""

    def __init__(self, subject: Subject, lr: float | None) -> None:
        self.subject, self.tape, self.lr = subject, subject.tape, lr
        self.data = self.tape.data
        self.bars = self.tape.backward(self.data)
        #: Whether the root depends on a node.
        self.reached = [bar is not None for bar in self.bars]

    def contribution(self, edge: Edge, y_bar: Any = None) -> Any:
        """What one edge passes on, by default of the right cotangent; None for nothing."""
        i, slot = edge
        y_bar = self.bars[i] if y_bar is None else y_bar
        if y_bar is None:
            return None
        wanted = [s for s, j in enumerate(self.tape.sources[i]) if j is not None]
        parts = self.tape.pulled(i, y_bar, self.data)
        if len(parts) != len(wanted):
            return None
        return parts[wanted.index(slot)][1]

    @cached_property
    def live(self) -> list[list[Edge]]:
        """For each node the edges to its consumers that carry something back."""
        return [
            [edge for edge in edges if self.reached[edge[0]]] for edges in self.tape.consumers
        ]

    @cached_property
    def names(self) -> dict[int, str]:
        """The nodes that have names."""
        return self.subject.names

    def shape(self, i: int) -> tuple[int, ...]:
        return np.shape(self.data[i])

    @cached_property
    def under(self) -> list[frozenset[int]]:
        """For each node the leaves it is computed from."""
        found: list[frozenset[int]] = []
        for i, node in enumerate(self.tape.nodes):
            if node.op is None:
                found.append(frozenset([i]))
            else:
                sources = [found[j] for j in self.tape.sources[i] if j is not None]
                found.append(frozenset().union(*sources))
        return found

    @cached_property
    def data_free(self) -> list[bool]:
        """For each node whether it is computed from leaves and single numbers only."""
        found: list[bool] = []
        for i, node in enumerate(self.tape.nodes):
            free = node.op is None or all(
                (j is not None and found[j]) or (j is None and np.ndim(x) == 0)
                for j, x in zip(self.tape.sources[i], self.tape.constants[i], strict=True)
            )
            found.append(free)
        return found

    @cached_property
    def terms(self) -> list[int]:
        """The nodes that the root is a sum of, factors aside."""
        found, pending, seen = [], [self.tape.last], set()
        while pending:
            i = pending.pop()
            if i in seen:
                continue
            seen.add(i)
            op: Any = self.tape.nodes[i].op
            inner = [j for j in self.tape.sources[i] if j is not None]
            plain = op is not None and op.gives_partials and self.shape(i) == ()
            sums = plain and all(not callable(rule) for rule in op.rules)
            scaled = plain and len(inner) == 1 and len(self.tape.sources[i]) == 2
            if (sums or scaled) and all(self.shape(j) == () for j in inner):
                pending += inner
            else:
                found.append(i)
        return found

    def consumer_name(self, edge: Edge) -> str:
        """What the result is called that an edge leads to: the next node with a name."""
        i = edge[0]
        while i not in self.names and self.live[i]:
            i = self.live[i][0][0]
        own = self.subject.name(edge[0])
        return own if i == edge[0] or len(own) < 24 else self.subject.name(i)
