"""The options of a picture, looked at before anything is drawn."""

from __future__ import annotations

from typing import Any, NamedTuple

from chainrule.pictures.drawing.themes import THEMES
from chainrule.pictures.placing.engines import ENGINES
from chainrule.pictures.showing.building import Look
from chainrule.pictures.showing.units import Choice

SHOWN = ("value", "grad", "local")
DIRECTIONS = ("LR", "TB")


class Options(NamedTuple):
    """How a picture looks, see `graph`."""

    choice: Choice
    look: Look
    theme: str | None = None
    downward: bool = False
    dpi: float = 192.0
    engine: str = "auto"


def checked(
    around: Any,
    radius: int,
    depth: int | None,
    expand: Any,
    collapse: Any,
    show: Any,
    digits: int,
    theme: str | None,
    direction: str,
    dpi: float,
    max_nodes: int,
    max_edges: int,
    engine: str,
) -> Options:
    """The options as they are used.

    Raises:
        TypeError, ValueError: for one that makes no sense, with those that do.
    """
    for name, count, least in (
        ("radius", radius, 0),
        ("depth", depth, 0),
        ("digits", digits, 1),
        ("max_nodes", max_nodes, 3),
        ("max_edges", max_edges, 1),
    ):
        given = count is not None or name != "depth"
        if given and (type(count) is not int or count < least):
            raise ValueError(f"{name}={count!r}: a whole number from {least} on")
    if isinstance(dpi, bool) or not isinstance(dpi, int | float) or not 10 <= dpi <= 2400:
        raise ValueError(f"dpi={dpi!r}: a number from 10 to 2400")
    for name, value, known in (
        ("theme", theme, (*THEMES, None)),
        ("direction", direction, DIRECTIONS),
        ("engine", engine, ENGINES),
    ):
        if value not in known:
            raise ValueError(f"{name}={value!r}: one of {', '.join(map(str, filter(None, known)))}")
    shown = _names(show, "show")
    for word in shown:
        if word not in SHOWN:
            raise ValueError(f"show={word!r}: some of {', '.join(SHOWN)}")
    choice = Choice(
        around, radius, depth, _names(expand, "expand"), _names(collapse, "collapse"),
        max_nodes, max_edges,
    )  # fmt: skip
    return Options(choice, Look(shown, digits), theme, direction == "TB", float(dpi), engine)


def _names(some: Any, what: str) -> tuple[str, ...]:
    """One name or several."""
    found = (some,) if isinstance(some, str) else some
    if not isinstance(found, list | tuple | set | frozenset) or not all(
        isinstance(name, str) for name in found
    ):
        raise TypeError(f"{what}= takes names, got {some!r}")
    return tuple(found)
