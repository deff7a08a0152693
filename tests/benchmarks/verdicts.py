"""How often is a gradient checker wrong? Generated functions, right and wrong gradients.

    python tests/benchmarks/verdicts.py [--cases 300] [--seed 0]

Each function is a random program of three numbers, written once and run on NumPy, PyTorch and JAX.
The right gradient comes from forward mode in extended precision; a wrong one has one entry off by a
relative error from 1e-6 to 1 (float32: from 1e-3), or the sign flipped. Beside `cr.check`:
`torch.autograd.gradcheck`, `jax.test_util.check_grads` and `scipy.optimize.check_grad` (an error
norm, taken as passed below 1e-6), each as it comes, where it is installed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import math
import random
import time
import warnings
from collections import Counter

import numpy as np

import chainrule as cr

#: name -> NumPy's function, its derivative from x and y.
UNARY = {
    "sin": (np.sin, lambda x, y: np.cos(x)),
    "cos": (np.cos, lambda x, y: -np.sin(x)),
    "exp": (np.exp, lambda x, y: y),
    "tanh": (np.tanh, lambda x, y: 1 - y * y),
    "arctan": (np.arctan, lambda x, y: 1 / (1 + x * x)),
    "log1p": (np.log1p, lambda x, y: 1 / (1 + x)),
    "sqrt": (np.sqrt, lambda x, y: 0.5 / y),
    "square": (np.square, lambda x, y: 2 * x),
    "log": (np.log, lambda x, y: 1 / x),
}
BINARY = {
    "add": (lambda a, b: a + b, lambda a, b: (1, 1)),
    "subtract": (lambda a, b: a - b, lambda a, b: (1, -1)),
    "multiply": (lambda a, b: a * b, lambda a, b: (b, a)),
    "divide": (lambda a, b: a / b, lambda a, b: (1 / b, -a / b / b)),
}
INPUTS = 3


def program(source: random.Random, kink: bool):
    """Steps on a list of numbers, a scale for the result, and a point."""
    steps, count = [], INPUTS
    for _ in range(source.randint(2, 7)):
        if source.random() < 0.5:
            steps.append((source.choice([*UNARY]), source.randrange(count)))
        else:
            steps.append(
                (source.choice([*BINARY]), source.randrange(count), source.randrange(count))
            )
        count += 1
    steps.append(("add", count - 1, source.randrange(INPUTS)))
    scale = 10.0 ** source.choice([0, 0, 0, -6, 4, 8])
    x = [source.choice([source.gauss(0, 1), 10 ** source.uniform(-3, 2)]) for _ in range(INPUTS)]
    return steps, scale, x, kink


def run(made, x, functions):
    """The program on numbers of any kind."""
    steps, scale, at, kink = made
    values = [x[i] for i in range(INPUTS)]
    for name, *places in steps:
        inner = [values[k] for k in places]
        values.append(functions(name)(*inner) if len(places) == 1 else BINARY[name][0](*inner))
    result = values[-1]
    if kink:  # |x0 - a| at x0 = a
        result = result + abs(x[0] - at[0])
    return result * scale


def slopes(made):
    """The gradient in extended precision, without the kink's own part."""
    steps, scale, at, _ = made
    at = np.array(at, np.longdouble)
    values, tangents = list(at), list(np.eye(INPUTS, dtype=np.longdouble))
    for name, *places in steps:
        inner = [values[k] for k in places]
        if len(places) == 1:
            f, df = UNARY[name]
            y = f(inner[0])
            values.append(y)
            tangents.append(df(inner[0], y) * tangents[places[0]])
        else:
            f, df = BINARY[name]
            values.append(f(*inner))
            left, right = df(*inner)
            tangents.append(left * tangents[places[0]] + right * tangents[places[1]])
    return values[-1] * scale, tangents[-1] * scale


def cases(count, seed, dtype, kinks=False):
    """Programs whose value and gradient are finite numbers of a usual size."""
    source = random.Random(seed)
    while count:
        steps, scale, at, kink = program(source, kinks)
        at = [float(dtype(x)) for x in at]
        made = steps, scale, at, kink
        with np.errstate(all="ignore"):
            value, gradient = slopes(made)
            near = [slopes((steps, scale, [x * (1 + 1e-3) for x in at], kink))[0]]
        sizes = np.abs(gradient / scale)
        usual = np.all(np.isfinite(gradient)) and np.isfinite([value, *near]).all()
        if usual and np.all((sizes > 1e-4) & (sizes < 1e4)) and abs(value / scale) < 1e4:
            count -= 1
            yield made, np.array(gradient, np.float64).astype(dtype)


def spoiled(gradient, source, least):
    """A wrong gradient: one entry off, or the sign of all flipped."""
    wrong = gradient.copy()
    if source.random() < 0.1:
        return -wrong
    k = source.randrange(INPUTS)
    size = 10 ** source.uniform(math.log10(least), 0)
    wrong[k] *= 1 + max(size, 1.05 * least) * source.choice([-1, 1])
    return wrong


