"""Deliberately wrong rules: what learners really write in place of the true one."""

from __future__ import annotations

from typing import Any, NamedTuple


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


def wrong(sentence: str, rule: Any, wrt: int = 0, rare: float = 1.0) -> Misconception:
    """Declare a misconception beside the rule of an op."""
    return Misconception(sentence, rule, wrt, rare)
