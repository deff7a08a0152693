"""Writing a formula: one walk over its tree, in any of the styles."""

from __future__ import annotations

import inspect
import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from chainrule.formulas.styles import TEXT, Style
from chainrule.ops.notation import ATOM, PRODUCT, SIGN, SUM, Notation, call


class Printed(NamedTuple):
    """A number as it is printed."""

    text: str


class NamedArray(np.ndarray):
    """A static argument that a formula calls by a name."""

    name: str


class Words(NamedTuple):
    """Text between formulas."""

    text: str


class Grid(NamedTuple):
    """The entries of a vector or a matrix, as they are printed; `text` is the plain form."""

    rows: tuple[tuple[str, ...], ...]
    text: str


class Blank(NamedTuple):
    """Something left out, to be filled in by the reader."""


class Derivative(NamedTuple):
    """∂y/∂x, by the names of the nodes."""

    y: str
    x: str


class DerivativeIn(NamedTuple):
    """∂y/∂(…), in what has no name."""

    y: str
    formula: Any


class Joined(NamedTuple):
    """Formulas in a row: the factors of a path with " · ", contributions with " + "."""

    parts: tuple[Any, ...]
    sign: str = " · "


def written(x: Any, style: Style = TEXT) -> str:
    """A formula in a style: a Symbol, a number, or one of the pieces of this module."""
    return _write(x, style)[0]


def _write(x: Any, style: Style) -> tuple[str, int]:
    """A formula and how tightly it binds."""
    writer = _PIECES.get(type(x))
    if writer is not None:
        piece: tuple[str, int] = writer(x, style)
        return piece
    if not hasattr(x, "op"):
        return constant_text(x, style)
    if x.op is None:
        return style.name(x.name), ATOM
    notation: Notation = x.op.written_as(x.inputs, x.params) or call(x.op.name)
    whole: tuple[str, int] = _LAYOUTS[notation.layout](x, notation, style)
    return whole


def number_text(x: float) -> str:
    """A constant of a formula without loss: 2, 0.25, 1/3, 1/√(2), or every digit."""
    if not math.isfinite(x):
        return repr(float(x))
    if x == int(x) and abs(x) < 1e15:
        return str(int(x))
    short = repr(float(x)).replace("e-0", "e-").replace("e+", "e")
    return short if len(short) <= 8 else _closed_form(x) or short


def _closed_form(x: float) -> str:
    """A long number as a fraction, a root or a logarithm that is exactly it; "" if none is."""
    sign = "-" if x < 0 else ""
    fraction, square = (Fraction(n).limit_denominator(1000) for n in (abs(x), x * x))
    forms = {
        str(fraction): fraction.numerator / fraction.denominator,
        f"√({square.numerator})": math.sqrt(square.numerator),
        f"1/√({square.denominator})": 1 / math.sqrt(square.denominator),
        "log(2)": math.log(2),
        "log(10)": math.log(10),
    }
    return next((sign + text for text, number in forms.items() if number == abs(x)), "")


def constant_text(x: Any, style: Style) -> tuple[str, int]:
    """A plain number or a small array."""
    if np.ndim(x):
        return style.words(np.array2string(np.asarray(x), separator=", ")), ATOM
    if isinstance(x, complex | np.complexfloating):
        return style.words(repr(complex(x))), ATOM
    text = number_text(float(x))
    if text.startswith(("log", "-log")):
        sign = [style.sign("-")] if text.startswith("-") else []
        argument = style.number(text.rpartition("(")[2][:-1])
        return style.row([*sign, style.call("log", [argument])]), SIGN if sign else ATOM
    above, slash, below = text.partition("/")
    several = slash or "e" in text
    precedence = PRODUCT if several else SIGN if text.startswith("-") else ATOM
    if slash:
        return style.fraction(_root(above, style), _root(below, style)), precedence
    return _root(text, style), precedence


