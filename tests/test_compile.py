"""`cr.compile`: the same results as eager, at other numbers than those it was traced with."""

import dataclasses
import enum
import gc
import random as python_random
import subprocess
import sys
import threading
import time
import warnings
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.compiler import program
from chainrule.compiler.planning import tiles
from chainrule.ops import TABLE
from chainrule.trees import flatten, map_tree
from numpy_calls import CALLS
from samples import SAMPLES
from test_random_programs import PROGRAMS, SHAPES, numbers, programs, run, shaped

#: Functions whose result has a shape that depends on numbers, or whose derivative looks for NaN.
GROWING = {
    *("np.extract", "np.unique", "np.bincount", "np.roots", "np.trim_zeros", "np.nanmedian"),
    *("np.nanquantile", "np.nanpercentile"),
}


def require_same(given, expected, rtol=1e-11, noise=0.0):
    """Equal up to rounding; `noise` is that of the numbers a result is the difference of."""
    given, expected = flatten(given)[0], flatten(expected)[0]
    assert len(given) == len(expected)
    for x, y in zip(given, expected, strict=True):
        assert type(x) is type(y)
        assert np.shape(x) == np.shape(y)
        assert getattr(x, "dtype", None) == getattr(y, "dtype", None)
        size = np.max(np.abs(y), initial=0, where=np.isfinite(y)) if np.size(y) else 0
        np.testing.assert_allclose(x, y, rtol=rtol, atol=max(rtol * size, noise))


def moved(x):
    """Other numbers near x."""
    if getattr(x, "dtype", np.dtype(int)).kind not in "fc":
        return x
    return np.asarray(x * 1.0009765625) if isinstance(x, np.ndarray) else x * 1.0009765625


def pulled_back(f, wrt, xs):
    """The value of f and its cotangents for inputs `wrt`, as one function of all."""

    def chosen(*ys):
        given = list(xs)
        for i, y in zip(wrt, ys, strict=True):
            given[i] = y
        return f(*given)

    y, pullback = cr.vjp(chosen, *[xs[i] for i in wrt])
    leaves, rebuild = flatten(y)
    seeds = [
        np.cos(np.arange(1.0, 1 + np.size(x))).reshape(np.shape(x)).astype(x.dtype) for x in leaves
    ]
    return y, pullback(rebuild(seeds))


def sampled():
    for name in sorted(SAMPLES):
        for i, row in enumerate(SAMPLES[name]):
            yield pytest.param(TABLE[name], row, id=f"{name}-{i}")


@pytest.mark.parametrize(("op", "row"), list(sampled()))
def test_every_op_compiles(op, row):
    def f(*xs):
        return op(list(xs), **row.params) if op.sequence else op(*xs, **row.params)

    with np.errstate(all="ignore"):
        compiled = cr.compile(f, check=True)
        compiled(*row.inputs)
        others = [moved(x) for x in row.inputs]
        require_same(compiled(*others), f(*others))
        assert len(compiled.programs) == 1
        wrt = [
            i
            for i, x in enumerate(row.inputs)
            if getattr(x, "dtype", np.dtype(int)).kind in "fc"
            and (op.sequence or op.rules[i] is not None)
        ]
        if op.differentiable and wrt:
            back = cr.compile(lambda *xs: pulled_back(f, wrt, xs))
            try:
                expected = pulled_back(f, wrt, others)
            except (TypeError, NotImplementedError):
                return  # no derivative for these inputs
            back(*row.inputs)
            require_same(back(*others), expected)
            assert len(back.programs) == 1


def called():
    for i, call in enumerate(CALLS):
        places = [j for j, x in enumerate(call.args) if getattr(x, "dtype", None) == np.float64]
        if places and call.name not in GROWING:
            yield pytest.param(call, places, id=f"{call.name}-{i}")


@pytest.mark.parametrize(("call", "places"), list(called()))
def test_numpys_functions_compile(call, places):
    def f(*xs):
        given = list(call.args)
        for i, x in zip(places, xs, strict=True):
            given[i] = x
        return call.function(*given, **call.kwargs)

    inputs = [call.args[i] for i in places]
    others = [moved(x) for x in inputs]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = cr.compile(f)
        compiled(*inputs)
        require_same(compiled(*others), f(*others))
        try:
            expected = pulled_back(f, range(len(inputs)), others)
        except (TypeError, ValueError, AttributeError):
            return  # integers, or several results of other kinds
        back = cr.compile(lambda *xs: pulled_back(f, range(len(xs)), xs))
        back(*inputs)
        require_same(back(*others), expected)


@pytest.fixture
def network(random):
    x, t = random.normal(size=(5, 3)), random.normal(size=(5, 2))
    parameters = {
        "W1": random.normal(size=(3, 4)),
        "b1": random.normal(size=4),
        "W2": random.normal(size=(4, 2)),
    }

    def loss(p):
        h = np.tanh(x @ p["W1"] + p["b1"])
        e = h @ p["W2"] - t
        return np.mean(e * e)

    return loss, parameters


def test_second_derivatives_compile(network):
    loss, p = network
    v = map_tree(np.cos, p)
    q = map_tree(moved, p)
    hvp = cr.compile(lambda p, v: cr.hvp(loss, p, v))
    hvp(p, v)
    require_same(hvp(q, v), cr.hvp(loss, q, v))
    hessian = cr.compile(cr.hessian(lambda w: loss({**p, "W2": w})))
    hessian(p["W2"])
    require_same(hessian(q["W2"]), cr.hessian(lambda w: loss({**p, "W2": w}))(q["W2"]))
    jacobian = cr.compile(cr.jacobian(lambda w: np.tanh(w @ p["W2"]), mode="reverse"))
    jacobian(p["W1"])
    expected = cr.jacobian(lambda w: np.tanh(w @ p["W2"]), mode="reverse")(q["W1"])
    require_same(jacobian(q["W1"]), expected)
    tangent = cr.compile(lambda p, v: cr.jvp(loss, (p,), (v,)))
    tangent(p, v)
    require_same(tangent(q, v), cr.jvp(loss, (q,), (v,)))


