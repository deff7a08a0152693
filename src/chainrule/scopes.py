"""Named stretches of a computation, for pictures: `with scope("layer1"):` and calls of modules.

A scope costs a node nothing. It is the interval of creation numbers between its beginning and its
end, and a node belongs to the intervals its own number lies in.
"""

from __future__ import annotations

import weakref
from collections import deque
from dataclasses import dataclass
from threading import get_ident
from typing import TYPE_CHECKING, Any

from chainrule.engine import tick
from chainrule.recording import recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

#: So many scopes are remembered, the last ones; a picture of older graphs has no clusters.
MOST_SCOPES = 50_000


@dataclass(eq=False, slots=True)
class Stretch:
    """A scope that has ended: its creation numbers, its thread, its name (a module's class)."""

    start: int
    end: int
    thread: int
    name: str
    module: weakref.ref[Any] | None = None


#: The fields of a stretch, for a module with its class in place of the name: calls are frequent.
_ended: deque[tuple[int, int, int, Any, weakref.ref[Any] | None]] = deque(maxlen=MOST_SCOPES)


#: The scopes of `with` that have not ended, by their beginning.
_open: dict[int, tuple[int, str]] = {}


class scope:  # noqa: N801 -- used like a function: with scope("layer1"):
    """Give what is computed inside a name, under which pictures draw it together.

    Scopes nest; a dot in a name nests, too: `scope("layer1.neuron2")`. The call of a `cr.nn.Module`
    is a scope by itself. A scope is a stretch of time: what another thread, or whoever uses a
    generator, computes in the meantime is taken for a part of it.

    Args:
        name: what the picture calls it.

    Raises:
        TypeError: for a name that is no text.
        ValueError: for an empty name.

    >>> import chainrule as cr
    >>> w, x = cr.Value(0.5, label="w"), cr.Value(2.0, label="x")
    >>> with cr.scope("neuron"):
    ...     y = cr.tanh(w * x)
    >>> [cluster.title for cluster in cr.graph(y).scene.clusters]
    ['neuron']
    """

    __slots__ = ("name", "starts")

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a scope takes a name, got {name!r}")
        if not name.strip("."):
            raise ValueError(f"a scope takes a name, got {name!r}")
        self.name = ".".join(part for part in name.split(".") if part)
        self.starts: dict[int, list[int]] = {}

    def __enter__(self) -> None:
        thread = get_ident()
        start = tick()
        self.starts.setdefault(thread, []).append(start)
        _open[start] = thread, self.name

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        thread = get_ident()
        start = self.starts[thread].pop()
        del _open[start]
        if recording():
            _ended.append((start, tick(), thread, self.name, None))


def call_scoped(call: Callable[..., Any], owner: Any, args: Any, kwargs: Any) -> Any:
    """Call a method as a scope, named after its object."""
    if not recording():
        return call(owner, *args, **kwargs)
    start = tick()
    try:
        return call(owner, *args, **kwargs)
    finally:
        _ended.append((start, tick(), get_ident(), type(owner), weakref.ref(owner)))


def stretches(indices: Sequence[int]) -> list[tuple[Stretch, ...]]:
    """For each creation number, in ascending order, the scopes it lies in, the outermost first.

    Scopes of threads that ran at the same time cannot be told apart and are left out.
    """
    if not indices:
        return []
    first, last = indices[0], indices[-1]
    open_ones: list[Stretch] = []
    found: list[tuple[Stretch, ...]] = []
    rows = [row for row in tuple(_ended) if row[1] > first and row[0] < last]
    rows += [(start, last + 1, *rest, None) for start, rest in tuple(_open.items()) if start < last]
    pending = _nested(map(_stretch, rows))
    place = 0
    for index in indices:
        while place < len(pending) and pending[place].start < index:
            open_ones.append(pending[place])
            place += 1
        open_ones = [s for s in open_ones if s.end > index]
        found.append(tuple(open_ones))
    return found


def _stretch(row: tuple[int, int, int, Any, weakref.ref[Any] | None]) -> Stretch:
    start, end, thread, name, module = row
    return Stretch(start, end, thread, name if module is None else name.__name__.lower(), module)


def _nested(some: Iterable[Stretch]) -> list[Stretch]:
    """Scopes outermost first, without those that overlap one of another thread."""
    ordered = sorted(some, key=lambda s: (s.start, -s.end))
    around: list[Stretch] = []
    mixed: set[Stretch] = set()
    for stretch in ordered:
        around = [other for other in around if other.end > stretch.start]
        mixed.update(other for other in around if other.thread != stretch.thread)
        mixed.update([stretch] if any(o.thread != stretch.thread for o in around) else [])
        around.append(stretch)
    return [stretch for stretch in ordered if stretch not in mixed]
