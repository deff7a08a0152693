"""What a claim is about: a gradient, a partial, a value, an updated weight."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.engine import Node
from chainrule.formulas.styles import bar_name
from chainrule.formulas.vocabulary import adjoint_of
from chainrule.verification.claims import index_text

if TYPE_CHECKING:
    from chainrule.verification.subject import Subject

_FRACTION = re.compile(
    r"\s*(?:\\[dt]?frac\s*\{)?\s*(?:d|∂|\\partial|\\mathrm\{d\})\s*(?P<y>[^/{}]+|\w+_\{\w+\})\s*"
    r"(?:/|\}\s*\{)\s*(?:d|∂|\\partial|\\mathrm\{d\})\s*(?P<x>[^/]+?)\}?\s*"
)
_UPDATED = re.compile(r"\s*(?P<x>.+?)\s*(?:'|′|\s+new|_new|\^\{?\\prime\}?)\s*")
_INDEXED = re.compile(r"(?P<of>.*[^\s])\[(?P<index>\s*-?\d+\s*(?:,\s*-?\d+\s*)*)\]\s*")


class Target(NamedTuple):
    """What a claim is about.

    Attributes:
        kind: gradient, partial, value or updated.
        place: the position of the node; for a partial the pair (y, x).
        name: as reports write it.
        at: the index of one entry, where the claim is about one only.
    """

    kind: str
    place: Any
    name: str
    at: tuple[int, ...] | None = None

    def entry(self, x: Any) -> Any:
        """The entry that is meant, of what is known of all."""
        return x if self.at is None or not np.ndim(x) else np.asarray(x)[self.at]


def fraction(text: str) -> tuple[str, str] | None:
    """The E and the w of dE/dw; None for what is no derivative."""
    match = _FRACTION.fullmatch(text)
    return (match["y"].strip(), match["x"].strip()) if match else None


def target_of(subject: Subject, key: Any, *, step: bool) -> Target:
    """What a key of `claims` or `steps` means.

    A name alone is the gradient by it, in `steps` the value of it; `dE/dw` and `dw` are gradients,
    `da2/dz2` and (a2, z2) partials, `w'` the weight after the update.

    Raises:
        ValueError: for a name that is not in the graph.
    """
    if isinstance(key, tuple) and len(key) == 2:
        return _partial(subject, *(subject.find(part) for part in key))
    if isinstance(key, Node):
        return _gradient(subject, subject.find(key))
    text = str(key)
    match = _INDEXED.fullmatch(text)
    if match is None or subject.find_name(text) is not None:
        return _by_text(subject, text, step=step)
    target = _by_text(subject, match["of"], step=step)
    place = target.place[1] if isinstance(target.place, tuple) else target.place
    index = tuple(int(part) for part in match["index"].split(",") if part.strip())
    shape = np.shape(subject.tape.data[place])
    if len(index) != len(shape) or any(not -n <= k < n for k, n in zip(index, shape, strict=True)):
        raise ValueError(f"[{match['index']}] is no entry of {target.name}, whose shape is {shape}")
    name = target.name + index_text(index)
    return target._replace(name=name, at=index)


def _by_text(subject: Subject, text: str, *, step: bool) -> Target:
    plain = subject.find_name(text)
    if plain is not None:
        name = subject.names[plain]
        return Target("value", plain, name) if step else _gradient(subject, plain)
    if match := _FRACTION.fullmatch(text):
        y, x = subject.find(match["y"].strip()), subject.find(match["x"].strip())
        return _partial(subject, y, x)
    if match := _UPDATED.fullmatch(text):
        i = subject.find(match["x"])
        return Target("updated", i, f"{subject.names[i]}′")
    for known in (adjoint_of(text), text.split(".grad", maxsplit=1)[0]):
        found = subject.find_name(known) if known else None
        if found is not None:
            return _gradient(subject, found)
    return _gradient(subject, subject.find(text))


def _gradient(subject: Subject, i: int) -> Target:
    return Target("gradient", i, bar_name(subject.root_name, subject.name(i), bars=False))


def _partial(subject: Subject, y: int, x: int) -> Target:
    if y == subject.tape.last:
        return _gradient(subject, x)
    return Target("partial", (y, x), bar_name(subject.name(y), subject.name(x), bars=False))
