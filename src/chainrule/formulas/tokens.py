"""Cutting a formula that a person wrote into tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from chainrule.errors import FormulaError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
_DIGITS = dict(zip(_SUPERSCRIPTS, "0123456789-", strict=True))
_WORD = r"(?:(?![⁰¹²³⁴-⁹ᵀ])[^\W\d])(?:(?![⁰¹²³⁴-⁹ᵀ])[\w̄̂])*(?:\.[^\W\d]\w*)*"
_PLAIN = re.compile(
    r"(?P<quoted>`[^`]*`)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+\-−–]?\d+)?)"
    rf"|(?P<name>{_WORD})"
    rf"|(?P<raised>⁻?[{_SUPERSCRIPTS[:-1]}]+)"
    r"|(?P<sign>\*\*|≈|<=|>=|!=|==|[-+−–·⋅∙*×⊙⊗/÷^ᵀ√|()\[\],;:=<>≤≥≠@'′″∂Σ∑∇‖])"
)
_SIGNS = {
    "−": "-", "–": "-", "⋅": "·", "∙": "·", "×": "·", "÷": "/", "**": "^", "′": "'", "∑": "Σ",
    "<=": "≤", ">=": "≥", "!=": "≠", "==": "=",
}  # fmt: skip


class Token(NamedTuple):
    """A piece of a formula.

    `kind` is number, name, derivative ("E/a2"), sign or end; `spaced` says whether there is a space
    before it, `tex` whether it comes from LaTeX, where letters side by side are a product.
    """

    kind: str
    text: str
    position: int
    spaced: bool = False
    tex: bool = False


def plain_tokens(text: str) -> Iterator[Token]:
    """The tokens of plain text.

    Raises:
        FormulaError: with the position of what cannot be read.

    >>> [token.text for token in plain_tokens("2 a2(1 - a2)")]
    ['2', 'a2', '(', '1', '-', 'a2', ')']
    """
    at = 0
    spaced = False
    while at < len(text):
        if text[at].isspace():
            at, spaced = at + 1, True
            continue
        pieces, at = piece_at(text, at, len(text))
        yield pieces[0]._replace(spaced=spaced)
        yield from pieces[1:]
        spaced = False


def piece_at(text: str, at: int, end: int) -> tuple[list[Token], int]:
    """What begins at a place, and where it ends; a raised number is two tokens or three."""
    match = _PLAIN.match(text, at, end)
    if match is None:
        raise FormulaError(f"cannot read {text[at]!r}", at)
    kind, piece = match.lastgroup or "", match.group()
    if kind == "raised":
        number = "".join(_DIGITS[c] for c in piece)
        minus = [Token("sign", "-", at)] if number.startswith("-") else []
        found = [Token("sign", "^", at), *minus, Token("number", number.lstrip("-"), at)]
    elif kind == "quoted":
        found = [Token("name", piece[1:-1], at)]
    elif piece == "″":
        found = [Token("sign", "'", at)] * 2
    elif kind == "number":
        found = [Token(kind, piece.replace("−", "-").replace("–", "-"), at)]
    else:
        found = [Token(kind, _SIGNS.get(piece, piece), at)]
    return found, match.end()
