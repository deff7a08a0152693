"""`graph` and `render`: a computation graph as a picture."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.formulas.naming import Caller
from chainrule.ops.indexing import getitem
from chainrule.pictures.drawing.svg import Drawing, draw, task_of
from chainrule.pictures.output.animation import animation
from chainrule.pictures.output.dot import digraph
from chainrule.pictures.output.files import render_as, write
from chainrule.pictures.output.page import Framed, to_page
from chainrule.pictures.placing.engines import placed
from chainrule.pictures.showing.building import Target, scene_of
from chainrule.pictures.showing.clusters import scopes_of
from chainrule.pictures.showing.options import Options, checked
from chainrule.pictures.showing.paths import PathsTold, told_paths, ways_to
from chainrule.pictures.showing.reading import Reading
from chainrule.pictures.showing.steps import Steps, steps_of
from chainrule.pictures.showing.units import Items, Unit, chosen_items, chosen_units
from chainrule.sites import user_frame

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path as FilePath

    import graphviz

    from chainrule.pictures.placing.plan import Layout
    from chainrule.pictures.scene import Scene


@dataclass(frozen=True, eq=False)
class GraphView:
    """A picture of a computation graph; `render` writes it to a file.

    `scene` is what is shown, `layout` where. In a notebook it shows itself.
    """

    # Private, so that a picture among your variables gives no names to nodes.
    _reading: Reading
    _whole: Items
    options: Options
    _target: Target | None = None

    @cached_property
    def _items(self) -> Items:
        """The nodes and constants that are shown, with their scopes."""
        return chosen_items(self._whole, self.options.choice)

    @cached_property
    def _units(self) -> list[Unit]:
        """What each box stands for."""
        return chosen_units(self._items, self.options.choice)

    @cached_property
    def scene(self) -> Scene:
        """Boxes, edges, clusters and what stands below them."""
        look = self.options.look
        return scene_of(self._reading, self._items, self._units, look, self._target)

    @cached_property
    def layout(self) -> Layout:
        """Where everything is."""
        return placed(task_of(self.scene, downward=self.options.downward), self.options.engine)

    def drawn(self, theme: str) -> Drawing:
        """The SVG with the prefix of its names."""
        return draw(self.scene, self.layout, theme)

    def to_svg(self) -> str:
        """The picture as SVG text. The same graph gives the same bytes."""
        return self.drawn(self.options.theme or "light").svg

    def to_dot(self) -> graphviz.Digraph:
        """The graph for Graphviz, to be edited and drawn with the `dot` program."""
        return digraph(self.scene, downward=self.options.downward)

    def paths(self, w: Any) -> PathsTold:
        """Every path from a node to the root with its product, and their sum.

        Args:
            w: a node, its name, or one entry of an array ("W[2, 0]").

        Returns:
            the exact count and, for numbers, all paths or the ten largest, found without looking at
            the others. Printed, it is the text below a picture with `path=w`.
        """
        node, index = found_target(self._reading, w, "paths")
        return told_paths(self._reading, node, ways_to(self._reading, node), index)

    def to_html(self) -> str:
        """An interactive page in one file: steps, paths on a click, search, zoom.

        It needs no network and no library. Groups that are closed open on a click.
        """
        return to_page(self)

    def interactive(self, height: int = 620) -> Framed:
        """The page for a notebook, in a frame that may do nothing but run its script."""
        return Framed(self.to_html(), height, repr(self))

    def animate(self, path: str | FilePath, *, seconds: float = 1.0) -> FilePath:
        """Write the steps forward and backward as an animation.

        Args:
            path: .webp (small and sharp), .gif or .apng.
            seconds: how long a step is seen.

        Raises:
            ValueError: for another extension, a time that is not positive, or too many steps.
            ModuleNotFoundError: without the extra `pictures`.
        """
        return write(path, animation(self, path, seconds))

    @cached_property
    def steps(self) -> Steps:
        """Forward and backward, box by box."""
        digits = self.options.look.digits
        return steps_of(self._reading, self._items, self._units, self.scene, digits)

    def openable(self) -> Iterator[tuple[int, GraphView]]:
        """The boxes that are groups, each with the picture in which it is open."""
        choice = self.options.choice
        for i, unit in enumerate(self._units):
            if unit.opens:
                wider = choice._replace(expand=(*choice.expand, unit.opens))
            elif unit.title and len(unit.items) < len(self._items.all):
                wider = choice._replace(only=frozenset(map(id, unit.items)))
            else:
                continue
            yield i, replace(self, options=self.options._replace(choice=wider))

    def names_in(self, i: int) -> list[str]:
        """The names, in full length, that were given to what is in a box."""
        reading = self._reading
        items = self._units[i].items
        return [reading.name(x) for x in items if isinstance(x, Node) and id(x) in reading.given]

    def single_nodes(self) -> list[tuple[int, Node]]:
        """The boxes of one node each, leaves first."""
        found = [(i, x) for i, u in enumerate(self._units) if isinstance(x := u.single, Node)]
        return sorted(found, key=lambda pair: pair[1].op is not None)

    @property
    def still_theme(self) -> str:
        """The theme for what knows no reader's system: "auto" is light."""
        return "dark" if self.options.theme == "dark" else "light"

    @property
    def node_count(self) -> int:
        """How many nodes the whole graph has."""
        return len(self._reading.nodes)

    @property
    def is_after_backward(self) -> bool:
        """Whether the gradients of this root are stored."""
        return self._reading.is_after_backward

    def render(self, path: str | FilePath) -> FilePath:
        """Write the picture; the extension decides about the format.

        .svg, .html (an interactive page), .dot and .json need nothing else; .png needs the extra
        `pictures`, .pdf the extra `pdf`, .webp, .gif and .apng (animations) `pictures`.

        Raises:
            ValueError: for another extension.
            ModuleNotFoundError: where an extra is missing, with the install command.
        """
        return write(path, render_as(self, path))

    def _repr_mimebundle_(self, **_kwargs: Any) -> dict[str, str]:
        try:
            return {"image/svg+xml": self.to_svg(), "text/plain": repr(self)}
        except Exception as problem:  # noqa: BLE001 -- a notebook's display must not fail
            return {"text/plain": f"{self!r} cannot be drawn: {problem}"}

    def __repr__(self) -> str:
        try:
            counts = f"{len(self.scene.boxes)} boxes, {len(self.scene.edges)} edges"
        except Exception as problem:  # noqa: BLE001 -- see _repr_mimebundle_
            counts = str(problem)
        return f"<GraphView of {self._reading.name(self._reading.root)}: {counts}>"


