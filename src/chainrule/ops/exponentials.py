"""Sums of exponentials without overflow."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops.base import is_complex
from chainrule.ops.functions import exp, log
from chainrule.ops.partials import where as choose
from chainrule.ops.reductions import sum
from chainrule.ops.sums import as_array, squeezed
from chainrule.traced import plain


def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """`log Σ b·exp(a)` over axes without overflow.

    Args:
        a: array of any shape.
        axis: an axis or several, by default all.
        b: factors, broadcast against a.
        keepdims: keep the reduced axes as length one.
        return_sign: return the pair of the logarithm of the size and the sign.

    >>> import chainrule as cr
    >>> cr.grad(cr.logsumexp)(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    a = as_array(a)
    data = np.real(plain(a))
    if b is not None:
        data = np.where(plain(b) == 0, -np.inf, data)
        a = choose(plain(b) == 0, 0.0, a)
    shift = np.max(data, axis=axis, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(shift), shift, 0.0).astype(data.dtype)
    terms = exp(a - shift) if b is None else b * exp(a - shift)
    y = sum(terms, axis=axis, keepdims=True)
    sign = np.sign(plain(y))
    if return_sign:
        if is_complex(y):
            raise TypeError(
                "logsumexp of complex numbers takes no return_sign=: take np.log, np.exp"
            )
        y = y * sign
    y = squeezed(log(y) + shift, axis, a.ndim, keepdims)
    return (y, squeezed(sign, axis, a.ndim, keepdims)) if return_sign else y


def softmax(x: Any, axis: Any = -1) -> Any:
    """exp(x) / Σ exp(x) along an axis, without overflow.

    >>> import chainrule as cr
    >>> cr.softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    return exp(log_softmax(x, axis))


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """`x - log Σ exp(x)` along an axis, without overflow.

    >>> import chainrule as cr
    >>> cr.log_softmax(np.array([1000.0, 0.0]))
    array([    0., -1000.])
    """
    return x - logsumexp(x, axis, keepdims=True)
