"""The names and lines of the program that is traced, read from its bytecode."""

from __future__ import annotations

import contextlib
import dis
import inspect
import linecache
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType

    from chainrule.compiler.tracing.capture import Recording
    from chainrule.compiler.tracing.trace import Step


def _instructions(code: CodeType) -> list[dis.Instruction]:
    """The instructions of a program without what only helps to run them."""
    return [i for i in dis.get_instructions(code) if i.opname not in {"CACHE", "EXTENDED_ARG"}]


@cache
def _stores(code: CodeType) -> dict[int, str]:
    """For an instruction the variable that its result goes to at once."""
    found = {}
    for now, following in pairwise(_instructions(code)):
        if following.opname.startswith("STORE_") and isinstance(following.argval, str | tuple):
            name = following.argval
            found[now.offset] = name if isinstance(name, str) else name[0]
    return found


def assigned_name(site: Any) -> str:
    """The variable that the result computed at a place goes to, or nothing."""
    if site is None:
        return ""
    code, offset = site
    return _stores(code).get(offset, "")


def unpacked_names(code: Any, variable: str, count: int) -> list[str]:
    """The names in `a, b, c = variable`, where the program has such a line, or nothing."""
    if code is None:
        return []
    instructions = _instructions(code)
    for position, now in enumerate(instructions[1:], start=1):
        before = instructions[position - 1]
        if now.opname == "UNPACK_SEQUENCE" and now.arg == count and before.argval == variable:
            names: list[str] = []
            for following in instructions[position + 1 :]:
                if not following.opname.startswith("STORE_") or len(names) >= count:
                    break
                value = following.argval
                names += [value] if isinstance(value, str) else list(value)
            if len(names) >= count:
                return names[:count]
    return []


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
    steps: list[Any] = recording.trace.steps
    wishes: dict[int, str] = {}
    for step, following in pairwise([*steps, None]):
        if step.site != recording.caller and (following is None or following.site != step.site):
            name = assigned_name(step.site)
            if name:
                wishes[step.number] = name
    wishes |= recording.labels
    for number, of in recording.cotangents.items():
        name = next((name for n in of if (name := given.get(n) or wishes.get(n, ""))), "")
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
