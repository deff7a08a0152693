"""How names, objects and calls are spelled in source."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.compiler.tracing.calls import Call
    from chainrule.compiler.tracing.trace import Step

INDENT = "    "
#: Names that generated source uses for itself.
RESERVED = {"np", "math", "make", "Mismatch", "Unusual", "ndarray", *dir(builtins)}


class Names:
    """Identifiers, each given once."""

    def __init__(self, taken: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        self.taken = RESERVED | taken
        self._counts: dict[str, int] = {}

    def new(self, wish: str) -> str:
        """The wish as an identifier, with a number where it is taken."""
        base = identifier(wish)
        name, count = base, self._counts.get(base, 1)
        while name in self.taken:
            count += 1
            name = f"{base}_{count}"
        self._counts[base] = count
        self.taken.add(name)
        return name


def identifier(wish: str) -> str:
    """A text as an identifier; Python reads those of one normal form as one: µ and μ, 𝑤 and w."""
    name = re.sub(r"\W", "_", unicodedata.normalize("NFKC", wish)) or "v"
    if not name.isidentifier():  # it begins with a digit, or has something such as ½
        name = "v" + re.sub(r"[^0-9A-Za-z_]", "_", name)
    return f"v{name}" if keyword.iskeyword(name) else name


class Text:
    """A program on its way: names, lines, and what comes from outside."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.setup: list[str] = []
        self.body: list[str] = []
        #: The results by their steps.
        self.called: dict[int, str] = {}
        #: Functions of others, and constants, by name.
        self.outside: dict[str, Any] = {}
        #: Functions of NumPy's and of Python's by the variables that hold them.
        self.functions: dict[str, str] = {}

    def local(self, text: str) -> str:
        """A function as a variable of the program: NumPy need not be looked into."""
        if text not in self.functions:
            self.functions[text] = self.names.new(
                text.removeprefix("np.").removeprefix("math.").replace(".", "_")
            )
        return self.functions[text]

    def functions_text(self) -> list[str]:
        """The variables that hold functions."""
        return [f"{name} = {text}" for text, name in self.functions.items()]

    def outsider(self, call: Call) -> str:
        """The name of a function that is not NumPy's."""
        for name, known in self.outside.items():
            if known is call.function:
                return name
        return self.keep(call.text, call.function)

    def keep(self, wish: str, thing: Any) -> str:
        """The name of an object from outside."""
        name = self.names.new(wish)
        self.outside[name] = thing
        return name

    def statements(self) -> list[str]:
        """The body."""
        return self.body

    def is_plain(self, _number: int) -> bool:
        """Whether a result is one of Python's numbers in the program."""
        return True

    def is_part(self, _number: int) -> bool:
        """Whether a result is part of something else: it is copied when it is handed out."""
        return False


def given_up(condition: str, why: str = "") -> list[str]:
    """Lines that leave a call to chainrule itself."""
    return [f"if {condition}:{f'  # {why}' if why else ''}", f"{INDENT}raise Unusual"]


def if_nan(size: str) -> list[str]:
    """Lines that look whether a number, which is NaN if any of some is, is NaN."""
    return given_up(f"{size} != {size}", "NaN: chainrule looks where it came from")


def called(call: Call, args: list[str], options: dict[str, str], out: str) -> str:
    """A call as text."""
    if call.style == "part":
        return f"{args[0]}[{args[1]}]"
    if call.style == "attribute":
        return f"{args[0]}.{call.text}"
    if call.style == "method":
        return f"{args[0]}.{call.text}({', '.join([*args[1:], *named(options)])})"
    if out:
        options = {**options, "out": out}
    return f"{call.text}({', '.join([*args, *named(options)])})"


def named(options: dict[str, str]) -> list[str]:
    """Keyword arguments as text."""
    return [f"{key}={text}" for key, text in options.items()]


def bracketed(text: str, operator: str = "", right: bool = False) -> str:
    """An operand of an operator, in brackets where Python would read it otherwise without."""
    found, depth = set(), 0
    for i, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if not depth and character in "+-*/%<>=!&|^" and text[max(0, i - 1)] != "e":
            found.add(character)
    if text.startswith("-") or " if " in text:
        found.add("word")
    allowed = {"+": {"*", "/"}, "-": {"*", "/"}}.get(operator, set())
    if not right:
        allowed = {"+": {*"+-*/"}, "-": {*"+-*/"}, "*": {*"*/"}, "/": {*"*/"}}.get(operator, set())
    return text if found <= allowed else f"({text})"


def literal(x: Any) -> str:
    """A plain object as source."""
    if isinstance(x, np.dtype):
        return f"np.{x.name}" if x.isnative and hasattr(np, x.name) else f"np.dtype({x.str!r})"
    if isinstance(x, type):
        return f"np.{x.__name__}" if issubclass(x, np.generic) else x.__name__
    if isinstance(x, complex):
        return f"complex({literal(x.real)}, {literal(x.imag)})"
    if isinstance(x, tuple):
        inside = ", ".join(literal(item) for item in x)
        return f"({inside},)" if len(x) == 1 else f"({inside})"
    return "..." if x is ... else _plain_literal(x)


def _plain_literal(x: Any) -> str:
    """A number, a text or None; an IntEnum as the number that it is."""
    if isinstance(x, float) and not np.isfinite(x):
        return "np.nan" if x != x else ("np.inf" if x > 0 else "-np.inf")  # noqa: PLR0124
    kind: Any = next((kind for kind in (bool, int, float, str) if isinstance(x, kind)), type(x))
    return str(kind.__repr__(x))


def comment(step: Step) -> str:
    """The shape of a result, for who reads."""
    shape = getattr(step.value, "shape", None)
    return f"  # {literal(shape)}" if shape else ""


def indented(lines: Sequence[str], depth: int) -> list[str]:
    """Lines further to the right."""
    return [INDENT * depth + line if line else line for line in lines]
