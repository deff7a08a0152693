"""Straight-line NumPy source of a plan."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.planning.scalars import (
    ARITHMETIC,
    PYTHONS,
    UNARY,
    is_made_pythons,
    is_pythons,
    is_same_number,
    math_name,
    may_raise,
    warns,
)
from chainrule.compiler.planning.tiles import elementwise, operands
from chainrule.compiler.tracing.calls import CLIP, Fixed, Ref
from chainrule.compiler.writing.spelling import (
    Names,
    Text,
    bracketed,
    called,
    comment,
    given_up,
    indented,
    literal,
    named,
)
from chainrule.compiler.writing.sums import (
    REDUCTION_OPTIONS,
    is_column_sum,
    is_reduction,
    is_row_sum,
    reduction_arguments,
)

if TYPE_CHECKING:
    from chainrule.compiler.planning.plan import Plan
    from chainrule.compiler.tracing.calls import Call
    from chainrule.compiler.tracing.trace import Step, Trace

#: An expression longer than this is not written as part of another.
PART = 50
#: Functions that take more than two arrays, and so the array for the result only by its name.
NAMED_OUT = {np.maximum, np.minimum}
#: Ufuncs that take a plain number as an array of their own dtype.
_OF_NUMBERS = {
    *(None, np.add, np.subtract, np.multiply, np.true_divide, np.maximum, np.minimum, np.power),
    *(np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal),
}


class Writer(Text):
    """Writes the statements of a plan, with a name for every result."""

    def __init__(self, trace: Trace, plan: Plan, names: Names, wishes: dict[int, str]) -> None:
        super().__init__(names)
        self.trace, self.plan, self.wishes = trace, plan, wishes
        self.constants: dict[int, str] = {}
        #: Inside of a loop over pieces: the piece of a constant by its position.
        self.pieces_of: dict[int, str] = {}
        self.buffer_names: dict[int, str] = {}
        self._buffer_wishes: dict[int, str] = {}
        for number, buffer in plan.buffers.items():
            if wishes.get(number):
                self._buffer_wishes.setdefault(id(buffer), wishes[number])
        #: Constant numbers by the variables that hold them.
        self.numbers: dict[Any, str] = {}
        #: Places in long arrays that results are copied to.
        self.places: dict[int, str] = {}
        #: The statements of which NumPy is not to warn.
        self.quiet: list[int] = []

    # ---- arguments

    def text(self, x: Any) -> str:
        """An argument as source."""
        if isinstance(x, Ref):
            return self.called[x.number]
        if isinstance(x, Fixed):
            return self.pieces_of.get(x.position) or self.constant(x.position)
        if isinstance(x, tuple):
            inside = ", ".join(self.text(item) for item in x)
            return f"({inside},)" if len(x) == 1 else f"({inside})"
        if isinstance(x, list):
            return f"[{', '.join(self.text(item) for item in x)}]"
        if isinstance(x, slice):
            return f"slice({self.text(x.start)}, {self.text(x.stop)}, {self.text(x.step)})"
        return literal(x)

    def index_text(self, index: Any) -> str:
        """An index between brackets."""
        if isinstance(index, slice):
            parts = ["" if x is None else self.text(x) for x in (index.start, index.stop)]
            step = "" if index.step is None else f":{self.text(index.step)}"
            return f"{':'.join(parts)}{step}"
        if isinstance(index, tuple) and index:
            parts = [self.text(x) if isinstance(x, tuple) else self.index_text(x) for x in index]
            return ", ".join(parts) + "," * (len(index) == 1)
        return self.text(index)

    def constant(self, position: int) -> str:
        """The name of a constant."""
        if position not in self.constants:
            thing = self.trace.constants[position]
            wish = "c" if isinstance(thing, np.ndarray | np.generic) else "f"
            self.constants[position] = self.names.new(self.wishes.get(~position, wish))
        return self.constants[position]

    def name(self, step: Step, prefix: str = "") -> str:
        """A new name for the result of a step."""
        name = self.names.new(self.wishes.get(step.number, "") or prefix or "v")
        self.called[step.number] = name
        return name

    def number_text(self, number: int, beside: Step) -> str:
        """A plain number beside arrays: as NumPy's where it was one."""
        value = self.trace.steps[number].value
        plain = number in self.plan.scalars and beside.number not in self.plan.scalars
        if plain and isinstance(value, np.generic | np.ndarray):
            return f"np.float64({self.called[number]})"
        return self.called[number]

    def is_plain(self, number: int) -> bool:
        """Whether a result is one of Python's numbers in the program."""
        return number in self.plan.scalars

    def is_part(self, number: int) -> bool:
        """Whether a result is part of something else: it is copied when it is handed out."""
        return number in self.plan.copied

    # ---- statements

    def write(self, step: Step) -> None:
        """The statement of a step."""
        if step.call is None or self.is_known(step):
            return
        if step.number in self.plan.hoisted:
            name = self.name(step, self._view_name(step))
            self.setup.append(f"{name} = {self.expression(step)}")
            return
        if step.call.style in {"assigned", "updated"}:
            self._write_change(step)
            return
        if step.number not in self.plan.scalars and (warns(step) or (self.quiet and step.ignoring)):
            self.quiet.append(len(self.body))
        buffer = self.plan.buffers.get(step.number)
        if buffer is None:
            text = self.expression(step)
            part = step.number in self.plan.read_once and not self.wishes.get(step.number)
            if part and len(text) <= PART:
                self.called[step.number] = text
                return
            self.body.append(f"{self.name(step)} = {text}{comment(step)}")
            scalar = not self.trace.exact and self.plan.scalars.issuperset(operands(step))
            if scalar and may_raise(step):
                finite = f"{self.local('math.isfinite')}({self.called[step.number]})"
                self.body += given_up(f"not {finite}", "Python's may raise")
        else:
            name = self.buffer_name(step)
            self.body.append(f"{self.expression(step, name)}{comment(step)}")
            self.called[step.number] = name

    def is_known(self, step: Step) -> bool:
        """Whether a result needs no statement: it is a constant, or a number that has a name."""
        scalar = step.number in self.plan.scalars
        if scalar and step.uniform is not None:
            self.called[step.number] = literal(step.uniform)
            return True
        same = scalar and is_same_number(step) and self.plan.scalars.issuperset(operands(step))
        if same or (step.call and step.call.style == "constant"):
            self.called[step.number] = self.text(step.args[0])
            return True
        return False

    def buffer_name(self, step: Step) -> str:
        """The name of the buffer that a result is written into."""
        buffer = self.plan.buffers[step.number]
        key = id(buffer)
        if key not in self.buffer_names:
            name = self.buffer_names[key] = self.names.new(self._buffer_wishes.get(key, "a"))
            self.setup.append(
                f"{name} = np.empty({literal(buffer.shape)}, {literal(buffer.dtype)})"
            )
        return self.buffer_names[key]

    def _write_change(self, step: Step) -> None:
        """Two statements: a copy, and a change of its entries."""
        call = step.call
        assert call is not None
        before, *rest = [self.text(x) for x in step.args]
        where = self.index_text(step.args[1])
        if step.number in self.plan.in_place:
            name = self.called[step.number] = before
        else:
            name = self.name(step)
            order = "'K'" if self.trace.exact else ""
            self.body.append(f"{name} = {before}.copy({order}){comment(step)}")
        if call.style == "assigned":
            self.body.append(f"{name}[{where}] = {rest[1]}")
        else:
            self.body.append(f"{call.text}({name}, {', '.join(rest)})")

    def statements(self) -> list[str]:
        """The body, with NumPy's warnings off where the traced program had them off."""
        if not self.quiet:
            return self.body
        first, last = self.quiet[0], self.quiet[-1] + 1
        return [
            *self.body[:first],
            'with np.errstate(divide="ignore", invalid="ignore", over="ignore"):',
            *indented(self.body[first:last], 1),
            *self.body[last:],
        ]

    def _view_name(self, step: Step) -> str:
        first = operands(step)
        base = self.called.get(first[0], "v") if first else "v"
        return f"{base}_{step.call.text}" if step.call and step.call.text.isidentifier() else base

    def expression(self, step: Step, out: str = "") -> str:
        """The call of a step; with `out` it writes into that array."""
        call = step.call
        assert call is not None
        args = [
            self.number_text(x.number, step) if isinstance(x, Ref) else self.plain_text(x, step)
            for x in step.args
        ]
        options = {key: self.text(x) for key, x in step.kwargs.items()}
        if call.style == "item":
            return f"{args[0]}[{self.index_text(step.args[1])}]"
        number = call.ufunc in ARITHMETIC and not np.ndim(step.value) and not options
        if number or (step.number in self.plan.scalars and is_pythons(call, self.trace.exact)):
            text = self.pythons(call.function, args)
            number = is_made_pythons(step) and step.number not in self.plan.scalars
            return f"float({text})" if number else text
        if elementwise(step) and np.ndim(step.value):
            args = [self.operand(x, text, step) for x, text in zip(step.args, args, strict=True)]
        text = self.shorter(step, call, args, options, out) or called(call, args, options, out)
        return f"float({text})" if is_made_pythons(step) else text

    def plain_text(self, x: Any, step: Step) -> str:
        """A constant argument; beside Python's numbers a number of NumPy's is one of them."""
        plain = isinstance(x, np.float64) and step.number in self.plan.scalars
        return self.text(float(x) if plain else x)

    def pythons(self, ufunc: Any, args: list[str]) -> str:
        """A call as Python writes it for its own numbers."""
        if ufunc is np.where:
            condition, *parts = [bracketed(arg) for arg in args]
            kinds = {"True": "1.0", "False": "0.0"}
            parts = [kinds.get(x, f"{x}.0" if re.fullmatch(r"-?\d+", x) else x) for x in parts]
            return f"{parts[0]} if {condition} else {parts[1]}"
        whole = ufunc is np.power and re.fullmatch(r"\(?-?\d+(\.0)?\)?", args[1])
        if whole:
            return f"{bracketed(args[0], '**')} ** {args[1].removesuffix('.0')}"
        if name := math_name(ufunc):
            return f"{self.local(f'math.{name}')}({', '.join(args)})"
        if ufunc is np.absolute:
            return f"abs({args[0]})"
        if ufunc in UNARY:
            return f"{UNARY[ufunc]}{bracketed(args[0])}"
        operator = (ARITHMETIC | PYTHONS)[ufunc]
        return f"{bracketed(args[0], operator)} {operator} {bracketed(args[1], operator, True)}"

    def shorter(
        self, step: Step, call: Call, args: list[str], options: dict[str, str], out: str
    ) -> str:
        """A call with less around it than NumPy's function has, or nothing."""
        target = [out] if out else []
        text = ""
        blas = not self.trace.exact  # else NumPy's way to it: it decides about NaN times zero
        if call.style == "foreign":
            text = called(call._replace(text=self.outsider(call)), args, options, out)
        elif call == CLIP:
            text = f"{args[0]}.clip({', '.join([*args[1:], *target])})"
        elif blas and is_column_sum(step) and isinstance(step.args[0], Ref):
            ones = self.ones(np.shape(self.trace.steps[step.args[0].number].value)[0], step)
            text = f"{self.local('np.dot')}({', '.join([ones, args[0], *target])})"
        elif blas and is_row_sum(step) and operands(step)[0] in self.plan.buffers:
            text = self.row_sum(step, args[0], out)
        elif is_reduction(call) and not set(options) - REDUCTION_OPTIONS:
            text = (
                f"{self.local(call.text)}({', '.join(reduction_arguments(args[0], options, out))})"
            )
        elif blas and call.function is np.matmul and not options and self.are_matrices(step):
            text = f"{self.local('np.dot')}({', '.join([*args, *target])})"
        elif call.ufunc is not None or call.function is np.dot:
            named_out = out and (options or call.ufunc in NAMED_OUT)
            target = [f"out={out}"] if named_out else target
            text = f"{self.local(call.text)}({', '.join([*args, *named(options), *target])})"
        return text

    def are_matrices(self, step: Step) -> bool:
        """Whether both operands have two axes."""
        return all(
            np.ndim(self.trace.steps[x.number].value if isinstance(x, Ref) else self.value(x)) == 2
            for x in step.args
        )

    def value(self, x: Any) -> Any:
        """The object behind a constant argument."""
        return self.trace.constants[x.position] if isinstance(x, Fixed) else x

    def operand(self, x: Any, text: str, step: Step) -> str:
        """A plain number beside arrays as an array of shape (): NumPy takes it in faster."""
        if type(x) not in {int, float} or (step.call and step.call.ufunc not in _OF_NUMBERS):
            return text
        dtypes = {
            self.trace.steps[other.number].value.dtype
            for other in step.args
            if isinstance(other, Ref)
            and isinstance(self.trace.steps[other.number].value, np.ndarray)
        }
        if len(dtypes) != 1 or (dtype := dtypes.pop()).kind != "f":
            return text
        key = (repr(x), dtype)
        if key not in self.numbers:
            name = self.numbers[key] = self.names.new(f"num_{text}".replace("-", "minus_"))
            self.setup.append(f"{name} = np.array({text}, {literal(dtype)})")
        return self.numbers[key]

    def row_sum(self, step: Step, x: str, out: str) -> str:
        """The sum over the last axis of a buffer as a product with ones."""
        length = self.trace.steps[operands(step)[0]].value.shape[-1]
        product = (
            f"{self.local('np.dot')}({self.flat(x, f'(-1, {length})')}, {self.ones(length, step)}"
        )
        if out:
            return f"{product}, {self.flat(out, '-1')})"
        return f"{product}).reshape({literal(step.value.shape)})"

    def flat(self, buffer: str, shape: str) -> str:
        """A buffer in another shape, made once."""
        key = ("flat", buffer, shape)
        if key not in self.numbers:
            self.numbers[key] = self.names.new(f"{buffer}_flat")
            self.setup.append(f"{self.numbers[key]} = {buffer}.reshape({shape})")
        return self.numbers[key]

    def ones(self, length: int, step: Step) -> str:
        """A vector of ones: its product with a matrix is the sum of the rows."""
        key = ("ones", length, step.value.dtype)
        if key not in self.numbers:
            name = self.numbers[key] = self.names.new(f"ones_{length}")
            self.setup.append(f"{name} = np.ones({length}, {literal(step.value.dtype)})")
        return self.numbers[key]
