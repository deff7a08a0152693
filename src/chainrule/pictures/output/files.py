"""Pictures as files, the format from the extension."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.pictures.output.animation import FORMATS, SECONDS, animation
from chainrule.pictures.output.dot import digraph
from chainrule.pictures.output.page import to_page
from chainrule.pictures.output.raster import to_pdf, to_png

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.pictures.picture import Picture


def render_as(picture: Picture, path: str | Path) -> bytes:
    """A picture in the format of an extension."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in FORMATS:
        return animation(picture, path, SECONDS)
    writer = WRITERS.get(suffix)
    if writer is None:
        *most, last = [*WRITERS, *FORMATS]
        raise ValueError(
            f"cannot render to {path.name!r}: its extension should be {', '.join(most)} or {last}"
        )
    made = writer(picture)
    return made.encode("utf-8", "replace") if isinstance(made, str) else made


def write(path: str | Path, data: bytes) -> Path:
    """A file, when all of it is there."""
    path = Path(path)
    path.write_bytes(data)
    return path


def to_json(picture: Picture) -> str:
    """Boxes, edges and clusters with their places, for other programs."""
    scene, layout = picture.scene, picture.layout
    boxes = [
        {
            "name": box.name,
            "role": box.role,
            "kind": box.kind,
            "scope": ".".join(box.scope),
            "members": box.members,
            "rows": [[row.word, row.text] for row in box.rows],
            "at": [round(x, 1) for x in at],
        }
        for box, at in zip(scene.boxes, layout.boxes, strict=True)
    ]
    edges = [
        {
            "source": edge.source,
            "target": edge.target,
            "slot": edge.slot,
            "label": edge.label,
            "formula": edge.tip,
            "dead": edge.dead,
            "route": [[round(p.x, 1), round(p.y, 1)] for p in route],
        }
        for edge, route in zip(scene.edges, layout.routes, strict=True)
    ]
    clusters = [
        {"name": cluster.title, "at": [round(x, 1) for x in at]}
        for cluster, at in zip(scene.clusters, layout.clusters, strict=True)
    ]
    whole: dict[str, Any] = {
        "title": scene.title,
        "size": [round(layout.width, 1), round(layout.height, 1)],
        "engine": layout.engine,
        "boxes": boxes,
        "edges": edges,
        "clusters": clusters,
        "notes": list(scene.notes),
    }
    if scene.footer is not None:
        whole["paths"] = [scene.footer.headline, *scene.footer.lines]
    return json.dumps(whole, ensure_ascii=False, indent=1)


WRITERS: dict[str, Callable[[Picture], str | bytes]] = {
    ".svg": lambda picture: picture.drawn(picture.options.theme or "light").svg,
    ".png": lambda picture: to_png(picture.drawn(picture.still_theme).svg, picture.options.dpi),
    ".html": to_page,
    ".pdf": lambda picture: to_pdf(picture.drawn(picture.still_theme).svg),
    ".dot": lambda picture: digraph(picture.scene, downward=picture.options.downward).source,
    ".json": to_json,
}
