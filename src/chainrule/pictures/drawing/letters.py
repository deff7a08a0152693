"""How wide a text is, from the widths of the bundled font, and texts that fit."""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from pathlib import Path

#: Subsets of DejaVu Sans with its licence, so that text appears on a machine without fonts.
FONTS = Path(__file__).parent.parent / "fonts"
#: What a browser takes: the same font, or the one it is modelled on, or any.
FAMILY = "'DejaVu Sans', Verdana, sans-serif"
#: Units of the font in the width of its size.
EM = 2048
#: A character the font does not have; wide ones, such as Chinese, take a whole em.
UNKNOWN = 1300


@cache
def _widths() -> dict[str, dict[str, int]]:
    text = (FONTS / "widths.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, int]] = json.loads(text)
    return table


def width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a text at a font size."""
    widths = _widths()["bold" if bold else "normal"]
    return sum(widths.get(c) or _other(c) for c in text) * size / EM


def _other(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return EM if unicodedata.east_asian_width(character) in "WF" else UNKNOWN


def lacking(text: str) -> str:
    """The characters of a text that the bundled font does not have."""
    known = _widths()["normal"]
    return "".join(sorted(c for c in set(text) if c >= " " and c not in known))


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, with … where something is left out."""
    return text if len(text) <= most else text[: most - 1] + "…"
