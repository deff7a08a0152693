"""Which scope every node belongs to: what was recorded, else what dotted names say."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from chainrule.engine import Node
from chainrule.formulas.naming import path_inside, variables_named
from chainrule.scopes import stretches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from chainrule.formulas.naming import Caller
    from chainrule.pictures.scene import Path
    from chainrule.pictures.showing.reading import Reading
    from chainrule.scopes import Stretch

#: Scopes deeper than this are not told apart.
DEEPEST = 24


def scopes_of(reading: Reading, caller: Caller | None) -> dict[int, Path]:
    """The scope of every node, by `id`.

    What was computed inside `with scope(…)` or a module belongs there. Else a dotted name, such as
    `layer1.W`, tells it; what is computed from `layer1.W` belongs to layer1, and so does a function
    of that alone. A leaf belongs where all that is computed from it does.
    """
    scopes = _recorded(reading, caller)
    if not any(scopes.values()):
        scopes = _by_names(reading)
    for node in reading.nodes:
        if node.op is None:
            scopes[id(node)] = common([scopes[id(y)] for y in reading.consumers[id(node)]])
    return _convex(reading, scopes)


def path_of(name: str) -> Path:
    """The scope in a dotted name: `layer1.W` is in layer1. `x.4` and `lr 0.5` have none."""
    parts = name.split(".")
    names = all(re.match(r"[^\W\d]\w*(\[.*\])?$", part) for part in parts)
    return tuple(parts[:-1]) if names else ()


def common(paths: Iterable[Path]) -> Path:
    """The innermost scope around all of some scopes."""
    shared: Path | None = None
    for path in paths:
        if shared is None:
            shared = path
            continue
        length = 0
        while length < min(len(shared), len(path)) and shared[length] == path[length]:
            length += 1
        shared = shared[:length]
    return shared or ()


def _recorded(reading: Reading, caller: Caller | None) -> dict[int, Path]:
    """Scopes by creation numbers; the second stretch of a name is `name (2)`."""
    computed = sorted((n for n in reading.nodes if n.op is not None), key=lambda n: n.index)
    around = stretches([node.index for node in computed])
    paths: dict[tuple[Stretch, ...], Path] = {(): ()}
    counts: dict[tuple[Path, str], int] = defaultdict(int)
    known = _module_names(around, caller)
    around = [row[:DEEPEST] for row in around]
    taken: set[Path] = set()
    for row in around:
        for depth in range(1, len(row) + 1):
            if row[:depth] in paths:
                continue
            outer = paths[row[: depth - 1]]
            *parents, own = _parts(row[:depth], known)
            path = (*outer, *parents)[: DEEPEST - 1]
            counts[path, own] += 1
            while (full := (*path, _numbered(own, counts[path, own]))) in taken:
                counts[path, own] += 1
            taken.add(full)
            paths[row[:depth]] = full
    found = {id(node): paths[row] for node, row in zip(computed, around, strict=True)}
    return {id(node): found.get(id(node), ()) for node in reading.nodes}


def _numbered(name: str, count: int) -> str:
    return name if count == 1 else f"{name} ({count})"


def _module_names(
    around: Sequence[tuple[Stretch, ...]], caller: Caller | None
) -> Mapping[int, str]:
    modules = {
        id(module): module
        for row in set(around)
        for stretch in row
        if (module := _module(stretch)) is not None
    }
    return variables_named(caller, set(modules)) if caller is not None and modules else {}


def _parts(row: Sequence[Stretch], known: Mapping[int, str]) -> list[str]:
    """What the innermost of some nested scopes is called inside the others."""
    module = _module(row[-1])
    if module is None:
        return [part for part in row[-1].name.split(".") if part]
    for outer in reversed(row[:-1]):
        path = path_inside(_module(outer), module)
        if path is not None:
            return [path]
    return [known.get(id(module), row[-1].name)]


def _module(stretch: Stretch) -> Any:
    """The module whose call a stretch was, if it is still there."""
    return None if stretch.module is None else stretch.module()


def _by_names(reading: Reading) -> dict[int, Path]:
    scopes: dict[int, Path] = {}
    for node in reading.nodes:
        own = path_of(reading.name(node)) if id(node) in reading.given else ()
        if not own and node.op is not None:
            inputs = [x for x in node.inputs_then() if isinstance(x, Node)]
            parameters = [x for x in inputs if x.op is None and scopes[id(x)]]
            if parameters:
                own = common(scopes[id(x)] for x in parameters)
            elif len(node.inputs) == 1 and inputs and node is not reading.root:
                own = scopes[id(inputs[0])]
        scopes[id(node)] = own
    return scopes


def _convex(reading: Reading, scopes: dict[int, Path]) -> dict[int, Path]:
    """Scopes without those that cannot be drawn as one thing.

    A scope that something leaves and comes back to stands both before and after another: it is
    dissolved, and what is in it belongs to the scope around it.
    """
    while any(scopes.values()):
        bad = _tangled(reading, scopes)
        if not bad:
            break
        scopes = {i: _without(path, bad) for i, path in scopes.items()}
    return scopes


def _without(path: Path, bad: set[Path]) -> Path:
    """A scope without the first of its outer ones that is dissolved."""
    for length in range(1, len(path) + 1):
        if path[:length] in bad:
            return (*path[: length - 1], *path[length:])
    return path


def _tangled(reading: Reading, scopes: Mapping[int, Path]) -> set[Path]:
    """The scopes on cycles of units, at any level."""
    followers: dict[Path, dict[Any, set[Any]]] = defaultdict(lambda: defaultdict(set))
    for node in reading.nodes:
        target = scopes[id(node)]
        for x in node.inputs_then():
            if not isinstance(x, Node):
                continue
            source = scopes[id(x)]
            level = common([source, target])
            length = len(level)
            a = source[: length + 1] if len(source) > length else id(x)
            b = target[: length + 1] if len(target) > length else id(node)
            if a != b:
                followers[level][a].add(b)
    found = [_on_cycles(graph) for graph in followers.values()]
    return {unit for units in found for unit in units if isinstance(unit, tuple)}


def _on_cycles(graph: Mapping[Any, set[Any]]) -> set[Any]:
    """What is left when all that nothing leads to, and all that leads nowhere, is taken away."""
    before: dict[Any, set[Any]] = defaultdict(set)
    for unit, targets in graph.items():
        for target in targets:
            before[target].add(unit)
    left = set(graph) | set(before)
    for here, there in ((graph, before), (before, graph)):
        degree = {unit: len(left & there.get(unit, set())) for unit in left}
        free = [unit for unit in left if not degree[unit]]
        while free:
            unit = free.pop()
            left.discard(unit)
            for follower in here.get(unit, ()):
                if follower in left:
                    degree[follower] -= 1
                    if not degree[follower]:
                        free.append(follower)
    return left
