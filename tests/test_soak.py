"""A short soak run: every subsystem says the same of random graphs (see soak.py)."""

import os
import warnings

import numpy as np
import pytest

import soak

#: CHAINRULE_SOAK=1000 makes a thousand rounds.
ROUNDS = int(os.environ.get("CHAINRULE_SOAK", "16"))


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_round(seed):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        assert soak.one_round(seed) in {"arrays", "numbers", "skipped"}


@pytest.mark.parametrize("part", ["jvp", "compile", "check", "explain", "graph"])
def test_a_round_notices_a_subsystem_that_is_wrong(part, monkeypatch):
    """The soak run itself can fail: each subsystem in turn gives something else."""
    import chainrule as cr

    real = getattr(cr, part)

    def off(result):
        if part == "jvp":
            return result[0], result[1] + 0.01
        if part == "compile":
            return lambda *args: (result(*args)[0] + 0.01, result(*args)[1])
        monkeypatch.setattr(type(result), "ok", True, raising=False)
        return result

    class Shifted:
        def __init__(self, inside):
            self.inside = inside

        def __getattr__(self, name):
            found = getattr(self.inside, name)
            return found + 0.1 if name in {"value", "total"} else found

        def __str__(self):
            return str(self.inside)

        def paths(self, leaf):
            return Shifted(self.inside.paths(leaf))

    if part in {"explain", "graph"}:
        monkeypatch.setattr(cr, part, lambda *a, **k: Shifted(real(*a, **k)))
    else:
        monkeypatch.setattr(cr, part, lambda *a, **k: off(real(*a, **k)))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        with pytest.raises(AssertionError, match=part.replace("graph", "paths")):
            soak.one_round(0)
