"""The paths from a node to the root: what is on them, and what each of them adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.engine import Node
from chainrule.formulas.ways import Ways
from chainrule.pictures.scene import Footer
from chainrule.pictures.showing.reading import passed
from chainrule.pictures.showing.texts import shown
from chainrule.summaries import norm_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainrule.pictures.showing.reading import Reading

#: So many paths are told one by one, and so many factors of one.
MOST_PATHS, MOST_FACTORS = 10, 16


class PathTold(NamedTuple):
    """One path, from the leaf to the root.

    `names` has its nodes; `factors` the partials along it, empty between arrays; `contribution` is
    what it adds to the gradient.
    """

    names: tuple[str, ...]
    factors: tuple[float, ...]
    contribution: Any


@dataclass(frozen=True)
class PathsTold:
    """The paths from a node to the root.

    `count` is exact; `paths` are all of them or the largest; `total` is the sum over all paths, the
    derivative; `share` the part of all contributions, by size, that `paths` make up (None between
    arrays).
    """

    target: str
    root: str
    count: int
    paths: tuple[PathTold, ...]
    total: Any
    share: float | None
    stored: Any
    problem: str = ""

    def __str__(self) -> str:
        footer = self.footer(4)
        return "\n".join([footer.headline, *footer.lines])

    def footer(self, digits: int) -> Footer:
        """The sum over the paths in words."""
        name = f"∂{self.root}/∂{self.target}"
        many = f"{self.count:,} paths" if self.count != 1 else "1 path"
        if not self.count:
            headline = f"{name} = 0: no path leads from {self.target} to {self.root}"
        elif self.total is None:
            headline = f"{many} from {self.target} to {self.root}"
        else:
            headline = f"{name} = {_amount(self.total, digits)} = the sum over {many}"
        lines = [_line(path, digits) for path in self.paths]
        if self.count > len(self.paths) and self.paths:
            added = sum(path.contribution for path in self.paths)
            lines.append(
                f"the {len(self.paths)} largest of {self.count:,} add up to"
                f" {_amount(added, digits)}: {self.share:.1%} of all contributions by size"
            )
        elif self.count > MOST_PATHS:
            lines.append("too many paths between arrays to tell one by one")
        if len(self.paths) > 1 and any("‖" in line for line in lines):
            lines.append("the arrays are added, not their norms")
        if self.problem:
            lines.append(self.problem)
        if self.stored is not None and self.total is not None and not self._is_stored():
            lines.append(
                f"{self.target}.grad holds {_amount(self.stored, digits)}, from other calls of"
                f" backward() or more than one"
            )
        return Footer(headline, tuple(lines))

    def _is_stored(self) -> bool:
        return np.allclose(self.stored, self.total, rtol=1e-6, atol=0, equal_nan=True)


def ways_to(reading: Reading, target: Node) -> Ways:
    """What lies between a node and the root; parallel edges stay apart."""

    def partials(node: Node) -> Sequence[float]:
        carried = reading.locals(node)
        return [carried[slot].partial or 0.0 for slot in sorted(carried)]

    return Ways(reading.root, target, reading.nodes, _inputs, partials)


def told_paths(
    reading: Reading, target: Node, ways: Ways, index: tuple[int, ...] | None = None
) -> PathsTold:
    """The paths one by one, or the largest of them; `index` asks for one entry of an array."""
    count = ways.count() if ways.nodes[-1:] == [target] else 0
    table = reading.adjoints
    numbers = not any(np.ndim(x._held) or np.iscomplexobj(x._held) for x in ways.nodes)
    total = None
    if table is not None:
        total = table.get(id(target), np.zeros(np.shape(target._held)))
    elif count and numbers:
        total = ways.total()
    routes: list[PathTold] = []
    share: float | None = None
    if count and numbers:
        found = ways.largest(MOST_PATHS)
        routes = [
            PathTold(
                tuple(reading.name(node) for node in route.nodes[::-1]),
                route.partials[::-1],
                route.contribution,
            )
            for route in found
        ]
        whole = ways.absolute_sum()
        share = sum(abs(path.contribution) for path in routes) / whole if whole else 1.0
    elif count and count <= MOST_PATHS and table is not None:
        routes = list(_between_arrays(reading, target, ways))
    stored, name = target.grad, reading.name(target)
    problem = reading.problem if table is None else ""
    if index is not None:
        routes = [path._replace(contribution=path.contribution[index]) for path in routes]
        total = None if total is None else np.asarray(total)[index]
        stored = None if stored is None else stored[index]
        name += f"[{', '.join(map(str, index))}]"
    return PathsTold(
        name, reading.name(reading.root), count, tuple(routes), total, share, stored, problem
    )


def _inputs(node: Node) -> list[Node]:
    return [x for x in node.inputs_then() if isinstance(x, Node)]


def _between_arrays(reading: Reading, target: Node, ways: Ways) -> Iterator[PathTold]:
    """Each path with the cotangent that comes along it alone."""
    on_way = {id(node) for node in ways.nodes}
    pending: list[tuple[Node, Any, tuple[str, ...]]] = [
        (reading.root, reading.root.new_seed(None), (reading.name(reading.root),))
    ]
    while pending:
        node, y_bar, names = pending.pop()
        if node is target:
            yield PathTold(names[::-1], (), np.broadcast_to(y_bar, np.shape(target._held)))
            continue
        inputs = node.inputs_then()
        slots = [k for k, x in enumerate(inputs) if isinstance(x, Node) and id(x) in on_way]
        steps = [
            (inputs[slot], x_bar, (*names, reading.name(inputs[slot])))
            for slot, x_bar in zip(slots, passed(node, slots, y_bar), strict=True)
        ]
        pending += steps[::-1]


def _line(path: PathTold, digits: int) -> str:
    names = " → ".join(_elided(path.names))
    if not path.factors:
        return f"{_amount(path.contribution, digits)} along {names}"
    factors = _elided(path.factors)
    product = " × ".join(f if isinstance(f, str) else shown(f, digits) for f in factors)
    return f"{shown(path.contribution, digits, signed=True)} = {product}   ({names})"


def _elided(parts: Sequence[Any]) -> list[Any]:
    if len(parts) <= MOST_FACTORS:
        return list(parts)
    half = MOST_FACTORS // 2
    return [*parts[:half], f"… {len(parts) - 2 * half} more …", *parts[-half:]]


def _amount(x: Any, digits: int) -> str:
    array = np.asarray(x)
    if not array.ndim:
        return shown(array, digits, signed=True)
    if 0 < array.size <= 6 and array.ndim <= 2:
        rows = [
            "[" + "  ".join(shown(x, digits) for x in row) + "]" for row in np.atleast_2d(array)
        ]
        return rows[0] if array.ndim == 1 else f"[{' '.join(rows)}]"
    return f"‖·‖ {shown(norm_of(array), digits)}"
