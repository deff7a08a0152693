"""Every mistake that could have been made on a graph: where, what, and how to replay it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.verification.explaining.mistake import Mistake
from chainrule.verification.explaining.structure import STRUCTURAL
from chainrule.verification.tape import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainrule.verification.explaining.setting import Setting


#: So many places are listed in a sentence.
MOST_PLACES = 4


def mistakes(setting: Setting) -> list[Mistake]:
    """All mistakes, node by node, and each everywhere at once."""
    single = [*declared(setting), *(m for generate in STRUCTURAL for m in generate(setting))]
    return [*single, *everywhere(single)]


def declared(setting: Setting) -> Iterator[Mistake]:
    """The misconceptions that ops declare, at each node of such an op."""
    subject, tape = setting.subject, setting.subject.tape
    for i, node in enumerate(tape.nodes):
        op: Any = node.op
        if op is None or not setting.reached[i]:
            continue
        for k, misconception in enumerate(op.misconceptions):
            if tape.sources[i][misconception.wrt] is None:
                continue
            names = input_names(setting, i)
            place = subject.names.get(i, "")
            where = f"at {place} = {subject.formula(i)}" if place else f"at {subject.formula(i)}"
            yield Mistake(
                misconception.told({**names, "y": place or subject.formula(i)}),
                where,
                Edit(ops={i: op.mistaken(misconception)}),
                (op.name, k),
                misconception.rare,
            )


def input_names(setting: Setting, i: int) -> dict[str, str]:
    """What a sentence calls the inputs of a node."""
    subject, tape = setting.subject, setting.subject.tape
    found = {}
    for letter, (slot, j) in zip("abcd", enumerate(tape.sources[i]), strict=False):
        x = tape.constants[i][slot]
        if j is not None:
            found[letter] = subject.name(j)
        else:
            known = subject.constant_name((i, slot))
            small = f"{x:g}" if np.ndim(x) == 0 and not isinstance(x, bool) else "the data"
            found[letter] = known or small
    return {letter: found.get(letter, letter) for letter in "abcd"}


def everywhere(single: list[Mistake]) -> Iterator[Mistake]:
    """Each mistake that has several places, at all of them at once."""
    families: dict[Any, list[Mistake]] = defaultdict(list)
    for mistake in single:
        if mistake.family is not None:
            families[mistake.family].append(mistake)
    for family, members in families.items():
        if len(members) < 2:
            continue
        edit: Edit | None = members[0].edit
        for other in members[1:]:
            edit = None if edit is None else edit | other.edit
        if edit is None:
            continue
        shown = dict.fromkeys(m.place.removeprefix("at ") for m in members if m.place)
        places = ", ".join([*shown][:MOST_PLACES]) + (", …" if len(shown) > MOST_PLACES else "")
        sentences = list(dict.fromkeys(m.sentence for m in members))
        sentence = "; ".join(sentences[:2])
        if len(sentences) > 2:
            sentence = f"{sentences[0]}; and so at the {len(sentences) - 1} others"
        yield Mistake(
            sentence,
            f"everywhere ({places})" if places else "everywhere",
            edit,
            ("everywhere", family),
            members[0].rarity * 1.2,
        )
