"""Attention: every place looks at all others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.nn.activations import require_sizes
from chainrule.nn.initializers import generator
from chainrule.nn.layers import Linear
from chainrule.nn.module import Module
from chainrule.ops.base import shape_of
from chainrule.ops.exponentials import softmax
from chainrule.ops.partials import where
from chainrule.ops.shapes import reshaped
from chainrule.ops.sums import as_array

if TYPE_CHECKING:
    from chainrule.nn.initializers import Initializer
    from chainrule.nn.layers import Seed


def attention(query: Any, key: Any, value: Any, mask: Any = None) -> Any:
    """softmax(query·keyᵀ / √d)·value (Vaswani et al., 2017).

    Args:
        query: array of shape (…, T, d).
        key: array of shape (…, S, d).
        value: array of shape (…, S, m).
        mask: true where a place may look, of shape (T, S) or one that broadcasts to (…, T, S). A
            place that may look nowhere looks everywhere.

    Returns:
        Array of shape (…, T, m).

    >>> import chainrule as cr
    >>> x = np.array([[1.0], [2.0]])
    >>> cr.nn.attention(x, x, x, np.tri(2, dtype=bool)).round(3)
    array([[1.   ],
           [1.881]])
    """
    query, key, value = as_array(query), as_array(key), as_array(value)
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"attention: query (…, T, d), key (…, S, d) and value (…, S, m), got {query.shape},"
            f" {key.shape} and {value.shape}"
        )
    scores = (query @ np.swapaxes(key, -1, -2)) * (1 / math.sqrt(query.shape[-1]))
    if mask is not None:
        mask = as_array(mask)
        if mask.dtype != bool:
            raise TypeError(f"mask is true where a place may look, got {mask.dtype}")
        scores = where(mask, scores, np.asarray(np.finfo(scores.dtype).min, scores.dtype))
    return softmax(scores, axis=-1) @ value


class MultiHeadAttention(Module):
    """Several attentions side by side on parts of the features, and a matrix that joins them.

    Args:
        size: the number of features, divisible by heads.
        heads: how many attentions there are.
        bias: whether the four linear layers have biases.
        initializer, seed, dtype: as in `Linear`.

    Its four layers `query`, `key`, `value` and `output` have the size (size, size). It is called
    with x of shape (N, T, size) and gives the same shape.

    >>> import chainrule as cr
    >>> cr.nn.MultiHeadAttention(8, 2, seed=0)(np.ones((1, 5, 8)), causal=True).shape
    (1, 5, 8)
    """

    def __init__(
        self,
        size: int,
        heads: int,
        *,
        bias: bool = True,
        initializer: Initializer = "glorot_uniform",
        seed: Seed = None,
        dtype: Any = np.float64,
    ) -> None:
        require_sizes(size=size, heads=heads)
        if size % heads:
            raise ValueError(f"size={size} is not divisible by heads={heads}")
        random = generator(seed)
        self.heads = heads
        self.query, self.key, self.value, self.output = (
            Linear(
                *(size, size),
                bias=bias,
                initializer=initializer,
                seed=random,
                dtype=dtype,
                name=f"_{name}",
            )
            for name in ("query", "key", "value", "output")
        )

    def __call__(
        self, x: Any, context: Any = None, *, mask: Any = None, causal: bool = False
    ) -> Any:
        """Attention of x to itself, or to a context.

        Args:
            x: array of shape (N, T, size).
            context: array of shape (N, S, size) to look at; by default x.
            mask: true where a place may look, of shape (T, S) or one that broadcasts to
                (N, heads, T, S).
            causal: let no place look at a later one.
        """
        size = self.query.W.shape[0]
        for given in (x, context):
            if given is not None and (len(shape_of(given)) != 3 or shape_of(given)[2] != size):
                raise ValueError(f"{self.describe()} takes (N, T, {size}), got {shape_of(given)}")
        seen = x if context is None else context
        if causal:
            lower = np.tri(shape_of(x)[1], shape_of(seen)[1], dtype=bool)
            mask = lower if mask is None else as_array(mask) & lower
        parts = (
            self._split(self.query(x)),
            self._split(self.key(seen)),
            self._split(self.value(seen)),
        )
        joined = np.swapaxes(attention(*parts, mask), 1, 2)
        return self.output(reshaped(joined, shape_of(x)))

    def _split(self, x: Any) -> Any:
        """(N, T, size) as (N, heads, T, size / heads)."""
        samples, steps, size = shape_of(x)
        return np.swapaxes(reshaped(x, (samples, steps, self.heads, size // self.heads)), 1, 2)

    def describe(self) -> str:
        return f"MultiHeadAttention({self.query.W.shape[0]}, {self.heads})"
