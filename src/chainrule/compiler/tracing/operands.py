"""What is known about the operands of a call."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.compiler.tracing.calls import spelled

STRETCH = spelled(np.broadcast_to)


def fitting(x: Any, others: list[Any], value: Any) -> bool:
    """Whether x and other operands broadcast to the shape of a result."""
    return bool(np.broadcast_shapes(shape_of(x), *map(shape_of, others)) == np.shape(value))


def is_known(x: Any) -> bool:
    """Whether an operand is the same in every call."""
    if isinstance(x, list | tuple | slice):
        return False
    step = getattr(x, "step", None)
    if step is None:
        return True
    return step.uniform is not None or (step.call is not None and step.call.style == "constant")


def number_of(x: Any) -> Any:
    """The one number that all entries of an operand are, or None."""
    step = getattr(x, "step", None)
    if step is not None:
        return step.uniform
    if isinstance(x, bool | int | float):
        return x
    if isinstance(x, np.generic | np.ndarray) and np.ndim(x) == 0 and x.dtype.kind in "fiub":
        return x.item()
    return None


def fits(x: Any, value: Any) -> bool:
    """Whether an operand has the shape, dtype and class that a result has."""
    return (
        hasattr(x, "step")
        and x.shape == np.shape(value)
        and x.dtype == getattr(value, "dtype", None)
        and isinstance(x.value, np.ndarray) == isinstance(value, np.ndarray)
        and isinstance(x.value, np.ndarray | np.generic)
    )


def shape_of(x: Any) -> tuple[int, ...]:
    return x.shape if hasattr(x, "shape") else np.shape(x)


def made_by(x: Any, ufunc: Any) -> Any:
    """The operands of the step that made x, if it called this ufunc."""
    step = getattr(x, "step", None)
    if step is None or step.call is None or step.call.ufunc is not ufunc or step.kwargs:
        return None
    return tuple(x.tape.operand(arg) for arg in step.args)


def unstretched(x: Any) -> Any:
    """What an operand was broadcast from, or None."""
    step = getattr(x, "step", None)
    return x.tape.operand(step.args[0]) if step is not None and step.call == STRETCH else None
