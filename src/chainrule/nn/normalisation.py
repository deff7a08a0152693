"""Layers that normalise."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from chainrule.nn.activations import require_sizes
from chainrule.nn.module import Module
from chainrule.ops.base import shape_of
from chainrule.ops.shapes import reshaped
from chainrule.ops.sums import as_array
from chainrule.ops.windows import batch_norm, layer_norm
from chainrule.recording import evaluating
from chainrule.tensor import Tensor
from chainrule.traced import plain


class LayerNorm(Module):
    """(x - mean) / √(variance + ε) · scale + shift, with the statistics of the last axis.

    Args:
        size: the length of the last axis; scale is one at first, shift zero (Ba et al., 2016).
        epsilon: ε, positive.
        dtype: float32 or float64.

    >>> import chainrule as cr
    >>> cr.nn.LayerNorm(2)(np.array([[1.0, 3.0]])).data.round(3)
    array([[-1.,  1.]])
    """

    def __init__(self, size: int, *, epsilon: float = 1e-5, dtype: Any = np.float64) -> None:
        self.scale, self.shift = _scale_and_shift(size, dtype)
        self.epsilon = epsilon

    def __call__(self, x: Any) -> Any:
        size = self.scale.shape[0]
        if not shape_of(x) or shape_of(x)[-1] != size:
            raise ValueError(
                f"LayerNorm({size}) takes {size} entries in the last axis, got {shape_of(x)}"
            )
        return layer_norm(x, self.scale, self.shift, epsilon=self.epsilon)

    def describe(self) -> str:
        return f"LayerNorm({self.scale.shape[0]})"


class BatchNorm(Module):
    """(x - mean) / √(variance + ε) · scale + shift of every channel (Ioffe and Szegedy, 2015).

    In training mean and variance are those of the batch, and running means of both are kept:
    r ← (1 - momentum)·r + momentum·(that of the batch), the variance with the divisor n - 1.
    Under `with cr.nn.evaluation():` these are used instead.

    Args:
        channels: the length of the second axis; x has the shape (N, C) or (N, C, *lengths).
        momentum: the weight of the last batch, from 0 to 1.
        epsilon: ε, positive.
        dtype: float32 or float64.

    Raises:
        ValueError: when it is called with another number of channels, or in training with one
            number for each channel, which has no variance.

    >>> import chainrule as cr
    >>> norm = cr.nn.BatchNorm(1)
    >>> norm(np.array([[1.0], [3.0]])).data.round(3).ravel()
    array([-1.,  1.])
    >>> norm.mean.item(), norm.variance.item()
    (0.2, 1.1)
    """

    STATISTICS: ClassVar[tuple[str, ...]] = ("mean", "variance")

    def __init__(
        self,
        channels: int,
        *,
        momentum: float = 0.1,
        epsilon: float = 1e-5,
        dtype: Any = np.float64,
    ) -> None:
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum={momentum}: from 0 to 1")
        self.scale, self.shift = _scale_and_shift(channels, dtype)
        self.mean = Tensor(np.zeros(channels, dtype))
        self.variance = Tensor(np.ones(channels, dtype))
        self.momentum, self.epsilon = momentum, epsilon

    def __call__(self, x: Any) -> Any:
        x = as_array(x)
        channels = self.scale.shape[0]
        if x.ndim < 2 or x.shape[1] != channels:
            raise ValueError(
                f"{self.describe()} takes (N, {channels}) or (N, {channels}, *lengths), got"
                f" {x.shape}"
            )
        if evaluating():
            shape = (channels, *(1,) * (x.ndim - 2))
            root = np.sqrt(self.variance.data + self.epsilon)
            centered = x - self.mean.data.reshape(shape)
            y = centered / root.reshape(shape)
            return y * reshaped(self.scale, shape) + reshaped(self.shift, shape)
        self._learn(plain(x))
        return batch_norm(x, self.scale, self.shift, epsilon=self.epsilon)

    def _learn(self, x: Any) -> None:
        axes = (0, *range(2, x.ndim))
        count = math.prod(x.shape[axis] for axis in axes)
        if count < 2:
            raise ValueError(
                f"{self.describe()} in training needs at least two numbers for each channel, got"
                f" {x.shape}: use `with cr.nn.evaluation():` or larger batches"
            )
        old, new = 1 - self.momentum, self.momentum
        self.mean.data = old * self.mean.data + new * np.mean(x, axis=axes)
        spread = np.var(x, axis=axes) * (count / (count - 1))
        self.variance.data = old * self.variance.data + new * spread

    def describe(self) -> str:
        return f"BatchNorm({self.scale.shape[0]})"


def _scale_and_shift(size: int, dtype: Any) -> tuple[Tensor, Tensor]:
    require_sizes(size=size)
    return Tensor(np.ones(size, dtype), label="scale"), Tensor(np.zeros(size, dtype), label="shift")