def graph(
    root: Node,
    *,
    names: Mapping[Any, Any] | None = None,
    path: Any = None,
    around: Any = None,
    radius: int = 2,
    depth: int | None = None,
    expand: Any = (),
    collapse: Any = (),
    show: Any = ("value", "grad", "local"),
    digits: int = 4,
    theme: str | None = None,
    direction: str = "LR",
    dpi: float = 192,
    max_nodes: int = 150,
    max_edges: int = 400,
    engine: str = "auto",
) -> GraphView:
    """A picture of the graph under a node: values, gradients, and on an edge its partial.

    A box has its name, from a label, from `names` or from your variables, its op or role, its value
    and its gradient ("·" before `backward`). On an edge stands the local derivative, between arrays
    the formula of the pullback; the line is the thicker the more comes along it, and dashed where
    nothing does. Scopes (`with cr.scope("layer1")`, calls of modules, dotted names) are drawn
    around their nodes. What does not fit is closed or folded, and the picture says so.

    Args:
        root: a Value or Tensor. Call `backward()` first to see gradients.
        names: name -> node or constant, as for `explain`.
        path: a node, a name or an entry ("W[2, 0]"): light up every path from it to the root, with
            the product of each and the sum, which is the gradient.
        around: only what is near this node …
        radius: … at most so many edges away.
        depth: how many levels of scopes are open; by default as many as fit.
        expand: names of scopes that are open in any case.
        collapse: names of scopes that are closed in any case.
        show: of "value", "grad" and "local".
        digits: significant digits of the numbers.
        theme: "light", "dark" or "auto" (as the reader's system); by default light for images and
            auto for pages.
        direction: "LR" from left to right, "TB" from top to bottom.
        dpi: dots per inch of a PNG or an animation; 96 draws one dot for each unit.
        max_nodes: of more, scopes are closed and repeats are folded.
        max_edges: the same for edges.
        engine: "auto", "dot", "pygraphviz" or "built-in": who decides what goes where. All give the
            same look.

    Raises:
        TypeError: if root is not a node.
        ValueError: for an option that makes no sense, or a name that is not in the graph.
        ChangedDataError: if data was changed since the graph was recorded.

    >>> import chainrule as cr
    >>> a = cr.Value(2.0, label="a")
    >>> view = cr.graph(a * a)
    >>> [edge.label for edge in view.scene.edges]
    ['2', '2']
    """
    options = checked(
        around, radius, depth, expand, collapse, show, digits, theme, direction, dpi, max_nodes,
        max_edges, engine,
    )  # fmt: skip
    return viewed(root, Caller.of(user_frame(2)), names, options, path)


