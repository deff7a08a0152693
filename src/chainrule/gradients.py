"""The cotangents of variables: one reverse sweep under whatever surrounds it."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule import ops
from chainrule.assignment import FINISHED, Assignable
from chainrule.batch import Batch, put_together, taken_apart
from chainrule.dual import Dual
from chainrule.engine import Node, newest_first, swept
from chainrule.ops.base import is_complex, shape_of, total, zeros_like
from chainrule.recording import record_graph, recording, watching
from chainrule.traced import Traced

if TYPE_CHECKING:
    from collections.abc import Iterable


def kept(x: Any) -> Any:
    """A result or an argument as it is; under `no_grad` without graph and tangents."""
    if recording() or not isinstance(x, Traced):
        return x
    if isinstance(x, Batch):
        return Batch(kept(x.stacked), x.level)
    return kept(x.primal) if isinstance(x, Dual) else x.data


class Variable(NamedTuple):
    """A node to differentiate by, and its creation number then."""

    node: Node
    number: int


def _depends_on_others(y: Node, variables: list[Variable]) -> bool:
    """Whether y was also computed from variables that an outer computation made before ours.

    What was made after our first variable is walked; what is older is looked into only until a leaf
    is found that somebody may still differentiate by.
    """
    if not recording():
        return False
    first = min((variable.number for variable in variables), default=0)
    own = newest_first(y, since=first)
    reached = [x for node in own for x in node.inputs_then()]
    pending = [x for x in reached if isinstance(x, Node) and x.index < first]
    pending += [y] if y.index < first else []
    seen: set[int] = set()
    while pending:
        node = pending.pop()
        if node.op is None and node.guards is not FINISHED:
            return True
        fresh = [x for x in node.inputs_then() if isinstance(x, Node) and x.index not in seen]
        seen.update(x.index for x in fresh)
        pending += fresh
    return False


def released(y: Any, variables: list[Variable]) -> Any:
    """The data of a result, or the result itself while an outer computation needs its graph."""
    refreshed(y)
    if isinstance(y, Dual) and recording():
        return Dual(released(y.primal, variables), released(y.tangent, variables), y.level)
    if isinstance(y, Batch):
        return Batch(released(y.stacked, variables), y.level)
    if isinstance(y, Node) and not _depends_on_others(y, variables):
        return copy(y.data)  # nobody else's, to be written into
    return own_object(kept(y))


def own_object(x: Any) -> Any:
    """A traced result as an object of its own, to be changed in its place."""
    if isinstance(x, Dual):
        return Dual(own_object(x.primal), own_object(x.tangent), x.level)
    return ops.positive(x) if isinstance(x, Node) else x


def gradients_of(y: Any, variables: list[Variable], y_bar: Any) -> list[Any]:
    """The cotangents of the variables; nodes where an outer computation differentiates again."""
    if isinstance(y, Batch):
        return _gradients_of_batch(y, variables, y_bar)
    level = max((x.level for x in (y, y_bar) if isinstance(x, Dual | Batch)), default=0)
    if level and not (isinstance(y_bar, Batch) and y_bar.level == level):
        # The derivative of Jᵀȳ along the tangent, by the product rule: J̇ᵀȳ + Jᵀȳ̇.
        y, y_dot = split_dual(y, level)
        y_bar, y_bar_dot = split_dual(y_bar, level)
        primals = gradients_of(y, variables, y_bar)
        moved = [gradients_of(y_dot, variables, y_bar)] if y_dot is not None else []
        moved += [gradients_of(y, variables, y_bar_dot)] if y_bar_dot is not None else []
        return [
            Dual(primal, total(tangents), level)
            for primal, *tangents in zip(primals, *moved, strict=True)
        ]
    if isinstance(y, Dual):  # under a batch of cotangents
        return _gradients_of_dual(y, variables, y_bar)
    pairs: Iterable[tuple[Node, Any]] = ()
    if isinstance(y, Node) and variables:
        own = frozenset(variable.number for variable in variables)
        outer = isinstance(y_bar, Node) or _depends_on_others(y, variables)
        outer = outer or isinstance(plain_batch(y_bar), Node)
        with record_graph(bool(recording()) and outer) as record:
            since = min(own)  # what is older than the variables cannot depend on them
            if record:
                seed = y.new_seed(y_bar)
                pairs = swept(y, seed, lambda node: node.index in own, record=True, since=since)
                pairs = [(node, node.own(x_bar)) for node, x_bar in pairs]
            else:
                seed = None if y_bar is None else y.new_seed(y_bar)
                pairs = y.cotangents(seed, own, since)
    table = {node.index: x_bar for node, x_bar in pairs}
    return [table[v.number] if v.number in table else zeros_like(v.node) for v in variables]


def plain_batch(x: Any) -> Any:
    """What a batch stacks; anything else as it is."""
    return x.stacked if isinstance(x, Batch) else x


def _gradients_of_dual(y: Dual, variables: list[Variable], y_bar: Batch) -> list[Any]:
    """Under a batch of cotangents, which may move along the same tangent themselves."""
    size, (steady, moving) = len(y_bar.stacked), split_dual(y_bar.stacked, y.level)
    y_bar, level = Batch(steady, y_bar.level), y_bar.level
    primals = gradients_of(y.primal, variables, y_bar)
    parts = [gradients_of(y.tangent, variables, y_bar)]
    if moving is not None:
        parts.append(gradients_of(y.primal, variables, Batch(moving, level)))
    results = []
    for primal, *tangents in zip(primals, *parts, strict=True):
        stacked, moved = (taken_apart(x, size, level) for x in (primal, total(tangents)))
        results.append(Batch(Dual(stacked, moved, y.level), level))
    return results


def _gradients_of_batch(y: Batch, variables: list[Variable], y_bar: Any) -> list[Any]:
    """One array of the batch after the other."""
    size = len(y.stacked)
    mine = isinstance(y_bar, Batch) and y_bar.level == y.level
    rows = [
        gradients_of(y.stacked[i], variables, y_bar.stacked[i] if mine else y_bar)
        for i in range(size)
    ]
    return [put_together(np.stack(list(c)), y.level) for c in zip(*rows, strict=True)]


def gradients_of_several(
    outputs: list[Any], variables: list[Variable], cotangents: list[Any]
) -> list[Any]:
    """The cotangents from several outputs: those of Σ y·ȳ."""
    for y, y_bar in zip(outputs, cotangents, strict=True):
        given = shape_of(y_bar) if isinstance(y_bar, Traced) else np.shape(y_bar)
        if shape_of(y) != given:
            raise ValueError(f"a cotangent of shape {shape_of(y)} expected, got {given}")
    pairs = [
        (y, y_bar) for y, y_bar in zip(outputs, cotangents, strict=True) if isinstance(y, Traced)
    ]
    if watching() or any(isinstance(y_bar, Traced) for _, y_bar in pairs):  # one sweep for each
        moved = [
            gradients_of(y, variables, y_bar)
            for y, y_bar in pairs
            if isinstance(y_bar, Traced) or np.any(y_bar)
        ]
        return [total(c) for c in zip(*moved, strict=True)] or gradients_of(0.0, variables, None)
    with record_graph():
        products = [y * y_bar for y, y_bar in pairs]
        joint = total([ops.sum(ops.real(p) if is_complex(p) else p) for p in products])
    return gradients_of(joint, variables, None)


def refreshed(y: Any) -> Any:
    """A result that has seen all assignments to what it is a view of."""
    if isinstance(y, Assignable | Dual):
        y.refresh()
    return y


def split_dual(x: Any, level: int) -> tuple[Any, Any]:
    """Primal and tangent of a dual of this level; anything else does not move."""
    refreshed(x)
    return (x.primal, x.tangent) if isinstance(x, Dual) and x.level == level else (x, None)
