"""Layers, activations, losses and initialisers, against PyTorch's own numbers."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

TORCH = json.loads((Path(__file__).parent / "data" / "torch.json").read_text(encoding="utf-8"))
RANDOM = np.random.default_rng(0)
EXACT = {"rtol": 1e-11, "atol": 1e-12}

#: Every layer, with an input that fits.
LAYERS = {
    "Linear": (lambda **k: nn.Linear(3, 4, **k), RANDOM.normal(size=(5, 3))),
    "Linear without bias": (lambda **k: nn.Linear(3, 4, bias=False, **k), np.ones((2, 3))),
    "MLP": (lambda **k: nn.MLP([3, 4, 2], "elu", **k), RANDOM.normal(size=(5, 3))),
    "Conv": (lambda **k: nn.Conv(2, 4, 3, **k), RANDOM.normal(size=(2, 2, 5, 4))),
    "Conv of one axis": (lambda **k: nn.Conv(2, 4, (2,), **k), RANDOM.normal(size=(2, 2, 5))),
    "Embedding": (lambda **k: nn.Embedding(7, 3, **k), np.array([[1, 2], [6, 1]])),
    "RNN": (lambda **k: nn.RNN(3, 4, **k), RANDOM.normal(size=(2, 3, 3))),
    "GRU": (lambda **k: nn.GRU(3, 4, **k), RANDOM.normal(size=(2, 3, 3))),
    "LSTM": (lambda **k: nn.LSTM(3, 4, forget=1.0, **k), RANDOM.normal(size=(2, 3, 3))),
    "MultiHeadAttention": (lambda **k: nn.MultiHeadAttention(4, 2, **k), np.ones((1, 3, 4))),
    "LayerNorm": (lambda **k: unseeded(nn.LayerNorm, 3, k), RANDOM.normal(size=(5, 3))),
    "BatchNorm": (lambda **k: unseeded(nn.BatchNorm, 3, k), RANDOM.normal(size=(5, 3, 2))),
}


def unseeded(kind, size, options):
    return kind(size, **{key: x for key, x in options.items() if key != "seed"})


def of(result):
    """The outputs alone, where a layer gives its state, too."""
    return result[0] if isinstance(result, tuple) else result


# ------------------------------------------------------------------------- against PyTorch


@pytest.mark.parametrize("expected", TORCH["recurrent"], ids=lambda r: r["name"])
def test_recurrent_layers(expected):
    layer = getattr(nn, expected["name"])(3, 4)
    b, c = np.array(expected["b"]), np.array(expected["c"])
    if expected["name"] == "GRU":
        b[:8], layer.c.data = b[:8] + c[:8], c[8:]
    else:
        b = b + c
    layer.W.data, layer.U.data, layer.b.data = expected["W"], expected["U"], b
    x = cr.Tensor(expected["x"])
    y, state = layer(x)
    np.testing.assert_allclose(y.data, expected["y"], **EXACT)
    np.testing.assert_allclose(y.data[:, -1], of(state).data)
    y.backward(np.array(expected["cotangent"]))
    given, W, U = (np.array(g) for g in expected["gradients"])
    for found, wanted in ((x.grad, given), (layer.W.grad, W.T), (layer.U.grad, U.T)):
        np.testing.assert_allclose(found, wanted, **EXACT)
    # In two parts, the state handed over.
    first, state = layer(x.data[:, :2])
    second, _ = layer(x.data[:, 2:], state)
    np.testing.assert_allclose(np.concatenate([first.data, second.data], 1), y.data, **EXACT)


def test_attention_with_several_heads():
    r = {key: np.array(x) for key, x in TORCH["attention"].items() if key != "gradients"}
    layer = nn.MultiHeadAttention(8, 2)
    parts = zip(np.split(r["in_W"], 3), np.split(r["in_b"], 3), strict=True)
    for inner, (W, b) in zip((layer.query, layer.key, layer.value), parts, strict=True):
        inner.W.data, inner.b.data = W.T, b
    layer.output.W.data, layer.output.b.data = r["out_W"].T, r["out_b"]
    x = cr.Tensor(r["x"])
    y = layer(x, causal=True)
    np.testing.assert_allclose(y.data, r["causal"], **EXACT)
    np.testing.assert_allclose(layer(x, r["context"]).data, r["crossed"], **EXACT)
    y.backward(r["cotangent"])
    given, in_W = (np.array(g) for g in TORCH["attention"]["gradients"])
    np.testing.assert_allclose(x.grad, given, **EXACT)
    found = [inner.W.grad.T for inner in (layer.query, layer.key, layer.value)]
    np.testing.assert_allclose(np.concatenate(found), in_W, **EXACT)


def test_batch_norm_learns_its_statistics():
    r = TORCH["batch_norm"]
    layer = nn.BatchNorm(3, momentum=0.3)
    *training, last = (np.array(b) for b in r["batches"])
    for batch, expected in zip(training, r["results"], strict=False):
        np.testing.assert_allclose(layer(batch).data, expected, **EXACT)
    np.testing.assert_allclose(layer.mean.data, r["mean"], **EXACT)
    np.testing.assert_allclose(layer.variance.data, r["variance"], **EXACT)
    with cr.nn.evaluation():
        np.testing.assert_allclose(layer(last).data, r["results"][2], **EXACT)
        with cr.nn.evaluation(False):
            assert not np.allclose(layer(last).data, r["results"][2])
    assert list(layer.named_parameters()) == ["scale", "shift"]
    assert list(layer.state()) == ["scale", "shift", "mean", "variance"]


def test_convolution():
    r = TORCH["convolution"]
    layer = nn.Conv(4, 6, (3, 2), **r["options"])
    layer.W.data, layer.b.data = r["W"], r["b"]
    np.testing.assert_allclose(layer(np.array(r["x"])).data, r["y"], **EXACT)


@pytest.mark.parametrize("name", TORCH["activations"]["results"])
def test_activations(name):
    expected = TORCH["activations"]["results"][name]
    f = (lambda x: nn.gelu(x, exact=True)) if name == "exact gelu" else getattr(nn, name)
    x = cr.Tensor(TORCH["activations"]["x"])
    y = f(x)
    y.backward(np.ones(x.shape))
    np.testing.assert_allclose(y.data, expected["y"], **EXACT)
    np.testing.assert_allclose(x.grad, expected["slope"], **EXACT)
    for point, slope in zip(TORCH["activations"]["x"], expected["slope"], strict=True):
        v = cr.Value(point)
        f(v).backward()
        assert v.grad == pytest.approx(slope)


CALLS = {
    "cross_entropy of probabilities": lambda z, r, how: nn.cross_entropy(z, r["parts"], how),
    "cross_entropy": lambda z, r, how: nn.cross_entropy(z, r["labels"], how),
    "binary_cross_entropy": lambda z, r, how: nn.binary_cross_entropy(z, r["parts"], how),
    "huber": lambda z, r, how: nn.huber(z, r["t"], how, delta=0.7),
    "hinge of classes": lambda z, r, how: nn.hinge(z, r["labels"], how),
    "mean_squared_error": lambda z, r, how: nn.mean_squared_error(z, r["t"], how),
    "mean_absolute_error": lambda z, r, how: nn.mean_absolute_error(z, r["t"], how),
}


@pytest.mark.parametrize("name", TORCH["losses"]["losses"])
def test_losses(name):
    expected = TORCH["losses"]["losses"][name]
    inputs = {key: np.array(x) for key, x in TORCH["losses"]["inputs"].items()}
    call, _, how = name.rpartition(" ")
    z = cr.Tensor(inputs["z"])
    loss = CALLS[call](z, inputs, how)
    np.testing.assert_allclose(loss.data, expected["loss"], **EXACT)
    loss.backward(np.ones(loss.shape))
    np.testing.assert_allclose(z.grad, expected["gradient"], **EXACT)


def test_the_hinge_of_signs():
    s, t = cr.Tensor([0.5, -2.0, 1.0, 3.0]), np.array([1.0, -1.0, 1.0, -1.0])
    loss = nn.hinge(s, t, "sum")
    loss.backward()
    assert loss.item() == 0.5 + 0.0 + 0.0 + 4.0
    assert s.grad.tolist() == [-1.0, 0.0, 0.0, 1.0]  # at the kink 0
    assert nn.hinge(s, t, "none", margin=2.0).data.tolist() == [1.5, 0.0, 1.0, 5.0]


def test_losses_refuse_what_does_not_fit():
    z = cr.Tensor(np.ones((2, 3)))
    for loss in (nn.huber, nn.mean_absolute_error, nn.mean_squared_error, nn.binary_cross_entropy):
        with pytest.raises(ValueError, match="must agree"):
            loss(z, np.ones(3))
        with pytest.raises(
            ValueError, match=r"reduction='average': one of .*'mean', 'sum', 'none'"
        ):
            loss(z, np.ones((2, 3)), "average")
    with pytest.raises(ValueError, match="delta=0: above 0"):
        nn.huber(z, np.ones((2, 3)), delta=0)
    with pytest.raises(ValueError, match="the targets are 1 or -1"):
        nn.hinge(z, np.zeros((2, 3)))
    with pytest.raises(ValueError, match="labels go from 0 to 2"):
        nn.hinge(z, np.array([0, 3]))
    with pytest.raises(ValueError, match="2 whole-number labels expected"):
        nn.cross_entropy(z, np.array([0, 1, 2]), "none")
    with pytest.raises(ValueError, match="averaged over the samples"):
        nn.mean_squared_error([cr.Value(1.0)], [0.0], "sum")
    assert nn.mean_squared_error(cr.Value(3.0), 1.0, "sum").data == 4.0


# -------------------------------------------------------------------- what all layers have


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layers(name, dtype):
    make, x = LAYERS[name]
    layer = make(seed=1, dtype=dtype)
    x = x.astype(dtype) if x.dtype.kind == "f" else x
    y = of(layer(x))
    assert y.dtype == dtype
    (y * y).sum().backward()
    for p in layer.parameters():
        assert p.grad.dtype == dtype
        assert p.label
    twin = make(seed=1, dtype=dtype)
    assert all(np.array_equal(a.data, b.data) for a, b in pairs(layer, twin))
    assert layer.describe() in repr(layer)
    assert str(y.shape) in layer.summary(x)


@pytest.mark.parametrize("name", LAYERS)
def test_the_gradients_of_layers_by_differences(name):
    make, x = LAYERS[name]
    layer = make(seed=2)
    for p in layer.parameters():
        p.data = p.data + 0.1 * np.random.default_rng(3).normal(size=p.shape)
    random = np.random.default_rng(4)
    cotangent = random.normal(size=of(layer(x)).shape)

    named = layer.named_parameters()

    def loss(*arrays):
        return np.sum(
            of(layer.with_parameters(dict(zip(named, arrays, strict=True)))(x)) * cotangent
        )

    gradient = cr.grad(loss, argnums=tuple(range(len(named))))
    cr.assert_gradients(gradient, loss, at=tuple(p.data for p in named.values()))


@pytest.mark.parametrize("name", LAYERS)
def test_layers_compile(name):
    make, x = LAYERS[name]

    def train(compiled):
        layer = make(seed=5)
        optimizer = cr.optim.Adam(layer.parameters(), 0.05)

        def step(x):
            optimizer.zero_grad()
            y = of(layer(x))
            loss = np.mean((y - 0.5) ** 2)
            loss.backward()
            optimizer.step()
            return loss

        step = cr.compile(step) if compiled else step
        return [step(x).item() for _ in range(4)], layer.state()

    (losses, state), (expected, wanted) = train(compiled=True), train(compiled=False)
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    for key, array in wanted.items():
        np.testing.assert_allclose(state[key], array, rtol=1e-8, atol=1e-12)
    assert losses[-1] < losses[0] or name == "LayerNorm"


def pairs(one, other):
    return zip(one.parameters(), other.parameters(), strict=True)


# ------------------------------------------------------------------------------- a module


class Block(nn.Module):
    def __init__(self):
        self.heads = {"a": nn.Linear(2, 2, seed=0), "b": [cr.Tensor([1.0, 2.0], label="shift")]}
        self.tied = self.heads["a"]
        self.gain = cr.Value(3.0, label="gain")
        self.constant = np.ones(2)
        self.nothing = None

    def __call__(self, x):
        return self.tied(self.heads["a"](x)) * self.heads["b"][0] + self.constant


def test_names_of_parameters():
    block = Block()
    assert list(block.named_parameters()) == ["heads.a.W", "heads.a.b", "heads.b.0", "gain"]
    assert block.parameters()[0] is block.tied.W
    assert repr(block) == (
        "Block(heads.b.0 (2,), gain (), Linear(2, 2), Linear(2, 2)): 9 parameters"
    )
    assert list(block.modules()) == ["", "heads.a"]
    assert "heads.b.0 (2,), gain ()" in block.summary(np.ones((1, 2)))


def test_freezing():
    block = Block()
    block.heads["a"].freeze()
    assert list(block.named_parameters()) == ["heads.b.0", "gain"]
    assert repr(block).endswith("9 parameters, 6 of them frozen")
    assert list(block.state()) == ["heads.a.W", "heads.a.b", "heads.b.0", "gain"]
    twin = pickle.loads(pickle.dumps(block))
    assert list(twin.named_parameters()) == ["heads.b.0", "gain"]
    assert twin.tied is twin.heads["a"]
    assert list(copy.deepcopy(block).named_parameters()) == ["heads.b.0", "gain"]
    block.unfreeze()
    assert len(block.parameters()) == 4
    block.freeze()
    assert block.parameters() == []


def test_the_state_goes_into_another_module():
    one, other = nn.BatchNorm(2), nn.BatchNorm(2)
    one(np.array([[1.0, 2.0], [3.0, 5.0]]))
    state = one.state()
    other.load_state(state)
    assert other.mean.data.tolist() == one.mean.data.tolist()
    state["mean"][0] = 99.0
    assert one.mean.data[0] != 99.0
    assert other.mean.data[0] != 99.0
    for wrong, message in (
        ({**state, "more": 1}, "more is in the state alone"),
        ({"scale": 1}, "mean is in the module alone"),
        ({**state, "variance": np.ones(3)}, r"variance is float64 of shape \(2,\), the state has"),
        ({**state, "mean": np.ones(2, np.float32)}, "the state has float32 of shape"),
    ):
        before = other.state()
        with pytest.raises(ValueError, match=message):
            other.load_state(wrong)
        assert all(np.array_equal(before[key], x) for key, x in other.state().items())
    values = nn.scalar.Neuron(2, seed=1)
    twin = nn.scalar.Neuron(2, seed=2)
    twin.load_state(values.state())
    assert [p.data for p in twin.parameters()] == [p.data for p in values.parameters()]


def test_a_twin_with_other_parameters():
    block = Block()
    x = np.array([[1.0, -2.0]])
    other = np.zeros((2, 2))
    twin = block.with_parameters({"heads.a.W": other})
    assert twin.tied is twin.heads["a"]
    assert twin.tied.W is other
    assert block.tied.W is not other
    np.testing.assert_array_equal(twin(x).data, [[1.0, 1.0]])
    with pytest.raises(ValueError, match="no parameter w: there are heads.a.W"):
        block.with_parameters({"w": 1.0})
    with pytest.raises(ValueError, match=r"gain has the shape \(\), not \(2,\)"):
        block.with_parameters({"gain": np.ones(2)})
    params = {"heads.a.W": block.tied.W.data}
    f = lambda params: np.sum(block.with_parameters(params)(x) ** 2)
    product = cr.hvp(f, params, {"heads.a.W": np.eye(2)})["heads.a.W"]
    hessian = cr.hessian(lambda W: f({"heads.a.W": W}))(params["heads.a.W"])
    np.testing.assert_allclose(product.data, np.tensordot(hessian.data, np.eye(2), 2))


def test_dropout():
    drop = nn.Dropout(0.25, seed=3)
    x = np.ones((200, 50))
    y = drop(x)
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    assert (y == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert not np.array_equal(drop(x), y)
    twin = nn.Dropout(0.25, seed=4)
    twin.load_state(drop.state())
    assert np.array_equal(twin(x), drop(x))
    drop.random = np.random.Generator(np.random.MT19937(0))
    with pytest.raises(ValueError, match="random is of another kind: PCG64, not MT19937"):
        drop.load_state(twin.state())
    with cr.nn.evaluation():
        assert twin(x) is x
    with pytest.raises(ValueError, match=r"rate=1.0: from 0 to below 1"):
        nn.Dropout(1.0)
    with pytest.raises(cr.CompileError):
        cr.compile(lambda x: twin(x))(x)
    one, two = (nn.Dropout(0.5, seed=0) for _ in range(2))
    with cr.nn.seed(1):
        three, four = nn.Dropout(0.5), nn.Dropout(0.5)
    assert np.array_equal(one(x), two(x))
    assert not np.array_equal(three(x), four(x))
    checkpointed = cr.grad(cr.checkpoint(lambda x: np.sum(three(x) ** 2)))
    with pytest.raises(cr.ChangedDataError, match="give dropout its seed"):
        checkpointed(x)


def test_compiled_code_asks_the_function_itself_for_evaluation():
    net = nn.Sequential(nn.Linear(2, 3, seed=0), nn.BatchNorm(3))
    x = np.array([[1.0, 2.0], [0.0, 5.0]])
    run = cr.compile(lambda x: net(x) * 1.0)
    run(x)
    run(x)
    with cr.nn.evaluation():
        np.testing.assert_array_equal(run(x).data, net(x).data)
    state = net.state()
    trained = run(x)
    net.load_state(state)
    np.testing.assert_allclose(trained, net(x).data)


def test_seeds():
    with cr.nn.seed(7):
        one = nn.Sequential(nn.Linear(4, 4), cr.relu, nn.Linear(4, 4))
    with cr.nn.seed(7):
        two = nn.Sequential(nn.Linear(4, 4), cr.relu, nn.Linear(4, 4))
    assert all(np.array_equal(a.data, b.data) for a, b in pairs(one, two))
    assert not np.array_equal(one.layers[0].W.data, one.layers[2].W.data)
    assert not np.array_equal(nn.Linear(4, 4).W.data, nn.Linear(4, 4).W.data)
    before = np.random.get_state()[1].copy()  # noqa: NPY002 -- it must stay as it is
    nn.Linear(3, 3)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_sequential():
    net = nn.Sequential(
        *(nn.Conv(1, 2, 3, seed=0), cr.relu, nn.MaxPool(2), nn.AveragePool(1), nn.Flatten()),
        nn.Linear(2, 3, seed=1, name="_out"),
    )
    assert [p.label for p in net.parameters()] == ["W1", "b1", "W_out", "b_out"]
    assert next(iter(net.named_parameters())) == "layers.0.W"
    assert net(np.ones((5, 1, 4, 4))).shape == (5, 3)
    assert net.describe() == (
        "Sequential(Conv(1, 2, (3, 3)), relu, MaxPool(2), AveragePool(1), Flatten(), Linear(2, 3))"
    )
    assert "layers.4  Flatten()" in net.summary(np.ones((5, 1, 4, 4)))
    with pytest.raises(TypeError, match=r"got list: pass them one by one, Sequential\(a, b\)"):
        nn.Sequential([nn.Linear(1, 1)])


def test_attention_refuses_and_masks():
    x = np.ones((1, 3, 4))
    layer = nn.MultiHeadAttention(4, 2, seed=0)
    with pytest.raises(TypeError, match="mask is true where a place may look, got float64"):
        nn.attention(x, x, x, np.ones((3, 3)))
    with pytest.raises(ValueError, match="attention: query"):
        nn.attention(x, x[..., :2], x)
    with pytest.raises(ValueError, match=r"MultiHeadAttention\(4, 2\) takes \(N, T, 4\)"):
        layer(x[..., :3])
    with pytest.raises(ValueError, match="size=5 is not divisible by heads=2"):
        nn.MultiHeadAttention(5, 2)
    y = np.arange(12.0).reshape(1, 3, 4)
    first = np.zeros((3, 3), bool)
    first[:, 0] = True
    np.testing.assert_allclose(nn.attention(y, y, y, first)[0], np.tile(y[0, 0], (3, 1)))
    none = nn.attention(y, y, y, np.zeros((3, 3), bool))
    np.testing.assert_allclose(none[0], np.tile(y[0].mean(0), (3, 1)))
    assert np.allclose(
        layer(y, causal=True, mask=first).data[0, 2], layer(y, mask=first).data[0, 2]
    )


def test_layers_say_what_they_take():
    for make, message in (
        (lambda: nn.Linear(0, 2), "inputs=0: a whole number from 1 on"),
        (lambda: nn.Linear(2, 2.0), "outputs=2.0: a whole number from 1 on"),
        (lambda: nn.Conv(1, 2, (3, 0)), "n=0|size=0"),
        (lambda: nn.Conv(3, 2, 3, groups=2), "groups=2 does not divide 3 and 2 channels"),
        (lambda: nn.Conv(1, 2, 3)(np.ones((1, 2, 5, 5))), r"takes \(N, 1, length, length\)"),
        (lambda: nn.LayerNorm(3)(np.ones((2, 2))), r"LayerNorm\(3\) takes 3 entries"),
        (lambda: nn.BatchNorm(3)(np.ones((2, 2))), r"takes \(N, 3\) or \(N, 3, \*lengths\)"),
        (lambda: nn.BatchNorm(3)(np.ones((1, 3))), "at least two numbers for each channel"),
        (lambda: nn.BatchNorm(3, momentum=2), "momentum=2: from 0 to 1"),
        (lambda: nn.GRU(3, 2)(np.ones((2, 3))), r"GRU\(3, 2\) takes \(N, T, 3\)"),
        (lambda: nn.Embedding(3, 2)(np.array([3])), "rows go from 0 to 2"),
        (lambda: nn.Linear(2, 2, initializer="best"), "unknown initializer 'best': one of glorot"),
        (
            lambda: nn.Linear(2, 2, initializer=lambda _r, s: np.ones(s)[0]),
            r"the initializer gave the shape \(2,\) for \(2, 2\)",
        ),
        (lambda: nn.initializers.he_normal(RANDOM, (3,)), "a matrix or a kernel is needed"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        *(("glorot_normal", 2 / 700), ("glorot_uniform", 2 / 700), ("he_normal", 2 / 400)),
        *(("he_uniform", 2 / 400), ("lecun_normal", 1 / 400), ("lecun_uniform", 1 / 400)),
        ("normal", 1.0),
    ],
)
def test_initialisers_have_their_variance(name, variance):
    f = nn.initializers.INITIALIZERS[name]
    for shape in ((400, 300), (75, 100, 2, 2)):
        w = f(np.random.default_rng(0), shape)
        assert w.shape == shape
        assert w.var() == pytest.approx(variance, rel=0.03)
        assert abs(w.mean()) < 4 * np.sqrt(variance / w.size)
    if "uniform" in name:
        assert np.abs(w).max() == pytest.approx(np.sqrt(3 * variance), rel=1e-3)


def test_orthogonal_matrices():
    for shape in ((5, 3), (3, 5), (4, 4)):
        q = nn.initializers.orthogonal(np.random.default_rng(0), shape)
        small = min(shape)
        product = q.T @ q if shape[0] >= shape[1] else q @ q.T
        np.testing.assert_allclose(product, np.eye(small), atol=1e-12)
    kernel = nn.initializers.orthogonal(np.random.default_rng(0), (4, 2, 3, 3)).reshape(4, 18)
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(4), atol=1e-12)
    # The signs of R make the distribution uniform: entries of Q have no preferred sign.
    draws = [nn.initializers.orthogonal(np.random.default_rng(i), (2, 2))[0, 0] for i in range(400)]
    assert abs(np.mean(np.sign(draws))) < 0.2
