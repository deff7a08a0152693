"""What searches for counter-examples found in training, each with its own test."""

import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 3))
Y = X.sum(axis=1, keepdims=True)
mse = nn.mean_squared_error


def fitted(loss, optimizer, epochs, **options):
    return cr.fit(loss, optimizer, epochs, **{"data": [X, Y], **options})


# ------------------------------------------------------------------------ learning rates


def test_a_file_with_a_schedule_is_not_taken_for_a_number(tmp_path):
    def go(rate, epochs):
        net = nn.Linear(3, 1, seed=0)
        optimizer = cr.optim.SGD(net.parameters(), rate)
        loss = lambda x, y: mse(net(x), y)
        return fitted(loss, optimizer, epochs, checkpoint=tmp_path / "a.npz").rates

    go(cr.optim.Exponential(0.05, 0.9), 3)
    with pytest.raises(cr.CheckpointError, match="rate is in"):
        go(0.01, 6)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_rate_set_by_hand_stays(tmp_path, compiled):
    def go(epochs, checkpoint=None):
        net = nn.Linear(3, 1, seed=0)
        optimizer = cr.optim.SGD(net.parameters(), cr.optim.Exponential(0.05, 0.9))

        def by_hand(history):
            if history.epochs == 2:
                optimizer.learning_rate = 1e-3

        history = fitted(
            lambda x, y: mse(net(x), y),
            optimizer,
            epochs,
            batch_size=20,
            callbacks=[by_hand],
            checkpoint=checkpoint,
            compiled=compiled,
        )
        return history.rates, history.errors

    straight = go(6)
    assert straight[0][3:] == [1e-3] * 4  # noted before the callback
    assert straight[1] == pytest.approx(go(6)[1])
    path = tmp_path / "a.npz"
    go(3, path)
    assert go(6, path) == straight


def test_compiled_steps_see_it_too():
    errors = []
    for compiled in (False, True):
        w = cr.Tensor([1.0])
        optimizer = cr.optim.SGD([w], cr.optim.Exponential(0.1, 0.99))

        def freeze(history, optimizer=optimizer):
            if history.epochs == 1:
                optimizer.learning_rate = 1e-9

        loss = lambda x, w=w: np.mean((w * x) ** 2)
        options = {"data": [np.ones(4)], "batch_size": 2, "compiled": compiled}
        errors.append(fitted(loss, optimizer, 4, callbacks=[freeze], **options).errors)
    assert errors[0] == pytest.approx(errors[1], rel=1e-9)


def test_a_schedule_may_return_whole_numbers():
    w = cr.Tensor([1.0])
    optimizer = cr.optim.SGD([w], lambda t: 1 if t < 2 else 0.1)
    (w * 2).sum().backward()
    optimizer.step()
    assert w.item() == -1.0


def test_complex_numbers_are_refused_where_they_would_be_wrong():
    params = {"w": np.array([1 + 2j])}
    with pytest.raises(TypeError, match="Adam changes real numbers"):
        cr.optim.Adam().init(params)
    with pytest.raises(TypeError, match="clip_value is for real numbers"):
        cr.optim.SGD([cr.Tensor([1 + 2j])], 0.1, clip_value=1.0)


# -------------------------------------------------------------- what belongs to a training


@dataclass(slots=True)
class Slotted:
    net: Any


class Trainer:
    shared: Any = None

    def __init__(self, net):
        self.net = net

    def loss(self, x, y):
        return mse(self.net(x), y)


def reaching():
    """Ways in which a loss reaches a network."""
    box = Slotted(None)

    def by_slots(net):
        box.net = net
        return lambda x, y: mse(box.net(x), y)

    def by_keyword(net):
        def loss(x, y, *, inner=net):
            return mse(inner(x), y)

        return loss

    def by_class(net):
        trainer = type("Holder", (Trainer,), {"shared": net})(None)
        return lambda x, y: mse(trainer.shared(x), y)

    def by_call(net):
        kind = type("Loss", (), {"__call__": lambda self, x, y: mse(net(x), y)})
        return kind()

    return {
        "default": lambda net: lambda x, y, net=net: mse(net(x), y),
        "keyword": by_keyword,
        "slots": by_slots,
        "class": by_class,
        "call": by_call,
        "deque": lambda net: lambda x, y, some=deque([net]): mse(some[0](x), y),
        "method": lambda net: Trainer(net).loss,
    }


