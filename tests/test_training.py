"""Networks, losses, gradient descent and the training loop."""

import importlib.util
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule import training
from chainrule.nn import scalar


def parabola(start=3.0):
    """E = w², whose gradient descent is known in closed form: w ← (1 - 2·rate)·w."""
    w = cr.Value(start, "w")
    return w, lambda: w * w


def test_all_gradients_are_computed_before_any_weight_changes():
    a, b = cr.Value(2.0), cr.Value(3.0)
    (a * b).backward()
    cr.optim.GradientDescent([a, b], 0.1).step()
    assert (a.data, b.data) == (2.0 - 0.1 * 3.0, 3.0 - 0.1 * 2.0)


def test_a_tensor_of_shape_nothing_stays_an_array():
    t = cr.Tensor(2.0)
    (t * t).backward()
    cr.optim.GradientDescent([t], 0.25).step()
    assert type(t.data) is np.ndarray
    t.data[...] = 7.0
    assert t.item() == 7.0


def test_a_missing_gradient_changes_nothing():
    a, b = cr.Value(2.0, "a"), cr.Value(3.0, "b")
    (a * a).backward()
    with pytest.raises(ValueError, match="parameter b has no gradient"):
        cr.optim.GradientDescent([a, b], 0.1).step()
    assert a.data == 2.0


def test_optimiser_arguments():
    a = cr.Value(1.0)
    with pytest.raises(TypeError, match=r"are a list, even of one: \[w\]"):
        cr.optim.GradientDescent(a, 0.1)
    with pytest.raises(TypeError, match="a Value or a Tensor, got float"):
        cr.optim.GradientDescent([1.0], 0.1)
    with pytest.raises(ValueError, match="in the list twice"):
        cr.optim.GradientDescent([a, a], 0.1)
    assert repr(cr.optim.GradientDescent([a], 0.1)) == (
        "GradientDescent(1 parameters, learning_rate=0.1)"
    )
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="learning rate must be positive"):
            cr.optim.GradientDescent([a], bad)
    with pytest.raises(ValueError, match="no parameters"):
        cr.optim.GradientDescent([], 0.1)
    with pytest.raises(TypeError, match="must be a leaf, this one is computed: multiply"):
        cr.optim.GradientDescent([a * 2], 0.1)


def test_stops_at_the_threshold_and_says_so():
    w, loss = parabola()
    history = cr.fit(loss, cr.optim.GradientDescent([w], 0.25), 100, threshold=0.01)
    assert history.errors == [9.0 * 0.25**k for k in range(6)]
    assert w.data == 3.0 * 0.5**5
    assert (history.stopped_by, history.epochs) == ("threshold", 5)
    assert str(history) == ("stopped at epoch 5: error 0.00878906 is below the threshold 0.01")


def test_stops_after_the_epochs_and_says_so():
    w, loss = parabola()
    history = cr.fit(loss, cr.optim.GradientDescent([w], 0.25), 3, threshold=0.01)
    assert (history.stopped_by, history.epochs, len(history.errors)) == ("epochs", 3, 4)
    assert str(history) == "stopped after all 3 epochs: error 0.140625"
    assert str(cr.History()) == "nothing trained yet"
    assert repr(history) == f"<History: {history}>"


def test_an_error_below_the_threshold_from_the_start():
    w, loss = parabola(0.01)
    history = cr.fit(loss, cr.optim.GradientDescent([w], 0.25), threshold=0.01)
    assert (history.epochs, w.data) == (0, 0.01)


def test_growing_without_bound_is_noticed():
    w, loss = parabola()
    with pytest.raises(cr.DivergedError, match="error grew to .*learning rate 1.5 .*try 0.15") as e:
        cr.fit(loss, cr.optim.GradientDescent([w], 1.5))
    assert 10 <= e.value.history.epochs < 20


def test_a_slow_start_is_no_divergence():
    errors = iter([*np.linspace(1, 900, 50), *np.zeros(50)])
    w = cr.Value(1.0)
    history = cr.fit(lambda: w * 0.0 + next(errors).item(), cr.optim.GradientDescent([w], 0.1), 99)
    assert history.stopped_by == "epochs"


