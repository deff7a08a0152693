"""The interactive page: one self-contained file with precomputed pictures and a small script."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from chainrule.pictures.drawing.marks import safe

if TYPE_CHECKING:
    from chainrule.pictures.picture import Picture
    from chainrule.pictures.showing.building import Target

ASSETS = Path(__file__).parent / "assets"
#: Pictures of opened groups in a page, and characters of SVG and of paths in it.
MOST_VIEWS, MOST_SVG, MOST_PATH_TEXT = 80, 2_500_000, 50_000
#: Nodes gone through to draw opened groups.
MOST_VIEW_WORK = 2_500_000
#: Names of what is in closed groups, for the search.
MOST_NAMES = 3000
#: Nodes gone through to find paths.
MOST_WORK = 60_000


def to_page(picture: Picture) -> str:
    """The page as HTML text."""
    target = picture.target
    views = [replace(picture, target=None)]
    drawn = [views[0].drawn("page")]
    opens: list[dict[int, int]] = []
    place: dict[Any, int] = {}
    groups = sum(box.kind == "group" for box in views[0].scene.boxes)
    alone = groups * len(drawn[0].svg) > MOST_SVG / 2
    most = min(MOST_VIEWS, 2 + MOST_VIEW_WORK // len(picture.reading.nodes))
    for current in views:  # which grows
        opens.append({})
        for i, key, inner in current.openable(views[0], alone=alone):
            size = sum(len(drawing.svg) for drawing in drawn)
            if key not in place and len(views) < most and size < MOST_SVG:
                place[key] = len(views)
                views.append(inner)
                drawn.append(inner.drawn("page"))
            if key in place:
                opens[-1][i] = place[key]
    sections = [
        f'<section id="view{v}"{" hidden" if v else ""}>{drawing.svg}</section>'
        for v, drawing in enumerate(drawn)
    ]
    budget = [MOST_PATH_TEXT, MOST_NAMES, MOST_WORK]
    data = {
        "theme": picture.options.theme or "auto",
        "views": [
            _data(one, drawing.prefix, opened, budget)
            for one, drawing, opened in zip(views, drawn, opens, strict=True)
        ],
        "chosen": None if target is None else _chosen(views[0], target),
    }
    script = (ASSETS / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Template((ASSETS / "page.html").read_text(encoding="utf-8")).substitute(
        title=safe(picture.scene.title),
        css=(ASSETS / "page.css").read_text(encoding="utf-8"),
        digest=f"sha256-{digest}",
        views="\n".join(sections),
        data=_json(data),
        script=script,
    )


def _json(data: Any) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    text = re.sub("[\ud800-\udfff]", "�", text)  # half a character, drawn in the boxes like this
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _data(picture: Picture, prefix: str, opens: dict[int, int], budget: list[int]) -> Any:
    """What the script needs to know of one picture."""
    scene, steps = picture.scene, picture.steps
    boxes = []
    for i, box in enumerate(scene.boxes):
        head = ", ".join(part for part in (box.name, box.role) if part)
        members = picture.names_in(i)[: budget[1]]
        budget[1] -= len(members)
        boxes.append(
            {
                "name": box.name,
                "head": head,
                "opens": opens.get(i, -1),
                "closed": box.kind == "group",
                "members": members,
            }
        )
    after = picture.reading.is_after_backward
    return {
        "prefix": prefix,
        "title": " · ".join([scene.title, picture.opened] if picture.opened else [scene.title]),
        "boxes": boxes,
        "edges": [[edge.source, edge.target] for edge in scene.edges],
        "steps": [
            {"text": step.text, "boxes": step.boxes, "edges": step.edges} for step in steps.steps
        ],
        "value": steps.value,
        "grads": steps.grads,
        "late": steps.late,
        "start": len(steps.steps) - 1 if after else steps.forward,
        "paths": _paths(picture, budget),
    }


def _chosen(picture: Picture, target: Target) -> dict[str, Any] | None:
    """The node whose paths are lit from the beginning."""
    units = enumerate(picture.units)
    box = next((i for i, u in units if any(x is target.node for x in u.items)), None)
    if box is None:
        return None
    footer = picture.paths_of(target).footer(picture.options.look.digits)
    return {"box": box, "told": [footer.headline, *footer.lines]}


def _paths(picture: Picture, budget: list[int]) -> dict[int, list[str]]:
    """The paths from each box in words, leaves first, as long as there is room."""
    found: dict[int, list[str]] = {}
    for i, node in picture.single_nodes():
        if budget[0] <= 0 or budget[2] <= 0:
            break
        budget[2] -= len(picture.reading.nodes)
        footer = picture.paths(node).footer(picture.options.look.digits)
        found[i] = [footer.headline, *footer.lines]
        budget[0] -= sum(map(len, found[i]))
    return found


def framed(page: str, height: int) -> str:
    """A page in a frame of its own, which may run its script and nothing else."""
    return (
        f'<iframe srcdoc="{escape(page, quote=True)}" sandbox="allow-scripts" width="100%"'
        f' height="{height}" style="border:1px solid #aab4c0;border-radius:6px"'
        ' title="computation graph" loading="lazy"></iframe>'
    )


class Framed:
    """An interactive page that a notebook shows in a sandboxed frame."""

    def __init__(self, page: str, height: int, words: str) -> None:
        self.page, self.height, self._words = page, height, words

    def _repr_html_(self) -> str:
        return framed(self.page, self.height)

    def __repr__(self) -> str:
        return self._words
