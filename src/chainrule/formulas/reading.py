"""Reading a formula: plain text, as `writing` writes it, back into symbols or numbers.

Nothing is ever run as Python: the text is cut into tokens, and only the library's ops are applied.
"""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import ops
from chainrule.errors import FormulaError
from chainrule.formulas.styles import DERIVATIVE_NAME, NAME
from chainrule.ops import arithmetic as ar
from chainrule.ops.linear_algebra import outer_product
from chainrule.ops.notation import MATRIX, POWER, PRODUCT, SIGN, SUM
from chainrule.ops.partials import zero_wins
from chainrule.traced import Traced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
_TOKEN = re.compile(
    r"(?P<space>\s*)(?:"
    r"(?P<quoted>`[^`]*`)"
    r"|(?P<number>\d+\.?\d*(?:e[+-]?\d+)?j?|\binf\b|\bnan\b)"
    rf"|(?P<name>{DERIVATIVE_NAME}|{NAME})"
    rf"|(?P<super>[{_SUPERSCRIPTS}]+)"
    r"|(?P<sign>[-+−·*⊙⊗/^ᵀ√|()\[\],=<>≤≥≠:@])"
    r"|(?P<end>$))"
)
#: How a formula compares.
RELATIONS = {
    "<": ar.less,
    ">": ar.greater,
    "≤": ar.less_equal,
    "≥": ar.greater_equal,
    "=": ar.equal,
    "≠": ar.not_equal,
}
#: A reduction that keeps its axes, as in mean_axis1(x).
_KEPT = re.compile(r"(?P<name>mean|max|min)_(?:axis|axes)(?P<axes>\d+(_\d+)*)")
#: Functions that a formula calls under another name than the op's.
FUNCTIONS = {
    op.notation.signs[0]: op
    for op in ops.TABLE.values()
    if op.notation is not None and not callable(op.notation) and op.notation.layout == "call"
}


def read(text: str, names: Mapping[str, Any], functions: Mapping[str, Any] | None = None) -> Any:
    """The value of a formula, or its Symbol: whatever the names stand for is computed with.

    Args:
        text: a formula as `written` writes it.
        names: what each name means: a number, an array or a Symbol.
        functions: ops beside those of the library, by name.

    Raises:
        FormulaError: for a name that is not known, or text that is no formula.

    >>> read("2·a² - 1", {"a": 3.0})
    np.float64(17.0)
    """
    with np.errstate(all="ignore"):
        return _Reader(text, names, functions or {}).whole()


