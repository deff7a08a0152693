"""What a function can reach by its variables: objects, and what they hold."""

from __future__ import annotations

import functools
from collections import deque
from contextlib import suppress
from itertools import islice
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: So many containers are looked into.
MOST_CONTAINERS = 5_000
#: What is in a list of more things is not looked into.
MOST_ITEMS = 10_000
_CLOSED = {float, int, str, bool, type(None)}
_OPEN = (
    *(list, dict, tuple, deque, set, frozenset, FunctionType, MethodType, functools.partial),
    np.random.Generator,
)


def reached(f: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """The containers and objects that a function can reach, the nearest first, with the way there.

    Its own object is called self. Classes, modules, arrays and nodes are not looked into.
    """
    queue: deque[tuple[str, Any]] = deque([("self", f)])
    seen: set[int] = set()
    while queue and len(seen) < MOST_CONTAINERS:
        path, thing = queue.popleft()
        if id(thing) not in seen:
            seen.add(id(thing))
            yield path, thing
            queue.extend((name, x) for name, x in _inside(path, thing) if _is_open(x))


def _inside(path: str, thing: Any) -> list[tuple[str, Any]]:
    if isinstance(thing, list | tuple | deque | set | frozenset):
        return [(f"{path}[{i}]", x) for i, x in enumerate(islice(thing, MOST_ITEMS))]
    if isinstance(thing, dict):
        return [(f"{path}[{key!r}]", x) for key, x in thing.items()]
    if isinstance(thing, MethodType):
        return [("self", thing.__self__), (path, thing.__func__)]
    if isinstance(thing, functools.partial):
        return [(path, thing.func), (path, thing.args), (path, thing.keywords)]
    if isinstance(thing, FunctionType):
        names = thing.__code__.co_varnames[: thing.__code__.co_argcount]
        defaults = thing.__defaults__ or ()
        given = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
        given |= thing.__kwdefaults__ or {}
        return [*global_ones(thing).items(), *Cells(thing).items(), *given.items()]
    return [(f"{path}.{name}", x) for name, x in _attributes(thing).items()]


def _attributes(thing: Any) -> dict[str, Any]:
    """What an object holds itself, in slots, and by its class: values and methods."""
    found: dict[str, Any] = {}
    for kind in type(thing).__mro__[::-1]:
        if kind.__module__.split(".")[0] not in {"builtins", "chainrule", "numpy"}:
            special = {"__call__"} & vars(kind).keys()
            found |= {k: x for k, x in vars(kind).items() if k[:2] != "__" or k in special}
        slots = getattr(kind, "__slots__", ())
        found |= {name: getattr(thing, name) for name in slots if hasattr(thing, name)}
    return found | getattr(thing, "__dict__", {})


def global_ones(f: FunctionType) -> dict[str, Any]:
    """The global variables that a function names."""
    names: set[str] = set()
    pending: list[CodeType] = [f.__code__]
    while pending:
        code = pending.pop()
        names.update(code.co_names)
        pending += [c for c in code.co_consts if isinstance(c, CodeType)]
    return {name: f.__globals__[name] for name in sorted(names) if name in f.__globals__}


class Cells:
    """The variables of surrounding functions that a function uses."""

    def __init__(self, f: FunctionType) -> None:
        self.cells = dict(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))

    def items(self) -> list[tuple[str, Any]]:
        found = []
        for name, cell in self.cells.items():
            with suppress(ValueError):  # it is empty
                found.append((name, cell.cell_contents))
        return found

    def __setitem__(self, name: str, thing: Any) -> None:
        self.cells[name].cell_contents = thing

    def __delitem__(self, name: str) -> None:
        del self.cells[name].cell_contents


def _is_open(x: Any) -> bool:
    """Whether something may hold other things."""
    if type(x) in _CLOSED:
        return False
    if isinstance(x, _OPEN):
        return True
    if isinstance(x, Node | ModuleType | type | np.ndarray | np.generic):
        return False
    inside = hasattr(x, "__dict__") or hasattr(x, "__slots__")
    return inside and not type(x).__module__.startswith(("numpy", "chainrule.ops"))
