"""How far rounding every step of a hand calculation may lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node, swept
from chainrule.ops.base import shape_of
from chainrule.paths import adjoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.verification.claims import Rounding

#: So many entries have a bound of their own, a sweep for each.
MOST_ENTRIES = 128
#: How much larger the bound of another entry may be than the largest of those.
UNSEEN = 2.0

#: A function such as σ is worked out in so many steps, e^-z, 1 + …, 1/….
COMPOSED = 3


def bound_of(result: Any, rounding: Rounding) -> Any:
    """A bound on what rounding each step does to a result, to first order, for each entry.

    The result is a node over all the steps that lead to it, those of the backward pass included:
    one reverse sweep for each entry gives ∂result/∂vᵢ for every step vᵢ, and the bound is the sum
    Σ |∂result/∂vᵢ|·½·10⁻ᵈ.
    """
    return first_order(result, lambda node: step_half_unit(node, rounding))


def first_order(result: Any, half_unit: Callable[[Node], Any]) -> np.ndarray:
    """Σ |∂result/∂vᵢ|·uᵢ over the nodes under a result, for each entry: a reverse sweep for each.

    Args:
        result: a node, or numbers that depend on nothing.
        half_unit: uᵢ, how exactly a node is known; None for one that is exact.
    """
    if not isinstance(result, Node):
        return np.zeros(np.shape(result))
    shape = shape_of(result)
    total = np.zeros(shape)
    entries = list(np.ndindex(shape))
    for index in entries[:MOST_ENTRIES]:
        seed: Any = None
        if shape:
            seed = np.zeros(shape)
            seed[index] = 1.0
        for node, y_bar in swept(result, result.new_seed(seed), lambda _node: True):
            half = half_unit(node)
            if half is not None:
                with np.errstate(invalid="ignore", over="ignore"):
                    total[index] += float(np.sum(np.abs(y_bar) * half))
    unseen = UNSEEN * np.max(total, initial=0.0)
    for index in entries[MOST_ENTRIES:]:  # too many sweeps: as large as those that were made
        total[index] = unseen
    return total


def step_half_unit(node: Node, rounding: Rounding) -> Any:
    """How exactly a result is known that was rounded; None for a leaf, which is given."""
    return None if node.op is None else rounding.half_unit(node._held) * terms_of(node)


def terms_of(node: Node) -> int:
    """How many numbers by hand are rounded in one entry of a result: each product of a sum."""
    op: Any = node.op
    if op.linear:  # the numbers of a plain sum have their digits already
        return 1
    if op.gives_partials and len(op.rules) == len(node.inputs):
        return COMPOSED if len(op.rules) == 1 and callable(op.rules[0]) else 1
    largest = max((int(np.size(getattr(x, "_held", x))) for x in node.inputs), default=1)
    size = max(int(np.size(node._held)), 1)
    return max(1, int(np.ceil(largest / size)))


def adjoint_steps(root: Node) -> dict[int, Any]:
    """The adjoint of every node of a graph as a node over all steps, by `id`."""
    return {id(node): y_bar for node, y_bar in adjoints(root, record=True).items()}
