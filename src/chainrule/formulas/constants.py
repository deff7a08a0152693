"""What a formula calls its constants: plain inputs, arrays made by a rule, counts, long indices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.formulas.algebra import full
from chainrule.formulas.naming import automatic_names
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import NamedArray
from chainrule.ops.base import constant
from chainrule.ops.notation import FIRST
from chainrule.ops.reductions import entry_count

if TYPE_CHECKING:
    from collections.abc import Mapping

#: An index of more entries than this gets a name.
LONGEST_INDEX = 12


#: A factor 0 that the program multiplies by, often data: a formula keeps it.
kept = constant(lambda x: x, 1, name="kept", notation=FIRST)


class Constants:
    """The constants of a graph.

    Args:
        names: the names known for constants, by `id`.
        arrays: the arrays among them, by `id`.
        values: where the value of every name is kept; shared with the steps of the graph.
    """

    def __init__(
        self,
        names: Mapping[int, str],
        arrays: Mapping[int, np.ndarray],
        values: dict[str, Any],
    ) -> None:
        self.names = dict(names)
        self._arrays = arrays
        self.values = values
        #: Names made up for arrays and counts, which have to be told.
        self.automatic: set[str] = set()
        self._fresh = automatic_names([*values, *names.values()], "c")
        self._counts: dict[int, str] = {}
        self._alive: list[Any] = []  # a name goes by the id of what it names

    def fresh(self, value: Any) -> str:
        """A new name for a value."""
        name = self._fresh()
        self.values[name] = value
        self.automatic.add(name)
        return name

    def factor(self, x: Any) -> Any:
        """A plain factor of a product."""
        formula = self.expression(x)
        if isinstance(formula, int | float) and formula == 0:
            return Symbol.made(kept, (0.0,), {}, (), np.float64)
        return formula

    def expression(self, x: Any) -> Any:
        """A plain input as a formula reads it: its name, or the number that it is everywhere."""
        name = self.names.get(id(x))
        if name is None and np.ndim(x):
            array = np.asarray(x)
            if array.dtype.kind == "f" and array.size and np.all(array == array.flat[0]):
                return full(float(array.flat[0]), array.shape, array.dtype)
            derived = self._derived(array)
            if derived is not None:
                return derived
            name = self.names[id(x)] = self.fresh(x)
            self._alive.append(x)
        if name is None:
            return x
        self.values[name] = x
        return Symbol(name, np.shape(x), np.asarray(x).dtype)

    def _derived(self, x: np.ndarray) -> Any:
        """An unnamed array that is 1 - y or yᵀ of a named one, to the last bit."""
        for y in self._arrays.values():
            if y.dtype.kind != "f" or x.dtype != y.dtype:
                continue
            if x.shape == y.shape and np.array_equal(x, 1 - y):
                return 1.0 - self.expression(y)
            if y.ndim == 2 and x.shape == y.shape[::-1] and np.array_equal(x, y.T):
                return self.expression(y).T
        return None

    def named(self, x: Any) -> Any:
        """A formula in which every array has a name, also those that a rule has made."""
        if not isinstance(x, Symbol):
            return self.expression(x) if np.ndim(x) else x
        if x.op is None:
            return x
        if x.op is entry_count:
            return self._count(x)
        inputs = tuple(self.named(part) for part in x.inputs)
        params = {key: self._param(value) for key, value in x.params.items()}
        same = all(a is b for a, b in zip(inputs, x.inputs, strict=True))
        if same and all(params[key] is value for key, value in x.params.items()):
            return x
        return Symbol.made(x.op, inputs, params, x.shape, x.dtype)

    def _count(self, x: Symbol) -> Symbol:
        count = _entries(x)
        if count not in self._counts:
            own = len(self._counts)
            name = f"N{own + 1}" if own else "N"
            while name in self.values:
                name += "′"
            self._counts[count] = name
            self.automatic.add(name)
            self.values[name] = float(count)
        return Symbol(self._counts[count])

    def _param(self, value: Any) -> Any:
        """A static argument; a long array in it gets a name."""
        if isinstance(value, tuple) and any(isinstance(item, np.ndarray) for item in value):
            return tuple(self._param(item) for item in value)
        if not isinstance(value, np.ndarray) or value.size <= LONGEST_INDEX:
            return value
        if id(value) not in self.names:
            self.names[id(value)] = self.fresh(value)
            self._alive.append(value)
        array = value.view(NamedArray)
        array.name = self.names[id(value)]
        self._alive.append(array)
        return array

    def all_constant(self, names: set[str]) -> bool:
        """Whether all of these are names of constants."""
        return names <= set(self.names.values()) | self.automatic


def _entries(x: Symbol) -> int:
    inner = x.inputs[0]
    axis = x.params.get("axis")
    shape = inner.shape
    axes = range(len(shape)) if axis is None else np.atleast_1d(axis)
    return int(np.prod([shape[i] for i in axes], dtype=int))
