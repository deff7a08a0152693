"""Reading a formula that a person wrote: implicit products, LaTeX, many spellings of a name.

As in `reading`, nothing is ever run as Python: tokens, and the library's ops applied. What can be
read in two ways is refused with both readings, never guessed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule import ops
from chainrule.errors import FormulaError
from chainrule.formulas.brackets import Brackets
from chainrule.formulas.tokens import Token
from chainrule.formulas.vocabulary import COUNTS
from chainrule.ops import arithmetic as ar
from chainrule.ops.base import shape_of
from chainrule.ops.linear_algebra import outer_product

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.formulas.vocabulary import Vocabulary

#: How deep brackets may be nested.
DEEPEST = 100


def read_handwritten(text: str, vocabulary: Vocabulary) -> Any:
    """The value of a formula as a person writes it, in plain text or LaTeX.

    A product may go without a sign: between arrays it is the matrix product, else the product of
    numbers. `⊙` and `*` multiply arrays entry by entry, `^T` transposes, `σ'(z)` is the derivative
    of a function of one number.

    Raises:
        FormulaError: with the position in the text, for an unknown name (with the nearest ones),
            for what cannot be read, and for what can be read in two ways.

    >>> from chainrule.formulas.vocabulary import Vocabulary
    >>> read_handwritten("1/2 (T - a)^2", Vocabulary({"T": 0.5, "a": 0.75}))
    0.03125
    """
    return read_tokens(text, None, vocabulary)


def read_tokens(text: str, tokens: Sequence[Token] | None, vocabulary: Vocabulary) -> Any:
    """The same from tokens, some of which may stand for others than the text has."""
    try:
        with np.errstate(all="ignore"):
            return Reader(text, vocabulary, tokens).whole()
    except RecursionError:
        raise FormulaError("the formula is nested too deeply", 0) from None


def exponent_name(number: str, vocabulary: Vocabulary) -> str:
    """The name e1 in the number 2e1, where it is one; else nothing."""
    match = re.fullmatch(r"[\d.]+(e\d+)", number)
    return match[1] if match and vocabulary.find(match[1]) is not None else ""


def is_number(token: Token) -> bool:
    """Whether this is a number, or stands for one that is known to its digits only."""
    return token.kind == "number" or "#" in token.text


class Row(NamedTuple):
    """A vector that was transposed: w^T x is the inner product, δ x^T the outer one."""

    vector: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, *shape_of(self.vector))


class Reader(Brackets):
    """A parser of operator precedence: sums, products, signs, powers, atoms."""

    def whole(self) -> Any:
        if self.token.kind == "end":
            raise FormulaError("a formula is missing", self.token.position)
        result = self.sum()
        if self.token.kind != "end":
            raise FormulaError(f"cannot read {self.token.text!r} here", self.token.position)
        return result.vector if isinstance(result, Row) else result

    def applied(self, op: Any, *inputs: Any, at: int, **params: Any) -> Any:
        rows = [isinstance(x, Row) for x in inputs]
        if not any(rows):
            return super().applied(op, *inputs, at=at, **params)
        other = inputs[rows.index(False)] if False in rows else inputs[0]
        scaled = (op is ar.multiply or (op is ar.divide and rows[0])) and not shape_of(other)
        if not scaled and not (op in {ar.add, ar.subtract, ar.negative} and all(rows)):
            name = getattr(op, "name", "this")
            raise FormulaError(
                f"{name} of a row vector …^T is not read: it stands in matrix products and in sums"
                f" with other rows",
                at,
            )
        vectors = [x.vector if isinstance(x, Row) else x for x in inputs]
        return Row(super().applied(op, *vectors, at=at, **params))

    # ---------------------------------------------------------------- sums and products

    def sum(self) -> Any:
        self.depth += 1
        if self.depth > DEEPEST:
            raise FormulaError("brackets are nested too deeply", self.token.position)
        left = self.product()
        while self.is_sign("+", "-"):
            sign, at = self.token.text, self.token.position
            self.at += 1
            right = self.product()
            left = self.applied(ar.add if sign == "+" else ar.subtract, left, right, at=at)
        self.depth -= 1
        return left

    def product(self) -> Any:
        at = self.token.position
        negative = self.leading_sign()
        first = self.at
        left = self.factors()
        while self.is_sign("·", "*", "⊙", "/", "@", "⊗"):
            sign, at = self.token.text, self.token.position
            start = self.at
            self.at += 1
            right_sign = self.leading_sign()
            if sign == "/":
                left = self.quotient(left, start - first == 1 and self.tokens[first], at)
            else:
                left = self.multiplied(sign, left, self.factors(), at)
            left = self.applied(ar.negative, left, at=at) if right_sign else left
        return self.applied(ar.negative, left, at=at) if negative else left

    def quotient(self, above: Any, only: Token | bool, at: int) -> Any:
        """What stands below a slash; a product there without brackets may mean two things.

        `1/2 x`, `1/N x` and `1/a (…)` are coefficients; anything else is refused.
        """
        start = self.at
        self.below += 1
        below = self.power()
        self.below -= 1
        divisor = self.tokens[start]
        counts = is_number(divisor) or divisor.text in COUNTS
        bracket = self.is_sign("(") and self.token.spaced
        above_one = isinstance(only, Token) and is_number(only)
        simple = above_one and self.at - start == 1 and (counts or bracket)
        left = self.applied(ar.divide, above, below, at=at)
        if not self.begins_factor():
            return left
        last = self.tokens[self.at - 1]
        touching = self.token.position == last.position + len(last.text)
        glued = touching and (self.token.kind == "name" or self.is_sign("√"))
        if not simple or glued:
            a = self.text[self.tokens[start].position : self.token.position].strip()
            b = self.token.text + ("…)" if self.is_sign("(") else "")
            raise FormulaError(
                f"…/{a} {b} can mean (…/{a})·{b} or …/({a}·{b}): write the brackets",
                self.token.position,
            )
        return self.multiplied("", left, self.factors(), self.token.position)

    def factors(self) -> Any:
        """Factors side by side without a sign between them."""
        left = self.power()
        while self.begins_factor():
            at = self.token.position
            left = self.multiplied("", left, self.power(), at)
        return left

    def multiplied(self, sign: str, a: Any, b: Any, at: int) -> Any:
        arrays = bool(shape_of(a)) and bool(shape_of(b))
        if arrays and sign in {"", "·", "@"} and (isinstance(a, Row) or isinstance(b, Row)):
            return self.with_row(a, b, at)
        if sign == "⊗":
            return self.applied(outer_product, a, b, at=at)
        if sign == "@" or (not sign and arrays):
            return self.applied(ops.matmul, a, b, at=at)
        if sign == "·" and arrays:
            raise FormulaError(
                "· between two arrays can mean two things: write ⊙ for entry by entry, a space or"
                " @ for the matrix product",
                at,
            )
        return self.applied(ar.multiply, a, b, at=at)

    def with_row(self, a: Any, b: Any, at: int) -> Any:
        """A product with a transposed vector."""
        if isinstance(a, Row) and not isinstance(b, Row):
            result = self.applied(ops.matmul, a.vector, b, at=at)
            return Row(result) if len(shape_of(b)) > 1 else result
        if isinstance(b, Row) and len(shape_of(a)) == 1:
            return self.applied(outer_product, a, b.vector, at=at)
        raise FormulaError(
            f"matmul does not go with the shapes {shape_of(a)} and {shape_of(b)}", at
        )

    # ---------------------------------------------------------------- powers and atoms

    def power(self) -> Any:
        is_e = self.token.text == "e" and self.vocabulary.find("e") is None
        base = self.postfixed(self.atom())
        if not self.is_sign("^"):
            return base
        at = self.token.position
        self.at += 1
        if self.token.text == "T" and shape_of(base):
            self.at += 1
            return self.postfixed(self.transposed(base, at))
        negative = self.leading_sign()
        exponent = self.power()
        shape = shape_of(base)
        inverse = negative or (isinstance(exponent, float) and exponent < 0)
        if inverse and len(shape) == 2 and shape[0] == shape[1]:
            raise FormulaError(
                "a negative power of a square matrix can mean its inverse or 1/… entry by entry:"
                " write inv(…) or 1/…",
                at,
            )
        glued = self.token.kind == "name" and not (self.token.spaced or self.token.tex)
        if is_e and glued and self.tokens[self.at - 1].kind == "number":
            raise FormulaError(
                f"e^…{self.token.text} can mean (e^…)·{self.token.text} or e^(…{self.token.text}):"
                f" write the brackets",
                at,
            )
        if negative:
            exponent = self.applied(ar.negative, exponent, at=at)
        if is_e:
            return self.applied(ops.exp, exponent, at=at)
        return self.applied(ar.power, base, exponent, at=at)

    def postfixed(self, base: Any) -> Any:
        """What stands behind an atom: ᵀ and [index]."""
        while True:
            at = self.token.position
            if self.is_sign("ᵀ"):
                self.at += 1
                base = self.transposed(base, at)
            elif self.is_sign("[") and not self.token.spaced and shape_of(base):
                base = self.indexed(base, at)
            else:
                return base

    def transposed(self, base: Any, at: int) -> Any:
        if isinstance(base, Row):
            return base.vector
        if not shape_of(base):
            return base
        if len(shape_of(base)) == 1:
            return Row(base)
        return self.applied(ops.matrix_transpose, base, at=at)

    def atom(self) -> Any:
        token = self.token
        if token.kind == "number":
            self.at += 1
            return self.number(token)
        if token.kind == "name":
            return self.name()
        if token.kind == "derivative":
            self.at += 1
            y, _, x = token.text.partition("/")
            return self.derivative(y, x, token.position)
        if token.kind == "sign":
            return self.bracketed()
        raise FormulaError("a number or a name expected", token.position)

    def number(self, token: Token) -> float:
        """A number; 2e1 is refused where e1 is a name."""
        name = exponent_name(token.text, self.vocabulary)
        if name:
            times = token.text.removesuffix(name)
            raise FormulaError(
                f"{token.text} can mean {times}·10^{name[1:]} or {times}·{name}: leave a space",
                token.position,
            )
        return float(token.text)
