"""A picture of a graph, before it becomes a file: what it shows, where, and step by step."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.ops.indexing import getitem
from chainrule.pictures.drawing.svg import Drawing, draw, task_of
from chainrule.pictures.placing.engines import placed
from chainrule.pictures.showing.building import Target, scene_of
from chainrule.pictures.showing.paths import PathsTold, told_paths, ways_to
from chainrule.pictures.showing.steps import Steps, steps_of
from chainrule.pictures.showing.units import Items, Unit, chosen_items, chosen_units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainrule.pictures.placing.plan import Layout
    from chainrule.pictures.scene import Scene
    from chainrule.pictures.showing.options import Options
    from chainrule.pictures.showing.reading import Reading


@dataclass(frozen=True, eq=False)
class Picture:
    """A graph as it was read, and what of it is shown how; all else follows when it is needed.

    `whole` are all nodes and constants with their scopes.
    """

    reading: Reading
    whole: Items
    options: Options
    target: Target | None = None
    #: The group that was opened last.
    opened: str = ""

    @cached_property
    def items(self) -> Items:
        """The nodes and constants that are shown."""
        return chosen_items(self.whole, self.options.choice)

    @cached_property
    def units(self) -> list[Unit]:
        """What each box stands for."""
        return chosen_units(self.items, self.options.choice)

    @cached_property
    def scene(self) -> Scene:
        """Boxes, edges, clusters and what stands below them."""
        return scene_of(self.reading, self.items, self.units, self.options.look, self.target)

    @cached_property
    def layout(self) -> Layout:
        """Where everything is."""
        return placed(task_of(self.scene, downward=self.options.downward), self.options.engine)

    @cached_property
    def steps(self) -> Steps:
        """Forward and backward, box by box."""
        self.reading.refuse_stale()
        return steps_of(self.reading, self.items, self.units, self.scene, self.options.look.digits)

    def drawn(self, theme: str) -> Drawing:
        """The SVG with the prefix of its names."""
        return draw(self.scene, self.layout, theme)

    def paths(self, w: Any) -> PathsTold:
        """The paths from a node, given as itself or by name."""
        return self.paths_of(Target(*found_target(self.reading, w, "paths")))

    def paths_of(self, target: Target) -> PathsTold:
        """The paths from a node or an entry of it."""
        self.reading.refuse_stale()
        ways = ways_to(self.reading, target.node)
        return told_paths(self.reading, target.node, ways, target.index)

    @property
    def still_theme(self) -> str:
        """The theme for what knows no reader's system: "auto" is light."""
        return "dark" if self.options.theme == "dark" else "light"

    def openable(self, first: Picture, *, alone: bool) -> Iterator[tuple[int, Any, Picture]]:
        """The boxes that are groups: a key for each, and the picture in which it is open.

        `first` is the picture without any group opened. With `alone` the new picture has only the
        group and what it is joined to, else all that is in this one.
        """
        choice = first.options.choice
        for i, unit in enumerate(self.units):
            if unit.opens:
                key: Any = unit.opens
                others = tuple(name for name in choice.collapse if name != unit.opens)
                wider = choice._replace(expand=(*choice.expand, unit.opens), collapse=others)
                if alone:
                    wider = wider._replace(only=first.items.beside(unit.items))
            elif unit.title and len(unit.items) < len(self.items.all):
                key = frozenset(map(id, unit.items))
                wider = choice._replace(only=key)
            else:
                continue
            options = self.options._replace(choice=wider)
            yield i, key, replace(self, options=options, opened=unit.title)

    def names_in(self, i: int) -> list[str]:
        """The names, in full length, of what is in a box."""
        unit, reading = self.units[i], self.reading
        nodes = [x for x in unit.items if isinstance(x, Node)]
        inner = {".".join(self.items.scope[id(x)]) for x in nodes} if unit.title else set()
        return [*map(reading.name, nodes), *sorted(inner)]

    def single_nodes(self) -> list[tuple[int, Node]]:
        """The boxes of one node each, leaves first."""
        found = [(i, x) for i, u in enumerate(self.units) if isinstance(x := u.single, Node)]
        return sorted(found, key=lambda pair: pair[1].op is not None)


def found_target(reading: Reading, w: Any, what: str) -> tuple[Node, tuple[int, ...] | None]:
    """A node of the graph and perhaps an index into it, given as itself or by name."""
    by_name = {name: node for node in reading.nodes if (name := reading.name(node))}
    if isinstance(w, str):
        match = re.fullmatch(r"(.+)\[(-?\d+(?:, *-?\d+)*)\]", w)
        if w in by_name:
            return by_name[w], None
        if match is None or match[1] not in by_name:
            hint = near_names(w, by_name, "")
            raise ValueError(f"{what}={w!r} is no node of this graph{hint}")
        index = tuple(int(part) for part in match[2].split(",") if part.strip())
        return by_name[match[1]], _entry(by_name[match[1]], index, w)
    if not isinstance(w, Node):
        raise TypeError(f"{what}= takes a node or its name, got {type(w).__name__}")
    if any(node is w for node in reading.nodes):
        return w, None
    source = w.inputs_then()[0] if w.op is getitem else None
    if isinstance(source, Node) and any(node is source for node in reading.nodes):
        index = w.params["index"]
        whole = index if isinstance(index, tuple) else (index,)
        if all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in whole):
            return source, _entry(source, tuple(map(int, whole)), what)
    raise ValueError(f"{what}=: this node ({w.describe()}) is not in the graph")


def _entry(node: Node, index: tuple[int, ...], text: str) -> tuple[int, ...]:
    shape = np.shape(node._held)
    inside = len(index) == len(shape) and all(
        -n <= i < n for i, n in zip(index, shape, strict=True)
    )
    if not inside:
        raise ValueError(f"{text!r} is no entry of an array of shape {shape}")
    return index


def near_names(name: str, known: Any, nothing: str) -> str:
    """The names like one that is not there, for an error message."""
    near = difflib.get_close_matches(name, known, 4, 0.3)
    if near:
        return f"; near it: {', '.join(near)}"
    some = sorted(known)
    more = f" and {len(some) - 6:,} more" if len(some) > 6 else ""
    return f"; there are {', '.join(some[:6])}{more}" if some else f": {nothing}" if nothing else ""
