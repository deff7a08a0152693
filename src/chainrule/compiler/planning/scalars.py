"""Calls as Python writes them, and what NumPy would warn of."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.planning.tiles import operands
from chainrule.compiler.tracing.calls import Fixed
from chainrule.ops.registry import BY_NUMPY

if TYPE_CHECKING:
    from chainrule.compiler.tracing.calls import Call
    from chainrule.compiler.tracing.trace import Step

DOUBLE = np.dtype(np.float64)
ARITHMETIC = {np.add: "+", np.subtract: "-", np.multiply: "*", np.true_divide: "/"}
UNARY = {np.negative: "-", np.positive: "+"}
#: Operators that mean something else for NumPy's numbers than for Python's.
PYTHONS: dict[Any, str] = {
    np.floor_divide: "//",
    np.remainder: "%",
    np.equal: "==",
    np.not_equal: "!=",
}
PYTHONS |= {np.less: "<", np.less_equal: "<=", np.greater: ">", np.greater_equal: ">="}
PYTHONS |= {np.bitwise_and: "&", np.bitwise_or: "|", np.bitwise_xor: "^"}


#: What makes no error of infinities or NaN, as Python's may.
SILENT = {np.floor, np.ceil, np.trunc, np.rint, np.sinc}
SILENT |= {np.floor_divide, np.remainder, np.fmod}
#: Ufuncs that make NaN or infinity of finite numbers only by overflow.
_CALM = {
    *(np.add, np.subtract, np.multiply, np.negative, np.maximum, np.minimum, np.absolute, np.sign),
    *(np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal),
    *(np.tanh, np.sin, np.cos, np.matmul, np.exp, np.conjugate, np.square),
}


def warns(step: Step) -> bool:
    """Whether NumPy might warn of a call that the traced program told it not to warn of."""
    if not step.ignoring or step.call is None or step.call.ufunc is None:
        return False
    if step.ignoring == ("over",):
        return step.call.ufunc is np.exp
    return step.call.ufunc not in _CALM


def is_pythons(call: Call, exact: bool = False) -> bool:
    """Whether Python does the same on its own numbers; `exact` where it rounds as NumPy does."""
    ufunc = call.ufunc
    if call.function is np.where:
        return not exact
    if ufunc in ARITHMETIC or ufunc in UNARY or ufunc is np.absolute:
        return True
    return not exact and (ufunc in PYTHONS or bool(math_name(ufunc)))


@cache
def math_name(ufunc: Any) -> str:
    """The function of Python's that Values compute a ufunc with, or nothing."""
    scalar: Any = getattr(BY_NUMPY.get(ufunc), "scalar", None)
    return str(scalar.__name__) if getattr(scalar, "__module__", "") == "math" else ""


def is_choice(step: Step) -> bool:
    """Whether the call takes one number or another."""
    return step.call is not None and step.call.function is np.where


def may_raise(step: Step) -> bool:
    """Whether Values might raise where NumPy gives NaN or infinity."""
    call = step.call
    if call is None or call.ufunc is None or call.ufunc in _CALM or is_pythons(call):
        return False
    return type(step.value) is float or call.ufunc in SILENT


def is_same_number(step: Step) -> bool:
    """Whether the call makes a number of a number: NumPy's of Python's, or the other way."""
    return step.call is not None and (step.call.function in {np.array, float})


def is_made_pythons(step: Step) -> bool:
    """Whether a ufunc's result is turned into Python's number at once."""
    return type(step.value) is float and step.call is not None and step.call.ufunc is not None


def read_once(steps: list[Step], scalars: set[int], others: set[int]) -> set[int]:
    """Numbers that only one other number is computed from: part of its expression."""
    readers: dict[int, list[int]] = defaultdict(list)
    for step in steps:
        for number in operands(step):
            readers[number].append(step.number)
    by_number = {step.number: step for step in steps}
    return {
        number
        for number in scalars - others
        if len(readers[number]) == 1
        and (reader := readers[number][0]) in scalars
        and not is_same_number(by_number[reader])
        and not is_choice(by_number[reader])  # of which one part would not be computed
        and by_number[number].call is not None
        and not may_raise(by_number[number])
    }


def scalars_of(steps: list[Step], exact: bool = False) -> set[int]:
    """Steps that are Python's numbers: inputs that are, and arithmetic on nothing else."""
    found: set[int] = set()
    changed = {
        operands(step)[0]
        for step in steps
        if step.call is not None and step.call.style in {"assigned", "updated"}
    }
    for step in steps:
        if step.number in changed:
            continue
        if step.call is None:
            if type(step.value) is float:
                found.add(step.number)
        elif (step.call.function is float and type(step.value) is float) or (
            not isinstance(step.value, tuple | list)
            and np.ndim(step.value) == 0
            and getattr(step.value, "dtype", DOUBLE) == DOUBLE
            and not step.kwargs
            and all(number in found for number in operands(step))
            and not any(isinstance(x, Fixed) for x in step.args)
            and (
                is_pythons(step.call, exact)
                or step.uniform is not None
                or is_same_number(step)
                or is_made_pythons(step)
            )
        ):
            found.add(step.number)
    return found
