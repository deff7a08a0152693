"""A layered layout: columns by distance from the leaves, few crossings, straight lines.

Sugiyama's steps: ranks, dummy points where an edge passes a column, ordering by barycentres,
and positions that pull neighbours level without overlap.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW, CHARACTER, PADDING = 16.0, 6.7, 18.0
GAP_BETWEEN_COLUMNS, GAP_BETWEEN_BOXES, DUMMY_HEIGHT = 92.0, 22.0, 6.0
MARGIN, SWEEPS, LEAF_WEIGHT = 24.0, 24, 0.02


class Item(NamedTuple):
    """The size of a box in text: rows and characters."""

    rows: int
    characters: int


class Point(NamedTuple):
    x: float
    y: float


class Rectangle(NamedTuple):
    """A box by its left edge, vertical centre and size."""

    x: float
    y: float
    width: float
    height: float


@dataclass
class Layout:
    """Where everything goes; each route is a list of points from source to target."""

    boxes: list[Rectangle] = field(default_factory=list)
    routes: list[list[Point]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


Link = tuple[int, int, int, int]
Neighbours = dict[int, list[tuple[int, float]]]


def lay_out(items: Sequence[Item], links: Sequence[Link]) -> Layout:
    """Place boxes and route links (source, target, slot, slots); sources come before targets."""
    ranks = _ranks(len(items), links)
    heights = [item.rows * ROW for item in items]
    widths = [item.characters * CHARACTER + PADDING for item in items]
    chains: list[list[int]] = []
    for source, target, _, _ in links:
        chain = [source]
        for rank in range(ranks[source] + 1, ranks[target]):
            chain.append(len(ranks))
            ranks.append(rank)
            heights.append(DUMMY_HEIGHT)
            widths.append(0.0)
        chains.append([*chain, target])
    before, after = _neighbours(chains, links)
    columns = _ordered(ranks, before, after)
    y = _heights(columns, heights, before, after)
    half_width = [max(widths[i] for i in column) / 2 for column in columns]
    x, total_width = _column_positions(half_width)
    top = min((y[i] - heights[i] / 2 for i in range(len(y))), default=0.0) - MARGIN
    layout = Layout(width=total_width)
    for i in range(len(items)):
        left = x[ranks[i]] - widths[i] / 2
        layout.boxes.append(Rectangle(left, y[i] - top, widths[i], heights[i]))
    layout.height = max((box.y + box.height / 2 for box in layout.boxes), default=0.0) + MARGIN
    for chain, (source, target, slot, slots) in zip(chains, links, strict=True):
        end = layout.boxes[target]
        entry = end.y + end.height * 0.6 * ((slot + 1) / (slots + 1) - 0.5)
        start = layout.boxes[source]
        # A dummy's line crosses its whole column level, so that it bends only between columns.
        through = [
            Point(x[ranks[i]] + side * half_width[ranks[i]], y[i] - top)
            for i in chain[1:-1]
            for side in (-1, 1)
        ]
        layout.routes.append([Point(start.x + start.width, start.y), *through, Point(end.x, entry)])
    return layout


def _ranks(count: int, links: Sequence[Link]) -> list[int]:
    """Longest distance from a leaf; a leaf stands directly before its first consumer."""
    ranks = [0] * count
    consumers: dict[int, list[int]] = defaultdict(list)
    inputs = {target for _, target, _, _ in links}
    for source, target, _, _ in links:
        consumers[source].append(target)
    for i in range(count):
        for target in consumers[i]:
            ranks[target] = max(ranks[target], ranks[i] + 1)
    for i in range(count):
        if i not in inputs and consumers[i]:
            ranks[i] = min(ranks[target] for target in consumers[i]) - 1
    return ranks


def _ordered(ranks: Sequence[int], before: Neighbours, after: Neighbours) -> list[list[int]]:
    """The order within each column: barycentre sweeps, the one with the fewest crossings kept."""
    columns: list[list[int]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    for i, rank in enumerate(ranks):
        columns[rank].append(i)
    best, fewest = columns, _crossings(columns, after)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        columns = [list(column) for column in columns]
        order = range(1, len(columns)) if forward else range(len(columns) - 2, -1, -1)
        for rank in order:
            reference = columns[rank - 1 if forward else rank + 1]
            place = {i: position for position, i in enumerate(reference)}
            near = before if forward else after
            level = {
                i: _mean([place[j] + entry for j, entry in near[i]], position)
                for position, i in enumerate(columns[rank])
            }
            columns[rank].sort(key=level.__getitem__)
        crossings = _crossings(columns, after)
        if crossings < fewest:
            best, fewest = columns, crossings
    return best


def _neighbours(
    chains: Sequence[Sequence[int]], links: Sequence[Link]
) -> tuple[Neighbours, Neighbours]:
    """The neighbours to the left and to the right of each box or dummy.

    A neighbour comes with a number below 1: how far down on it the line ends.
    """
    before: Neighbours = defaultdict(list)
    after: Neighbours = defaultdict(list)
    for chain, (_, target, slot, slots) in zip(chains, links, strict=True):
        for left, right in pairwise(chain):
            after[left].append((right, slot / slots if right == target else 0.0))
            before[right].append((left, 0.0))
    return before, after


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _crossings(columns: Sequence[Sequence[int]], after: Neighbours) -> int:
    """Pairs of edges between two columns that cross."""
    total = 0
    for column, following in pairwise(columns):
        place = {i: position for position, i in enumerate(following)}
        ends = [end for i in column for end in sorted(place[j] + entry for j, entry in after[i])]
        total += sum(ends[a] > ends[b] for a in range(len(ends)) for b in range(a + 1, len(ends)))
    return total


def _heights(
    columns: Sequence[Sequence[int]],
    heights: Sequence[float],
    before: Neighbours,
    after: Neighbours,
) -> list[float]:
    """Vertical centres: each as level with its neighbours as the order in its column allows.

    A leaf counts little, so that what leads from leaf to root runs straight.
    """
    y = [0.0] * len(heights)
    weight = [1.0 if before[i] else LEAF_WEIGHT for i in range(len(heights))]
    for column in columns:
        _spread(column, [0.0] * len(column), heights, weight, y)
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            wanted = []
            for i in column:
                near = [(y[j], weight[j]) for j, _ in before[i] + after[i]]
                total = sum(w for _, w in near)
                wanted.append(sum(level * w for level, w in near) / total if near else y[i])
            _spread(column, wanted, heights, weight, y)
    return y


def _spread(
    column: Sequence[int],
    wanted: Sequence[float],
    heights: Sequence[float],
    weight: Sequence[float],
    y: list[float],
) -> None:
    """The positions nearest to the wanted ones (weighted least squares) that keep order and gaps.

    Items that would collide are merged into blocks that move as one (pool adjacent violators).
    """
    offsets, total = [], 0.0
    for position, i in enumerate(column):
        if position:
            total += (heights[column[position - 1]] + heights[i]) / 2 + GAP_BETWEEN_BOXES
        offsets.append(total)
    blocks: list[tuple[float, float, int]] = []
    for i, offset, want in zip(column, offsets, wanted, strict=True):
        mean, mass, count = want - offset, weight[i], 1
        while blocks and blocks[-1][0] > mean:
            other, more, others = blocks.pop()
            mean = (mean * mass + other * more) / (mass + more)
            mass, count = mass + more, count + others
        blocks.append((mean, mass, count))
    levels = [mean for mean, _, count in blocks for _ in range(count)]
    for i, offset, level in zip(column, offsets, levels, strict=True):
        y[i] = level + offset


def _column_positions(half_widths: Sequence[float]) -> tuple[list[float], float]:
    """The horizontal centre of each column, and the width of all."""
    centres, left = [], MARGIN
    for half in half_widths:
        centres.append(left + half)
        left += 2 * half + GAP_BETWEEN_COLUMNS
    return centres, left - GAP_BETWEEN_COLUMNS + MARGIN
