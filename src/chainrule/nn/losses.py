"""Losses, each with its factor stated."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import ops
from chainrule.ops.base import shape_of
from chainrule.ops.exponentials import softmax_cross_entropy
from chainrule.ops.sums import as_array


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
    if isinstance(prediction, list):
        return _sum_of_squares(prediction, target) * (1 / len(prediction))
    squares = _squares(prediction, target)
    if not shape_of(squares):
        return squares
    inner = tuple(range(1, len(shape_of(squares))))
    return ops.mean(ops.sum(squares, axis=inner) if inner else squares)


def cross_entropy(logits: Any, targets: Any) -> Any:
    """-(1/N)·Σ targets·log softmax(logits), computed without overflow.

    Args:
        logits: a Tensor of shape (N, classes).
        targets: N whole numbers, the right class of each sample; or an array of shape
            (N, classes) of probabilities.

    The derivative is (softmax(logits) - targets)/N where the targets of a row add up to 1.

    Raises:
        ValueError: if there is not one target from 0 to classes - 1 for each row.
    """
    targets = as_array(targets)
    if len(shape_of(logits)) != 2:
        raise ValueError(f"logits need the shape (N, classes), got {shape_of(logits)}")
    rows, classes = shape_of(logits)
    if targets.shape == (rows, classes) and targets.dtype.kind == "f":
        return softmax_cross_entropy(logits, targets)
    if targets.shape != (rows,) or targets.dtype.kind not in "iu":
        raise ValueError(
            f"{rows} whole-number labels expected, or probabilities of shape {rows, classes}, got"
            f" {targets.dtype}{targets.shape}"
        )
    if rows and not 0 <= targets.min() <= targets.max() < classes:
        low, high = targets.min(), targets.max()
        raise ValueError(f"labels go from 0 to {classes - 1}, got {low} to {high}")
    return softmax_cross_entropy(logits, targets)


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
    expected, given = shape_of(prediction), np.shape(target)
    if expected != given:
        raise ValueError(f"prediction of shape {expected} and target of shape {given} must agree")
    return (target - prediction) ** 2