def test_results_belong_to_the_caller(network):
    loss, p = network
    compiled = cr.compile(cr.value_and_grad(loss))
    _, first = compiled(p)
    kept = map_tree(np.copy, first)
    second = compiled(map_tree(lambda x: x + 1, p))[1]
    require_same(first, kept)
    for a in flatten(first)[0]:
        a[...] = 7.0  # writable, and nothing that the next call needs
        assert not any(np.may_share_memory(a, b) for b in flatten(second)[0])
    require_same(compiled(p), cr.value_and_grad(loss)(p))


def test_an_argument_is_never_handed_out():
    same = cr.compile(lambda x: (x, x.T, x[1:], x, np.ones(2)))
    x = np.arange(6.0).reshape(2, 3)
    results = same(x)
    results[0][...] = 0
    results[4][...] = 0
    assert x[1, 2] == 5.0
    require_same(same(x), (x.copy(), x.T.copy(), x[1:].copy(), x.copy(), np.ones(2)))


def test_another_shape_or_dtype_compiles_anew():
    compiled = cr.compile(cr.grad(lambda x: np.sum(np.sin(x) ** 2)))
    for x in (np.ones(3), np.ones(4), np.ones(4, np.float32), np.ones(3), np.ones((3, 1))):
        require_same(compiled(x), cr.grad(lambda x: np.sum(np.sin(x) ** 2))(x), rtol=1e-6)
    assert len(compiled.programs) == 4
    with pytest.raises(ValueError, match="broadcast"):
        cr.compile(lambda a, b: a + b)(np.ones(2), np.ones(3))


def test_floats_move_and_whole_numbers_are_fixed():
    compiled = cr.compile(lambda x, rate, n: x * rate**2 + n)
    x = np.ones(2)
    for rate in (0.5, 0.25, -3.0):
        require_same(compiled(x, rate, 2), x * rate**2 + 2)
    assert len(compiled.programs) == 1
    require_same(compiled(x, 0.5, 3), x * 0.25 + 3)
    assert len(compiled.programs) == 2
    require_same(compiled(x, 0.5, True), x * 0.25 + 1)
    single = np.ones(2, np.float32)
    assert compiled(single, 0.1, 2).dtype == np.float32


def test_many_signatures_are_warned_of():
    compiled = cr.compile(lambda x, n: x * n)
    for n in range(16):
        assert compiled(1.5, n) == 1.5 * n
    with pytest.warns(RuntimeWarning, match="pass a float") as warned:
        assert compiled(1.5, 16) == 24.0
    assert warned[0].filename == __file__  # the line that called, not one of the library's
    assert len(compiled.programs) == 16


def test_decisions_by_numbers_are_refused_with_the_line():
    def f(x):
        y = x * 2
        if y.sum() > 1:
            return y
        return -y

    with pytest.raises(cr.CompileError, match=r"test_compile.py, line \d+.*np.where"):
        cr.compile(f)(np.ones(2))
    with pytest.raises(cr.CompileError, match="np.where"):
        cr.compile(cr.grad(lambda x: (x if x > 0 else -x) * 1.0))(2.0)
    for taken in (
        lambda x: float(x[0]),
        lambda x: x[0].item(),
        lambda x: np.array([1.0, x[0]]),
        lambda x: range(x[0]),
        lambda x: x.tolist(),
    ):
        with pytest.raises(cr.CompileError, match="test_compile.py"):
            cr.compile(taken)(np.ones(2))


def test_shapes_that_depend_on_numbers_are_refused():
    for f in (
        lambda x: x[x > 0],
        np.flatnonzero,
        np.unique,
        lambda x: np.where(x > 0),
        lambda x: np.compress(x > 0, x),
    ):
        with pytest.raises(cr.CompileError, match="shape"):
            cr.compile(f)(np.array([1.0, -1.0]))


def test_randomness_is_refused():
    generator = np.random.default_rng(0)
    for draw in (
        lambda x: x * np.random.normal(size=2),  # noqa: NPY002
        lambda x: x * generator.normal(size=2),
        lambda x: x * python_random.random(),
        lambda x: x if python_random.random() < 2 else -x,
        lambda x: x * time.perf_counter_ns(),
    ):
        with pytest.raises(cr.CompileError, match="random"):
            cr.compile(draw)(np.ones(2))
    count = []

    def counting(x):
        count.append(1)
        return x * len(count)

    with pytest.raises(cr.CompileError, match="counter"):
        cr.compile(counting)(np.ones(2))