def _root(text: str, style: Style) -> str:
    """A number that may be the square root of another."""
    sign, root, inside = text.partition("√(")
    if not root:
        return style.number(text)
    under = style.around("√(", style.number(inside[:-1]), ")")
    return style.row([style.sign("-"), under]) if sign else under


def _inside(x: Any, least: int, style: Style) -> str:
    text, precedence = _write(x, style)
    return text if precedence >= least else style.parenthesised(text)


def _infix(x: Any, notation: Notation, style: Style) -> tuple[str, int]:
    sign = notation.signs[0]
    if notation.arrays and all(getattr(part, "shape", ()) for part in x.inputs):
        sign = notation.arrays
    left, right = (
        _inside(part, least, style) for part, least in zip(x.inputs, notation.inner, strict=True)
    )
    if text_is_negative(x.inputs[1]) and not right.startswith(style.parenthesised("")[:1]):
        right = style.parenthesised(right)
    return style.row([left, style.sign(sign), right]), notation.precedence


def _prefix(x: Any, notation: Notation, style: Style) -> tuple[str, int]:
    inner = _inside(x.inputs[0], notation.inner[0], style)
    if text_is_negative(x.inputs[0]) and not inner.startswith(style.parenthesised("")[:1]):
        inner = style.parenthesised(inner)
    return style.row([style.sign(notation.signs[0]), inner]), notation.precedence


def _postfix(x: Any, notation: Notation, style: Style) -> tuple[str, int]:
    inner = _inside(x.inputs[0], ATOM, style)
    if style.bars:
        return style.power(inner, style.sign("⊤")), ATOM
    return inner + notation.signs[0], ATOM


def _around(x: Any, notation: Notation, style: Style) -> tuple[str, int]:
    left, right = notation.signs
    return style.around(left, _write(x.inputs[0], style)[0], right), ATOM


def _relation(x: Any, notation: Notation, style: Style) -> tuple[str, int]:
    left, right = (_inside(part, SUM, style) for part in x.inputs)
    return style.around("[", style.row([left, style.sign(notation.signs[0]), right]), "]"), ATOM


def _fraction(x: Any, notation: Notation, style: Style) -> tuple[str, int]:
    if style.bars:
        return style.fraction(*(_write(part, style)[0] for part in x.inputs)), PRODUCT
    above, below = (
        _inside(part, least, style) for part, least in zip(x.inputs, notation.inner, strict=True)
    )
    if text_is_negative(x.inputs[1]) and not below.startswith("("):
        below = style.parenthesised(below)
    return style.fraction(above, below), PRODUCT


def _power(x: Any, notation: Notation, style: Style) -> tuple[str, int]:
    base, exponent = x.inputs
    above = _write(exponent, style)[0] if style.bars else _inside(exponent, SIGN, style)
    return style.power(_inside(base, notation.inner[0], style), above), notation.precedence


def _call(x: Any, notation: Notation, style: Style) -> tuple[str, int]:
    arguments = [_write(part, style)[0] for part in x.inputs]
    if x.op.sequence:
        arguments = [style.around("[", style.sign(",").join(arguments), "]")]
    named = [
        style.row([style.words(f"{key}="), style.words(param_text(value))])
        for key, value in x.params.items()
        if not _goes_without_saying(x.op, key, value)
    ]
    return style.call(notation.signs[0], [*arguments, *named]), ATOM


def _goes_without_saying(op: Any, key: str, value: Any) -> bool:
    """Whether a static argument is what the op takes where none is given."""
    if value is not None and value is not False:
        return False
    try:
        default = inspect.signature(op.forward).parameters[key].default
    except (KeyError, TypeError, ValueError):  # some of NumPy's own have no signature
        return value is False
    return default is value or default is np._NoValue


def _bare(x: Any, notation: Notation, style: Style) -> tuple[str, int]:
    return style.call(notation.signs[0], [_write(part, style)[0] for part in x.inputs]), ATOM


