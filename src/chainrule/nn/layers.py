"""Layers of Tensors: rows are samples, so a layer is `x @ W + b`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.nn.activations import checked_sizes, per_layer
from chainrule.nn.module import Module
from chainrule.ops.base import shape_of
from chainrule.tensor import Tensor

if TYPE_CHECKING:
    from chainrule.nn.activations import Activation


class Linear(Module):
    """`x @ W + b` for x of shape (samples, inputs), giving (samples, outputs).

    Args:
        inputs, outputs: sizes; W has the shape (inputs, outputs), b (outputs,).
        seed: a whole number or a `numpy.random.Generator`. W is drawn uniformly from
            ±√(3 / inputs), which has the variance 1 / inputs; b is zero.
        dtype: float32 or float64.
        name: appended to the labels of W and b.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        seed: int | np.random.Generator = 0,
        dtype: Any = np.float64,
        name: str = "",
    ) -> None:
        checked_sizes([inputs, outputs])
        bound = np.sqrt(3 / inputs)
        random = np.random.default_rng(seed)
        W = random.uniform(-bound, bound, (inputs, outputs)).astype(dtype)
        self.W = Tensor(W, label=f"W{name}")
        self.b = Tensor(np.zeros(outputs, dtype), label=f"b{name}")

    def __call__(self, x: Any) -> Any:
        if not shape_of(x) or shape_of(x)[-1] != self.W.shape[0]:
            raise ValueError(
                f"{self!r} takes {self.W.shape[0]} inputs in the last axis, got {shape_of(x)}"
            )
        return x @ self.W + self.b

    def parameters(self) -> list[Tensor]:
        return [self.W, self.b]

    def __repr__(self) -> str:
        inputs, outputs = self.W.shape
        return f"Linear({inputs}, {outputs})"


class MLP(Module):
    """A multilayer perceptron: Linear layers with an activation after each.

    Args:
        sizes: inputs, hidden layers, outputs, such as `[3, 2, 2]`.
        activation: one name or function for all hidden layers, the output staying linear; or a
            list with one for each layer. Names: linear, relu, sigmoid, tanh.
        seed: a whole number or a `numpy.random.Generator`.
        dtype: float32 or float64.

    Parameters are labelled W1, b1, W2, b2, … in the order of `parameters()`.

    >>> import chainrule as cr
    >>> net = cr.nn.MLP([3, 2, 2], "sigmoid", seed=0)
    >>> net(np.ones((1, 3))).shape
    (1, 2)
    """

    def __init__(
        self,
        sizes: list[int],
        activation: Activation | list[Activation] = "relu",
        *,
        seed: int | np.random.Generator = 0,
        dtype: Any = np.float64,
    ) -> None:
        sizes = checked_sizes(sizes)
        random = np.random.default_rng(seed)
        self.layers = [
            Linear(inputs, outputs, seed=random, dtype=dtype, name=str(i))
            for i, (inputs, outputs) in enumerate(pairwise(sizes), start=1)
        ]
        self.activations = per_layer(activation, len(self.layers))

    def __call__(self, x: Any) -> Any:
        for layer, activation in zip(self.layers, self.activations, strict=True):
            x = activation(layer(x))
        return x

    def parameters(self) -> list[Tensor]:
        return [p for layer in self.layers for p in layer.parameters()]

    def __repr__(self) -> str:
        return f"MLP({', '.join(map(repr, self.layers))})"
