"""How often does diagnosis name the right cause? Small networks, mistakes made by hand.

The wrong gradients come from a backward pass written out in NumPy here, which shares nothing with
the catalogue it is meant to test. Prints a table; with `--details` every miss.

    python tests/benchmarks/diagnosis.py [--seeds 3] [--pairs 200] [--details]
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np

import chainrule as cr

LR = 0.3


@dataclass(frozen=True)
class Network:
    """A network with one hidden layer, its data and its loss."""

    sizes: tuple[int, int, int]
    loss: str
    batch: int
    lam: float
    hidden: str
    seed: int

    def numbers(self):
        random = np.random.default_rng(self.seed)
        inputs, hidden, outputs = self.sizes
        x = random.normal(size=(self.batch, inputs)).round(2)
        if self.loss == "softmax":
            t = np.eye(outputs)[random.integers(outputs, size=self.batch)]
        elif self.loss == "binary":
            t = random.integers(2, size=(self.batch, outputs)).astype(float)
        else:
            t = random.uniform(size=(self.batch, outputs)).round(2)
        W1, b1 = random.normal(size=(inputs, hidden)).round(2), random.normal(size=hidden).round(2)
        W2, b2 = (
            random.normal(size=(hidden, outputs)).round(2),
            random.normal(size=outputs).round(2),
        )
        return x, t, W1, b1, W2, b2

    def graph(self):
        x, t, *weights = self.numbers()
        W1, b1, W2, b2 = (
            cr.Tensor(w, label=n) for w, n in zip(weights, ("W1", "b1", "W2", "b2"), strict=True)
        )
        z1 = x @ W1 + b1
        z1.label = "z1"
        a1 = cr.sigmoid(z1) if self.hidden == "sigmoid" else cr.tanh(z1)
        a1.label = "a1"
        z2 = a1 @ W2 + b2
        z2.label = "z2"
        if self.loss == "softmax":
            E = cr.nn.cross_entropy(z2, t)
        else:
            a2 = cr.sigmoid(z2)
            a2.label = "a2"
            if self.loss == "binary":
                E = -np.sum(t * np.log(a2) + (1 - t) * np.log(1 - a2)) / self.batch
            else:
                E = cr.nn.mean_squared_error(a2, t)
        if self.lam:
            E = E + self.lam / 2 * (np.sum(W1**2) + np.sum(W2**2))
        E.label = "E"
        return E


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def by_hand(net: Network, made: frozenset[str]):
    """The gradients as a student computes them, with some mistakes; None where they do not fit."""
    x, t, W1, b1, W2, b2 = net.numbers()
    N = net.batch
    z1 = x @ W1 + b1
    a1 = sigmoid(z1) if net.hidden == "sigmoid" else np.tanh(z1)
    z2 = a1 @ W2 + b2
    rate = net.lam
    if "regulariser missing" in made:
        rate = 0.0
    if "regulariser doubled" in made:
        rate = 2 * net.lam
    mean = 1 / N
    if "mean forgotten" in made:
        mean = 1.0
    if "mean twice" in made:
        mean = 1 / N**2
    if net.loss == "softmax":
        p = np.exp(z2) / np.exp(z2).sum(axis=1, keepdims=True)
        d2 = p - t
        if "softmax diagonal" in made:
            d2 = -t * (1 - p)
        if "output derivative twice" in made:
            d2 = d2 * p * (1 - p)
    else:
        a2 = sigmoid(z2)
        if net.loss == "binary":
            d2 = a2 - t
            if "output derivative twice" in made:
                d2 = d2 * a2 * (1 - a2)
        else:
            d2 = 2 * (a2 - t)
            if "factor 2" in made:
                d2 = a2 - t
            if "output derivative forgotten" not in made:
                d2 = d2 * a2 * (1 - a2)
            if "output derivative twice" in made:
                d2 = d2 * a2 * (1 - a2)
    d2 = d2 * mean
    if "sign" in made:
        d2 = -d2
    dW2 = a1.T @ d2
    if "z for a" in made:
        dW2 = z1.T @ d2
    back = W2
    if "updated weights" in made:
        back = W2 - LR * (dW2 + rate * W2)
    if "one path" in made:
        keep = np.zeros(W2.shape[1])
        keep[0] = 1
        da1 = (d2 * keep) @ back.T
    elif "path twice" in made:
        da1 = d2 @ back.T + d2[:, :1] @ back[:, :1].T
    elif "not transposed" in made:
        da1 = d2 @ back
    elif "weights left out" in made:
        da1 = d2 @ np.ones_like(back.T)
    else:
        da1 = d2 @ back.T
    if net.hidden == "sigmoid":
        slope = a1 * (1 - a1)
        if "at the output" in made:
            slope = sigmoid(a1) * (1 - sigmoid(a1))
        if "with the input" in made:
            slope = z1 * (1 - z1)
        if "half of it" in made:
            slope = 1 - a1
    else:
        slope = 1 - a1**2
        if "at the output" in made:
            slope = 1 - np.tanh(a1) ** 2
        if "with the input" in made:
            slope = 1 - z1**2
        if "half of it" in made:
            slope = 1 - a1
    if "hidden derivative forgotten" in made:
        slope = 1.0
    d1 = da1 * slope
    dW1 = x.T @ d1
    if "inputs left out" in made:
        dW1 = np.ones_like(x).T @ d1
    db1, db2 = d1.sum(axis=0), d2.sum(axis=0)
    if "bias averaged" in made:
        db1, db2 = d1.mean(axis=0), d2.mean(axis=0)
    if "bias one sample" in made:
        db1, db2 = d1[0], d2[0]
    if "bias times input" in made:
        db1 = (d1 * x).sum(axis=0)
    dW1, dW2 = dW1 + rate * W1, dW2 + rate * W2
    if "bias regularised" in made:
        db1, db2 = db1 + net.lam * b1, db2 + net.lam * b2
    if "transposed" in made:
        dW1 = dW1.T
    found = {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
    if "step" in made:
        found = {name: -LR * g for name, g in found.items()}
    return found


MEAN = ["1/N", "left out on the way back", "division", "factor 4"]
FORGOTTEN = ["derivative of the sigmoid was forgotten", "derivative of tanh was forgotten"]
#: Each mistake: where it can be made, and what an explanation of it says.
MISTAKES = {
    "sign": (lambda n: True, ["sign", "inner derivative"]),
    "mean forgotten": (lambda n: n.batch > 1, MEAN),
    "mean twice": (lambda n: n.batch > 1, ["1/N", "applied twice"]),
    "softmax diagonal": (lambda n: n.loss == "softmax", ["diagonal"]),
    "output derivative twice": (lambda n: True, ["multiplied twice", "once more"]),
    "factor 2": (lambda n: n.loss == "squared", ["factor 2", "factor ½"]),
    "output derivative forgotten": (lambda n: n.loss == "squared", FORGOTTEN),
    "z for a": (lambda n: True, ["z1 was taken in place of a1"]),
    "updated weights": (lambda n: True, ["updated already"]),
    "one path": (lambda n: True, ["paths from each entry of a1"]),
    "not transposed": (lambda n: n.sizes[1] == n.sizes[2], ["not transposed"]),
    "weights left out": (lambda n: True, ["was left out on the way back to a1"]),
    "at the output": (lambda n: True, ["taken at the output", "taken twice"]),
    "with the input": (lambda n: True, ["with the input", "with its input"]),
    "half of it": (lambda n: True, ["1 - a1 only", "square was forgotten"]),
    "hidden derivative forgotten": (lambda n: True, FORGOTTEN),
    "inputs left out": (lambda n: True, ["was left out on the way back to W1"]),
    "bias averaged": (lambda n: n.batch > 1, ["averaged over the samples"]),
    "bias one sample": (lambda n: n.batch > 1, ["first sample only"]),
    "bias times input": (lambda n: n.sizes[0] == n.sizes[1], ["as if it were a weight"]),
    "regulariser missing": (lambda n: n.lam > 0, ["regulariser"]),
    "regulariser doubled": (lambda n: n.lam > 0, ["regulariser"]),
    "bias regularised": (lambda n: n.lam > 0, ["regularised, too"]),
    "transposed": (lambda n: n.sizes[0] == n.sizes[1], ["transposed"]),
    "step": (lambda n: True, ["-η·gradient"]),
}  # fmt: skip


def networks(seeds: int):
    for sizes, loss, batch, lam, hidden, seed in itertools.product(
        ((2, 3, 2), (3, 3, 3), (2, 2, 2)),
        ("squared", "binary", "softmax"),
        (1, 4),
        (0.0, 0.1),
        ("sigmoid", "tanh"),
        range(seeds),
    ):
        yield Network(sizes, loss, batch, lam, hidden, seed + 1)


def rounded(g, digits=4):
    """Entries as text with so many significant digits."""
    if np.ndim(g):
        return [rounded(row, digits) for row in g]
    return f"{g:.{digits - 1}e}"


def explained(report, expected) -> bool:
    """Whether the first cause names a mistake, or one that gives the same numbers."""
    if not report.causes:
        return False
    cause = report.causes[0]
    said = [*map(str, cause.mistakes), *(str(m) for other in cause.alternatives for m in other)]
    return all(any(word in text for text in said for word in words) for words in expected)


def same(a, b, half=1e-9) -> bool:
    return all(np.allclose(a[name], b[name], rtol=5e-4, atol=half) for name in a)


def trial(net, made, names, details):
    right, wrong = by_hand(net, frozenset()), by_hand(net, made)
    chosen_right = {name: right[name] for name in names}
    chosen = {name: wrong[name] for name in names}
    if same(chosen_right, chosen):
        return None
    report = cr.check(net.graph(), {name: rounded(g) for name, g in chosen.items()}, lr=LR)
    hit = explained(report, [MISTAKES[m][1] for m in made])
    if details and not hit:
        print(f"\n{net}\n{sorted(made)} from {names}")
        print("\n".join(report.explanation()[:8]))
    return hit


#: The steps of a hand calculation, in order.
STEPS = ("z1", "a1", "z2", "dz2", "W2", "b2", "da1", "dz1", "W1", "b1")


def worked(net, faulty, work, paper):
    """A calculation step by step: each result is put through `work`, printed by `paper`.

    The step named `faulty` goes wrong by a factor, and all later ones are computed from that.
    """
    x, t, W1, b1, W2, b2 = net.numbers()
    done = {}

    def step(name, value):
        done[name] = work(value * (1.3 if name == faulty else 1.0))
        return done[name]

    z1 = step("z1", x @ W1 + b1)
    a1 = step("a1", sigmoid(z1) if net.hidden == "sigmoid" else np.tanh(z1))
    z2 = step("z2", a1 @ W2 + b2)
    if net.loss == "softmax":
        p = np.exp(z2) / np.exp(z2).sum(axis=1, keepdims=True)
        d2 = (p - t) / net.batch
    else:
        a2 = sigmoid(z2)
        slope = a2 * (1 - a2) * 2 if net.loss == "squared" else 1
        d2 = (a2 - t) * slope / net.batch
    d2 = step("dz2", d2)
    step("W2", a1.T @ d2 + net.lam * W2)
    step("b2", d2.sum(axis=0))
    da1 = step("da1", d2 @ W2.T)
    d1 = step("dz1", da1 * (a1 * (1 - a1) if net.hidden == "sigmoid" else 1 - a1**2))
    step("W1", x.T @ d1 + net.lam * W1)
    step("b1", d1.sum(axis=0))
    return {name: paper(value) for name, value in done.items()}


def marks(net, faulty, work, paper, rounding):
    """The steps that are marked as faulty."""
    done = worked(net, faulty, work, paper)
    steps = {name: given for name, given in done.items() if name[0] not in "Wb"}
    results = {name: given for name, given in done.items() if name[0] in "Wb"}
    report = cr.check(net.graph(), results, steps=steps, rounding=rounding)
    return [f.name for f in report.faulty]


def decimals(g):
    """Entries as text with four decimals."""
    return [decimals(row) for row in g] if np.ndim(g) else f"{g:.4f}"


def marking(nets) -> None:
    """Follow-through marking on work with one fault, and with none."""
    ways = {
        "exact work, printed with 4 digits": (lambda v: v, lambda v: rounded(v), None),
        "every step rounded to 4 decimals": (lambda v: np.round(v, 4), decimals, "4dp"),
    }
    for title, way in ways.items():
        right = missed = others = false = 0
        for net in nets:
            false += bool(marks(net, None, *way))
            for faulty in STEPS:
                name = faulty if faulty[0] in "za" else f"∂E/∂{faulty.removeprefix('d')}"
                found = marks(net, faulty, *way)
                right += found == [name]
                missed += name not in found
                others += bool(set(found) - {name})
        total = len(nets) * len(STEPS)
        print(f"marking, {title}: {total} calculations with one fault,")
        print(
            f"    exactly it marked in {right / total:.1%} (missed {missed}, another one {others});"
            f" {len(nets)} without a fault, {false} falsely marked"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=150)
    parser.add_argument("--details", action="store_true")
    options = parser.parse_args()
    nets = list(networks(options.seeds))
    all_names = ("W1", "b1", "W2", "b2")
    false = 0
    started = time.perf_counter()
    for net in nets:
        claims = {name: rounded(g) for name, g in by_hand(net, frozenset()).items()}
        report = cr.check(net.graph(), claims, lr=LR)
        false += not report.ok or bool(report.causes)
    print(f"right gradients: {len(nets)}, called wrong or explained: {false}")
    for names in (all_names, ("W1",)):
        hits, misses = Counter(), Counter()
        for net in nets:
            for name, (possible, _) in MISTAKES.items():
                if not possible(net):
                    continue
                hit = trial(net, frozenset([name]), names, options.details)
                if hit is not None:
                    (hits if hit else misses)[name] += 1
        total = hits.total() + misses.total()
        print(f"one mistake, from {'all' if len(names) > 1 else 'dW1'}: {total},", end=" ")
        print(f"right cause first in {hits.total() / total:.1%}")
        for name, count in misses.most_common():
            print(f"    {name}: {count} of {count + hits[name]} missed")
    random = np.random.default_rng(0)
    hits, misses = 0, Counter()
    while hits + misses.total() < options.pairs:
        net = nets[random.integers(len(nets))]
        possible = [name for name, (fits, _) in MISTAKES.items() if fits(net)]
        made = frozenset(random.choice(possible, 2, replace=False))
        wrong, parts = by_hand(net, made), [by_hand(net, frozenset([m])) for m in made]
        if any(same(wrong, part) for part in [*parts, by_hand(net, frozenset())]):
            continue
        if trial(net, made, all_names, options.details):
            hits += 1
        else:
            misses[tuple(sorted(made))] += 1
    if options.pairs:
        print(f"two mistakes: {options.pairs}, right pair first in {hits / options.pairs:.1%}")
        for name, count in misses.most_common():
            print(f"    {' + '.join(name)}: {count}")
    marking(nets)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
