"""What diagnosis knows of a graph besides its claims."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.verification.subject import is_data_name
from chainrule.verification.tape import Edge, ones

if TYPE_CHECKING:
    from chainrule.verification.subject import Subject

#: A formula of so many letters stands for itself in a sentence.
SHORT = 24


class Setting:
    """A graph, its right adjoints and its learning rate.

    Args:
        subject: the graph.
        lr: the learning rate, where one is known.
        asked: the nodes that something is claimed of.
        updated: those of which the value after an update is claimed.
    """

    def __init__(
        self,
        subject: Subject,
        lr: float | None,
        asked: frozenset[int] = frozenset(),
        updated: frozenset[int] = frozenset(),
    ) -> None:
        self.asked, self.updated = asked, updated
        self.subject, self.tape, self.lr = subject, subject.tape, lr
        self.data = self.tape.data
        self.bars = self.tape.backward(self.data)
        #: Whether the root depends on a node.
        self.reached = [bar is not None for bar in self.bars]

    @cached_property
    def live(self) -> list[list[Edge]]:
        """For each node the edges to its consumers that carry something back."""
        return [[edge for edge in edges if self.reached[edge[0]]] for edges in self.tape.consumers]

    @cached_property
    def weights(self) -> list[int]:
        """The leaves that are weights: those asked of, and those not named like data."""
        return [
            i
            for i in self.tape.leaves
            if self.reached[i] and (i in self.asked or not is_data_name(self.names.get(i, "w")))
        ]

    @cached_property
    def names(self) -> dict[int, str]:
        """The nodes that have names."""
        return self.subject.names

    def value(self, i: int) -> np.ndarray:
        """The right adjoint of a node, zeros where none arrives."""
        bar = self.bars[i]
        return np.zeros(self.shape(i)) if bar is None else np.asarray(bar)

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

    @cached_property
    def penalties(self) -> list[tuple[int, list[Edge]]]:
        """The terms of the loss that are computed from weights alone, and not linear in them.

        Such a term has only leaves of the main one under it, and perhaps a λ of its own.
        """
        terms = self.terms
        if len(terms) < 2:
            return []
        main = max(terms, key=lambda i: len(self.under[i]))
        whole = self.under[main]
        found = []
        for i in terms:
            leaves = self.under[i]
            own = leaves - whole
            few = len(own) <= 1 and all(self.shape(j) == () for j in own)
            inside = i != main and few and leaves & whole and len(leaves) < len(whole)
            if inside and self.data_free[i] and not self._is_linear(i):
                found.append((i, self.live[i]))
        return found

    def _is_linear(self, i: int) -> bool:
        """Whether the derivative of a node stays as it is when its leaves move."""
        moved = self.tape.forward({j: 1.5 * self.data[j] for j in self.under[i]})
        here, there = (
            self.tape.backward(data, seeds={i: ones(data[i])}) for data in (self.data, moved)
        )
        return all(np.allclose(here[j], there[j]) for j in self.under[i] if here[j] is not None)

    def named_after(self, i: int) -> str:
        """The name of a node, or of the next one with a name that it leads to."""
        while i not in self.names and self.live[i]:
            i = self.live[i][0][0]
        return self.subject.name(i)

    def consumer_name(self, edge: Edge) -> str:
        """What an edge leads to: its formula if that is short, else what it becomes part of."""
        own = self.subject.name(edge[0])
        return own if len(own) < SHORT else self.named_after(edge[0])