def test_an_error_that_is_not_finite_is_noticed():
    w = cr.Tensor([1.0])
    optimizer = cr.optim.GradientDescent([w], 1e4)
    message = r"error became inf from 1 after \d+ epochs"
    with np.errstate(over="ignore"), pytest.raises(cr.DivergedError, match=message):
        cr.fit(lambda: cr.sum(w**4), optimizer)
    with pytest.raises(cr.DivergedError, match="error became nan after 0 epochs"):
        cr.fit(lambda: w.sum() * np.nan, cr.optim.GradientDescent([w], 1.0))


def test_overflow_of_a_value_during_training_is_divergence():
    w = cr.Value(3.0)
    with pytest.raises(cr.DivergedError, match=r"forward pass failed \(power.*try 1000"):
        cr.fit(lambda: w**4, cr.optim.GradientDescent([w], 1e4))
    with pytest.raises(ZeroDivisionError):  # at once, so no matter of training
        cr.fit(lambda: w / 0.0, cr.optim.GradientDescent([w], 1e4))


def test_batches_cover_the_data_once_an_epoch_in_a_seeded_order():
    x = np.arange(10.0)
    w = cr.Tensor(1.0)

    def run(seed):
        seen = []

        def loss(batch):
            seen.append(batch)
            return cr.mean(w * batch * 0.0 + 1.0)

        cr.fit(loss, cr.optim.GradientDescent([w], 0.1), 2, data=[x], batch_size=4, seed=seed)
        return seen

    found = run(0)
    before, epochs = found[:3], found[3:]
    assert np.array_equal(np.concatenate(before), x)
    assert [len(batch) for batch in epochs] == [4, 4, 2, 4, 4, 2]
    for start in (0, 3):
        assert sorted(np.concatenate(epochs[start : start + 3])) == x.tolist()
    assert not np.array_equal(epochs[0], epochs[3])
    assert all(np.array_equal(a, b) for a, b in zip(run(0), run(0), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(run(0), run(1), strict=True))


def test_the_mean_error_weighs_batches_by_their_size():
    w = cr.Tensor(1.0)
    history = cr.fit(
        lambda batch: cr.mean(w * 0.0 + batch),
        cr.optim.GradientDescent([w], 0.1),
        1,
        data=[np.array([1.0, 2.0, 6.0])],
        batch_size=2,
    )
    assert history.errors == pytest.approx([3.0, 3.0])


def test_fit_arguments():
    w, loss = parabola()
    optimizer = cr.optim.GradientDescent([w], 0.1)
    for bad in ({"epochs": 0}, {"batch_size": 0, "data": [np.ones(2)]}):
        with pytest.raises(ValueError, match="at least 1"):
            cr.fit(loss, optimizer, **bad)
    with pytest.raises(ValueError, match=r"different lengths: \[2, 3\]"):
        cr.fit(loss, optimizer, data=[np.ones(2), np.ones(3)])
    with pytest.raises(ValueError, match="batch_size needs data"):
        cr.fit(loss, optimizer, batch_size=3)
    with pytest.raises(TypeError, match="loss must return a Value or a Tensor, it returned float"):
        cr.fit(lambda: 1.0, optimizer)
    with pytest.raises(TypeError, match="loss is a function that computes the error, got Value"):
        cr.fit(loss(), optimizer)
    with pytest.raises(TypeError, match="optimizer such as cr.optim.GradientDescent expected"):
        cr.fit(loss, [w])
    with pytest.raises(TypeError, match=r"data is a list of arrays, even of one: \[X\]"):
        cr.fit(loss, optimizer, data=np.ones((3, 2)))
    t = cr.Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match=r"must return one number, its result has shape \(2,\)"):
        cr.fit(lambda: t * t, cr.optim.GradientDescent([t], 0.1))


class Terminal:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True


def test_progress_is_silent_when_nobody_watches(capsys):
    w, loss = parabola()
    cr.fit(loss, cr.optim.GradientDescent([w], 0.1), 50)
    assert capsys.readouterr() == ("", "")


def test_progress_on_request(capsys):
    w, loss = parabola()
    cr.fit(loss, cr.optim.GradientDescent([w], 0.1), 50, progress=True)
    text = capsys.readouterr().err
    assert "50/50" in text
    assert "error 1.833e-09" in text


