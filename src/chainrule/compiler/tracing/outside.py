"""What a traced function must leave alone: what is printed, drawn at random, kept elsewhere."""

from __future__ import annotations

import functools
import random
import sys
from contextlib import contextmanager
from threading import Lock
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.tracing.recorder import Operand
from chainrule.compiler.tracing.trace import refusal
from chainrule.engine import Node
from chainrule.errors import CompileError
from chainrule.reach import Cells, global_ones, reached
from chainrule.recording import tracer
from chainrule.sites import site_text, user_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# ------------------------------------------------------------------------------- printing


class _Refusing:
    """An output that refuses what a traced function prints; it would never be printed again."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def write(self, text: str) -> int:
        if tracer() is None:  # another thread
            written: int = self.real.write(text)
            return written
        if not text.strip():
            return len(text)
        raise refusal(
            f"the function prints at {site_text(user_site(2))}, which a compiled one would do only"
            f" once: return what is to be printed"
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


_lock = Lock()
#: The outputs in place while something is traced, one for all threads.
_outputs: list[_Refusing] = []


@contextmanager
def printing_refused() -> Iterator[None]:
    """Refuse what the traced function prints; other threads print on."""
    with _lock:
        if not _outputs:
            sys.stdout = _Refusing(sys.stdout)
        output = sys.stdout if not _outputs else _outputs[0]
        _outputs.append(output)  # type: ignore[arg-type]
    try:
        yield
    finally:
        with _lock:
            _outputs.pop()
            if not _outputs and sys.stdout is output:
                sys.stdout = output.real  # type: ignore[union-attr]


# ------------------------------------------------------------------------- random numbers


class _Generator:
    """A random generator that a function can reach, and its state."""

    def __init__(self, get: Callable[[], Any], put: Callable[[Any], None]) -> None:
        self.get, self.put, self.state = get, put, get()

    def drawn(self) -> bool:
        """Whether numbers were drawn from it; then it is as it was again."""
        changed = bool(self.get() != self.state)
        if changed:
            self.put(self.state)
        return changed


def _generators(f: Callable[..., Any]) -> Iterator[_Generator]:
    """Those of a function, and the global ones; NumPy's is loaded when it is first used."""
    yield _Generator(random.getstate, random.setstate)
    module = sys.modules.get("numpy.random")
    if module is not None:
        yield _Generator(lambda: _plain(module.get_state(legacy=False)), module.set_state)
    for _, thing in reached(f):
        if isinstance(thing, np.random.Generator):
            bits = thing.bit_generator
            yield _Generator(
                functools.partial(lambda bits: _plain(bits.state), bits),
                functools.partial(setattr, bits, "state"),
            )


def _plain(state: Any) -> Any:
    """A state with lists in place of arrays."""
    if isinstance(state, dict):
        return {key: _plain(x) for key, x in state.items()}
    return state.tolist() if isinstance(state, np.ndarray) else state


# --------------------------------------------------------------------- containers outside


class _Place:
    """A container that a function can reach, and what it held."""

    def __init__(self, path: str, container: Any, held: Any) -> None:
        self.path, self.container, self.held = path, container, held

    def kept(self) -> str:
        """Where it now holds what was traced; then it is as it was again."""
        container, held = self.container, self.held
        if isinstance(container, list):
            known = set(map(id, held))
            if not any(_is_traced(x) for x in container if id(x) not in known):
                return ""
            container[:] = held
            return self.path
        names = [k for k, x in list(container.items()) if x is not held.get(k) and _is_traced(x)]
        for name in names:
            if name in held:
                container[name] = held[name]
            else:
                del container[name]
        return self.path.replace("*", str(names[0])) if names else ""


@contextmanager
def kept_as_it_was(f: Callable[..., Any]) -> Iterator[None]:
    """Raise CompileError if a function keeps what it was traced with, or draws random numbers.

    What it kept it in, and the generators, are then as they were before.
    """
    places, generators = list(_places(f)), list(_generators(f))
    problem: BaseException | None = None
    try:
        yield
    except BaseException as error:  # noqa: BLE001 -- it is raised again
        problem = error
    drawn = [generator.drawn() for generator in generators]
    kept = [path for place in places if (path := place.kept())]
    if problem is not None and not isinstance(problem, CompileError):
        raise problem
    if any(drawn):
        raise CompileError(
            "the function draws random numbers, which a compiled one would draw only once: draw"
            " them outside and pass them as an argument"
        ) from None
    if kept:
        raise CompileError(
            f"the function keeps a result in {kept[0]}, which a compiled one would do only once:"
            f" return it; what it changes has to be the .data of a Tensor or Value"
        ) from None
    if problem is not None:
        raise problem


def _places(f: Callable[..., Any]) -> Iterator[_Place]:
    """The containers that a function can reach by its variables, with what they hold."""
    for path, thing in reached(f):
        if isinstance(thing, list):
            yield _Place(path, thing, list(thing))
        elif isinstance(thing, dict):
            yield _Place(f"{path}[*]", thing, dict(thing))
        elif isinstance(thing, FunctionType):
            cells = Cells(thing)
            yield _Place("*", thing.__globals__, global_ones(thing))
            yield _Place("*", cells, dict(cells.items()))
        elif hasattr(thing, "__dict__"):
            yield _Place(f"{path}.*", thing.__dict__, dict(thing.__dict__))


def _is_traced(x: Any) -> bool:
    """Whether something was traced, or is a short list or dict with such a thing in it."""
    if isinstance(x, list | tuple):
        return any(map(_is_traced, x))
    if isinstance(x, dict):
        return any(map(_is_traced, x.values()))
    return isinstance(x, Operand) or (isinstance(x, Node) and isinstance(x._held, Operand))
