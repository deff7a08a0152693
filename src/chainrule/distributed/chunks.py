"""Data that workers load by themselves, part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Slices:
    """`load(i)` for arrays in `.npy` files: the i-th of n parts, of each file the same rows.

    The files are memory-mapped, and of a part only its rows are read. They have to be where the
    workers can read them.

    Args:
        paths: the files, with as many rows in each.
        n_chunks: n.

    Raises:
        ValueError: for files of different lengths, or fewer rows than parts.
    """

    def __init__(self, *paths: str | Path, n_chunks: int) -> None:
        self.paths = [str(path) for path in paths]
        lengths = [len(np.load(path, mmap_mode="r")) for path in self.paths]
        if len(set(lengths)) != 1:
            raise ValueError(f"files of different lengths: {lengths}")
        if not 1 <= n_chunks <= lengths[0]:
            raise ValueError(f"n_chunks={n_chunks}: from 1 to the {lengths[0]} rows")
        self.rows, self.n_chunks = lengths[0], n_chunks

    def __call__(self, i: int) -> tuple[np.ndarray, ...]:
        if not 0 <= i < self.n_chunks:
            raise IndexError(f"part {i} of {self.n_chunks}")
        start, stop = (self.rows * k // self.n_chunks for k in (i, i + 1))
        return tuple(np.array(np.load(path, mmap_mode="r")[start:stop]) for path in self.paths)


def require_count(load: Any, n_chunks: Any) -> None:
    """Raise ValueError if `load` knows of another number of parts."""
    known = getattr(load, "n_chunks", n_chunks)
    if known != n_chunks:
        raise ValueError(f"n_chunks={n_chunks}, and load gives {known} parts")


class Chunks:
    """A data set in parts, of which each step of `cr.fit` takes some, each on a worker.

    The loss is a mean over the samples of a part; parts are weighed by their numbers of samples.

    Args:
        load: `load(i)` returns the arrays of part i, always the same.
        n_chunks: how many parts there are.
        per_step: how many of them a step takes; all if nothing is said.
        seed: of the order of parts, which follows from it and the epoch.
        shuffle: whether the order changes.
    """

    def __init__(
        self,
        load: Callable[[int], Any],
        n_chunks: int | None = None,
        *,
        per_step: int | None = None,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        n_chunks = getattr(load, "n_chunks", None) if n_chunks is None else n_chunks
        per_step = n_chunks if per_step is None else per_step
        if not callable(load):
            raise TypeError(f"load(i) gives part i of the data, got {type(load).__name__}")
        for name, count in (("n_chunks", n_chunks), ("per_step", per_step)):
            if not isinstance(count, int) or count < 1:
                raise ValueError(f"{name}={count!r}: a whole number from 1 on")
        require_count(load, n_chunks)
        assert n_chunks is not None
        assert per_step is not None
        self.load, self.n_chunks, self.per_step = load, n_chunks, per_step
        self.seed, self.shuffle = seed, shuffle

    def __len__(self) -> int:
        return (self.n_chunks + self.per_step - 1) // self.per_step

    def epoch(self, number: int | None, skip: int = 0) -> Iterator[tuple[Any, ...]]:
        """For each step the numbers of its parts, from the `skip`-th on."""
        order = np.arange(self.n_chunks)
        if self.shuffle and number is not None:
            order = np.random.default_rng([self.seed, number]).permutation(self.n_chunks)
        for start in range(skip * self.per_step, self.n_chunks, self.per_step):
            yield (order[start : start + self.per_step].tolist(),)
