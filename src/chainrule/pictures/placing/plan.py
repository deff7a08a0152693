"""What a layout engine is given, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Room around a picture, and around the boxes of a cluster; its title stands above them.
MARGIN, PADDING, TITLE = 20.0, 14.0, 20.0
#: Between boxes of one column, and least between columns.
GAP, LEAST_COLUMN_GAP = 18.0, 46.0
#: Between edges from one box to the same other.
PARALLEL = 17.0


class Size(NamedTuple):
    width: float
    height: float


class Point(NamedTuple):
    x: float
    y: float


class Rectangle(NamedTuple):
    """A box by its upper left corner and its size."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> Point:
        return Point(self.left + self.width / 2, self.top + self.height / 2)

    def apart(self, other: Rectangle, gap: float = 0.0) -> bool:
        """Whether there is at least a gap between two rectangles."""
        return (
            self.right + gap <= other.left
            or other.right + gap <= self.left
            or self.bottom + gap <= other.top
            or other.bottom + gap <= self.top
        )


class Link(NamedTuple):
    """An edge to route: from box to box, into place `slot` of `slots`."""

    source: int
    target: int
    slot: int
    slots: int


@dataclass(frozen=True)
class Task:
    """Boxes of fixed sizes and the links between them.

    `inside[i]` is the innermost cluster of box i, `around[c]` the cluster around cluster c, -1 for
    none; an outer cluster comes before the ones in it. `gap` is the room that a label between two
    columns needs. Sources come before targets or stand in other clusters.
    """

    sizes: tuple[Size, ...]
    links: tuple[Link, ...]
    inside: tuple[int, ...]
    around: tuple[int, ...] = ()
    gap: float = LEAST_COLUMN_GAP
    downward: bool = False


@dataclass
class Layout:
    """Where everything goes.

    A route is a row of cubic Bézier curves: a start, then two control points and an end for each.
    """

    boxes: list[Rectangle] = field(default_factory=list)
    routes: list[list[Point]] = field(default_factory=list)
    clusters: list[Rectangle] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0
    engine: str = "built-in"
    #: Why another engine than the one asked for was used, if so.
    remark: str = ""


def overlapping(boxes: Sequence[Rectangle]) -> bool:
    """Whether any two boxes overlap by more than a hair."""
    by_left = sorted(boxes)
    for i, box in enumerate(by_left):
        for other in by_left[i + 1 :]:
            if other.left >= box.right:
                break
            if not box.apart(other, -0.5):
                return True
    return False


def turned(layout: Layout) -> Layout:
    """A layout with its axes exchanged."""
    return Layout(
        [Rectangle(r.top, r.left, r.height, r.width) for r in layout.boxes],
        [[Point(p.y, p.x) for p in route] for route in layout.routes],
        [Rectangle(r.top, r.left, r.height, r.width) for r in layout.clusters],
        layout.height,
        layout.width,
        layout.engine,
        layout.remark,
    )
