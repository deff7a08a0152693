"""Draws the pictures of the documentation into a folder, by default docs/pictures.

The built-in layout gives the same bytes on every machine.
"""

import sys
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import demo
from chainrule.nn import scalar


def two_neurons():
    """The lecture's network."""
    weights = {name: cr.Value(number, label=name) for name, number in demo.START.items()}
    E = demo.two_neurons(weights)["E"]
    E.backward()
    return E


def two_layers():
    """Two tanh neurons, a linear output, a squared error: two paths from every input."""
    x1, x2 = cr.Value(1.0, "x1"), cr.Value(-2.0, "x2")
    with cr.scope("layer1.neuron1"):
        h1 = cr.tanh(cr.Value(0.8, "w11") * x1 + cr.Value(-0.4, "w12") * x2 + cr.Value(0.1, "b1"))
    with cr.scope("layer1.neuron2"):
        h2 = cr.tanh(cr.Value(-0.5, "w21") * x1 + cr.Value(0.9, "w22") * x2 + cr.Value(0.3, "b2"))
    c = cr.Value(0.7, "c")
    with cr.scope("layer2"):
        y = c * h1 + c * h2
    L = (y - cr.Value(1.0, "target")) ** 2
    for name, node in {"h1": h1, "h2": h2, "y": y, "L": L}.items():
        node.label = name
    L.backward()
    return L


def arrays():
    """The article's network: 3 inputs, 2 hidden neurons, 2 outputs."""
    E = demo.three_two_two(demo.with_variables())
    E.label = "E"
    E.backward()
    return E


def many():
    """A network of 2 × 16 neurons, each of them many numbers."""
    net = scalar.MLP([2, 16, 16, 1], "relu", seed=3)
    E = (net([1.0, -2.0]) - 1.0) ** 2
    E.label = "E"
    E.backward()
    return E


def main(folder):
    def draw(root, name, **options):
        cr.render(root, folder / name, engine="built-in", **options)

    draw(two_neurons(), "two_neurons.svg")
    draw(two_layers(), "paths.svg", path="x1")
    draw(two_layers(), "paths_dark.svg", path="x1", theme="dark")
    draw(two_layers(), "page.html")
    draw(arrays(), "arrays.svg", path="W1[0, 1]")
    draw(many(), "folded.svg", max_nodes=20)


if __name__ == "__main__":
    np.seterr(all="raise")
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "pictures")
