"""The lines that take arguments apart."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.writing.spelling import INDENT, Names, literal
from chainrule.compiler.writing.variables import unpacked_names
from chainrule.trees import vars_of

if TYPE_CHECKING:
    from chainrule.compiler.tracing.capture import Recording

#: So many numbers are looked at in one line.
ROW = 6
#: Longer conditions go on several lines.
WIDTH = 88


class Entry:
    """The lines that take the arguments apart and look whether they are those expected."""

    def __init__(self, names: Names, recording: Recording, code: Any) -> None:
        self.names, self.recording, self.code = names, recording, code
        self.numbers = iter(recording.inputs)
        self.lines: list[str] = []
        self.setup: list[str] = []
        self.dtypes: dict[str, str] = {}
        self.called: dict[int, str] = {}
        #: The arrays among the arguments by their names.
        self.arrays: dict[str, np.ndarray] = {}
        self.floats: list[str] = []
        self.kept: dict[str, Any] = {}

    def require(self, what: str, *conditions: str) -> None:
        """Lines that raise unless conditions hold."""
        line = f"if not ({' and '.join(conditions)}):"
        if len(line) > WIDTH:
            first, *rest = conditions
            line = f"if not (\n{INDENT}{first}"
            line += "".join(f"\n{INDENT}and {condition}" for condition in rest) + "\n):"
        self.lines += [*line.split("\n"), f"{INDENT}raise Mismatch({what!r})"]

    def take(self, tree: Any, name: str) -> None:
        """Lines for an argument that is in the variable `name`."""
        if tree is None:
            self.require(f"{name} is None", f"{name} is None")
        elif isinstance(tree, dict):
            self.require(
                f"{name} has the keys {', '.join(map(str, tree))}",
                f"type({name}) is {self.kind(tree)}",
                f"list({name}) == [{', '.join(map(self.key, tree))}]",
            )
            inner = [self.names.new(str(key)) for key in tree]
            self.lines += [
                f"{n} = {name}[{self.key(key)}]" for n, key in zip(inner, tree, strict=True)
            ]
            self.take_all(tree.values(), inner)
        elif isinstance(tree, list | tuple):
            self.require(
                f"{name} has {len(tree)} items",
                f"type({name}) is {self.kind(tree)}",
                f"len({name}) == {len(tree)}",
            )
            wishes = list(getattr(tree, "_fields", ())) or unpacked_names(
                self.code, name, len(tree)
            )
            wishes = wishes or [f"{name}_{i}" for i in range(len(tree))]
            inner = [self.names.new(wish) for wish in wishes]
            if inner:
                self.lines.append(f"{', '.join(inner)}{',' * (len(inner) == 1)} = {name}")
            self.take_all(tree, inner)
        elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
            self.require(f"{name} is a {type(tree).__name__}", f"type({name}) is {self.kind(tree)}")
            fields = vars_of(tree)
            inner = [self.names.new(key) for key in fields]
            self.lines += [f"{n} = {name}.{key}" for n, key in zip(inner, fields, strict=True)]
            self.take_all(fields.values(), inner)
        else:
            self.leaf(tree, name)

    def take_all(self, trees: Any, names: list[str]) -> None:
        """Lines for several arguments."""
        for tree, name in zip(trees, names, strict=True):
            self.take(tree, name)

    def leaf(self, x: Any, name: str) -> None:
        """A number, an array, or something fixed."""
        number = next(self.numbers)
        if number is not None:
            self.called[number] = name
            if isinstance(x, np.ndarray):
                self.arrays[name] = x
            elif type(x) is float:
                self.floats.append(name)
            else:
                kind = f"np.{type(x).__name__}" if isinstance(x, np.generic) else type(x).__name__
                self.require(f"{name} is a {type(x).__name__}", f"type({name}) is {kind}")
        elif type(x) in {bool, int, str}:
            self.require(
                f"{name} is {x!r}", f"type({name}) is {type(x).__name__}", f"{name} == {x!r}"
            )
        else:
            self.require(f"{name} is the object it was", f"{name} is {self.keep(x, name)}")

    def require_numbers(self) -> None:
        """Lines that look at all floats and at all arrays at once."""
        groups = [self.floats[i : i + ROW] for i in range(0, len(self.floats), ROW)]
        if groups:
            self.require(
                f"floats: {', '.join(self.floats)}",
                *[f"{' is '.join(f'type({name})' for name in row)} is float" for row in groups],
            )
        if not self.arrays:
            return
        self.setup.append("ndarray = np.ndarray")
        expected = ", ".join(f"{n} {x.shape} {x.dtype}" for n, x in self.arrays.items())
        classes = " is ".join(f"type({name})" for name in self.arrays)
        shapes = ", ".join(f"{name}.shape" for name in self.arrays)
        dtypes = " == ".join(
            [
                *[f"{name}.dtype" for name in self.arrays],
                self.dtype(next(iter(self.arrays.values())).dtype),
            ]
        )
        if len({x.dtype for x in self.arrays.values()}) > 1:
            dtypes = " and ".join(
                f"{n}.dtype == {self.dtype(x.dtype)}" for n, x in self.arrays.items()
            )
        wanted = literal(tuple(x.shape for x in self.arrays.values()))
        layout = []
        if self.recording.trace.changed:  # where entries lie decides what is a view
            strides = ", ".join(f"{name}.strides" for name in self.arrays)
            layout = [f"({strides},) == {literal(tuple(x.strides for x in self.arrays.values()))}"]
        self.require(
            f"arrays: {expected}",
            f"{classes} is ndarray",
            f"({shapes},) == {wanted}",
            dtypes,
            *layout,
        )

    def key(self, key: Any) -> str:
        """A key of a dict as source."""
        return literal(key) if type(key) in {str, int, bool} else self.keep(key, "key")

    def kind(self, tree: Any) -> str:
        """The name of the class of a container."""
        if type(tree) in {list, tuple, dict}:
            return type(tree).__name__
        return self.keep(type(tree), type(tree).__name__)

    def dtype(self, dtype: np.dtype[Any]) -> str:
        """The name of a dtype."""
        if dtype.str not in self.dtypes:
            self.dtypes[dtype.str] = self.names.new(f"{dtype.name}_")
            self.setup.append(f"{self.dtypes[dtype.str]} = np.dtype({dtype.str!r})")
        return self.dtypes[dtype.str]

    def keep(self, thing: Any, wish: str) -> str:
        """The name of an object from outside."""
        for name, known in self.kept.items():
            if known is thing:
                return name
        name = self.names.new(f"the_{wish}")
        self.kept[name] = thing
        return name
