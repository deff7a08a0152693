"""Many numbers in short: taken together by layer, as a line of text, on which scale."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.base import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chainrule.engine import Node

BLOCKS = "▁▂▃▄▅▆▇█"
#: Above this ratio of the largest to the smallest a scale is logarithmic.
WIDE = 100.0


def sparkline(numbers: Sequence[float], width: int = 40) -> str:
    """Numbers as a line of blocks, the first and the last of them written out.

    The scale is logarithmic where the largest is more than a hundred times the smallest.

    >>> sparkline([8.0, 4.0, 2.0, 1.0])
    '8 █▄▂▁ 1'
    """
    values = np.asarray(numbers, dtype=float)
    if type(width) is not int or width < 1:
        raise ValueError(f"width={width!r}: a whole number from 1 on")
    if not len(values):
        return ""
    ends = f"{values[0]:.3g}", f"{values[-1]:.3g}"
    count = min(width, len(values))
    with np.errstate(invalid="ignore"):
        parts = [mean_of(part) for part in np.array_split(values, count)]
    shown = np.array(parts)
    finite = np.isfinite(shown)
    if not finite.any():
        return f"{ends[0]} {'?' * count} {ends[1]}"
    if scale_of(shown[finite]) == "log":
        with np.errstate(all="ignore"):
            shown = np.log(shown)
    shown = shown / (np.max(np.abs(shown[finite])) or 1.0)  # so that no difference overflows
    low, high = shown[finite].min(), shown[finite].max()
    height = (shown - low) / (high - low or 1.0) * (len(BLOCKS) - 1)
    blocks = "".join(
        BLOCKS[round(h)] if known else "?" for h, known in zip(height, finite, strict=True)
    )
    return f"{ends[0]} {blocks} {ends[1]}"


def norm_of(array: Any) -> float:
    """The Euclidean norm, also where squares would overflow or vanish."""
    numbers = np.asarray(array)
    wide = numbers.astype(complex if numbers.dtype.kind == "c" else float)
    largest = float(np.max(np.abs(wide), initial=0.0))
    if not 0 < largest < np.inf:
        return largest
    return largest * float(np.linalg.norm(wide / largest))


def mean_of(array: Any) -> float:
    """The mean, also where the sum would overflow."""
    numbers = np.asarray(array, dtype=float)
    largest = float(np.max(np.abs(numbers), initial=0.0))
    if not 0 < largest < np.inf:
        return float(np.mean(numbers))
    return largest * float(np.mean(numbers / largest))


def by_layer(parameters: Iterable[Node]) -> dict[str, list[Node]]:
    """Arrays each for itself; single numbers together: w1_11, w1_12, … are w1."""
    found: dict[str, list[Node]] = defaultdict(list)
    for i, p in enumerate(parameters, start=1):
        name = p.label or f"parameter {i}"
        if shape_of(p._held):
            while name in found:
                name += "′"
        elif match := re.fullmatch(r"([^\W_]+)_\d+", name):
            name = match[1]
        elif not p.label:
            name = "parameters"
        found[name].append(p)
    return dict(found)


def scale_of(values: Any) -> str:
    """Whether numbers are best seen on a logarithmic scale: "log" or "linear"."""
    positive = [value for value in values if np.isfinite(value)]
    if not positive or min(positive) <= 0:
        return "linear"
    return "log" if max(positive) / WIDE > min(positive) else "linear"
