"""Indexing and its transpose."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import CompileError
from chainrule.ops.kinds import Linear
from chainrule.ops.notation import INDEX

#: Of so many numbers each, rows are sorted before they are added.
ROWS = 16


def _is_basic(index: Any) -> bool:
    """Whether an index picks every entry at most once by construction: slices, integers, None."""
    return all(
        part is None or part is ... or isinstance(part, slice | int) for part in _parts(index)
    )


def _parts(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def _of_another_library(*arrays: Any) -> Any:
    """The first array of another library, or None."""
    for part in arrays:
        if hasattr(part, "__array_function__") and not isinstance(part, np.ndarray | np.generic):
            return part
    return None


def _entries(x: Any, index: Any) -> Any:
    try:
        return x[index]
    except CompileError:  # NumPy's own arrays do not ask an index whether it would rather answer
        model = _of_another_library(*_parts(index))
        return (np.zeros_like(model, shape=(), dtype=x.dtype) + x)[index]


def _scatter(y: Any, index: Any, shape: tuple[int, ...]) -> Any:
    if hasattr(y, "as_one_call") and not _is_basic(index):
        whole = y.as_one_call(_scatter, index, shape)
        if whole is not None:
            return whole
    model = _of_another_library(y, *_parts(index))
    x = np.zeros_like(y if model is None else model, shape=shape, dtype=y.dtype)
    if _is_basic(index):
        x[index] = y
    elif type(index) is np.ndarray and index.dtype.kind in "iu" and y.size >= ROWS * index.size:
        _add_rows(x, np.arange(shape[0])[index.reshape(-1)], y.reshape((-1, *shape[1:])))
    else:
        np.add.at(x, index, y)
    return x


def _add_rows(x: Any, rows: np.ndarray, y: Any) -> None:
    """Add y to rows of x: those for one row lie together when they are sorted."""
    if not rows.size:
        return
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    starts = np.flatnonzero(np.append(True, rows[1:] != rows[:-1]))
    x[rows[starts]] = np.add.reduceat(y[order], starts)


def _flat_positions(shape: tuple[int, ...], index: Any) -> Any:
    return np.arange(int(np.prod(shape, dtype=int))).reshape(shape)[index]


def _getitem_stacked(x: Any, index: Any) -> Any:
    if _is_basic(index):
        return getitem(x, (slice(None), *(index if isinstance(index, tuple) else (index,))))
    positions = _flat_positions(x.shape[1:], index)
    return getitem(x.reshape((len(x), -1)), (slice(None), positions))


def _scatter_stacked(y: Any, index: Any, shape: tuple[int, ...]) -> Any:
    if _is_basic(index):
        inside = index if isinstance(index, tuple) else (index,)
        return scatter(y, (slice(None), *inside), (len(y), *shape))
    positions = _flat_positions(shape, index)
    size = int(np.prod(shape, dtype=int))
    return scatter(y, (slice(None), positions), (len(y), size)).reshape((len(y), *shape))


getitem: Linear = Linear(
    _entries,
    lambda y_bar, x, index: scatter(y_bar, index, x.shape),
    name="getitem",
    params=("index",),
    stacked=_getitem_stacked,
    views="write",
    notation=INDEX,
    doc="x[index], every kind of NumPy index.",
)
scatter: Linear = Linear(
    _scatter,
    lambda y_bar, _y, index, shape: getitem(y_bar, index),  # noqa: ARG005
    name="scatter",
    params=("index", "shape"),
    stacked=_scatter_stacked,
    doc="Zeros of a shape with y added at the index: the transpose of indexing.",
)
