"""Optimisers, schedules and clipping, against PyTorch's own numbers."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

TORCH = json.loads((Path(__file__).parent / "data" / "torch.json").read_text(encoding="utf-8"))
TRAJECTORIES = {t["name"]: t for t in TORCH["trajectories"]}
ALL = [
    *(cr.optim.GradientDescent, cr.optim.SGD, cr.optim.RMSProp, cr.optim.Adagrad),
    *(cr.optim.Adam, cr.optim.AdamW, cr.optim.Lion),
]


def problem():
    x, target, *start = (np.array(a) for a in TORCH["problem"])
    return x, target, start


def loss_of(x, target, W, b, V):
    return np.mean((np.tanh(x @ W + b) @ V - target) ** 2)


def made(trajectory, parameters):
    options = dict(trajectory["optimizer_options"])
    return getattr(cr.optim, trajectory["optimizer"])(parameters, **options)


@pytest.mark.parametrize("name", TRAJECTORIES)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_the_object_follows_pytorch(name, compiled):
    expected = TRAJECTORIES[name]
    x, target, start = problem()
    parameters = [cr.Tensor(p) for p in start]
    optimizer = made(expected, parameters)

    def step(x, target):
        optimizer.zero_grad()
        loss = loss_of(x, target, *parameters)
        loss.backward()
        optimizer.step()
        return loss

    run = cr.compile(step) if compiled else step
    losses = [run(x, target).item() for _ in expected["losses"]]
    np.testing.assert_allclose(losses, expected["losses"], rtol=1e-10)
    for p, end in zip(parameters, expected["parameters"], strict=True):
        np.testing.assert_allclose(p.data, end, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_the_pure_functions_follow_pytorch(name):
    expected = TRAJECTORIES[name]
    x, target, start = problem()
    rule = made(expected, None)
    params = dict(zip("WbV", start, strict=True))
    state = rule.init(params)
    first = {key: p.copy() for key, p in params.items()}
    given = params
    gradients = cr.grad(lambda params: loss_of(x, target, **params))
    for _ in expected["losses"]:
        params, state = rule.update(gradients(params), state, params)
    for p, end in zip(params.values(), expected["parameters"], strict=True):
        np.testing.assert_allclose(p, end, rtol=1e-10, atol=1e-12)
    assert state.count == len(expected["losses"])
    assert all(np.array_equal(given[key], p) for key, p in first.items())


def test_lion_follows_its_paper():
    """Algorithm 2 of Chen et al., 2023, written out."""
    random = np.random.default_rng(0)
    A = random.normal(size=(4, 4))
    w, m = np.ones(4), np.zeros(4)
    p = cr.Tensor(np.ones(4))
    optimizer = cr.optim.Lion([p], 0.01, betas=(0.8, 0.95), weight_decay=0.3)
    for _ in range(30):
        optimizer.zero_grad()
        np.sum(np.cos(A @ p)).backward()
        optimizer.step()
        g = -A.T @ np.sin(A @ w)
        c = 0.8 * m + 0.2 * g
        w = w - 0.01 * (np.sign(c) + 0.3 * w)
        m = 0.95 * m + 0.05 * g
        np.testing.assert_allclose(p.data, w, rtol=1e-12)


@pytest.mark.parametrize("text", TORCH["schedules"])
def test_schedules_follow_pytorch(text):
    schedule = eval(text, vars(cr.optim))  # noqa: S307 -- the tests' own text
    expected = TORCH["schedules"][text]
    np.testing.assert_allclose([schedule(t) for t in range(12)], expected, rtol=1e-12)
    assert repr(schedule).startswith(type(schedule).__name__)
    w = cr.Tensor([1.0])
    optimizer = cr.optim.SGD([w], schedule)
    step = cr.compile(lambda x: (optimizer.zero_grad(), (w * x).sum().backward(), optimizer.step()))
    rates = []
    for t in range(12):
        assert optimizer.learning_rate == pytest.approx(expected[t])
        before = w.item()
        step(np.array([1.0]))
        rates.append(before - w.item())
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_a_schedule_of_ones_own_and_a_number_in_its_place():
    w = cr.Tensor(np.ones(2, np.float32))
    optimizer = cr.optim.SGD([w], lambda t: 0.5 / (t + 1))
    assert "learning_rate=<function" in repr(optimizer)
    moved = []
    for _ in range(3):
        before = w.data.copy()
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
        moved.append(float(before[0] - w.data[0]))
        assert w.dtype == np.float32
    assert moved == pytest.approx([0.5, 0.25, 0.5 / 3])
    optimizer.learning_rate = 0.125
    optimizer.step()
    assert optimizer.learning_rate == 0.125


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("rate", [0.05, cr.optim.Cosine(0.05, 50)], ids=["number", "schedule"])
def test_values_go_where_arrays_go(kind, rate):
    start = [0.5, -1.5, 2.0]
    values, array = [cr.Value(x) for x in start], cr.Tensor(start)
    ours = kind(values, rate, weight_decay=0.1, clip_norm=0.7)
    theirs = kind([array], rate, weight_decay=0.1, clip_norm=0.7)
    for _ in range(20):
        ours.zero_grad()
        sum((cr.sin(v) * v for v in values[1:]), cr.sin(values[0]) * values[0]).backward()
        ours.step()
        theirs.zero_grad()
        np.sum(np.sin(array) * array).backward()
        theirs.step()
    assert [v.data for v in values] == pytest.approx(array.data.tolist(), rel=1e-12)
    assert all(type(v.data) is float for v in values)


@pytest.mark.parametrize("kind", ALL)
def test_values_compile(kind):
    def run(compiled):
        values = [cr.Value(x) for x in (0.5, -1.5)]
        optimizer = kind(values, 0.05)

        def step(x):
            optimizer.zero_grad()
            loss = cr.sin(values[0] * x) * values[1]
            loss.backward()
            optimizer.step()
            return loss

        step = cr.compile(step) if compiled else step
        return [y if type(y := step(0.5 + k)) is float else y.item() for k in range(6)]

    assert run(True) == pytest.approx(run(False), rel=1e-12)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_stay(kind, dtype):
    w = cr.Tensor(np.ones(3, dtype))
    optimizer = kind(
        [w], cr.optim.WarmUp(3, 0.01), weight_decay=0.1, clip_norm=0.1, clip_value=0.05
    )
    for _ in range(3):
        optimizer.zero_grad()
        np.sum(w * w).backward()
        optimizer.step()
    assert w.dtype == dtype
    assert all(slot.dtype == dtype for own in optimizer.slots for slot in own)
    assert np.all(w.data < 1)


def test_complex_parameters_descend_with_sgd_alone():
    z = cr.Tensor([1.0 + 2.0j])
    optimizer = cr.optim.SGD([z], 0.1, momentum=0.5)
    sizes = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = np.sum(np.abs(z) ** 2)
        loss.backward()
        optimizer.step()
        sizes.append(loss.item())
    assert sizes == sorted(sizes, reverse=True)
    with pytest.raises(TypeError, match="Adam changes real numbers, not complex"):
        cr.optim.Adam([z])


def test_arguments():
    w = cr.Tensor([1.0])
    for make, message in (
        (lambda: cr.optim.SGD([w], momentum=1.0), "momentum=1.0: at least 0 and below 1"),
        (lambda: cr.optim.SGD([w], nesterov=True), "needs a momentum above 0"),
        (lambda: cr.optim.SGD([w], weight_decay=-1), "weight_decay=-1: at least 0"),
        (lambda: cr.optim.SGD([w], clip_norm=0), "clip_norm=0: above 0, or None"),
        (lambda: cr.optim.SGD([w], clip_value=-1.0), "clip_value=-1.0: above 0"),
        (lambda: cr.optim.RMSProp([w], alpha=1.0), "alpha=1.0"),
        (lambda: cr.optim.RMSProp([w], momentum=-0.1), "momentum=-0.1"),
        (lambda: cr.optim.RMSProp([w], eps=0), "eps=0: above 0"),
        (lambda: cr.optim.Adagrad([w], decay=-1), "decay=-1: at least 0"),
        (lambda: cr.optim.Adagrad([w], eps=0), "eps=0: above 0"),
        (lambda: cr.optim.Adam([w], eps=0), "eps=0: above 0"),
        (lambda: cr.optim.Adam([w], betas=(0.9, 1.0)), "betas are two numbers"),
        (lambda: cr.optim.Lion([w], betas=(0.9,)), "betas are two numbers"),
        (lambda: cr.optim.StepDecay(0.1, 0), "every=0: at least 1 step"),
        (lambda: cr.optim.Exponential(0.1, 0.0), "factor=0.0: above 0"),
        (lambda: cr.optim.Cosine(0.1, 10, 0.2), "floor=0.2: from 0 to the rate"),
        (lambda: cr.optim.WarmUp(0, 0.1), "steps=0: at least 1"),
        (lambda: cr.optim.WarmUp(3, -0.1), "then=-0.1: above 0, or a schedule"),
        (lambda: setattr(cr.optim.SGD([w]), "learning_rate", -1.0), "must be positive, got -1"),
        (lambda: cr.optim.SGD().step(), "made without them"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(TypeError, match=r"got MLP: pass its \.parameters\(\)"):
        cr.optim.Adam(cr.nn.MLP([2, 1]))
    rule = cr.optim.Adam()
    state = rule.init({"a": np.ones(2)})
    with pytest.raises(ValueError, match="not of one structure"):
        rule.update({"b": np.ones(2)}, state, {"a": np.ones(2)})
    with pytest.raises(ValueError, match="the state is of 1 arrays, params has 2"):
        rule.update([1.0, 2.0], state, [1.0, 2.0])


def test_norms_of_gradients():
    gradients = {"w": np.array([[3.0, 0.0]], np.float32), "b": np.array([4.0], np.float32)}
    assert cr.optim.global_norm(gradients) == pytest.approx(5.0)
    short = cr.optim.clip_by_norm(gradients, 1.0)
    assert cr.optim.global_norm(short) == pytest.approx(1.0, rel=1e-5)
    assert short["w"].dtype == np.float32
    same = cr.optim.clip_by_norm(gradients, 6.0)
    assert np.array_equal(same["w"], gradients["w"])
    assert cr.optim.clip_by_norm([np.zeros(2)], 1.0)[0].tolist() == [0.0, 0.0]
    assert cr.optim.clip_by_value(gradients, 3.5)["b"].tolist() == [3.5]


# --------------------------------------------------------------------------- scipy_minimize


def rosenbrock(p):
    return np.sum((1 - p[:-1]) ** 2 + 100 * (p[1:] - p[:-1] ** 2) ** 2)


@pytest.mark.parametrize(
    "method", ["L-BFGS-B", "BFGS", "CG", "Newton-CG", "trust-ncg", "trust-krylov", "SLSQP"]
)
def test_scipys_methods_find_the_minimum(method):
    result = cr.optim.scipy_minimize(rosenbrock, np.array([-1.2, 1.0, 0.7]), method=method)
    assert result.success
    np.testing.assert_allclose(result.params, np.ones(3), atol=1e-3)


def test_scipy_minimises_over_containers_and_leaves():
    A = np.array([[3.0, 1.0], [1.0, 2.0]])

    def loss(p, b):
        return 0.5 * p["x"] @ A @ p["x"] - b @ p["x"] + (p["c"] - 2.0) ** 2

    b = np.array([1.0, -1.0])
    result = cr.optim.scipy_minimize(loss, {"c": 0.0, "x": np.zeros(2, np.float32)}, (b,), tol=1e-9)
    assert result.params["x"].dtype == np.float32
    np.testing.assert_allclose(result.params["x"], np.linalg.solve(A, b), atol=1e-4)
    assert result.params["c"] == pytest.approx(2.0, abs=1e-4)

    net = cr.nn.MLP([1, 6, 1], "tanh", seed=0)
    x = np.linspace(-1, 1, 12)[:, None]
    fit = lambda: cr.nn.mean_squared_error(net(x), x**2)
    before = fit().item()
    result = cr.optim.scipy_minimize(fit, net.parameters(), options={"maxiter": 60})
    assert fit().item() == pytest.approx(result.fun, rel=1e-12)
    assert result.fun < 1e-3 * before
    w = cr.Value(3.0)
    result = cr.optim.scipy_minimize(lambda: (w - 1.0) ** 2, [w], method="Nelder-Mead")
    assert w.data == pytest.approx(1.0, abs=1e-3)
    assert result.params[0] is w


def test_scipy_minimize_refuses():
    with pytest.raises(ValueError, match="no parameters"):
        cr.optim.scipy_minimize(rosenbrock, [])
    with pytest.raises(TypeError, match="not both"):
        cr.optim.scipy_minimize(rosenbrock, [cr.Value(1.0), np.ones(2)])
    with pytest.raises(TypeError, match="real numbers"):
        cr.optim.scipy_minimize(rosenbrock, np.array([1j]))
    with pytest.raises(TypeError, match="not both"):
        cr.optim.scipy_minimize(rosenbrock, (cr.Value(1.0),))
    with pytest.raises(ValueError, match="does not depend on all parameters"):
        cr.optim.scipy_minimize(lambda: v * v, [v := cr.Value(1.0), cr.Value(1.0)])
    with pytest.raises(ValueError, match="as a function of arrays, not of leaves"):
        cr.optim.scipy_minimize(lambda: 0, [cr.Value(1.0)], method="Newton-CG")


def test_without_scipy_the_install_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'chainrule\[scipy\]'"):
        cr.optim.scipy_minimize(rosenbrock, np.ones(3))
