"""Numbers worked out on paper: 0.4653·0.2037·0.6023, with the rounding of what they start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainrule.engine import Node
from chainrule.errors import FormulaError
from chainrule.formulas.handwritten import read_tokens
from chainrule.formulas.named import tokens_of
from chainrule.formulas.vocabulary import Vocabulary
from chainrule.value import Value
from chainrule.verification.claims import Numbers, printed_number
from chainrule.verification.rounding import first_order

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from chainrule.formulas.tokens import Token

#: The one decimal that everybody means exactly.
HALF = 0.5


def worked_out(text: str, exact: Container[float]) -> Numbers | None:
    """The result of arithmetic on printed numbers, and how far their rounding may lead.

    A number with decimals is known to half of its last digit, unless it is one of the `exact` ones;
    whole numbers are exact. None for a text with names in it.

    >>> given = worked_out("0.4653·0.6023", ())
    >>> f"{float(given.value):.4f} ± {float(given.half_unit):.4f}"
    '0.2803 ± 0.0001'
    """
    try:
        tokens, leaves = with_leaves(tokens_of(text), exact, Value)
        vocabulary = Vocabulary({name: leaf for name, (leaf, _) in leaves.items()})
        result = read_tokens(text, tokens, vocabulary)
    except (FormulaError, ArithmeticError, TypeError, AttributeError):
        return None
    if any(token.kind in {"name", "derivative"} and token.text not in leaves for token in tokens):
        names = {token.text for token in tokens if token.kind == "name"} - leaves.keys()
        if not names <= vocabulary.functions.keys():
            return None
    if not isinstance(result, Node):
        value = np.asarray(result, dtype=float)
        return Numbers(value, 1e-15 * np.abs(value), text.strip())
    value = np.array(result.item())
    half_units = {id(leaf): (leaf, half) for leaf, half in leaves.values()}
    slack = known_to(result, half_units) + 1e-14 * np.abs(value)
    return Numbers(value, slack, text.strip(), printed=True, whole=np.array(True))


def with_leaves(
    tokens: Sequence[Token], exact: Container[float], kind: Callable[[float], Node]
) -> tuple[list[Token], dict[str, tuple[Node, np.ndarray]]]:
    """The tokens of a formula with its decimals as names, and the leaves these stand for.

    Of few digits, or among the `exact` numbers, a decimal is meant as it is.
    """
    leaves: dict[str, tuple[Node, np.ndarray]] = {}
    found: list[Token] = []
    for token in tokens:
        exponent = found and found[-1].text == "^"
        known = printed_number(token.text) if token.kind == "number" else None
        if (
            known is None
            or exponent
            or "." not in token.text
            or float(known.value) in exact
            or float(known.value).is_integer()
            or float(known.value) == HALF
        ):
            found.append(token)
        else:
            name = f"{token.text}#{len(leaves)}"
            leaves[name] = kind(float(known.value)), known.half_unit
            found.append(token._replace(kind="name", text=name, spaced=True))
    return found, leaves


def known_to(result: Node, half_units: Mapping[int, tuple[Node, np.ndarray]]) -> np.ndarray:
    """How far a result may be off, each entry, if its leaves are known to half of a last digit.

    To first order: Σ |∂result/∂leaf|·half.
    """
    return first_order(result, lambda leaf: half_units.get(id(leaf), (None, None))[1])
