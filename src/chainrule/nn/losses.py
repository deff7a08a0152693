"""Losses, each with its factor stated."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import ops
from chainrule.engine import Traced
from chainrule.ops.base import shape_of


def half_squared_error(prediction: Any, target: Any) -> Any:
    """½·(T - a)², for arrays summed over all entries. The factor cancels the 2 of the derivative.

    Args:
        prediction: a Value, or a Tensor of the shape of the target.
        target: a float or an array.

    Raises:
        ValueError: if the shapes differ; broadcasting would average the wrong pairs.
    """
    _same_shape(prediction, target)
    error = 0.5 * (target - prediction) ** 2
    return ops.sum(error) if shape_of(error) else error


def mean_squared_error(prediction: Any, target: Any) -> Any:
    """(1/N)·Σ (T - a)²: summed over the outputs of a sample, averaged over the N samples.

    Args:
        prediction: a Tensor of shape (N, outputs) or (N,), a list of N Values, or one Value.
        target: an array of the same shape, a list of N floats, or one float.

    Where each sample has K outputs this is K times the mean over all entries.

    Raises:
        ValueError: if the shapes differ.
    """
    if isinstance(prediction, list):
        if len(prediction) != len(target):
            raise ValueError(f"{len(prediction)} predictions for {len(target)} targets")
        pairs = zip(prediction, target, strict=True)
        total = sum(((t - a) ** 2 for a, t in pairs), 0.0)
        return total * (1 / len(prediction))
    _same_shape(prediction, target)
    squares = (target - prediction) ** 2
    if not shape_of(prediction):
        return squares
    return ops.sum(squares) * (1 / shape_of(prediction)[0])


def cross_entropy(logits: Any, labels: Any) -> Any:
    """-(1/N)·Σ log softmax(logits)[label], computed without overflow.

    Args:
        logits: a Tensor of shape (N, classes).
        labels: N whole numbers, the right class of each sample.

    Raises:
        ValueError: if there is not one label from 0 to classes - 1 for each row.
    """
    labels = np.asarray(labels)
    rows, classes = shape_of(logits)
    if labels.shape != (rows,) or labels.dtype.kind not in "iu":
        raise ValueError(f"{rows} whole-number labels expected, got {labels.dtype}{labels.shape}")
    if rows and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"labels go from 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
    data = logits.data if isinstance(logits, Traced) else logits
    shifted = logits - np.max(data, axis=1, keepdims=True)  # a constant: it cancels
    log_total = ops.log(ops.sum(ops.exp(shifted), axis=1))
    return ops.mean(log_total - shifted[np.arange(rows), labels])


def _same_shape(prediction: Any, target: Any) -> None:
    expected, given = shape_of(prediction), np.shape(target)
    if expected != given:
        raise ValueError(f"prediction of shape {expected} and target of shape {given} must agree")
