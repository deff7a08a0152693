"""Activation functions, and each by its name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.ops.dispatch import load
from chainrule.ops.exponentials import log_softmax, softmax
from chainrule.ops.functions import expm1, logaddexp

Activation = str | Callable[[Any], Any]


def linear(x: Any) -> Any:
    """X itself."""
    return x


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """X where x > 0, else slope·x (Maas et al., 2013). At 0 the derivative is slope.

    >>> import numpy as np
    >>> leaky_relu(np.array([-2.0, 3.0]))
    array([-0.02,  3.  ])
    """
    return ops.where(x > 0, x, slope * x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """X where x > 0, else α·(exp(x) - 1) (Clevert et al., 2016). At 0 the derivative is α.

    >>> import numpy as np
    >>> elu(np.array([-1.0, 3.0])).round(3)
    array([-0.632,  3.   ])
    """
    below = ops.where(x > 0, 0.0 * x, x)  # no overflow where it is not chosen
    return ops.where(x > 0, x, alpha * expm1(below))


def gelu(x: Any, *, exact: bool = False) -> Any:
    """x·Φ(x) with the normal distribution Φ (Hendrycks and Gimpel, 2016).

    By the approximation ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), which is off by up to 5·10⁻⁴.
    `exact=True` needs SciPy (extra `scipy`).

    >>> import numpy as np
    >>> gelu(np.array([1.0])).round(4), gelu(np.array([1.0]), exact=True).round(4)
    (array([0.8412]), array([0.8413]))
    """
    if exact:
        return 0.5 * x * (1 + load("special").erf(x * math.sqrt(0.5)))
    return 0.5 * x * (1 + ops.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def silu(x: Any) -> Any:
    """x·σ(x), also called swish (Ramachandran et al., 2017).

    >>> import numpy as np
    >>> silu(np.array([1.0])).round(4)
    array([0.7311])
    """
    return x * ops.sigmoid(x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), without overflow.

    >>> import numpy as np
    >>> softplus(np.array([0.0, 1000.0])).round(4)
    array([6.931e-01, 1.000e+03])
    """
    return logaddexp(0.0, x)


#: The names that layers take.
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "elu": elu,
    "gelu": gelu,
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_softmax": log_softmax,
    "relu": ops.relu,
    "sigmoid": ops.sigmoid,
    "silu": silu,
    "softmax": softmax,
    "softplus": softplus,
    "tanh": ops.tanh,
}


def activation_function(activation: Activation) -> Callable[[Any], Any]:
    """A function for a name; a function stays itself.

    Raises:
        ValueError: for an unknown name.
    """
    if callable(activation):
        return activation
    if activation not in ACTIVATIONS:
        known = ", ".join(sorted(ACTIVATIONS))
        raise ValueError(f"unknown activation {activation!r}: use one of {known}, or a function")
    return ACTIVATIONS[activation]


def per_layer(
    activation: Activation | list[Activation], layers: int, output: Activation = "linear"
) -> list[Callable[[Any], Any]]:
    """One activation for each layer: a single one goes to the hidden layers only."""
    chosen = activation if isinstance(activation, list) else [activation] * (layers - 1) + [output]
    if len(chosen) != layers:
        raise ValueError(f"{len(chosen)} activations for {layers} layers: one for each is needed")
    return [activation_function(a) for a in chosen]


def require_sizes(**sizes: Any) -> None:
    """Raise ValueError where a size is no whole number from 1 on."""
    for name, size in sizes.items():
        if not isinstance(size, int | np.integer) or size < 1:
            raise ValueError(f"{name}={size!r}: a whole number from 1 on")


def checked_sizes(sizes: Any) -> list[int]:
    """Layer sizes, inputs first.

    Raises:
        TypeError: if they are not a list.
        ValueError: with fewer than two, or if one is not a positive whole number.
    """
    if not isinstance(sizes, list | tuple):
        raise TypeError(f"sizes are one list, inputs first, such as [2, 16, 1]: got {sizes!r}")
    if len(sizes) < 2 or any(not isinstance(n, int | np.integer) or n < 1 for n in sizes):
        raise ValueError(
            f"sizes are at least two positive whole numbers, inputs first: got {sizes}"
        )
    return list(sizes)
