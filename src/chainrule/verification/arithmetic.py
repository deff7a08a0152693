"""Numbers worked out on paper: 0.4653·0.2037·0.6023, with the rounding of what they start from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node, swept
from chainrule.errors import FormulaError
from chainrule.formulas.handwritten import read_handwritten
from chainrule.formulas.latex import is_latex
from chainrule.formulas.vocabulary import Vocabulary
from chainrule.value import Value
from chainrule.verification.claims import Numbers, printed_number
from chainrule.verification.rounding import MOST_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

#: The one decimal that everybody means exactly.
HALF = 0.5
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
    half = {}
    for leaf in leaves.values():
        known = printed_number(str(leaf.label))
        sure = known is None or leaf.data in exact or leaf.data == HALF
        half[id(leaf)] = leaf, np.array(0.0) if sure else known.half_unit  # type: ignore[union-attr]
    value = np.array(result.item())
    slack = known_to(result, half) + 1e-14 * np.abs(value)
    return Numbers(value, slack, text.strip(), printed=True)


def known_to(result: Node, half_units: Mapping[int, tuple[Node, np.ndarray]]) -> np.ndarray:
    """How far a result may be off, each entry, if its leaves are known to half of a last digit.

    To first order: Σ |∂result/∂leaf|·half, a reverse sweep for each entry.
    """
    shape = np.shape(result._held)
    total = np.zeros(shape)
    for index in list(np.ndindex(shape))[:MOST_ENTRIES]:
        seed: Any = None
        if shape:
            seed = np.zeros(shape)
            seed[index] = 1.0
        for node, y_bar in swept(result, result.new_seed(seed), lambda node: node.op is None):
            if id(node) in half_units:
                total[index] += float(np.sum(np.abs(y_bar) * half_units[id(node)][1]))
    return total
