"""What becomes one box: a node, a constant, or many of them where all would be too many."""

from __future__ import annotations

import copy
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from chainrule.engine import Node
from chainrule.pictures.placing.columns import Line, ranks
from chainrule.pictures.showing.clusters import common

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from chainrule.pictures.scene import Path
    from chainrule.pictures.showing.reading import Reading

#: When nothing else helps, a graph is cut into so many stretches.
STRETCHES = 20


@dataclass(frozen=True, eq=False)
class Constant:
    """A plain input that gets a box: an array, or a number that has a name."""

    data: Any
    name: str


#: What a graph is made of.
Item = Node | Constant


class Unit(NamedTuple):
    """What one box stands for; a group has a title, and a name if it can be opened."""

    items: tuple[Item, ...]
    scope: Path
    title: str = ""
    opens: str = ""

    @property
    def single(self) -> Item | None:
        """The node or constant, if it is only one."""
        return None if self.title else self.items[0]


class Link(NamedTuple):
    """An input of an item."""

    source: Item
    target: Node
    slot: int


class Choice(NamedTuple):
    """What to show of a graph, see `graph`."""

    around: Node | None = None
    radius: int = 2
    depth: int | None = None
    expand: tuple[str, ...] = ()
    collapse: tuple[str, ...] = ()
    max_nodes: int = 150
    max_edges: int = 400
    #: Only these items, by `id`: a group that is opened.
    only: frozenset[int] | None = None


class Items:
    """The nodes and constants of a graph with their scopes, in a topological order."""

    def __init__(self, reading: Reading, scopes: Mapping[int, Path]) -> None:
        self.root = reading.root
        self.links: list[Link] = []
        found: dict[int, Constant] = {}
        users: dict[int, list[Path]] = defaultdict(list)
        for node in reading.nodes:
            for slot, x in enumerate(node.inputs_then()):
                source = x
                if not isinstance(x, Node):
                    name = reading.constants.get(id(x))
                    if name is None:
                        continue
                    source = found.setdefault(id(x), Constant(x, name))
                    users[id(x)].append(scopes[id(node)])
                self.links.append(Link(source, node, slot))
        self.scope = dict(scopes)
        for i, constant in found.items():
            self.scope[id(constant)] = common(users[i])
        self.all: list[Item] = [*found.values(), *reading.nodes]
        self.constants = found

    def near(self, node: Node, radius: int) -> Items:
        """What is at most so many edges away, with its edges."""
        beside: dict[int, list[Item]] = defaultdict(list)
        for link in self.links:
            beside[id(link.source)].append(link.target)
            beside[id(link.target)].append(link.source)
        kept = {id(node)}
        rim: list[Item] = [node]
        for _ in range(radius):
            rim = [y for x in rim for y in beside[id(x)] if id(y) not in kept]
            kept.update(map(id, rim))
        return self.only(kept)

    def beside(self, some: Iterable[Item]) -> frozenset[int]:
        """Some items and all that they are joined to, by `id`."""
        inside = set(map(id, some))
        pairs = [(id(link.source), id(link.target)) for link in self.links]
        return frozenset(inside | {i for pair in pairs if inside & {*pair} for i in pair})

    def only(self, kept: Container[int]) -> Items:
        """A part of the items, with the edges between them."""
        part = copy.copy(self)
        part.all = [x for x in self.all if id(x) in kept]
        part.links = [x for x in self.links if id(x.source) in kept and id(x.target) in kept]
        return part

    def scopes(self) -> set[Path]:
        """All scopes, those around others, too."""
        return {
            path[:length]
            for path in {self.scope[id(x)] for x in self.all}
            for length in range(1, len(path) + 1)
        }


def chosen_items(items: Items, choice: Choice) -> Items:
    """The part of a graph that is shown, or all of it."""
    if choice.around is not None:
        items = items.near(choice.around, choice.radius)
    return items if choice.only is None else items.only(choice.only)


def chosen_units(items: Items, choice: Choice) -> list[Unit]:
    """Boxes within the limits: all nodes, else scopes closed and repeats folded.

    The deepest level of scopes that fits is taken. If none does, nodes at the same distance from
    the leaves that do the same are folded, and if that is too much, too, the graph is cut into
    stretches.
    """
    scopes = items.scopes()
    known = {".".join(path): path for path in scopes}
    opened = {
        path[:length] for name in choice.expand for path in [known.get(name, ())]
        for length in range(1, len(path) + 1)
    }  # fmt: skip
    closed = {known[name] for name in choice.collapse if name in known}
    deepest = max(map(len, scopes), default=0)
    levels = [choice.depth] if choice.depth is not None else range(deepest, -1, -1)
    units: list[Unit] = []
    for depth in levels:
        shut = closed | {path for path in scopes if len(path) > depth and path not in opened}
        units = _closed(items, shut)
        if _fits(items, units, choice):
            return units
        if shut:
            units = _folded(items, units, lambda unit: bool(unit.title))
            if _fits(items, units, choice):
                return units
    units = _folded(items, units, lambda _unit: True)
    if _fits(items, units, choice):
        return units
    return _stretches(items, choice)


