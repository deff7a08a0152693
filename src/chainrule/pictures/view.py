"""What a picture of a graph shows: a box for each node, an edge for each use of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import graphviz
import numpy as np

from chainrule.engine import Node, newest_first
from chainrule.errors import ChangedDataError
from chainrule.pictures.boxes import Box, Edge
from chainrule.pictures.layout import Item, lay_out
from chainrule.pictures.raster import to_png
from chainrule.pictures.svg import draw

if TYPE_CHECKING:
    from collections.abc import Sequence

#: More boxes than this are no picture any more.
MAX_BOXES = 400


@dataclass(frozen=True)
class GraphView:
    """The boxes and edges of a computation graph; `render` writes it to a file."""

    title: str
    boxes: Sequence[Box]
    edges: Sequence[Edge]

    def to_svg(self) -> str:
        """The picture as SVG text, drawn with a built-in layered layout."""
        items = [Item(2 + len(box.rows), _widest(box)) for box in self.boxes]
        layout = lay_out(items, [(e.source, e.target, e.slot, e.slots) for e in self.edges])
        return draw(self.title, self.boxes, [edge.label for edge in self.edges], layout)

    def to_dot(self) -> graphviz.Digraph:
        """The graph for Graphviz, to be edited and drawn with the `dot` program."""
        dot = graphviz.Digraph(
            comment=self.title, graph_attr={"rankdir": "LR"}, node_attr={"shape": "record"}
        )
        for i, box in enumerate(self.boxes):
            rows = [
                f"{box.name} {box.role}".strip(),
                *[f"{word} {text}" for word, text in box.rows],
            ]
            dot.node(str(i), "|".join(graphviz.escape(_record_text(row)) for row in rows))
        for edge in self.edges:
            dot.edge(str(edge.source), str(edge.target), label=graphviz.escape(edge.label))
        return dot

    def render(self, path: str | Path) -> Path:
        """Write the picture; the extension decides: .svg, .png (extra `pictures`) or .dot.

        Raises:
            ValueError: for another extension.
            ModuleNotFoundError: for .png without resvg-py.
        """
        path = Path(path)
        if path.suffix == ".svg":
            path.write_text(self.to_svg(), encoding="utf-8")
        elif path.suffix == ".png":
            path.write_bytes(to_png(self.to_svg()))
        elif path.suffix == ".dot":
            path.write_text(self.to_dot().source, encoding="utf-8")
        else:
            raise ValueError(f"cannot render to {path.name!r}: use .svg, .png or .dot")
        return path

    def _repr_svg_(self) -> str:
        return self.to_svg()


def graph(root: Node, *, digits: int = 4) -> GraphView:
    """A picture of the graph under a node: values, gradients, and on an edge its partial.

    A Value has one partial for each edge; between arrays there is no single number, those edges are
    bare. A gradient that is not stored (before backward, or on an unlabelled Tensor in between)
    shows as "·". An array of more than four entries shows as its norm, "‖·‖".

    Args:
        root: a Value or Tensor. Call `backward()` first to see gradients.
        digits: significant digits of the numbers.

    Raises:
        TypeError: if root is not a node.
        ValueError: for a graph of more than 400 boxes.
        ChangedDataError: if data was changed since the graph was recorded.

    >>> import chainrule as cr
    >>> a = cr.Value(2.0, label="a")
    >>> view = cr.graph(a * a)
    >>> len(view.boxes), [edge.label for edge in view.edges]
    (2, ['2', '2'])
    """
    if not isinstance(root, Node):
        raise TypeError(f"a picture needs a Value or a Tensor, got {type(root).__name__}")
    nodes = sorted(newest_first(root), key=lambda node: node.index)
    if len(nodes) > MAX_BOXES:
        raise ValueError(
            f"{len(nodes)} nodes are too many for one picture (limit {MAX_BOXES}): draw the graph"
            f" of one sample, or a smaller part"
        )
    boxes: list[Box] = []
    edges: list[Edge] = []
    place: dict[int, int] = {}
    for node in nodes:
        sources = []
        _refuse_stale(node)
        for x in node.inputs:
            if not isinstance(x, Node):
                boxes.append(Box(_number(x, digits), "", "constant", ()))
            sources.append(place[x.index] if isinstance(x, Node) else len(boxes) - 1)
        place[node.index] = len(boxes)
        boxes.append(_box(node, node is root, digits))
        for slot, source in enumerate(sources):
            label = _partial(node, slot, digits)
            edges.append(Edge(source, place[node.index], slot, len(sources), label))
    return GraphView(f"Computation graph of {root.label or 'a result'}", boxes, edges)


def render(root: Node, path: str | Path, *, digits: int = 4) -> Path:
    """Write a picture of the graph under a node: `graph(root).render(path)`."""
    return graph(root, digits=digits).render(path)


def _refuse_stale(node: Node) -> None:
    """A picture of old results beside new data would lie."""
    for x in node.inputs:
        if isinstance(x, Node) and x.index > node.index:
            raise ChangedDataError(
                f"the data of '{x.label or 'a leaf'}' was changed after {node.describe()}: draw the"
                f" graph before changing data, or run the forward pass again"
            )
    if node.op is not None:
        node.check_unchanged()


def _box(node: Node, is_root: bool, digits: int) -> Box:
    sign = "" if node.op is None else op_sign(node.op)
    kind = "output" if is_root else "leaf" if node.op is None else "op"
    rows = [("value", _number(node._held, digits))]
    if np.shape(node._held):
        rows.insert(0, ("shape", str(np.shape(node._held)).replace(" ", "")))
    rows.append(("grad", "·" if node.grad is None else _number(node.grad, digits, signed=True)))
    name = node.label or sign or "leaf"
    return Box(name, sign if node.label else "", kind, tuple(rows))


def op_sign(op: Any) -> str:
    """The sign of an op in a small space: × + - / ^, or its name."""
    notation = op.written_as((), {}) if not callable(op.notation) else None
    sign = "".join(notation.signs).strip() if notation else ""
    return {"·": "×", "-": "−"}.get(sign, sign) if len(sign) == 1 else op.name


def _partial(node: Node, slot: int, digits: int) -> str:
    """The local derivative along an edge of a Value graph; an array has no single one."""
    x = node.inputs[slot]
    if not isinstance(x, Node) or np.shape(x._held) or np.shape(node._held):
        return ""
    partial = None if node.partials is None else node.partials[slot]
    if node.partials is None:
        op: Any = node.op
        values = [v._held if isinstance(v, Node) else v for v in node.inputs]
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                (partial,) = op.vjp([slot], node.new_seed(None), node._held, values, node.params)
        except (ArithmeticError, ValueError):
            return "∞"
    return "" if partial is None else _number(float(partial), digits)


def _number(x: Any, digits: int, *, signed: bool = False) -> str:
    array = np.asarray(x)
    if array.size > 4:
        return f"‖·‖ {np.linalg.norm(array):.{digits}g}"
    if array.shape:
        return "[" + " ".join(f"{entry:.3g}" for entry in array.flat) + "]"
    return f"{float(array):{'+' if signed else ''}.{digits}g}".replace("-", "−")


def _widest(box: Box) -> int:
    return max(len(box.name) + len(box.role) + 2, *(len(w) + len(t) + 2 for w, t in box.rows), 4)


def _record_text(text: str) -> str:
    """Braces, bars and angles mean something in a record label."""
    return "".join("\\" + c if c in "{}|<>\\" else c for c in text)