def test_a_short_run_on_a_terminal_shows_nothing(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    w, loss = parabola()
    cr.fit(loss, cr.optim.GradientDescent([w], 0.1), 5)
    assert terminal.text.strip() == ""


def test_missing_tqdm_names_the_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    w, loss = parabola()
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'chainrule\[progress\]'"):
        cr.fit(loss, cr.optim.GradientDescent([w], 0.1), 5, progress=True)
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert cr.fit(loss, cr.optim.GradientDescent([w], 0.1), 5).epochs == 5
    assert training.RISING_EPOCHS == 10


# ------------------------------------------------------------------------------ losses


def test_half_squared_error():
    a = cr.Value(0.75)
    E = cr.nn.half_squared_error(a, 0.25)
    E.backward()
    assert (E.data, a.grad) == (0.125, 0.5)
    t = cr.Tensor([[1.0, 2.0]])
    E = cr.nn.half_squared_error(t, np.array([[0.0, 4.0]]))
    E.backward()
    assert E.item() == 2.5
    assert t.grad.tolist() == [[1, -2]]
    with pytest.raises(ValueError, match=r"\(1, 2\) and target of shape \(2,\)"):
        cr.nn.half_squared_error(t, np.ones(2))


def test_mean_squared_error_averages_over_samples():
    t = cr.Tensor([[1.0, 2.0], [3.0, 4.0]])
    E = cr.nn.mean_squared_error(t, np.zeros((2, 2)))
    E.backward()
    assert E.item() == 15.0
    assert t.grad.tolist() == [[1, 2], [3, 4]]
    column = cr.Tensor([1.0, 3.0])
    assert cr.nn.mean_squared_error(column, np.zeros(2)).item() == 5.0
    values = [cr.Value(1.0), cr.Value(3.0)]
    E = cr.nn.mean_squared_error(values, [0.0, 0.0])
    E.backward()
    assert (E.data, values[1].grad) == (5.0, 3.0)
    assert cr.nn.mean_squared_error(cr.Value(3.0), 1.0).data == 4.0
    nested = [[cr.Value(1.0), cr.Value(2.0)], [cr.Value(3.0), cr.Value(4.0)]]
    assert cr.nn.mean_squared_error(nested, [[0.0, 0.0], [0.0, 0.0]]).data == 15.0
    assert cr.nn.half_squared_error(values, [0.0, 0.0]).data == 5.0
    with pytest.raises(ValueError, match="2 predictions for 3 targets"):
        cr.nn.mean_squared_error(values, [0.0] * 3)
    with pytest.raises(ValueError, match="must agree"):
        cr.nn.mean_squared_error(t, np.zeros((2, 1)))


def test_cross_entropy():
    logits, labels = cr.Tensor([[1.0, 2.0, 0.5], [1000.0, 0.0, -1000.0]]), np.array([1, 2])
    E = cr.nn.cross_entropy(logits, labels)
    E.backward()
    e = np.exp(logits.data - logits.data.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    first = -np.log(p[0, 1])
    assert E.item() == pytest.approx((first + 2000) / 2)
    p[[0, 1], labels] -= 1
    assert np.allclose(logits.grad, p / 2, rtol=1e-12)
    with pytest.raises(ValueError, match=r"logits need the shape \(N, classes\), got \(3,\)"):
        cr.nn.cross_entropy(cr.Tensor([1.0, 2.0, 3.0]), np.array([1]))
    for bad in ([0, 3], [-1, 0], [0], [0.0, 1.0]):
        with pytest.raises(ValueError, match="labels"):
            cr.nn.cross_entropy(logits, np.array(bad))


# ---------------------------------------------------------------------------- networks


def test_mlp_of_tensors():
    net = cr.nn.MLP([3, 4, 2], "relu", seed=5)
    assert [p.label for p in net.parameters()] == ["W1", "b1", "W2", "b2"]
    assert [p.shape for p in net.parameters()] == [(3, 4), (4,), (4, 2), (2,)]
    x = np.random.default_rng(0).normal(size=(6, 3))
    W1, b1, W2, b2 = (p.data for p in net.parameters())
    assert np.allclose(net(x).data, np.maximum(x @ W1 + b1, 0) @ W2 + b2)
    assert repr(net) == "MLP(Linear(3, 4), Linear(4, 2)): 26 parameters"
    with pytest.raises(ValueError, match=r"Linear\(3, 4\) takes 3 inputs .* \(6, 2\)"):
        net(np.ones((6, 2)))
    net(x).sum().backward()
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_activations_for_each_layer():
    net = cr.nn.MLP([2, 3, 3, 1], ["sigmoid", cr.tanh, "sigmoid"])
    assert 0 < net(np.ones((1, 2))).item() < 1
    with pytest.raises(ValueError, match="2 activations for 3 layers"):
        cr.nn.MLP([2, 3, 3, 1], ["relu", "relu"])
    with pytest.raises(ValueError, match="unknown activation 'rely': use one of elu, .*, relu, "):
        cr.nn.MLP([2, 1], ["rely"])


def test_initialisation_is_seeded():
    def weights(seed):
        return np.concatenate([p.data.ravel() for p in cr.nn.MLP([3, 4], seed=seed).parameters()])

    assert np.array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))
    wide = cr.nn.Linear(1000, 50).W.data
    assert wide.var() == pytest.approx(1 / 1000, rel=0.05)
    assert np.abs(wide).max() <= np.sqrt(3 / 1000)
    twins = [[p.data for p in scalar.MLP([2, 3, 1], seed=4).parameters()] for _ in range(2)]
    assert twins[0] == twins[1]


