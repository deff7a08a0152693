"""Layers of Tensors: rows are samples, so a layer is `x @ W + b`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.nn.activations import checked_sizes, per_layer, require_sizes
from chainrule.nn.initializers import generator, initial, network_generator
from chainrule.nn.module import Module
from chainrule.ops.base import shape_of
from chainrule.ops.shapes import reshaped
from chainrule.ops.sums import as_array
from chainrule.ops.windows import dropout, embedding
from chainrule.recording import evaluating
from chainrule.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.nn.activations import Activation
    from chainrule.nn.initializers import Initializer

    Seed = int | np.random.Generator | None


class Linear(Module):
    """`x @ W + b` for x of shape (…, inputs), giving (…, outputs).

    Args:
        inputs, outputs: sizes; W has the shape (inputs, outputs), b (outputs,).
        bias: whether there is a b; it is zero at first.
        initializer: of W; a name in `cr.nn.initializers` or a function of generator and shape.
        seed: a whole number or a `numpy.random.Generator`; None draws from
            `with cr.nn.seed(…)`, and outside of it anew in every run.
        dtype: float32 or float64.
        name: appended to the labels of W and b.

    Raises:
        ValueError: when it is called with another number of inputs.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bias: bool = True,
        initializer: Initializer = "lecun_uniform",
        seed: Seed = None,
        dtype: Any = np.float64,
        name: str = "",
    ) -> None:
        require_sizes(inputs=inputs, outputs=outputs)
        W = initial(initializer, generator(seed), (inputs, outputs), dtype)
        self.W = Tensor(W, label=f"W{name}")
        self.b = Tensor(np.zeros(outputs, dtype), label=f"b{name}") if bias else None

    def __call__(self, x: Any) -> Any:
        if not shape_of(x) or shape_of(x)[-1] != self.W.shape[0]:
            raise ValueError(
                f"{self.describe()} takes {self.W.shape[0]} inputs in the last axis, got"
                f" {shape_of(x)}"
            )
        return x @ self.W if self.b is None else x @ self.W + self.b

    def describe(self) -> str:
        inputs, outputs = self.W.shape
        return f"Linear({inputs}, {outputs})"


class MLP(Module):
    """A multilayer perceptron: Linear layers with an activation after each.

    Args:
        sizes: inputs, hidden layers, outputs, such as `[3, 2, 2]`.
        activation: one name or function for all hidden layers, the output staying linear; or a
            list with one for each layer. Names: those of `cr.nn.ACTIVATIONS`.
        initializer: of the matrices, as in `Linear`.
        seed: as in `Linear`, but 0 outside of `with cr.nn.seed(…)`: the same network every time.
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
        initializer: Initializer = "lecun_uniform",
        seed: Seed = None,
        dtype: Any = np.float64,
    ) -> None:
        sizes = checked_sizes(sizes)
        random = network_generator(seed)
        self.layers = [
            Linear(*pair, initializer=initializer, seed=random, dtype=dtype, name=str(i))
            for i, pair in enumerate(pairwise(sizes), start=1)
        ]
        self.activations = per_layer(activation, len(self.layers))

    def __call__(self, x: Any) -> Any:
        for layer, activation in zip(self.layers, self.activations, strict=True):
            x = activation(layer(x))
        return x


class Sequential(Module):
    """Layers, and functions such as `cr.relu`, one after the other.

    Labels of parameters get the number of their layer, W1, b1, W2, …, where they have none.

    >>> import chainrule as cr
    >>> net = cr.nn.Sequential(cr.nn.Linear(3, 4, seed=0), cr.tanh, cr.nn.Linear(4, 1, seed=1))
    >>> net
    Sequential(Linear(3, 4), tanh, Linear(4, 1)): 21 parameters
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for layer in layers:
            if not callable(layer):
                raise TypeError(
                    f"a layer is a module or a function, got {type(layer).__name__}: pass them one"
                    f" by one, Sequential(a, b)"
                )
        self.layers = list(layers)
        modules: list[Any] = [x for x in layers if isinstance(x, Module)]
        named = {id(x): x.named_parameters() for x in modules}
        for i, own in enumerate(filter(None, named.values()), start=1):
            for name, p in own.items():
                if p.label == name:
                    p.label = f"{name}{i}"

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def describe(self) -> str:
        return f"Sequential({', '.join(map(_described, self.layers))})"


class Embedding(Module):
    """Rows of a table for whole numbers: indices of any shape give (*shape, size).

    Args:
        count: how many rows; indices go from 0 to count - 1.
        size: the length of a row.
        initializer, seed, dtype, name: as in `Linear`; the table is drawn from the normal
            distribution of variance 1.

    Raises:
        ValueError: when it is called with an index that is no row.

    >>> import chainrule as cr
    >>> cr.nn.Embedding(10, 4, seed=0)(np.array([[1, 2, 9]])).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        count: int,
        size: int,
        *,
        initializer: Initializer = "normal",
        seed: Seed = None,
        dtype: Any = np.float64,
        name: str = "",
    ) -> None:
        require_sizes(count=count, size=size)
        table = initial(initializer, generator(seed), (count, size), dtype)
        self.W = Tensor(table, label=f"W{name}")

    def __call__(self, indices: Any) -> Any:
        return embedding(indices, self.W)

    def describe(self) -> str:
        count, size = self.W.shape
        return f"Embedding({count}, {size})"


class Dropout(Module):
    """In training, entries set to zero at random and the others divided by 1 - rate; else nothing.

    Under `with cr.nn.evaluation():` everything is kept. `cr.compile` refuses it: what is drawn
    would be fixed.

    Args:
        rate: the share of entries to drop, from 0 to below 1 (Srivastava et al., 2014).
        seed: as in `Linear`; the state of the generator is part of `state()`.
    """

    def __init__(self, rate: float, *, seed: Seed = None) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"rate={rate}: from 0 to below 1")
        self.rate = rate
        # A generator of its own, so that it does not matter how often others draw.
        self.random = np.random.default_rng(generator(seed).integers(2**63))

    def __call__(self, x: Any) -> Any:
        return x if evaluating() or not self.rate else dropout(x, self.rate, self.random)

    def describe(self) -> str:
        return f"Dropout({self.rate:g})"


class Flatten(Module):
    """All axes but the first as one: (N, …) gives (N, entries)."""

    def __call__(self, x: Any) -> Any:
        x = as_array(x)
        return reshaped(x, (x.shape[0], x.size // max(x.shape[0], 1)))


def _described(layer: Any) -> str:
    if isinstance(layer, Module):
        return layer.describe()
    return str(getattr(layer, "__name__", None) or getattr(layer, "name", type(layer).__name__))
