"""Arrays and models for other libraries: DLPack, safetensors, ONNX."""

import sys

import numpy as np
import pytest

import chainrule as cr
from foreign import Foreign

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
    with pytest.raises(TypeError, match=r"t is a Tensor: arrays are saved; of a Tensor \.data"):
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
