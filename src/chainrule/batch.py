"""`Batch`: many arrays of one shape computed with at once, for Jacobians."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.arrays import ArrayOperators
from chainrule.ops.base import plain

if TYPE_CHECKING:
    from chainrule.engine import Params


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
    """The stacked arrays of a batch; what does not depend on it is repeated."""
    if isinstance(x, Batch) and x.level == level:
        return x.stacked
    return np.broadcast_to(np.asarray(x), (size, *np.shape(x)))
