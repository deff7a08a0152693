"""Recurrent layers: the same weights for every step of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.nn.activations import require_sizes
from chainrule.nn.initializers import generator, initial
from chainrule.nn.module import Module
from chainrule.ops.base import beside, shape_of
from chainrule.ops.functions import sigmoid, tanh
from chainrule.ops.indexing import getitem
from chainrule.ops.shapes import stack
from chainrule.ops.sums import as_array
from chainrule.tensor import Tensor

if TYPE_CHECKING:
    from chainrule.nn.initializers import Initializer
    from chainrule.nn.layers import Seed


class _Recurrent(Module):
    """W and U for all gates side by side, and the loop over the steps."""

    #: How many blocks of `hidden` columns W and U have.
    GATES: ClassVar[int]

    def __init__(
        self,
        inputs: int,
        hidden: int,
        *,
        initializer: Initializer = "lecun_uniform",
        seed: Seed = None,
        dtype: Any = np.float64,
        name: str = "",
    ) -> None:
        require_sizes(inputs=inputs, hidden=hidden)
        random, width = generator(seed), self.GATES * hidden
        self.W = Tensor(initial(initializer, random, (inputs, width), dtype), label=f"W{name}")
        self.U = Tensor(initial(initializer, random, (hidden, width), dtype), label=f"U{name}")
        self.b = Tensor(np.zeros(width, dtype), label=f"b{name}")

    def __call__(self, x: Any, state: Any = None) -> tuple[Any, Any]:
        """The outputs of all steps, and the state after the last.

        Args:
            x: array of shape (N, T, inputs).
            state: before the first step, of shape (N, hidden); a pair of them for an LSTM. Zeros if
                nothing is given.

        Returns:
            Outputs of shape (N, T, hidden), and the state.
        """
        x = as_array(x)
        if x.ndim != 3 or x.shape[2] != self.W.shape[0] or not x.shape[1]:
            raise ValueError(
                f"{self.describe()} takes (N, T, {self.W.shape[0]}) with T from 1 on, got {x.shape}"
            )
        state = self.start(x.shape[0]) if state is None else self._fitting(x.shape[0], state)
        steps = x @ self.W + self.b  # of all steps at once
        outputs = []
        for t in range(x.shape[1]):
            state = self.advanced(getitem(steps, (slice(None), t)), state)
            outputs.append(self.output(state))
        return stack(outputs, axis=1), state

    def _fitting(self, samples: int, state: Any) -> Any:
        """A state that was given, of the right shape."""
        if isinstance(state, list | tuple) or shape_of(state) != (samples, self.U.shape[0]):
            raise ValueError(
                f"{self.describe()}: a state of shape {(samples, self.U.shape[0])} is needed"
            )
        return state

    def start(self, samples: int) -> Any:
        """The state of zeros."""
        return beside(np.zeros((samples, self.U.shape[0]), self.U.dtype), self.U)

    def advanced(self, x: Any, state: Any) -> Any:
        """The state after one step with the input's part x·W + b."""
        raise NotImplementedError

    def output(self, state: Any) -> Any:
        """What the layer shows of its state."""
        return state

    def _gates(self, x: Any) -> list[Any]:
        """The blocks of columns, one for each gate."""
        hidden = self.U.shape[0]
        width = shape_of(x)[1]
        return [getitem(x, (slice(None), slice(i, i + hidden))) for i in range(0, width, hidden)]

    def describe(self) -> str:
        return f"{type(self).__name__}({self.W.shape[0]}, {self.U.shape[0]})"


class RNN(_Recurrent):
    """h ← tanh(x·W + h·U + b) (Elman, 1990).

    Args:
        inputs, hidden: sizes; W has the shape (inputs, hidden), U (hidden, hidden), b (hidden,).
        initializer, seed, dtype, name: as in `Linear`.

    It is called with x of shape (N, T, inputs) and gives the outputs, of shape (N, T, hidden), and
    the last state, which may be given to the next call.

    >>> import chainrule as cr
    >>> outputs, state = cr.nn.RNN(3, 4, seed=0)(np.ones((2, 5, 3)))
    >>> outputs.shape, state.shape
    ((2, 5, 4), (2, 4))
    """

    GATES = 1

    def advanced(self, x: Any, state: Any) -> Any:
        return tanh(x + state @ self.U)


class GRU(_Recurrent):
    """h ← (1 - z)·n + z·h: the gated recurrent unit (Cho et al., 2014, as in cuDNN).

    r and z are the sigmoids of their blocks of x·W + h·U + b, n = tanh(x·W + b + r·(h·U + c)). The
    blocks are in the order r, z, n.

    Args:
        inputs, hidden: sizes; W has the shape (inputs, 3·hidden), U (hidden, 3·hidden), b
            (3·hidden,), and c (hidden,).
        initializer, seed, dtype, name: as in `Linear`.

    It is called as `RNN`.
    """

    GATES = 3

    def __init__(self, inputs: int, hidden: int, **options: Any) -> None:
        super().__init__(inputs, hidden, **options)
        name = options.get("name", "")
        self.c = Tensor(np.zeros(hidden, self.U.dtype), label=f"c{name}")

    def advanced(self, x: Any, state: Any) -> Any:
        own_r, own_z, own_n = self._gates(state @ self.U)
        in_r, in_z, in_n = self._gates(x)
        r, z = sigmoid(in_r + own_r), sigmoid(in_z + own_z)
        n = tanh(in_n + r * (own_n + self.c))
        return n + z * (state - n)


class LSTM(_Recurrent):
    """c ← f·c + i·g, h ← o·tanh(c): long short-term memory (Hochreiter and Schmidhuber, 1997).

    i, f and o are the sigmoids of their blocks of x·W + h·U + b, g the tanh of its own. The blocks
    are in the order i, f, g, o.

    Args:
        inputs, hidden: sizes; W has the shape (inputs, 4·hidden), U (hidden, 4·hidden), b
            (4·hidden,).
        forget: what b is at first for the gate f (Jozefowicz et al., 2015, advise 1).
        initializer, seed, dtype, name: as in `Linear`.

    It is called as `RNN`; the state is the pair (h, c).
    """

    GATES = 4

    def __init__(self, inputs: int, hidden: int, *, forget: float = 0.0, **options: Any) -> None:
        super().__init__(inputs, hidden, **options)
        b = self.b.data.copy()
        b[hidden : 2 * hidden] = forget
        self.b.data = b

    def start(self, samples: int) -> Any:
        return super().start(samples), super().start(samples)

    def _fitting(self, samples: int, state: Any) -> Any:
        if not isinstance(state, list | tuple) or len(state) != 2:
            raise ValueError(f"{self.describe()}: the state is a pair (h, c)")
        h, c = state
        return super()._fitting(samples, h), super()._fitting(samples, c)

    def advanced(self, x: Any, state: Any) -> Any:
        h, c = state
        i, f, g, o = self._gates(x + h @ self.U)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        return sigmoid(o) * tanh(c), c

    def output(self, state: Any) -> Any:
        return state[0]
