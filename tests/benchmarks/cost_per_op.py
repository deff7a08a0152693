"""Cost of one operation, forward and backward, against micrograd and hand-written NumPy.

    python tests/benchmarks/cost_per_op.py [rounds]

Samples are interleaved (A B C A B C …) and the median of each is printed, as a ratio to the first
row of its group: absolute times mean little on a shared machine. micrograd is measured where it is
installed (`pip install micrograd`).
"""

import gc
import importlib.util
import statistics
import sys
import time

import numpy as np

import chainrule as cr

CHAIN = 500  # pairs of operations


# ----------------------------------------------------------------------- scalars: y·a, y + b


def floats():
    """Plain Python floats, every intermediate saved, derivative by hand."""
    y, a, b, saved = 0.5, 0.999, 1e-3, []
    start = time.perf_counter()
    for _ in range(CHAIN):
        saved.append(y)
        y = y * a
        y = y + b
    middle = time.perf_counter()
    y_bar, a_bar, b_bar = 1.0, 0.0, 0.0
    for x in reversed(saved):
        b_bar += y_bar
        a_bar += y_bar * x
        y_bar *= a
    return start, middle, time.perf_counter(), y_bar


def scalar_chain(Value):
    def run():
        x, a, b = Value(0.5), Value(0.999), Value(1e-3)
        y = x
        start = time.perf_counter()
        for _ in range(CHAIN):
            y = y * a
            y = y + b
        middle = time.perf_counter()
        y.backward()
        return start, middle, time.perf_counter(), x.grad

    return run


# ----------------------------------------------------- small arrays: tanh(y·a) + b, size 3


def arrays(size):
    def run():
        y, a, b, saved = np.full(size, 0.5), np.full(size, 0.999), np.full(size, 1e-3), []
        start = time.perf_counter()
        for _ in range(CHAIN):
            h = np.tanh(y * a)
            saved.append((y, h))
            y = h + b
        middle = time.perf_counter()
        y_bar = np.ones(size)
        a_bar, b_bar = np.zeros(size), np.zeros(size)
        for x, h in reversed(saved):
            b_bar = b_bar + y_bar
            z_bar = y_bar * (1 - h * h)
            a_bar = a_bar + z_bar * x
            y_bar = z_bar * a
        return start, middle, time.perf_counter(), y_bar.sum()

    return run


def tensors(size):
    def run():
        x, a, b = (cr.Tensor(np.full(size, v)) for v in (0.5, 0.999, 1e-3))
        y = x
        start = time.perf_counter()
        for _ in range(CHAIN):
            y = cr.tanh(y * a) + b
        middle = time.perf_counter()
        y.backward(np.ones(size))
        return start, middle, time.perf_counter(), x.grad.sum()

    return run


def groups():
    scalars = {"floats by hand": floats, "chainrule.Value": scalar_chain(cr.Value)}
    if importlib.util.find_spec("micrograd"):
        scalars["micrograd.Value"] = scalar_chain(importlib.import_module("micrograd.engine").Value)
    yield "scalar chain", 2 * CHAIN, scalars
    for size in (3, 1000, 100_000):
        yield (
            f"arrays of {size}",
            3 * CHAIN,
            {"NumPy by hand": arrays(size), "chainrule.Tensor": tensors(size)},
        )


def main(rounds):
    sys.setrecursionlimit(10 * CHAIN)  # micrograd walks the graph recursively
    for title, operations, contestants in groups():
        times = {name: [] for name in contestants}
        answers = {}
        for _ in range(rounds):
            for name, run in contestants.items():
                start, middle, end, answers[name] = run()
                gc.collect()
                times[name].append((middle - start, end - middle))
        first = next(iter(contestants))
        assert all(abs(a - answers[first]) <= 1e-9 * abs(a) for a in answers.values()), answers
        print(f"{title}: {operations} operations, µs per operation and ratio to '{first}'")
        base = [statistics.median(t[i] for t in times[first]) for i in (0, 1)]
        for name, samples in times.items():
            spent = [statistics.median(t[i] for t in samples) for i in (0, 1)]
            cells = [
                f"{label} {1e6 * t / operations:7.2f} ({t / b:5.1f}×)"
                for label, t, b in [
                    ("forward", spent[0], base[0]),
                    ("backward", spent[1], base[1]),
                    ("both", sum(spent), sum(base)),
                ]
            ]
            print(f"  {name:18}", *cells, sep="  ")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
