"""Colours, from the palette of Okabe and Ito (2008), which all eyes can tell apart.

A colour is never the only sign: a gradient has + or −, a dead edge is dashed, a path is thick, a
kind of box has its word. Contrast of text is at least 4.5 to 1, of lines at least 3 to 1.
"""

from __future__ import annotations

from typing import NamedTuple


class Theme(NamedTuple):
    """The colours of a picture; a kind of box has a fill for its head and a line."""

    paper: str
    box: str
    ink: str
    muted: str
    edge: str
    rim: str
    hull: str
    hull_line: str
    plus: str
    minus: str
    flaw: str
    lit: str
    kinds: dict[str, tuple[str, str]]


LIGHT = Theme(
    paper="#ffffff",
    box="#ffffff",
    ink="#1b2430",
    muted="#4f5a67",
    edge="#7c8795",
    rim="#c3cad3",
    hull="#f4f6f9",
    hull_line="#aab4c0",
    plus="#00609c",
    minus="#a84300",
    flaw="#a02020",
    lit="#c75400",
    kinds={
        "input": ("#d6ecfa", "#2b8ac4"),
        "parameter": ("#fbe6bd", "#b37a00"),
        "constant": ("#eef1f4", "#7c8795"),
        "op": ("#e3e7ec", "#76818f"),
        "output": ("#f3dbe9", "#b0588c"),
        "group": ("#cfeee3", "#00805d"),
    },
)
DARK = Theme(
    paper="#12171f",
    box="#1a212b",
    ink="#e8edf3",
    muted="#a9b4c1",
    edge="#7f8b99",
    rim="#495563",
    hull="#171e28",
    hull_line="#5a6675",
    plus="#6cc0f0",
    minus="#f0a35e",
    flaw="#ff9a8c",
    lit="#ef7f2d",
    kinds={
        "input": ("#15425f", "#56b4e9"),
        "parameter": ("#543e0a", "#e69f00"),
        "constant": ("#252d38", "#8d98a6"),
        "op": ("#2d3743", "#8d98a6"),
        "output": ("#54294a", "#d98bb5"),
        "group": ("#0d4435", "#20b88d"),
    },
)
THEMES = ("light", "dark", "auto")


def style(theme: str) -> str:
    """The style sheet of a picture; a NUL stands for the prefix of its classes.

    With "auto" it is light, and dark where the reader's system is.
    """
    light = _rules(LIGHT)
    if theme == "page":  # a page has both, and a switch
        return light + _rules(DARK, ".dark ")
    if theme == "auto":
        return light + "@media (prefers-color-scheme:dark){" + _rules(DARK) + "}"
    return _rules(DARK) if theme == "dark" else light


def _rules(theme: Theme, around: str = "") -> str:
    rules = {
        "paper": f"fill:{theme.paper}",
        "body": f"fill:{theme.box}",
        "ink": f"fill:{theme.ink}",
        "muted": f"fill:{theme.muted}",
        "plus": f"fill:{theme.plus}",
        "minus": f"fill:{theme.minus}",
        "flaw": f"fill:{theme.flaw};font-weight:bold",
        "hull": f"fill:{theme.hull};stroke:{theme.hull_line}",
        "title text": f"paint-order:stroke;stroke:{theme.hull};stroke-width:4",
        "line": f"fill:none;stroke:{theme.edge}",
        "tip": f"fill:{theme.edge}",
        "pill": f"fill:{theme.paper};stroke:{theme.rim}",
        "on .\0line": f"stroke:{theme.lit}",
        "on .\0tip": f"fill:{theme.lit}",
        "on .\0pill": f"stroke:{theme.lit}",
        "on .\0rim": f"stroke:{theme.lit};stroke-width:2.6",
    }
    for kind, (fill, line) in theme.kinds.items():
        rules[f"{kind} .\0head"] = f"fill:{fill}"
        rules[f"{kind} .\0rim"] = f"fill:none;stroke:{line}"
    # What is lit comes last, so that it wins.
    ordered = sorted(rules.items(), key=lambda rule: rule[0].startswith("on "))
    return "".join(f"{around}.\0{name}{{{body}}}" for name, body in ordered)