@pytest.mark.parametrize("way", reaching())
def test_modules_are_found(tmp_path, way):
    make = reaching()[way]

    def go(epochs, path=None):
        net = nn.Sequential(nn.Linear(3, 4, seed=0), nn.BatchNorm(4), nn.Linear(4, 1, seed=1))
        optimizer = cr.optim.SGD(net.parameters(), 0.01)
        fitted(make(net), optimizer, epochs, batch_size=10, checkpoint=path, compiled=False)
        return {k: x.tobytes() for k, x in net.state().items()}

    path = tmp_path / "a.npz"
    go(2, path)
    assert go(4, path) == go(4)


def test_two_modules_of_one_name(tmp_path):
    def block():
        norm = nn.BatchNorm(3)
        return (lambda x: norm(x)), norm

    def go(epochs, path=None):
        (a, first), (b, second) = block(), block()
        last = nn.Linear(3, 1, seed=0)
        parameters = [p for m in (first, second, last) for p in m.parameters()]
        loss = lambda x, y: mse(last(b(a(x) * 2 + 1)), y)
        optimizer = cr.optim.Adam(parameters, 1e-2)
        fitted(loss, optimizer, epochs, batch_size=10, checkpoint=path, compiled=False)
        return first.mean.data.tobytes(), second.mean.data.tobytes()

    path = tmp_path / "a.npz"
    go(2, path)
    assert go(4, path) == go(4)


def test_a_validation_function_runs_as_in_use():
    net = nn.Sequential(nn.BatchNorm(3), nn.Linear(3, 1, seed=1))
    optimizer = cr.optim.Adam(net.parameters())
    history = fitted(
        lambda x, y: mse(net(x), y), optimizer, 2, validation=lambda: mse(net(X + 100), Y)
    )
    assert np.abs(net.layers[0].mean.data).max() < 1
    assert len(history.validation) == 3


def test_a_file_of_another_data_set_or_validation(tmp_path):
    def go(name, **options):
        net = nn.Linear(3, 1, seed=0)
        optimizer = cr.optim.SGD(net.parameters(), 0.01)
        return fitted(
            lambda x, y: mse(net(x), y), optimizer, 2, checkpoint=tmp_path / name, **options
        )

    go("a", batch_size=4)
    with pytest.raises(cr.CheckpointError, match="batch_size=4, seed=0, not with .*batch_size=10"):
        go("a", batch_size=10)
    with pytest.raises(cr.CheckpointError, match="seed=0, not with"):
        go("a", batch_size=4, seed=1)
    go("b", validation=[X, Y])
    with pytest.raises(cr.CheckpointError, match="of a training with validation"):
        go("b")
    with pytest.raises(cr.CheckpointError, match="of a training without validation"):
        go("a", batch_size=4, validation=[X, Y])
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere"):
        go("nowhere/a.npz")


def test_a_file_that_does_not_fit_changes_nothing_and_stays(tmp_path):
    net = nn.Linear(3, 1, seed=0)
    optimizer = cr.optim.SGD(net.parameters(), 0.01)
    options = {"checkpoint": tmp_path / "a.npz", "batch_size": 4}
    fitted(lambda x, y: mse(net(x), y), optimizer, 2, **options)
    written = options["checkpoint"].read_bytes()
    net = nn.Linear(3, 1, seed=5)
    optimizer = cr.optim.SGD(net.parameters(), 0.01)
    before = net.state()
    with pytest.raises(cr.CheckpointError, match="batch_size=4, seed=0, not with"):
        fitted(lambda x, y: mse(net(x), y), optimizer, 2, **options | {"batch_size": 5})
    cr.save(tmp_path / "own.npz", net=net)
    with pytest.raises(cr.CheckpointError, match=r"own\.npz is no checkpoint of cr\.fit"):
        fitted(lambda x, y: mse(net(x), y), optimizer, 2, checkpoint=tmp_path / "own.npz")
    assert all(np.array_equal(before[name], x) for name, x in net.state().items())
    assert optimizer.steps.data == 0
    assert options["checkpoint"].read_bytes() == written


