"""Cutting a formula that a person wrote in LaTeX into the tokens of plain text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chainrule.errors import FormulaError
from chainrule.formulas.styles import GREEK
from chainrule.formulas.tokens import Token, piece_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Commands that only move things or change their looks.
_SILENT = {
    *(",", ";", ":", "!", " ", ">", "quad", "qquad", "left", "right", "displaystyle", "limits"),
    *("big", "Big", "bigl", "bigr", "Bigl", "Bigr", "bigg", "Bigg", "nonumber", "textstyle"),
}
_LOOKS = {
    *("mathrm", "mathbf", "mathit", "mathsf", "mathcal", "boldsymbol", "bm", "text", "vec"),
    *("operatorname", "textrm", "textbf", "mathbb", "symbf"),
}
_SIGNS = {
    "cdot": "·", "times": "·", "ast": "·", "odot": "⊙", "circ": "⊙", "otimes": "⊗", "div": "/",
    "lbrack": "[", "rbrack": "]", "lvert": "|<", "rvert": ">|", "mid": "|", "vert": "|",
    "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "lt": "<", "gt": ">",
    "approx": "≈", "prime": "'", "lparen": "(", "rparen": ")", "sum": "Σ", "nabla": "∇",
    "partial": "∂", "top": "ᵀ", "intercal": "ᵀ", "{": "(", "}": ")", "|": "‖",
    "lVert": "‖<", "rVert": ">‖", "Vert": "‖",
}  # fmt: skip
_FUNCTIONS = {
    *("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "ln", "max", "min", "arcsin"),
    *("arccos", "arctan", "det"),
}
_LETTER_OF = {name: letter for letter, name in GREEK.items()} | {
    "epsilon": "ε", "phi": "φ", "ell": "ℓ",
}  # fmt: skip
_MATRICES = {"bmatrix", "pmatrix", "matrix", "array"}


def is_latex(text: str) -> bool:
    """Whether a formula is written in LaTeX."""
    return "\\" in text or "{" in text


#: What leaves a space before what follows.
_SPACE = re.compile(r"(?:\s|~|\\[,;:! ]|\\q?quad)$")
#: What raises a T to a transpose.
_TRANSPOSE = re.compile(
    r"\^\s*\{?\s*\\(?:top|intercal|(?:mathsf|mathrm|text|textsf|intercal)\s*\{\s*T\s*\})\s*\}?"
)
#: Bars that \\left and \\right say the direction of.
_BARS = {
    ("left", "|"): "|<", ("right", "|"): ">|", ("left", "\\|"): "‖<", ("right", "\\|"): ">‖",
    ("left", "\\lvert"): "|<", ("right", "\\rvert"): ">|",
    ("left", "\\lVert"): "‖<", ("right", "\\rVert"): ">‖",
    ("left", "\\Vert"): "‖<", ("right", "\\Vert"): ">‖",
}  # fmt: skip
_RUN = re.compile(r"[^\W\d_]+\d*")


class Latex:
    """A walk over LaTeX source that gives the tokens of plain text."""

    def __init__(self, text: str, start: int = 0, end: int | None = None) -> None:
        self.text = text
        self.at, self.end = start, len(text) if end is None else end

    def fail(self, why: str, at: int | None = None) -> FormulaError:
        return FormulaError(why, self.at if at is None else at)

    def tokens(self) -> Iterator[Token]:
        while self.at < self.end:
            c = self.text[self.at]
            if c.isspace() or c in "~&$":
                self.at += 1
            elif c == "\\":
                yield from self.command()
            elif c == "{":
                start = self.at
                inside = list(Latex(self.text, *self.group()).tokens())
                yield from (Token("sign", "(", start), *inside, Token("sign", ")", self.at - 1))
            elif c == "^":
                yield from self.raised()
            elif c.isalpha() and c != "ᵀ":
                yield from self.letters(self.at, c)
            else:
                yield from self.plain()

    def plain(self) -> Iterator[Token]:
        """A number or a sign as in plain text."""
        spaced = _SPACE.search(self.text[max(self.at - 6, 0) : self.at]) is not None
        pieces, self.at = piece_at(self.text, self.at, self.end)
        yield from (piece._replace(spaced=spaced) for piece in pieces)

    def spaces(self) -> None:
        while self.at < self.end and self.text[self.at].isspace():
            self.at += 1

    def script(self) -> tuple[int, int]:
        """The ends of what is raised or lowered: x^10 is x¹0 in LaTeX, which nobody means."""
        first, last = self.group()
        if self.text[first:last].isdigit() and self.text[last : last + 1].isdigit():
            raise self.fail("LaTeX raises or lowers one digit only: write {…} around all", first)
        return first, last

    def group(self) -> tuple[int, int]:
        """The ends of the argument in braces, or of the one character, that stands next."""
        self.spaces()
        if self.at >= self.end:
            raise self.fail("an argument is missing")
        if self.text[self.at] == "\\":
            match = re.compile(r"\\([A-Za-z]+|.)").match(self.text, self.at, self.end)
            if match is None:
                raise self.fail("a lone backslash")
            if match[1] in _READ:
                raise self.fail(f"write {{…}} around \\{match[1]} here", match.start())
            self.at = match.end()
            return match.span()
        if self.text[self.at] != "{":
            self.at += 1
            return self.at - 1, self.at
        depth, start = 0, self.at
        for i in range(start, self.end):
            escaped = i > 0 and self.text[i - 1] == "\\"
            depth += (self.text[i] == "{" and not escaped) - (self.text[i] == "}" and not escaped)
            if not depth:
                self.at = i + 1
                return start + 1, i
        raise self.fail("this { is never closed", start)

    def name_of_command(self) -> str:
        match = re.compile(r"\\([A-Za-z]+|.)").match(self.text, self.at, self.end)
        if match is None:
            raise self.fail("a lone backslash")
        self.at = match.end()
        return match[1]

    def command(self) -> Iterator[Token]:
        start = self.at
        name = self.name_of_command()
        if name in {"left", "right"}:
            self.spaces()
            bars = re.compile(r"\||\\(?:\||[lr]?[vV]ert\b)").match(self.text, self.at, self.end)
            if bars and (name, bars.group()) in _BARS:
                self.at = bars.end()
                yield Token("sign", _BARS[name, bars.group()], start)
                return
            bracket = self.text[self.at : self.at + 1]
            if bracket in {".", "[", "]"}:  # \\left[ … \\right] are round brackets in another size
                self.at += 1
                sign = {"[": "(", "]": ")"}.get(bracket)
                yield from [Token("sign", sign, start)] if sign else []
        elif name in _SILENT:
            pass
        elif name in _SIGNS:
            yield Token("sign", _SIGNS[name], start, tex=True)
        elif name in _FUNCTIONS:
            yield Token("name", name, start, spaced=True)
        elif name in _LETTER_OF:
            yield from self.letters(start, _LETTER_OF[name], whole=True)
        elif name in _READ:
            yield from _READ[name](self, start)
        else:
            what = "a second line" if name == "\\" else f"the command \\{name}"
            raise self.fail(f"{what} is not read", start)

    def root(self, start: int) -> Iterator[Token]:
        if self.text[self.at : self.at + 1] == "[":
            raise self.fail("only square roots are read: write x^{1/3}", start)
        yield Token("sign", "√", start)
        yield from self.parenthesised(start)

    def word(self, start: int) -> Iterator[Token]:
        """What a command such as mathrm marks as one name."""
        first, last = self.group()
        yield from self.letters(start, self.text[first:last].strip(), whole=True)

    def hat(self, start: int) -> Iterator[Token]:
        """A hat makes y_hat of y."""
        first, last = self.group()
        base = self.text[first:last].strip().lstrip("\\")
        yield from self.letters(start, f"{base}_hat", whole=True)

    def parenthesised(self, start: int) -> Iterator[Token]:
        yield Token("sign", "(", start)
        yield from Latex(self.text, *self.group()).tokens()
        yield Token("sign", ")", self.at - 1)

    def fraction(self, start: int) -> Iterator[Token]:
        above = list(Latex(self.text, *self.group()).tokens())
        below = list(Latex(self.text, *self.group()).tokens())
        y, x = _differential(above), _differential(below)
        if y and x:
            yield Token("derivative", f"{y}/{x}", start, tex=True)
            return
        yield Token("sign", "(", start)
        for part, sign in ((above, "/"), (below, ")")):
            yield from (Token("sign", "(", start), *part, Token("sign", ")", start))
            yield Token("sign", sign, start)

    def matrix(self, start: int) -> Iterator[Token]:
        first, last = self.group()
        kind = self.text[first:last].rstrip("*")
        if kind not in _MATRICES:
            raise self.fail(f"\\begin{{{kind}}} is not read, only a matrix", start)
        if kind == "array":
            self.group()
        closing = f"\\end{{{self.text[first:last]}}}"
        end = self.text.find(closing, self.at, self.end)
        if end < 0:
            raise self.fail(f"{closing} is missing", start)
        rows = [row for row in re.split(r"\\\\", self.text[self.at : end]) if row.strip()]
        at = self.at
        yield Token("sign", "[", start)
        for i, row in enumerate(rows):
            at = self.text.index(row, at)
            yield from ([Token("sign", ",", at)] if i else [])
            yield Token("sign", "[", at)
            for j, cell in enumerate(row.split("&")):
                yield from ([Token("sign", ",", at)] if j else [])
                yield from Latex(self.text, at, at + len(cell)).tokens()
                at += len(cell) + 1
            at -= 1
            yield Token("sign", "]", at)
        yield Token("sign", "]", end)
        self.at = end + len(closing)

    def letters(self, start: int, base: str, *, whole: bool = False) -> Iterator[Token]:
        """A run of letters, or a word that a command marks as one, with its index."""
        if not whole:
            match = _RUN.match(self.text, self.at, self.end)
            base = match.group() if match else base
            self.at += len(base)
        index = ""
        while self.at < self.end and self.text[self.at] == "_":
            self.at += 1
            first, last = self.script()
            index += "_" + re.sub(r"[\s{}\\]|mathrm|text|,", "", self.text[first:last])
        layer = re.compile(r"\^\{[\[(](\w+)[\])]\}").match(self.text, self.at, self.end)
        if layer:  # a^{[2]} and a^{(2)} name a layer
            self.at = layer.end()
            index = f"_{layer[1]}{index}"
        yield Token("name", base + index, start, spaced=True, tex=not whole or bool(index))

    def raised(self) -> Iterator[Token]:
        start = self.at
        if transposed := _TRANSPOSE.match(self.text, self.at, self.end):
            self.at = transposed.end()
            yield Token("sign", "ᵀ", start)
            return
        self.at += 1
        first, last = self.script()
        inside = self.text[first:last].strip()
        if inside in {"\\prime", "'"}:
            yield Token("sign", "'", start)
        else:
            tokens = list(Latex(self.text, first, last).tokens())
            yield Token("sign", "^", start)
            if len(tokens) == 1:
                yield tokens[0]._replace(spaced=False)
            else:
                yield from (Token("sign", "(", start), *tokens, Token("sign", ")", last))


def _differential(part: list[Token]) -> str:
    """The name in ∂E or dE, "" for anything else."""
    names = [token.text for token in part]
    if len(part) > 1 and names[0] in {"∂", "d"}:
        return "".join(names[1:])
    single = len(part) == 1 and part[0].kind == "name" and re.match("d[^_]", names[0])
    return names[0][1:] if single else ""


#: Commands with arguments.
_READ: dict[str, Callable[[Latex, int], Iterator[Token]]] = {
    **dict.fromkeys(("frac", "dfrac", "tfrac"), Latex.fraction),
    **dict.fromkeys(_LOOKS, Latex.word),
    "sqrt": Latex.root,
    "begin": Latex.matrix,
    "hat": Latex.hat,
    "widehat": Latex.hat,
}
