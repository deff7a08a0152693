"""The statements of a program by levels: gather operands, compute, group after group."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.planning.scalars import SILENT
from chainrule.compiler.tracing.calls import spelled
from chainrule.compiler.writing.source import NAMED_OUT
from chainrule.compiler.writing.spelling import (
    INDENT,
    Names,
    Text,
    given_up,
    if_nan,
    indented,
    literal,
)

if TYPE_CHECKING:
    from chainrule.compiler.planning.levels import Group, Levels

#: What Python's numbers raise at, NumPy's are to raise at, too.
_STRICT = 'with np.errstate(over="raise", divide="raise", invalid="raise"):'


class LevelWriter(Text):
    """Writes the groups of a program on single numbers."""

    def __init__(self, levels: Levels, names: Names) -> None:
        super().__init__(names)
        self.levels = levels
        self.all = names.new("numbers")
        longest = max((g.stop - g.start for g in levels.groups if not g.is_sum), default=0)
        terms = [sum(map(len, g.operands.values())) for g in levels.groups if g.is_sum]
        self.longest = max([longest, *terms])
        #: Arrays that operands are gathered in, by the position of the operand.
        self.gathered: list[str] = []

    def write(self) -> None:
        """Write everything between inputs and results."""
        start = sum(len(given.keys) for given in self.levels.inputs)
        self.setup.append(f"{self.all} = np.empty({self.levels.size})")
        if self.levels.literals:
            given = self.keep("literals", np.array(self.levels.literals))
            self.setup.append(f"{self.all}[{start}:{start + len(self.levels.literals)}] = {given}")
        lines, self.body = self.body, []
        for group in self.levels.groups:
            self._write_group(group)
        self.body = [*lines, _STRICT, *indented(self.body, 1)]

    def take_inputs(self, state: str, leaves: int, called: dict[int, str]) -> None:
        """Lines that bring leaves and arguments to their places."""
        if leaves:
            self.body.append(f"{self.all}[:{leaves}] = {state}")
        end = leaves
        for is_array, group in groupby(self.levels.inputs[leaves:], attrgetter("is_array")):
            for some in [[given] for given in group] if is_array else [list(group)]:
                start, end = end, end + sum(len(given.keys) for given in some)
                names = ", ".join(called[given.number] for given in some)
                what = f"{names}.reshape(-1)" if is_array else f"[{names}]"
                self.body.append(f"{self.all}[{start}:{end}] = {what}")

    def take_results(self, numbers: list[int]) -> str:
        """The name of a list of results, as Python's numbers."""
        where = self.keep("where", self.levels.indices(self.levels.same[n] for n in numbers))
        name = self.names.new("results")
        self.body.append(f"{name} = {self.all}.take({where}).tolist()")
        self.called = {number: f"{name}[{i}]" for i, number in enumerate(numbers)}
        return name

    def function(self, function: Any) -> str:
        """A function as a variable of the program."""
        call = spelled(function)
        return self.outsider(call) if call.style == "foreign" else self.local(call.text)

    def _write_group(self, group: Group) -> None:
        count = group.stop - group.start
        out = part = self.names.new("part")
        self.setup.append(f"{part} = {self.all}[{group.start}:{group.stop}]")
        if group.is_sum:
            lengths = [len(group.operands[number]) for number in group.results]
            starts = self.keep("starts", np.cumsum([0, *lengths[:-1]], dtype=np.intp))
            terms = [x for number in group.results for x in group.operands[number]]
            args = [self._terms(terms), starts, "0", "None"]
        else:
            rows = [group.operands[number] for number in group.results]
            args = [self._operand(i, column) for i, column in enumerate(zip(*rows, strict=True))]
        function = self.function(group.function)
        what = f"{count} sums" if group.is_sum else f"{count} at once"
        if isinstance(group.function, np.ufunc) or group.is_sum:
            out = f"out={out}" if group.function in NAMED_OUT else out
            line = f"{function}({', '.join([*args, out])})  # {what}"
        else:
            line = f"{out}[...] = {function}({', '.join(args)})  # {what}"
        if group.ignoring:
            kinds = ", ".join(f'{kind}="ignore"' for kind in group.ignoring)
            self.body += [f"with np.errstate({kinds}):", INDENT + line]
        else:
            self.body.append(line)
        if spelled(group.function).style == "foreign" or group.function in SILENT:
            finite = f"{self.local('np.isfinite')}({part}).all()"
            self.body += given_up(f"not {finite}", "Python's may raise")
        if group.product:
            size = self.names.new("size")
            self.body.append(f"{size} = {self.local('np.vdot')}({part}, {part})")
            self.body += if_nan(size)

    def _operand(self, position: int, column: Any) -> str:
        """Operands of a group side by side: a constant, a part of all numbers, or gathered."""
        if all(type(x) is float for x in column):
            if len(set(map(float.hex, column))) == 1:
                return literal(column[0])
            return self.keep("constants", np.array(column))
        places = self.levels.indices(column)
        if (places == places[0]).all():
            return self._part(int(places[0]), 1)
        return self._gathered(position, places)

    def _terms(self, terms: list[Any]) -> str:
        """The terms of sums, each in its own place, also where all are the same."""
        return self._gathered(0, self.levels.indices(terms))

    def _gathered(self, position: int, places: np.ndarray) -> str:
        first, count = int(places[0]), len(places)
        if (np.diff(places) == 1).all():
            return self._part(first, count)
        while len(self.gathered) <= position:
            name = self.names.new("gathered")
            self.gathered.append(name)
            self.setup.append(f"{name} = np.empty({self.longest})")
        where = self.keep("where", places)
        target = self.names.new(f"{self.gathered[position]}_part")
        self.setup.append(f"{target} = {self.gathered[position]}[:{count}]")
        self.body.append(f'{self.all}.take({where}, None, {target}, "clip")')
        return target

    def _part(self, first: int, count: int) -> str:
        name = self.names.new("part")
        self.setup.append(f"{name} = {self.all}[{first}:{first + count}]")
        return name
