"""`Batch`: many arrays of one shape computed with at once, for Jacobians."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.dual import Dual
from chainrule.ops.arrays import ArrayOperators
from chainrule.traced import plain

if TYPE_CHECKING:
    from chainrule.traced import Params


class Batch(ArrayOperators):
    """Arrays stacked along a first axis that the program does not see.

    An op computes with all of them by its kind's rule for batches: broadcasting for elementwise
    ops, one more axis for linear ones, and one after the other where there is no better way.
    """

    __slots__ = ("level", "stacked")

    def __init__(self, stacked: Any, level: int) -> None:
        self.stacked = stacked
        self.level = level

    def inside(self) -> Any:
        return self.stacked

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.stacked.shape[1:]  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        return self.stacked.dtype

    @property
    def data(self) -> Any:
        """The stacked arrays, outside every derivative."""
        return plain(self.stacked)

    def apply(self, op: Any, inputs: tuple[Any, ...], params: Params) -> Any:
        mine = [isinstance(x, Batch) and x.level == self.level for x in inputs]
        stacked = tuple(x.stacked if own else x for x, own in zip(inputs, mine, strict=True))
        return Batch(op.batch(len(self.stacked), stacked, mine, params), self.level)

    def __bool__(self) -> bool:
        raise TypeError("a batch of arrays has no single truth value: use np.where")

    def __repr__(self) -> str:
        return f"Batch({self.stacked!r})"


def taken_apart(x: Any, size: int, level: int) -> Any:
    """The stacked arrays of a batch of this level; what does not depend on it is repeated."""
    if isinstance(x, Dual) and x.level > level:
        primal, tangent = (taken_apart(part, size, level) for part in (x.primal, x.tangent))
        return Dual(primal, tangent, x.level)
    if isinstance(x, Batch):
        if x.level == level:
            return x.stacked
        # The stack of this level becomes an axis that the program of the other one sees.
        return Batch(np.moveaxis(taken_apart(x.stacked, size, level), 0, 1), x.level)
    return np.broadcast_to(x, (size, *np.shape(x)))


def put_together(x: Any, level: int) -> Any:
    """A batch of this level along the first axis of x; what has a higher level stays around it."""
    if isinstance(x, Dual) and x.level > level:
        primal, tangent = (put_together(part, level) for part in (x.primal, x.tangent))
        return Dual(primal, tangent, x.level)
    if isinstance(x, Batch) and x.level > level:
        return Batch(put_together(np.moveaxis(x.stacked, 1, 0), level), x.level)
    return Batch(x, level)
