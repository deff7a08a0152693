"""`checkpoint`: less memory for more time."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import ChangedDataError
from chainrule.ops.base import Op
from chainrule.recording import views_as_they_were
from chainrule.traced import NO_PARAMS, Traced, plain
from chainrule.transforms import jvp, vjp
from chainrule.trees import flatten, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainrule.traced import Inputs, Params


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the same value and derivatives that keeps nothing in between for backward.

    Its intermediate results are computed a second time when backward arrives. f must give the same
    result both times, and everything to differentiate by must be among its arguments.

    Args:
        f: takes arrays, or containers of them, by position or name, and returns one array.

    Raises:
        TypeError: if f uses a Tensor that is no argument, or returns something else than an array.
        ChangedDataError: in backward, if f gives another result the second time.

    >>> import chainrule as cr
    >>> cr.grad(cr.checkpoint(lambda x: np.sum(np.sin(x) ** 2)))(np.array([0.0, 1.0])).round(3)
    array([0.   , 0.909])
    """

    @wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        leaves, rebuild = flatten([list(args), kwargs])
        # Plain arrays are inputs too, so that a change of them is noticed.
        inputs = [i for i, x in enumerate(leaves) if isinstance(x, Traced | np.ndarray)]
        if not any(isinstance(x, Traced) for x in leaves):
            return f(*args, **kwargs)

        def of_inputs(*values: Any) -> Any:
            positional, named = rebuild(replaced(leaves, inputs, values))
            return f(*positional, **named)

        op = Checkpoint(of_inputs, len(inputs), _name(f))
        return op.apply(tuple(leaves[i] for i in inputs), NO_PARAMS)

    return checkpointed


class Checkpoint(Op):
    """A whole function as one op, whose derivatives run it again."""

    COMPLEX = True

    def __init__(self, f: Callable[..., Any], count: int, name: str) -> None:
        # The rule stands for reading all inputs and the output.
        super().__init__(_without_graph(f, name), (f,) * count, name="checkpoint")
        self.function, self.title = f, name
        self.needs, self.reads_data, self.needs_output = (True,) * count, True, True

    def _of(self, positions: Sequence[int], inputs: Inputs) -> Callable[..., Any]:
        """The function as one of some of its inputs."""
        return lambda *values: self.function(*replaced(inputs, positions, values))

    def vjp(self, wanted: Inputs, y_bar: Any, y: Any, inputs: Inputs, params: Params) -> list[Any]:
        with views_as_they_were(False):  # here a program runs, not a rule
            again, pullback = vjp(self._of(wanted, inputs), *[inputs[i] for i in wanted])
        rounding = np.sqrt(np.finfo(plain(y).dtype).eps)
        if not np.allclose(plain(again), plain(y), rtol=rounding, atol=0, equal_nan=True):
            raise ChangedDataError(
                f"checkpoint({self.title}): the function gave another result when it ran again for"
                f" backward; it must depend on nothing but its arguments (give dropout its seed)"
            )
        return list(pullback(y_bar))

    def jvp(self, tangents: Inputs, y: Any, inputs: Inputs, params: Params) -> Any:
        moving = [i for i, t in enumerate(tangents) if t is not None]
        primals, directions = [inputs[i] for i in moving], [tangents[i] for i in moving]
        return jvp(self._of(moving, inputs), primals, directions)[1]


def _without_graph(f: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The forward: f on plain arrays, which must give a plain array."""

    def forward(*values: Any) -> Any:
        y = f(*values)  # records nothing: what is plain stays plain
        if isinstance(y, Traced):
            raise TypeError(
                f"checkpoint({name}): the function uses a {type(y).__name__} that is not among its"
                f" arguments, whose derivative would be lost: pass it as one"
            )
        if not isinstance(y, float) and not hasattr(y, "dtype"):
            raise TypeError(
                f"checkpoint({name}): the function must return one array, it returned"
                f" {type(y).__name__}"
            )
        return np.float64(y) if isinstance(y, float) else y

    return forward


def _name(f: Any) -> str:
    return getattr(f, "__name__", type(f).__name__)