def test_the_time_of_all_epochs_counts():
    net = nn.Linear(3, 1, seed=0)

    def slow(x, y):
        time.sleep(0.1)
        return mse(net(x), y)

    assert fitted(slow, cr.optim.SGD(net.parameters()), 1, compiled=False).seconds >= 0.2


def test_a_bias_before_batch_norm_is_not_dead():
    net = nn.Sequential(nn.Linear(3, 4, seed=0), nn.BatchNorm(4), cr.tanh, nn.Linear(4, 1, seed=1))
    fitted(lambda x, y: mse(net(x), y), cr.optim.SGD(net.parameters(), 0.05), 60, compiled=False)


# -------------------------------------------------------------------------------- modules


def test_recurrent_layers_look_at_their_state():
    x, s = np.ones((2, 3, 4)), np.zeros((2, 5))
    for layer, state in (
        (nn.LSTM(4, 5), s),
        (nn.LSTM(4, 5), (s, s[:1])),
        (nn.RNN(4, 5), (s, s)),
        (nn.RNN(4, 5), s[:1]),
        (nn.GRU(4, 5), s[0]),
    ):
        with pytest.raises(ValueError, match="state"):
            layer(x, state)
    nn.LSTM(4, 5)(x, (s, s))


def test_networks_draw_from_the_seed_around_them():
    with nn.seed(1):
        a, b = nn.MLP([2, 3, 1]), nn.MLP([2, 3, 1])
    with nn.seed(2):
        c = nn.MLP([2, 3, 1])
    first = [net.layers[0].W.data for net in (a, b, c)]
    assert not any(np.array_equal(first[0], w) for w in first[1:])
    assert np.array_equal(nn.MLP([2, 1]).layers[0].W.data, nn.MLP([2, 1], seed=0).layers[0].W.data)


def test_methods_of_a_twin_are_its_own():
    class Net(nn.Module):
        def __init__(self):
            self.inner = nn.Linear(3, 1, seed=0)
            self.way = self.helper

        def helper(self, x):
            return self.inner(x)

        def __call__(self, x):
            return self.way(x)

    net = Net()
    params = {name: p.data for name, p in net.named_parameters().items()}
    gradients = cr.grad(lambda params: np.sum(net.with_parameters(params)(X)))(params)
    np.testing.assert_allclose(gradients["inner.b"], [40.0])


def test_a_loss_may_differentiate_inside():
    net = nn.MLP([3, 8, 1], "tanh", seed=0)

    def loss(x, y):
        t = cr.Tensor(x)
        u = net(t)
        slope = cr.adjoints(np.sum(u), record=True)[t]
        return np.mean((slope - 1) ** 2) + mse(u, y)

    optimizer = cr.optim.Adam(net.parameters())
    history = fitted(loss, optimizer, 3, batch_size=20, validation=[X, Y])
    assert history.errors[-1] < history.errors[0]


def test_other_forms_of_data():
    net = nn.Linear(3, 1, seed=0)
    optimizer = cr.optim.SGD(net.parameters(), 0.01)
    loss = lambda x, y: mse(net(x), y)
    batches = [[X[:20], Y[:20]], [X[20:], Y[20:]], [X[:0], Y[:0]]]
    assert fitted(loss, optimizer, 2, data=batches).epochs == 2
    for data, kind, message in (
        ({"x": X}, TypeError, "got dict"),
        ([X, 3.0], ValueError, "samples along their first axis"),
    ):
        with pytest.raises(kind, match=message):
            fitted(loss, optimizer, 2, data=data)
    with pytest.raises(ValueError, match="validation is empty"):
        fitted(loss, optimizer, 2, validation=[])


def test_names_that_collide():
    class Twice(nn.Module):
        def __init__(self):
            self.d = {1: cr.Tensor([1.0]), "1": cr.Tensor([3.0])}

    with pytest.raises(ValueError, match=r"two parameters or modules are called d\.1"):
        Twice().parameters()


def test_sizes_may_be_numpys():
    assert nn.Linear(np.prod((3, 4)), 2).W.shape == (12, 2)
    assert nn.Conv(1, 2, np.int64(3)).W.shape == (2, 1, 3, 3)
    assert nn.MLP([np.int64(3), 2]).layers[0].W.shape == (3, 2)


