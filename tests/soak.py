"""Random graphs through autodiff, check, explain, render and compile together: all must agree.

`python tests/soak.py SECONDS [FIRST]` goes on with one seed after the other and counts; a round
that fails names its seed. `test_soak.py` runs a few.
"""

import collections
import sys
import time
import traceback
import warnings

import numpy as np

import chainrule as cr
from test_random_programs import ARRAYS, BINARY, UNARY

#: Those that leave the arrays of three alone, or have no formula that is told in words.
ON_ARRAYS = sorted(set(ARRAYS) - {"checkpoint"})
ON_NUMBERS = sorted(set(BINARY) - {"where"})
NAMES = ("a", "b", "c")


def drawn(random, *, arrays):
    """Steps (operation, positions of earlier values)."""
    steps, count = [], len(NAMES)
    for _ in range(random.integers(1, 9)):
        kind = random.choice(["unary", "binary", "arrays"] if arrays else ["unary", "binary"])
        names = {"unary": sorted(UNARY), "binary": ON_NUMBERS, "arrays": ON_ARRAYS}[kind]
        arity = 2 if kind == "binary" else 1
        steps.append((kind, str(random.choice(names)), random.integers(0, count, arity).tolist()))
        count += 1
    return steps


def computed(steps, values, *, arrays):
    """The number at the end of a program; every value has a part in it."""
    values = list(values)
    for kind, name, places in steps:
        chosen = [values[i] for i in places]
        if kind == "arrays":
            values.append(ARRAYS[name](chosen[0] + np.zeros(3)) + np.zeros(3))
        else:
            values.append({"unary": UNARY, "binary": BINARY}[kind][name](*chosen))
    weighted = [(1.0 + 0.25 * i) * x for i, x in enumerate(values[-3:])]
    total = weighted[0] + weighted[1] + weighted[2]
    return np.sum(total) if arrays else total


def numbers(random, *, arrays):
    return [random.uniform(-1.5, 1.5, 3) if arrays else random.uniform(-1.5, 1.5) for _ in NAMES]


def one_round(seed):
    """Make a program, and let every subsystem say what its gradient is.

    Raises:
        AssertionError: where one of them says something else.
    """
    random = np.random.default_rng(seed)
    arrays = bool(seed % 2)
    steps = drawn(random, arrays=arrays)
    f = lambda *values: computed(steps, values, arrays=arrays)
    start, other = numbers(random, arrays=arrays), numbers(random, arrays=arrays)

    # Autodiff: backward, and forward in a random direction.
    make = cr.Tensor if arrays else cr.Value
    leaves = [make(x, label=name) for x, name in zip(start, NAMES, strict=True)]
    E = f(*leaves)
    E.backward()
    gradients = [0.0 * x if p.grad is None else p.grad for p, x in zip(leaves, start, strict=True)]
    size = max(1.0, *[np.max(np.abs(g)) for g in gradients])
    if not np.isfinite(size) or size > 1e6:
        return "skipped"
    directions = numbers(random, arrays=arrays)
    _, moved = cr.jvp(f, start, directions)
    along = sum(np.sum(g * d) for g, d in zip(gradients, directions, strict=True))
    assert abs(moved - along) <= 1e-9 * size, ("jvp", moved, along)

    # The compiler, on these numbers and on others.
    both = cr.value_and_grad(f, argnums=(0, 1, 2))
    compiled = cr.compile(both)
    for values in (start, other, start):
        value, found = compiled(*values)
        wanted_value, wanted = both(*values)
        scale = max(1.0, abs(float(wanted_value)), *[np.max(np.abs(g)) for g in wanted])
        assert abs(value - wanted_value) <= 1e-11 * scale, ("compile", value, wanted_value)
        for x, y in zip(found, wanted, strict=True):
            assert np.max(np.abs(x - y)) <= 1e-10 * scale, ("compile", x, y)
    for x, y in zip(found, gradients, strict=True):
        assert np.max(np.abs(x - y)) <= 1e-10 * size, ("compile and backward", x, y)

    # The checker: right gradients agree, a wrong one does not.
    reached = [i for i, p in enumerate(leaves) if p.grad is not None]
    claims = {NAMES[i]: gradients[i] for i in reached}
    report = cr.check(E, claims)
    assert report.ok, ("check", str(report))
    i = reached[random.integers(len(reached))]
    wrong = np.array(gradients[i])
    entry = tuple(random.integers(n) for n in wrong.shape)
    wrong[entry] += 0.01 * size
    report = cr.check(E, {NAMES[i]: wrong if arrays else float(wrong)})
    assert not report.ok, ("check of a wrong one", str(report))

    # The derivation, which compares itself with its own text, and the picture.
    leaf, gradient = leaves[i], gradients[i]
    derivation = cr.explain(E, wrt=leaf)
    assert len(str(derivation)) > 5
    assert np.max(np.abs(derivation.value - gradient)) <= 1e-9 * size, ("explain", derivation.value)
    view = cr.graph(E)
    box = next(box for box in view.scene.boxes if box.name == NAMES[i])
    shown = next(row.text for row in box.rows if row.word == "grad")
    read = np.array([float(x) for x in shown.replace("−", "-").split()])
    assert np.allclose(read, np.ravel(gradient), rtol=6e-4, atol=6e-4 * np.max(np.abs(gradient)))
    assert view.to_svg().startswith("<")
    total = view.paths(leaf).total
    assert np.max(np.abs(total - gradient)) <= 1e-9 * size, ("paths", total, gradient)
    return "arrays" if arrays else "numbers"


def main(seconds, first=0):
    """Rounds for some time; how many there were, and which seeds failed."""
    counts, failed, seed = collections.Counter(), [], first
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                counts[one_round(seed)] += 1
            except Exception:  # noqa: BLE001 -- it is told, and the others go on
                failed.append(seed)
                print(f"seed {seed}:", *traceback.format_exc().splitlines()[-3:], flush=True)  # noqa: T201
        seed += 1
    print(f"{seed - first} rounds:", dict(counts), "failed:", failed)  # noqa: T201


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
