"""The names and functions that a formula may use, however a person spells them."""

from __future__ import annotations

import difflib
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from chainrule import ops
from chainrule.formulas.reading import FUNCTIONS
from chainrule.formulas.styles import GREEK
from chainrule.ops.linear_algebra import outer_product

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

#: Functions by the names that people give them.
SPELLINGS: dict[str, Any] = {
    **{name: op for name, op in ops.TABLE.items() if op.differentiable},
    **FUNCTIONS,
    "ln": ops.log,
    "sigma": ops.sigmoid,
    "logistic": ops.sigmoid,
    "ReLU": ops.relu,
    "abs": ops.absolute,
    "sqrt": ops.sqrt,
    "dot": ops.matmul,
    "outer": outer_product,
}


#: Names of a number of samples, terms or units: 1/N (…) is a coefficient.
COUNTS = {"N", "n", "M", "m", "B", "K"}
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


#: In LaTeX, what only changes the looks of a name, and what is put on top of it.
_LOOKS = re.compile(
    r"\\(?:math(?:bf|rm|it|sf|cal|bb)|boldsymbol|bm|text(?:rm|bf)?|vec|operatorname)\b"
)
_HATS = re.compile(r"\\(?:wide)?(hat|bar)\s*\{?\s*(\\?\w)\s*\}?")


@lru_cache(maxsize=65536)
def normal(name: str) -> str:
    """A name without what spellings of it differ in: W_{1}, W_1, W[1] and W1 are one."""
    name = _LOOKS.sub("", _HATS.sub(r"\2\1", name.translate(_LOWERED)))
    name = "".join(GREEK.get(c, c) for c in name).replace("varepsilon", "epsilon")
    name = name.replace("varphi", "phi")
    parts = unicodedata.normalize("NFD", name).replace("̂", "hat").replace("̄", "bar")
    return re.sub(r"[\s_{}\[\](),.\\^]", "", parts)


_DELTA = re.compile(r"(?:delta|δ|\\delta)_?\{?(?P<index>\w+)\}?")


def adjoint_of(text: str) -> str:
    """What dz2, δ2 or delta_2 is the derivative by: z2; "" for a text of another form."""
    match = _DELTA.fullmatch(text)
    if match:
        return f"z{match['index']}"
    return text[1:] if text[:1] in {"d", "∂"} else ""


class Vocabulary:
    """The names that a formula may use.

    Args:
        names: name -> number, array or node.
        functions: ops beside those of the library, by name.
        derivative: gives ∂y/∂x for two names; None where a formula may not use derivatives.
        root: what da2 is a derivative of, for the names in `claimed`.
    """

    def __init__(
        self,
        names: Mapping[str, Any],
        functions: Mapping[str, Any] | None = None,
        derivative: Callable[[str, str], Any] | None = None,
        root: str = "",
        claimed: Container[str] = (),
    ) -> None:
        self.names = names
        self.functions = {**SPELLINGS, **(functions or {})}
        self.derivative = derivative
        self.root, self.claimed = root, claimed
        self._normal: dict[str, list[str]] = {}
        for name in names:
            self._normal.setdefault(normal(name), []).append(name)

    def extended(self, name: str, value: Any) -> Vocabulary:
        """The same with one more name."""
        names = {**self.names, name: value}
        return Vocabulary(names, self.functions, self.derivative, self.root, self.claimed)

    def find(self, text: str) -> str | None:
        """The name that a piece of text means, None if it means none."""
        if text in self.names:
            return text
        same = self._normal.get(normal(text), [])
        return same[0] if len(same) == 1 else None

    def nearest(self, text: str) -> str:
        """The names like a text, for an error message."""
        near = difflib.get_close_matches(text, self.names, 3, 0.4)
        if near:
            return f"near it: {', '.join(near)}"
        some = [name for name in self.names if not name.startswith("∂")][:12]
        return f"there are {', '.join(some)}" if some else "there are no names yet"

    def product_of_names(self, text: str) -> list[str]:
        """The names that a text is put together from, none if it is not."""
        parts: list[str] = []
        while text:
            end = next((n for n in range(len(text), 0, -1) if self.find(text[:n])), 0)
            if not end:
                return []
            parts.append(text[:end])
            text = text[end:]
        return parts if len(parts) > 1 else []
