"""How far rounding every step of a hand calculation may lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node, adjoints, swept
from chainrule.ops.base import shape_of

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
    if not isinstance(result, Node):
        return np.zeros(np.shape(result))
    shape = shape_of(result)
    bound = np.zeros(shape)
    entries = list(np.ndindex(shape))
    for index in entries[:MOST_ENTRIES]:
        seed: Any = 1.0
        if shape or result._held.__class__ is not float:
            seed = np.zeros(shape)
            seed[index] = 1.0
        bound[index] = sum_over_steps(result, seed, rounding.half_unit)
    for index in entries[MOST_ENTRIES:]:  # too many sweeps: as large as those that were made
        bound[index] = UNSEEN * np.max(bound)
    return bound


def sum_over_steps(result: Node, seed: Any, half_unit: Callable[[Any], Any]) -> float:
    """Σ |∂result/∂vᵢ|·uᵢ over all computed nodes under a result."""
    total = 0.0
    seed = result.new_seed(seed)
    for node, y_bar in swept(result, seed, lambda node: node.op is not None):
        unit = half_unit(node._held) * terms_of(node)
        with np.errstate(invalid="ignore", over="ignore"):
            total += float(np.sum(np.abs(y_bar) * unit))
    return total


def terms_of(node: Node) -> int:
    """How many numbers by hand are rounded in one entry of a result: each product of a sum."""
    op: Any = node.op
    if op.gives_partials and len(op.rules) == len(node.inputs):
        return COMPOSED if len(op.rules) == 1 and callable(op.rules[0]) else 1
    largest = max((int(np.size(getattr(x, "_held", x))) for x in node.inputs), default=1)
    size = max(int(np.size(node._held)), 1)
    return max(1, int(np.ceil(largest / size)))


def adjoint_steps(root: Node) -> dict[int, Any]:
    """The adjoint of every node of a graph as a node over all steps, by `id`."""
    return {id(node): y_bar for node, y_bar in adjoints(root, record=True).items()}
