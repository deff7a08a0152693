"""Noticing that an array was written into: a short value that changes with any entry.

Python hashes the bytes of an array of medium size (SipHash, 64 bits). A larger array is read as
64-bit integers. In each the high bits are mixed into the low ones (a sign, or
the exponent of a small whole number, lives in the high bits alone), then rows of 1,024 are folded
with fixed odd multipliers modulo 2^64. Neither step loses anything of a single integer, so a change
of one always shows; changes of several cancel only by an accident of about 2^-64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary, ref

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable

ROW = 1024
BLOCK = 32 * ROW  # stays in the cache between the passes
SMALL = 512  # bytes; such an array is its own fingerprint
MEDIUM = 2**16  # bytes; Python's own hash of so many is faster
BRIEF = 2**12  # bytes; a copy of so many is not worth sharing
LARGE = 2**24  # bytes; of more no copy is taken


def _odd_numbers(count: int) -> np.ndarray:
    """Fixed odd numbers without a pattern: multiples of the golden ratio, mixed (splitmix64)."""
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return (z ^ (z >> np.uint64(31))) | np.uint64(1)


_multipliers = _odd_numbers(ROW)


def fingerprint(array: np.ndarray) -> Hashable:
    """A value that two arrays of one shape and dtype share only if their bytes are equal."""
    if array.nbytes <= SMALL:
        return array.tobytes()
    if array.nbytes <= MEDIUM:
        return hash(array.tobytes())
    raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    whole = raw.size - raw.size % 8
    return _folded(raw[:whole].view(np.uint64)), raw[whole:].tobytes()


class Snapshot:
    """The bytes of an array at some time."""

    __slots__ = ("__weakref__", "array", "content")

    def __init__(self, array: np.ndarray, content: bytes) -> None:
        #: The array, weakly, while it lives.
        self.array = ref(array)
        self.content = content

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return self.content == other.content if isinstance(other, Snapshot) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.content)


#: The last snapshot of an array, by the id of the array, while a node needs it.
_snapshots: WeakValueDictionary[int, Snapshot] = WeakValueDictionary()


def snapshot(array: np.ndarray) -> Hashable:
    """The same for as long as nodes need it: a copy, shared by those that met the array unchanged.

    Copying and comparing costs a tenth of summing up. Of an array of more than 16 MiB it is the
    fingerprint.
    """
    if array.nbytes <= BRIEF:
        return array.tobytes()
    if array.nbytes > LARGE:
        return fingerprint(array)
    content = array.tobytes()
    known = _snapshots.get(id(array))
    if known is not None and known.content == content and known.array() is array:
        return known
    taken = _snapshots[id(array)] = Snapshot(array, content)
    return taken


def _folded(numbers: np.ndarray) -> bytes:
    while numbers.size > SMALL // 8:
        starts = range(0, numbers.size, BLOCK)
        numbers = np.concatenate([_row_sums(numbers[start : start + BLOCK]) for start in starts])
    return numbers.tobytes()


def _row_sums(numbers: np.ndarray) -> np.ndarray:
    mixed = numbers ^ (numbers >> np.uint64(32))
    mixed ^= numbers >> np.uint64(52)
    rows = mixed.size // ROW
    tail = mixed[rows * ROW :]
    sums = np.einsum("ij,j->i", mixed[: rows * ROW].reshape(rows, ROW), _multipliers)
    return np.append(sums, np.dot(tail, _multipliers[: tail.size]))
