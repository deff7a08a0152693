"""A compiled program: its source, its entry, and what it leaves in the parameters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.compiler.writing.building import built
from chainrule.compiler.writing.saving import module_text
from chainrule.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from chainrule.compiler.planning.lanes import Update
    from chainrule.compiler.tracing.capture import Recording
    from chainrule.compiler.writing.building import Built


class Mismatch(TypeError):  # noqa: N818 -- a signal, not an error
    """The arguments are not those that the program was made for."""


class Unusual(ArithmeticError):  # noqa: N818
    """Numbers came up that plain arithmetic does not treat as chainrule does."""


class Program:
    """One compiled signature."""

    def __init__(
        self, recording: Recording, made: Built, count: int, keywords: tuple[str, ...]
    ) -> None:
        self.name = made.name
        #: The number of arguments by position, and the names of the others.
        self.count, self.keywords = count, keywords
        self.source = made.source
        self.constants = made.outside
        self._make = executed(made.source)
        self._free: list[Any] = []
        self._leaves = [leaf.node for leaf in recording.leaves]
        own = made.update.leaves if made.update is not None else set()
        #: The leaves whose data is passed in every call; those that lie in long arrays; and which.
        self._read = [leaf for i, leaf in enumerate(self._leaves) if i not in own]
        self._lent = lent(recording, made.update)
        self._changes = [
            (self._leaves[change.position], change.data is not None, change.grad is not None)
            for change in made.changes
        ]
        #: The function itself, where it has no arrays of its own and changes nothing.
        self._plain: Any = None
        if not self._leaves and not made.keeps_arrays:
            self._plain = self._make(**self.constants)
        #: Leaves whose gradients it adds to, and forgets: there may be none before.
        self._without = [self._leaves[position] for position in recording.added]
        self._forgotten = [self._leaves[position] for position in recording.forgotten]

    @property
    def shortcut(self) -> Callable[..., Any] | None:
        """It as a function of arguments by position, where it changes nothing outside."""
        return None if self._leaves or self.keywords else self._plain or self._run

    def _run(self, *args: Any) -> Any:
        """Run it with arrays that no other thread works in."""
        free = self._free
        try:
            run = free.pop()
        except IndexError:
            run = self._make(**self.constants)
        try:
            return run(*args)
        finally:
            free.append(run)

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            if not self._leaves:
                return self._run(*args, *kwargs.values())
            if any(leaf.grad is not None for leaf in self._without):
                raise Unusual
            for leaf, view in self._lent:
                if leaf._held is not view:
                    leaf.lend(view)
            held = [leaf._held for leaf in self._read]
            result, changed = self._run(held, *args, *kwargs.values())
        except (ArithmeticError, ValueError) as error:
            raise Unusual from error
        self._commit(changed)
        return result

    def save(self, path: str | Path) -> None:
        """Write the source as a module."""
        if self._leaves:
            raise CompileError(
                f"{self.name} cannot be saved: it computes with Tensors or Values that are no"
                f" arguments; compile a function of their data, such as cr.grad of a loss"
            )
        text = module_text(self.name, self.source, self.constants)
        Path(path).write_text(text, encoding="utf-8")

    def _commit(self, changed: Any) -> None:
        for leaf, _ in self._lent:
            leaf.renew()
        for leaf in self._forgotten:
            leaf.grad = None
        values = iter(changed)
        for leaf, data, grad in self._changes:
            if data:
                leaf.replace_data(next(values))
            if grad:
                leaf.grad = next(values)


def lent(recording: Recording, update: Update | None) -> list[tuple[Any, np.ndarray]]:
    """The leaves that lie in long arrays, each with its place there."""
    views: dict[int, np.ndarray] = {}
    for arena in update.kept if update is not None else ():
        views |= arena.views(recording.trace)
    return [(leaf.node, views[leaf.number]) for leaf in recording.leaves if leaf.number in views]


def program_of(
    f: Callable[..., Any], recording: Recording, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program:
    """The program of what was recorded."""
    return Program(recording, built(f, recording, args, kwargs), len(args), tuple(kwargs))


def executed(source: str) -> Any:
    namespace: dict[str, Any] = {"Mismatch": Mismatch, "Unusual": Unusual}
    exec(compile(source, "<compiled by chainrule>", "exec"), namespace)  # noqa: S102
    return namespace["make"]
