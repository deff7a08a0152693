"""SVG text from a layout: our own boxes, edges and pills, so that every engine looks the same."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from chainrule.pictures.layout import CHARACTER, ROW, Layout, Point, Rectangle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.pictures.boxes import Box

#: kind -> fill of the header, line; tints of the Okabe-Ito palette.
COLOURS = {
    "leaf": ("#f9e1b4", "#d98c00"),
    "constant": ("#e8f2f9", "#7fb2d6"),
    "op": ("#e2e5ea", "#8a94a3"),
    "output": ("#f1d7e6", "#b4588f"),
}
INK, MUTED, PLUS, MINUS, EDGE = "#1b2430", "#5c6875", "#00609c", "#b04a00", "#8a94a3"
FONT = "'DejaVu Sans', Verdana, sans-serif"
PILL_HEIGHT = 15.0
#: Where along its last segment an edge may carry its pill, best first.
PILL_PLACES = (0.5, 0.38, 0.62, 0.28, 0.72)


def draw(title: str, boxes: Sequence[Box], labels: Sequence[str], layout: Layout) -> str:
    """The whole picture."""
    width, height = layout.width, layout.height
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.1f} {height:.1f}"'
            f' width="{width:.0f}" height="{height:.0f}" role="img" font-family="{FONT}">'
        ),
        f"<title>{escape(title, quote=False)}</title>",
        f"<desc>{len(boxes)} nodes, {len(labels)} edges; on an edge its local derivative.</desc>",
        f'<rect width="{width:.1f}" height="{height:.1f}" fill="#ffffff"/>',
    ]
    parts += [_edge(route) for route in layout.routes]
    parts += [_box(box, rectangle) for box, rectangle in zip(boxes, layout.boxes, strict=True)]
    taken: list[Rectangle] = []
    for label, route in zip(labels, layout.routes, strict=True):
        if label:
            parts.append(_pill(label, route, taken))
    return "\n".join([*parts, "</svg>\n"])


def _edge(route: Sequence[Point]) -> str:
    """A smooth line through the points, horizontal at each of them, with an arrow head."""
    (x, y), *rest = route
    path = [f"M{x:.1f} {y:.1f}"]
    for end in rest:
        middle = (x + end.x) / 2
        path.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {end.y:.1f} {end.x:.1f} {end.y:.1f}")
        x, y = end
    head = f"M{x - 7:.1f} {y - 3.5:.1f}L{x:.1f} {y:.1f}L{x - 7:.1f} {y + 3.5:.1f}z"
    return (
        f'<path d="{"".join(path)}" fill="none" stroke="{EDGE}" stroke-width="1.2"/>'
        f'<path d="{head}" fill="{EDGE}"/>'
    )


def _box(box: Box, at: Rectangle) -> str:
    fill, line = COLOURS[box.kind]
    x, top, right = at.x, at.y - at.height / 2, at.x + at.width
    outline = f'x="{x:.1f}" y="{top:.1f}" width="{at.width:.1f}" height="{at.height:.1f}" rx="6"'
    if not box.rows:
        return f'<rect {outline} fill="{fill}" stroke="{line}"/>' + _text(
            x + at.width / 2, at.y + 4, box.name, anchor="middle"
        )
    header = ROW * 1.35
    parts = [
        f'<rect {outline} fill="#ffffff"/>',
        (
            f'<path d="M{x:.1f} {top + header:.1f}V{top + 6:.1f}q0-6 6-6H{right - 6:.1f}q6 0 6 6'
            f'V{top + header:.1f}z" fill="{fill}"/>'
        ),
        f'<rect {outline} fill="none" stroke="{line}" stroke-width="1.4"/>',
        _text(x + 8, top + header - 6, box.name, weight="bold"),
    ]
    if box.role:
        parts.append(
            _text(right - 8, top + header - 6, box.role, anchor="end", colour=MUTED, size=9)
        )
    for i, (word, text) in enumerate(box.rows):
        y = top + header + ROW * (i + 0.85)
        colour = {"+": PLUS, "−": MINUS}.get(text[0], INK) if word == "grad" else INK
        parts += [
            _text(x + 8, y, word, colour=MUTED, size=9),
            _text(right - 8, y, text, anchor="end", colour=colour),
        ]
    return "".join(parts)


def _pill(label: str, route: Sequence[Point], taken: list[Rectangle]) -> str:
    """The partial on the last stretch of its edge, where it meets no other pill."""
    width = len(label) * CHARACTER * 0.9 + 8
    start, end = route[-2], route[-1]
    candidates = [_on_curve(start, end, t, width) for t in PILL_PLACES]
    free = [c for c in candidates if not any(_overlap(c, other) for other in taken)]
    pill = free[0] if free else candidates[0]
    taken.append(pill)
    return (
        f'<rect x="{pill.x:.1f}" y="{pill.y - PILL_HEIGHT / 2:.1f}" width="{width:.1f}"'
        f' height="{PILL_HEIGHT}" rx="{PILL_HEIGHT / 2}" fill="#ffffff" stroke="#d5dae1"/>'
        + _text(pill.x + width / 2, pill.y + 3.5, label, anchor="middle", size=10)
    )


def _on_curve(start: Point, end: Point, t: float, width: float) -> Rectangle:
    """A pill centred at parameter t of the curve that `_edge` draws between two points."""
    s = 1 - t
    middle = (start.x + end.x) / 2
    x = s**3 * start.x + 3 * s * t * middle + t**3 * end.x
    y = (s**3 + 3 * s * s * t) * start.y + (3 * s * t * t + t**3) * end.y
    return Rectangle(x - width / 2, y, width, PILL_HEIGHT)


def _overlap(a: Rectangle, b: Rectangle) -> bool:
    apart = a.x + a.width < b.x or b.x + b.width < a.x
    return not apart and abs(a.y - b.y) < PILL_HEIGHT


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    colour: str = INK,
    size: int = 11,
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}"'
        f' text-anchor="{anchor}" font-weight="{weight}">{escape(text, quote=False)}</text>'
    )
