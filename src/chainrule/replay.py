"""Sweeps that come again and again, each as a program compiled from the same rules.

A training loop builds the same graph in every step, with other numbers. Once sweeps over graphs of
one structure have been made often enough for it to pay, the compiler traces the rules on
placeholders and writes a program that makes the same calls without asking each node what it is. Its
results are those of the sweep, bit by bit; where numbers come up that need a closer look (NaN), or
where data was changed meanwhile, the sweep itself answers.

The structure of a graph is the record of each node, see `records`, and the places of its inputs.
"""

from __future__ import annotations

from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

from chainrule.engine import KEPT
from chainrule.errors import CompileError
from chainrule.recording import tracers, watching
from chainrule.records import DATA, form_of, record_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from chainrule.engine import Node

#: A structure is compiled when its sweeps weigh so much: each one, and more with long arrays.
PAYS = 64.0
#: So many bytes for each node weigh as much as the sweep over it.
HEAVY = 2**13
#: Larger graphs are not looked at.
MOST_NODES = 2048
#: Nor those that hold more bytes: while a sweep is traced, all of its cotangents are kept.
MOST_BYTES = 2**28
#: Marks in a structure: a node whose cotangent is a result, an input that is no node.
WANTED, CONSTANT = "wanted", "constant"
#: How many structures are remembered, and how many of them as programs.
MOST_PATTERNS, MOST_PROGRAMS = 512, 32


class Pattern:
    """What is known of the graphs of one structure."""

    __slots__ = ("program", "refused", "weight")

    def __init__(self) -> None:
        self.weight = 0.0
        self.program: Any = None
        self.refused = False


patterns: dict[Hashable, Pattern] = {}
_programs: list[Pattern] = []
_lock = Lock()


def replayed(root: Node, seed: Any, wanted: Any, since: int) -> list[tuple[Node, Any]] | None:
    """The wanted nodes with their cotangents, in arrays of their own; None to sweep instead.

    A seed of None stands for one.
    """
    if tracers or watching():
        return None
    nodes = [root]
    key = _structure(nodes, seed, wanted, since)
    if key is None:
        return None
    pattern = patterns.get(key) or _remember(key)
    program = pattern.program or _compiled(pattern, nodes, seed, wanted)
    if program is None:
        return None
    result: list[tuple[Node, Any]] | None = program(nodes, seed)
    return result


def _structure(  # noqa: C901, PLR0912 -- the innermost loop of a sweep that is replayed
    nodes: list[Any], seed: Any, wanted: Any, since: int
) -> Hashable:
    """What decides about a sweep besides numbers; None where it can't be replayed.

    The nodes under the root, which is given, are added as they are met. What is added up in which
    order is decided by when nodes were made, so their age is part of the structure.
    """
    if not (seed is None or seed.__class__ in DATA):
        return None
    kind, latest = nodes[0].__class__, nodes[0].index
    places = {latest: 0}
    kept = wanted is KEPT
    key: list[Any] = [kept, None if seed is None else form_of(seed)]
    append = key.append
    taken: dict[int, Any] = {}
    for node in nodes:
        record = node.record
        if record is None:
            leaf = node.op is None and node.form is not None
            record = node.form.leaf if leaf else record_of(node)
            if node.op is not None:
                node.record = record
        if record is None or not record.form.real:  # NumPy has several ways to complex powers
            return None
        append(record)
        index = node.index
        if node.label is not None if kept else index in wanted:
            append(WANTED)
        if node.op is None:
            continue
        append(latest - index)
        for x in node.inputs:
            if x.__class__ is kind:
                number = x.index
                if number > index:
                    return None
                place = places.get(number)
                if place is None and number >= since:
                    place = places[number] = len(nodes)
                    if place == MOST_NODES:
                        return None
                    nodes.append(x)
                append(place)  # None for one that is older
            else:
                append(CONSTANT)
        if node.guards and node.changed_array(taken) is not None:
            return None
    return tuple(key)


def _remember(key: Hashable) -> Pattern:
    """A new pattern; the oldest is forgotten."""
    with _lock:
        while len(patterns) >= MOST_PATTERNS:
            gone = patterns.pop(next(iter(patterns)))
            if gone in _programs:
                _programs.remove(gone)
        return patterns.setdefault(key, Pattern())


def _compiled(pattern: Pattern, nodes: Sequence[Node], seed: Any, wanted: Any) -> Any:
    """The program of a pattern, if it has one now."""
    if pattern.refused:
        return None
    nbytes = sum([node._held.nbytes for node in nodes])
    pattern.weight += 1.0 + nbytes / (HEAVY * len(nodes))
    if pattern.weight < PAYS or nbytes > MOST_BYTES:
        return None
    pattern.refused = True  # also while it is compiled
    if not all(node.op is None or node.op.known for node in nodes):
        return None  # a rule of somebody else's may do more than compute
    kept = [
        place
        for place, node in enumerate(nodes)
        if node.index in wanted or (wanted is KEPT and (node.op is None or node.label is not None))
    ]
    sweeps = import_module("chainrule.compiler.sweeps")
    try:
        program = sweeps.SweepProgram(nodes, seed, kept)
    except (CompileError, sweeps.TooLargeError):
        return None
    with _lock:
        pattern.program, pattern.refused = program, False
        _programs.append(pattern)
        if len(_programs) > MOST_PROGRAMS:
            oldest = _programs.pop(0)
            oldest.program, oldest.weight = None, 0.0
    return program
