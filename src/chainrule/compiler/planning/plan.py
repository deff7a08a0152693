"""Which steps are needed, what is a view, and which array each result is written into."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.compiler.planning.lanes import Update
from chainrule.compiler.planning.nan import to_check
from chainrule.compiler.planning.scalars import read_once, scalars_of
from chainrule.compiler.planning.tiles import (
    Run,
    elementwise,
    in_order,
    needed,
    operands,
    scheduled,
)
from chainrule.compiler.tracing.calls import CLIP, Ref, map_refs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainrule.compiler.tracing.trace import Step, Trace

#: Functions besides ufuncs and their reductions that write into an array they are given.
_WRITING = {np.matmul, np.dot, np.einsum, np.concatenate, np.stack, np.take, np.cumsum}


class Buffer:
    """An array that the compiled function keeps, in C order."""

    def __init__(self, array: np.ndarray) -> None:
        self.shape, self.dtype, self.array = array.shape, array.dtype, array


class Plan(NamedTuple):
    """What source is written from."""

    #: The steps that are needed, in order, some of them gathered in runs.
    order: list[Step | Run]
    #: step -> the buffer its result is written into.
    buffers: dict[int, Buffer]
    #: Views of buffers and constants, made once.
    hoisted: set[int]
    #: Results that are tested for NaN.
    checked: list[int]
    #: Steps that read as plain Python arithmetic.
    scalars: set[int]
    #: Those of them that one other reads, and nobody else.
    read_once: set[int]
    #: Results that are part of something else, to be copied when they are handed out.
    copied: set[int]
    #: Changes of entries that nobody needs the old array after.
    in_place: set[int]
    #: Results that are copied to their place in a long array.
    brought: list[int]


def planned(trace: Trace, wanted: Iterable[int], update: Update | None) -> Plan:
    """A plan for the results that are wanted; they are arrays of their own."""
    wanted = set(wanted)
    update = update or Update()
    placed = {number for arena in update.passing for number, _ in arena.parts}
    merged = [number for step in update.steps for number in operands(step)]
    checked = to_check(trace, wanted | placed)
    roots = wanted | placed | set(checked) | set(merged) | {g.number for g in trace.guards}
    read = needed(trace, roots) - {step.number for step in update.steps}
    order = scheduled(trace, [trace.steps[i] for i in sorted(read)])
    order += scheduled(trace, update.steps)
    written = wanted | set(update.written)
    steps = [step for item in order for step in members(item)]
    sources = {step.number: _sources(trace, step) for step in steps}
    last = _last_uses(order, sources, written | placed)
    fresh, copied = _handed_out(trace, steps, sources, wanted)
    for item in order:
        if isinstance(item, Run):
            item.plan_pieces(_used_elsewhere(item, steps, sources, written | placed))
    memory = _Memory(last)
    brought = _placed(trace, update, memory, sources, fresh)
    hoisted = _assigned_buffers(trace, order, sources, memory, fresh)
    buffers = memory.buffers
    in_place = _in_place_changes(trace, order, last, buffers, hoisted)
    scalars = scalars_of(steps, trace.exact)
    looked_at = written | placed | set(checked) | {guard.number for guard in trace.guards}
    once = read_once(steps, scalars, looked_at)
    return Plan(order, buffers, hoisted, checked, scalars, once, copied, in_place, brought)


def members(item: Any) -> list[Step]:
    """The steps of a run, or the one step."""
    return item.steps if isinstance(item, Run) else [item]


def _used_elsewhere(
    run: Run, steps: list[Step], sources: dict[int, list[int]], wanted: set[int]
) -> set[int]:
    """The results of a run that others need."""
    own = run.numbers
    used = wanted & own
    for step in steps:
        if step.number not in own:
            used |= own & {*operands(step), *sources[step.number]}
    return used


def _handed_out(
    trace: Trace, steps: list[Step], sources: dict[int, list[int]], wanted: set[int]
) -> tuple[set[int], set[int]]:
    """Steps that make an array of their own for a result, and results that must be copied."""
    uses: dict[int, int] = defaultdict(int)
    for step in steps:
        for number in operands(step):
            uses[number] += 1
    fresh, copied = set(wanted), set()
    for number in wanted:
        now = number
        while True:
            step = trace.steps[now]
            known = step.call is None or step.call.style == "constant"
            if known or len(sources[now]) > 1:
                copied.add(number)
                break
            if not sources[now]:
                if getattr(step.value, "base", None) is not None and not writes(step):
                    copied.add(number)
                fresh.add(now)
                break
            (now,) = sources[now]
            if uses[now] > 1 or now in wanted:
                copied.add(number)
                break
    return fresh, copied


def _in_place_changes(
    trace: Trace,
    order: list[Any],
    last: dict[int, int],
    buffers: dict[int, Buffer],
    hoisted: set[int],
) -> set[int]:
    """Changes of entries of an array that was made for nothing else."""
    found = set()
    positions = {step.number: i for i, item in enumerate(order) for step in members(item)}
    for step in [step for item in order for step in members(item)]:
        if step.call is not None and step.call.style in {"assigned", "updated"}:
            before = trace.steps[operands(step)[0]]
            own = before.call is not None and before.call.style != "constant"
            own = own and before.number not in buffers
            own = own and before.number not in hoisted and not _sources(trace, before)
            if own and last[before.number] == positions[step.number]:
                found.add(step.number)
    return found


def _sources(trace: Trace, step: Step) -> list[int]:
    """The steps in whose memory the result may lie."""
    if step.call is None or step.call.ufunc is not None or not isinstance(step.value, np.ndarray):
        if step.call is not None and isinstance(step.value, tuple | list):
            return operands(step)
        return []
    if step.call.text == "reshape" or step.call.style == "part":
        return operands(step)[:1]
    return [
        number
        for number in operands(step)
        if isinstance(trace.steps[number].value, np.ndarray)
        and np.may_share_memory(step.value, trace.steps[number].value)
    ]


def _last_uses(order: list[Any], sources: dict[int, list[int]], wanted: set[int]) -> dict[int, int]:
    """Step -> the position of the last item that reads its memory.

    Those that are wanted are read at the end.
    """
    last: dict[int, int] = {}
    for position, item in reversed(list(enumerate(order))):
        for step in reversed(members(item)):
            until = len(order) if step.number in wanted else last.get(step.number, position)
            last[step.number] = until
            for number in operands(step):
                last[number] = max(last.get(number, 0), position)
            for number in sources[step.number]:
                last[number] = max(last.get(number, 0), until)
    return last


def writes(step: Step) -> bool:
    """Whether the call can write its result into an array that it is given."""
    call, value = step.call, step.value
    if call is None or not isinstance(value, np.ndarray) or not value.ndim or not value.size:
        return False
    if call.function in _WRITING:
        return "dtype" not in step.kwargs
    if call.ufunc is not None or call == CLIP:
        return True
    return call.ufunc_method in {"reduce", "accumulate"}


def keeps(trace: Trace, step: Step) -> bool:
    """Whether the result may be written into an array that is kept.

    Such an array lies in C order; where results have to be exact, one in another order is left to
    NumPy, whose sums over it go in that order.
    """
    return writes(step) and (not trace.exact or in_order(step.value))


class _Memory:
    """Buffers as they are taken and given back, from one item to the next."""

    def __init__(self, last: dict[int, int]) -> None:
        self.last = last
        self.buffers: dict[int, Buffer] = {}
        #: The actual memory of what is kept or constant.
        self.arrays: dict[int, Any] = {}
        self.until: dict[int, int] = {}  # id of a buffer -> the last position that reads it
        self._free: dict[Any, list[Buffer]] = defaultdict(list)
        self._ending: dict[int, list[Buffer]] = defaultdict(list)

    def keep(self, number: int, array: np.ndarray, until: int = sys.maxsize) -> None:
        """Let a result be written into an array that is there already."""
        buffer = self.buffers[number] = Buffer(array)
        self.arrays[number] = array
        self.until[id(buffer)] = until

    def take(self, step: Step, position: int, *, alone: bool = True) -> None:
        """A buffer for a result: that of an operand nobody reads any more, a free one, or new.

        A step of a run is not alone: others of it may still read what it reads.
        """
        key = (step.value.dtype, step.value.shape)
        buffer = self._in_place(step, position) if alone else None
        if buffer is None:
            free = self._free[key]
            buffer = free.pop() if free else Buffer(np.empty(key[1], key[0]))
        self.buffers[step.number] = buffer
        self.arrays[step.number] = buffer.array
        self.until[id(buffer)] = until = max(self.last[step.number], position)
        self._ending[until].append(buffer)

    def _in_place(self, step: Step, position: int) -> Buffer | None:
        if not elementwise(step):
            return None
        for number in operands(step):
            buffer = self.buffers.get(number)
            if buffer is None or self.until[id(buffer)] != position:
                continue
            if (buffer.shape, buffer.dtype) == (step.value.shape, step.value.dtype):
                return buffer
        return None

    def give_back(self, position: int) -> None:
        """What nobody reads after this position is free."""
        for buffer in self._ending.pop(position, ()):
            free = self._free[buffer.dtype, buffer.shape]
            if self.until[id(buffer)] == position and buffer not in free:
                free.append(buffer)


def _placed(
    trace: Trace, update: Update, memory: _Memory, sources: dict[int, list[int]], fresh: set[int]
) -> list[int]:
    """Give results their places in long arrays; return those that must be copied there."""
    brought = []
    for arena in update.kept:
        memory.arrays |= {arena.number: arena.array, **arena.views(trace)}
    for number, arena in update.written.items():
        memory.keep(number, arena.array)
    for arena in update.passing:
        memory.keep(arena.number, arena.array, memory.last[arena.number])
        for number, view in arena.views(trace).items():
            step = trace.steps[number]
            if keeps(trace, step) and number not in fresh and not sources[number]:
                memory.keep(number, view)
            else:
                brought.append(number)
    return brought


def _assigned_buffers(
    trace: Trace,
    order: list[Any],
    sources: dict[int, list[int]],
    memory: _Memory,
    fresh: set[int],
) -> set[int]:
    """Take buffers for all results; return those that are views or constants, made once."""
    hoisted: set[int] = set()
    steps = [step for item in order for step in members(item)]
    changed = {
        operands(step)[0]
        for step in steps
        if step.call is not None and step.call.style in {"assigned", "updated"}
    }
    for position, item in enumerate(order):
        for step in members(item):
            number = step.number
            if number in memory.buffers:
                continue
            if isinstance(item, Run):
                if number not in item.pieces and number not in item.sums and number not in fresh:
                    memory.take(step, position, alone=False)
            elif step.call is not None and step.call.style == "constant":
                memory.arrays[number] = step.value
            elif step.uniform is not None and number not in fresh and number not in changed:
                hoisted.add(number)
                memory.arrays[number] = step.value
            elif step.call is not None and sources[number] and _hoists(step, memory.arrays, trace):
                hoisted.add(number)
            elif keeps(trace, step) and number not in fresh and not sources[number]:
                memory.take(step, position)
        memory.give_back(position)
    return hoisted


def _hoists(step: Step, arrays: dict[int, Any], trace: Trace) -> bool:
    """Whether the result is always the same view of something that is kept."""
    if any(number not in arrays for number in operands(step)):
        return False

    def actual(place: Any) -> Any:
        return arrays[place.number] if isinstance(place, Ref) else trace.constants[place.position]

    args = map_refs(actual, list(step.args))
    options = {key: map_refs(actual, value) for key, value in step.kwargs.items()}
    assert step.call is not None
    try:
        view = step.call.function(*args, **options)
    except (ValueError, IndexError):
        return False
    if not isinstance(view, np.ndarray) or not np.may_share_memory(view, args[0]):
        return False
    arrays[step.number] = view
    return True
