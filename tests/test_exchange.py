"""Arrays and models for other libraries: DLPack, safetensors, ONNX."""

import sys
import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from foreign import Foreign
from test_nn import LAYERS, of

RANDOM = np.random.default_rng(0)

# ----------------------------------------------------------------------------------- DLPack


def test_a_leaf_is_exported_as_a_copy():
    t = cr.Tensor(np.arange(6.0).reshape(2, 3)[::-1, ::-1].T)
    out = np.from_dlpack(t)
    assert out.flags.c_contiguous
    assert np.array_equal(out, t.data)
    assert not np.shares_memory(out, t.data)
    assert np.from_dlpack(cr.Tensor(np.float32(2.5))).dtype == np.float32
    w = cr.Tensor([1.0, 2.0])
    y = (w * w).sum()
    np.from_dlpack(w)
    y.backward()  # nobody could write into it
    assert w.grad.tolist() == [2.0, 4.0]


def test_what_carries_a_graph_is_not_exported():
    t = cr.Tensor([1.0, 2.0])
    for y in (t * 2, t[::-1]):
        with pytest.raises(
            TypeError, match=r"would lose its graph .* np.ascontiguousarray\(t.data"
        ):
            np.from_dlpack(y)
    seen = []
    cr.jvp(lambda x: seen.append(x) or x * 2, (np.ones(2),), (np.ones(2),))
    with pytest.raises((TypeError, BufferError, AttributeError)):
        np.from_dlpack(seen[0])
    with pytest.raises(TypeError, match="out of the graph"):
        np.asarray(t)


@pytest.mark.parametrize("library", ["torch", "jax.numpy"])
def test_other_libraries_take_and_give(library):
    other = pytest.importorskip(library)
    t = cr.Tensor(np.arange(6.0, dtype=np.float32).reshape(2, 3)[:, ::-1])
    theirs = other.from_dlpack(t)
    assert np.array_equal(np.asarray(theirs), t.data)
    assert np.array_equal(cr.Tensor(theirs).data, t.data)
    assert cr.Tensor(theirs).dtype == np.float32
    y = cr.Tensor(np.ones((2, 3), np.float32)) * np.asarray(theirs)
    assert np.array_equal(y.data, t.data)


# ------------------------------------------------------------------------------ safetensors


def test_safetensors_give_back_every_layout(tmp_path):
    pytest.importorskip("safetensors")
    x = RANDOM.normal(size=(4, 6))
    arrays = {
        "plain": x,
        "turned": x.T,
        "part": x[1:3, ::2],
        "backwards": x[::-1],
        "fortran": np.asfortranarray(x),
        "wide": np.broadcast_to(x[0], (3, 6)),
        "half": x.astype(np.float16),
        "whole": np.arange(3),
        "mask": x > 0,
        "number": 2.5,
        "other end": x.astype(">f8"),
        "single": np.float32(1.5),
    }
    path = tmp_path / "a.safetensors"
    cr.exchange.save_safetensors(path, arrays, {"made by": "a test"})
    found = cr.exchange.load_safetensors(path)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    net, twin = (cr.nn.MLP([2, 3, 1], seed=seed) for seed in (0, 1))
    cr.exchange.save_safetensors(path, net.state())
    twin.load_state(cr.exchange.load_safetensors(path))
    assert np.array_equal(twin.layers[1].W.data, net.layers[1].W.data)


