"""Gradients that are kept from growing too long."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.trees import flatten

#: Keeps the quotient finite where all gradients are zero; PyTorch's number.
TINY = 1e-6


def global_norm(gradients: Any) -> Any:
    """The Euclidean norm of all entries of a container of arrays together.

    >>> float(global_norm({"w": np.array([3.0, 0.0]), "b": 4.0}))
    5.0
    """
    leaves = flatten(gradients)[0]
    return np.sqrt(sum(np.sum(np.real(g * np.conjugate(g))) for g in leaves))


def clip_by_norm(gradients: Any, limit: float) -> Any:
    """Gradients times min(1, limit / (norm + 10⁻⁶)), with the norm of all of them together.

    >>> clip_by_norm([np.array([3.0, 0.0]), np.array([4.0])], 1.0)[0].round(4)
    array([0.6, 0. ])
    """
    leaves, rebuild = flatten(gradients)
    factor = np.minimum(1.0, limit / (global_norm(leaves) + TINY))
    return rebuild([g * in_precision(factor, g) for g in leaves])


def clip_by_value(gradients: Any, limit: float) -> Any:
    """Gradients with every entry kept from -limit to limit.

    >>> clip_by_value(np.array([3.0, -0.5]), 1.0)
    array([ 1. , -0.5])
    """
    leaves, rebuild = flatten(gradients)
    return rebuild([np.minimum(np.maximum(g, -limit), limit) for g in leaves])


def in_precision(number: Any, p: Any) -> Any:
    """A number in the dtype of an array, so that float32 stays float32."""
    if type(number) in {float, int} or not hasattr(p, "dtype"):
        return number
    return number.astype(p.real.dtype)
