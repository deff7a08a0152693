"""Layers that look through windows: convolution and pooling over the last axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.nn.activations import require_sizes
from chainrule.nn.initializers import generator, initial
from chainrule.nn.module import Module
from chainrule.ops.base import shape_of
from chainrule.ops.convolution import conv
from chainrule.ops.windows import average_pool, max_pool
from chainrule.tensor import Tensor

if TYPE_CHECKING:
    from chainrule.nn.initializers import Initializer
    from chainrule.nn.layers import Seed


class Conv(Module):
    """The correlation of x with K kernels, plus b: `cr.nn.conv` with weights of its own.

    Args:
        channels, kernels: C and K; x has the shape (N, C, *lengths), the result (N, K, *positions).
        size: of the kernel, one whole number for each of the lengths; 3 alone is (3, 3).
        stride, padding, dilation, groups: as in `cr.nn.conv`.
        bias: whether there is a b of shape (K,); it is zero at first.
        initializer, seed, dtype, name: as in `Linear`. W has the shape (K, C / groups, *size).

    Raises:
        ValueError: when it is called with an array of another shape.

    >>> import chainrule as cr
    >>> cr.nn.Conv(1, 8, 3, padding="same", seed=0)(np.ones((2, 1, 5, 5))).shape
    (2, 8, 5, 5)
    """

    def __init__(
        self,
        channels: int,
        kernels: int,
        size: int | tuple[int, ...],
        *,
        stride: Any = 1,
        padding: Any = "valid",
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        initializer: Initializer = "lecun_uniform",
        seed: Seed = None,
        dtype: Any = np.float64,
        name: str = "",
    ) -> None:
        size = (size, size) if isinstance(size, int | np.integer) else tuple(size)
        require_sizes(channels=channels, kernels=kernels)
        for n in size:
            require_sizes(size=n)
        if groups < 1 or channels % groups or kernels % groups:
            raise ValueError(f"groups={groups} does not divide {channels} and {kernels} channels")
        shape = (kernels, channels // groups, *size)
        self.W = Tensor(initial(initializer, generator(seed), shape, dtype), label=f"W{name}")
        self.b = Tensor(np.zeros(kernels, dtype), label=f"b{name}") if bias else None
        self.options = {
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
        }

    def __call__(self, x: Any) -> Any:
        channels, axes = self.W.shape[1] * self.options["groups"], self.W.ndim
        if len(shape_of(x)) != axes or shape_of(x)[1] != channels:
            lengths = ", ".join(["length"] * (axes - 2))
            raise ValueError(
                f"{self.describe()} takes (N, {channels}, {lengths}), got {shape_of(x)}"
            )
        return conv(x, self.W, self.b, **self.options)

    def describe(self) -> str:
        kernels, part, *size = self.W.shape
        return f"Conv({part * self.options['groups']}, {kernels}, {tuple(size)})"


class _Pool(Module):
    """Windows of one size over the last axes, each as one number."""

    def __init__(self, size: Any, *, stride: Any = None, padding: Any = 0) -> None:
        self.size, self.stride, self.padding = size, stride, padding

    def describe(self) -> str:
        return f"{type(self).__name__}({self.size})"


class MaxPool(_Pool):
    """`cr.nn.max_pool` as a layer: the largest entry of every window; entries that tie share.

    Args:
        size, stride, padding: as in `cr.nn.max_pool`.
    """

    def __call__(self, x: Any) -> Any:
        return max_pool(x, self.size, self.stride, self.padding)


class AveragePool(_Pool):
    """`cr.nn.average_pool` as a layer: the mean of every window.

    Args:
        size, stride, padding: as in `cr.nn.average_pool`.
    """

    def __call__(self, x: Any) -> Any:
        return average_pool(x, self.size, self.stride, self.padding)
