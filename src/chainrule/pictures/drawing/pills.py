"""Where on its line a label stands: off the boxes, off other labels, off the arrow head."""

from __future__ import annotations

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
#: Above so many lines those that a label covers are not counted.
MOST_LINES = 1500


def place_pills(
    labels: Sequence[str],
    routes: Sequence[Sequence[Point]],
    boxes: Sequence[Rectangle],
    borders: Sequence[Rectangle],
    titles: Sequence[Rectangle] = (),
) -> list[Rectangle | None]:
    """A rectangle for each label that is not empty, on the line of the same number."""
    curves = [sampled(route) for route in routes]
    cloud = np.concatenate(curves) if curves else np.empty((0, 2))
    owner = np.repeat(np.arange(len(curves)), [len(curve) for curve in curves])
    walls = _array(boxes)
    edges = _array(borders)
    taken = _array(titles)
    placed: list[Rectangle | None] = []
    for i, label in enumerate(labels):
        if not label:
            placed.append(None)
            continue
        size = np.array(pill_size(label))
        points = curves[i]
        share = _shares(points)
        corners = np.hstack([points - size / 2, points + size / 2])
        cost = OFF_MIDDLE * np.abs(share - 0.5) * 2
        cost += ON_BOX * _overlaps(corners, walls, 2.0)
        cost += ON_LABEL * _overlaps(corners, taken, 1.5)
        arrow = np.hstack([points[-1] - ARROW - 1, points[-1] + ARROW + 1])[None]
        cost += ON_ARROW * _overlaps(corners, arrow, 0.0)
        cost += ON_BORDER * _crosses(corners, edges)
        if len(labels) <= MOST_LINES:
            strange = cloud[owner != i]
            cost += ON_LINE * np.minimum(_covered(corners, strange), 4)
        best = corners[int(np.argmin(cost))]
        taken = np.vstack([taken, best])
        placed.append(Rectangle(best[0], best[1], best[2] - best[0], best[3] - best[1]))
    return placed


def sampled(route: Sequence[Point]) -> np.ndarray:
    """Points along a row of Bézier curves, of shape (n, 2)."""
    t = np.linspace(0.0, 1.0, STEPS + 1)[:, None]
    s = 1.0 - t
    parts = []
    for k in range(0, len(route) - 1, 3):
        a, b, c, d = (np.array(p) for p in route[k : k + 4])
        parts.append(s**3 * a + 3 * s * s * t * b + 3 * s * t * t * c + t**3 * d)
    return np.concatenate(parts)


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


def _covered(a: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How many points lie under each of a."""
    x = (points[None, :, 0] > a[:, None, 0]) & (points[None, :, 0] < a[:, None, 2])
    y = (points[None, :, 1] > a[:, None, 1]) & (points[None, :, 1] < a[:, None, 3])
    return np.asarray(np.count_nonzero(x & y, axis=1))
