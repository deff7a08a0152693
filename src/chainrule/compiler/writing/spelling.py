"""How names, objects and calls are spelled in source."""

from __future__ import annotations

import builtins
import keyword
import re
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
        base = re.sub(r"\W", "_", wish) or "v"
        if base[0].isdigit() or keyword.iskeyword(base):
            base = f"v{base}"
        name, count = base, self._counts.get(base, 1)
        while name in self.taken:
            count += 1
            name = f"{base}_{count}"
        self._counts[base] = count
        self.taken.add(name)
        return name


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
        return f"np.{x.name}" if hasattr(np, x.name) else f"np.dtype({x.str!r})"
    if isinstance(x, type):
        return f"np.{x.__name__}" if issubclass(x, np.generic) else x.__name__
    if isinstance(x, complex):
        return f"complex({literal(x.real)}, {literal(x.imag)})"
    if isinstance(x, float) and not np.isfinite(x):
        return "np.nan" if x != x else ("np.inf" if x > 0 else "-np.inf")  # noqa: PLR0124
    if isinstance(x, tuple):
        inside = ", ".join(literal(item) for item in x)
        return f"({inside},)" if len(x) == 1 else f"({inside})"
    return "..." if x is ... else repr(x)


def comment(step: Step) -> str:
    """The shape of a result, for who reads."""
    shape = getattr(step.value, "shape", None)
    return f"  # {literal(shape)}" if shape else ""


def indented(lines: Sequence[str], depth: int) -> list[str]:
    """Lines further to the right."""
    return [INDENT * depth + line if line else line for line in lines]
