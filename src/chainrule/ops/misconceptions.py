"""Deliberately wrong rules: what learners really write in place of the true one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Misconception(NamedTuple):
    """A wrong rule, and a sentence that tells a person what it does.

    Attributes:
        sentence: what was done, with `{y}` for the result and `{a}`, `{b}` for the inputs.
        rule: as the op's own rule for that input, of the same kind and signature.
        wrt: the position of the input whose rule it stands in for.
        rare: how much less likely it is than another one that explains the same numbers.
    """

    sentence: str
    rule: Any
    wrt: int = 0
    rare: float = 1.0

    def told(self, names: Mapping[str, str]) -> str:
        """The sentence with the names of a graph; braces around anything else stay."""
        return re.sub(r"\{([a-dy])\}", lambda m: names.get(m[1], m[0]), self.sentence)


def wrong(sentence: str, rule: Any, wrt: int = 0, rare: float = 1.0) -> Misconception:
    """Declare a misconception beside the rule of an op."""
    return Misconception(sentence, rule, wrt, rare)
