"""One step of training: the loss, its gradients, and new weights; compiled where it can be."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.data import size_of
from chainrule.engine import Node
from chainrule.errors import CompileError
from chainrule.ops.base import shape_of
from chainrule.recording import evaluation

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.data import Batch
    from chainrule.optim import Optimizer

#: So many steps pay for compiling.
MANY_STEPS = 200
#: With batches of more shapes than this compiling does not pay.
MOST_SHAPES = 4


class Step:
    """Computes loss and gradients of a batch, and changes the weights if it is to.

    Args:
        loss: of the arrays of a batch.
        optimizer: of its parameters.
        updates: whether the weights change at once.
        compiled: true if it has to be compiled, false if not, None where it can be.
    """

    def __init__(
        self,
        loss: Callable[..., Any],
        optimizer: Optimizer,
        *,
        updates: bool,
        compiled: bool | None,
    ) -> None:
        def step(*batch: Any) -> Any:
            optimizer.zero_grad()
            error = loss(*batch)
            require_number(error)
            error.backward()
            if updates:
                optimizer.step()
            return error

        self.loss = loss
        self.function = self.run = step
        self.required = compiled is True
        self.compiled: Any = None
        if compiled is not False:
            self.run = self.compiled = import_module("chainrule.compiler").compile(step)

    def __call__(self, batch: Batch) -> tuple[float, int]:
        """The error of a batch before the weights are changed, and the number of samples."""
        try:
            error = self.run(*batch)
        except CompileError:
            if self.required or self.run is not self.compiled:
                raise
            self.run, self.compiled = self.function, None
            error = self.function(*batch)
        optional = self.compiled is not None and not self.required
        if optional and len(self.compiled.programs) > MOST_SHAPES:
            self.run, self.compiled = self.function, None
        return number(error), size_of(batch)

    def evaluated(self, batch: Batch) -> tuple[float, int]:
        """The error of a batch in use, and the number of samples."""
        return evaluated(self.loss, batch), size_of(batch)


def evaluated(loss: Callable[..., Any], batch: Batch) -> float:
    """The error of a batch in use: dropout keeps everything. A loss may differentiate inside."""
    with evaluation():
        error = loss(*batch)
    require_number(error)
    return number(error)


def require_number(error: Any) -> None:
    """Raise unless a loss returned one number, with its graph."""
    if not isinstance(error, Node):
        raise TypeError(
            f"the loss must return a Value or a Tensor, it returned {type(error).__name__}"
        )
    if np.prod(shape_of(error)) != 1:
        raise ValueError(f"the loss must return one number, its result has shape {shape_of(error)}")


def number(error: Any) -> float:
    """The number of a node, or of its data."""
    return error.item() if isinstance(error, Node) else float(np.asarray(error).reshape(()))
