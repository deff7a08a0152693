"""Steps of `cr.fit` whose parts are computed by workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.data import size_of
from chainrule.distributed.workers import Workers, added
from chainrule.training.stepping import evaluated, require_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.distributed.chunks import Chunks
    from chainrule.optim import Optimizer


class PartsStep:
    """Gives the parameters of an optimiser the gradient of the mean over some parts."""

    def __init__(
        self, loss: Callable[..., Any], optimizer: Optimizer, source: Chunks, client: Any
    ) -> None:
        self.loss, self.optimizer, self.workers = loss, optimizer, Workers(client)
        self.work = self.workers.work(loss, optimizer.parameters, source.load)

    def __call__(self, batch: Any) -> tuple[float, int]:
        """Compute gradients, and change the weights; the mean error, and the number of samples."""
        total, count, gradients = self._summed(gradients_of_part, batch)
        for p, g in zip(self.optimizer.parameters, gradients, strict=True):
            p.grad = g / count
        self.optimizer.step()
        return total / count, count

    def evaluated(self, batch: Any) -> tuple[float, int]:
        """The mean error in use, and the number of samples."""
        total, count = self._summed(error_of_part, batch)
        return total / count, count

    def _summed(self, function: Callable[..., Any], batch: Any) -> Any:
        data = self.workers.shared([p.data for p in self.optimizer.parameters])
        sums: Any = None
        rows = [(self.work, data, i) for i in batch[0]]
        for part in self.workers.in_order(function, rows):
            sums = part if sums is None else added(sums, part)
        if not sums[1]:
            raise ValueError("the parts of a step have no samples")
        return sums


def gradients_of_part(work: Any, data: list[Any], i: int) -> list[Any]:
    """The sums of losses, of samples, and of gradients over a part."""
    loss, parameters, load = work.things()
    for p, x in zip(parameters, data, strict=True):
        p.data, p.grad = x, None
    chunk = _as_tuple(load(i))
    size = size_of(chunk)
    if not size:
        return [0.0, 0, [0.0 * p.data for p in parameters]]
    error = loss(*chunk)
    require_number(error)
    error.backward()
    gradients = [0.0 * p.data if p.grad is None else p.grad * size for p in parameters]
    return [error.item() * size, size, gradients]


def error_of_part(work: Any, data: list[Any], i: int) -> list[Any]:
    """The sums of losses and samples over a part, in use."""
    loss, parameters, load = work.things()
    for p, x in zip(parameters, data, strict=True):
        p.data = x
    chunk = _as_tuple(load(i))
    size = size_of(chunk)
    if not size:
        return [0.0, 0]
    return [evaluated(loss, chunk) * size, size]


def _as_tuple(chunk: Any) -> tuple[Any, ...]:
    return tuple(chunk) if isinstance(chunk, tuple | list) else (np.asarray(chunk),)
