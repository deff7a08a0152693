"""The gradient of a mean over parts of a data set, each computed by a worker."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from chainrule import transforms
from chainrule.distributed.chunks import require_count
from chainrule.distributed.workers import Workers, added, tree_sum
from chainrule.traced import plain
from chainrule.training.progress import progress_bar
from chainrule.trees import map_tree

if TYPE_CHECKING:
    from collections.abc import Callable


def value_and_grad(
    loss: Callable[..., Any],
    client: Any,
    n_chunks: int,
    *,
    load: Callable[[int], Any],
    tree: bool = False,
    retries: int = 2,
    progress: bool = False,
) -> Callable[[Any], tuple[float, Any]]:
    """A function from params to (mean loss, gradients of the mean), computed by workers.

    Sums and counts travel, and are added in the order of the parts: the same parts give the same
    bits for any number of workers, also if some of them die and their parts are done again.

    Args:
        loss: `loss(params, chunk)` returns (the sum of the losses, the number of samples) of a
            part of the data.
        client: a `dask.distributed.Client`; None computes everything in this process.
        n_chunks: how many parts there are.
        load: `load(i)` returns part i. It is called by the workers and has to give the same every
            time; loading takes time in every call, so read from memory-mapped files
            (`cr.distributed.Slices`), or keep parts in a cache of your own.
        tree: let the workers add gradients in pairs, for large ones; else this process adds them
            as they come in.
        retries: how often a part that fails is tried again. One whose worker dies is, anyway.
        progress: show a bar (extra `progress`).

    Raises:
        TypeError: for anything but a client.
        ValueError: if n_chunks is below 1, or no part has a sample.

    >>> import numpy as np
    >>> data = np.arange(6.0)
    >>> loss = lambda w, chunk: (np.sum((w - chunk) ** 2), len(chunk))
    >>> f = value_and_grad(loss, None, 3, load=lambda i: data[2 * i : 2 * i + 2])
    >>> value, gradient = f(1.0)
    >>> round(value, 4), float(gradient)
    (5.1667, -3.0)
    """
    if n_chunks < 1:
        raise ValueError(f"n_chunks={n_chunks}: at least 1")
    require_count(load, n_chunks)
    workers = Workers(client, retries)
    work = functools.cache(lambda: workers.work(loss, load))

    def mean_and_gradients(params: Any) -> tuple[float, Any]:
        shared = workers.shared(map_tree(plain, params))
        rows = [(work(), shared, i) for i in range(n_chunks)]
        with progress_bar(n_chunks, "chunk", shown=progress) as advance:
            if tree:
                sums = tree_sum(workers, sums_of_part, rows).result()
            else:
                sums = None
                for part in workers.in_order(sums_of_part, rows):
                    sums = part if sums is None else added(sums, part)
                    advance()
        total, count, gradients = sums
        if not count:
            raise ValueError("no part of the data has a sample")
        return total / count, map_tree(lambda g: g / count, gradients)

    return mean_and_gradients


def sums_of_part(work: Any, params: Any, i: int) -> list[Any]:
    """The sum of the losses of a part, the number of its samples, and the gradients of the sum."""
    loss, load = work.things()
    chunk, counts = load(i), []

    def total(params: Any) -> Any:
        found = loss(params, chunk)
        if not isinstance(found, tuple) or len(found) != 2:
            raise TypeError(
                f"loss(params, chunk) returns (the sum of the losses, the number of samples), got"
                f" {type(found).__name__}"
            )
        counts.append(plain(found[1]))
        return found[0]

    value, gradients = transforms.value_and_grad(total)(params)
    count = float(counts[-1])
    return [float(value), int(count) if count.is_integer() else count, gradients]
