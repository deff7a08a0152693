"""Where on its line a label stands: off the boxes, off other labels, off the arrow head."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from chainrule.pictures.drawing.marks import ARROW, pill_size
from chainrule.pictures.placing.plan import Point, Rectangle

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Points looked at on each curve of a line.
STEPS = 16
#: What is worse than what: covering a box or a label, an arrow head, a border, a strange line.
ON_BOX, ON_LABEL, ON_ARROW, ON_BORDER, ON_LINE, OFF_MIDDLE = 1000.0, 600.0, 300.0, 25.0, 12.0, 8.0
#: Places tried on a line, and on all of them.
MOST_PLACES, FEWEST_PLACES, MOST_TRIES = 120, 12, 200_000
#: Cells of the grid on which points are counted, and their least size.
MOST_CELLS, CELL = 500_000, 4.0
#: Rectangles are looked for in squares of this size.
SHELF = 160.0


def place_pills(
    labels: Sequence[str],
    routes: Sequence[Sequence[Point]],
    boxes: Sequence[Rectangle],
    borders: Sequence[Rectangle],
    titles: Sequence[Rectangle] = (),
) -> list[Rectangle | None]:
    """A rectangle for each label that is not empty, on the line of the same number."""
    curves = [sampled(route) for route in routes]
    crowd = _Crowd(np.concatenate(curves)) if curves else None
    walls, edges, taken = _Shelf(boxes), _array(borders), _Shelf(titles)
    placed: list[Rectangle | None] = [None] * len(labels)
    tries = min(MOST_PLACES, max(FEWEST_PLACES, MOST_TRIES // (len(labels) + 1)))
    # The shortest first: a long line has more places left.
    for i in sorted(range(len(labels)), key=lambda i: len(curves[i]) and _length(curves[i])):
        label, points = labels[i], curves[i]
        if not label or crowd is None:
            continue
        size = np.array(pill_size(label))
        step = 1 + len(points) // tries
        corners = np.hstack([points - size / 2, points + size / 2])[::step]
        cost = OFF_MIDDLE * np.abs(_shares(points)[::step] - 0.5) * 2
        cost += ON_BOX * _overlaps(corners, walls.near(corners), 2.0)
        cost += ON_LABEL * _overlaps(corners, taken.near(corners), 1.5)
        arrow = np.hstack([points[-1] - ARROW - 1, points[-1] + ARROW + 1])[None]
        cost += ON_ARROW * _overlaps(corners, arrow, 0.0)
        cost += ON_BORDER * _crosses(corners, edges)
        strange = crowd.inside(corners) - _Crowd(points, crowd).inside(corners)
        cost += ON_LINE * np.clip(strange, 0, 4)
        best = corners[int(np.argmin(cost))]
        left, top, right, bottom = best.tolist()
        place = Rectangle(left, top, right - left, bottom - top)
        taken.add(place)
        placed[i] = place
    return placed


class _Shelf:
    """Rectangles, kept by where they are."""

    def __init__(self, rectangles: Sequence[Rectangle]) -> None:
        self.places: dict[tuple[int, int], list[Rectangle]] = defaultdict(list)
        for rectangle in rectangles:
            self.add(rectangle)

    def add(self, r: Rectangle) -> None:
        for x in range(int(r.left // SHELF), int(r.right // SHELF) + 1):
            for y in range(int(r.top // SHELF), int(r.bottom // SHELF) + 1):
                self.places[x, y].append(r)

    def near(self, corners: np.ndarray) -> np.ndarray:
        """Those that may touch any of some rectangles, as rows left, top, right, bottom."""
        cells = {(x, y) for x, y in (corners[:, :2] // SHELF).astype(int).tolist()}
        cells |= {(x, y) for x, y in (corners[:, 2:] // SHELF).astype(int).tolist()}
        wide = {(x + i, y + j) for x, y in cells for i in (-1, 0, 1) for j in (-1, 0, 1)}
        return _array(list({r for cell in wide for r in self.places.get(cell, ())}))


class _Crowd:
    """How many points lie in a rectangle, by a table of sums over a grid of cells."""

    def __init__(self, points: np.ndarray, like: _Crowd | None = None) -> None:
        if like is None:
            low, high = points.min(axis=0) - CELL, points.max(axis=0) + CELL
            self.low = low
            self.cell = max(CELL, float(np.sqrt(np.prod(high - low) / MOST_CELLS)))
            self.first = np.zeros(2, int)
        else:
            self.low, self.cell = like.low, like.cell
            self.first = ((points.min(axis=0) - self.low) / self.cell).astype(int)
        cells = ((points - self.low) / self.cell).astype(int) - self.first
        counts = np.zeros(cells.max(axis=0) + 2)
        np.add.at(counts, (cells[:, 0] + 1, cells[:, 1] + 1), 1)
        self.sums = counts.cumsum(axis=0).cumsum(axis=1)

    def inside(self, corners: np.ndarray) -> np.ndarray:
        """The points in each rectangle (left, top, right, bottom)."""
        cells = (corners.reshape(-1, 2, 2) - self.low) / self.cell - self.first
        most = np.array(self.sums.shape) - 1
        x0, y0 = np.clip(np.ceil(cells[:, 0]).astype(int), 0, most).T
        x1, y1 = np.maximum(np.clip(cells[:, 1].astype(int), 0, most).T, (x0, y0))
        sums = self.sums
        return np.asarray(sums[x1, y1] - sums[x0, y1] - sums[x1, y0] + sums[x0, y0])


def sampled(route: Sequence[Point]) -> np.ndarray:
    """Points along a row of Bézier curves, of shape (n, 2)."""
    t = np.linspace(0.0, 1.0, STEPS + 1)[:, None]
    s = 1.0 - t
    parts = []
    for k in range(0, len(route) - 1, 3):
        a, b, c, d = (np.array(p) for p in route[k : k + 4])
        parts.append(s**3 * a + 3 * s * s * t * b + 3 * s * t * t * c + t**3 * d)
    return np.concatenate(parts)


def _length(points: np.ndarray) -> float:
    return float(np.sum(np.hypot(*np.diff(points, axis=0).T)))


def _shares(points: np.ndarray) -> np.ndarray:
    """For each point the part of the line before it."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    shares: np.ndarray = along / (along[-1] or 1.0)
    return shares


def _array(rectangles: Sequence[Rectangle]) -> np.ndarray:
    rows = [(r.left, r.top, r.right, r.bottom) for r in rectangles]
    return np.array(rows).reshape(-1, 4)


def _overlaps(a: np.ndarray, b: np.ndarray, gap: float) -> np.ndarray:
    """How many of b each of a touches."""
    x = (a[:, None, 0] < b[None, :, 2] + gap) & (b[None, :, 0] < a[:, None, 2] + gap)
    y = (a[:, None, 1] < b[None, :, 3] + gap) & (b[None, :, 1] < a[:, None, 3] + gap)
    return np.asarray(np.count_nonzero(x & y, axis=1))


def _crosses(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Over how many borders of b each of a lies."""
    inside = (
        (a[:, None, 0] > b[None, :, 0] + 8)
        & (a[:, None, 2] < b[None, :, 2] - 8)
        & (a[:, None, 1] > b[None, :, 1] + 8)
        & (a[:, None, 3] < b[None, :, 3] - 8)
    )
    return np.asarray(_overlaps(a, b, 4.0) - np.count_nonzero(inside, axis=1))
