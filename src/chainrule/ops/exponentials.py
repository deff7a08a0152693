"""Sums of exponentials without overflow."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops.base import beside, constant, is_complex
from chainrule.ops.functions import exp, log
from chainrule.ops.kinds import General
from chainrule.ops.misconceptions import wrong
from chainrule.ops.partials import where as choose
from chainrule.ops.reductions import entries, plain_max, plain_sum, sum
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


def _shifted(x: Any, axis: Any) -> Any:
    """`x` less its largest entry, which leaves a softmax as it is and cannot overflow."""
    x = x if hasattr(x, "shape") else np.asarray(x)
    data = np.real(x) if x.dtype.kind == "c" else x
    return x - plain_max(data, axis)


def _softmax(x: Any, axis: Any = -1) -> Any:
    powers = np.exp(_shifted(x, axis))
    return powers / plain_sum(powers, axis, keepdims=True)


def _log_softmax(x: Any, axis: Any = -1) -> Any:
    x = _shifted(x, axis)
    return x - np.log(plain_sum(np.exp(x), axis, keepdims=True))


def _cross_entropy(logits: Any, targets: Any) -> Any:
    rows = len(logits)
    if targets.dtype.kind in "iu":
        x = _shifted(logits, -1)
        logs = np.log(plain_sum(np.exp(x), -1))
        return plain_sum(logs - x[np.arange(rows), targets]) / rows
    return -np.sum(targets * _log_softmax(logits)) / rows


def probabilities(targets: Any, like: Any) -> Any:
    """Targets as rows of probabilities: whole numbers stand for the class that is certain."""
    if targets.dtype.kind == "f":
        return targets
    dtype = {} if like.dtype == np.float64 else {"dtype": like.dtype}
    return one_hot(targets, classes=like.shape[-1], **dtype)


def _cross_entropy_vjp(y_bar: Any, _y: Any, logits: Any, targets: Any) -> tuple[Any, Any]:
    N = entries(logits, 0)
    wanted = probabilities(targets, logits)
    per_target = None if wanted is not targets else -y_bar * log_softmax(logits) / N
    mass = 1 if per_target is None else sum(wanted, axis=-1, keepdims=True)
    return y_bar * (mass * softmax(logits) - wanted) / N, per_target


def _cross_entropy_jvp(tangents: Any, _y: Any, logits: Any, targets: Any) -> Any:
    N = entries(logits, 0)
    wanted = probabilities(targets, logits)
    mass = 1 if wanted is not targets else sum(wanted, axis=-1, keepdims=True)
    moved = None
    if tangents[0] is not None:
        moved = sum(tangents[0] * (mass * softmax(logits) - wanted)) / N
    if tangents[1] is not None:
        by_target = sum(-tangents[1] * log_softmax(logits)) / N
        moved = by_target if moved is None else moved + by_target
    return moved


def _scaled(of: Any) -> Any:
    """A wrong vjp of the cross entropy: `of(p, targets, n)` times the cotangent."""

    def vjp(y_bar: Any, _y: Any, logits: Any, targets: Any) -> tuple[Any, None]:
        wanted = probabilities(targets, logits)
        return y_bar * of(softmax(logits), wanted, entries(logits, 0)), None

    return vjp


def _one_hot(labels: Any, classes: int, dtype: Any = np.float64) -> Any:
    labels = labels if hasattr(labels, "shape") else np.asarray(labels)
    return np.equal(labels[..., None], beside(np.arange(classes), labels)).astype(dtype)


one_hot = constant(
    _one_hot,
    1,
    name="one_hot",
    params=("classes", "dtype"),
    doc="Rows of zeros with a one at each label.",
)
softmax: General = General(
    _softmax,
    lambda y_bar, y, _x, axis=-1: y * (y_bar - sum(y * y_bar, axis=axis, keepdims=True)),
    lambda tangents, y, _x, axis=-1: (
        y * (tangents[0] - sum(y * tangents[0], axis=axis, keepdims=True))
    ),
    name="softmax",
    params=("axis",),
    complex=True,
    misconceptions=(
        wrong(
            "the softmax was taken for sigmoids: only the diagonal p·(1 - p) of its Jacobian",
            lambda y_bar, y, _x, axis=-1: y * (1 - y) * y_bar,  # noqa: ARG005
        ),
        wrong(
            "the derivative of the softmax was forgotten",
            lambda y_bar, _y, _x, axis=-1: y_bar,  # noqa: ARG005
        ),
        wrong(
            "the entries beside the diagonal, -p·q, were left out of the softmax's Jacobian",
            lambda y_bar, y, _x, axis=-1: y * y_bar,  # noqa: ARG005
        ),
        wrong(
            "the entries beside the diagonal of the softmax's Jacobian have the wrong sign",
            lambda y_bar, y, _x, axis=-1: (
                y * (y_bar + sum(y * y_bar, axis=axis, keepdims=True) - 2 * y * y_bar)
            ),
        ),
    ),
    doc="exp(x) / Σ exp(x) along an axis, by default the last, without overflow.",
)
log_softmax: General = General(
    _log_softmax,
    lambda y_bar, y, _x, axis=-1: y_bar - exp(y) * sum(y_bar, axis=axis, keepdims=True),
    lambda tangents, y, _x, axis=-1: (
        tangents[0] - sum(exp(y) * tangents[0], axis=axis, keepdims=True)
    ),
    name="log_softmax",
    params=("axis",),
    complex=True,
    misconceptions=(
        wrong(
            "the derivative of log Σ exp was forgotten",
            lambda y_bar, _y, _x, axis=-1: y_bar,  # noqa: ARG005
        ),
        wrong(
            "only the diagonal 1 - p of the Jacobian of log softmax",
            lambda y_bar, y, _x, axis=-1: (1 - exp(y)) * y_bar,  # noqa: ARG005
        ),
    ),
    doc="x - log Σ exp(x) along an axis, by default the last, without overflow.",
)
softmax_cross_entropy = General(
    _cross_entropy,
    _cross_entropy_vjp,
    _cross_entropy_jvp,
    inputs=2,
    name="softmax_cross_entropy",
    misconceptions=(
        wrong(
            "the sign was wrong: targets - p in place of p - targets",
            _scaled(lambda p, t, n: (t - p) / n),
        ),
        wrong("the 1/N of the mean was forgotten", _scaled(lambda p, t, n: p - t)),  # noqa: ARG005
        wrong("the 1/N of the mean was applied twice", _scaled(lambda p, t, n: (p - t) / n / n)),
        wrong(
            "p - targets was multiplied by p·(1 - p) once more: the softmax's derivative is in it"
            " already",
            _scaled(lambda p, t, n: (p - t) * p * (1 - p) / n),
        ),
        wrong(
            "the derivative of the softmax was forgotten: -targets/p",
            _scaled(lambda p, t, n: -t / p / n),
        ),
        wrong(
            "only the diagonal of the softmax's Jacobian: targets·(p - 1)",
            _scaled(lambda p, t, n: t * (p - 1) / n),
        ),
        wrong("the targets were forgotten: p alone", _scaled(lambda p, t, n: p / n)),  # noqa: ARG005
        wrong(
            "the mean was taken over the classes, too",
            _scaled(lambda p, t, n: (p - t) / n / entries(p, -1)),
            rare=2,
        ),
    ),
    doc="-(1/N)·Σ targets·log softmax(logits) over N rows; targets are rows, or whole numbers.",
)
