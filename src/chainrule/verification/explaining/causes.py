"""Explanations of wrong claims: one mistake, or two, and how much a match says."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from chainrule.verification.claims import short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chainrule.verification.explaining.mistake import Mistake

#: More coincidences than this are to be expected: then a match explains nothing.
CONVINCING = 0.3
#: So many other places where the same numbers come from are named.
MOST_ALTERNATIVES = 4


class Replay(NamedTuple):
    """A backward pass: the adjoints of all nodes, and the partials that were claimed."""

    bars: Sequence[Any]
    partials: Mapping[tuple[int, int], Any]


Match = tuple[tuple["Mistake", ...], Replay]


class Why(Enum):
    """How far causes are searched for."""

    NOT = "not at all"
    SINGLE = "single mistakes"
    PAIRS = "single mistakes and pairs of them"


@dataclass
class Cause:
    """An explanation of the claims.

    Attributes:
        mistakes: what was done wrongly, one thing or two.
        alternatives: other mistakes that give the same numbers everywhere.
        by_chance: how many of the mistakes tried would match these numbers by chance.
        tried: how many were tried.
    """

    mistakes: tuple[Mistake, ...]
    by_chance: float
    tried: int
    alternatives: list[tuple[Mistake, ...]] = field(default_factory=list)
    replay: Replay | None = None

    @property
    def convincing(self) -> bool:
        """Whether so good a match is no coincidence."""
        return self.by_chance <= CONVINCING

    @property
    def rarity(self) -> float:
        """How unusual it is."""
        return sum(mistake.rarity for mistake in self.mistakes)

    def lines(self) -> list[str]:
        """For people."""
        found = [" and ".join(map(str, self.mistakes))]
        found += [
            "or, with the same numbers: " + " and ".join(map(str, other))
            for other in self.alternatives[:MOST_ALTERNATIVES]
        ]
        more = len(self.alternatives) - MOST_ALTERNATIVES
        if more > 0:
            found.append(f"or one of {more} more with the same numbers")
        found.append(
            f"(of {self.tried:,} mistakes tried, {short(self.by_chance, 1 + (self.by_chance > 1))}"
            f" would match by chance)"
        )
        return found

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "mistakes": [str(m) for m in self.mistakes],
            "alternatives": [[str(m) for m in other] for other in self.alternatives],
            "by_chance": self.by_chance,
            "tried": self.tried,
            "convincing": self.convincing,
        }

    def __str__(self) -> str:
        return self.lines()[0]
