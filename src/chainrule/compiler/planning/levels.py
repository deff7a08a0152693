"""Large programs on single numbers, by levels: the same operation for many numbers at once.

A network of Values repeats a few operations tens of thousands of times. All numbers lie in one long
array; operations of one kind whose operands are known at the same time are a group, whose results
lie side by side. A chain of additions of which nobody needs the parts is one sum.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.compiler.planning.scalars import is_same_number
from chainrule.compiler.planning.tiles import needed
from chainrule.compiler.tracing.calls import Ref, method
from chainrule.compiler.tracing.simplify import COMPARISONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainrule.compiler.tracing.trace import Step, Trace

#: A group costs as much time as so many statements on numbers of Python's.
STATEMENTS = 128
#: What conditions are made of; they are kept as 1.0 and 0.0.
_LOGICAL: dict[Any, Any] = {np.bitwise_and: np.logical_and, np.bitwise_or: np.logical_or}
_LOGICAL |= {np.bitwise_xor: np.logical_xor, np.invert: np.logical_not}
_LOGICAL |= {f: f for f in (*COMPARISONS, np.logical_and, np.logical_or, np.logical_xor)}
_LOGICAL |= {f: f for f in (np.logical_not, np.isnan, np.isinf, np.isfinite, np.signbit)}
#: Functions that are no ufuncs, and do the same for each entry.
_ELEMENTWISE = {np.where, np.sinc}
_COMMUTING = {np.add, np.multiply}


class Group:
    """Results of one function, each of its own operands; of a sum, any number of them."""

    def __init__(self, function: Any, ignoring: tuple[str, ...]) -> None:
        self.function, self.ignoring = function, ignoring
        self.is_sum = function == np.add.reduceat
        #: Whether some are derivatives in which zero wins over infinity.
        self.product = False
        self.results: list[int] = []
        #: For each result its operands: numbers of steps, and plain floats.
        self.operands: dict[int, list[Any]] = {}
        #: Where the results lie.
        self.start = self.stop = 0

    def add(self, number: int, operands: list[Any], product: bool) -> None:
        """One more result."""
        self.results.append(number)
        self.operands[number] = operands
        self.product |= product


class Input(NamedTuple):
    """A number or an array that a program is given, with keys for its entries."""

    number: int
    keys: list[int]
    is_array: bool


class Levels:
    """A program on single numbers."""

    def __init__(self, inputs: list[Input], graph: _Graph, wanted: set[int]) -> None:
        self.inputs, self.same = inputs, graph.same
        groups = self.groups = list(graph.groups.values())
        same = graph.same
        found = [same[number] for number in wanted]
        found += [x for g in groups if g.is_sum for o in g.operands.values() for x in o]
        #: Plain numbers among the terms of sums and the results; they lie behind the inputs.
        self.literals = list({x.hex(): x for x in found if type(x) is float}.values())
        #: Where each number lies, by its step; a plain number by its digits.
        keys: list[Any] = [key for given in inputs for key in given.keys]
        keys += [x.hex() for x in self.literals]
        self.places: dict[Any, int] = {key: place for place, key in enumerate(keys)}
        _order(groups)
        self.size = len(self.places)
        for group in groups:
            group.start = self.size
            for number in group.results:
                self.places[number] = self.size
                self.size += 1
            group.stop = self.size

    def indices(self, operands: Iterable[Any]) -> np.ndarray:
        """The places of some operands."""
        keys = [x if type(x) is int else x.hex() for x in operands]
        return np.array([self.places[key] for key in keys], np.intp)


def leveled(trace: Trace, wanted: set[int], leaves: list[int]) -> Levels | None:
    """The levels of a program whose inputs are some leaves and arguments, leaves first.

    None where there is more than arithmetic on single numbers in it, or too little of that.
    """
    steps = [trace.steps[number] for number in sorted(needed(trace, wanted | set(leaves)))]
    single = {*wanted, *leaves}
    others = trace.guards or any(np.ndim(trace.steps[number].value) for number in single)
    if len(steps) < STATEMENTS or others or not all(map(_is_number, steps)):
        return None
    graph = _Graph(trace, steps, wanted)
    if len(steps) < STATEMENTS * len(graph.groups):
        return None
    places = {number: i for i, number in enumerate(leaves)}
    inputs = sorted(graph.inputs, key=lambda given: places.get(given.number, len(places)))
    return Levels(inputs, graph, wanted)


class _Graph:
    """The operations with their operands, sums joined, by level and kind."""

    def __init__(self, trace: Trace, steps: list[Step], wanted: set[int]) -> None:
        self.inputs: list[Input] = []
        #: What a number is: the step that computes it, a key, or plain; of an array, all keys.
        self.same: dict[int, Any] = {}
        self._next_key = len(trace.steps)
        self.level: dict[int, int] = {}
        self.groups: dict[Any, Group] = {}
        found = self._operations(steps)
        uses = Counter(x for _, operands in found.values() for x in operands if type(x) is int)
        kept = {self.same[number] for number in wanted}
        ends = self._sums(found, uses, kept)
        for number, (function, operands) in found.items():
            terms = ends.get(number, operands)
            if terms is not None:
                self._place(trace.steps[number], function, terms)
        self.groups = dict(sorted(self.groups.items(), key=lambda item: item[0][0]))

    def _operations(self, steps: list[Step]) -> dict[int, tuple[Any, list[Any]]]:
        """The functions and operands of the steps that compute something."""
        found = {}
        for step in steps:
            if step.call is None:
                self._give(step)
                continue
            if _is_view(step):
                self.same[step.number] = _entry(step, self.same)
                continue
            if step.uniform is not None:
                self.same[step.number] = float(step.uniform)
                continue
            if _is_same(step):
                self.same[step.number] = self.same[step.reads[0]]
                continue
            operands = [self.same[x.number] if type(x) is Ref else float(x) for x in step.args]
            self.same[step.number] = step.number
            function = step.call.function
            function = _LOGICAL.get(function, function)
            if function is np.power and type(operands[1]) is float and operands[1] == 2.0:
                function, operands = np.multiply, [operands[0]] * 2
            if function in _COMMUTING and type(operands[0]) is float:
                operands.reverse()
            found[step.number] = function, operands
        return found

    def _give(self, step: Step) -> None:
        """Keys for an input."""
        keys = [step.number]
        self.same[step.number] = step.number
        if isinstance(step.value, np.ndarray):
            start, self._next_key = self._next_key, self._next_key + step.value.size
            keys = list(range(start, self._next_key))
            self.same[step.number] = (
                np.reshape(keys, step.value.shape) if step.value.ndim else start
            )
        self.inputs.append(Input(step.number, keys, isinstance(step.value, np.ndarray)))

    def _sums(self, found: Any, uses: Any, kept: set[Any]) -> dict[int, list[Any] | None]:
        """The terms of additions; None for those that are part of another."""
        terms: dict[int, list[Any] | None] = {}
        for number, (function, operands) in found.items():
            if function is not np.add:
                continue
            own: list[Any] = []
            for x in operands:
                inner = terms.get(x) if uses[x] == 1 and x not in kept else None
                if inner is None:
                    own.append(x)
                    continue
                terms[x] = None
                own, short = (own, inner) if len(own) > len(inner) else (inner, own)
                own.extend(short)  # a chain grows by one each time: it is not copied
            terms[number] = own
        return terms

    def _place(self, step: Step, function: Any, operands: list[Any]) -> None:
        level = 1 + max((self.level.get(x, 0) for x in operands if type(x) is int), default=0)
        self.level[step.number] = level
        if len(operands) > 2 and function is np.add:
            function = np.add.reduceat
            key: Any = (level, "sum")
        else:
            plain = tuple(type(x) is float for x in operands)
            key = (level, function, plain, step.ignoring)
        if key not in self.groups:
            self.groups[key] = Group(function, step.ignoring)
        self.groups[key].add(step.number, operands, step.product)


def _is_number(step: Step) -> bool:
    """Whether a step gives a single number or condition that a level can compute."""
    value: Any = step.value
    call = step.call
    if call is None:
        return isinstance(value, float) or getattr(value, "dtype", None) == np.float64
    if _is_view(step):
        return bool(value.dtype == np.float64)
    if np.ndim(value) or step.kwargs or isinstance(value, tuple | list):
        return False
    kind = getattr(value, "dtype", np.dtype(type(value)))
    if step.uniform is not None:
        return bool(kind.kind in "fb")
    ufunc = call.ufunc
    plain = ufunc is not None and ufunc.nout == 1 and ufunc.signature is None
    known = plain or call.function in _ELEMENTWISE if kind == np.float64 else False
    if kind == np.bool:
        known = call.function in _LOGICAL
    operands = all(isinstance(x, Ref | float) or _is_exact(x) for x in step.args)
    return bool(known and operands) or (_is_same(step) and bool(kind == np.float64))


def _is_exact(x: Any) -> bool:
    """Whether a whole number is a float as well."""
    return isinstance(x, int) and abs(x) <= 2**53


def _is_same(step: Step) -> bool:
    """Whether the result is the number that the call is given."""
    return is_same_number(step) or step.call == method("astype")


def _is_view(step: Step) -> bool:
    """Whether the result is an entry or a part of an array that the program is given."""
    call = step.call
    assert call is not None
    fixed = not step.kwargs and len(step.reads) == 1 and type(step.args[0]) is Ref
    found = call.style != "function" and call.text in {"reshape", "transpose", "swapaxes", "T"}
    if call.style == "item":
        index = step.args[1] if isinstance(step.args[1], tuple) else step.args[1:]
        found = all(type(part) in {int, slice, type(None), type(...)} for part in index)
    return found and fixed and isinstance(step.value, np.ndarray | np.generic)


def _entry(step: Step, same: dict[int, Any]) -> Any:
    """The keys that a step takes out of those of an array."""
    assert step.call is not None
    keys = step.call.function(np.asarray(same[step.args[0].number]), *step.args[1:])
    return keys if keys.ndim else keys.item()


def _order(groups: list[Group]) -> None:
    """Put results in the order in which they are read: what is read in order need not be gathered.

    The last reader decides, so groups are put in order from the last to the first.
    """
    ranks: dict[int, int] = {}
    for group in reversed(groups):
        group.results.sort(key=lambda number: ranks.get(number, -1))
        if group.is_sum:
            columns: Any = [[x for number in group.results for x in group.operands[number]]]
        else:
            columns = zip(*[group.operands[number] for number in group.results], strict=True)
        for column in columns:
            for x in column:
                if type(x) is int and x not in ranks:
                    ranks[x] = len(ranks)
