"""Entries replaced or changed: `t.at[index].set(v)` and its kin, each giving a new array."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops.arithmetic import divide, maximum, minimum, multiply, power
from chainrule.ops.base import beside, frozen, shape_of
from chainrule.ops.broadcasting import stretched, summed
from chainrule.ops.indexing import getitem, scatter
from chainrule.ops.kinds import Linear
from chainrule.ops.partials import Elementwise
from chainrule.ops.shapes import reshaped
from chainrule.ops.sums import as_array


def _updated(arrays: Any, index: Any) -> Any:
    x, v = arrays
    y = x.astype(np.result_type(x, v))  # a copy
    y[index] = v
    return y


def _untouched(y_bar: Any, _x: Any, v: Any, index: Any) -> list[Any]:
    """Zero where x was replaced; the rest of the cotangent went to v."""
    return [
        update([y_bar, beside(np.zeros((), y_bar.dtype), y_bar)], index=index),
        summed(getitem(y_bar, index), shape_of(v)),
    ]


#: No position may be in the index twice.
update: Linear = Linear(
    _updated,
    _untouched,
    name="update",
    params=("index",),
    sequence=True,
    doc="x with the entries at an index replaced by v.",
)


#: What a Tensor is after an assignment to its entries; last comes what it was before.
assigned = Elementwise(
    lambda result, _before: result,
    1,
    None,
    name="assigned",
    complex=True,
    doc="The result of t[index] = v, with t as it was before.",
)


class At:
    """`t.at`: functional updates of a traced array, in the manner of JAX."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __getitem__(self, index: Any) -> Place:
        return Place(self.x, index)


class Place:
    """Entries of an array: `t.at[index]`.

    Each method returns a new array; `t` stays as it is. Where an index is in the list twice, `set`
    lets the last value win and the others apply all values, as `np.add.at` does.
    """

    def __init__(self, x: Any, index: Any) -> None:
        self.x, self.index = x, frozen(index)

    def get(self) -> Any:
        """The entries themselves."""
        return getitem(self.x, self.index)

    def set(self, value: Any) -> Any:
        """The entries replaced."""
        value = _in_dtype_of(self.x, value)
        positions = self._positions()
        if positions is None:
            value = _fitting(value, getitem(self.x, self.index).shape)
            return update([self.x, value], index=self.index)
        value = _fitting(value, positions.shape)
        value = reshaped(stretched(value, positions.shape), (positions.size,))
        # Of equal positions the last: the first of the reversed ones.
        _, first = np.unique(positions.ravel()[::-1], return_index=True)
        last = positions.size - 1 - first
        return self._flat_update(positions.ravel()[last], getitem(value, last))

    def add(self, value: Any) -> Any:
        """Values added to the entries."""
        value = _in_dtype_of(self.x, value)
        shape = getitem(self.x, self.index).shape
        entries = stretched(_fitting(value, shape), shape)
        return self.x + scatter(entries, index=self.index, shape=self.x.shape)

    def subtract(self, value: Any) -> Any:
        """Values subtracted from the entries."""
        return self.add(-as_array(value))

    def multiply(self, value: Any) -> Any:
        """The entries multiplied by values."""
        return self._combined(multiply, value)

    def divide(self, value: Any) -> Any:
        """The entries divided by values."""
        return self._combined(divide, value)

    def power(self, value: Any) -> Any:
        """The entries to the power of values."""
        return self._combined(power, value)

    def max(self, value: Any) -> Any:
        """The larger of entries and values."""
        return self._combined(maximum, value)

    def min(self, value: Any) -> Any:
        """The smaller of entries and values."""
        return self._combined(minimum, value)

    def apply(self, function: Any) -> Any:
        """The entries passed through a function."""
        return self.set(function(self.get()))

    def _combined(self, op: Any, value: Any) -> Any:
        """An op on entries and values, one round for each repetition of a position."""
        value = _in_dtype_of(self.x, value)
        positions = self._positions()
        if positions is None:
            value = _fitting(value, getitem(self.x, self.index).shape)
            return update([self.x, op(self.get(), value)], index=self.index)
        value = _fitting(value, positions.shape)
        values = reshaped(stretched(value, positions.shape), (positions.size,))
        flat, result = positions.ravel(), self.x
        left = np.arange(flat.size)
        while left.size:
            _, first = np.unique(flat[left], return_index=True)
            now = left[first]
            entries = getitem(reshaped(result, (result.size,)), flat[now])
            place = Place(result, self.index)
            result = place._flat_update(flat[now], op(entries, getitem(values, now)))
            left = np.delete(left, first)
        return result

    def _positions(self) -> Any:
        """Flat positions of the entries; None where the index cannot name one twice."""
        parts = self.index if isinstance(self.index, tuple) else (self.index,)
        if not any(
            isinstance(part, list) or (isinstance(part, np.ndarray) and part.dtype.kind != "b")
            for part in parts
        ):
            return None
        return np.arange(self.x.size).reshape(self.x.shape)[self.index]

    def _flat_update(self, positions: Any, values: Any) -> Any:
        flat = reshaped(self.x, (self.x.size,))
        return reshaped(update([flat, values], index=positions), self.x.shape)


def _in_dtype_of(x: Any, value: Any) -> Any:
    """A value as NumPy assigns it: in the dtype of the array; complex into real is refused."""
    value = as_array(value)
    if value.dtype.kind == "c" and x.dtype.kind != "c":
        raise TypeError(f"complex numbers do not fit into an array of {x.dtype}: use np.real")
    return value if value.dtype == x.dtype else value.astype(x.dtype)


def _fitting(value: Any, shape: tuple[int, ...]) -> Any:
    """A value that broadcasts to the shape, without the leading axes of length one too many."""
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = reshaped(value, value.shape[1:])
    sizes = zip(reversed(value.shape), reversed(shape), strict=False)
    if value.ndim > len(shape) or any(n not in {1, expected} for n, expected in sizes):
        raise ValueError(f"values of shape {value.shape} do not fit entries of shape {shape}")
    return value
