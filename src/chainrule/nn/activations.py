"""Activation functions by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule import ops

Activation = str | Callable[[Any], Any]

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda x: x,
    "relu": ops.relu,
    "sigmoid": ops.sigmoid,
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


def checked_sizes(sizes: Any) -> list[int]:
    """Layer sizes, inputs first.

    Raises:
        TypeError: if they are not a list.
        ValueError: with fewer than two, or if one is not a positive whole number.
    """
    if not isinstance(sizes, list | tuple):
        raise TypeError(f"sizes are one list, inputs first, such as [2, 16, 1]: got {sizes!r}")
    if len(sizes) < 2 or any(not isinstance(n, int) or n < 1 for n in sizes):
        raise ValueError(
            f"sizes are at least two positive whole numbers, inputs first: got {sizes}"
        )
    return list(sizes)
