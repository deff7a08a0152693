"""A compiled program: its source, its entry, and what it leaves in the parameters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.compiler.building import built
from chainrule.compiler.saving import module_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.compiler.capture import Recording


class Mismatch(TypeError):  # noqa: N818 -- a signal, not an error
    """The arguments are not those that the program was made for."""


class Unusual(ArithmeticError):  # noqa: N818
    """Numbers came up that plain arithmetic does not treat as chainrule does."""


class Program:
    """One compiled signature."""

    def __init__(
        self, name: str, source: str, outside: dict[str, Any], leaves: Any, changes: Any
    ) -> None:
        self.name = name
        self.source = source
        self.constants = outside
        self._make = _executed(source)
        self._free: list[Any] = []
        self._leaves = [leaf.node for leaf in leaves]
        self._changes = changes

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        free = self._free
        try:
            run = free.pop()
        except IndexError:
            run = self._make(**self.constants)
        try:
            if self._leaves:
                result, changed = run([leaf._held for leaf in self._leaves], *args, **kwargs)
            else:
                return run(*args, **kwargs)
        except (OverflowError, ZeroDivisionError, ValueError) as error:
            raise Unusual from error
        finally:
            free.append(run)
        self._commit(changed)
        return result

    def save(self, path: str | Path) -> None:
        """Write the source as a module."""
        text = module_text(self.name, self.source, self.constants)
        Path(path).write_text(text, encoding="utf-8")

    def _commit(self, changed: Any) -> None:
        values = iter(changed)
        for position, data, grad in self._changes:
            leaf = self._leaves[position]
            if data is not None:
                leaf.replace_data(next(values))
            if grad is not None:
                leaf.grad = next(values)


def program_of(
    f: Callable[..., Any], recording: Recording, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program:
    """The program of what was recorded."""
    name, source, outside = built(f, recording, args, kwargs)
    return Program(name, source, outside, recording.leaves, recording.changes)


def _executed(source: str) -> Any:
    namespace: dict[str, Any] = {"Mismatch": Mismatch, "Unusual": Unusual}
    exec(compile(source, "<compiled by chainrule>", "exec"), namespace)  # noqa: S102
    return namespace["make"]
