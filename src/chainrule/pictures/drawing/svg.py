"""The whole picture as SVG text: our own marks, so that every engine gives the same look."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from chainrule.pictures.drawing import marks
from chainrule.pictures.drawing.letters import FAMILY, width
from chainrule.pictures.drawing.pills import place_pills
from chainrule.pictures.drawing.themes import style
from chainrule.pictures.placing.plan import LEAST_COLUMN_GAP, MARGIN, Link, Task
from chainrule.pictures.scene import innermost

if TYPE_CHECKING:
    from chainrule.pictures.placing.plan import Layout
    from chainrule.pictures.scene import Scene

LINE_HEIGHT = 17.0
FADED = 0.22
MANY_EDGES = 150


class Drawing(NamedTuple):
    """A picture: its SVG, and the prefix of all ids and classes in it."""

    svg: str
    prefix: str


def task_of(scene: Scene, *, downward: bool = False) -> Task:
    """What a layout engine has to place."""
    paths = [cluster.path for cluster in scene.clusters]
    index = {path: c for c, path in enumerate(paths)}

    pills = [marks.pill_size(edge.label) for edge in scene.edges if edge.label]
    widest = max((pill.height if downward else pill.width for pill in pills), default=0.0)
    return Task(
        sizes=tuple(marks.size_of(box) for box in scene.boxes),
        links=tuple(Link(e.source, e.target, e.slot, e.slots) for e in scene.edges),
        inside=tuple(index.get(innermost(box.scope, index), -1) for box in scene.boxes),
        around=tuple(index.get(innermost(path[:-1], index), -1) for path in paths),
        gap=max(LEAST_COLUMN_GAP, widest + 2 * marks.ARROW + 12.0, _gap_of_many(scene)),
        downward=downward,
    )


def _gap_of_many(scene: Scene) -> float:
    """Between columns with many edges there is more room, so that they can be told apart."""
    return min(LEAST_COLUMN_GAP + 14.0 * len(scene.edges) / (len(scene.boxes) + 1), 180.0)


def draw(
    scene: Scene, layout: Layout, theme: str = "light", *, fades: bool = True, wide: float = 0.0
) -> Drawing:
    """The SVG of a scene with everything in its place.

    What is not lit fades, unless `fades` is false. It is at least `wide`.
    """
    hulls = list(zip(scene.clusters, layout.clusters, strict=True))
    parts = [marks.hull_mark(at) for _, at in hulls]
    boxes, edges = (None, None) if scene.lit is None else scene.lit
    for i, (edge, route) in enumerate(zip(scene.edges, layout.routes, strict=True)):
        thickness = marks.THIN + (marks.THICK - marks.THIN) * (edge.size or 0.0) ** 0.5
        if edges is not None and i in edges:
            thickness = max(thickness, 2.2)
        state = _state(i, edges, fades=fades)
        parts.append(marks.line_mark(i, route, edge.tip, thickness, state, dashed=edge.dead))
    for i, (box, at) in enumerate(zip(scene.boxes, layout.boxes, strict=True)):
        parts.append(marks.box_mark(i, box, at, _state(i, boxes, fades=fades)))
    pills = place_pills(
        [edge.label for edge in scene.edges],
        layout.routes,
        layout.boxes,
        layout.clusters,
        [marks.title_place(cluster.title, at) for cluster, at in hulls],
    )
    parts += [marks.title_mark(cluster.title, at) for cluster, at in hulls]
    for i, (edge, place) in enumerate(zip(scene.edges, pills, strict=True)):
        if place is not None:
            parts.append(
                marks.pill_mark(i, edge.label, edge.tip, place, _state(i, edges, fades=fades))
            )
    below, height, needed = _below(scene, layout)
    return _framed(scene, [*parts, *below], max(layout.width, needed, wide), height, theme)


def _state(i: int, lit: frozenset[int] | None, *, fades: bool) -> str:
    if lit is None:
        return ""
    return " \0on" if i in lit else " \0off" if fades else ""


def footer_width(text: str) -> float:
    """How wide a picture has to be for a headline below it."""
    return width(text, marks.NAME_SIZE, bold=True) + 2 * MARGIN


def _below(scene: Scene, layout: Layout) -> tuple[list[str], float, float]:
    """The footer and the notes, with the height of the picture and the width they need."""
    rows: list[tuple[str, bool, bool]] = []
    if scene.footer is not None:
        rows.append((scene.footer.headline, True, False))
        rows += [(line, False, False) for line in scene.footer.lines]
    remarks = [*scene.notes, layout.remark]
    rows += [(note, False, True) for note in remarks if note]
    parts, y, wide = [], layout.height, 0.0
    for text, bold, small in rows:
        y += LINE_HEIGHT
        parts.append(marks.line_of_text(MARGIN, y - 5, text, bold=bold, small=small))
        size = marks.SMALL_SIZE + 0.5 if small else marks.NAME_SIZE
        wide = max(wide, width(text, size, bold=bold) + 2 * MARGIN)
    return parts, y + (10.0 if rows else 0.0), wide


def _framed(scene: Scene, parts: list[str], wide: float, height: float, theme: str) -> Drawing:
    nodes, edges = len(scene.boxes), len(scene.edges)
    words = [f"{nodes} boxes, {edges} edges; on an edge its local derivative.", *scene.notes]
    if scene.footer is not None:
        words += [scene.footer.headline, *scene.footer.lines]
    # Of many lines those below can still be seen.
    thin = ".\0line{stroke-opacity:.5}.\0on .\0line{stroke-opacity:1}" if edges > MANY_EDGES else ""
    text = "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.1f} {height:.1f}"',
            f'width="{wide:.0f}" height="{height:.0f}" role="img"',
            f'aria-labelledby="\0title \0desc" font-family="{FAMILY}">',
            f'<title id="\0title">{marks.safe(scene.title)}</title>',
            f'<desc id="\0desc">{marks.safe(" ".join(words))}</desc>',
            f"<style>{style(theme)}{thin}.\0off{{opacity:{FADED}}}</style>",
            f'<rect width="{wide:.1f}" height="{height:.1f}" class="\0paper"/>',
            *parts,
            "</svg>\n",
        ]
    )
    prefix = "g" + hashlib.sha256(text.encode()).hexdigest()[:8] + "-"
    return Drawing(text.replace("\0", prefix), prefix)
