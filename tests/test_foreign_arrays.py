"""No rule converts arrays of another library: the whole op table, layers and training on them."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.ops import TABLE
from chainrule.trees import flatten
from foreign import Foreign
from numpy_calls import CALLS
from samples import SAMPLES

ROWS = [
    pytest.param(name, row, id=f"{name}-{i}")
    for name, rows in SAMPLES.items()
    for i, row in enumerate(rows)
    if TABLE[name].differentiable
]
RANDOM = np.random.default_rng(0)


def is_differentiated(x):
    return isinstance(x, np.ndarray) and x.dtype.kind in "fc"


def inputs_of(row, make):
    return [
        cr.Tensor(make(x.copy()))
        if is_differentiated(x)
        else make(x)
        if isinstance(x, np.ndarray)
        else x
        for x in row.inputs
    ]


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_an_op(name, row):
    op = TABLE[name]
    usual, foreign = (inputs_of(row, make) for make in (np.array, Foreign))
    if not any(isinstance(x, cr.Tensor) for x in usual):
        pytest.skip("nothing to differentiate by")
    y, z = (op.apply(tuple(inputs), row.params) for inputs in (usual, foreign))
    assert type(z.data) is Foreign
    np.testing.assert_allclose(z.data.inside, y.data, rtol=1e-12)
    seed = RANDOM.normal(size=y.shape).astype(y.dtype)
    y.backward(seed)
    z.backward(Foreign(seed))
    for a, b in zip(usual, foreign, strict=True):
        if isinstance(a, cr.Tensor) and a.grad is None:
            assert b.grad is None
        elif isinstance(a, cr.Tensor):
            assert type(b.grad) is Foreign
            np.testing.assert_allclose(b.grad.inside, a.grad, rtol=1e-10, atol=1e-12)


#: They look at how many numbers are NaN, on which positions depend; or take weights.
REFUSED = {"np.nanmedian", "np.nanquantile", "np.nanpercentile", "np.cov"}


def converted(x, make):
    """Arrays of floats as Tensors of another library's, wherever they are."""
    if is_differentiated(x):
        return cr.Tensor(make(x.copy()))
    if isinstance(x, tuple | list):
        return type(x)(converted(item, make) for item in x)
    return {key: converted(item, make) for key, item in x.items()} if isinstance(x, dict) else x


def tensors(x):
    return [leaf for leaf in flatten(x)[0] if isinstance(leaf, cr.Tensor)]


@pytest.mark.parametrize("call", [pytest.param(c, id=f"{c.name}-{i}") for i, c in enumerate(CALLS)])
@pytest.mark.filterwarnings("ignore")
def test_a_function_of_numpy(call):
    given, results = [], []
    for make in (np.array, Foreign):
        args, kwargs = converted(call.args, make), converted(call.kwargs, make)
        given.append(tensors([list(args), kwargs]))
        try:
            result = call.function(*args, **kwargs)
        except AssertionError:
            assert call.name in REFUSED
            return
        results.append(tensors(list(result) if isinstance(result, tuple | list) else [result]))
    for y, z in zip(*results, strict=True):
        assert type(z.data) is Foreign
        np.testing.assert_allclose(z.data.inside, y.data, rtol=1e-10, atol=1e-12)
        seed = np.ones(y.shape, y.dtype)
        y.backward(seed)
        z.backward(Foreign(seed))
    for a, b in zip(*given, strict=True):
        assert (a.grad is None) is (b.grad is None)
        if a.grad is not None:
            assert type(b.grad) is Foreign
            np.testing.assert_allclose(b.grad.inside, a.grad, rtol=1e-8, atol=1e-10)


def test_the_array_is_a_foreign_one():
    x = Foreign(np.ones(3))
    with pytest.raises(AssertionError, match="is converted"):
        np.asarray(x)
    with pytest.raises(AssertionError, match=r"NumPy's array of shape \(3,\), float64, beside"):
        x + np.ones(3)
    assert type(np.sum(x)) is type(x[0]) is type(x + 1.0) is Foreign
    with pytest.raises(TypeError):
        memoryview(x)


