"""One thing that may have been done wrongly on a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.verification.tape import Edit


@dataclass(frozen=True)
class Mistake:
    """One thing done wrongly, at one place or at all places of its kind.

    Attributes:
        sentence: for people.
        place: where, in names of the graph; "" where the sentence says it.
        edit: what it changes in the backward pass.
        family: what all places of the same mistake share.
        rarity: 1 for the usual ones, more for what is less likely.
    """

    sentence: str
    place: str
    edit: Edit
    family: Any
    rarity: float = 1.0

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}" if self.place else self.sentence
