"""From a recording to the source of a program."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import linecache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.compiler.lanes import merged
from chainrule.compiler.placeholder import Placeholder
from chainrule.compiler.plan import members, planned
from chainrule.compiler.run_source import write_run
from chainrule.compiler.source import INDENT, Names, Writer, indented, literal
from chainrule.compiler.tiles import Run
from chainrule.compiler.variables import assigned_name, unpacked_names
from chainrule.engine import Node
from chainrule.trees import flatten, vars_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from chainrule.compiler.capture import Change, Recording
    from chainrule.compiler.lanes import Update
    from chainrule.compiler.trace import Step


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
                f"list({name}) == {list(tree)!r}",
            )
            inner = [self.names.new(str(key)) for key in tree]
            self.lines += [f"{n} = {name}[{key!r}]" for n, key in zip(inner, tree, strict=True)]
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
            else:
                kind = f"np.{type(x).__name__}" if isinstance(x, np.generic) else type(x).__name__
                self.require(f"{name} is a {type(x).__name__}", f"type({name}) is {kind}")
        elif type(x) in {bool, int, str}:
            self.require(
                f"{name} is {x!r}", f"type({name}) is {type(x).__name__}", f"{name} == {x!r}"
            )
        else:
            self.require(f"{name} is the object it was", f"{name} is {self.keep(x, name)}")

    def require_arrays(self) -> None:
        """Lines that look at all arrays at once."""
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
        self.require(
            f"arrays: {expected}",
            f"{classes} is ndarray",
            f"({shapes},) == {wanted}",
            dtypes,
        )

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

    def text(self, writer: Writer) -> str:
        """The expression that is returned."""
        result = self.tree_text(self.tree, writer)
        if not self.entry.recording.leaves:
            return result
        changed = "".join(f"{self.leaf_text(part, writer)}, " for part in self.changed)
        return f"{result}, ({changed.strip()})"

    def tree_text(self, tree: Any, writer: Writer) -> str:
        """A container of results."""
        if tree is None:
            return "None"
        if type(tree) is dict:
            items = [f"{key!r}: {self.tree_text(x, writer)}" for key, x in tree.items()]
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

    def leaf_text(self, x: Any, writer: Writer) -> str:
        """A result; an array is nobody else's."""
        if isinstance(x, Node):
            x = x._held
        if not is_step(x):
            if isinstance(x, np.ndarray):
                return f"{self.entry.keep(x, 'result')}.copy()"
            plain = type(x) in {bool, int, float, str}
            return literal(x) if plain else self.entry.keep(x, "result")
        step, name = x.step, writer.called[x.number]
        if isinstance(step.value, np.ndarray):
            if not step.value.ndim:
                return f"np.array({name})"
            again = x.number in self.given
            self.given.add(x.number)
            return f"{name}.copy()" if again or x.number in writer.plan.copied else name
        if isinstance(step.value, np.generic) and x.number in writer.plan.scalars:
            return f"np.{type(step.value).__name__}({name})"
        return name


def is_step(x: Any) -> bool:
    """Whether x is the result of a step."""
    return isinstance(x, Placeholder)


def parameter_names(f: Any, count: int) -> list[str]:
    """The names of the positional parameters."""
    try:
        names = [
            p.name
            for p in inspect.signature(f).parameters.values()
            if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}
        ]
    except (TypeError, ValueError):
        names = []
    return (names + [f"x{i}" for i in range(len(names), count)])[:count]


def wishes_of(recording: Recording, given: dict[int, str]) -> dict[int, str]:
    """What results are called in the program that was traced; a cotangent after its own."""
    steps = recording.trace.steps
    wishes: dict[int, str] = {}
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if step.site != recording.caller and (following is None or following.site != step.site):
            name = assigned_name(step.site)
            if name:
                wishes[step.number] = name
    wishes |= recording.labels
    for number, of in recording.cotangents.items():
        name = given.get(of) or wishes.get(of, "")
        if name and number not in wishes:
            wishes[number] = f"{name}_bar"
    return wishes