LAYERS = {
    "MLP": (lambda: nn.MLP([6, 5, 4], "gelu", seed=0), (8, 6)),
    "Conv": (
        lambda: nn.Sequential(
            *(nn.Conv(1, 2, 3, padding=1, bias=False, seed=0), nn.BatchNorm(2), cr.relu),
            *(nn.MaxPool(2), nn.Flatten(), nn.LayerNorm(8), nn.Linear(8, 4, seed=1)),
        ),
        (8, 1, 4, 4),
    ),
    "LSTM": (lambda: Last(nn.LSTM(3, 4, seed=0)), (8, 3, 3)),
    "GRU": (lambda: Last(nn.GRU(3, 4, seed=0)), (8, 3, 3)),
    "attention": (lambda: Last(nn.MultiHeadAttention(4, 2, seed=0)), (8, 3, 4)),
}


class Last(nn.Module):
    """What a layer of sequences gives for the last step."""

    def __init__(self, layer):
        self.layer = layer

    def __call__(self, x):
        y = self.layer(x)
        return (y[0] if isinstance(y, tuple) else y)[:, -1]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("rule", ["SGD", "Adam", "RMSProp", "Lion"])
def test_training(name, rule):
    make, shape = LAYERS[name]
    x, labels = RANDOM.normal(size=shape), np.arange(8) % 4

    def trained(convert):
        net = make()
        net.to(convert)
        optimizer = getattr(cr.optim, rule)(net.parameters(), 0.01, clip_norm=1.0)
        losses = []
        for _ in range(4):
            optimizer.zero_grad()
            loss = nn.cross_entropy(net(convert(x)), convert(labels))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return net, losses

    (usual, expected), (net, losses) = trained(np.array), trained(lambda x: Foreign(np.array(x)))
    assert losses == pytest.approx(expected, rel=1e-9)
    for a, b in zip(usual.parameters(), net.parameters(), strict=True):
        assert type(b.data) is Foreign
        np.testing.assert_allclose(b.data.inside, a.data, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("workload", ["W4", "W5", "W6", "W7"])
def test_the_workloads_that_a_gpu_is_measured_with(workload):
    def loss_of(convert):
        random = np.random.default_rng(1)
        if workload == "W7":
            x = cr.Tensor(convert(random.uniform(0.5, 1.0, size=40)))
            y = x
            for _ in range(10):
                y = np.tanh(y) * 0.5 + y
                y = np.exp(-y * y) + np.sqrt(y + 1.0) / 2.0
            return np.sum(y), [x]
        sizes = {"W4": [8, 8, 8, 4], "W5": [16, 12, 8, 4], "W6": [12, 12]}[workload]
        net = nn.MLP(sizes, "relu", seed=0)
        net.to(convert)
        x = convert(random.normal(size=(6, sizes[0])))
        if workload == "W6":
            return np.mean(net(x) ** 2), net.parameters()
        return nn.cross_entropy(net(x), convert(np.arange(6) % 4)), net.parameters()

    results = []
    for convert in (np.array, lambda x: Foreign(np.array(x))):
        loss, leaves = loss_of(convert)
        loss.backward()
        results.append([loss.item(), *[getattr(p.grad, "inside", p.grad) for p in leaves]])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-13)


def test_transforms():
    x = np.array([0.3, -0.8, 1.2])
    f = lambda x: np.sum(np.sin(x) * x)
    assert np.allclose(cr.grad(f)(Foreign(x)).inside, cr.grad(f)(x))
    y, pullback = cr.vjp(lambda x: x * x, Foreign(x))
    assert type(y) is Foreign
    (found,) = pullback(Foreign(np.ones(3)))
    assert np.allclose(found.inside, 2 * x)
    _, moved = cr.jvp(f, (Foreign(x),), (Foreign(np.ones(3)),))
    assert np.allclose(getattr(moved, "inside", moved), cr.jvp(f, (x,), (np.ones(3),))[1])
    product = cr.hvp(f, Foreign(x), Foreign(np.ones(3)))
    assert np.allclose(product.inside, cr.hvp(f, x, np.ones(3)))


def test_compiling_beside_them_leaves_constants_alone():
    cr.Tensor(Foreign(np.ones(2)))
    constant = np.ones(3)
    cr.compile(cr.grad(lambda x: np.sum(np.sin(x) * constant)))(np.zeros(3))
    assert constant.flags.writeable