class _Reader:
    """A parser of operator precedence."""

    def __init__(self, text: str, names: Mapping[str, Any], functions: Mapping[str, Any]) -> None:
        self.text, self.names, self.functions = text, names, functions
        self.at = 0
        self.bars = 0
        self.advance()

    def advance(self) -> None:
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            raise self.refusal(f"cannot read {self.text[self.at :].strip()[:12]!r}")
        self.kind = match.lastgroup or ""
        self.piece = match.group(self.kind)
        if self.kind == "name":
            shorter = self.piece
            while shorter not in self.names and "[" in shorter:
                shorter = shorter[: shorter.rindex("[")]
            self.piece = shorter
        self.spaced = bool(match["space"])
        self.start = match.start(self.kind)
        self.at = self.start + len(self.piece)

    def refusal(self, why: str) -> FormulaError:
        return FormulaError(f"{why} in the formula {self.text!r}")

    def take(self, sign: str) -> None:
        if self.piece != sign:
            raise self.refusal(f"{sign!r} expected before {self.text[self.start :]!r}")
        self.advance()

    def whole(self) -> Any:
        result = self.expression(SUM)
        if self.kind != "end":
            raise self.refusal(f"cannot read {self.text[self.start :]!r}")
        return result

    def expression(self, least: int) -> Any:
        left = self.operand()
        while True:
            sign = self.piece if self.kind == "sign" else ""
            if sign in {"+", "-", "−"} and least <= SUM:
                self.advance()
                right = self.expression(PRODUCT)
                left = ar.add(left, right) if sign == "+" else ar.subtract(left, right)
            elif sign in {"·", "*", "⊙"} and least <= PRODUCT:
                self.advance()
                left = product(left, self.expression(MATRIX))
            elif sign == "/" and least <= PRODUCT:
                self.advance()
                left = ar.divide(left, self.expression(MATRIX))
            elif sign == "⊗" and least <= MATRIX:
                self.advance()
                left = outer_product(left, self.expression(SIGN))
            elif least <= MATRIX and self.spaced and self.begins_operand():
                left = ops.matmul(left, self.expression(SIGN))
            else:
                return left

    def begins_operand(self) -> bool:
        return self.kind in {"name", "number", "quoted"} or (
            self.piece in {"(", "[", "√"} or (self.piece == "|" and not self.bars)
        )

    def operand(self) -> Any:
        if self.kind == "sign" and self.piece in {"-", "−"}:
            self.advance()
            return ar.negative(self.expression(SIGN))
        if self.kind == "sign" and self.piece == "+":
            self.advance()
            return self.expression(SIGN)
        base = self.raised(self.atom())
        if self.kind == "sign" and self.piece == "^":
            self.advance()
            return ar.power(base, self.expression(SIGN if self.piece in "-−" else POWER))
        return base

    def raised(self, base: Any) -> Any:
        """What stands behind an atom: ², ᵀ and [index]."""
        while not self.spaced:
            if self.kind == "super":
                exponent = "".join("-0123456789"["⁻⁰¹²³⁴⁵⁶⁷⁸⁹".index(c)] for c in self.piece)
                self.advance()
                base = ar.power(base, float(exponent))
            elif self.piece == "ᵀ":
                self.advance()
                base = ops.matrix_transpose(base)
            elif self.piece == "[":
                index = self.until("]")
                parts = [_param(part, self.names) for part in _split(index)]
                base = base[parts[0] if len(parts) == 1 and not index.endswith(",") else (*parts,)]
            else:
                break
        return base

    def atom(self) -> Any:
        kind, piece = self.kind, self.piece
        if kind == "number":
            self.advance()
            return np.complex128(piece) if piece.endswith("j") else np.float64(piece)
        if kind == "quoted":
            self.advance()
            return self.value(piece[1:-1])
        if kind == "name":
            called = self.text[self.at : self.at + 1] == "("
            if called or piece.startswith("Σ"):  # a name that does so stands in backticks
                return self.call(piece)
            self.advance()
            return self.value(piece)
        self.advance()
        return self.bracketed(piece)

    def bracketed(self, opening: str) -> Any:
        """What stands in brackets: (…), √(…), |…|, and conditions [a > b]."""
        if opening == "[":
            return self.relation()
        if opening not in {"(", "√", "|"}:
            raise self.refusal(f"a number or a name expected before {self.text[self.start :]!r}")
        if opening == "√":
            self.take("(")
        self.bars += opening == "|"
        inside = self.expression(SUM)
        self.bars -= opening == "|"
        self.take("|" if opening == "|" else ")")
        if opening == "(":
            return inside
        return (ops.sqrt if opening == "√" else ops.absolute)(inside)

    def value(self, name: str) -> Any:
        if name not in self.names:  # between backticks a prime stands for a backtick, too
            name = next((n for n in self.names if n.replace("`", "′") == name), name)
        if name not in self.names:
            raise self.refusal(f"{name!r} is no name of the graph")
        value = self.names[name]
        if isinstance(value, float | int | np.bool_):
            return np.float64(value)
        is_mask = isinstance(value, np.ndarray) and value.dtype.kind == "b"
        return value.astype(float) if is_mask else value

    def relation(self) -> Any:
        left = self.expression(SUM)
        if self.piece not in RELATIONS:
            raise self.refusal("a comparison expected between [ and ]")
        compare = RELATIONS[self.piece]
        self.advance()
        right = self.expression(SUM)
        self.take("]")
        holds = compare(left, right)
        return holds if isinstance(holds, Traced) else np.multiply(holds, 1.0)

    def call(self, piece: str) -> Any:
        function = self.functions.get(piece) or FUNCTIONS.get(piece) or ops.TABLE.get(piece)
        self.advance()
        if piece.startswith("Σ") and function is None:
            inside = self.raised(self.atom())
            return summed_over(piece.partition("_")[2], inside)
        if function is None and (kept := _KEPT.fullmatch(piece)):
            self.advance()
            inside = self.expression(SUM)
            self.take(")")
            axes = tuple(int(n) for n in kept["axes"].split("_"))
            return ops.TABLE[kept["name"]](inside, axis=axes, keepdims=True)
        if function is None:
            raise self.refusal(f"{piece}() is no function of chainrule")
        self.take("(")
        arguments: list[Any] = []
        params: dict[str, Any] = {}
        while self.piece != ")":
            ahead = self.text[self.at :].lstrip()
            if self.kind == "name" and ahead.startswith("=") and self.piece in function.params:
                key = self.piece
                self.advance()
                params[key] = _param(self.until(",)", keep=True), self.names)
            elif function.sequence and self.piece == "[":
                self.advance()
                arguments.append(self.sequence())
            else:
                arguments.append(self.expression(SUM))
            if self.piece == ",":
                self.advance()
        self.take(")")
        return function(*arguments, **params)

    def sequence(self) -> list[Any]:
        items = []
        while self.piece != "]":
            items.append(self.expression(SUM))
            if self.piece == ",":
                self.advance()
        self.take("]")
        return items

    def until(self, closing: str, *, keep: bool = False) -> str:
        """The text behind the present piece, up to a sign that is in no inner bracket."""
        start = self.at
        for i, c, depth in _outside_quotes(self.text, start):
            if depth == 0 and c in closing:
                self.at = i if keep else i + 1
                self.advance()
                return self.text[start:i].strip()
        raise self.refusal(f"{closing!r} expected")


