"""The words and numbers in a picture."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.formulas.digits import number
from chainrule.pictures.scene import Row, tone_of
from chainrule.summaries import mean_of, norm_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainrule.engine import Node

#: An array of at most so many rows, columns and entries is shown with its numbers.
MOST_ROWS, MOST_COLUMNS, MOST_ENTRIES = 4, 4, 8
#: Leaves of these names are inputs, all others parameters.
_INPUT = re.compile(r"(?:.*\.)?(?:[xXtTyYu]|data|inputs?|targets?|labels?)[\d_′₀-₉]*(?:\[.*\])?")
_SIGNS = {"·": "×", "-": "−"}


def shown(x: Any, digits: int, *, signed: bool = False) -> str:
    """A number with a minus sign that is one: −0.4, +0.05707, ∞, nan."""
    value = np.asarray(x).item()
    if isinstance(value, complex):
        imaginary = shown(abs(value.imag), digits)
        sign = "−" if value.imag < 0 else "+"
        return f"{shown(value.real, digits, signed=signed)}{sign}{imaginary}i"
    text = number(value, digits)
    if text in {"inf", "-inf"}:
        text = text.replace("inf", "∞")
    plus = "+" if signed and value > 0 else ""
    return plus + text.replace("-", "−")


def is_input(name: str) -> bool:
    """Whether a leaf of this name is data: x, t, y, u, input, target, label."""
    return _INPUT.fullmatch(name) is not None


def op_sign(op: Any) -> str:
    """The sign of an op in a small space: × + − / ^ σ, or its name."""
    notation = op.written_as((), {}) if not callable(op.notation) else None
    sign = "".join(notation.signs).strip() if notation else ""
    return _SIGNS.get(sign, sign) if len(sign) == 1 else op.name


def sign_of(node: Node, named: Iterable[int], digits: int) -> str:
    """What a node does, with a number that has no box of its own: `0.5 ×`, `^2`, `sum axis=1`."""
    op: Any = node.op
    sign = op_sign(op)
    numbers = [
        shown(x, digits) if _is_number(x) and id(x) not in named else "" for x in node.inputs
    ]
    if len(numbers) == 2 and len(sign) == 1:
        space = "" if sign == "^" else " "
        left = f"{numbers[0]}{space}" if numbers[0] else ""
        return f"{left}{sign}{space + numbers[1] if numbers[1] else ''}"
    axis = node.params.get("axis")
    if isinstance(axis, tuple):
        axis = ",".join(map(str, axis))
    return sign if axis in {None, ""} else f"{sign} axis={axis}"


def _is_number(x: Any) -> bool:
    plain = isinstance(x, int | float | complex | np.generic)
    return plain or (isinstance(x, np.ndarray) and not x.ndim)


def shape_text(x: Any) -> str:
    """Shape and dtype: 3×2 float64."""
    array = np.asarray(x)
    return "×".join(map(str, array.shape)) + f" {array.dtype}"


def flaw_of(array: np.ndarray) -> str:
    """How many entries are not finite: `2 of 6 nan`; empty if all are."""
    for word, test in (("nan", np.isnan), ("inf", np.isinf)):
        if array.dtype.kind in "fc" and (count := int(np.count_nonzero(test(array)))):
            return word if array.size == 1 else f"{count:,} of {array.size:,} {word}"
    return ""


def value_rows(x: Any, digits: int) -> list[Row]:
    """A number; of an array shape and dtype, and its numbers or their range."""
    array = np.asarray(x)
    if not array.ndim:
        return [Row("value", shown(array, digits), "flaw" if flaw_of(array) else "")]
    rows = [Row("shape", shape_text(array))]
    if lines := _grid(array, digits):
        rows += [Row("" if i else "value", line) for i, line in enumerate(lines)]
    elif array.size and array.dtype.kind == "f":
        rows.append(Row("min", shown(np.min(array), digits)))
        rows.append(Row("mean", shown(mean_of(array), digits)))
        rows.append(Row("max", shown(np.max(array), digits)))
    elif array.size:
        rows.append(Row("‖·‖", shown(norm_of(array), digits)))
    if flaw := flaw_of(array):
        rows.append(Row("!", flaw, "flaw"))
    return rows


def gradient_rows(gradient: Any, digits: int, *, grid: bool = True) -> list[Row]:
    """The gradient with its sign, the norm of a large one, "·" where there is none yet."""
    if gradient is None:
        return [Row("grad", "·")]
    array = np.asarray(gradient)
    flaw = flaw_of(array)
    if flaw and array.ndim:
        return [Row("grad", flaw, "flaw")]
    if not array.ndim:
        text = shown(array, digits, signed=True)
        if flaw:
            return [Row("grad", text, "flaw")]
        return [Row("grad", text, tone_of(text))]
    if lines := _grid(array, digits, signed=True) if grid else []:
        return [Row("" if i else "grad", line) for i, line in enumerate(lines)]
    return [Row("‖grad‖", shown(norm_of(array), digits))]


def range_rows(numbers: np.ndarray, digits: int) -> list[Row]:
    """Smallest, mean and largest of many numbers; one number as itself."""
    if not numbers.size:
        return []
    if numbers.size == 1:
        return value_rows(numbers[0], digits)
    words = ("min", "mean", "max")
    if np.iscomplexobj(numbers):
        numbers, words = np.abs(numbers), ("min |·|", "mean |·|", "max |·|")
    parts = [shown(f(numbers), digits) for f in (np.min, mean_of, np.max)]
    tone = "flaw" if flaw_of(numbers) else ""
    return [Row(word, part, tone) for word, part in zip(words, parts, strict=True)]


def _grid(array: np.ndarray, digits: int, *, signed: bool = False) -> list[str]:
    """The numbers of a small array, a text for each row; nothing for a larger one."""
    fits = array.ndim <= 2 and 0 < array.size <= MOST_ENTRIES
    table = np.atleast_2d(array) if fits else np.empty((MOST_ROWS + 1, 0))
    if len(table) > MOST_ROWS or table.shape[1] > MOST_COLUMNS:
        return []
    return ["  ".join(shown(x, digits, signed=signed) for x in row) for row in table]
