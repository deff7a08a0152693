"""Products of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.base import beside
from chainrule.ops.broadcasting import summed
from chainrule.ops.kinds import Multilinear
from chainrule.ops.misconceptions import wrong
from chainrule.ops.notation import MATRIX, infix
from chainrule.ops.shapes import matrix_transpose, reshaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.traced import Inputs, Params


def _matmul_left(y_bar: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return y_bar * b if a.ndim == 1 else _outer(y_bar, b)
    if a.ndim == 1 and b.ndim > 2:
        y_bar = reshaped(y_bar, (*y_bar.shape[:-1], 1, y_bar.shape[-1]))
        return reshaped(summed(y_bar @ matrix_transpose(b), (1, *a.shape)), a.shape)
    return summed(y_bar @ matrix_transpose(b), a.shape)


def _matmul_right(y_bar: Any, a: Any, b: Any) -> Any:
    if a.ndim == 1:
        return y_bar * a if b.ndim == 1 else _outer(a, y_bar)
    if b.ndim == 1 and a.ndim > 2:
        y_bar = reshaped(y_bar, (*y_bar.shape, 1))
        return reshaped(summed(matrix_transpose(a) @ y_bar, (*b.shape, 1)), b.shape)
    return summed(matrix_transpose(a) @ y_bar, b.shape)


def _outer(a: Any, b: Any) -> Any:
    """Each entry of the last axis of a times each of b, over stacks of vectors."""
    if a.ndim == b.ndim == 1:
        return outer_product(a, b)
    return reshaped(a, (*a.shape, 1)) * reshaped(b, (*b.shape[:-1], 1, b.shape[-1]))


def _ones(x: Any) -> Any:
    return beside(np.ones(x.shape, x.dtype), x)


class Outer(Multilinear):
    """The outer product of two vectors."""

    def batch(self, size: int, inputs: Inputs, mine: Sequence[bool], params: Params) -> Any:
        a, b = inputs
        return reshaped(a, (*a.shape, 1)) * reshaped(b, (*b.shape[:-1], 1, b.shape[-1]))


outer_product: Multilinear = Outer(
    lambda a, b: a[:, None] * b,
    (lambda y_bar, _a, b: y_bar @ b, lambda y_bar, a, _b: matrix_transpose(y_bar) @ a),
    name="outer_product",
    notation=infix(" ⊗ ", MATRIX, associative=False),
    doc="Each entry of a vector times each of another.",
)


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
    misconceptions=(
        wrong("{b} was not transposed on the way back to {a}", lambda y_bar, _a, b: y_bar @ b),
        wrong("{a} was not transposed on the way back to {b}", lambda y_bar, a, _b: a @ y_bar, 1),
        wrong(
            "{b} was left out on the way back to {a}: what comes back was only added up",
            lambda y_bar, a, b: _matmul_left(y_bar, a, _ones(b)),
        ),
        wrong(
            "{a} was left out on the way back to {b}: what comes back was only added up",
            lambda y_bar, a, b: _matmul_right(y_bar, _ones(a), b),
            1,
        ),
        wrong("{b} was left out on the way back to {a}", lambda y_bar, _a, _b: y_bar),
        wrong("{a} was left out on the way back to {b}", lambda y_bar, _a, _b: y_bar, 1),
        wrong(
            "the gradient by {a} was transposed",
            lambda y_bar, a, b: matrix_transpose(_matmul_left(y_bar, a, b)),
        ),
        wrong(
            "the gradient by {b} was transposed",
            lambda y_bar, a, b: matrix_transpose(_matmul_right(y_bar, a, b)),
            1,
        ),
    ),
    doc="The matrix product, batched over leading axes, with NumPy's rules for vectors.",
)