def test_safetensors_refuse(tmp_path, monkeypatch):
    pytest.importorskip("safetensors")
    path = tmp_path / "a.safetensors"
    cr.exchange.save_safetensors(path, {"x": np.ones(3)})
    held = path.read_bytes()
    with pytest.raises(
        TypeError, match=r"t is a Tensor: real arrays are saved; of a Tensor \.data"
    ):
        cr.exchange.save_safetensors(path, {"t": cr.Tensor([1.0])})
    assert path.read_bytes() == held
    path.write_bytes(held[:-5])
    with pytest.raises(cr.CheckpointError, match="is no file of safetensors, or damaged"):
        cr.exchange.load_safetensors(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        cr.exchange.load_safetensors(tmp_path / "b.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'chainrule\[safetensors\]'"):
        cr.exchange.load_safetensors(path)


def test_an_array_of_another_library_stays_what_it_is():
    t = cr.Tensor(Foreign(np.ones(2)))
    with pytest.raises(AttributeError, match="__dlpack__"):
        np.from_dlpack(t)


# ------------------------------------------------------------------------------------- ONNX

X = RANDOM.normal(size=(4, 5))
IMAGES = RANDOM.normal(size=(2, 3, 8, 9))
FUNCTIONS = {
    **{name: getattr(nn, name) for name in ("gelu", "elu", "leaky_relu", "softplus", "silu")},
    "relu": cr.relu,
    "sigmoid": cr.sigmoid,
    "softmax": cr.softmax,
    "log": cr.log_softmax,
    "logsumexp": lambda x: cr.logsumexp(x, axis=1),
    "mean": lambda x: x.mean(axis=0, keepdims=True) + np.mean(x),
    "spread": lambda x: np.var(x, axis=1) + np.std(x, axis=1, keepdims=True),
    "norm": lambda x: np.linalg.norm(x) + np.linalg.norm(x, axis=1),
    "extremes": lambda x: np.max(x, axis=0) - np.min(x, axis=0) * np.prod(x, axis=0),
    "places": lambda x: (np.argmax(x, axis=1), np.argmin(x, axis=0)),
    "clip": lambda x: np.clip(x, -0.5, 0.5) + x.clip(max=0.1),
    "choose": lambda x: np.where((x > 0.2) & ~(x < 0.5) | np.isnan(x), x, -x / 3),
    "powers": lambda x: x**3 + np.square(x) + np.exp(x) ** 0.5 + 1 / (2 + x * x),
    "functions": lambda x: np.expm1(x) + np.log1p(x * x) + np.sin(x) * np.cosh(x) - np.arctan(x),
    "rounding": lambda x: np.floor(x) + np.rint(x * 3) * np.ceil(x) * np.sign(x) + abs(x),
    "shapes": lambda x: np.moveaxis(x.reshape(2, 2, 5), 0, 2).swapaxes(0, 1).transpose(2, 0, 1),
    "turned": lambda x: x.T @ x + np.matrix_transpose(x[None])[0] @ x,
    "joined": lambda x: (
        np.concatenate([x, 2 * x], axis=1) + np.stack([x, x], axis=1).reshape(4, -1)
    ),
    "padded": lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=1.5),
    "slices": lambda x: x[::-1, 1:4:2] + x[1, None, 2] + x[..., -1:],
    "rows": lambda x: x[[0, 2, 2]] + x[:, [1, 1, 0, 2, 4]][1:],
    "entries": lambda x: x[np.array([0, 1, 3]), np.array([4, 4, -1])],
    "products": lambda x: np.einsum("ij,kj->ik", x, x * 2) + np.tensordot(x, x, ([1], [1])),
    "vectors": lambda x: np.dot(x[0], x[1]) + np.vdot(x[2], x[3]) + x @ x[0],
    "broadcast": lambda x: np.broadcast_to(x[0], (3, 5)) * np.arange(5.0),
    "entropy": lambda x: nn.cross_entropy(x, np.array([0, 1, 4, 2])),
}
ON_IMAGES = {
    "pools": lambda x: nn.max_pool(x, 2) + nn.average_pool(x, 2),
    "padded pool": lambda x: nn.max_pool(x, (3, 2), stride=(1, 2), padding=1),
    "convolution": lambda x: nn.conv(
        *(x, np.cos(np.arange(54.0)).reshape(3, 3, 3, 2)), stride=2, padding=1, dilation=(1, 2)
    ),
    "groups": lambda x: nn.conv(x, np.sin(np.arange(18.0)).reshape(3, 1, 3, 2), groups=3),
}


def exported(path, f, *args):
    """What onnx's evaluator gives; `save_onnx` itself compares, too."""
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    cr.exchange.save_onnx(path, f, *args)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 9
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
    names = [i.name for i in model.graph.input]
    return model, ReferenceEvaluator(model).run(None, dict(zip(names, args, strict=True)))