# ------------------------------------------------------------------ the checkers


def by_chainrule(made, gradient, dtype):
    def function(x):
        return run(made, x, lambda name: UNARY[name][0])

    x = np.array(made[2], dtype)
    return cr.check(function, gradient, at=x).verdict


def by_scipy(made, gradient, dtype):
    check_grad = importlib.import_module("scipy.optimize").check_grad
    x = np.array(made[2], dtype)
    with np.errstate(all="ignore"):
        error = check_grad(
            lambda x: float(run(made, x, lambda name: UNARY[name][0])), lambda x: gradient, x
        )
    return cr.Verdict.AGREES if error < 1e-6 else cr.Verdict.WRONG


def by_torch(made, gradient, dtype):
    torch = importlib.import_module("torch")

    class Claimed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            with torch.no_grad():
                return run(made, x, lambda name: getattr(torch, name))

        @staticmethod
        def backward(ctx, y_bar):
            return y_bar * torch.tensor(gradient)

    x = torch.tensor(np.array(made[2], dtype), requires_grad=True)
    try:
        torch.autograd.gradcheck(Claimed.apply, (x,))
    except (RuntimeError, ValueError):
        return cr.Verdict.WRONG
    return cr.Verdict.AGREES


def by_jax(made, gradient, dtype):
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    check_grads = importlib.import_module("jax.test_util").check_grads

    @jax.custom_vjp
    def function(x):
        return run(made, x, lambda name: getattr(jnp, name))

    function.defvjp(lambda x: (function(x), None), lambda _, y_bar: (y_bar * jnp.array(gradient),))
    try:
        check_grads(function, (jnp.array(made[2], dtype),), order=1, modes=["rev"])
    except AssertionError:
        return cr.Verdict.WRONG
    return cr.Verdict.AGREES


CHECKERS = {"chainrule": by_chainrule, "torch": by_torch, "jax": by_jax, "scipy": by_scipy}


def judged(checker, made, gradient, dtype):
    started = time.perf_counter()
    try:
        verdict = checker(made, gradient, dtype)
    except (ArithmeticError, ValueError) as problem:
        verdict = problem
    return verdict, time.perf_counter() - started


def table(title, count, seed, dtype, least, checkers):
    print(f"\n{title}: {count} functions, each with a right and a wrong gradient")
    source = random.Random(seed)
    drawn = [(made, g, spoiled(g, source, least)) for made, g in cases(count, seed, dtype)]
    for name, checker in checkers.items():
        found, spent = Counter(), 0.0
        for made, right, wrong in drawn:
            for kind, gradient in (("right", right), ("wrong", wrong)):
                verdict, seconds = judged(checker, made, gradient, dtype)
                spent += seconds
                passes = isinstance(verdict, cr.Verdict) and verdict.passes
                told = verdict is not cr.Verdict.UNKNOWN
                found["unknown"] += not told
                found["alarm"] += kind == "right" and told and not passes
                found["miss"] += kind == "wrong" and passes
        print(
            f"  {name:10} false alarms {found['alarm'] / count:6.1%}  misses"
            f" {found['miss'] / count:6.1%}  cannot tell {found['unknown'] / 2 / count:6.1%}"
            f"  {1000 * spent / 2 / count:6.1f} ms"
        )


def kinks(count, seed, checkers):
    print(f"\nat a kink of |x0 - a|: {count} functions, a subgradient and a wrong number")
    source = random.Random(seed)
    for name, checker in checkers.items():
        accepted = rejected = 0
        for made, gradient in cases(count, seed, np.float64, kinks=True):
            scale = made[1]
            inside, outside = gradient.copy(), gradient.copy()
            inside[0] += scale * source.choice([-1, 0, 1, source.uniform(-1, 1)])
            outside[0] += scale * source.choice([-1, 1]) * source.uniform(1.01, 3)
            good, _ = judged(checker, made, inside, np.float64)
            bad, _ = judged(checker, made, outside, np.float64)
            accepted += isinstance(good, cr.Verdict) and good.passes
            rejected += bad is cr.Verdict.WRONG
        print(f"  {name:10} accepted {accepted / count:6.1%}  rejected {rejected / count:6.1%}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alone", action="store_true", help="chainrule without its peers")
    options = parser.parse_args()
    checkers = {
        name: checker
        for name, checker in CHECKERS.items()
        if name == "chainrule" or (not options.alone and importlib.util.find_spec(name))
    }
    count, seed = options.cases, options.seed
    warnings.simplefilter("ignore")  # the checkers' own, about what is measured here
    table("float64, errors from 1e-6", count, seed, np.float64, 1e-6, checkers)
    table("float32, errors from 1e-3", count, seed + 1, np.float32, 1e-3, checkers)
    kinks(count, seed + 2, checkers)


if __name__ == "__main__":
    main()