def test_a_network_in_another_precision():
    net = nn.Sequential(nn.Linear(3, 4, seed=0), nn.BatchNorm(4))
    assert net.astype(np.float32) is net
    assert net(np.ones((2, 3), np.float32)).dtype == np.float32
    assert {x.dtype for x in net.state().values()} == {np.dtype(np.float32)}
    assert net.to(np.array) is net


def test_gradients_of_frozen_parameters_are_forgotten():
    net = nn.MLP([2, 3, 1])
    net.layers[0].freeze()
    net(np.ones((1, 2))).sum().backward()
    net.zero_grad()
    assert net.layers[0].W.grad is None


def test_modules_of_a_script_go_to_workers():
    cloudpickle = pytest.importorskip("cloudpickle")
    script = type(sys)("__main__")
    source = """
import chainrule as cr


class Net(cr.nn.Module):
    def __init__(self):
        self.inner = cr.nn.Linear(2, 1, seed=0)

    def __call__(self, x):
        return self.inner(x)
"""
    exec(source, vars(script))  # noqa: S102 -- as a script is run
    net = script.Net()
    again = cloudpickle.loads(cloudpickle.dumps(net))
    x = np.ones((1, 2))
    assert np.array_equal(again(x).data, net(x).data)


def test_parts_have_names_of_their_own(tmp_path):
    for name in ("file", "allow_pickle"):
        with pytest.raises(ValueError, match="cannot be the name of a part"):
            cr.save(tmp_path / "a.npz", **{name: 3})


# ---------------------------------------------------------------- distributed, exercises


def test_weights_as_counts_and_parts_that_are_all_used():
    weights = np.array([0.5, 0.5, 2.0, 2.0])
    loss = lambda p, i: (weights[i] * (p - i) ** 2, weights[i])
    f = cr.distributed.value_and_grad(loss, None, 4, load=lambda i: i)
    value, _ = f(0.0)
    assert value == pytest.approx(np.sum(weights * np.arange(4) ** 2) / np.sum(weights))


def test_numbers_of_parts_agree(tmp_path):
    np.save(tmp_path / "x.npy", X)
    load = cr.distributed.Slices(tmp_path / "x.npy", n_chunks=4)
    with pytest.raises(ValueError, match="n_chunks=2, and load gives 4 parts"):
        cr.distributed.value_and_grad(lambda p, c: (p, 1), None, 2, load=load)
    with pytest.raises(ValueError, match="n_chunks=5, and load gives 4 parts"):
        cr.distributed.Chunks(load, 5)
    with pytest.raises(IndexError, match="part 4 of 4"):
        load(4)


def test_empty_parts_count_nothing():
    def go(load, n):
        net = nn.Linear(3, 1, seed=0)
        optimizer = cr.optim.SGD(net.parameters(), 0.1)
        loss = lambda x, y: mse(net(x), y)
        return cr.fit(loss, optimizer, 3, data=cr.distributed.Chunks(load, n, shuffle=False)).errors

    parts = [(X[i : i + 10], Y[i : i + 10]) for i in (0, 10, 20, 30)]
    with_empty = [*parts, (X[:0], Y[:0])]
    assert go(lambda i: with_empty[i], 5) == go(lambda i: parts[i], 4)


def test_labels_of_an_exercise_stay_and_constants_are_not_asked():
    z = cr.Tensor([0.5, -1.0, 2.0], label="z")
    T = np.array([0.0, 1.0, 0.0])
    E = -np.sum(T * np.log(cr.softmax(z)))
    sheet = cr.exercise(E, seed=1).sheet
    assert "T = [0, 1, 0]" in sheet
    assert "dE/dT" not in sheet
    assert "dE/dz = ?" in sheet
    a = cr.Tensor([1.0, 1.1, 0.9], label="a")
    F = np.sum(np.where(a > 1.05, a**2, 0.1 * a))
    assert cr.exercise(F).key.endswith("≈ [0.1000, 2.200, 0.1000]")
    with pytest.raises(ValueError, match="is a condition, which could be another"):
        cr.exercise(F, seed=2)