@pytest.mark.parametrize("name", [*FUNCTIONS, *ON_IMAGES])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_as_graphs(tmp_path, name, dtype):
    f, x = (FUNCTIONS[name], X) if name in FUNCTIONS else (ON_IMAGES[name], IMAGES)
    x = x.astype(dtype)
    _, found = exported(tmp_path / "f.onnx", f, x)
    expected = f(x)
    expected = expected if isinstance(expected, tuple) else (expected,)
    tolerance = 2000 * np.finfo(dtype).eps
    for y, wanted in zip(found, expected, strict=True):
        assert y.dtype == wanted.dtype
        np.testing.assert_allclose(y, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_as_graphs(tmp_path, name):
    make, x = LAYERS[name]
    layer = make(seed=0)
    f = layer if name not in {"RNN", "GRU", "LSTM"} else lambda x: of(layer(x))
    model, found = exported(tmp_path / "f.onnx", f, x)
    with cr.nn.evaluation():
        np.testing.assert_allclose(found[0], of(layer(x)).data, rtol=1e-11, atol=1e-13)
    if f is layer:
        stored = {tensor.name for tensor in model.graph.initializer}
        assert set(layer.named_parameters()) <= stored


def test_a_network_with_nodes_of_onnx(tmp_path):
    net = nn.Sequential(
        *(nn.Conv(3, 4, 3, padding=1, seed=0), nn.BatchNorm(4), cr.relu, nn.MaxPool(2)),
        *(nn.Dropout(0.5, seed=1), nn.Flatten(), nn.Linear(64, 10, seed=2)),
    )
    images = IMAGES[..., :8]
    net(images)  # batch norm learns something
    state = net.state()
    model, found = exported(tmp_path / "net.onnx", net, images)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("Conv") == kinds.count("MaxPool") == 1
    assert "Gather" not in kinds
    with cr.nn.evaluation():
        np.testing.assert_allclose(found[0], net(images).data, rtol=1e-10, atol=1e-12)
    assert all(np.array_equal(state[key], x) for key, x in net.state().items())


def test_several_inputs_of_whole_numbers(tmp_path):
    table = nn.Embedding(7, 3, seed=0)
    f = lambda rows, x: table(rows) * x
    rows, x = np.array([[1, 2], [6, 1]]), RANDOM.normal(size=(2, 2, 3))
    model, (found,) = exported(tmp_path / "f.onnx", f, rows, x)
    np.testing.assert_allclose(found, f(rows, x).data)
    from onnx.reference import ReferenceEvaluator

    others = {"input_0": rows[::-1].copy(), "input_1": x}
    (found,) = ReferenceEvaluator(model).run(None, others)
    np.testing.assert_allclose(found, f(rows[::-1], x).data)


def test_what_cannot_be_a_graph_is_refused_by_name(tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    path, w = tmp_path / "f.onnx", cr.Tensor(np.ones(5))

    def trains(x):
        w.data = w.data * 2.0
        return x * w

    for f, message in (
        (np.sort, r"np.sort of \(4, 5\) at .*line \d+ cannot be written as ONNX"),
        (lambda x: np.pad(x, 1, mode="edge"), "np.pad of"),
        (lambda x: np.linalg.inv(x[:, :4]), "np.linalg.inv"),
        (lambda x: np.add.reduce(x, initial=3.0), "np.add.reduce"),
        (trains, "changes its parameters"),
        (lambda x: 3.0, "has to return arrays that it computed"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(cr.exchange.ExportError, match=message):
                cr.exchange.save_onnx(path, f, X)
    with pytest.raises(cr.CompileError, match="one way or the other by a value"):
        cr.exchange.save_onnx(path, lambda x: x if x[0, 0] > 0 else -x, X)
    assert not path.exists()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'chainrule\[onnx\]'"):
        cr.exchange.save_onnx(path, np.sin, X)


def test_no_argument_is_left_out(tmp_path):
    """What the example does not exercise has to be in the graph, or is refused."""
    pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    path, inside = tmp_path / "f.onnx", np.array([[0.2, 0.7], [0.3, 0.9]])
    outside = np.array([[-1.0, 2.0], [0.5, 3.0]])
    for f in (
        lambda x: x.clip(min=0),
        lambda x: x.clip(max=1.0),
        lambda x: np.clip(x, a_min=0, a_max=1),
        lambda x: np.expand_dims(x, 0),
        lambda x: np.take(x, np.array([1, 0, 0]), axis=1),
        lambda x: np.moveaxis(x, (0, 1), (1, 0)),
        lambda x: np.var(x, 1),
    ):
        cr.exchange.save_onnx(path, f, inside)
        (found,) = ReferenceEvaluator(str(path)).run(None, {"input": outside})
        np.testing.assert_allclose(found, f(outside))
    for f in (
        lambda x: np.sum(x, axis=1, where=x > 0),
        lambda x: np.mean(x, axis=1, where=x > 0),
        lambda x: np.std(x, axis=0, correction=1),
        lambda x: np.var(x, axis=0, ddof=1),
        lambda x: np.tensordot(x, x, axes=2),
    ):
        with pytest.raises(cr.exchange.ExportError, match="cannot be written as ONNX"):
            cr.exchange.save_onnx(path, f, inside)
    for example in ({"x": inside}, "net"):
        with pytest.raises(TypeError, match="an example is an array"):
            cr.exchange.save_onnx(path, np.sin, example)
    mask = nn.MultiHeadAttention(4, 2, seed=0)
    f = lambda x, m: mask(x, mask=m)
    x, m = RANDOM.normal(size=(1, 3, 4)), np.tri(3, dtype=bool)
    cr.exchange.save_onnx(path, f, x, m)
    given = {"input_0": x, "input_1": np.eye(3, dtype=bool)}
    (found,) = ReferenceEvaluator(str(path)).run(None, given)
    np.testing.assert_allclose(found, f(x, np.eye(3, dtype=bool)).data)


def test_the_check_is_one(tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    from chainrule.exchange import translating

    monkeypatch.setitem(translating.UNARY, "np.sin", "Cos")
    with pytest.raises(cr.exchange.ExportError, match="gives other numbers in onnx"):
        cr.exchange.save_onnx(tmp_path / "f.onnx", np.sin, X)
