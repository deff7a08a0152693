"""A scene in the DOT language, to be edited and drawn with Graphviz itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import graphviz

from chainrule.pictures.drawing.themes import LIGHT
from chainrule.pictures.scene import innermost

if TYPE_CHECKING:
    from chainrule.pictures.scene import Box, Path, Scene


def digraph(scene: Scene, *, downward: bool = False) -> graphviz.Digraph:
    """Boxes as records, scopes as clusters, partials as labels."""
    direction = "TB" if downward else "LR"
    dot = graphviz.Digraph(
        comment=scene.title.replace("\n", " "),
        graph_attr={"rankdir": direction},
        node_attr={"shape": "record", "style": "filled"},
    )
    parts: dict[Path, graphviz.Digraph] = {(): dot}
    drawn = [cluster.path for cluster in scene.clusters]
    for c, cluster in enumerate(scene.clusters):
        part = graphviz.Digraph(name=f"cluster_{c}")
        part.attr(label=graphviz.escape(cluster.title))
        parts[cluster.path] = part
    for i, box in enumerate(scene.boxes):
        parts[innermost(box.scope, drawn)].node(
            str(i), _label(box, downward=downward), fillcolor=LIGHT.kinds[box.kind][0]
        )
    for path in sorted(drawn, key=len, reverse=True):
        parts[innermost(path[:-1], drawn)].subgraph(parts[path])
    for edge in scene.edges:
        style = {"style": "dashed"} if edge.dead else {}
        dot.edge(str(edge.source), str(edge.target), label=graphviz.escape(edge.label), **style)
    return dot


def _label(box: Box, *, downward: bool) -> str:
    rows = [f"{box.name} {box.role}".strip(), *[f"{row.word} {row.text}" for row in box.rows]]
    fields = "|".join(graphviz.escape(_record_text(row)) for row in rows)
    return fields if not downward else "{" + fields + "}"


def _record_text(text: str) -> str:
    """Braces, bars and angles mean something in a record label."""
    return "".join("\\" + c if c in "{}|<>\\" else c for c in text)
