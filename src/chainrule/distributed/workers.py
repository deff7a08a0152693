"""Work for workers: how it is sent, done in order, and added up."""

from __future__ import annotations

import threading
import uuid
import warnings
from collections import deque
from importlib import import_module
from typing import TYPE_CHECKING, Any

from chainrule.trees import flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Kept by each thread of a worker: what it has unpacked last.
_unpacked = threading.local()


class Work:
    """What every task needs, packed once; a worker's thread unpacks it once."""

    def __init__(self, *things: Any) -> None:
        self.key = uuid.uuid4().hex
        self.packed: bytes = import_module("cloudpickle").dumps(things)

    def things(self) -> tuple[Any, ...]:
        """What is in it; each thread has its own."""
        if getattr(_unpacked, "key", None) != self.key:
            _unpacked.things = import_module("pickle").loads(self.packed)
            _unpacked.key = self.key
        things: tuple[Any, ...] = _unpacked.things
        return things


class Here:
    """Work that is done by this process itself."""

    def __init__(self, *things: Any) -> None:
        self._things = things

    def things(self) -> tuple[Any, ...]:
        return self._things


class Done:
    """A result that is there already."""

    def __init__(self, result: Any) -> None:
        self._result = result

    def result(self) -> Any:
        return self._result


class Workers:
    """Those of a Dask client; without one this process."""

    def __init__(self, client: Any, retries: int = 2) -> None:
        if client is not None and not (hasattr(client, "submit") and hasattr(client, "nthreads")):
            raise TypeError(
                f"client is a dask.distributed.Client, got {type(client).__name__}:"
                f" pip install 'chainrule[dask]'"
            )
        self.client, self.retries = client, retries

    def work(self, *things: Any) -> Any:
        """Things that every task needs."""
        return self.shared((Here if self.client is None else Work)(*things))

    def shared(self, thing: Any) -> Any:
        """A thing that several tasks take: the result of a task, which is done again if it is lost.

        Scattered data would be gone with its worker.
        """
        return thing if self.client is None else self.submit(unchanged, thing)

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        """The future of a call."""
        if self.client is None:
            return Done(function(*[x.result() if isinstance(x, Done) else x for x in args]))
        with warnings.catch_warnings():  # that large parameters go through the scheduler is meant
            warnings.filterwarnings("ignore", message="Sending large graph")
            return self.client.submit(function, *args, retries=self.retries, pure=False)

    def in_order(
        self, function: Callable[..., Any], rows: Iterable[tuple[Any, ...]]
    ) -> Iterator[Any]:
        """The results of calls in their order; some are computed ahead, not all."""
        ahead = 1
        if self.client is not None:
            ahead = 2 * max(1, sum(self.client.nthreads().values())) + 2
        pending: deque[Any] = deque()
        for row in rows:
            pending.append(self.submit(function, *row))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def unchanged(thing: Any) -> Any:
    return thing


def added(a: Any, b: Any) -> Any:
    """The sum of two results, leaf by leaf."""
    left, rebuild = flatten(a)
    return rebuild([x + y for x, y in zip(left, flatten(b)[0], strict=True)])


def tree_sum(workers: Workers, function: Callable[..., Any], rows: list[tuple[Any, ...]]) -> Any:
    """The future of the sum of all results, added up in pairs by the workers.

    A sum is asked for as soon as its parts are, so that few parts are held at a time.
    """
    waiting: list[tuple[int, Any]] = []  # sums of 2^height results each, in order
    for row in rows:
        height, future = 0, workers.submit(function, *row)
        while waiting and waiting[-1][0] == height:
            future = workers.submit(added, waiting.pop()[1], future)
            height += 1
        waiting.append((height, future))
    _, total = waiting.pop()
    while waiting:
        total = workers.submit(added, waiting.pop()[1], total)
    return total