def product(a: Any, b: Any) -> Any:
    """A factor times another, in which zero times infinity is zero as in every gradient."""
    result = ar.multiply(a, b)
    return result if isinstance(result, Traced) else zero_wins(result, a, b)


def summed_over(axes: str, x: Any) -> Any:
    """The sum that Σ, Σ_batch or Σ_axis1 stands for: a leading axis goes, another stays as one."""
    if not axes:
        return ops.sum(x)
    if axes == "batch":
        return ops.sum(x, axis=0)
    numbers = tuple(int(n) for n in re.findall(r"\d+", axes))
    return ops.sum(x, axis=numbers, keepdims=True)


def _split(text: str) -> list[str]:
    """Parts between the commas that are in no bracket."""
    commas = [i for i, c, depth in _outside_quotes(text, 0) if c == "," and depth == 0]
    parts = [text[i + 1 : j] for i, j in pairwise([-1, *commas, len(text)])]
    return [part.strip() for part in parts if part.strip()]


def _outside_quotes(text: str, start: int) -> Iterator[tuple[int, str, int]]:
    """The characters of a text that are in no quotes, with the depth of brackets before each."""
    depth, quoted = 0, False
    for i in range(start, len(text)):
        c = text[i]
        quoted ^= c == "'"
        if not quoted:
            yield i, c, depth
            depth += (c in "([") - (c in ")]")


def _param(text: str, names: Mapping[str, Any]) -> Any:
    """A static argument: a literal, a name, a slice, an array or a tuple of them."""
    known = {"...": ...}.get(text, names.get(text))
    if known is not None:
        return known
    if re.fullmatch(r"-?\d*:-?\d*(:-?\d*)?", text):
        return slice(*[int(part) if part else None for part in text.split(":")])
    if text.startswith("("):
        return tuple(_param(part, names) for part in _split(text[1:-1]))
    if text.startswith("["):
        return np.array(ast.literal_eval(text))
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
