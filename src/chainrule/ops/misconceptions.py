"""Deliberately wrong rules: what learners really write in place of the true one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


#: An input in a sentence, with what binds it more closely than a sum.
_INPUT = re.compile(r"(?P<before>(?:[-−·/] ?)?)\{(?P<input>[a-dy])\}(?=(?P<after>[²³^·/]?))")


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

        def named(match: re.Match[str]) -> str:
            name = names.get(match["input"], match[0])
            compound = re.search(r"[ ·/]", name) and (match["before"] or match["after"])
            return f"{match['before']}({name})" if compound else match["before"] + name

        return _INPUT.sub(named, self.sentence)


def wrong(sentence: str, rule: Any, wrt: int = 0, rare: float = 1.0) -> Misconception:
    """Declare a misconception beside the rule of an op."""
    return Misconception(sentence, rule, wrt, rare)
