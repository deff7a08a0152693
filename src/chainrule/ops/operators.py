"""Python's operators, once, for everything that a rule can be fed with."""

from __future__ import annotations

from typing import Any

from chainrule.ops import arithmetic as ar
from chainrule.ops import functions as fn
from chainrule.ops import rounding
from chainrule.ops.indexing import getitem
from chainrule.ops.linear_algebra import matmul
from chainrule.traced import Traced


class Operators(Traced):
    """`a + b`, `-a`, `a @ b`, `a[i]`, `a < b` … as calls of the ops."""

    __slots__ = ()

    def __add__(self, other: Any) -> Any:
        return self.apply_binary(ar.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return self.apply_binary(ar.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return self.apply_binary(ar.subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.apply_binary(ar.subtract, other, self)

    def __mul__(self, other: Any) -> Any:
        return self.apply_binary(ar.multiply, self, other)

    def __rmul__(self, other: Any) -> Any:
        return self.apply_binary(ar.multiply, other, self)

    def __truediv__(self, other: Any) -> Any:
        return self.apply_binary(ar.divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self.apply_binary(ar.divide, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self.apply_binary(rounding.floor_divide, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self.apply_binary(rounding.floor_divide, other, self)

    def __mod__(self, other: Any) -> Any:
        return self.apply_binary(rounding.remainder, self, other)

    def __rmod__(self, other: Any) -> Any:
        return self.apply_binary(rounding.remainder, other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __pow__(self, other: Any) -> Any:
        return self.apply_binary(ar.power, self, other)

    def __rpow__(self, other: Any) -> Any:
        return self.apply_binary(ar.power, other, self)

    def __neg__(self) -> Any:
        return ar.negative(self)

    def __pos__(self) -> Any:
        return ar.positive(self)

    def __abs__(self) -> Any:
        return ar.absolute(self)

    def __matmul__(self, other: Any) -> Any:
        return self.apply_binary(matmul, self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self.apply_binary(matmul, other, self)

    def __getitem__(self, index: Any) -> Any:
        return getitem(self, index)

    def __lt__(self, other: Any) -> Any:
        return self.apply_binary(ar.less, self, other)

    def __le__(self, other: Any) -> Any:
        return self.apply_binary(ar.less_equal, self, other)

    def __gt__(self, other: Any) -> Any:
        return self.apply_binary(ar.greater, self, other)

    def __ge__(self, other: Any) -> Any:
        return self.apply_binary(ar.greater_equal, self, other)

    def __eq__(self, other: Any) -> Any:
        if other is None or isinstance(other, str):
            return NotImplemented  # as for any two unlike things: not equal
        return self.apply_binary(ar.equal, self, other)

    def __ne__(self, other: Any) -> Any:
        if other is None or isinstance(other, str):
            return NotImplemented
        return self.apply_binary(ar.not_equal, self, other)

    def exp(self) -> Any:
        """E to the power x."""
        return fn.exp(self)

    def log(self) -> Any:
        """Natural logarithm."""
        return fn.log(self)

    def sin(self) -> Any:
        """Sine, in radians."""
        return fn.sin(self)

    def cos(self) -> Any:
        """Cosine, in radians."""
        return fn.cos(self)

    def sqrt(self) -> Any:
        """Square root."""
        return fn.sqrt(self)

    def tanh(self) -> Any:
        """Hyperbolic tangent."""
        return fn.tanh(self)

    def sigmoid(self) -> Any:
        """1 / (1 + exp(-x))."""
        return fn.sigmoid(self)

    def relu(self) -> Any:
        """max(x, 0); derivative 0 at x = 0."""
        return fn.relu(self)

    # Nodes compare by value, as NumPy's arrays do, and are looked up by identity.
    __hash__ = object.__hash__
