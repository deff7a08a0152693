"""How an op is written in a formula; stands in the op's declaration, read by every writer."""

from __future__ import annotations

from typing import NamedTuple

COMPARISON, SUM, REDUCTION, PRODUCT, MATRIX, SIGN, POWER, ATOM = range(8)


class Notation(NamedTuple):
    """A layout that every writer knows (text, LaTeX, MathML), with its signs.

    Args:
        layout: infix, prefix, postfix, around, relation, fraction, power, call, bare (a call
            without its static arguments), index, or first (the first input is the whole).
        signs: one sign, or the left and the right bracket.
        precedence: how tightly the result binds.
        inner: for each input the least precedence that needs no parentheses.
        arrays: the sign between arrays, where it is another one.
    """

    layout: str
    signs: tuple[str, ...]
    precedence: int
    inner: tuple[int, ...]
    arrays: str = ""


def infix(sign: str, precedence: int, *, associative: bool = True, arrays: str = "") -> Notation:
    right = precedence if associative else precedence + 1
    return Notation("infix", (sign,), precedence, (precedence, right), arrays)


def prefix(sign: str, precedence: int = SIGN, inner: int | None = None) -> Notation:
    inner = precedence if inner is None else inner
    return Notation("prefix", (sign,), precedence, (inner,))


def postfix(sign: str) -> Notation:
    return Notation("postfix", (sign,), ATOM, (ATOM,))


def around(left: str, right: str) -> Notation:
    return Notation("around", (left, right), ATOM, (COMPARISON,))


def relation(sign: str) -> Notation:
    """A condition in Iverson's brackets: 1 where it holds, else 0."""
    return Notation("relation", (sign,), ATOM, (SUM, SUM))


def call(name: str) -> Notation:
    """A function call, under another name than the op's."""
    return Notation("call", (name,), ATOM, ())


FRACTION = Notation("fraction", ("/",), PRODUCT, (PRODUCT, PRODUCT + 1))
RAISED = Notation("power", ("^",), POWER, (POWER + 1, POWER))
INDEX = Notation("index", ("[", "]"), ATOM, (ATOM,))
FIRST = Notation("first", (), ATOM, (ATOM,))
