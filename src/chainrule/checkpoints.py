"""`checkpoint`: less memory for more time."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.kinds import General
from chainrule.recording import no_grad
from chainrule.traced import Traced
from chainrule.transforms import jvp, vjp
from chainrule.trees import flatten

if TYPE_CHECKING:
    from collections.abc import Callable


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the same value and derivatives that keeps nothing in between for backward.

    Its intermediate results are computed a second time when backward arrives. f must give the same
    result both times, and everything to differentiate by must be among its arguments.

    Args:
        f: takes arrays, or containers of them, and returns one array; keyword arguments are passed
            on as they are.

    Raises:
        TypeError: if f uses a Tensor that is no argument, or returns something else than an array.

    >>> import chainrule as cr
    >>> cr.grad(cr.checkpoint(lambda x: np.sum(np.sin(x) ** 2)))(np.array([0.0, 1.0])).round(3)
    array([0.   , 0.909])
    """

    @wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        leaves, rebuild = flatten(list(args))
        moving = [i for i, x in enumerate(leaves) if isinstance(x, Traced)]
        if not moving:
            return f(*args, **kwargs)

        def of_traced(*values: Any) -> Any:
            return f(*rebuild(_replaced(leaves, moving, values)), **kwargs)

        def rule(y_bar: Any, _y: Any, *values: Any) -> Any:
            cotangents = vjp(of_traced, *values)[1](y_bar)
            return cotangents if len(values) > 1 else cotangents[0]

        def forward_mode(tangents: Any, _y: Any, *values: Any) -> Any:
            given = [i for i, t in enumerate(tangents) if t is not None]

            def of_moving(*moved: Any) -> Any:
                return of_traced(*_replaced(values, given, moved))

            return jvp(of_moving, [values[i] for i in given], [tangents[i] for i in given])[1]

        op = General(
            _without_graph(of_traced, _name(f)),
            rule,
            forward_mode,
            inputs=len(moving),
            name="checkpoint",
            complex=True,
        )
        return op(*[leaves[i] for i in moving])

    return checkpointed


def _replaced(items: Any, positions: list[int], values: Any) -> list[Any]:
    """A copy of a list with other items at some positions."""
    filled = list(items)
    for i, value in zip(positions, values, strict=True):
        filled[i] = value
    return filled


def _without_graph(f: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The forward: f on plain arrays, which must give a plain array."""

    def forward(*values: Any) -> Any:
        with no_grad():
            y = f(*values)
        if isinstance(y, Traced):
            raise TypeError(
                f"checkpoint({name}): the function uses a {type(y).__name__} that is not among its"
                f" arguments, whose derivative would be lost: pass it as one"
            )
        if not isinstance(y, np.ndarray | np.generic | float):
            raise TypeError(
                f"checkpoint({name}): the function must return one array, it returned"
                f" {type(y).__name__}"
            )
        return np.float64(y) if isinstance(y, float) else y

    return forward


def _name(f: Any) -> str:
    return getattr(f, "__name__", type(f).__name__)