def constant_names(constants: list[Any], f: Any) -> dict[int, str]:
    """What constants are called in the function, by the complement of their position."""
    code = getattr(f, "__code__", None)
    if code is None:
        return {}
    known = {id(f.__globals__[name]): name for name in code.co_names if name in f.__globals__}
    for name, cell in zip(code.co_freevars, f.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not bound yet
            known[id(cell.cell_contents)] = name
    wishes = {}
    for position, thing in enumerate(constants):
        name = known.get(id(thing), "")
        base = known.get(id(getattr(thing, "base", None)), "")
        if name or base:
            wishes[~position] = name or f"{base}_view"
    return wishes


class Built(NamedTuple):
    """A program before it runs."""

    name: str
    source: str
    #: The objects from outside that its `make` takes, by name.
    outside: dict[str, Any]
    changes: list[Change]
    update: Update | None


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


class Lines:
    """The lines of the traced program, each as a comment before what it became."""

    def __init__(self, recording: Recording) -> None:
        self.caller = recording.caller
        self.last = ""

    def before(self, step: Step) -> list[str]:
        """A comment, where a step comes from another line than the one before."""
        if step.site is None or step.uniform is not None:
            return []
        code, offset = step.site
        text = "derivatives" if step.site == self.caller else line_of(code, offset)
        if not text or text == self.last:
            return []
        self.last = text
        return [f"# {text}"]


def line_of(code: CodeType, offset: int) -> str:
    """The line of a program that an instruction belongs to, where it can be had."""
    for start, end, number in code.co_lines():
        if start <= offset < end and number:
            return linecache.getline(code.co_filename, number).strip()
    return ""


def looks(writer: Writer, recording: Recording, step: Any) -> None:
    """Lines that look at a result: conditions of the library's, and numbers that are none."""
    name = writer.called[step.number]
    for guard in recording.trace.guards:
        if guard.number == step.number:
            writer.body += [f"if {'not ' if guard.truth else ''}{name}:", f"{INDENT}raise Unusual"]
    if step.number in writer.plan.checked:
        square = f"np.vdot({name}, {name})" if np.ndim(step.value) else name
        condition = f"({square}) != ({square})" if not np.ndim(step.value) else ""
        if condition:
            writer.body += [f"if {name} != {name}:", f"{INDENT}raise Unusual"]
        else:
            size = writer.names.new("size")
            writer.body += [
                f"{size} = {square}",
                f"if {size} != {size}:  # NaN: chainrule looks where it came from",
                f"{INDENT}raise Unusual",
            ]


def built(f: Callable[..., Any], recording: Recording, args: Any, kwargs: Any) -> Built:
    """The source of a program, and what it needs."""
    trace, names = recording.trace, Names()
    title = names.new(getattr(f, "__name__", "f").strip("<>"))
    parameters = [names.new(name) for name in parameter_names(f, len(args))]
    keywords = {key: names.new(key) for key in kwargs}
    inner = inspect.unwrap(f)
    entry = Entry(names, recording, getattr(inner, "__code__", None))
    state = [names.new(leaf.node.label or "w") for leaf in recording.leaves]
    entry.take_all(args, parameters)
    for key, name in keywords.items():
        entry.take(kwargs[key], name)
    entry.require_arrays()
    results = Results(recording, entry)
    update = merged(recording, results.outputs)
    results.leave_out(update)
    given = entry.called | {
        leaf.number: name for leaf, name in zip(recording.leaves, state, strict=True)
    }
    wishes = wishes_of(recording, given) | constant_names(trace.constants, inner)
    writer = Writer(trace, planned(trace, results.wanted, update), names, wishes)
    writer.called |= given
    arenas = write_arenas(writer, update) if update is not None else {}
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
    returned = results.text(writer)
    outside = {name: trace.constants[i] for i, name in writer.constants.items()}
    outside |= writer.outside | entry.kept | arenas
    heading = ", ".join([*parameters, *(["*"] if keywords else []), *keywords])
    own = update.leaves if update is not None else set()
    state = [name for i, name in enumerate(state) if i not in own]
    if recording.leaves:
        heading = f"state{', ' * bool(heading)}{heading}"
    if state:
        entry.lines.insert(0, f"{', '.join(state)}{',' * (len(state) == 1)} = state")
    lines = [
        f"def make({', '.join(outside)}):",
        *indented([*entry.setup, *writer.functions_text(), *writer.setup, ""], 1),
        *indented([f"def {title}({heading}):"], 1),
        *indented([*entry.lines, *writer.statements(), f"return {returned}"], 2),
        "",
        *indented([f"return {title}"], 1),
    ]
    imports = ["import numpy as np"]
    if any("math." in line for line in writer.body):
        imports.insert(0, "import math")
    source = "\n".join([*imports, "", "", *lines, ""])
    return Built(title, source, outside, results.changes, update)
