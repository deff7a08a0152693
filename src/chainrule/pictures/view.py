"""`graph` and `render`: a computation graph as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.engine import Node
from chainrule.formulas.naming import Caller
from chainrule.pictures.output.animation import animation
from chainrule.pictures.output.dot import digraph
from chainrule.pictures.output.files import render_as, write
from chainrule.pictures.output.page import Framed, to_page
from chainrule.pictures.picture import Picture, found_target, near_names
from chainrule.pictures.showing.building import Target
from chainrule.pictures.showing.clusters import scopes_of
from chainrule.pictures.showing.options import Options, checked
from chainrule.pictures.showing.reading import Reading
from chainrule.pictures.showing.units import Items
from chainrule.sites import user_frame

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path as FilePath

    import graphviz

    from chainrule.pictures.placing.plan import Layout
    from chainrule.pictures.scene import Scene
    from chainrule.pictures.showing.paths import PathsTold
    from chainrule.pictures.showing.steps import Steps


class GraphView:
    """A picture of a computation graph; `render` writes it to a file.

    `scene` is what is shown, `layout` where, `steps` the computation box by box. In a notebook it
    shows itself.
    """

    def __init__(self, picture: Picture) -> None:
        # Private, so that a picture among your variables gives no names to nodes.
        self._picture = picture

    @property
    def scene(self) -> Scene:
        """Boxes, edges, clusters and what stands below them."""
        return self._picture.scene

    @property
    def layout(self) -> Layout:
        """Where everything is; computed when first needed."""
        return self._picture.layout

    @property
    def steps(self) -> Steps:
        """Forward and backward, box by box."""
        return self._picture.steps

    def paths(self, w: Any) -> PathsTold:
        """Every path from a node to the root with its product, and their sum.

        Args:
            w: a node, its name, or one entry of an array ("W[2, 0]").

        Returns:
            the exact count and, for numbers, all paths or the ten largest, found without looking at
            the others. Printed, it is the text below a picture with `path=w`.
        """
        return self._picture.paths(w)

    def to_svg(self) -> str:
        """The picture as SVG text. The same graph gives the same bytes."""
        return self._picture.drawn(self._picture.options.theme or "light").svg

    def to_html(self) -> str:
        """An interactive page in one file: steps, paths on a click, search, zoom.

        It needs no network and no library. Groups that are closed open on a click.
        """
        return to_page(self._picture)

    def to_dot(self) -> graphviz.Digraph:
        """The graph for Graphviz, to be edited and drawn with the `dot` program."""
        return digraph(self.scene, downward=self._picture.options.downward)

    def render(self, path: str | FilePath) -> FilePath:
        """Write the picture; the extension decides about the format.

        .svg, .html (an interactive page), .dot and .json need nothing else; .png needs the extra
        `pictures`, .pdf the extra `pdf`, .webp, .gif and .apng (animations) `pictures`.

        Raises:
            ValueError: for another extension.
            ModuleNotFoundError: where an extra is missing, with the install command.
        """
        return write(path, render_as(self._picture, path))

    def animate(self, path: str | FilePath, *, seconds: float = 1.0) -> FilePath:
        """Write the steps forward and backward as an animation.

        Args:
            path: .webp (small and sharp), .gif or .apng.
            seconds: how long a step is seen.

        Raises:
            ValueError: for another extension, a time that is not positive, or too many steps.
            ModuleNotFoundError: without the extra `pictures`.
        """
        return write(path, animation(self._picture, path, seconds))

    def interactive(self, height: int = 620) -> Framed:
        """The page for a notebook, in a frame that may do nothing but run its script."""
        return Framed(self.to_html(), height, repr(self))

    def _repr_mimebundle_(self, **_kwargs: Any) -> dict[str, str]:
        try:
            return {"image/svg+xml": self.to_svg(), "text/plain": repr(self)}
        except Exception as problem:  # noqa: BLE001 -- a notebook's display must not fail
            return {"text/plain": f"{self!r} cannot be drawn: {problem}"}

    def __repr__(self) -> str:
        reading = self._picture.reading
        try:
            counts = f"{len(self.scene.boxes)} boxes, {len(self.scene.edges)} edges"
        except Exception as problem:  # noqa: BLE001 -- see _repr_mimebundle_
            counts = str(problem)
        return f"<GraphView of {reading.name(reading.root)}: {counts}>"


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
            near = near_names(name, known, "there are no scopes")
            raise ValueError(f"{name!r} is no scope of this graph{near}")
    if options.choice.around is not None:
        node, _ = found_target(reading, options.choice.around, "around")
        options = options._replace(choice=options.choice._replace(around=node))
    target = None if path is None else Target(*found_target(reading, path, "path"))
    picture = Picture(reading, Items(reading, scopes), options, target)
    _ = picture.scene  # now: data may change before it is drawn
    return GraphView(picture)
