"""Networks of single floats, in the style of micrograd: every weight is a `Value`."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from chainrule.nn.activations import activation_function, checked_sizes, per_layer, require_sizes
from chainrule.nn.module import Module
from chainrule.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.nn.activations import Activation


class Neuron(Module):
    """activation(Σ wᵢ·xᵢ + b), weights drawn uniformly from -1 to 1, bias 0.

    Args:
        inputs: number of inputs.
        activation: a name (linear, relu, sigmoid, tanh) or a function.
        seed: a whole number or a `random.Random`.
        name: appended to the labels of the weights and the bias.
    """

    def __init__(
        self,
        inputs: int,
        activation: Activation = "relu",
        *,
        seed: int | random.Random = 0,
        name: str = "",
    ) -> None:
        require_sizes(inputs=inputs)
        source = seed if isinstance(seed, random.Random) else random.Random(seed)  # noqa: S311
        self.w = [Value(source.uniform(-1, 1), label=f"w{name}{i + 1}") for i in range(inputs)]
        self.b = Value(0.0, label=f"b{name}")
        self.activation = activation_function(activation)

    def __call__(self, x: Sequence[Any]) -> Any:
        if not hasattr(x, "__len__") or len(x) != len(self.w):
            raise ValueError(f"a neuron of {len(self.w)} inputs takes a list of as many, got {x!r}")
        return self.activation(sum((w * xi for w, xi in zip(self.w, x, strict=True)), self.b))

    def describe(self) -> str:
        return f"Neuron({len(self.w)})"


class Layer(Module):
    """Several neurons that see the same inputs; returns the list of their outputs."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: Activation = "relu",
        *,
        seed: int | random.Random = 0,
        name: str = "",
    ) -> None:
        checked_sizes([inputs, outputs])
        source = seed if isinstance(seed, random.Random) else random.Random(seed)  # noqa: S311
        self.neurons = [
            Neuron(inputs, activation, seed=source, name=f"{name}{j + 1}") for j in range(outputs)
        ]

    def __call__(self, x: Sequence[Any]) -> list[Any]:
        return [neuron(x) for neuron in self.neurons]

    def describe(self) -> str:
        return f"Layer({len(self.neurons[0].w)}, {len(self.neurons)})"


class MLP(Module):
    """Layers one after the other; `activation` as in `chainrule.nn.MLP`.

    Called with the inputs of one sample it returns the outputs, a single Value if there is one.

    >>> import chainrule as cr
    >>> net = cr.nn.scalar.MLP([2, 3, 1], "tanh", seed=1)
    >>> len(net.parameters())
    13
    """

    def __init__(
        self,
        sizes: list[int],
        activation: Activation | list[Activation] = "relu",
        *,
        seed: int | random.Random = 0,
    ) -> None:
        sizes = checked_sizes(sizes)
        source = seed if isinstance(seed, random.Random) else random.Random(seed)  # noqa: S311
        functions = per_layer(activation, len(sizes) - 1)
        self.layers = [
            Layer(inputs, outputs, function, seed=source, name=f"{i}_")
            for i, (inputs, outputs, function) in enumerate(
                zip(sizes[:-1], sizes[1:], functions, strict=True), start=1
            )
        ]

    def __call__(self, x: Sequence[Any]) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x[0] if len(x) == 1 else x

    def describe(self) -> str:
        return f"MLP({', '.join(layer.describe() for layer in self.layers)})"
