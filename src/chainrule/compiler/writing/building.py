"""From a recording to the source of a program."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.compiler.planning.lanes import merged
from chainrule.compiler.planning.levels import leveled
from chainrule.compiler.planning.plan import members, planned
from chainrule.compiler.planning.tiles import Run
from chainrule.compiler.tracing.placeholder import Placeholder
from chainrule.compiler.writing.entry import Entry
from chainrule.compiler.writing.levels import LevelWriter
from chainrule.compiler.writing.loops import write_run
from chainrule.compiler.writing.saving import TAKEN
from chainrule.compiler.writing.source import Writer
from chainrule.compiler.writing.spelling import (
    Names,
    given_up,
    identifier,
    if_nan,
    indented,
    literal,
)
from chainrule.compiler.writing.variables import Lines, constant_names, parameter_names, wishes_of
from chainrule.engine import Node
from chainrule.errors import CompileError
from chainrule.trees import flatten

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.compiler.planning.lanes import Update
    from chainrule.compiler.tracing.capture import Change, Recording
    from chainrule.compiler.writing.spelling import Text


class Results:
    """What a program returns, and what it leaves in the leaves from outside."""

    def __init__(self, recording: Recording, entry: Entry) -> None:
        self.entry = entry
        self.tree = recording.result
        #: What leaves get, in the order of the changes.
        self.changes = list(recording.changes)
        held = [x._held if isinstance(x, Node) else x for x in flatten(self.tree)[0]]
        grads = [change.grad for change in self.changes]
        #: The steps of results other than new data of leaves.
        self.outputs: set[int] = {x.number for x in (*held, *grads) if is_step(x)}
        self.given: set[int] = set()

    @property
    def changed(self) -> list[Any]:
        """New data and gradients of leaves."""
        parts = [part for change in self.changes for part in (change.data, change.grad)]
        return [part for part in parts if part is not None]

    @property
    def wanted(self) -> set[int]:
        """The steps of all results."""
        return self.outputs | {part.number for part in self.changed}

    def leave_out(self, update: Update | None) -> None:
        """Leaves that lie in long arrays are written there."""
        own = update.leaves if update is not None else set()
        self.changes = [
            change._replace(data=None) if change.position in own else change
            for change in self.changes
        ]

    def text(self, writer: Text) -> str:
        """The expression that is returned."""
        result = self.tree_text(self.tree, writer)
        if not self.entry.recording.leaves:
            return result
        changed = "".join(f"{self.leaf_text(part, writer)}, " for part in self.changed)
        return f"{result}, ({changed.strip()})"

    def tree_text(self, tree: Any, writer: Text) -> str:
        """A container of results."""
        if tree is None:
            return "None"
        if type(tree) is dict:
            items = [
                f"{self.entry.key(key)}: {self.tree_text(x, writer)}" for key, x in tree.items()
            ]
            return f"{{{', '.join(items)}}}"
        if isinstance(tree, list | tuple):
            inside = ", ".join(self.tree_text(x, writer) for x in tree)
            kind = (
                self.entry.keep(type(tree), type(tree).__name__) if hasattr(tree, "_fields") else ""
            )
            comma = "," if len(tree) == 1 and not kind else ""
            return f"[{inside}]" if isinstance(tree, list) else f"{kind}({inside}{comma})"
        leaves, rebuild = flatten(tree)
        if len(leaves) == 1 and leaves[0] is tree:
            return self.leaf_text(tree, writer)
        inside = ", ".join(self.leaf_text(x, writer) for x in leaves)
        return f"{self.entry.keep(rebuild, 'rebuild')}([{inside}])"

    def leaf_text(self, x: Any, writer: Text) -> str:
        """A result; an array is nobody else's."""
        if isinstance(x, Node):
            x = x._held
        if not is_step(x):
            return self.constant_text(x)
        step, name = x.step, writer.called[x.number]
        if isinstance(step.value, np.ndarray):
            if not step.value.ndim:
                return f"np.array({name})"
            again = x.number in self.given
            self.given.add(x.number)
            return f"{name}.copy()" if again or writer.is_part(x.number) else name
        if isinstance(step.value, np.generic | bool) and writer.is_plain(x.number):
            kind = type(step.value).__name__
            return f"{kind}({name})" if isinstance(step.value, bool) else f"np.{kind}({name})"
        return name

    def constant_text(self, x: Any) -> str:
        """A result that no argument has a part in."""
        if isinstance(x, np.ndarray):
            return f"{self.entry.keep(x, 'result')}.copy()"
        if type(x) in {bool, int, float, complex, str}:
            return literal(x)
        if not isinstance(x, np.generic | np.dtype | type | np.ufunc):
            raise CompileError(
                f"the result holds a {type(x).__name__}: a compiled function returns numbers,"
                f" arrays, and lists, tuples, dicts and dataclasses of them"
            )
        return self.entry.keep(x, "result")