def render(root: Node, file: str | FilePath, /, **options: Any) -> FilePath:
    """Write a picture of the graph under a node: `graph(root, …).render(file)`.

    Args:
        root: a Value or Tensor.
        **options: as for `graph`.
        file: where to; its extension decides about the format: .svg, .html, .png, .pdf, .webp,
            .gif, .apng, .dot or .json.

    >>> import chainrule as cr
    >>> a = cr.Value(2.0, label="a")
    >>> render(a * a, "square.svg", path=a, theme="dark")  # doctest: +SKIP
    """
    return graph(root, **options).render(file)


def viewed(
    root: Any, caller: Caller, names: Mapping[Any, Any] | None, options: Options, path: Any
) -> GraphView:
    """`graph` for somebody else, whose variables give names."""
    if not isinstance(root, Node):
        raise TypeError(f"a picture needs a Value or a Tensor, got {type(root).__name__}")
    reading = Reading(root, names, caller)
    scopes = scopes_of(reading, caller)
    known = {".".join(p[:n]) for p in scopes.values() for n in range(1, len(p) + 1)}
    for name in (*options.choice.expand, *options.choice.collapse):
        if name not in known:
            raise ValueError(
                f"{name!r} is no scope of this graph{_near(name, known, 'there are no scopes')}"
            )
    if options.choice.around is not None:
        node, _ = found_target(reading, options.choice.around, "around")
        options = options._replace(choice=options.choice._replace(around=node))
    target = None if path is None else Target(*found_target(reading, path, "path"))
    return GraphView(reading, Items(reading, scopes), options, target)


def found_target(reading: Reading, w: Any, what: str) -> tuple[Node, tuple[int, ...] | None]:
    """A node of the graph and perhaps an index into it, given as itself or by name."""
    by_name = {name: node for node in reading.nodes if (name := reading.name(node))}
    if isinstance(w, str):
        match = re.fullmatch(r"(.+)\[([-\d, ]+)\]", w)
        if w in by_name:
            return by_name[w], None
        if match is None or match[1] not in by_name:
            hint = _near(w, by_name, "")
            raise ValueError(f"{what}={w!r} is no node of this graph{hint}")
        index = tuple(int(part) for part in match[2].split(",") if part.strip())
        return by_name[match[1]], _entry(by_name[match[1]], index, w)
    if not isinstance(w, Node):
        raise TypeError(f"{what}= takes a node or its name, got {type(w).__name__}")
    if any(node is w for node in reading.nodes):
        return w, None
    if w.op is getitem and any(node is w.inputs[0] for node in reading.nodes):
        index = w.params["index"]
        whole = index if isinstance(index, tuple) else (index,)
        if all(isinstance(i, int | np.integer) for i in whole):
            return w.inputs[0], _entry(w.inputs[0], tuple(map(int, whole)), what)
    raise ValueError(f"{what}=: this node ({w.describe()}) is not in the graph")


def _entry(node: Node, index: tuple[int, ...], text: str) -> tuple[int, ...]:
    shape = np.shape(node._held)
    inside = len(index) == len(shape) and all(
        -n <= i < n for i, n in zip(index, shape, strict=True)
    )
    if not inside:
        raise ValueError(f"{text!r} is no entry of an array of shape {shape}")
    return index


def _near(name: str, known: Any, nothing: str) -> str:
    near = difflib.get_close_matches(name, known, 4, 0.3) or sorted(known)[:6]
    return f"; there are {', '.join(near)}" if near else f": {nothing}" if nothing else ""