def test_sizes_are_checked():
    for bad in ([3], [3, 0], [3, 2.5], [], [-1, 2]):
        for network in (cr.nn.MLP, scalar.MLP):
            with pytest.raises(ValueError, match="at least two positive whole numbers"):
                network(bad)


def test_sizes_are_one_list():
    for network in (cr.nn.MLP, scalar.MLP):
        with pytest.raises(TypeError, match=r"sizes are one list, .* \[2, 16, 1\]"):
            network(2, [16, 1])


def test_scalar_networks_equal_tensor_networks():
    net = scalar.MLP([2, 3, 2], "tanh", seed=3)
    x = [0.5, -1.5]
    outputs = net(x)
    E = outputs[0] * outputs[1]
    E.backward()
    W = [cr.Tensor([[w.data for w in n.w] for n in layer.neurons]) for layer in net.layers]
    h = cr.tanh(W[0] @ np.array(x))
    y = W[1] @ h
    (y[0] * y[1]).backward()
    assert [v.data for v in outputs] == pytest.approx(y.data.tolist())
    for layer, w in zip(net.layers, W, strict=True):
        assert np.allclose([[v.grad for v in n.w] for n in layer.neurons], w.grad)
    assert [p.label for p in net.parameters()][:4] == ["w1_11", "w1_12", "b1_1", "w1_21"]
    assert repr(net) == "MLP(Layer(2, 3), Layer(3, 2)): 17 parameters"
    assert repr(net.layers[0].neurons[0]) == "Neuron(2): 3 parameters"
    with pytest.raises(ValueError, match="of 2 inputs takes a list of as many"):
        net(1.0)
    with pytest.raises(ValueError, match="of 2 inputs takes a list of as many"):
        net([1.0, 2.0, 3.0])


def test_scalar_layer_and_neuron():
    neuron = scalar.Neuron(2, "relu", seed=1)
    assert len(neuron.parameters()) == 3
    layer = scalar.Layer(2, 3, seed=1)
    assert len(layer.parameters()) == 9
    assert len(layer([1.0, 2.0])) == 3


def test_adam_follows_its_formula():
    random = np.random.default_rng(0)
    A = random.normal(size=(4, 4))
    for dtype, rtol in ((np.float64, 1e-13), (np.float32, 1e-5)):
        w = cr.Tensor(np.ones(4, dtype))
        optimizer = cr.optim.Adam([w], 0.1, betas=(0.7, 0.9), eps=1e-3)
        expected, m, v = np.ones(4), 0.0, 0.0
        for t in range(1, 20):
            optimizer.zero_grad()
            np.sum(np.cos(A.astype(dtype) @ w)).backward()
            optimizer.step()
            g = -A.T @ np.sin(A @ expected)
            m, v = 0.7 * m + 0.3 * g, 0.9 * v + 0.1 * g * g
            root = np.sqrt(v / (1 - 0.9**t))
            expected = expected - 0.1 * m / (1 - 0.7**t) / (root + 1e-3)
            assert w.data.dtype == dtype
            np.testing.assert_allclose(w.data, expected, rtol=rtol)
    with pytest.raises(ValueError, match="betas"):
        cr.optim.Adam([w], betas=(0.9, 1.0))
    with pytest.raises(ValueError, match="no gradient"):
        cr.optim.Adam([cr.Tensor([1.0])]).step()
