"""How a recorded call is evaluated and how it is written in source."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np


class Call(NamedTuple):
    """A function with its spelling; `style` says how arguments go with it."""

    text: str
    style: str
    function: Any

    @property
    def ufunc(self) -> Any:
        """The ufunc that is called elementwise, or None."""
        called = type(self.function) is np.ufunc and self.style != "updated"
        return self.function if called else None

    @property
    def ufunc_method(self) -> str:
        """The method of a ufunc that is called, such as "reduce", or nothing."""
        owner = getattr(self.function, "__self__", None)
        return str(self.function.__name__) if isinstance(owner, np.ufunc) else ""


#: Python's operators on plain numbers, by the ufunc they stand for.
OPERATORS = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.true_divide: operator.truediv,
    np.floor_divide: operator.floordiv,
    np.remainder: operator.mod,
    np.power: operator.pow,
    np.matmul: operator.matmul,
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.equal: operator.eq,
    np.not_equal: operator.ne,
    np.negative: operator.neg,
    np.positive: operator.pos,
    np.absolute: abs,
    np.bitwise_and: operator.and_,
    np.bitwise_or: operator.or_,
    np.bitwise_xor: operator.xor,
}
ITEM = Call("[]", "item", operator.getitem)
#: `x` with the entries at an index replaced: a new array, or x itself where nobody needs it more.
ASSIGNED = Call("[]=", "assigned", None)
#: The same with `np.add.at` and its kin in place of `=`.
UPDATED = Call(".at", "updated", None)
#: A constant array.
CONSTANT = Call("constant", "constant", lambda x: x)
#: One of several results.
PART = Call("part", "part", operator.getitem)


#: Python's number of one of NumPy's.
FLOAT = Call("float", "function", float)


@cache
def method(name: str) -> Call:
    """A method of the first argument."""
    return Call(name, "method", lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs))


@cache
def attribute(name: str) -> Call:
    """An attribute of the first argument."""
    return Call(name, "attribute", operator.attrgetter(name))


CLIP = method("clip")


@cache
def spelled(function: Any) -> Call:
    """A function of NumPy's by its public name; any other is called by itself."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):  # a method of a ufunc, such as np.add.reduce
        base = spelled(owner)
        return base._replace(text=f"{base.text}.{function.__name__}", function=function)
    name = getattr(function, "__name__", "function")
    module = getattr(function, "__module__", None) or "numpy"
    for home in (module, "numpy"):
        if home.split(".")[0] == "numpy" and resolved(home, name) is function:
            return Call(f"{home.replace('numpy', 'np', 1)}.{name}", "function", function)
    return Call(name, "foreign", function)


def resolved(module: str, name: str) -> Any:
    """What a dotted name of NumPy's refers to, or None."""
    thing: Any = np
    for part in (*module.split(".")[1:], name):
        thing = getattr(thing, part, None)
    return thing


@dataclass(frozen=True, slots=True)
class Ref:
    """The result of a step, as an argument of another."""

    number: int


@dataclass(frozen=True, slots=True)
class Fixed:
    """A constant array (or another object without a spelling) by its position."""

    position: int


def map_refs(function: Any, argument: Any) -> Any:
    """An argument with a function applied to each `Ref` and `Fixed` in it."""
    if isinstance(argument, Ref | Fixed):
        return function(argument)
    if isinstance(argument, list | tuple):
        return type(argument)([map_refs(function, item) for item in argument])
    if isinstance(argument, slice):
        parts = (argument.start, argument.stop, argument.step)
        return slice(*[map_refs(function, part) for part in parts])
    return argument


def refs_of(argument: Any) -> list[int]:
    """The numbers of the steps that an argument refers to."""
    if isinstance(argument, Ref):
        return [argument.number]
    if isinstance(argument, list | tuple):
        return [number for item in argument for number in refs_of(item)]
    if isinstance(argument, slice):
        return refs_of((argument.start, argument.stop, argument.step))
    return []
