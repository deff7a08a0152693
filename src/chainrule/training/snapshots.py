"""All that a training changes: weights, statistics, random generators, the optimiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.nn.module import Module
from chainrule.reach import reached
from chainrule.saving import state_of, take_over

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chainrule.optim import Optimizer


class Everything:
    """The parameters of an optimiser, and what the modules that a loss reaches hold besides.

    Random generators that it reaches belong to it, too.
    """

    def __init__(self, loss: Callable[..., Any], optimizer: Optimizer) -> None:
        self.held: dict[str, Any] = {f"{i}": p for i, p in enumerate(optimizer.parameters)}
        known = {id(p) for p in optimizer.parameters}
        #: Statistics and generators, which a forward pass changes.
        self.changing: list[str] = []
        for path, thing in list(reached(loss)):
            found = {path: thing} if isinstance(thing, np.random.Generator) else {}
            self.changing += found
            if isinstance(thing, Module):
                found = {f"{path}.{name}": x for name, x in thing._held().items()}
                trained = thing._all_parameters()
                self.changing += [f"{path}.{k}" for k in thing._held() if k not in trained]
            for name, x in found.items():
                if id(x) not in known:
                    known.add(id(x))
                    self.held[_free(name, self.held)] = x

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all arrays, by name."""
        return state_of(self.held)

    def require_nothing_else(self) -> None:
        """Raise ValueError if a forward pass changes more than workers can have in common."""
        if self.changing:
            raise ValueError(
                f"{self.changing[0]} changes in every forward pass, and each worker would have its"
                f" own: use LayerNorm in place of BatchNorm, and no Dropout or generator"
            )

    def besides(self) -> dict[str, np.ndarray]:
        """Copies of what a forward pass may change: all but the parameters."""
        return state_of({name: x for name, x in self.held.items() if not name.isdecimal()})

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `state()` gave.

        Raises:
            ValueError: if it is of another training; then nothing is changed.
        """
        take_over(self.held, state, "this training")


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """A name that is not taken: two functions may call two things the same."""
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name} ({count})"
    return found


class Kept:
    """A state that is kept for later, and saved with the rest."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}

    def state(self) -> dict[str, Any]:
        """What is kept."""
        return self.held

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Keep what was saved."""
        self.held = dict(state)
