"""Losses, each with its factor stated."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import ops
from chainrule.ops.base import shape_of
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


def mean_squared_error(prediction: Any, target: Any) -> Any:
    """(1/N)·Σ (T - a)²: summed over the outputs of a sample, averaged over the N samples.

    Args:
        prediction: a Tensor of shape (N, outputs) or (N,); a list of N Values, or of N lists of
            Values; or one Value.
        target: an array of the same shape, or lists of floats in the same way.

    Where each sample has K outputs this is K times the mean over all entries, which other libraries
    call the mean squared error.

    Raises:
        ValueError: if the shapes differ.
    """
    squares = _sum_of_squares(prediction, target)
    if isinstance(prediction, list):
        return squares * (1 / len(prediction))
    return squares * (1 / shape_of(prediction)[0]) if shape_of(prediction) else squares


def cross_entropy(logits: Any, labels: Any) -> Any:
    """-(1/N)·Σ log softmax(logits)[label], computed without overflow.

    Args:
        logits: a Tensor of shape (N, classes).
        labels: N whole numbers, the right class of each sample.

    Raises:
        ValueError: if there is not one label from 0 to classes - 1 for each row.
    """
    labels = np.asarray(labels)
    if len(shape_of(logits)) != 2:
        raise ValueError(f"logits need the shape (N, classes), got {shape_of(logits)}")
    rows, classes = shape_of(logits)
    if labels.shape != (rows,) or labels.dtype.kind not in "iu":
        raise ValueError(f"{rows} whole-number labels expected, got {labels.dtype}{labels.shape}")
    if rows and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"labels go from 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
    shifted = logits - np.max(plain(logits), axis=1, keepdims=True)  # a constant: it cancels
    log_total = ops.log(ops.sum(ops.exp(shifted), axis=1))
    return ops.mean(log_total - shifted[np.arange(rows), labels])


def _sum_of_squares(prediction: Any, target: Any) -> Any:
    """Σ (T - a)² over arrays, or over lists of Values of any depth."""
    if isinstance(prediction, list):
        if not prediction or len(prediction) != np.size(target, 0):
            raise ValueError(f"{len(prediction)} predictions for {np.size(target, 0)} targets")
        terms = [_sum_of_squares(a, t) for a, t in zip(prediction, target, strict=True)]
        return sum(terms[1:], terms[0])
    expected, given = shape_of(prediction), np.shape(target)
    if expected != given:
        raise ValueError(f"prediction of shape {expected} and target of shape {given} must agree")
    squares = (target - prediction) ** 2
    return ops.sum(squares) if expected else squares
