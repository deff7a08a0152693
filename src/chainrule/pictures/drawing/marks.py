"""The marks of a picture as SVG: boxes, lines, pills, hulls.

A NUL stands for the prefix of names, which is known when all is drawn.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from chainrule.pictures.drawing.letters import width
from chainrule.pictures.placing.plan import Point, Rectangle, Size
from chainrule.pictures.scene import gradient_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.pictures.scene import Box, Row

HEAD, ROW, SIDE = 19.0, 15.0, 8.0
NAME_SIZE, TEXT_SIZE, SMALL_SIZE = 11.0, 10.5, 9.0
PILL_HEIGHT, PILL_SIZE, PILL_SIDE = 14.0, 9.5, 5.0
#: Length and half width of an arrow head.
ARROW, ARROW_WIDTH = 7.0, 3.4
#: A line is so thick where nothing is known, and at most.
THIN, THICK = 1.1, 3.2
#: What XML cannot hold.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")


def safe(text: str) -> str:
    """A text for XML: escaped, without the characters that XML cannot hold."""
    return escape(_CONTROL.sub("�", text), quote=True)


def is_small(box: Box) -> bool:
    """Whether a box is one line: a constant number."""
    return box.role == "constant" and len(box.rows) <= 1


def size_of(box: Box) -> Size:
    """The size a box needs."""
    if is_small(box):
        gap = 6.0 if box.name and box.rows else 0.0
        inside = width(box.name, NAME_SIZE, bold=True) + gap
        inside += sum(width(row.text, TEXT_SIZE) for row in box.rows)
        return Size(max(inside + 2 * SIDE, 24.0), HEAD)
    role = width(box.role, SMALL_SIZE) + 10.0 if box.role else 0.0
    widest = width(box.name, NAME_SIZE, bold=True) + role
    for row in box.rows:
        word = width(row.word, SMALL_SIZE) + 10.0 if row.word else 0.0
        widest = max(widest, word + width(row.text, TEXT_SIZE, bold=row.tone == "flaw"))
    bottom = 4.0 if box.rows else 0.0
    return Size(max(widest + 2 * SIDE, 44.0), HEAD + ROW * len(box.rows) + bottom)


def box_mark(i: int, box: Box, at: Rectangle, state: str) -> str:
    """A box with its rows; `state` is a class more, for what is lit or faded."""
    classes = f'class="\0node \0{box.kind}{state}" id="\0n{i}"'
    opening = f"<g {classes}><title>{safe(box.tip or box.name)}</title>"
    left, top, right = at.left, at.top, at.right
    outline = f'x="{left:.1f}" y="{top:.1f}" width="{at.width:.1f}" height="{at.height:.1f}"'
    radius = HEAD / 2 if is_small(box) else 6
    rim = f'<rect {outline} rx="{radius:g}" class="\0rim" stroke-width="1.3"/>'
    if is_small(box):
        parts = [f'<rect {outline} rx="{radius:g}" class="\0head"/>', rim]
        x = left + SIDE
        if box.name:
            parts.append(_text(x, top + 13.4, box.name, "ink", bold=True))
        parts += [
            _text(right - SIDE, top + 13.4, row.text, row.tone or "ink", TEXT_SIZE, anchor="end")
            for row in box.rows
        ]
        return "".join([opening, *parts, "</g>"])
    up, across = f"v{6 - HEAD:.1f}q0-6 6-6", f"H{right - 6:.1f}q6 0 6 6v{HEAD - 6:.1f}z"
    shade = f"M{left:.1f} {top + HEAD:.1f}{up}{across}"
    parts = [
        f'<rect {outline} rx="6" class="\0body"/>',
        f'<path d="{shade}" class="\0head"/>'
        if box.rows
        else f'<rect {outline} rx="6" class="\0head"/>',
        rim,
        _text(left + SIDE, top + 13.4, box.name, "ink", bold=True),
    ]
    if box.role:
        parts.append(_text(right - SIDE, top + 13, box.role, "muted", SMALL_SIZE, anchor="end"))
    rows = [
        _row(row, left + SIDE, right - SIDE, top + HEAD + ROW * (k + 0.76))
        for k, row in enumerate(box.rows)
    ]
    split = len(rows) - len(gradient_part(box.rows))
    for letter, some in (("v", rows[:split]), ("g", rows[split:])):
        if some:
            parts.append(f'<g id="\0{letter}{i}">{"".join(some)}</g>')
    return "".join([opening, *parts, "</g>"])


def _row(row: Row, left: float, right: float, y: float) -> str:
    word = _text(left, y, row.word, "muted", SMALL_SIZE) if row.word else ""
    bold = row.tone == "flaw"
    return word + _text(right, y, row.text, row.tone or "ink", TEXT_SIZE, anchor="end", bold=bold)


def hull_mark(at: Rectangle) -> str:
    """A scope behind its boxes."""
    return (
        f'<rect x="{at.left:.1f}" y="{at.top:.1f}" width="{at.width:.1f}"'
        f' height="{at.height:.1f}" rx="8" class="\0hull"/>'
    )


def title_mark(title: str, at: Rectangle) -> str:
    """The name of a scope, over the edges, as much of it as there is room for."""
    room = at.width - 18
    if width(title, NAME_SIZE, bold=True) > room:  # the hulls around have the rest
        title = title.rpartition(".")[2] or title
    while len(title) > 2 and width(title, NAME_SIZE, bold=True) > room:
        title = title[:-2].rstrip("…") + "…"
    text = _text(at.left + 9, at.top + 15, title, "muted", NAME_SIZE, bold=True)
    return f'<g class="\0title">{text}</g>'


def title_place(title: str, at: Rectangle) -> Rectangle:
    """Where the title of a scope stands."""
    size = min(width(title, NAME_SIZE, bold=True), at.width - 18)
    return Rectangle(at.left + 9, at.top + 4, size, 14.0)


def line_mark(
    i: int, route: Sequence[Point], tip: str, thickness: float, state: str, *, dashed: bool
) -> str:
    """An edge with its arrow head."""
    *_, before, end = route
    dx, dy = end.x - before.x, end.y - before.y
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    ux, uy = dx / length, dy / length
    wide = ARROW_WIDTH + 0.5 * thickness
    base = Point(end.x - ux * (ARROW + thickness), end.y - uy * (ARROW + thickness))
    corners = [(base.x - uy * wide, base.y + ux * wide), (base.x + uy * wide, base.y - ux * wide)]
    head = f"M{end.x:.1f} {end.y:.1f}" + "".join(f"L{x:.1f} {y:.1f}" for x, y in corners) + "z"
    path = f"M{route[0].x:.1f} {route[0].y:.1f}"
    for k in range(1, len(route), 3):
        a, b, c = route[k : k + 3]
        if k + 3 >= len(route):  # the line ends where the arrow head begins
            b = Point(b.x + (base.x - c.x) * 0.5, b.y + (base.y - c.y) * 0.5)
            c = base
        path += f"C{a.x:.1f} {a.y:.1f} {b.x:.1f} {b.y:.1f} {c.x:.1f} {c.y:.1f}"
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<g class="\0edge{state}" id="\0e{i}"><title>{safe(tip)}</title>'
        f'<path d="{path}" class="\0line" stroke-width="{thickness:.1f}"{dashes}/>'
        f'<path d="{head}" class="\0tip"/></g>'
    )


def pill_size(label: str) -> Size:
    """The size of the pill of a label."""
    return Size(width(label, PILL_SIZE) + 2 * PILL_SIDE, PILL_HEIGHT)


def pill_mark(i: int, label: str, tip: str, at: Rectangle, state: str) -> str:
    """A label on its edge."""
    tone = "minus" if label.startswith("−") else "ink"
    return (
        f'<g class="\0label{state}" id="\0p{i}"><title>{safe(tip)}</title>'
        f'<rect x="{at.left:.1f}" y="{at.top:.1f}" width="{at.width:.1f}"'
        f' height="{at.height:.1f}" rx="{at.height / 2:.1f}" class="\0pill"/>'
        + _text(at.middle.x, at.top + 10.3, label, tone, PILL_SIZE, anchor="middle")
        + "</g>"
    )


def line_of_text(x: float, y: float, text: str, *, bold: bool = False, small: bool = False) -> str:
    """A line below the picture."""
    tone, size = ("muted", SMALL_SIZE + 0.5) if small else ("ink", NAME_SIZE)
    return _text(x, y, text, tone, size, bold=bold)


def _text(
    x: float,
    y: float,
    text: str,
    tone: str,
    size: float = NAME_SIZE,
    *,
    anchor: str = "start",
    bold: bool = False,
) -> str:
    more = "" if anchor == "start" else f' text-anchor="{anchor}"'
    more += ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" class="\0{tone}"{more}>'
        f"{safe(text)}</text>"
    )