def is_step(x: Any) -> bool:
    """Whether x is the result of a step."""
    return isinstance(x, Placeholder)


class Built(NamedTuple):
    """A program before it runs."""

    name: str
    source: str
    #: The objects from outside that its `make` takes, by name.
    outside: dict[str, Any]
    changes: list[Change]
    update: Update | None
    #: Whether it has arrays of its own, which only one call at a time may work in.
    keeps_arrays: bool


def write_arenas(writer: Writer, update: Update) -> dict[str, Any]:
    """Names for long arrays and for the arrays in them; the kept ones come from outside."""
    trace, outside = writer.trace, {}
    for arena in (*update.kept, *update.passing):
        kept = arena in update.kept
        name = writer.names.new("parameters" if kept else "gradients")
        writer.called[arena.number] = name
        if kept:
            outside[name] = arena.array
        else:
            dtype = literal(arena.array.dtype)
            writer.setup.append(f"{name} = np.empty({arena.array.size}, {dtype})")
            writer.buffer_names[id(writer.plan.buffers[arena.number])] = name
        for number, place in arena.parts:
            shape = trace.steps[number].value.shape
            reshaped = "" if len(shape) == 1 else f".reshape({literal(shape)})"
            part = f"{name}[{place.start}:{place.stop}]{reshaped}"
            if kept:
                inner = writer.called[number]
            elif number in writer.plan.brought:
                inner = writer.places[number] = writer.names.new(f"{name}_part")
            else:
                inner = writer.names.new(writer.wishes.get(number, "") or f"{name}_part")
                writer.buffer_names[id(writer.plan.buffers[number])] = inner
            writer.setup.append(f"{inner} = {part}")
    for number, arena in update.written.items():
        writer.buffer_names[id(writer.plan.buffers[number])] = writer.called[arena.number]
    return outside


def bring(writer: Writer, brought: list[int]) -> None:
    """Copy results to their places in long arrays."""
    while brought:
        number = brought.pop(0)
        writer.body.append(f"{writer.places[number]}[...] = {writer.called[number]}")


def looks(writer: Writer, recording: Recording, step: Any) -> None:
    """Lines that look at a result: conditions of the library's, and numbers that are none."""
    name = writer.called[step.number]
    for guard in recording.trace.guards:
        if guard.number == step.number:
            writer.body += given_up(f"{'not ' * guard.truth}{name}")
    if step.number in writer.plan.checked:
        size = name
        if np.ndim(step.value):
            size = writer.names.new("size")
            writer.body.append(f"{size} = np.vdot({name}, {name})")
        writer.body += if_nan(size)


