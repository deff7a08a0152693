"""What a rule can be fed with besides plain floats and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

#: The inputs of an op in order, and its static arguments by name.
Inputs = Sequence[Any]
Params = Mapping[str, Any]


class Operation(Protocol):
    """What the engine needs of an op; the ops layer supplies it."""

    @property
    def name(self) -> str: ...
    @property
    def views(self) -> str: ...
    @property
    def known(self) -> bool: ...
    def needs_input(self, position: int) -> bool: ...
    def vjp(self, wanted: Inputs, y_bar: Any, y: Any, inputs: Inputs, params: Params) -> Inputs: ...


class Traced:
    """Whatever a rule can be fed with besides plain floats and arrays.

    `Value`, `Tensor`, `Dual` and `Symbol` are traced. An op that meets traced inputs hands
    itself to the input with the highest `level`, whose `apply` gives the op its meaning there.
    """

    __slots__ = ()
    #: Of several traced inputs the one with the highest level reads the op.
    level: int = 0
    #: Whether there is data behind it; a symbol has none.
    concrete: ClassVar[bool] = True
    data: Any

    def apply(self, op: Any, inputs: tuple[Any, ...], params: Params) -> Any:
        """Give an op that met this input its meaning."""
        raise NotImplementedError

    def inside(self) -> Any:
        """What this wraps: the data of a node, the primal of a dual."""
        raise NotImplementedError

    def apply_unary(self, op: Any) -> Any:
        """An op of one input met this one; a subclass may take a shorter way to the same result."""
        return self.apply(op, (self,), NO_PARAMS)

    def apply_binary(self, op: Any, a: Any, b: Any) -> Any:
        """An operator met this input; a subclass may take a shorter way to the same result."""
        return op.apply((a, b), NO_PARAMS)


#: The static arguments of an op that has none.
NO_PARAMS: Params = {}


def plain(x: Any) -> Any:
    """The data behind a node or the primal behind a dual, down to a float or an array."""
    while isinstance(x, Traced) and x.concrete:
        x = x.inside()
    return x


def slots_of(kind: type) -> list[str]:
    """The names of what the instances of a class hold."""
    return [name for base in kind.__mro__ for name in getattr(base, "__slots__", ())]
