"""Few wrong entries among many, found with few evaluations: random directions, then halving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.verification.verdicts import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.verification.ladder import Slope
    from chainrule.verification.reference import FunctionReference

#: Up to so many entries each has differences of its own.
MOST_SINGLE = 256
#: Random directions that a set of entries has to agree in before it counts as right.
DRAWS = 3
#: So often each half is tried before a set is given up.
MOST_DRAWS = 8
#: The steps of a ladder in a direction: few, for there are many directions.
FEW = 8
#: The bound, relative to the norm of the claim, that few steps have to reach.
ENOUGH = 1e-9
#: So many wrong entries are searched for.
MOST_WRONG = 16
#: So often a halving may lead to an entry that is right after all.
MOST_DOUBTS = 3


@dataclass
class Search:
    """What a search found: references for all arguments, right where nothing was wrong."""

    references: list[Reference]
    note: str


class _Halving:
    """The entries of all arguments in one row."""

    def __init__(self, reference: FunctionReference, claims: Sequence[np.ndarray]) -> None:
        self.reference = reference
        self.shapes = [x.shape for x in reference.at]
        self.ends = np.cumsum([0, *[x.size for x in reference.at]])
        self.claim = np.concatenate([np.ravel(c) for c in claims]).astype(float)
        self.random = np.random.default_rng(0)
        #: Noise of the function's values, measured once.
        self.noise: float | None = None
        #: The largest error that the last comparison would not have seen.
        self.blur = 0.0

    def differs(self, entries: np.ndarray, draws: int = DRAWS) -> bool:
        """Whether the claim is wrong somewhere among some entries."""
        self.blur = 0.0
        for _ in range(draws):
            signs = np.zeros(len(self.claim))
            signs[entries] = self.random.choice((-1.0, 1.0), len(entries))
            seen = self.measured(signs)
            expected = float(self.claim @ signs)
            own = 64 * self.reference.unit * float(np.sqrt(np.sum(self.claim[entries] ** 2)))
            low, high = seen.interval
            slack = (0.0 if seen.kink else seen.bound) + own
            if not np.isfinite(slack):
                self.blur = np.inf
            elif expected < low - slack or expected > high + slack:
                return True
            self.blur = max(self.blur, slack)
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

    def first_wrong(self, entries: np.ndarray) -> int:
        """One wrong entry of a set that has some."""
        while len(entries) > 1:
            half = len(entries) // 2
            halves = [entries[:half], entries[half:]]
            # One draw that differs is proof, one that does not is none: errors may cancel.
            for part in halves * MOST_DRAWS:
                if self.differs(part, 1):
                    entries = part
                    break
            else:
                return int(entries[0])
        return int(entries[0])


def search_entries(reference: FunctionReference, claims: Sequence[np.ndarray]) -> Search:
    """Find the wrong entries of a large gradient with hundreds of evaluations.

    The slope along a random direction of ±1 is compared with what the claim says of it; a set of
    entries that differs is halved until one is left, that one is measured alone and put right, and
    the search goes on.
    """
    halving = _Halving(reference, claims)
    everything = np.arange(len(halving.claim))
    value, bound = halving.claim.copy(), np.zeros(len(halving.claim))
    low, high = value.copy(), value.copy()
    found: list[int] = []
    doubtful = 0
    while len(found) < MOST_WRONG and doubtful < MOST_DOUBTS and halving.differs(everything):
        entry = halving.first_wrong(everything)
        signs = np.zeros(len(value))
        signs[entry] = 1.0
        seen = reference.along(halving.directions(signs))
        least, most = seen.interval
        slack = (0.0 if seen.kink else seen.bound) + 1e-12 * abs(value[entry])
        if entry in found or least - slack <= halving.claim[entry] <= most + slack:
            doubtful += 1  # a halving that a lucky draw misled: try again
            continue
        found.append(entry)
        value[entry], bound[entry] = seen.value, 0.0 if seen.kink else seen.bound
        low[entry], high[entry] = least, most
        halving.claim[entry] = seen.value
    blur = halving.blur if doubtful < MOST_DOUBTS else np.inf
    bound = np.maximum(bound, blur)
    note = (
        f"{len(value):,} entries were compared along random directions, with"
        f" {reference.evaluations:,} evaluations"
    )
    if np.isfinite(blur):
        note += f": an error of {blur:.2g} in one entry would have been seen"
    if len(found) == MOST_WRONG:
        note += f"; the search stopped after {MOST_WRONG} wrong entries, there may be more"
    elif doubtful == MOST_DOUBTS:
        note += "; the directions disagree though no single entry was found wrong"
    references = []
    for k, shape in enumerate(halving.shapes):
        part = slice(halving.ends[k], halving.ends[k + 1])
        arrays: list[Any] = [x[part].reshape(shape) for x in (value, bound, low, high)]
        references.append(Reference(*arrays))
    return Search(references, note)
