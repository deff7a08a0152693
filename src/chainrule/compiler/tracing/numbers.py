"""Arithmetic on Python's numbers: a program on Values is made of nothing else.

What it writes down is what `recorded` would, by a shorter way: such a program has many steps.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np

from chainrule.compiler.tracing.calls import OPERATORS, Ref, spelled
from chainrule.compiler.tracing.recorder import Operand
from chainrule.compiler.tracing.trace import key_of_call

#: Python's operators give no warnings.
_calmly: Any = nullcontext()


def of_numbers(ufunc: Any, args: Any, *, pythons: bool) -> Any:
    """The result of a ufunc on Python's numbers, written down; None where some are not.

    With `pythons` it is that of Python's operator.
    """
    trace: Any = None
    values: list[Any] = []
    packed: list[Any] = []
    reads: list[int] = []
    key: list[Any] = [ufunc, pythons]
    for x in args:
        if isinstance(x, Operand):
            value, number = x.value, x.number
            if value.__class__ is not float and value.__class__ is not bool:
                return None
            if trace is not x.tape:
                if trace is not None:
                    return None
                trace = x.tape
            key.append(number)
            reads.append(number)
            packed.append(Ref(number))
            values.append(value)
        elif x.__class__ is float or x.__class__ is int:
            key.append(repr(x))
            packed.append(x)
            values.append(x)
        else:
            return None
    if 1 in values and (same := _unchanged(ufunc, args, values)) is not None:
        return same
    key_ = tuple(key)
    known = trace.known.get(key_)
    if known is None:
        function: Any = OPERATORS.get(ufunc, ufunc) if pythons else ufunc
        try:
            with _calmly if function is not ufunc else np.errstate(all="ignore"):
                value = function(*values)
        except ArithmeticError:
            trace.failed = True
            raise
        call, quiet = spelled(ufunc), function is not ufunc
        known = trace.add(key_, call, tuple(packed), value, reads=reads, quiet=quiet)
    return trace.placeholder(known)


def _unchanged(ufunc: Any, args: Any, values: Any) -> Any:
    """The operand that times one, or to the power of one, is itself, or None."""
    if ufunc is np.multiply:
        for x, value, other in ((args[0], values[0], args[1]), (args[1], values[1], args[0])):
            if type(other) in {float, int} and other == 1 and value.__class__ is float:
                return x
    plain = ufunc is np.power and type(args[1]) in {float, int} and args[1] == 1
    return args[0] if plain and values[0].__class__ is float else None


def as_float(x: Any, since: float) -> Any:
    """A number of NumPy's whose step nobody has seen yet, as Python's; None where it was seen.

    Its step then is one that gives Python's number.
    """
    trace, step = x.tape, x.tape.steps[x.number]
    if type(step.value) is not np.float64 or step.call is None or step.call.ufunc is None:
        return None
    own = key_of_call(step.call, step.args, step.kwargs)
    if not step.kwargs and all(type(trace.steps[n].value) is float for n in step.reads):
        own = (
            step.call.ufunc,
            False,
            *[a.number if type(a) is Ref else repr(a) for a in step.args],
        )
    known = trace.known.get((float, own))
    if known is None:
        last = step.number == len(trace.steps) - 1 >= since
        if not last or trace.known.get(own) != step.number:
            return None
        known = trace.known[float, own] = trace.known.pop(own)
        step.value = float(step.value)
    return trace.placeholder(known)
