"""How an op is written in a formula; stands in the op's declaration, read by `Symbol`."""

from __future__ import annotations

from typing import NamedTuple

COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(6)


class Notation(NamedTuple):
    """A template with one `{}` for each input, and how tightly it and its inputs bind.

    An input whose own precedence is lower than `inner[i]` is put in parentheses.
    """

    template: str
    precedence: int
    inner: tuple[int, ...]


def infix(sign: str, precedence: int, *, associative: bool = True) -> Notation:
    right = precedence if associative else precedence + 1
    return Notation(f"{{}}{sign}{{}}", precedence, (precedence, right))


def prefix(sign: str, precedence: int = SIGN) -> Notation:
    return Notation(f"{sign}{{}}", precedence, (precedence,))


def postfix(sign: str) -> Notation:
    return Notation(f"{{}}{sign}", ATOM, (ATOM,))


def around(left: str, right: str, inputs: int = 1) -> Notation:
    """Between brackets; further inputs are not written."""
    template = left + "{}" + right + "{:.0}" * (inputs - 1)
    return Notation(template, ATOM, (COMPARISON,) * inputs)
