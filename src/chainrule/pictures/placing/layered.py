"""The built-in layout: a layered one for each cluster, from the inside out.

A cluster is laid out by itself and then is one box of the level around it, so clusters never
overlap and nothing that is not in them crosses them. A line that leaves a cluster goes through a
port on its right border, one that comes in through a port on its left.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from chainrule.pictures.placing.columns import Line, columns
from chainrule.pictures.placing.plan import (
    MARGIN,
    PADDING,
    PARALLEL,
    TITLE,
    Layout,
    Point,
    Rectangle,
    Size,
    Task,
    turned,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

#: ("box", i), ("cluster", c), or a port, ("left", i) or ("right", i), for all that box i feeds.
Item = tuple[str, int]
#: A stretch from item to item, one for each link that ends here, else one for each source.
Segment = tuple[Item, Item, int]
#: How much of the height of a box its inputs share.
SPREAD = 0.6
PORT = Size(0.0, 14.0)


@dataclass
class _Level:
    """What one cluster (or the picture, -1) holds, and where it was put."""

    items: dict[Item, int] = field(default_factory=dict)
    segments: dict[Segment, list[int]] = field(default_factory=lambda: defaultdict(list))
    places: dict[Item, Point] = field(default_factory=dict)
    corners: dict[int, list[Point]] = field(default_factory=dict)

    def add(self, item: Item) -> None:
        """An item, numbered if it is new."""
        self.items.setdefault(item, len(self.items))

    size: Size = PORT


def layered(task: Task) -> Layout:
    """Place boxes, clusters and routes."""
    if not task.downward:
        return _Nested(task).layout()
    sizes = tuple(Size(size.height, size.width) for size in task.sizes)
    return turned(_Nested(replace(task, sizes=sizes)).layout())


class _Nested:
    """The levels of a task."""

    def __init__(self, task: Task) -> None:
        self.task = task
        # The title of a cluster stands above its boxes: in a picture that goes down, ahead of them.
        self.inset = PADDING if task.downward else PADDING + TITLE
        self.ahead = TITLE if task.downward else 0.0
        self.levels: dict[int, _Level] = {c: _Level() for c in range(-1, len(task.around))}
        for c, outer in enumerate(task.around):
            self.levels[outer].add(("cluster", c))
        for i, c in enumerate(task.inside):
            self.levels[c].add(("box", i))
        self.parallel = Counter((link.source, link.target) for link in task.links)
        for k, link in enumerate(task.links):
            self._segments(k, self._around(link.source), self._around(link.target))

    def _around(self, box: int) -> list[int]:
        """The clusters around a box, from the innermost out, the picture last."""
        found = [self.task.inside[box]]
        while found[-1] >= 0:
            found.append(self.task.around[found[-1]])
        return found

    def _segments(self, k: int, out: list[int], into: list[int]) -> None:
        """The stretches of a link: out of its clusters, across, and into others."""
        shared = next(c for c in out if c in set(into))
        link = self.task.links[k]
        entity: Item = ("box", link.source)
        for c in out[: out.index(shared)]:
            self._stretch(c, k, entity, ("right", link.source))
            entity = ("cluster", c)
        way = into[: into.index(shared)][::-1]
        ends: list[Item] = [*[("cluster", c) for c in way], ("box", link.target)]
        self._stretch(shared, k, entity, ends[0])
        for c, end in zip(way, ends[1:], strict=True):
            self._stretch(c, k, ("left", link.source), end)

    def _stretch(self, c: int, k: int, a: Item, b: Item) -> None:
        self.levels[c].add(a)
        self.levels[c].add(b)
        own = k if b[0] == "box" else -1 - self.task.links[k].source
        self.levels[c].segments[a, b, own].append(k)

    def layout(self) -> Layout:
        for c in sorted(self.levels, reverse=True):
            self._place(c)
        layout = Layout()
        origin = {-1: Point(MARGIN, MARGIN)}
        for c, outer in enumerate(self.task.around):
            place = self.levels[outer].places["cluster", c]
            size = self.levels[c].size
            base = origin[outer]
            left, top = base.x + place.x, base.y + place.y - size.height / 2
            layout.clusters.append(Rectangle(left, top, size.width, size.height))
            origin[c] = Point(left, top + self.inset)
        for i, c in enumerate(self.task.inside):
            place, size = self.levels[c].places["box", i], self.task.sizes[i]
            left, top = origin[c].x + place.x, origin[c].y + place.y - size.height / 2
            layout.boxes.append(Rectangle(left, top, *size))
        layout.routes = [self._route(k, origin) for k in range(len(self.task.links))]
        whole = self.levels[-1].size
        layout.width, layout.height = whole.width + 2 * MARGIN, whole.height + 2 * MARGIN
        return layout

    def _place(self, c: int) -> None:
        level = self.levels[c]
        sizes = [self._size(item) for item in level.items]
        lines = [self._line(segment, level) for segment in level.segments]
        left = [i for item, i in level.items.items() if item[0] == "left"]
        right = [i for item, i in level.items.items() if item[0] == "right"]
        found = columns(sizes, lines, left, right, self.task.gap)
        # Ports stand on the borders; without them there is room instead.
        room = 0.0 if c < 0 else PADDING
        before, behind = 0.0 if left else room + self.ahead, 0.0 if right else room
        for item, i in level.items.items():
            level.places[item] = Point(found.places[i].x + before, found.places[i].y)
        for ks, corners in zip(level.segments.values(), found.corners, strict=True):
            for k in ks:
                level.corners[k] = [Point(p.x + before, p.y) for p in corners]
        height = found.height + (0.0 if c < 0 else self.inset + PADDING)
        level.size = Size(found.width + before + behind, height)

    def _size(self, item: Item) -> Size:
        kind, i = item
        if kind == "box":
            return self.task.sizes[i]
        return self.levels[i].size if kind == "cluster" else PORT

    def _line(self, segment: Segment, level: _Level) -> Line:
        a, b, _ = segment
        link = self.task.links[level.segments[segment][0]]
        enters = leaves = 0.0
        if b[0] == "box":
            height = self.task.sizes[b[1]].height
            enters = height * SPREAD * ((link.slot + 1) / (link.slots + 1) - 0.5)
        if b[0] == "cluster":
            enters = self._port(b[1], ("left", link.source))
        if a[0] == "cluster":
            leaves = self._port(a[1], ("right", link.source))
        if self.parallel[link.source, link.target] > 1 and a[0] == b[0] == "box":
            enters = leaves = PARALLEL * (link.slot - (link.slots - 1) / 2)
        return Line(level.items[a], level.items[b], leaves, enters)

    def _port(self, c: int, port: Item) -> float:
        """How far a port is below the middle of its cluster."""
        level = self.levels[c]
        return level.places[port].y + self.inset - level.size.height / 2

    def _route(self, k: int, origin: dict[int, Point]) -> list[Point]:
        """A smooth line through the corners of all stretches, level at each of them."""
        link = self.task.links[k]
        out, into = self._around(link.source), self._around(link.target)
        shared = next(c for c in out if c in set(into))
        way = [*out[: out.index(shared)], shared, *into[: into.index(shared)][::-1]]
        corners: list[Point] = []
        for c in way:
            base = origin[c]
            stretch = [Point(p.x + base.x, p.y + base.y) for p in self.levels[c].corners[k]]
            corners += [p for p in stretch if not corners or _apart(p, corners[-1])]
        return smooth(corners)


def _apart(a: Point, b: Point) -> bool:
    return abs(a.x - b.x) > 0.5 or abs(a.y - b.y) > 0.5


def smooth(corners: Sequence[Point]) -> list[Point]:
    """Bézier curves through some corners, level at each of them."""
    route = [corners[0]]
    for a, b in pairwise(corners):
        middle = (a.x + b.x) / 2
        route += [Point(middle, a.y), Point(middle, b.y), b]
    return route