def _index(x: Any, _notation: Notation, style: Style) -> tuple[str, int]:
    index = param_text(x.params["index"])
    if isinstance(x.params["index"], tuple):
        index = index.removeprefix("(").removesuffix(")").removesuffix(",")
    inner = _inside(x.inputs[0], ATOM, style)
    return style.row([inner, style.around("[", style.words(index), "]")]), ATOM


def _first(x: Any, _notation: Notation, style: Style) -> tuple[str, int]:
    return _write(x.inputs[0], style)


def param_text(value: Any) -> str:
    """A static argument as the text of a formula has it."""
    if isinstance(value, tuple):
        inside = ",".join(param_text(item) for item in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, slice):
        parts = [value.start, value.stop, value.step]
        text = ":".join("" if part is None else str(part) for part in parts)
        return text.removesuffix(":") if value.step is None else text
    if value is ... or isinstance(value, NamedArray):
        return "..." if value is ... else value.name
    if isinstance(value, np.ndarray):
        return np.array2string(value, separator=",", threshold=10**9).replace("\n", "")
    if isinstance(value, type | np.dtype):
        value = np.dtype(value).name
        return str(value)
    return repr(value.item() if isinstance(value, np.generic) else value)


#: Layouts that begin with their first input.
_LEFT_FIRST = {"infix", "fraction", "power", "postfix", "index", "first"}
_LAYOUTS = {
    "infix": _infix,
    "prefix": _prefix,
    "postfix": _postfix,
    "around": _around,
    "relation": _relation,
    "fraction": _fraction,
    "power": _power,
    "call": _call,
    "bare": _bare,
    "index": _index,
    "first": _first,
}


def _joined(x: Joined, style: Style) -> tuple[str, int]:
    if len(x.parts) == 1:
        return _write(x.parts[0], style)
    product = x.sign.strip() == "·"
    texts: list[str] = []
    for i, part in enumerate(x.parts):
        least = (PRODUCT if i == 0 else PRODUCT + 1) if product else SUM
        text, precedence = _write(part, style)
        # A product in the middle of a product needs no parentheses, a sign there does.
        own_product = product and precedence == PRODUCT
        negative = i > 0 and text_is_negative(part)
        if (precedence < least and not own_product) or negative:
            text = style.parenthesised(text)
        texts += [style.sign(x.sign), text] if texts else [text]
    return style.row(texts), PRODUCT if product else SUM


def text_is_negative(part: Any) -> bool:
    """Whether a formula begins with a minus sign: its leftmost piece decides."""
    while True:
        if isinstance(part, Printed):
            return part.text.startswith("-")
        if isinstance(part, Joined):
            part = part.parts[0]
        elif not hasattr(part, "op"):
            return not np.ndim(part) and not np.iscomplexobj(part) and float(part) < 0
        elif part.op is None:
            return False
        else:
            notation = part.op.written_as(part.inputs, part.params)
            if notation is None or notation.layout not in _LEFT_FIRST:
                return notation is not None and notation.signs[:1] == ("-",)
            part = part.inputs[0]


def _printed(x: Printed, style: Style) -> tuple[str, int]:
    if x.text.startswith("-"):
        return style.number(x.text), SIGN
    return style.number(x.text), PRODUCT if "e" in x.text else ATOM


_PIECES: dict[type, Any] = {
    Printed: _printed,
    Words: lambda x, style: (style.words(x.text), ATOM),
    Blank: lambda _x, style: (style.blank(), ATOM),
    Derivative: lambda x, style: (style.derivative(x.y, x.x), ATOM),
    DerivativeIn: lambda x, style: (
        style.derivative_in(x.y, style.parenthesised(written(x.formula, style))),
        ATOM,
    ),
    Grid: lambda x, style: (style.grid(x.rows, x.text), ATOM),
    Joined: _joined,
}