def write_steps(writer: Writer, recording: Recording, update: Update | None) -> None:
    """Write the statements of all steps."""
    program = Lines(recording)
    steps = {step.number for step in update.steps} if update is not None else set()
    brought = list(writer.plan.brought)
    for item in writer.plan.order:
        if brought and members(item)[0].number in steps:
            bring(writer, brought)
        writer.body += program.before(members(item)[0])
        if isinstance(item, Run):
            write_run(writer, item, lambda step: looks(writer, recording, step))
        else:
            writer.write(item)
            looks(writer, recording, item)


def program_text(
    writer: Text,
    outside: list[str],
    head: str,
    entry: Entry | None,
    returned: str,
) -> str:
    """The source around the statements: a function that makes the function."""
    before, taken = (entry.setup, entry.lines) if entry is not None else ([], [])
    lines = [
        f"def make({', '.join(outside)}):",
        *indented([*before, *writer.functions_text(), *writer.setup, ""], 1),
        *indented([f"def {head}:"], 1),
        *indented([*taken, *writer.statements(), f"return {returned}"], 2),
        "",
        *indented([f"return {head.partition('(')[0]}"], 1),
    ]
    imports = ["import numpy as np"]
    if any("math." in line for line in writer.functions_text()):
        imports.insert(0, "import math")
    return "\n".join([*imports, "", "", *lines, ""])


def built(f: Callable[..., Any], recording: Recording, args: Any, kwargs: Any) -> Built:
    """The source of a program, and what it needs."""
    trace, names = recording.trace, Names()
    parameters = [names.new(name) for name in parameter_names(f, len(args))]
    keywords = {key: names.new(key) for key in kwargs}
    wish = identifier(getattr(f, "__name__", "f").replace("<lambda>", "function"))
    title = names.new(wish)
    public = title if wish in TAKEN else wish
    held = names.new("state")
    inner = inspect.unwrap(f)
    entry = Entry(names, recording, getattr(inner, "__code__", None))
    state = [names.new(leaf.node.label or "w") for leaf in recording.leaves]
    entry.take_all(args, parameters)
    for key, name in keywords.items():
        entry.take(kwargs[key], name)
    entry.require_numbers()
    results = Results(recording, entry)
    heading = ", ".join([*parameters, *keywords.values()])
    if recording.leaves:
        heading = f"{held}{', ' * bool(heading)}{heading}"
    head = f"{title}({heading})"
    leaves = [leaf.number for leaf in recording.leaves]
    levels = leveled(trace, results.wanted, leaves)
    if levels is not None:
        numbers = LevelWriter(levels, names)
        numbers.take_inputs(held, len(leaves), entry.called)
        numbers.write()
        changed = [part.number for part in results.changed]
        found = numbers.take_results([*changed, *results.outputs])
        returned = results.tree_text(results.tree, numbers)
        if leaves:
            returned = f"{returned}, {found}[:{len(changed)}]"
        outside = numbers.outside | entry.kept
        source = program_text(numbers, list(outside), head, entry, returned)
        return Built(public, source, outside, results.changes, None, keeps_arrays=True)
    update = merged(recording, results.outputs)
    results.leave_out(update)
    given = entry.called | dict(zip(leaves, state, strict=True))
    wishes = wishes_of(recording, given) | constant_names(trace.constants, inner)
    writer = Writer(trace, planned(trace, results.wanted, update), names, wishes)
    writer.called |= given
    arenas = write_arenas(writer, update) if update is not None else {}
    write_steps(writer, recording, update)
    returned = results.text(writer)
    outside = {name: trace.constants[i] for i, name in writer.constants.items()}
    outside |= writer.outside | entry.kept | arenas
    own = update.leaves if update is not None else set()
    state = [name for i, name in enumerate(state) if i not in own]
    if state:
        entry.lines.insert(0, f"{', '.join(state)}{',' * (len(state) == 1)} = {held}")
    source = program_text(writer, list(outside), head, entry, returned)
    keeps = bool(writer.plan.buffers) or any(isinstance(item, Run) for item in writer.plan.order)
    return Built(public, source, outside, results.changes, update, keeps)
