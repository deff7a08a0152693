"""One level of a layered layout: columns by distance, few crossings, straight lines.

Sugiyama's steps (1981): ranks, dummy points where a line passes a column, ordering by barycentres,
and heights that pull neighbours level without overlap.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainrule.pictures.placing.plan import GAP, Point, Size

if TYPE_CHECKING:
    from collections.abc import Sequence

#: With more lines the border of a cluster gets more room.
MANY_AT_BORDER = 60
#: Sweeps over the columns; above so many lines fewer, and lines pass columns unseen.
SWEEPS, FEW_SWEEPS, MANY, MOST_DUMMIES = 24, 6, 3000, 40_000
DUMMY_HEIGHT, LEAF_WEIGHT, GAP_AT_BORDER, GAP_OF_LINES = 14.0, 0.02, 24.0, 2.0


class Line(NamedTuple):
    """A line between two items; `leaves` and `enters` tell how far below their middles."""

    source: int
    target: int
    leaves: float = 0.0
    enters: float = 0.0


class Columns(NamedTuple):
    """Where a level puts its items (left, middle height), and the corners of its lines."""

    places: list[Point]
    corners: list[list[Point]]
    width: float
    height: float


Neighbours = dict[int, list[tuple[int, float]]]


def columns(
    sizes: Sequence[Size],
    lines: Sequence[Line],
    first: Sequence[int] = (),
    last: Sequence[int] = (),
    gap: float = 60.0,
) -> Columns:
    """Place items of a level; those in `first` and `last` stand on its left and right border."""
    rank = ranks(len(sizes), lines, first, last)
    heights = [size.height for size in sizes]
    widths = [size.width for size in sizes]
    chains = _chains(lines, rank, heights, widths)
    before, after = _neighbours(chains, lines)
    sweeps = SWEEPS if len(chains) < MANY else FEW_SWEEPS
    order = _ordered(rank, before, after, sweeps)
    y = _heights(order, heights, before, after, sweeps)
    widest = [max((widths[i] for i in column), default=0.0) for column in order]
    border = GAP_AT_BORDER + (0.5 * gap if len(lines) > MANY_AT_BORDER else 0.0)
    left, total = _lefts(widest, bool(first), bool(last), gap, border)
    top = min((y[i] - heights[i] / 2 for i in range(len(y))), default=0.0)
    y = [level - top for level in y]
    sources = {line.source for line in lines}
    targets = {line.target for line in lines}
    places = []
    for i, size in enumerate(sizes):
        room = widest[rank[i]] - size.width
        leaf = i in sources and i not in targets
        places.append(Point(left[rank[i]] + (room if leaf else room / 2), y[i]))
    corners = []
    for chain, line in zip(chains, lines, strict=True):
        start, end = places[line.source], places[line.target]
        # A dummy's line crosses its whole column level, so that it bends only between columns.
        through = [
            Point(x, y[i])
            for i in chain[1:-1]
            for x in (left[rank[i]], left[rank[i]] + widest[rank[i]])
        ]
        a = Point(start.x + widths[line.source], start.y + line.leaves)
        corners.append([a, *through, Point(end.x, end.y + line.enters)])
    bottom = max((y[i] + heights[i] / 2 for i in range(len(y))), default=0.0)
    return Columns(places, corners, total, bottom)


def ranks(
    count: int, lines: Sequence[Line], first: Sequence[int] = (), last: Sequence[int] = ()
) -> list[int]:
    """The longest distance from a leaf; a leaf stands directly before its first consumer.

    Lines that would go back are passed over.
    """
    after: dict[int, set[int]] = defaultdict(set)
    for line in lines:
        after[line.source].add(line.target)
    least = 1 if first else 0
    rank, leaves = _longest(count, after, {*first}, least)
    for i in leaves:
        if later := [rank[target] for target in after[i] if rank[target] > rank[i]]:
            rank[i] = max(min(later) - 1, least)
    on_right = {*last}
    end = max((r for i, r in enumerate(rank) if i not in on_right), default=0) + 1
    return [end if i in on_right else r for i, r in enumerate(rank)]


def _longest(
    count: int, after: dict[int, set[int]], on_left: set[int], least: int
) -> tuple[list[int], list[int]]:
    """The longest distances, and which items are leaves."""
    degree = [0] * count
    for targets in after.values():
        for target in targets:
            degree[target] += 1
    rank = [0 if i in on_left else least for i in range(count)]
    free = [i for i in range(count) if not degree[i]]
    leaves = [i for i in free if i not in on_left]
    done: set[int] = set()
    waiting = iter(range(count))
    while len(done) < count:
        if not free:  # a cycle: begin with the first of what is left
            free.append(next(i for i in waiting if i not in done))
        i = free.pop()
        done.add(i)
        for target in after[i] - done:
            rank[target] = max(rank[target], rank[i] + 1)
            degree[target] -= 1
            if not degree[target]:
                free.append(target)
    return rank, leaves


def _chains(
    lines: Sequence[Line], rank: list[int], heights: list[float], widths: list[float]
) -> list[list[int]]:
    """Each line as its source, a dummy in every column it passes, and its target."""
    long = sum(max(rank[line.target] - rank[line.source] - 1, 0) for line in lines)
    chains = []
    for source, target, _, _ in lines:
        chain = [source]
        for level in range(rank[source] + 1, rank[target]) if long <= MOST_DUMMIES else ():
            chain.append(len(rank))
            rank.append(level)
            heights.append(DUMMY_HEIGHT)
            widths.append(0.0)
        chains.append([*chain, target])
    return chains


def _neighbours(
    chains: Sequence[Sequence[int]], lines: Sequence[Line]
) -> tuple[Neighbours, Neighbours]:
    """The neighbours on both sides, each with how far below its middle a level line has ours."""
    before: Neighbours = defaultdict(list)
    after: Neighbours = defaultdict(list)
    for chain, line in zip(chains, lines, strict=True):
        for a, b in pairwise(chain):
            leaves = line.leaves if a == line.source else 0.0
            enters = line.enters if b == line.target else 0.0
            after[a].append((b, enters - leaves))
            before[b].append((a, leaves - enters))
    return before, after


def _ordered(
    rank: Sequence[int], before: Neighbours, after: Neighbours, sweeps: int
) -> list[list[int]]:
    """The order within each column: barycentre sweeps, the one with the fewest crossings kept."""
    order: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    for i, level in enumerate(rank):
        order[level].append(i)
    best, fewest = order, crossings(order, after)
    for sweep in range(sweeps):
        if not fewest:
            break
        forward = sweep % 2 == 0
        order = [list(column) for column in order]
        for level in range(1, len(order)) if forward else range(len(order) - 2, -1, -1):
            place = {i: p for p, i in enumerate(order[level - 1 if forward else level + 1])}
            near = before if forward else after
            wanted = {}
            for position, i in enumerate(order[level]):
                found = [place[j] + _fraction(off) for j, off in near[i] if j in place]
                wanted[i] = sum(found) / len(found) if found else float(position)
            order[level].sort(key=wanted.__getitem__)
        count = crossings(order, after)
        if count < fewest:
            best, fewest = order, count
    return best


def _fraction(offset: float) -> float:
    """An offset as a part of a place in a column."""
    return offset / (abs(offset) + 200.0)


def crossings(order: Sequence[Sequence[int]], after: Neighbours) -> int:
    """Pairs of lines between two columns that cross."""
    total = 0
    for column, following in pairwise(order):
        place = {i: p for p, i in enumerate(following)}
        ends = [
            end
            for i in column
            for end in sorted(place[j] + _fraction(off) for j, off in after[i] if j in place)
        ]
        total += _inversions(np.array(ends))
    return total


def _inversions(values: np.ndarray) -> int:
    """Pairs that stand in the wrong order, counted while merging ever longer sorted runs."""
    count = len(values)
    if count < 2:
        return 0
    if count <= 64:
        return int(np.count_nonzero(np.triu(values[:, None] > values[None, :], 1)))
    left, right = values[: count // 2], values[count // 2 :]
    between = int(np.sum(np.searchsorted(np.sort(right), left, "left")))
    return _inversions(left) + _inversions(right) + between


def _heights(
    order: Sequence[Sequence[int]],
    heights: Sequence[float],
    before: Neighbours,
    after: Neighbours,
    sweeps: int,
) -> list[float]:
    """Vertical middles: each as level with its neighbours as the order in its column allows.

    A leaf counts little, so that what leads from leaf to root runs straight.
    """
    y = [0.0] * len(heights)
    weight = [1.0 if before[i] else LEAF_WEIGHT for i in range(len(heights))]
    for column in order:
        _spread(column, [0.0] * len(column), heights, weight, y)
    for sweep in range(sweeps):
        for column in order if sweep % 2 == 0 else order[::-1]:
            wanted = []
            for i in column:
                near = [(y[j] + off, weight[j]) for j, off in before[i] + after[i]]
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

    Neighbours that would overlap are merged into blocks at their mean (pool adjacent violators).
    """
    offsets, total = [], 0.0
    for position, i in enumerate(column):
        if position:
            above = column[position - 1]
            slim = heights[above] <= DUMMY_HEIGHT and heights[i] <= DUMMY_HEIGHT
            total += (heights[above] + heights[i]) / 2 + (GAP_OF_LINES if slim else GAP)
        offsets.append(total)
    blocks: list[tuple[float, float, int]] = []
    for i, offset, level in zip(column, offsets, wanted, strict=True):
        mean, mass, count = level - offset, weight[i], 1
        while blocks and blocks[-1][0] > mean:
            other, more, others = blocks.pop()
            mean = (mean * mass + other * more) / (mass + more)
            mass, count = mass + more, count + others
        blocks.append((mean, mass, count))
    levels = [mean for mean, _, count in blocks for _ in range(count)]
    for i, offset, level in zip(column, offsets, levels, strict=True):
        y[i] = level + offset


def _lefts(
    widest: Sequence[float], on_left: bool, on_right: bool, gap: float, at_border: float
) -> tuple[list[float], float]:
    """The left edge of each column, and the width of all; a border needs less room."""
    lefts, x = [], 0.0
    for i, width in enumerate(widest):
        lefts.append(x)
        border = (on_left and i == 0) or (on_right and i == len(widest) - 2)
        x += width + (at_border if border else gap)
    return lefts, x - (gap if widest else 0.0)
