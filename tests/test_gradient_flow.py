"""`gradient_flow`: what is left of the gradient, layer by layer."""

import numpy as np
import pytest

import chainrule as cr


def chain(n, activation):
    """A chain of n neurons with w = 0.45, b = 0.65, and its biases."""
    h, biases = 0.1, []
    for i in range(n):
        w, b = cr.Value(0.45, label=f"w{i + 1}"), cr.Value(0.65, label=f"b{i + 1}")
        h = activation(w * h + b)
        biases.append(b)
    E = 0.5 * (0.25 - h) ** 2
    E.label = "E"
    return E, biases


@pytest.mark.parametrize(("n", "ratio"), [(2, 0.1), (5, 7e-5), (10, 4e-10), (20, 1e-20)])
def test_sigmoids_lose_the_gradient(n, ratio):
    E, biases = chain(n, cr.sigmoid)
    flow = cr.gradient_flow(E)
    first, last = flow.layers[0].gradients["b1"], flow.layers[-1].gradients[f"b{n}"]
    assert first / last == pytest.approx(ratio, rel=0.4)
    table = cr.adjoints(E)
    assert first == abs(table[biases[0]])
    assert last == abs(table[biases[-1]])
    assert all(layer.factor < 0.25 for layer in flow.layers)
    assert bool(flow.warnings) == (flow.ratio < 1e-3)


def test_relu_passes_it_on():
    flow = cr.gradient_flow(chain(5, cr.relu)[0])
    assert [layer.factor for layer in flow.layers] == [1.0] * 5


def test_the_factors_and_weights_multiply_to_the_ratio():
    E, biases = chain(4, cr.sigmoid)
    flow = cr.gradient_flow(E)
    product = 0.45**3
    for layer in flow.layers[:-1]:
        product *= layer.factor
    gradients = [layer.gradients[f"b{layer.number}"] for layer in flow.layers]
    assert gradients[0] / gradients[-1] == pytest.approx(product)
    assert biases


def test_every_step_of_a_loop_is_a_row():
    w, u, h = cr.Value(0.5, label="w"), cr.Value(0.3, label="u"), 0.1
    for x in (1.0, -2.0, 0.5):
        h = cr.tanh(w * h + u * x)
    flow = cr.gradient_flow(0.5 * (h - 1.0) ** 2)
    assert [layer.activation for layer in flow.layers] == ["tanh"] * 3
    assert [len(layer.gradients) for layer in flow.layers] == [2, 0, 0]


def test_dead_and_saturated_units():
    x = np.array([[1.0, 2.0], [0.5, -1.0]])
    W1 = cr.Tensor([[1.0, -1.0, 9.0], [0.0, -1.0, 9.0]], label="W1")
    h = cr.relu(x @ W1 + np.array([0.0, -9.0, 0.0]))
    W2 = cr.Tensor(np.full((3, 2), 20.0), label="W2")
    E = np.sum(cr.tanh(h @ W2))
    E.label = "E"
    flow = cr.gradient_flow(E)
    first, second = flow.layers
    assert (first.units, first.dead, first.activation) == (3, 1, "relu")
    assert second.activation == "tanh"
    assert second.dead + second.saturated > 0
    assert any("1 of 3 units are dead" in warning for warning in flow.warnings)


def test_it_shows_itself():
    flow = cr.gradient_flow(chain(2, cr.sigmoid)[0])
    lines = repr(flow).splitlines()
    assert lines[0] == "Gradient flow of E, from the last layer to the first"
    assert lines[4].split()[:3] == ["2", "w2,", "b2"]
    assert "| layer | parameters |" in flow._repr_markdown_()
    assert "<table" in flow.html()
    assert "array" in flow.latex()
    assert flow.to_dict()["layers"][0]["gradients"].keys() == {"w1", "b1"}


def test_a_network_without_activation_and_refusals():
    w = cr.Value(2.0, label="w")
    flow = cr.gradient_flow(w * 3.0)
    assert [layer.gradients for layer in flow.layers] == [{"w": 3.0}]
    with pytest.raises(TypeError, match="gradient_flow takes"):
        cr.gradient_flow(3.0)
