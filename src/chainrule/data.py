"""Where batches come from: arrays, files, iterables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np

__all__ = ["Batches", "FileBatches"]

Batch = tuple[Any, ...]


class Batches:
    """Arrays in batches, in another order in every epoch.

    The order follows from seed and epoch alone. Memory-mapped arrays, `np.load(path,
    mmap_mode="r")`, are read as far as a batch needs.

    Args:
        arrays: with the samples along their first axis, as many in each.
        batch_size: samples in a batch; the last one may have fewer. None: all at once, in order.
        seed: a whole number from 0 on.
        shuffle: whether the order changes.

    Raises:
        ValueError: for arrays of different lengths or none, or a batch size below 1.

    >>> batches = Batches([np.arange(5)], 2, seed=1)
    >>> [part.tolist() for part, in batches.epoch(0)], len(batches)
    ([[4, 0], [1, 2], [3]], 3)
    """

    def __init__(
        self,
        arrays: Sequence[Any],
        batch_size: int | None = None,
        *,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        if isinstance(arrays, np.ndarray):
            raise TypeError("data is a list of arrays, even of one: [X]")
        self.arrays = [x if isinstance(x, np.ndarray) else np.asarray(x) for x in arrays]
        if any(array.ndim == 0 for array in self.arrays):
            raise ValueError("data is a list of arrays with samples along their first axis")
        lengths = [len(array) for array in self.arrays]
        if len(set(lengths)) > 1:
            raise ValueError(f"data of different lengths: {lengths}")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if batch_size is not None and not self.arrays:
            raise ValueError("batch_size needs data to take batches from")
        self.samples = lengths[0] if lengths else 0
        self.batch_size, self.seed, self.shuffle = batch_size, seed, shuffle

    def __len__(self) -> int:
        return 1 if self.batch_size is None else -(-self.samples // self.batch_size)

    def epoch(self, number: int | None, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from the `skip`-th on; None for all in order."""
        if self.batch_size is None:
            yield tuple(np.asarray(array) for array in self.arrays)
            return
        order = np.arange(self.samples)
        if self.shuffle and number is not None:
            order = np.random.default_rng([self.seed, number]).permutation(self.samples)
        for start in range(skip * self.batch_size, self.samples, self.batch_size):
            chosen = order[start : start + self.batch_size]
            yield tuple(np.asarray(array)[chosen] for array in self.arrays)


class FileBatches:
    """Batches from files, of which one at a time is in memory.

    Files come in another order in every epoch, and so do the samples inside of each; a batch is of
    one file. The order follows from seed and epoch alone.

    Args:
        paths: the files.
        batch_size: samples in a batch.
        load: gives the arrays of a file, samples along their first axis; by default the arrays of
            an `.npz` in the order of the file, or that of an `.npy`.
        seed: a whole number from 0 on.
        shuffle: whether the order changes.
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        batch_size: int,
        *,
        load: Callable[[Path], Sequence[Any]] | None = None,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        self.paths = [Path(path) for path in paths]
        if not self.paths:
            raise ValueError("no files to take batches from")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.load = load or arrays_of
        self.batch_size, self.seed, self.shuffle = batch_size, seed, shuffle

    def epoch(self, number: int | None, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from the `skip`-th on; None for all in order."""
        mixed = self.shuffle and number is not None
        order = np.arange(len(self.paths))
        if mixed:
            order = np.random.default_rng([self.seed, number or 0]).permutation(len(order))
        for i in order.tolist():
            inside = Batches(
                self.load(self.paths[i]),
                self.batch_size,
                seed=self.seed + 1 + i,  # so that files are not shuffled alike
                shuffle=self.shuffle,
            )
            left_out = min(skip, len(inside))
            skip -= left_out
            if left_out < len(inside):
                yield from inside.epoch(number, left_out)


class Stream:
    """Batches of an iterable, from its beginning in every epoch; or of a function of the epoch."""

    def __init__(self, source: Any) -> None:
        if isinstance(source, Iterator):
            raise TypeError(
                "data is an iterator, which is empty after one epoch: pass a list, an object with"
                " __iter__, or a function of the epoch that returns an iterator"
            )
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def epoch(self, number: int | None, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from the `skip`-th on; None for all in order."""
        source = self.source(number or 0) if callable(self.source) else self.source
        for batch in islice(source, skip, None):
            parts = batch if isinstance(batch, tuple | list) else (batch,)
            arrays = tuple(x if isinstance(x, np.ndarray) else np.asarray(x) for x in parts)
            if size_of(arrays):
                yield arrays


def arrays_of(path: Path) -> list[np.ndarray]:
    """The arrays of a file of NumPy's."""
    held = np.load(path, allow_pickle=False)
    if isinstance(held, np.ndarray):
        return [held]
    with held:
        return [held[name] for name in held.files]


def source_of(data: Any, batch_size: int | None, seed: int) -> Any:
    """What gives the batches of an epoch.

    Raises:
        TypeError: for what gives none.
        ValueError: for a batch size beside batches, and as `Batches`.
    """
    if isinstance(data, np.ndarray) or (isinstance(data, list | tuple) and are_arrays(data)):
        return Batches(cast("Sequence[Any]", data), batch_size, seed=seed)
    if batch_size is not None:
        raise ValueError("batch_size is for arrays; this data comes in batches already")
    if hasattr(data, "epoch"):
        return data
    if isinstance(data, dict) or (not callable(data) and not isinstance(data, Iterable)):
        raise TypeError(
            f"data is a list of arrays, or gives batches: an iterable, cr.data.Batches, or a"
            f" function of the epoch; got {type(data).__name__}"
        )
    return Stream(data)


def are_arrays(data: Sequence[Any]) -> bool:
    """Whether a list is one of arrays, not of batches: tuples, or lists of arrays."""
    return not any(
        isinstance(x, tuple) or (isinstance(x, list) and any(hasattr(y, "shape") for y in x))
        for x in data
    )


def length_of(source: Any, otherwise: int) -> int:
    """How many batches an epoch has, if that is known before."""
    try:
        return len(source)
    except TypeError:
        return otherwise


def size_of(batch: Batch) -> int:
    """How many samples are in a batch."""
    return len(batch[0]) if batch and np.ndim(batch[0]) else 1
