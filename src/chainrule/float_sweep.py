"""The sweep over a graph of single floats, whose partials are known since forward.

It does what `engine.sweep` does, without a call for each node: here the calls would cost more than
the arithmetic.
"""

from __future__ import annotations

from contextlib import nullcontext
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import contributions

if TYPE_CHECKING:
    from collections.abc import Iterator

#: In place of the second input of a Value: there is none; the first is a tuple of them all.
NONE, MANY = object(), object()
#: In place of its partials: infinite, or of an op that has none.
UNKNOWN = object()
_by_index = attrgetter("index")
_nothing: Any = nullcontext()


def _newest_first(root: Any) -> list[Any]:
    """The computed Values under a root, consumers first, and then the leaves."""
    seen = {root.index}
    kind = root.__class__
    pending, computed, leaves = [root], [], []
    while pending:
        node = pending.pop()
        if node.op is None:
            leaves.append(node)
            continue
        computed.append(node)
        x, z = node._x, node._z
        if z is MANY:
            for y in x:
                if y.__class__ is kind and (index := y.index) not in seen:
                    seen.add(index)
                    pending.append(y)
            continue
        if x.__class__ is kind and (index := x.index) not in seen:
            seen.add(index)
            pending.append(x)
        if z.__class__ is kind and (index := z.index) not in seen:
            seen.add(index)
            pending.append(z)
    computed.sort(key=_by_index, reverse=True)
    return computed + leaves


def float_sweep(  # noqa: C901 -- the innermost loop of a program on Values
    root: Any, seed: float
) -> Iterator[tuple[Any, float]]:
    """All Values under a root with their cotangents: the sweep where partials are known floats."""
    table, kind = {root.index: seed}, root.__class__
    nodes, cotangents = [], []  # apart: a million pairs would keep the cycle collector busy
    for node in _newest_first(root):
        y_bar = table.pop(node.index, None)
        if y_bar is None:
            continue
        nodes.append(node)
        cotangents.append(y_bar)
        if node.op is None:
            continue
        p, x, z = node._p, node._x, node._z
        if y_bar == 0.0 and z is not MANY:  # zero passes on zero, however infinite the partial
            for y in (x, z):
                if y.__class__ is kind:
                    key = y.index
                    table[key] = table[key] + 0.0 if key in table else 0.0
            continue
        if p is UNKNOWN or z is MANY:
            with np.errstate(divide="ignore", invalid="ignore") if p is UNKNOWN else _nothing:
                passed = contributions(node, y_bar, record=False, since=0)
            for y, x_bar in passed:
                key = y.index
                x_bar = y.fit_cotangent(x_bar, node)  # noqa: PLW2901
                table[key] = table[key] + x_bar if key in table else x_bar
            continue
        if p is not None:
            x_bar = p * y_bar if p else 0.0  # zero wins over infinity
            if x_bar.__class__ is not float:
                x_bar = x.fit_cotangent(x_bar, node)
            key = x.index
            table[key] = table[key] + x_bar if key in table else x_bar
        q = node._q
        if q is not None:
            x_bar = q * y_bar if q else 0.0
            if x_bar.__class__ is not float:
                x_bar = z.fit_cotangent(x_bar, node)
            key = z.index
            table[key] = table[key] + x_bar if key in table else x_bar
    return zip(nodes, cotangents, strict=True)
