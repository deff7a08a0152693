"""Reductions, and those that BLAS does faster."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from chainrule.compiler.tracing.calls import Ref

if TYPE_CHECKING:
    from chainrule.compiler.tracing.calls import Call
    from chainrule.compiler.tracing.trace import Step

#: What a reduction can be given by position.
REDUCTION_OPTIONS = {"axis", "dtype", "keepdims", "initial"}


def is_reduction(call: Call) -> bool:
    """Whether the call is a ufunc's reduction over axes."""
    return call.ufunc_method == "reduce"


def is_column_sum(step: Step) -> bool:
    """Whether the call is a sum over the rows of a matrix of floats, which BLAS does faster."""
    call, axis = step.call, step.kwargs.get("axis")
    return (
        call is not None
        and call.function == np.add.reduce
        and axis in {0, (0,)}
        and np.ndim(step.value) == 1
        and step.value.dtype in BLAS
        and not step.kwargs.get("keepdims")
        and not set(step.kwargs) - {"axis", "keepdims"}
    )


def is_row_sum(step: Step) -> bool:
    """Whether the call is a sum over the last axis of floats, of which there are some."""
    call, axis = step.call, step.kwargs.get("axis")
    if call is None or call.function != np.add.reduce or set(step.kwargs) - {"axis", "keepdims"}:
        return False
    x, y = step.args[0], step.value
    last = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    ndim = np.ndim(y) + (not step.kwargs.get("keepdims"))
    plain = isinstance(x, Ref) and type(last) is int and last in {-1, ndim - 1}
    return plain and ndim > 1 and y.dtype in BLAS and y.size > 0


#: The dtypes whose sums and products NumPy leaves to BLAS.
BLAS = {np.dtype(np.float32), np.dtype(np.float64)}


def reduction_arguments(x: str, options: dict[str, str], out: str) -> list[str]:
    """The arguments of a reduction by position."""
    axis = re.sub(r"^\((-?\d+),\)$", r"\1", options.get("axis", "0"))
    given = [
        (x, ""),
        (axis, "0"),
        (options.get("dtype", "None"), "None"),
        (out or "None", "None"),
        (options.get("keepdims", "False"), "False"),
        (options.get("initial", "np._NoValue"), "np._NoValue"),
    ]
    while given[-1][0] == given[-1][1]:
        given.pop()
    return [text for text, _ in given]
