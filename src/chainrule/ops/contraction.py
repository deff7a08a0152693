"""Einstein's sums of two arrays as matrix products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def contracted(subscripts: str, a: Any, b: Any) -> Any:
    """The sum as one stacked matrix product, or None where it is not one."""
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    first, comma, second = left.partition(",")
    if not arrow or not comma or not (first + second + result).isalpha():
        return None
    if any(len(set(letters)) < len(letters) for letters in (first, second, result)):
        return None
    sizes = dict(zip(first + second, (*np.shape(a), *np.shape(b)), strict=True))
    if any(sizes[c] != n for c, n in zip(first, np.shape(a), strict=True)):
        return None  # an axis of length one is stretched
    if any(c not in result and (c in first) != (c in second) for c in first + second):
        return None  # summed over in one of them alone
    stacked = [c for c in result if c in first and c in second]
    inner = [c for c in first if c in second and c not in result]
    rows = [c for c in result if c not in second]
    columns = [c for c in result if c not in first]
    if not inner or a.dtype != b.dtype or a.dtype.kind not in "fc":
        return None
    shape = [math.prod(sizes[c] for c in part) for part in (rows, inner, columns)]
    outer = tuple(sizes[c] for c in stacked)
    x = _arranged(a, first, [*stacked, *rows, *inner], (*outer, shape[0], shape[1]))
    y = _arranged(b, second, [*stacked, *inner, *columns], (*outer, shape[1], shape[2]))
    product = np.matmul(x, y)
    order = [*stacked, *rows, *columns]
    product = product.reshape(tuple(sizes[c] for c in order))
    return product.transpose(tuple(order.index(c) for c in result))


def _arranged(x: Any, letters: str, order: list[str], shape: tuple[int, ...]) -> Any:
    """An array with its axes in an order, some of them joined."""
    return np.reshape(np.transpose(x, tuple(letters.index(c) for c in order)), shape)
