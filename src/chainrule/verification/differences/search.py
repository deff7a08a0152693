"""Few wrong entries among many, found with few evaluations: random directions, then halving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.verification.verdicts import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.verification.claims import Numbers
    from chainrule.verification.differences.ladder import Slope
    from chainrule.verification.differences.reference import FunctionReference

#: Up to so many entries each has differences of its own.
MOST_SINGLE = 256
#: Random directions that all entries have to agree in before they count as right.
DRAWS = 3
#: So often each half is tried before a set is given up.
MOST_DRAWS = 8
#: The steps of a ladder in a direction: few, for there are many directions.
FEW = 8
#: The bound, relative to the norm of the claim, that few steps have to reach.
ENOUGH = 1e-9
#: So many entries are measured alone.
MOST_FOUND = 32
#: So often a halving may lead to an entry that is right after all.
MOST_DOUBTS = 3


@dataclass
class Search:
    """What a search found.

    Attributes:
        references: for each argument what its entries are, with the claim itself where no direction
            contradicts it.
        note: what was looked at, and how sharply.
        contradicted: whether directions disagree with the claim though no entry was found wrong.
    """

    references: list[Reference]
    note: str
    contradicted: bool = False


class _Halving:
    """The entries of all arguments in one row."""

    def __init__(self, reference: FunctionReference, claims: Sequence[Numbers]) -> None:
        self.reference = reference
        self.shapes = [x.shape for x in reference.at]
        self.ends = np.cumsum([0, *[x.size for x in reference.at]])
        self.claim = np.concatenate([np.ravel(c.value) for c in claims]).astype(float)
        self.half = np.concatenate(
            [np.ravel(np.broadcast_to(c.half_unit, c.value.shape)) for c in claims]
        )
        self.random = np.random.default_rng(0)
        #: Entries at a kink, which stay where they are from then on.
        self.still = np.zeros(len(self.claim), dtype=bool)
        #: Noise of the function's values, measured once.
        self.noise: float | None = None
        #: The largest error that the last comparison would not have seen.
        self.blur = 0.0

    def suspicious(self, entries: np.ndarray, draws: int = DRAWS) -> bool:
        """Whether the claim is wrong, or the function has a kink, somewhere among some entries.

        A direction has ±1 times a random size for each entry, so that errors do not cancel.
        """
        self.blur = 0.0
        for _ in range(draws):
            signs = np.zeros(len(self.claim))
            sizes = self.random.uniform(0.5, 1.5, len(entries))
            signs[entries] = sizes * self.random.choice((-1.0, 1.0), len(entries))
            signs[self.still] = 0.0
            if not np.any(signs):
                continue
            seen = self.measured(signs)
            own = 64 * self.reference.unit * float(np.sqrt(np.sum((self.claim * signs) ** 2)))
            slack = seen.bound + own + float(np.sum(np.abs(signs) * self.half))
            if seen.kink:
                return True
            if not np.isfinite(slack):
                self.blur = np.inf
            elif abs(float(self.claim @ signs) - seen.value) > slack:
                return True
            self.blur = max(self.blur, 2 * slack)  # an entry may move by half a step
        return False

    def measured(self, signs: np.ndarray) -> Slope:
        """The slope in a direction: by few steps if they tell enough, else by all."""
        directions = self.directions(signs)
        if self.noise is not None:
            seen = self.reference.along(directions, FEW, self.noise)
            size = float(np.sqrt(np.sum(self.claim**2)))
            if not seen.kink and seen.bound <= ENOUGH * max(size, 1e-300):
                return seen
        seen = self.reference.along(directions)
        if np.isfinite(seen.bound):
            self.noise = seen.noise
        return seen

    def directions(self, signs: np.ndarray) -> dict[int, np.ndarray]:
        parts = {}
        for k, shape in enumerate(self.shapes):
            part = signs[self.ends[k] : self.ends[k + 1]]
            if np.any(part):
                parts[k] = part.reshape(shape)
        return parts

    def alone(self, entry: int) -> Slope:
        """One entry measured by itself."""
        signs = np.zeros(len(self.claim))
        signs[entry] = 1.0
        return self.reference.along(self.directions(signs))

    def first(self, entries: np.ndarray) -> int:
        """One suspicious entry of a set that has some."""
        while len(entries) > 1:
            half = len(entries) // 2
            halves = [entries[:half], entries[half:]]
            # One draw that differs is proof, one that does not is none.
            for part in halves * MOST_DRAWS:
                if self.suspicious(part, 1):
                    entries = part
                    break
            else:
                return int(entries[0])
        return int(entries[0])


def search_entries(reference: FunctionReference, claims: Sequence[Numbers]) -> Search:
    """Find the wrong entries of a large gradient with hundreds of evaluations.

    The slope along a random direction is compared with what the claim says of it; a set of entries
    that differs is halved until one is left, that one is measured alone and put right, and the
    search goes on.
    """
    row = _Halving(reference, claims)
    everything = np.arange(len(row.claim))
    found: dict[int, Slope] = {}
    for k in np.flatnonzero(~np.isfinite(row.claim))[:MOST_FOUND]:
        found[int(k)] = row.alone(int(k))
        row.claim[k] = found[int(k)].value
    unmeasured = bool(np.any(~np.isfinite(row.claim)))
    value = row.claim.copy()
    doubts, suspicious = 0, not unmeasured
    while suspicious and len(found) < MOST_FOUND and doubts < MOST_DOUBTS:
        suspicious = row.suspicious(everything)
        if not suspicious:
            break
        entry = row.first(everything)
        seen = row.alone(entry)
        slack = seen.bound + row.half[entry] + 1e-12 * abs(row.claim[entry])
        right = not seen.kink and abs(row.claim[entry] - seen.value) <= slack
        if entry in found or right or not np.isfinite(slack):
            doubts += 1  # a halving that went astray: try again
            continue
        found[entry] = seen
        value[entry] = row.claim[entry] = seen.value
        row.half[entry] = 0.0
        row.still[entry] = seen.kink
    unsure = suspicious or unmeasured
    blur = np.inf if unsure else row.blur
    bound = np.full(len(value), blur)
    low, high = value.copy(), value.copy()
    for entry, seen in found.items():
        low[entry], high[entry] = seen.interval
        bound[entry] = seen.around
    references = []
    for k, shape in enumerate(row.shapes):
        part = slice(row.ends[k], row.ends[k + 1])
        arrays: list[Any] = [x[part].reshape(shape) for x in (value, bound, low, high)]
        references.append(Reference(*arrays))
    note = (
        f"{len(value):,} entries were compared along random directions, with"
        f" {reference.evaluations:,} evaluations"
    )
    if np.isfinite(blur):
        note += f": an error of {blur:.2g} in one entry would have been seen"
    if len(found) == MOST_FOUND:
        note += f"; the search stopped after {MOST_FOUND} entries that stand out"
    elif unsure:
        note += "; directions disagree with the claim, but not through any single entry"
    return Search(references, note, suspicious and doubts >= MOST_DOUBTS)
