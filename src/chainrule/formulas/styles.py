"""The three languages that formulas are written in: plain text, LaTeX, MathML."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A name that needs no quotes in plain text: letters, digits, dots and primes, then indices.
NAME = r"[^\W\d⁰¹²³⁴-⁹ᵀ](?:(?![⁰¹²³⁴-⁹ᵀ])[\w.̄])*(?:\[[\w.,:\-′ ]*\])*[′″‴]*"
#: The name of an adjoint whose letter alone is no name.
DERIVATIVE_NAME = rf"∂(?:{NAME}|`[^`]*`)/∂(?:{NAME}|`[^`]*`)"
_PLAIN = re.compile(f"{NAME}|{DERIVATIVE_NAME}")
_DERIVATIVE = re.compile(rf"∂(?P<y>{NAME}|`[^`]*`)/∂(?P<x>{NAME}|`[^`]*`)")
_PARTS = re.compile(r"(?P<base>[^\W\d_]+?)_?(?P<sub>[\d_][\w]*|(?<=_)\w+)?(?P<primes>[′″‴]*)")
_INDEXED = re.compile(r"(?P<base>[^\[\]]+)\[(?P<index>[^\[\]]*)\](?P<primes>[′″‴]*)")
_TEX_SIGNS = {
    "·": r"\cdot",
    "⊙": r"\odot",
    "⊗": r"\otimes",
    "≤": r"\le",
    "≥": r"\ge",
    "≠": r"\ne",
    "Σ": r"\sum",
    "→": r"\to",
    "⊤": r"\top",
}
GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ",
        [
            *("alpha", "beta", "gamma", "delta", "varepsilon", "zeta", "eta", "theta", "iota"),
            *("kappa", "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon"),
            *("varphi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi"),
            *("Sigma", "Phi", "Psi", "Omega"),
        ],
        strict=True,
    )
)
#: Functions that LaTeX has a command for.
_TEX_FUNCTIONS = frozenset(
    {"sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "arcsin", "arccos", "arctan"}
    | {"max", "min", "det"}
)
_TEX_SPECIAL = {
    "\\": r"\backslash ",
    "{": r"\{",
    "}": r"\}",
    "^": r"\hat{}",
    "~": r"\sim ",
    "′": "'",
    "″": "''",
    "‴": "'''",
    "√": r"\surd ",
    "ᵀ": r"^{\top}",
    "∂": r"\partial ",
    "−": "-",
    "‖": r"\|",
    "·": r"\cdot ",
    "→": r"\to ",
    "↓": r"\downarrow ",
    "↑": r"\uparrow ",
    "…": r"\ldots ",
    **{c: "\\" + c for c in "_%#&$"},
    **{letter: f"\\{name} " for letter, name in GREEK.items()},
}
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class Style:
    """How the pieces of a formula are put together; the text style is the base of all."""

    def name(self, name: str) -> str:
        if _PLAIN.fullmatch(name) and not re.match(r"(inf|nan)\b|Σ", name):
            return name
        return "`" + name.replace("`", "′") + "`"

    def number(self, text: str) -> str:
        return text

    def words(self, text: str) -> str:
        return text

    def sign(self, sign: str) -> str:
        return sign

    def blank(self) -> str:
        return "____"

    def row(self, parts: Sequence[str]) -> str:
        return "".join(parts)

    def parenthesised(self, text: str) -> str:
        return f"({text})"

    def around(self, left: str, text: str, right: str) -> str:
        return f"{left}{text}{right}"

    def fraction(self, above: str, below: str) -> str:
        return f"{above}/{below}"

    def power(self, base: str, exponent: str) -> str:
        if re.fullmatch(r"-?\d", exponent):
            return base + exponent.translate(_SUPERSCRIPT)
        return f"{base}^{exponent}"

    def call(self, function: str, arguments: Sequence[str]) -> str:
        return f"{function}({', '.join(arguments)})"

    def derivative(self, y: str, x: str) -> str:
        return self.derivative_in(y, self.name(x))

    def grid(self, rows: Sequence[Sequence[str]], text: str) -> str:  # noqa: ARG002
        """The entries of a matrix; in plain text as NumPy shows it."""
        return text

    def derivative_in(self, y: str, x: str) -> str:
        """∂y/∂x, where x is written already."""
        return f"∂{self.name(y)}/∂{x}"

    #: Whether a fraction is written with a bar, which needs no parentheses.
    bars = False


def takes_bar(name: str) -> bool:
    """Whether a name is a letter with an index, over which a bar can be drawn."""
    simple = _PARTS.fullmatch(name) or _INDEXED.fullmatch(name)
    return bool(simple) and re.match(r"[^\W\d_](?![^\W\d_.])", name) is not None


def bar_name(root: str, name: str, *, bars: bool = True) -> str:
    """The name of an adjoint: ā2, and ∂E/∂out_o1 where the letter alone is no name."""
    if bars and takes_bar(name):
        return f"{name[0]}̄{name[1:]}"
    return f"∂{TEXT.name(root)}/∂{TEXT.name(name)}"


class Latex(Style):
    """LaTeX math, for `$…$`, KaTeX and MathJax."""

    bars = True

    def name(self, name: str) -> str:
        if derivative := _DERIVATIVE.fullmatch(name):
            return self.derivative(derivative["y"].strip("`"), derivative["x"].strip("`"))
        if name[1:2] == "̄":
            rest = self.name("x" + name[2:])
            return rf"\bar{{{_letters(name[0])}}}{rest[1:]}"
        if indexed := _INDEXED.fullmatch(name):
            base = self.name(indexed["base"])
            index = "".join(_TEX_SPECIAL.get(c, c) for c in indexed["index"])
            below = f"{base[:-1]},{index}}}" if "_{" in base else f"{base}_{{{index}}}"
            return below + _primes(indexed)
        parts = _PARTS.fullmatch(name)
        if parts is None:
            return self.words(name)
        base = _letters(parts["base"])
        sub = (parts["sub"] or "").strip("_")
        if re.fullmatch(r"[\d_]+", sub):  # w1_12, the weight 12 of layer 1
            sub = sub.replace("_", ",")
        elif len(sub) > 1:
            sub = _roman(sub)
        below = f"_{{{sub}}}" if sub else ""
        return f"{base}{below}{_primes(parts)}"

    def number(self, text: str) -> str:
        mantissa, e, exponent = text.partition("e")
        if not e:
            return {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\mathrm{NaN}"}.get(text, text)
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"

    def words(self, text: str) -> str:
        return _roman(text)

    def sign(self, sign: str) -> str:
        stripped = sign.strip()
        if not stripped:
            return r"\, "
        if stripped.startswith("Σ_"):
            return rf"\sum_{{{_roman(stripped[2:].replace('_', ','))}}} "
        return f" {_TEX_SIGNS.get(stripped, stripped)} "

    def blank(self) -> str:
        return r"\underline{\qquad}"

    def parenthesised(self, text: str) -> str:
        return rf"\left({text}\right)"

    def around(self, left: str, text: str, right: str) -> str:
        if left == "√(":
            return rf"\sqrt{{{text}}}"
        return rf"\left{left}{text}\right{right}"

    def fraction(self, above: str, below: str) -> str:
        return rf"\frac{{{above}}}{{{below}}}"

    def power(self, base: str, exponent: str) -> str:
        base = f"{{{base}}}" if "'" in base else base
        return f"{base}^{{{exponent}}}"

    def call(self, function: str, arguments: Sequence[str]) -> str:
        known = f"\\{function}" if function in _TEX_FUNCTIONS else _function(function)
        return rf"{known}\left({', '.join(arguments)}\right)"

    def grid(self, rows: Sequence[Sequence[str]], text: str) -> str:  # noqa: ARG002
        body = r" \\ ".join(" & ".join(map(self.number, row)) for row in rows)
        return rf"\begin{{bmatrix}} {body} \end{{bmatrix}}"

    def derivative_in(self, y: str, x: str) -> str:
        return rf"\frac{{\partial {self.name(y)}}}{{\partial {x}}}"


def _letters(base: str) -> str:
    if len(base) > 1:
        return _roman(base)
    return f"\\{GREEK[base]}" if base in GREEK else base


def _roman(text: str) -> str:
    return rf"\mathrm{{{''.join(_TEX_SPECIAL.get(c, c) for c in text).replace(' ', '~')}}}"


def _function(name: str) -> str:
    if name in GREEK:
        return f"\\{GREEK[name]}"
    return rf"\operatorname{{{''.join(_TEX_SPECIAL.get(c, c) for c in name)}}}"


def _primes(match: re.Match[str]) -> str:
    return "'" * sum(1 + "′″‴".index(c) for c in match["primes"])


class MathML(Style):
    """Presentation MathML, which browsers draw without any script."""

    bars = True

    def name(self, name: str) -> str:
        if derivative := _DERIVATIVE.fullmatch(name):
            return self.derivative(derivative["y"].strip("`"), derivative["x"].strip("`"))
        if name[1:2] == "̄":
            plain, letter = self.name(name[0] + name[2:]), f"<mi>{html.escape(name[0])}</mi>"
            return plain.replace(letter, f"<mover>{letter}<mo>¯</mo></mover>", 1)
        if indexed := _INDEXED.fullmatch(name):
            primes = _mo(indexed["primes"]) if indexed["primes"] else ""
            index = f"<mtext>{html.escape(indexed['index'])}</mtext>"
            below = f"<msub>{self.name(indexed['base'])}{index}</msub>"
            return f"<mrow>{below}{primes}</mrow>" if primes else below
        parts = _PARTS.fullmatch(name)
        if parts is None:
            return self.words(name)
        base = f"<mi>{html.escape(parts['base'])}</mi>"
        if sub := (parts["sub"] or "").strip("_"):
            numbers = re.fullmatch(r"[\d_]+", sub)
            kind, sub = ("mn", sub.replace("_", ",")) if numbers else ("mi", sub)
            base = f"<msub>{base}<{kind}>{html.escape(sub)}</{kind}></msub>"
        return f"<mrow>{base}{_mo(parts['primes'])}</mrow>" if parts["primes"] else base

    def number(self, text: str) -> str:
        mantissa, e, exponent = text.partition("e")
        sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
        row = (_mo("−") if sign else "") + f"<mn>{html.escape(digits)}</mn>"
        if e:
            power = f"<mn>{html.escape(str(int(exponent)))}</mn>".replace("-", "−")
            row += f"{_mo('⋅')}<msup><mn>10</mn>{power}</msup>"
        return f"<mrow>{row}</mrow>"

    def words(self, text: str) -> str:
        return f"<mtext>{html.escape(text)}</mtext>"

    def sign(self, sign: str) -> str:
        stripped = sign.strip()
        if not stripped:
            return '<mspace width="0.2em"/>'
        if stripped.startswith("Σ_"):
            return f"<munder>{_mo('∑')}{self.words(stripped[2:].replace('_', ','))}</munder>"
        return _mo({"·": "⋅", "-": "−"}.get(stripped, stripped))

    def blank(self) -> str:
        return '<mtext class="blank">____</mtext>'

    def row(self, parts: Sequence[str]) -> str:
        return f"<mrow>{''.join(parts)}</mrow>"

    def parenthesised(self, text: str) -> str:
        return f"<mrow>{_mo('(')}{text}{_mo(')')}</mrow>"

    def around(self, left: str, text: str, right: str) -> str:
        if left == "√(":
            return f"<msqrt>{text}</msqrt>"
        return f"<mrow>{_mo(left)}{text}{_mo(right)}</mrow>"

    def fraction(self, above: str, below: str) -> str:
        return f"<mfrac>{above}{below}</mfrac>"

    def power(self, base: str, exponent: str) -> str:
        return f"<msup>{base}{exponent}</msup>"

    def call(self, function: str, arguments: Sequence[str]) -> str:
        inside = _mo(",").join(arguments)
        return f"<mrow><mi>{html.escape(function)}</mi>{self.parenthesised(inside)}</mrow>"

    def grid(self, rows: Sequence[Sequence[str]], text: str) -> str:  # noqa: ARG002
        lines = [
            "<mtr>" + "".join(f"<mtd>{self.number(x)}</mtd>" for x in row) + "</mtr>"
            for row in rows
        ]
        return f"<mrow>{_mo('[')}<mtable>{''.join(lines)}</mtable>{_mo(']')}</mrow>"

    def derivative_in(self, y: str, x: str) -> str:
        d = "<mo>∂</mo>"
        return self.fraction(self.row([d, self.name(y)]), self.row([d, x]))


def _mo(sign: str) -> str:
    return f"<mo>{html.escape(sign)}</mo>"


TEXT, LATEX, MATHML = Style(), Latex(), MathML()
