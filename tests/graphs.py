"""Ten graphs that every engine draws: small and large, of numbers and of arrays."""

import numpy as np

import chainrule as cr
from chainrule import demo
from chainrule.nn import scalar


def first_document():
    weights = {name: cr.Value(number, label=name) for name, number in demo.START.items()}
    E = demo.two_neurons(weights)["E"]
    E.backward()
    return E


def second_document():
    E = demo.three_two_two(demo.with_variables())
    E.label = "E"
    E.backward()
    return E


def two_layers():
    """The network of the pictures that are the look to reach."""
    x1, x2 = cr.Value(1.0, "x1"), cr.Value(-2.0, "x2")
    numbers = {"neuron1": (0.8, -0.4, 0.1), "neuron2": (-0.5, 0.9, 0.3)}
    hidden = []
    with cr.scope("layer1"):
        for k, (name, row) in enumerate(numbers.items(), start=1):
            w1, w2 = cr.Value(row[0], f"w{k}1"), cr.Value(row[1], f"w{k}2")
            with cr.scope(name):
                h = cr.tanh(w1 * x1 + w2 * x2 + cr.Value(row[2], f"b{k}"))
            h.label = f"h{k}"
            hidden.append(h)
    c = cr.Value(0.7, "c")
    with cr.scope("layer2"):
        y = c * hidden[0] + c * hidden[1]
    y.label = "y"
    L = (y - cr.Value(1.0, "target")) ** 2
    L.label = "L"
    L.backward()
    return L


def neurons():
    net = scalar.MLP([2, 3, 1], "tanh")
    E = (net([1.0, -2.0]) - 1.0) ** 2
    E.label = "E"
    E.backward()
    return E


def layers():
    net = cr.nn.MLP([3, 4, 2], "relu", seed=1)
    X = np.random.default_rng(0).normal(size=(4, 3))
    L = cr.nn.cross_entropy(net(X), np.array([0, 1, 0, 1]))
    L.label = "L"
    L.backward()
    return L


def square():
    h = cr.Value(3.0, "h")
    o = h * h
    o.label = "o"
    o.backward()
    return o


def dead_relu():
    x, w = cr.Value(-2.0, "x"), cr.Value(1.5, "w")
    y = cr.relu(w * x) + 0.1 * w
    y.label = "y"
    y.backward()
    return y


def recurrent():
    w, u, h = cr.Value(0.9, "w"), cr.Value(-0.3, "u"), cr.Value(0.0, "h0")
    for k in range(4):
        with cr.scope(f"step{k + 1}"):
            h = cr.tanh(w * h + u * (0.5 + k))
        h.label = f"h{k + 1}"
    h.backward()
    return h


def residual():
    """Edges that pass many boxes, and an attention head."""
    rng = np.random.default_rng(1)
    x = cr.Tensor(rng.normal(size=(3, 4)), "x")
    Q, K, V = (cr.Tensor(rng.normal(size=(4, 4)), name) for name in ("Wq", "Wk", "Wv"))
    with cr.scope("attention"):
        scores = cr.softmax((x @ Q) @ (x @ K).T * 0.5)
        out = scores @ (x @ V)
    y = x + out
    z = y + cr.tanh(y) * x
    L = np.mean(z * z)
    L.label = "L"
    L.backward()
    return L


def folded():
    net = scalar.MLP([2, 16, 16, 1], "relu", seed=3)
    E = (net([1.0, -2.0]) - 1.0) ** 2
    E.label = "E"
    E.backward()
    return E


GRAPHS = {
    make.__name__: make
    for make in (
        *(first_document, second_document, two_layers, neurons, layers),
        *(square, dead_relu, recurrent, residual, folded),
    )
}
