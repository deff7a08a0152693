"""How numbers are rounded and printed in a derivation."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.formulas.digits import number
from chainrule.formulas.reading import read
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import Grid, Printed, Words, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

#: An array of more entries than this is shown as its shape and norm.
MOST_ENTRIES = 12
#: How far what is printed may be from the gradient, relative to the size of what is added up.
TOLERANCE = 1e-12
#: The same where results are computed in another precision.
DTYPE_TOLERANCE = {"float16": 1e-2, "float32": 1e-5}


def largest(arrays: Iterable[Any]) -> float:
    """The largest entry of all."""
    return max(float(np.max(np.abs(x), initial=0.0)) for x in arrays)


def array(x: Any, digits: int) -> str:
    """A number, a small array with its entries, a large one as shape and norm."""
    data = np.asarray(x)
    if not data.ndim:
        return number(data, digits) if data.dtype.kind != "c" else f"{complex(data):.{digits}g}"
    if data.size > MOST_ENTRIES:
        shape = str(data.shape).replace(" ", "")
        return f"array {shape}, ‖·‖ = {number(np.linalg.norm(data), digits)}"
    shown = np.array2string(
        data,
        separator=" ",
        formatter={"float_kind": lambda entry: number(entry, digits)},
    )
    return re.sub(r"\s+", " ", shown).replace("[ ", "[").replace("] [", "], [")


def displayed(x: Any, digits: int) -> Any:
    """A number or an array as a piece of a formula."""
    data = np.asarray(x)
    text = array(data, digits)
    if not data.ndim:
        return Printed(text)
    if not 0 < data.size <= MOST_ENTRIES or data.ndim > 2 or data.dtype.kind not in "fiu":
        return Words(text)
    rows = [[number(entry, digits) for entry in row] for row in np.atleast_2d(data)]
    return Grid(tuple(map(tuple, rows)), text)


def substituted(formula: Any, numbers: Mapping[str, str], digits: int) -> Any:
    """A formula with printed numbers in place of names and of long constants."""
    if not isinstance(formula, Symbol):
        text = written(formula)
        return Printed(number(formula, digits)) if len(text) > digits + 4 else formula
    if formula.op is None:
        return Printed(numbers[formula.name]) if formula.name in numbers else formula
    inputs = tuple(substituted(part, numbers, digits) for part in formula.inputs)
    return Symbol.made(formula.op, inputs, formula.params, formula.shape, formula.dtype)


def worth(display: Any) -> float:
    """The number that a printed formula gives."""
    return float(read(written(display), {}))


def rounded(spec: str, digits: int) -> Callable[[float], float] | None:
    """The rounding after every step that `rounding=` asks for; None for exact numbers.

    Raises:
        ValueError: for anything but "exact", "step", "4dp" or "4sf".
    """
    if spec == "exact":
        return None
    match = re.fullmatch(r"(\d+)(dp|sf)", f"{digits}sf" if spec == "step" else str(spec))
    if match is None or (match[2] == "sf" and int(match[1]) < 1):
        raise ValueError(
            f'rounding={spec!r}: use "exact", "step" (to `digits` significant digits after every'
            f' step), "4dp" or "4sf"'
        )
    count, kind = int(match[1]), match[2]

    def to_step(x: float) -> float:
        x = float(x)
        if not math.isfinite(x):
            return x
        return round(x, count) if kind == "dp" else float(f"{x:.{max(count, 1)}g}")

    return to_step


def agreeing(
    shown: Callable[[int], Sequence[Any]], value: float, digits: int
) -> tuple[int, float | None]:
    """How many digits printed factors need so that what is printed gives the printed result.

    Args:
        shown: the displayed formulas at a number of digits, each of which should give the value.
        value: the exact result.
        digits: of the result.

    Returns:
        The digits, one more than asked for where that helps, and what the printed numbers give
        if even that is not enough.
    """
    target = number(value, digits)
    off = None
    for more in (0, 1):
        results = [worth(display) for display in shown(digits + more)]
        off = next((r for r in results if number(r, digits) != target), None)
        if off is None:
            return digits + more, None
    return digits + 1, off
