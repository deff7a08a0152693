"""What a picture shows, before anybody knows where it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container

#: The words that begin the rows of a gradient.
GRADIENT = ("grad", "‖grad‖")
#: A scope: the names from the outermost in.
Path = tuple[str, ...]


class Row(NamedTuple):
    """A line in a box: a word and its text; `tone` is "plus", "minus", "flaw" or nothing."""

    word: str
    text: str
    tone: str = ""


def tone_of(gradient: str) -> str:
    """The tone of a gradient by its sign."""
    return {"+": "plus", "−": "minus"}.get(gradient[:1], "")


def gradient_part(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The rows of a box from its gradient on."""
    begin = next((k for k, row in enumerate(rows) if row.word in GRADIENT), len(rows))
    return rows[begin:]


class Box(NamedTuple):
    """A node, a constant or a group of them.

    `kind` is input, parameter, constant, op, output or group; `role` stands small beside the name.
    """

    name: str
    role: str
    kind: str
    rows: tuple[Row, ...] = ()
    scope: Path = ()
    tip: str = ""
    #: What a group stands for: the scope to open, and how many nodes.
    opens: str = ""
    members: int = 1


def innermost(path: Path, among: Container[Path]) -> Path:
    """The innermost of some scopes that is a scope or stands around it; () for none."""
    return next((path[:n] for n in range(len(path), 0, -1) if path[:n] in among), ())


class Edge(NamedTuple):
    """The use of one box by another; `slot` of `slots` is its place among the inputs of the target.

    `size` is the share of the largest contribution, from 0 to 1, or None where none is known.
    """

    source: int
    target: int
    slot: int
    slots: int
    label: str = ""
    tip: str = ""
    size: float | None = None
    #: Whether nothing comes through: the partial is zero.
    dead: bool = False


class Cluster(NamedTuple):
    """A scope drawn around its boxes and the clusters in it."""

    path: Path
    title: str


@dataclass(frozen=True)
class Footer:
    """What stands below a picture: a headline and lines, each with what it is about."""

    headline: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scene:
    """All of a picture: boxes in a topological order, edges, clusters, and what is lit."""

    title: str
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    clusters: tuple[Cluster, ...] = ()
    notes: tuple[str, ...] = ()
    footer: Footer | None = None
    #: Boxes and edges on the paths; None without paths: then all of them are as usual.
    lit: tuple[frozenset[int], frozenset[int]] | None = field(default=None)
