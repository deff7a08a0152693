"""Numbers worked out on paper: 0.4653·0.2037·0.6023, with the rounding of what they start from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from chainrule.engine import Node, swept
from chainrule.errors import FormulaError
from chainrule.formulas.handwritten import read_handwritten
from chainrule.formulas.latex import is_latex
from chainrule.formulas.vocabulary import Vocabulary
from chainrule.value import Value
from chainrule.verification.claims import Numbers, printed_number

if TYPE_CHECKING:
    from collections.abc import Container

_NUMBER = re.compile(r"(?<![\w.])\d*\.\d+(?![\w.])|(?<![\w.])\d+\.(?!\w)")


def worked_out(text: str, exact: Container[float]) -> Numbers | None:
    """The result of arithmetic on printed numbers, and how far their rounding may lead.

    A number with decimals is known to half of its last digit, unless it is one of the `exact` ones;
    whole numbers are exact. None for a text with names in it.

    >>> given = worked_out("0.4653·0.6023", ())
    >>> f"{float(given.value):.4f} ± {float(given.half_unit):.4f}"
    '0.2803 ± 0.0001'
    """
    if is_latex(text):
        return None
    leaves: dict[str, Value] = {}

    def named(match: re.Match[str]) -> str:
        leaves[f"n{len(leaves)}"] = Value(float(match.group()), label=match.group())
        return f" n{len(leaves) - 1} "

    try:
        result = read_handwritten(_NUMBER.sub(named, text), Vocabulary(leaves))
    except (FormulaError, ArithmeticError, TypeError):
        return None
    if not isinstance(result, Node):
        value = np.asarray(result, dtype=float)
        return Numbers(value, 1e-15 * np.abs(value), text.strip(), printed=True)
    half = 0.0
    for node, y_bar in swept(result, 1.0, lambda node: node.op is None):
        known = printed_number(str(node.label))
        if known is not None and float(known.value) not in exact and float(known.value) != 0.5:
            half += abs(float(y_bar)) * float(known.half_unit)
    value = np.array(result.item())
    return Numbers(value, half + 1e-14 * np.abs(value), text.strip(), printed=True)
