"""`Symbol`: an input of a rule that has a name and a shape and no data.

Fed to a rule it writes the rule down: `tanh` becomes `1 - y·y`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.arrays import ArrayOperators
from chainrule.ops.notation import ATOM, SIGN

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
        self.params: Params = {}

    def apply(self, op: Any, inputs: tuple[Any, ...], params: Params) -> Any:
        # The shape of the result is found by computing it once.
        stand_ins = [_stand_in(x) if isinstance(x, Symbol) else x for x in inputs]
        y = np.asarray(op.compute(stand_ins, params))
        result = Symbol("", y.shape, y.dtype)
        result.op, result.inputs, result.params = op, inputs, params
        return result

    def __bool__(self) -> bool:
        raise TypeError(f"the rule branches on {self}: a symbol has no value, use where")

    def __str__(self) -> str:
        return _written(self)[0]

    def __repr__(self) -> str:
        return f"<Symbol {self} {self.shape}>"


def _stand_in(x: Symbol) -> np.ndarray:
    """Ones; a square matrix is positive definite, so that it has an inverse and a root."""
    ones = np.ones(x.shape, x.dtype)
    if ones.ndim < 2 or ones.dtype.kind not in "fc":
        return ones
    rows, columns = x.shape[-2:]
    return ones + np.eye(rows, columns) * np.arange(1, columns + 1)


def _written(x: Any) -> tuple[str, int]:
    """A formula and how tightly it binds."""
    if not isinstance(x, Symbol):
        text = f"{x:g}" if np.ndim(x) == 0 else f"array{np.shape(x)}"
        return text, SIGN if text.startswith("-") else ATOM
    if x.op is None:
        return x.name, ATOM
    inputs = [_written(a) for a in x.inputs]
    notation = x.op.notation
    if notation is None:
        arguments = [text for text, _ in inputs] + [str(value) for value in x.params.values()]
        return f"{x.op.name}({', '.join(arguments)})", ATOM
    texts = [
        text if precedence >= inner else f"({text})"
        for (text, precedence), inner in zip(inputs, notation.inner, strict=True)
    ]
    return notation.template.format(*texts, **x.params), notation.precedence