def _closed(items: Items, shut: set[Path]) -> list[Unit]:
    """A unit for each closed scope, one for each other item, in the order of their first items."""
    found: dict[Any, list[Item]] = defaultdict(list)
    where: dict[Any, Path] = {}
    for x in items.all:
        path = items.scope[id(x)]
        outer = next((path[:n] for n in range(1, len(path) + 1) if path[:n] in shut), None)
        key = id(x) if outer is None else outer
        found[key].append(x)
        where[key] = path if outer is None else outer[:-1]
    return [
        Unit(tuple(some), where[key], ".".join(key), ".".join(key))
        if isinstance(key, tuple)
        else Unit(tuple(some), where[key])
        for key, some in found.items()
    ]


def _fits(items: Items, units: Sequence[Unit], choice: Choice) -> bool:
    return len(units) <= choice.max_nodes and len(between(items, units)) <= choice.max_edges


def between(items: Items, units: Sequence[Unit]) -> dict[tuple[int, int, int], list[Link]]:
    """The links between units: those from or to a group taken together.

    The keys are source, target and the place of the input; in and out of groups the place is -1.
    """
    unit_of = {id(x): i for i, unit in enumerate(units) for x in unit.items}
    grouped = [bool(unit.title) for unit in units]
    found: dict[tuple[int, int, int], list[Link]] = defaultdict(list)
    for link in items.links:
        source, target, slot = link
        a, b = unit_of[id(source)], unit_of[id(target)]
        if a != b:
            found[a, b, -1 if grouped[a] or grouped[b] else slot].append(link)
    return found


def distances(items: Items, units: Sequence[Unit]) -> list[int]:
    """The distance of each unit from the leaves."""
    pairs = {(a, b) for a, b, _ in between(items, units)}
    return ranks(len(units), [Line(a, b) for a, b in sorted(pairs)])


def _folded(items: Items, units: Sequence[Unit], foldable: Callable[[Unit], bool]) -> list[Unit]:
    """Units that stand side by side and do the same, taken together.

    None of them depends on another, since they have the same distance from the leaves.
    """
    found: dict[Any, list[Unit]] = defaultdict(list)
    for unit, rank in zip(units, distances(items, units), strict=True):
        alike = foldable(unit) and not any(x is items.root for x in unit.items)
        key = (unit.scope, rank, _likeness(unit)) if alike else (id(unit),)
        found[key].append(unit)
    result = []
    for some in found.values():
        if len(some) == 1:
            result.append(some[0])
            continue
        inner = tuple(x for unit in some for x in unit.items)
        name = _base(some[0].title.rpartition(".")[2]) if some[0].title else _kind(some[0].items[0])
        result.append(Unit(inner, some[0].scope, f"{name} × {len(some):,}"))
    return result


def _likeness(unit: Unit) -> Any:
    """Equal for units that do the same: of a group the name without numbers, and its ops."""
    if not unit.title:
        return _kind(unit.items[0])
    kinds = Counter(_kind(x) for x in unit.items)
    return (_base(unit.title), frozenset(kinds.items()))


def _base(name: str) -> str:
    return re.sub(r"(\[\d+\]|[ _]?\d+|[ ]\(\d+\))+$", "", name) or "scope"


def _kind(x: Item) -> str:
    """What an item does: the name of its op, or what kind of leaf it is."""
    if isinstance(x, Constant):
        return "constant"
    return "leaf" if x.op is None else x.op.name


def _stretches(items: Items, choice: Choice) -> list[Unit]:
    """The whole graph cut by the distance from the leaves."""
    units = [Unit((x,), ()) for x in items.all]
    levels = distances(items, units)
    last = max(levels, default=0) + 1
    count = max(1, min(STRETCHES, choice.max_nodes // 2, last))
    found: dict[tuple[int, bool], list[Item]] = defaultdict(list)
    reach: dict[tuple[int, bool], list[int]] = defaultdict(list)
    for unit, level in zip(units, levels, strict=True):
        x = unit.items[0]
        if x is not items.root:
            key = level * count // last, isinstance(x, Constant) or x.op is None
            found[key].append(x)
            reach[key].append(level)
    result = []
    for key, some in sorted(found.items(), key=lambda pair: pair[0]):
        nodes = sum(isinstance(x, Node) for x in some)
        words = [(nodes, "leaf"), (len(some) - nodes, "constant")]
        title = ", ".join(counted(n, w) for n, w in words if n).replace("leafs", "leaves")
        if not key[1]:
            title = f"steps {min(reach[key]):,} to {max(reach[key]):,}"
        if len(some) == 1:
            title = ""
        result.append(Unit(tuple(some), (), title))
    has_root = any(x is items.root for x in items.all)
    return [*result, *([Unit((items.root,), ())] if has_root else [])]


def counted(count: int, word: str) -> str:
    """A number of things: 1 value, 2 values."""
    return f"{count:,} {word}" + ("s" if count != 1 else "")


def hidden_text(items: Items, units: Iterable[Unit], whole: int) -> list[str]:
    """What a picture has to say about what it does not show."""
    units = list(units)
    groups = [unit for unit in units if unit.title]
    notes = []
    if groups:
        inside = sum(len(unit.items) for unit in groups)
        notes.append(f"{counted(inside, 'value')} shown as {counted(len(groups), 'group')}")
    others = whole - sum(isinstance(x, Node) for x in items.all)
    if others:
        notes.append(f"{counted(others, 'other node')} not shown")
    return notes
