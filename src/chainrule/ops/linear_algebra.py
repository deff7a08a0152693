"""Products of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.broadcasting import summed
from chainrule.ops.kinds import Multilinear
from chainrule.ops.notation import MATRIX, infix
from chainrule.ops.shapes import matrix_transpose, reshaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.traced import Inputs, Params


def _as_matrices(y_bar: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """The product seen as one of (stacks of) matrices: vectors become a row or a column."""
    y_shape = y_bar.shape
    if b.ndim == 1:
        b, y_shape = reshaped(b, (*b.shape, 1)), (*y_shape, 1)
    if a.ndim == 1:
        a = reshaped(a, (1, *a.shape))
        y_shape = (*y_shape[:-1], 1, y_shape[-1])
    return reshaped(y_bar, y_shape), a, b


def _matmul_left(y_bar: Any, a: Any, b: Any) -> Any:
    shape = a.shape
    y_bar, a, b = _as_matrices(y_bar, a, b)
    return reshaped(summed(y_bar @ matrix_transpose(b), a.shape), shape)


def _matmul_right(y_bar: Any, a: Any, b: Any) -> Any:
    shape = b.shape
    y_bar, a, b = _as_matrices(y_bar, a, b)
    return reshaped(summed(matrix_transpose(a) @ y_bar, b.shape), shape)


class Matmul(Multilinear):
    """The matrix product, which is its own rule for most stacks."""

    def batch(self, size: int, inputs: Inputs, mine: Sequence[bool], params: Params) -> Any:
        a, b = inputs
        ndim = [len(x.shape) - own for x, own in zip(inputs, mine, strict=True)]
        if mine == [True, False] and ndim[1] <= 2:
            return self.apply((a, b), params)
        if mine == [False, True] and ndim[0] <= 2:
            if ndim[1] == 2:
                return self.apply((a, b), params)
            if ndim == [2, 1]:
                return self.apply((b, matrix_transpose(a)), params)
        if all(mine) and ndim[0] == ndim[1] > 1:
            return self.apply((a, b), params)
        return super().batch(size, inputs, mine, params)


matmul = Matmul(
    np.matmul,
    (_matmul_left, _matmul_right),
    notation=infix(" ", MATRIX, associative=False),
    doc="The matrix product, batched over leading axes, with NumPy's rules for vectors.",
)