def test_randomness_is_refused_where_nobody_drew_before():
    program = (
        "import numpy as np, chainrule as cr\n"
        "try:\n"
        "    cr.compile(lambda x: x * np.random.normal(size=2))(np.ones(2))\n"
        "except cr.CompileError as error:\n"
        "    assert 'random numbers' in str(error)\n"
        "else:\n"
        "    raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_printing_is_refused():
    def f(x):
        sys.stdout.write("loss")
        return x

    with pytest.raises(cr.CompileError, match="prints"):
        cr.compile(f)(np.ones(2))
    with pytest.raises(cr.CompileError, match="printed"):
        cr.compile(lambda x: f"{x.sum():.3f}")(np.ones(2))


def test_writing_into_arguments_and_constants_is_refused():
    def into(x):
        x[0] = 1.0
        return x

    def plus(x):
        x += 1
        return x

    for f in (into, plus):
        with pytest.raises(cr.CompileError, match="argument"):
            cr.compile(f)(np.ones(2))
    outside = np.zeros(2)

    def constant(x):
        y = x * outside
        outside[...] += 1
        return y

    with pytest.raises(cr.CompileError, match="written into"):
        cr.compile(constant)(np.ones(2))
    with pytest.raises(cr.CompileError, match="np.zeros_like"):
        cr.compile(lambda x: np.add.at(outside, [0], x[:1]))(np.ones(2))


def test_changes_in_place_follow_numpy():
    def f(x):
        y = x.copy()
        y[1:] *= 2
        row = y[0]
        row += 10
        part = y[1:, :2]
        y[1, 1] = -1.0
        np.multiply(part, 3, out=part)
        z = np.zeros_like(x)
        z[::2] = y[::2]
        z += part.sum()
        np.add.at(z, ([0, 0], [1, 1]), 5.0)
        np.copyto(z, y, where=y > 11)
        return y, z, row, part

    x = np.arange(9.0).reshape(3, 3)
    compiled = cr.compile(f)
    compiled(x)
    require_same(compiled(x + 1), f(x + 1))

    def through(x):
        y = x.copy()
        y.T[0] = 1.0
        return y

    with pytest.raises(cr.CompileError, match="view"):
        cr.compile(through)(x)


def test_zero_wins_as_in_eager():
    def f(x):
        return np.sum(np.where(x > 0, np.sqrt(np.where(x > 0, x, 0.0)), 0.0))

    gradient = cr.value_and_grad(f)
    compiled = cr.compile(gradient)
    for x in (np.array([4.0, 1.0]), np.array([4.0, 0.0]), np.array([0.0, -1.0])):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            require_same(compiled(x), gradient(x))
    assert len(compiled.programs) == 1

    def hidden(x):  # the NaN of the inner derivative is not in the result
        return np.sum(np.where(cr.grad(f)(x) > 0.3, x, -x))

    compiled = cr.compile(hidden)
    compiled(np.array([4.0, 1.0]))
    x = np.array([1.0, 0.0])
    require_same(compiled(x), hidden(x))


def test_numbers_that_overflow():
    def f(w, b):
        return cr.sigmoid(w * 3.0 + b) / w

    gradient = cr.value_and_grad(f, argnums=(0, 1))
    compiled = cr.compile(gradient)
    require_same(compiled(0.5, 0.1), gradient(0.5, 0.1))
    for w in (-1000.0, 1000.0, 1e308, -1e308):
        with np.errstate(all="ignore"):
            require_same(compiled(w, 0.1), gradient(w, 0.1))
    with np.errstate(all="ignore"):
        require_same(compiled(0.0, 0.1), gradient(0.0, 0.1))


def test_conditions_of_the_library_are_looked_at_in_every_call():
    def f(z, labels):
        return cr.nn.cross_entropy(z, labels)

    compiled = cr.compile(cr.value_and_grad(f))
    z = np.arange(6.0).reshape(2, 3)
    for labels in (np.array([0, 2]), np.array([1, 1])):
        require_same(compiled(z, labels), cr.value_and_grad(f)(z, labels))
    with pytest.raises(ValueError, match="labels go from 0 to 2"):
        compiled(z, np.array([0, 3]))
    with pytest.raises(ValueError, match="labels go from 0 to 2"):
        compiled(z, np.array([0, -1]))


class Point(NamedTuple):
    x: object
    y: object


@dataclasses.dataclass
class Pair:
    left: object
    right: object


def test_containers():
    def f(p, *, options):
        (a, b), pair, names = p
        scaled = a * options["scale"]
        return {"sum": scaled + b.x, "pair": Pair(pair.left, [pair.right]), "b": Point(*b)}, names

    tree = [(np.ones(2), Point(np.zeros(2), 1.5)), Pair(2.0, np.ones(1)), None]
    compiled = cr.compile(f)
    compiled(tree, options={"scale": 2.0})
    tree[0][0][...] = 5.0
    given, expected = compiled(tree, options={"scale": 3.0}), f(tree, options={"scale": 3.0})
    assert type(given[0]["pair"]) is Pair
    assert type(given[0]["b"]) is Point
    assert given[1] is None
    require_same(given, expected)
    assert len(compiled.programs) == 1


def test_inside_of_other_computations_it_is_the_function(network):
    loss, p = network
    compiled = cr.compile(loss)
    compiled(p)
    require_same(cr.grad(compiled)(p), cr.grad(loss)(p))
    w = cr.Tensor(p["W2"])
    compiled({**p, "W2": w}).backward()
    require_same(w.grad, cr.grad(loss)(p)["W2"])
    outer = cr.compile(cr.grad(lambda p: compiled(p) * 2.0))
    require_same(outer(p), cr.grad(lambda p: loss(p) * 2.0)(p))
    with cr.detect_anomaly():
        require_same(compiled(p), loss(p))


def training(compiled):
    net = cr.nn.MLP([3, 4, 2], "tanh", seed=1)
    opt = cr.optim.GradientDescent(net.parameters(), 0.1)
    x, t = np.random.default_rng(0).normal(size=(2, 6, 3))
    t = t[:, :2]

    def step():
        opt.zero_grad()
        error = cr.nn.mean_squared_error(net(x), t)
        error.backward()
        opt.step()
        return error

    return net, cr.compile(step) if compiled else step


def test_a_training_step_changes_the_parameters():
    (eager, step), (net, compiled) = training(False), training(True)
    for i in range(6):
        error, number = step(), compiled()
        require_same(number, error.data[()])
        for p, q in zip(net.parameters(), eager.parameters(), strict=True):
            require_same(p.data, q.data)
            require_same(p.grad, q.grad)
        if i == 3:
            for p in (*net.parameters(), *eager.parameters()):
                p.data *= 0.5  # seen by the next call
    assert "W1" in compiled.source
    assert len(compiled.programs) == 1


def test_gradients_from_before_are_not_added_to_silently():
    w = cr.Tensor([1.0, 2.0], label="w")

    def step():
        np.sum(w * w).backward()

    with pytest.raises(cr.CompileError, match=r"adds to the gradient of w"):
        cr.compile(step)()
    assert w.grad is None
    assert np.array_equal(w.data, [1.0, 2.0])


def test_values_compile():
    w, b = cr.Value(0.5, label="w"), cr.Value(-0.2, label="b")

    def loss(x):
        for p in (w, b):
            p.grad = None
        y = cr.sigmoid(w * x + b) ** 2
        y.backward()
        return y

    compiled = cr.compile(loss)
    for x in (0.3, -2.0):
        y = loss(x)
        expected = [y.data, w.grad, b.grad]
        w.grad = b.grad = None
        assert [compiled(x), w.grad, b.grad] == pytest.approx(expected, rel=1e-14)
    w.data = 0.75
    y = loss(1.0)
    expected = [y.data, w.grad, b.grad]
    assert [compiled(1.0), w.grad, b.grad] == pytest.approx(expected, rel=1e-14)


def test_the_source_is_what_a_person_would_write(random):
    x, t = random.normal(size=(4, 3)), random.normal(size=(4, 2))

    def loss(W, b):
        h = x @ W + b
        e = cr.relu(h) - t
        return np.mean(e * e)

    compiled = cr.compile(cr.value_and_grad(loss, argnums=(0, 1)))
    compiled(random.normal(size=(3, 2)), random.normal(size=2))
    source = compiled.source
    assert "def loss(W, b):" in source
    assert "dot(x, W, h)" in source  # the caller's names, and no array made anew
    assert source.count(" dot(") == 3  # x @ W, xᵀ @ h_bar, and the sum of its rows
    assert "copy" not in source
    with pytest.raises(cr.CompileError, match="first call"):
        cr.compile(loss).source  # noqa: B018


def test_what_is_computed_twice_is_computed_once():
    compiled = cr.compile(lambda a: np.exp(a * 2) + np.exp(a * 2) * np.exp(2 * a / 1))
    compiled(np.ones(3))
    assert compiled.source.count(" exp(") == 1


def test_constants_and_results_are_told_apart():
    y = np.array([1.0, 2.0])

    def f(a, b):
        return np.exp(a) + y, np.exp(a) + b, (b + y) * (y + a)

    compiled = cr.compile(f)
    a, b = np.array([0.5, 0.25]), np.array([3.0, -1.0])
    require_same(compiled(a, b), f(a, b))


def test_long_arrays_are_computed_piece_by_piece(random):
    x, a = random.normal(size=(2, 70_001))

    def f(x, c):
        y = np.tanh(x * a + c)
        z = cr.sigmoid(y) * x
        return np.sum(z) + np.sum(z * y) ** 2

    gradient = cr.value_and_grad(f)
    compiled = cr.compile(gradient)
    compiled(x, 0.5)
    assert "for part" in compiled.source
    require_same(compiled(-x, 0.25), gradient(-x, 0.25), rtol=1e-9)
    rows = random.normal(size=(600, 200)), random.normal(size=200)
    gradient = cr.value_and_grad(lambda p: np.sum(cr.relu(p[0] + p[1]) / np.sum(p[0] ** 2)))
    compiled = cr.compile(gradient)
    compiled([-rows[0], rows[1]])
    require_same(compiled(list(rows)), gradient(list(rows)), rtol=1e-9)


def test_saved_modules_need_nothing_but_numpy(tmp_path, network):
    loss, p = network
    compiled = cr.compile(cr.value_and_grad(loss))
    compiled(p)
    compiled.save(tmp_path / "net.py")
    np.savez(tmp_path / "p.npz", **p)
    program = (
        "import sys; sys.modules['chainrule'] = None\n"
        "import numpy as np, net\n"
        "p = dict(np.load('p.npz'))\n"
        "value, g = net.loss({k: p[k] for k in ('W1', 'b1', 'W2')})\n"
        "np.savez('g.npz', value=value, **g)\n"
        "try:\n"
        "    net.loss({'W1': np.ones((2, 2)), 'b1': p['b1'], 'W2': p['W2']})\n"
        "except net.Mismatch as error:\n"
        "    assert 'W1 (3, 4)' in str(error)\n"
        "else:\n"
        "    raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    saved = dict(np.load(tmp_path / "g.npz"))
    value, gradient = cr.value_and_grad(loss)(p)
    assert saved.pop("value") == value
    require_same({k: saved[k] for k in gradient}, gradient)
    own = cr.op(lambda x: np.asarray(x) ** 2, lambda y_bar, _y, x: 2 * x * y_bar, name="own")
    compiled = cr.compile(cr.grad(lambda x: np.sum(own(x))))
    with pytest.raises(cr.CompileError, match="converted"):
        compiled(np.ones(2))


def test_threads_do_not_share_memory(network):
    loss, p = network
    compiled = cr.compile(cr.value_and_grad(loss))
    compiled(p)
    wrong = []

    def work(k):
        q = map_tree(lambda x: x + 0.01 * k, p)
        expected = cr.value_and_grad(loss)(q)[0]
        wrong.extend(k for _ in range(300) if abs(compiled(q)[0] - expected) > 1e-12)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_is_kept_by_cycles(network, no_garbage):
    loss, p = network
    compiled = cr.compile(cr.value_and_grad(loss))
    compiled(p)
    compiled(p)
    del compiled


def test_check_finds_a_wrong_result(monkeypatch):
    def exponential(x):
        return np.exp(x)

    compiled = cr.compile(exponential, check=True)
    original = program.Program.__call__
    monkeypatch.setattr(program.Program, "__call__", lambda *args: original(*args) * 1.000001)
    with pytest.raises(cr.CompileError, match="please"):
        compiled(np.ones(2))


def test_time_to_compile_is_linear():
    def chain(n):
        def f(x):
            for _ in range(n):
                x = np.sin(x) * 0.5 + 0.1
            return x

        return f

    times = []
    for n in (300, 3000):
        gc.collect()
        start = time.process_time()
        cr.compile(chain(n))(np.ones(3))
        times.append(time.process_time() - start)
    assert times[1] < 40 * times[0]


def test_only_functions():
    with pytest.raises(TypeError, match="takes a function"):
        cr.compile(np.ones(2))


def descent(compiled, optimizer_of, dtype=np.float64):
    random = np.random.default_rng(2)
    parameters = [
        cr.Tensor(random.normal(size=shape).astype(dtype), label=name)
        for name, shape in (("W1", (3, 4)), ("b1", 4), ("W2", (4, 2)), ("b2", 2))
    ]
    x, t = (random.normal(size=shape).astype(dtype) for shape in ((6, 3), (6, 2)))
    optimizer = optimizer_of(parameters)

    def step():
        W1, b1, W2, b2 = parameters
        e = cr.relu(x @ W1 + b1) @ W2 + b2 - t
        np.mean(e * e).backward()
        optimizer.step()
        optimizer.zero_grad()

    return parameters, cr.compile(step) if compiled else step


OPTIMIZERS = {
    "descent": lambda parameters: cr.optim.GradientDescent(parameters, 0.1),
    "adam": lambda parameters: cr.optim.Adam(parameters, 0.05, betas=(0.8, 0.95)),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_all_parameters_are_updated_at_once(name, dtype):
    plain, eager = descent(False, OPTIMIZERS[name], dtype)
    parameters, step = descent(True, OPTIMIZERS[name], dtype)
    rtol = 1e-11 if dtype is np.float64 else 1e-4
    seen = []
    for i in range(8):
        eager()
        step()
        if i % 3 == 0:
            seen.append(parameters[0].data)  # an array of the caller's
            require_same(seen[-1], plain[0].data, rtol)
            copies = [array.copy() for array in seen]
        if i == 4:
            for p in (parameters[1], plain[1]):
                p.data[0] = 0.25
        if i == 5:
            for p in (parameters[2], plain[2]):
                p.data = p.data * 0.5
    for p, q in zip(parameters, plain, strict=True):
        assert p.grad is None
        require_same(p.data, q.data, rtol)
    require_same(seen, copies)  # nothing was written into what was handed out
    assert "subtract(parameters" in step.source
    assert step.source.count(" subtract(") == 2  # the error, and all parameters


def test_what_was_computed_from_parameters_before_a_step_stays():
    parameters, step = descent(True, OPTIMIZERS["descent"])
    step()
    W = parameters[0]
    row, product = W[0], W * 2.0
    before = row.data.copy(), product.data.copy()
    step()
    require_same((row.data.copy(), product.data.copy()), before)
    y = np.sum(W * W)
    step()
    with pytest.raises(cr.ChangedDataError):
        y.backward()


def test_a_long_update_goes_piece_by_piece(random):
    def trained(compiled):
        w, b = (cr.Tensor(np.linspace(-1, 1, n)) for n in (60_000, 30_000))
        optimizer = cr.optim.Adam([w, b], 0.01)

        def step():
            (np.sum(w**2) + np.sum(cr.sigmoid(b)) * 3.0).backward()
            optimizer.step()
            optimizer.zero_grad()

        step = cr.compile(step) if compiled else step
        for _ in range(3):
            step()
        return w.data, b.data, step

    *given, step = trained(True)
    *expected, _ = trained(False)
    assert "for part" in step.source
    require_same(given, expected)
    with pytest.raises(cr.CompileError, match="cannot be saved"):
        step.save("nowhere.py")


def test_updates_that_differ_are_done_one_by_one():
    def trained(compiled):
        w, b = cr.Tensor([1.0, 2.0], label="w"), cr.Tensor([[3.0], [4.0]], label="b")

        def step():
            w.grad = b.grad = None
            np.sum(w * b).backward()
            w.data = w.data - 0.1 * w.grad
            b.data = b.data * 0.9 - 0.2 * b.grad
            return w.data.sum()

        step = cr.compile(step) if compiled else step
        totals = [step() for _ in range(3)]
        return totals, w.data, b.data, w.grad

    require_same(trained(True), trained(False))


def require_alike(f, *calls):
    """Compiled with the first arguments, called with all."""
    compiled = cr.compile(f)
    with np.errstate(all="ignore"):
        for args in calls:
            require_same(compiled(*args), f(*args))
    return compiled


def test_long_runs_read_before_they_write(random):
    x = random.normal(size=(200, 200))

    def f(x):
        c = x @ x
        r = c * 2
        s = np.sin(c)
        d = np.sin(c) + c.T
        e = d * c + c[::-1] + c[0]
        return r @ x, s @ x, e @ x, d

    require_alike(f, (x,), (x * 0.5,))
    z, w = random.normal(size=(2000, 64)), random.normal(size=(64, 64)) / 8

    def normed(p):
        a = z @ p["w"]
        a = (a - a.mean(axis=0)) / np.sqrt(np.var(a, axis=0) + 1e-5)
        h = a / (1 + np.exp(-a)) + z
        return np.mean(np.sum(cr.softmax(h @ p["v"]) * h, axis=1) ** 2)

    require_alike(cr.value_and_grad(normed), ({"w": w, "v": w.T},), ({"w": w * 1.1, "v": w},))


def test_whole_numbers_stay_whole():
    for x in (np.array([1, 2]), np.array([100, 7], np.int8), np.array([True, False])):
        require_alike(lambda x: (x + x, x * 1, x + 0, x - 0 * x), (x,))
        require_alike(lambda x: x**2, (x.astype(int),))
    require_alike(lambda x, i: x[i + i], (np.arange(9.0), np.array([1, 2])))
    require_alike(lambda x: np.ldexp(x, 3), (np.ones(3),))


def test_options_of_sums_count():
    x = np.array([[1.0, -2.0, 3.0]])
    require_alike(
        lambda x: (
            np.sum(x * x, initial=10.0),
            np.sum(x * x, where=x > 1),
            np.sum(x * x, dtype=np.float32),
            np.sum(x, axis=0, initial=10.0),
            np.sum(x, axis=0, where=x > 0),
            np.sum(np.ones_like(x), axis=0, where=x > 0),
            np.concatenate([x, x], dtype=np.float32),
        ),
        (x,),
        (-x,),
    )


def test_arguments_by_name_are_arguments():
    x, y = np.array([1.0, 2.0, 3.0]), np.array([-4.0, 5.0, 0.5])
    grid = np.array([0.5, 1.5])
    require_alike(
        lambda x: (
            np.sort(a=x),
            np.interp(grid, np.arange(3.0), fp=x),
            np.clip(np.arange(3.0), a_min=x, a_max=None),
            np.average(np.ones((3, 2)), axis=0, weights=x**2),
            np.searchsorted(grid, v=x),
            np.max(a=x, axis=0),
            np.sum(a=x),
            np.mean(a=x),
            np.linalg.norm(x=x),
            np.zeros_like(a=x),
        ),
        (x,),
        (y,),
    )


def test_products_of_matrices_do_not_broadcast():
    v, B = np.array([1.0, 2.0, 3.0]), np.arange(9.0).reshape(3, 3)
    require_alike(
        lambda v, B: (
            np.broadcast_to(v, (3, 3)) @ B,
            B @ np.broadcast_to(v, (3, 3)),
            B @ np.ones_like(B),
            np.vecdot(B, np.ones_like(B)),
            np.einsum("ij,j->i", B, [1.0, 2.0, 3.0]),
        ),
        (v, B),
        (v - 5, B.T),
    )


@pytest.mark.parametrize(
    "f",
    [
        lambda y, v: (y.__setitem__(..., 0.0), v[1])[1],
        lambda y, v: (y.T.copy(), y.__setitem__(0, 0.0), v[2])[2],
        lambda y, v: (y.__setitem__(0, 50.0), v[0] * 1.5)[1],
    ],
)
def test_views_are_views(f):
    def g(x):
        y = x.copy()
        return f(y, [*np.split(y, 2), y[1:], y.T])

    x = np.arange(16.0).reshape(4, 4)
    compiled = cr.compile(g)
    for args in (x, x + 1):
        require_same(compiled(args), g(args))


@pytest.mark.parametrize("caught", [False, True])
def test_what_is_refused_is_refused_also_where_it_is_caught(caught):
    def through_a_split(x):
        y = x.copy()
        try:
            np.split(y, 2)[0][0] = 50.0
        except TypeError:
            if not caught:
                raise
        return y * 1

    with pytest.raises(cr.CompileError, match="a view made by np.split is written through"):
        cr.compile(through_a_split)(np.arange(16.0).reshape(4, 4))

    def taken_out(x):
        try:
            return x * float(x[0])
        except TypeError:
            return x * 0.0

    with pytest.raises(cr.CompileError, match="a number is taken out"):
        cr.compile(taken_out)(np.array([2.0]))


def test_views_of_constants_and_of_other_operands():
    def of_zeros(x):
        z = np.zeros_like(x)
        v = z[0]
        v[...] = x[0]
        return z, v

    def of_conj(x):
        t = x.copy()
        v = t.conj()
        t[0] = 5.0
        return v

    def of_sums(x):
        t = x.copy()
        u = np.sum(t[None], axis=0)
        t[0] = 5.0
        return u, t

    for f in (of_zeros, of_conj, of_sums):
        require_alike(f, (np.arange(6.0).reshape(2, 3),), (np.ones((2, 3)),))

    def of_einsum(x):
        t = x.copy()
        v = np.einsum("ij->ji", t)
        t[0] = 5.0
        return v

    def of_the_second(x):
        t = x.copy()
        _, b = np.atleast_1d(x, t)
        t[0] = 9.0
        return b

    for f in (of_einsum, of_the_second):
        with pytest.raises(cr.CompileError, match="an array is changed that has views"):
            cr.compile(f)(np.arange(6.0).reshape(2, 3))
    for through, f in (
        ("T", lambda x: np.ones_like(x).T.__setitem__(0, 3.0)),
        ("reshape", lambda x: np.sum(x, axis=1, keepdims=True).ravel().__setitem__(0, 3.0)),
    ):
        with pytest.raises(cr.CompileError, match=f"a view made by {through} is written through"):
            cr.compile(f)(np.ones((2, 3)))
    slices = cr.compile(lambda x: np.ones_like(x)[::2] * x[::2])
    require_same(slices(np.arange(3.0)), np.array([0.0, 2.0]))


@pytest.mark.parametrize("old", [lambda w: w.data.copy(), lambda w: w.data, lambda w: w.data.T])
def test_what_a_parameter_was_is_no_view_of_what_it_becomes(old):
    def trained(compiled):
        w = cr.Tensor([[1.0, 2.0]])
        optimizer = cr.optim.GradientDescent([w], 0.1)

        def step(x):
            before = old(w)
            optimizer.zero_grad()
            np.sum(w * w * x).backward()
            optimizer.step()
            return before + 0.0 if not compiled and before.base is not None else before

        def halves():
            optimizer.zero_grad()
            (0.5 * np.sum(w * w)).backward()
            optimizer.step()

        step, halves = (cr.compile(step), cr.compile(halves)) if compiled else (step, halves)
        found = [np.array(step(x)) for x in (1.0, 2.0)]
        halves()
        return found, w.data, w.grad

    require_same(trained(True), trained(False))


def test_parameters_that_lie_in_a_long_array_can_be_read_by_others():
    w = cr.Tensor([1.0, 2.0])
    optimizer = cr.optim.GradientDescent([w], 0.1)

    @cr.compile
    def step(x):
        optimizer.zero_grad()
        np.sum(w * w * x).backward()
        optimizer.step()

    step(np.ones(2))
    step(np.ones(2))
    require_same(cr.compile(lambda x: w.data * x)(2.0), w.data * 2.0)
    require_same(cr.compile(lambda x: w[0] * x)(2.0), w.data[0] * 2.0)
    step(np.ones((3, 2)))
    before = w.data

    @cr.compile
    def decides():
        loss = np.sum(w * w)
        loss.backward()
        optimizer.step()
        return 1.0 if loss.data > 0 else 2.0

    step(np.ones(2))
    held = w.data.copy()
    w.grad = None
    with pytest.raises(cr.CompileError):
        decides()
    kept = w.data
    step(np.ones(2))
    require_same(kept, held)  # what was handed out does not change
    assert not np.array_equal(before, w.data)


def test_a_seed_that_is_a_leaf_is_read_anew():
    for kind, first, second in (
        (cr.Tensor, np.array([1.0, 2.0]), np.array([5.0, 6.0])),
        (cr.Value, 1.0, 5.0),
    ):
        seed, t = kind(first), kind(first)

        def f(x, seed=seed, t=t):
            t.grad = None
            (t * x).backward(seed)
            return t.grad

        compiled = cr.compile(f)
        compiled(2.0)
        seed.data = second
        require_same(compiled(2.0), f(2.0))


def test_errors_that_functions_catch_or_ask_for():
    def inverse(x):
        try:
            return np.linalg.inv(x)
        except np.linalg.LinAlgError:
            return x * 0.0

    compiled = cr.compile(inverse)
    with pytest.raises(cr.CompileError, match="catches an error that numbers made"):
        compiled(np.zeros((2, 2)))
    require_same(compiled(np.eye(2) * 2), np.eye(2) / 2)

    def strict(x):
        with np.errstate(divide="raise"):
            return 1.0 / x

    with pytest.raises(cr.CompileError, match="asks for errors"):
        cr.compile(strict)(np.ones(2))


def test_modes_around_a_call_are_those_of_the_function():
    w = cr.Tensor([4.0, 0.0])
    gradient = cr.compile(cr.grad(lambda x: np.sum(np.sqrt(x))))
    gradient(np.array([4.0, 1.0]))
    with cr.detect_anomaly(), pytest.raises(FloatingPointError):
        gradient(np.array([4.0, 0.0]))

    @cr.compile
    def sets():
        w.grad = None
        y = np.sum(w * w)
        if y.op is not None:
            y.backward()

    sets()
    assert (w.grad == 2 * w.data).all()
    with cr.no_grad():
        sets()
    assert w.grad is None


def test_more_views():
    def f(x):
        y = x.copy()
        v = y.view()
        v[0] = 50.0
        w = y.astype(float, copy=False)
        w[1] = 5.0
        y.real[2] = 7.0
        z = y[3, ...]
        z += 1
        flat = y.flatten()
        flat[0] = -1.0
        return y * 1, flat, v

    require_alike(f, (np.arange(5.0),), (np.ones(5),))

    def number(x):
        y = x.copy()
        z = y
        y += 1
        return z

    require_alike(number, (np.array(2.0),))

    def through(x):
        y = x.copy()
        v = y.reshape(-1)
        return v * 2, y

    require_alike(through, (np.asfortranarray(np.arange(6.0).reshape(2, 3)),))


def test_lengths_that_depend_on_numbers_are_refused():
    x = np.array([1.0, 2.0, 3.0])
    for f in (
        lambda x: x[: np.argmax(x)] * 2,
        lambda x: np.roots(x) * 2,
        lambda x: np.repeat(x, repeats=np.argmax(x)),
        lambda x: np.diff(x, n=np.argmax(x)),
        lambda x: np.broadcast_to(x, (np.argmax(x), 3)),
        lambda x: np.mean(x[np.argmin(x) :]),
    ):
        with pytest.raises(cr.CompileError, match="test_compile.py"):
            cr.compile(f)(x)


def test_placeholders_are_of_the_class_of_what_they_stand_for():
    x = np.array([1.0, 2.0])
    require_alike(lambda x: x * 2 if isinstance(x, np.ndarray) else x * 3, (x,))
    require_alike(lambda x: x * 2 if isinstance(x, float) else x * 3, (3.0,))
    require_alike(lambda x: x * 2 if np.isscalar(x) else x * 3, (3.0,))


def test_a_leaf_that_is_only_written():
    w, v = cr.Tensor(np.zeros(2)), cr.Value(1.0)

    def f(x):
        w.data = x * 2
        v.data = 5.0

    compiled = cr.compile(f)
    for x in (np.array([1.0, 2.0]), np.array([3.0, 4.0])):
        compiled(x)
        require_same(w.data, x * 2)
        assert v.data == 5.0


def test_results_must_be_containers_that_are_known():
    with pytest.raises(cr.CompileError, match="the result holds"):
        cr.compile(lambda x: iter([x]))(np.ones(2))
    for f in (lambda x: {x.sum()}, lambda x: {1.0: 2.0}.get(x.sum(), 7.0)):
        with pytest.raises(cr.CompileError, match="goes into a set or a dict as a key"):
            cr.compile(f)(np.ones(2))
    assert cr.compile(lambda: 3.0)() == 3.0
    require_same(cr.compile(lambda: np.ones(2))(), np.ones(2))


def test_zero_wins_in_forward_mode_too():
    for f in (np.sqrt, np.log):
        require_alike(
            lambda x, v, f=f: cr.jvp(lambda y: np.sum(f(y)), (x,), (v,)),
            (np.array([1.0, 2.0]), np.array([1.0, 2.0])),
            (np.array([0.0, 1.0]), np.array([0.0, 1.0])),
        )


def test_constants_that_change_while_tracing():
    def f(x):
        m = np.ones(3)
        a = x * m
        m[0] = 0
        b = x * m
        m[0] = 1
        return a, b

    with pytest.raises(cr.CompileError, match="written into"):
        cr.compile(f)(np.ones(3))

    def grows(x):
        y = np.kron(np.ones_like(x), np.array([1.0, 2.0]))
        y[0] += x[0]
        return y

    require_alike(grows, *[(np.arange(1.0, 4.0),)] * 3)


def test_numbers_at_the_ends_of_the_range():
    single = np.array([1e-30, 1.0], np.float32)
    require_alike(lambda x: x * 1e20 * 1e20, (single,))
    require_alike(lambda x: x * 1e-30 * 1e-30, (1 / single,))
    require_alike(lambda x: x * 300 * 300, (np.array([0.1], np.float16),))
    require_alike(lambda x: x / 2.0**-140, (single * 1e-20,))
    require_alike(lambda x: x / 2.0**-1074, (np.zeros(2),))
    require_alike(lambda x: (1 / (0 - x), np.arctan2(0 - x, -1.0)), (np.zeros(2),))
    z = np.array([1 + 0j, -2j])
    require_alike(lambda z: (np.sqrt(-1.0 * z), np.sqrt(0 - z), z + complex(-1, -0.0)), (z,))
    require_alike(lambda z: (np.sqrt(-(z * 2.0)), np.sqrt(-np.conj(z) * 1), np.sqrt(-z / 1)), (z,))
    require_alike(lambda x: x > np.ones_like(x, dtype=np.float64) * 0.1, (np.full(2, 0.1, "f4"),))
    require_alike(lambda v, B: (np.eye(2) * v) @ B, (np.array([np.inf, 1.0]), np.ones((2, 2))))
    with pytest.raises(cr.CompileError, match="layout"):
        cr.compile(lambda x: x.ravel(order="A"))(np.ones((2, 2)))
    with pytest.raises(cr.CompileError, match="convert first"):
        cr.compile(lambda x: x.copy().__iadd__(0.5))(np.array([1, 2]))


def test_pythons_numbers_stay_pythons():
    f = lambda x: (x % 2.0, x**2, x**0.5, abs(x), x // 0.3, 2.0**x, -x, +x, x * 1.0)
    require_alike(f, (3.0,), (0.25,))


def test_calls_in_other_ways_compile_anew():
    def f(x, scale=2.0, _y=0.0, lambda_=1.0, state=0.0, type=0.0):  # noqa: A002
        return x * scale * lambda_ + _y + state + type

    compiled = cr.compile(f)
    x = np.ones(2)
    for args, kwargs in (
        ((x,), {}),
        ((x, 5.0), {}),
        ((x,), {"scale": 3.0}),
        ((x,), {"_y": 3.0}),
        ((x,), {"lambda_": 3.0, "state": 1.0}),
        ((x,), {"type": 3.0, "scale": 2.0}),
        ((x,), {}),
    ):
        require_same(compiled(*args, **kwargs), f(*args, **kwargs))
    require_same(cr.compile(np.ma.sum)(np.ma.array([1.0, 2.0], mask=[0, 1])), np.float64(1))
    assert "compiled" in repr(cr.compile(np.sin))


class Color(enum.Enum):
    RED = 1


def test_keys_of_every_kind():
    require_alike(
        lambda d: {Color.RED: d["a"] * 2, 3: d[Color.RED], "a b": d[1.5]},
        ({"a": np.ones(2), Color.RED: 2.0, 1.5: 3.0},),
    )


def test_filling_a_constant_says_the_way_out():
    def f(x):
        out = np.zeros(2)
        out[0] = x[0]
        return out

    with pytest.raises(cr.CompileError, match="zeros_like"):
        cr.compile(f)(np.ones(2))
    with pytest.raises(cr.CompileError, match=r"cr\.Tensor\(constant\)"):
        cr.compile(lambda i: np.eye(3)[i])(np.array([1, 2]))


def test_a_learning_rate_may_change():
    def trained(compiled):
        w = cr.Tensor([1.0, 2.0])
        optimizer = cr.optim.GradientDescent([w], 0.1)

        def step():
            np.sum(w * w).backward()
            optimizer.step()
            optimizer.zero_grad()

        step = cr.compile(step) if compiled else step
        for rate in (0.1, 0.05, 0.3):
            optimizer.learning_rate = rate
            step()
        return w.data

    require_same(trained(True), trained(False))


#: Statements over matrices that exist: a new one, a view, or a change in place.
NEW = (
    "np.sin({a})",
    "{a} * {b}",
    "{a} - 0.5",
    "-{a}",
    "{a} @ {b} * 0.2",
    "np.where({a} > 0, {a}, {b})",
)
NEW += ("{a} + np.sum({a} * {b})", "{a} + {b}.sum(axis=0)", "{a} / (2 + {b} * {b})", "cr.relu({a})")
NEW += ("{a} - {b}.mean(axis=1, keepdims=True)", "{a}.copy()", "{a} * {b}[0] + {b}[:, :1]")
VIEW = ("{a}.T", "{a}[::-1]", "{a}[:, ::-1]", "{a}[...]", "{a}.reshape(9).reshape(3, 3)")
CHANGE = (
    "{a} += {b}",
    "{a} *= 0.5",
    "{a}[0] = {b}[1]",
    "{a}[1:] = {a}[:-1]",
    "{a}[:, 0] -= {b}[2]",
)
CHANGE += ("{a}[{b} > 0.5] = 0.25", "np.multiply({a}, {b}, out={a})", "{a}[[0, 1]] = {b}[[1, 0]]")
CHANGE += ("np.add.at({a}, ([0, 0], [1, 1]), {b}[0, 0])", "np.copyto({a}, {b}, where={b} > 0)")


@st.composite
def scripts(draw):
    """A function of a matrix as text: views are only read, all else may change in place."""
    lines, own, known = ["v0 = x * 1.0"], ["v0"], ["v0"]
    for _ in range(draw(st.integers(3, 12))):
        kinds = draw(st.sampled_from([NEW, NEW, VIEW, CHANGE, CHANGE]))
        template = draw(st.sampled_from(kinds))
        a = draw(st.sampled_from(own if kinds is CHANGE else known))
        line = template.format(a=a, b=draw(st.sampled_from(known)))
        if kinds is not CHANGE:
            known.append(f"v{len(known)}")
            line = f"{known[-1]} = {line}"
            own += known[-1:] if kinds is NEW else []
        lines.append(line)
    results = ", ".join(f"{name} * 1.5" for name in known[-3:])
    return "def f(x):\n    " + "\n    ".join(lines) + f"\n    return {results}, {known[-1]}\n"


@pytest.fixture(params=["whole", "pieces"])
def cut(request, monkeypatch):
    """Short arrays in pieces, too, as only long ones are."""
    if request.param == "pieces":
        monkeypatch.setattr(tiles, "LARGE", 1)
        monkeypatch.setattr(tiles, "ALL_PIECES", 64)
        monkeypatch.setattr(tiles, "LEAST_PIECE", 64)


@given(source=scripts())
@settings(PROGRAMS, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_changes_in_place(cut, source):
    namespace = {"np": np, "cr": cr}
    exec(source, namespace)  # noqa: S102
    f = namespace["f"]
    compiled = cr.compile(f)
    rows = np.linspace(-1.5, 1.4, 9).reshape(3, 3)
    for x in (rows, np.cos(3 * rows), np.asfortranarray(rows), rows[::-1]):
        require_same(compiled(x), f(x), rtol=1e-8, noise=1e-14)


@given(
    programs(arrays=True),
    st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=6, max_size=6),
    st.lists(st.sampled_from(SHAPES), min_size=3, max_size=3),
)
@settings(PROGRAMS, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_programs(cut, steps, data, shapes):
    rows = shaped(data, [*shapes, *shapes])
    gradient = cr.value_and_grad(lambda inputs: cr.sum(run(steps, inputs)))
    compiled = cr.compile(gradient)
    compiled(rows[:3])
    try:
        expected = gradient(rows[3:])
    except np.linalg.LinAlgError:
        return
    require_same(compiled(rows[3:]), expected, rtol=1e-9)
