"""What is inside of lists, tuples and dicts, by the name of its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def places(container: Any, path: str) -> Iterator[tuple[str, Any]]:
    """What is in a container, also in those inside, with names such as `path.heads.0`.

    >>> list(places({"w": 1, "heads": [2, (3,)]}, "net"))
    [('net.w', 1), ('net.heads.0', 2), ('net.heads.1.0', 3)]
    """
    pairs = container.items() if isinstance(container, dict) else enumerate(container)
    for key, thing in pairs:
        name = f"{path}.{key}" if path else str(key)
        if isinstance(thing, list | tuple | dict):
            yield from places(thing, name)
        else:
            yield name, thing


def mapped(function: Callable[[Any], Any], thing: Any) -> Any:
    """A thing, or a container of the same kind with what a function gives for all inside."""
    if isinstance(thing, dict):
        twin = thing.copy()  # of its own kind
        twin.update({key: mapped(function, x) for key, x in thing.items()})
        return twin
    if isinstance(thing, list | tuple):
        parts = [mapped(function, x) for x in thing]
        return type(thing)(*parts) if hasattr(thing, "_fields") else type(thing)(parts)
    return function(thing)
