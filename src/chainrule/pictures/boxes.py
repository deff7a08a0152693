"""The parts of a picture, before anybody knows where they go."""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """One node or constant, ready to be written: `rows` are pairs of a word and its text."""

    name: str
    role: str
    kind: str
    rows: tuple[tuple[str, str], ...]


class Edge(NamedTuple):
    """One use of an input; `slot` of `slots` is its place among the inputs of the target."""

    source: int
    target: int
    slot: int
    slots: int
    label: str
