"""Graphviz for layout only: boxes of fixed size go in, coordinates and splines come out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from chainrule.pictures.placing.plan import (
    GAP,
    MARGIN,
    PADDING,
    PARALLEL,
    Layout,
    Point,
    Rectangle,
    overlapping,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.pictures.placing.plan import Task

#: Points to an inch; our units are points.
INCH = 72.0
#: Runs pygraphviz, whose wheel carries Graphviz, where a crash or an endless loop does no harm.
_WORKER = (
    "import sys, pygraphviz\n"
    "graph = pygraphviz.AGraph(string=sys.stdin.read())\n"
    "sys.stdout.buffer.write(graph.draw(format='json0', prog='dot'))\n"
)


class LayoutError(RuntimeError):
    """An engine gave no layout, or one that is not that of the picture."""


class SlowLayoutError(LayoutError):
    """An engine took too long."""


def by_program(task: Task, seconds: float) -> Layout:
    """The layout by the `dot` program.

    Raises:
        LayoutError: if it fails or takes longer.
    """
    program = shutil.which("dot")
    if program is None:
        raise LayoutError("the dot program is not on the PATH")
    return _asked([program, "-Tjson0"], task, seconds, "dot")


def by_wheel(task: Task, seconds: float) -> Layout:
    """The layout by pygraphviz, in a process of its own.

    Raises:
        LayoutError: if it fails or takes longer.
    """
    return _asked([sys.executable, "-c", _WORKER], task, seconds, "pygraphviz")


def _asked(command: Sequence[str], task: Task, seconds: float, engine: str) -> Layout:
    try:
        done = subprocess.run(  # noqa: S603 -- no part of the command comes from the graph
            command,
            input=dot_text(task).encode(),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SlowLayoutError(f"{engine} took longer than {seconds:g} s") from None
    except OSError as problem:
        raise LayoutError(f"{engine} cannot be run: {problem}") from None
    said = done.stderr.decode(errors="replace").strip()
    complaint = [line for line in said.splitlines() if "rror" in line]
    if done.returncode or complaint:
        raise LayoutError(f"{engine} failed: {(complaint or [said])[-1]}")
    try:
        layout = _read(json.loads(done.stdout), task)
    except (ValueError, KeyError, IndexError) as problem:
        raise LayoutError(f"{engine} gave no layout of this picture: {problem}") from None
    layout.engine = engine
    return layout


def dot_text(task: Task) -> str:
    """The task in the DOT language, without a label anywhere."""
    rows = [
        "digraph {",
        f"rankdir={'TB' if task.downward else 'LR'}; splines=true; remincross=true; newrank=true;",
        f"nodesep={GAP / INCH:.3f}; ranksep={task.gap / INCH:.3f};",
        'node [shape=box, fixedsize=true, label=""]; edge [arrowhead=none];',
    ]
    members: dict[int, list[int]] = defaultdict(list)
    inner: dict[int, list[int]] = defaultdict(list)
    for i, own in enumerate(task.inside):
        members[own].append(i)
    for own, outer in enumerate(task.around):
        inner[outer].append(own)

    pending: list[int | None] = [-1]
    while pending:
        c = pending.pop()
        if c is None:
            rows.append("}")
            continue
        if c >= 0:
            rows.append(f'subgraph cluster_{c} {{ label=" "; fontsize=12; margin={PADDING:g};')
            pending.append(None)
        rows += [
            f"n{i} [width={width / INCH:.4f}, height={height / INCH:.4f}];"
            for i in members[c]
            for width, height in [task.sizes[i]]
        ]
        pending += inner[c]
    ends = ":s:n" if task.downward else ":e:w"
    out, into = ends[:2], ends[2:]
    rows += [f"n{link.source}{out} -> n{link.target}{into};" for link in task.links]
    return "\n".join([*rows, "}"])


def _read(found: Any, task: Task) -> Layout:
    """Coordinates from Graphviz's JSON, in which y goes up."""
    left, bottom, right, top = map(float, found["bb"].split(","))
    layout = Layout(width=right - left + 2 * MARGIN, height=top - bottom + 2 * MARGIN)

    def point(text: str) -> Point:
        x, y = map(float, text.split(","))
        return Point(x - left + MARGIN, top - y + MARGIN)

    boxes: dict[str, Rectangle] = {}
    clusters: dict[str, Rectangle] = {}
    names = {}
    for thing in found.get("objects", ()):
        names[thing["_gvid"]] = thing["name"]
        if thing["name"].startswith("cluster"):
            x0, y0, x1, y1 = map(float, thing["bb"].split(","))
            corner = point(f"{x0},{y1}")
            clusters[thing["name"]] = Rectangle(corner.x, corner.y, x1 - x0, y1 - y0)
        else:
            middle = point(thing["pos"])
            width, height = task.sizes[int(thing["name"][1:])]
            boxes[thing["name"]] = Rectangle(
                middle.x - width / 2, middle.y - height / 2, width, height
            )
    layout.boxes = [boxes[f"n{i}"] for i in range(len(task.sizes))]
    layout.clusters = [clusters[f"cluster_{c}"] for c in range(len(task.around))]
    routes: dict[tuple[str, str], list[list[Point]]] = defaultdict(list)
    for edge in sorted(found.get("edges", ()), key=lambda edge: edge["_gvid"]):
        parts = [part for part in edge["pos"].split() if part[:2] not in {"e,", "s,"}]
        routes[names[edge["tail"]], names[edge["head"]]].append([point(part) for part in parts])
    for link in task.links:
        # Parallel edges go beside the first of them: Graphviz draws them almost on one another.
        found_routes = routes[f"n{link.source}", f"n{link.target}"]
        off = PARALLEL * (link.slot - (link.slots - 1) / 2) if len(found_routes) > 1 else 0.0
        dx, dy = (off, 0.0) if task.downward else (0.0, off)
        layout.routes.append([Point(p.x + dx, p.y + dy) for p in found_routes[0]])
    for route in layout.routes:
        if (len(route) - 1) % 3 or len(route) < 4:
            raise ValueError("a line that is no row of Bézier curves")
    if overlapping(layout.boxes):
        raise ValueError("boxes on top of each other")
    return layout
