"""`Symbol`: an input of a rule that has a name and a shape and no data.

Fed to a rule it writes the rule down: `tanh` becomes `1 - y·y`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.formulas.writing import written
from chainrule.ops.arrays import ArrayOperators
from chainrule.traced import NO_PARAMS

if TYPE_CHECKING:
    from chainrule.traced import Params


class Symbol(ArrayOperators):
    """A name, or an op on symbols, with a shape and a dtype."""

    __slots__ = ("dtype", "inputs", "name", "op", "params", "shape")
    concrete = False

    def __init__(self, name: str, shape: tuple[int, ...] = (), dtype: Any = np.float64) -> None:
        self.name = name
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.op: Any = None
        self.inputs: tuple[Any, ...] = ()
        self.params: Params = NO_PARAMS

    @classmethod
    def made(
        cls, op: Any, inputs: tuple[Any, ...], params: Params, shape: tuple[int, ...], dtype: Any
    ) -> Symbol:
        """An op on symbols whose result is known to have this shape and dtype."""
        result = cls("", shape, dtype)
        result.op, result.inputs, result.params = op, inputs, params
        return result

    def apply(self, op: Any, inputs: tuple[Any, ...], params: Params) -> Any:
        shape, dtype = op.result_like([_stand_in(x) for x in inputs], params)
        return Symbol.made(op, inputs, params, shape, dtype)

    def __bool__(self) -> bool:
        raise TypeError(f"the rule branches on {self}: a symbol has no value, use where")

    def __str__(self) -> str:
        return written(self)

    def __repr__(self) -> str:
        return f"<Symbol {self} {self.shape}>"


def _stand_in(x: Any) -> Any:
    """Ones; a square matrix is positive definite, so that it has an inverse and a root."""
    if not isinstance(x, Symbol):
        return x
    ones = np.ones(x.shape, x.dtype)
    if ones.ndim < 2 or ones.dtype.kind not in "fc":
        return ones
    rows, columns = x.shape[-2:]
    return ones + np.eye(rows, columns) * np.arange(1, columns + 1)
