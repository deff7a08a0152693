"""Losses, each with its factor stated.

`reduction` says what becomes of the losses of all entries (or rows, for those over classes): their
"mean", their "sum", or "none", which leaves them as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import ops
from chainrule.ops.base import shape_of
from chainrule.ops.exponentials import log_softmax, softmax_cross_entropy
from chainrule.ops.functions import logaddexp
from chainrule.ops.indexing import getitem
from chainrule.ops.sums import as_array
from chainrule.traced import plain


def half_squared_error(prediction: Any, target: Any) -> Any:
    """½·(T - a)², summed over all entries. The factor cancels the 2 of the derivative.

    Args:
        prediction: a Value, a list of Values, or a Tensor.
        target: a float, a list of floats, or an array of the same shape.

    Raises:
        ValueError: if the shapes differ; broadcasting would compare the wrong pairs.
    """
    return 0.5 * _sum_of_squares(prediction, target)


def mean_squared_error(prediction: Any, target: Any, reduction: str = "samples") -> Any:
    """(1/N)·Σ (T - a)²: summed over the outputs of a sample, averaged over the N samples.

    Args:
        prediction: a Tensor of shape (N, outputs) or (N,); a list of N Values, or of N lists of
            Values; or one Value.
        target: an array of the same shape, or lists of floats in the same way.
        reduction: "samples" for the mean over the N samples; "mean" for the mean over all entries,
            which other libraries call the mean squared error and which is smaller by the number of
            outputs; "sum", or "none". Lists of Values know "samples" alone.

    Raises:
        ValueError: if the shapes differ, or for an unknown reduction.
    """
    if isinstance(prediction, list):
        if reduction != "samples":
            raise ValueError("lists of Values are averaged over the samples")
        return _sum_of_squares(prediction, target) * (1 / len(prediction))
    squares = _squares(prediction, target)
    if reduction != "samples":
        return reduced(squares, reduction, more=("samples",))
    if not shape_of(squares):
        return squares
    inner = tuple(range(1, len(shape_of(squares))))
    return ops.mean(ops.sum(squares, axis=inner) if inner else squares)


def mean_absolute_error(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """|T - a|, averaged over all entries. Where they are equal the derivative is 0.

    >>> float(mean_absolute_error(np.array([1.0, 5.0]), np.array([2.0, 2.0])))
    2.0
    """
    return reduced(ops.abs(_differences(prediction, target)), reduction)


def huber(prediction: Any, target: Any, reduction: str = "mean", *, delta: float = 1.0) -> Any:
    """½·r² where |r| ≤ δ, else δ·(|r| - ½δ), for r = T - a; averaged over entries (Huber, 1964).

    >>> huber(np.array([0.5, 3.0]), np.zeros(2), "none").tolist()
    [0.125, 2.5]

    Raises:
        ValueError: if the shapes differ, δ is not positive, or for an unknown reduction.
    """
    if not delta > 0:
        raise ValueError(f"delta={delta}: above 0")
    distance = ops.abs(_differences(prediction, target))
    near = ops.minimum(distance, delta)
    return reduced(near * (distance - 0.5 * near), reduction)


def hinge(scores: Any, targets: Any, reduction: str = "mean", *, margin: float = 1.0) -> Any:
    """max(0, margin - t·s) for targets t = ±1; for classes Σⱼ max(0, sⱼ - s_y + margin) over j ≠ y.

    Averaged over all entries, or over the rows. At 0 the derivative is 0.

    Args:
        scores: s, a Tensor of any shape, or of shape (N, classes).
        targets: 1 or -1 for every score, of the same shape; or N whole numbers y, the right classes
            (Weston and Watkins, 1999).
        reduction: "mean", "sum" or "none".
        margin: a positive number.

    >>> float(hinge(np.array([0.5, -2.0]), np.array([1.0, -1.0])))
    0.25
    >>> float(hinge(np.array([[3.0, 2.5, 0.0]]), np.array([0])))
    0.5

    Raises:
        ValueError: for other targets, or an unknown reduction.
    """
    scores, targets = as_array(scores), _as_targets(targets)
    if targets.shape == scores.shape:
        if not np.all(np.abs(plain(targets)) == 1):
            raise ValueError("hinge: the targets are 1 or -1")
        return reduced(ops.relu(margin - targets * scores), reduction)
    _check_labels(targets, scores)
    rows = np.arange(scores.shape[0])
    right = getitem(scores, (rows, targets))
    over = ops.relu(scores - right[:, None] + margin)
    return reduced(ops.sum(over, axis=1) - margin, reduction)  # less the margin of y itself


def binary_cross_entropy(logits: Any, targets: Any, reduction: str = "mean") -> Any:
    """-(t·log σ(z) + (1 - t)·log(1 - σ(z))), averaged over all entries, without overflow.

    Args:
        logits: z, a Tensor of any shape.
        targets: t, from 0 to 1, of the same shape.
        reduction: "mean", "sum" or "none".

    >>> import chainrule as cr
    >>> round(float(cr.nn.binary_cross_entropy(np.array([0.0]), np.array([1.0]))), 4)
    0.6931

    Raises:
        ValueError: if the shapes differ, or for an unknown reduction.
    """
    logits = as_array(logits)
    expected, given = logits.shape, np.shape(plain(targets))
    if expected != given:
        raise ValueError(f"logits of shape {expected} and targets of shape {given} must agree")
    return reduced(logaddexp(0.0, logits) - logits * targets, reduction)


def cross_entropy(logits: Any, targets: Any, reduction: str = "mean") -> Any:
    """-(1/N)·Σ targets·log softmax(logits), computed without overflow.

    Args:
        logits: a Tensor of shape (N, classes).
        targets: N whole numbers, the right class of each sample; or an array of shape
            (N, classes) of probabilities.
        reduction: "mean" over the N rows, "sum", or "none" for one number for each row.

    The derivative of the mean is (softmax(logits) - targets)/N where the targets of a row add up to
    1.

    Raises:
        ValueError: if there is not one target from 0 to classes - 1 for each row, or for an unknown
            reduction.
    """
    targets = _as_targets(targets)
    if len(shape_of(logits)) != 2:
        raise ValueError(f"logits need the shape (N, classes), got {shape_of(logits)}")
    probabilities = targets.shape == shape_of(logits) and targets.dtype.kind == "f"
    if not probabilities:
        _check_labels(targets, logits)
    if reduction == "mean":
        return softmax_cross_entropy(logits, targets)
    logs = log_softmax(logits, axis=1)
    if probabilities:
        return reduced(-ops.sum(targets * logs, axis=1), reduction)
    return reduced(-getitem(logs, (np.arange(shape_of(logits)[0]), targets)), reduction)


def reduced(losses: Any, reduction: str, more: tuple[str, ...] = ()) -> Any:
    """The mean or the sum of losses, or all of them.

    Raises:
        ValueError: for an unknown reduction.
    """
    if reduction == "none":
        return losses
    if reduction not in {"mean", "sum"}:
        known = ", ".join(map(repr, (*more, "mean", "sum", "none")))
        raise ValueError(f"reduction={reduction!r}: one of {known}")
    if not shape_of(losses):
        return losses
    return ops.mean(losses) if reduction == "mean" else ops.sum(losses)


def _as_targets(targets: Any) -> Any:
    """Targets as an array; those of a library that speaks no protocol are converted."""
    return as_array(targets if hasattr(targets, "__array_function__") else np.asarray(targets))


def _check_labels(targets: Any, logits: Any) -> None:
    """Raise ValueError unless there is one class for each row."""
    if len(shape_of(logits)) != 2:
        raise ValueError(f"scores of shape (N, classes) expected, got {shape_of(logits)}")
    rows, classes = shape_of(logits)
    if targets.shape != (rows,) or targets.dtype.kind not in "iu":
        raise ValueError(
            f"{rows} whole-number labels expected, or targets of shape {shape_of(logits)} that are"
            f" floats, got {targets.dtype}{targets.shape}"
        )
    if rows and not 0 <= targets.min() <= targets.max() < classes:
        low, high = targets.min(), targets.max()
        raise ValueError(f"labels go from 0 to {classes - 1}, got {low} to {high}")


def _sum_of_squares(prediction: Any, target: Any) -> Any:
    """Σ (T - a)² over arrays, or over lists of Values of any depth."""
    if isinstance(prediction, list):
        if not prediction or len(prediction) != np.size(target, 0):
            raise ValueError(f"{len(prediction)} predictions for {np.size(target, 0)} targets")
        terms = [_sum_of_squares(a, t) for a, t in zip(prediction, target, strict=True)]
        return sum(terms[1:], terms[0])
    squares = _squares(prediction, target)
    return ops.sum(squares) if shape_of(squares) else squares


def _squares(prediction: Any, target: Any) -> Any:
    """(T - a)² of each entry."""
    return _differences(prediction, target) ** 2


def _differences(prediction: Any, target: Any) -> Any:
    """T - a of each entry."""
    expected, given = shape_of(prediction), np.shape(plain(target))
    if expected != given:
        raise ValueError(f"prediction of shape {expected} and target of shape {given} must agree")
    return target - prediction
