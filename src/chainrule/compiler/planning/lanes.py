"""Updates of many parameters as one: the same arithmetic on arrays that lie side by side.

An optimiser does the same to every parameter, entry by entry. So parameters, their gradients and
whatever else it keeps go into one long array each, and the arithmetic is done once on those.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.planning.tiles import elementwise, needed, operands
from chainrule.compiler.tracing.calls import Ref, map_refs, refs_of
from chainrule.compiler.tracing.trace import Step

if TYPE_CHECKING:
    from chainrule.compiler.tracing.capture import Recording
    from chainrule.compiler.tracing.trace import Trace


class Arena:
    """One long array, in which arrays of several steps lie side by side."""

    def __init__(self, number: int, array: np.ndarray, parts: list[tuple[int, slice]]) -> None:
        #: The step that stands for the whole array, and the array.
        self.number, self.array = number, array
        #: The steps whose arrays lie in it, and where.
        self.parts = parts

    def views(self, trace: Trace) -> dict[int, np.ndarray]:
        """The arrays of the steps."""
        return {
            number: self.array[place].reshape(trace.steps[number].value.shape)
            for number, place in self.parts
        }


class Update:
    """The merged arithmetic: where everything lies, and the steps on the long arrays."""

    def __init__(self) -> None:
        #: Parameters and what else is kept between calls; what is computed anew.
        self.kept: list[Arena] = []
        self.passing: list[Arena] = []
        self.steps: list[Step] = []
        #: The last step for a kept arena -> the arena that it is written into.
        self.written: dict[int, Arena] = {}
        #: The leaves that lie in kept arenas.
        self.leaves: set[int] = set()


class _Lane:
    """The arithmetic of one parameter, and of what belongs to it."""

    def __init__(self, trace: Trace, steps: list[int], states: dict[int, int]) -> None:
        self.steps = steps
        self.inputs: list[int] = []
        order = {number: i for i, number in enumerate(steps)}
        shape = trace.steps[steps[0]].value.shape
        signature: list[Any] = []

        def described(place: Any) -> Any:
            if not isinstance(place, Ref):
                return repr(place)
            if place.number in order:
                return ("own", order[place.number])
            value = trace.steps[place.number].value
            if not np.ndim(value):
                return ("number", place.number)
            if value.shape != shape:
                return ("other", place.number, value.shape)
            if place.number not in self.inputs:
                self.inputs.append(place.number)
            return ("in", self.inputs.index(place.number))

        for number in steps:
            step = trace.steps[number]
            assert step.call is not None
            args = [described(x) if isinstance(x, Ref) else (type(x), repr(x)) for x in step.args]
            signature.append((step.call.text, tuple(args), step.value.dtype.str))
        kinds = [(n in states, trace.steps[n].value.dtype.str) for n in self.inputs]
        self.signature = (tuple(signature), tuple(kinds))


def merged(recording: Recording, outputs: set[int]) -> Update | None:
    """The update of a training step on long arrays, or None where there is none to merge."""
    trace = recording.trace
    states = {leaf.number: i for i, leaf in enumerate(recording.leaves)}
    targets: dict[int, int] = {}  # step -> the leaf that gets its result
    for change in recording.changes:
        if change.data is not None and isinstance(change.data.step.value, np.ndarray):
            targets[change.data.number] = change.position
    region = _region(trace, targets, outputs)
    if not targets or not region or any(number not in region for number in targets):
        return None
    before = [trace.steps[number].value for number in states]
    if any(_are_shared(trace.steps[number].value, array) for number in outputs for array in before):
        return None  # what was before is a result: it must not be written over
    lanes = [_Lane(trace, steps, states) for steps in _components(trace, region)]
    if any(_is_mixed(lane) for lane in lanes):
        return None
    groups: dict[Any, list[_Lane]] = defaultdict(list)
    for lane in lanes:
        groups[lane.signature].append(lane)
    update = Update()
    for group in groups.values():
        if not _merge(recording, group, states, targets, update):
            return None
    return update


def _are_shared(x: Any, y: Any) -> bool:
    """Whether one array is, or is a view of, the other."""
    arrays = isinstance(x, np.ndarray) and isinstance(y, np.ndarray)
    return arrays and bool(np.may_share_memory(x, y))


def _is_mixed(lane: _Lane) -> bool:
    """Whether an operand of another shape takes part, which could not lie side by side."""
    return any(arg[0] == "other" for _, args, _ in lane.signature[0] for arg in args)


def _region(trace: Trace, targets: dict[int, int], outputs: set[int]) -> set[int]:
    """The elementwise steps that serve nothing but the targets."""
    live = needed(trace, outputs | set(targets) | {guard.number for guard in trace.guards})
    users: dict[int, set[int]] = defaultdict(set)
    for number in live:
        for other in operands(trace.steps[number]):
            users[other].add(number)
    region: set[int] = set()
    for number in sorted(live, reverse=True):
        step = trace.steps[number]
        serves = number in targets or users[number]
        alone = number not in outputs and users[number] <= region
        plain = elementwise(step) and not step.kwargs and not step.product
        if serves and alone and plain and np.ndim(step.value) and step.value.dtype.kind == "f":
            region.add(number)
    return region


def _components(trace: Trace, region: set[int]) -> list[list[int]]:
    """The steps of a region that share arrays."""
    home: dict[int, int] = {}

    def root(number: int) -> int:
        while home.setdefault(number, number) != number:
            number = home[number]
        return number

    for number in region:
        step = trace.steps[number]
        for other in operands(step):
            if np.shape(trace.steps[other].value) == step.value.shape:
                home[root(other)] = root(number)
    parts: dict[int, list[int]] = defaultdict(list)
    for number in sorted(region):
        parts[root(number)].append(number)
    return list(parts.values())


def _merge(
    recording: Recording,
    group: list[_Lane],
    states: dict[int, int],
    targets: dict[int, int],
    update: Update,
) -> bool:
    """Add the merged arithmetic of lanes that do the same; False where it cannot be merged."""
    trace, first = recording.trace, group[0]
    sizes = [trace.steps[lane.steps[0]].value.size for lane in group]
    ends = np.cumsum(sizes).tolist()
    places = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    arenas = []
    for slot, number in enumerate(first.inputs):
        array = np.empty(ends[-1], trace.steps[number].value.dtype)
        parts = [(lane.inputs[slot], place) for lane, place in zip(group, places, strict=True)]
        arena = Arena(trace.input(array), array, parts)
        arenas.append(arena)
        (update.kept if number in states else update.passing).append(arena)
    mine = {leaf: i for i, leaf in enumerate(first.inputs) if leaf in states}
    long: dict[int, int] = {number: arenas[i].number for i, number in enumerate(first.inputs)}
    for number in first.steps:
        step = trace.steps[number]
        args = map_refs(lambda place: _moved(place, long), step.args)
        value = np.empty(ends[-1], step.value.dtype)
        new = Step(len(trace.steps), step.call, args, {}, value, step.site)
        trace.steps.append(new)
        update.steps.append(new)
        long[number] = new.number
    for number in first.steps:
        if number in targets:
            state = recording.leaves[targets[number]].number
            if state not in mine or any(
                targets.get(lane.steps[first.steps.index(number)])
                != states.get(lane.inputs[mine[state]], -1)
                for lane in group
            ):
                return False
            update.written[long[number]] = arenas[mine[state]]
    update.leaves |= {states[lane.inputs[i]] for lane in group for i in mine.values()}
    return _reads_come_first(update, arenas)


def _moved(place: Any, long: dict[int, int]) -> Any:
    return Ref(long.get(place.number, place.number)) if isinstance(place, Ref) else place


def _reads_come_first(update: Update, arenas: list[Arena]) -> bool:
    """Whether an arena is not read any more when it is written into."""
    for number, arena in update.written.items():
        later = [step for step in update.steps if step.number > number]
        if any(arena.number in refs_of(step.args) for step in later):
            return False
    return len({id(arena) for arena in update.written.values()}) == len(update.written) and bool(
        arenas
    )
