"""The main job: the networks of both documents, from forward pass to trained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.nn.losses import half_squared_error, mean_squared_error
from chainrule.ops import elementwise, sigmoid
from chainrule.optim import GradientDescent
from chainrule.pictures import render
from chainrule.pictures.output.raster import can_write_png
from chainrule.tensor import Tensor
from chainrule.training import fit, progress_is_seen
from chainrule.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chainrule.training import History

# ------------------------------------------------- first document: two sigmoid neurons

X, TARGET, LEARNING_RATE, THRESHOLD = 0.1, 0.25, 0.4, 0.001
START = {"w1": 0.15, "b1": 0.40, "w2": 0.45, "b2": 0.65}
#: What the lecture prints, with its digits.
PUBLISHED = {
    "z1": "0.415",
    "a1": "0.6023",
    "z2": "0.9210",
    "a2": "0.7153",
    "∂E/∂w2": "0.05706",
    "∂E/∂b2": "0.0948",
    "∂E/∂w1": "0.001021",
    "∂E/∂b1": "0.01021",
    "w2 new": "0.427",
    "b2 new": "0.612",
    "w1 new": "0.1496",
    "b1 new": "0.3959",
}


def two_neurons(weights: dict[str, Value]) -> dict[str, Value]:
    """Forward pass: z1 = w1·x + b1, a1 = σ(z1), z2 = w2·a1 + b2, a2 = σ(z2), E = ½(T - a2)²."""
    z1 = weights["w1"] * X + weights["b1"]
    a1 = z1.sigmoid()
    z2 = weights["w2"] * a1 + weights["b2"]
    a2 = z2.sigmoid()
    steps = {"z1": z1, "a1": a1, "z2": z2, "a2": a2, "E": half_squared_error(a2, TARGET)}
    for name, node in steps.items():
        node.label = name
    return steps


def two_neurons_by_hand(w1: float, b1: float, w2: float, b2: float) -> dict[str, float]:
    """The four gradients as the lecture derives them, factor by factor."""
    a1 = 1 / (1 + np.exp(-(w1 * X + b1)))
    a2 = 1 / (1 + np.exp(-(w2 * a1 + b2)))
    at_z2 = -(TARGET - a2) * a2 * (1 - a2)
    at_z1 = at_z2 * w2 * a1 * (1 - a1)
    return {"w2": at_z2 * a1, "b2": at_z2, "w1": at_z1 * X, "b1": at_z1}


# ------------------------------------------------- second document: 3 inputs, 2 hidden, 2 outputs


class Network(NamedTuple):
    """The arrays of the second document's network; one sample, so N = 1."""

    x: Any
    target: Any
    W1: Any
    b1: Any
    W2: Any
    b2: Any


#: The document's own numbers were lost with its images; these are chosen.
FIXTURE = Network(
    x=np.array([[1.0, 0.5, -1.0]]),
    target=np.array([[0.5, -0.25]]),
    W1=np.array([[0.1, 0.2], [-0.3, 0.4], [0.5, -0.6]]),
    b1=np.array([0.1, -0.2]),
    W2=np.array([[0.7, -0.8], [0.9, 0.3]]),
    b2=np.array([0.05, 0.15]),
)
SECOND_LEARNING_RATE = 0.02

#: The sigmoid as the document computes it by hand: rounded to 4 decimals, derivative from that.
rounded_sigmoid = elementwise(
    lambda z: np.round(1 / (1 + np.exp(-z)), 4), lambda h, _z: h * (1 - h), name="rounded_sigmoid"
)


def three_two_two(net: Network, activation: Callable[[Any], Any] = sigmoid) -> Any:
    """The error: sigmoid hidden layer, linear output, (1/N)·Σ (T - O)²."""
    h = activation(net.x @ net.W1 + net.b1)
    output = h @ net.W2 + net.b2
    h.label, output.label = "h", "O"
    return mean_squared_error(output, net.target)


def three_two_two_by_hand(net: Network) -> dict[str, Any]:
    """The gradients with every path from a weight to an output written out and added."""
    x, target = net.x[0], net.target[0]
    samples = len(net.x)
    h = 1 / (1 + np.exp(-(x @ net.W1 + net.b1)))
    output = h @ net.W2 + net.b2
    inputs, hidden, outputs = range(len(x)), range(len(h)), range(len(target))
    dE_dO = [-2 * (target[k] - output[k]) / samples for k in outputs]
    dW2 = [[dE_dO[k] * h[j] for k in outputs] for j in hidden]
    # From hidden neuron j there is one path through each output k: their products are added.
    dE_dh = [sum(dE_dO[k] * net.W2[j, k] for k in outputs) for j in hidden]
    dE_dp = [dE_dh[j] * h[j] * (1 - h[j]) for j in hidden]
    dW1 = [[dE_dp[j] * x[i] for j in hidden] for i in inputs]
    return {
        "W1": np.array(dW1),
        "b1": np.array(dE_dp),
        "W2": np.array(dW2),
        "b2": np.array(dE_dO),
    }


def with_variables(net: Network = FIXTURE) -> Network:
    """The fixture with labelled Tensors for weights and biases."""
    return Network(
        net.x,
        net.target,
        *[Tensor(a, name) for a, name in zip(net[2:], net._fields[2:], strict=True)],
    )


def rounding_effect() -> dict[str, float]:
    """The largest change of a gradient entry, relative, when the sigmoid is rounded to 4 places."""
    exact, rounded = with_variables(), with_variables()
    three_two_two(exact).backward()
    three_two_two(rounded, rounded_sigmoid).backward()
    return {
        name: float(np.max(np.abs((b.grad - a.grad) / a.grad)))
        for name, a, b in zip(exact._fields[2:], exact[2:], rounded[2:], strict=True)
    }


# ------------------------------------------------------------------------------ telling it


def run(out: Path) -> None:
    """Print the whole story and write the pictures to a directory."""
    off, first_end = _first_document(out)
    hand_error, moved, second_end = _second_document(out)
    stems = (out / "two_neurons", out / "three_two_two")
    pictures = ", ".join(path.name for stem in stems for path in _picture_paths(stem))
    print("\nSummary")
    print("  Every gradient came from backward(), which knows one small rule for each operation.")
    print("  First network: equal to the hand derivation and to 11 of the 12 printed numbers;")
    print(f"    the twelfth is a misprint: {off}.")
    print(f"    Training {first_end}.")
    print(
        f"  Second network: equal to the sum over all paths, largest difference {hand_error:.0e}."
    )
    print(f"    A sigmoid rounded to 4 decimals moves a gradient by up to {moved:.2%}.")
    print(f"    Training {second_end}.")
    print(f"  Pictures in {out}: {pictures}")
    if not can_write_png():
        print("  (for PNG beside SVG: pip install 'chainrule[pictures]')")


def _first_document(out: Path) -> tuple[str, History]:
    print("First network: x → [w1, b1] → σ → [w2, b2] → σ → a2,  E = ½(T - a2)²")
    print(f"  x = {X}, T = {TARGET}, learning rate {LEARNING_RATE}, start {START}\n")
    weights = {name: Value(number, label=name) for name, number in START.items()}
    steps = two_neurons(weights)
    steps["E"].backward()
    for path in _picture_paths(out / "two_neurons"):
        render(steps["E"], path)
    hand = two_neurons_by_hand(**START)
    optimizer = GradientDescent(weights.values(), LEARNING_RATE)
    table: dict[str, tuple[float, float | None]] = {
        name: (node.data, None) for name, node in steps.items()
    }
    table |= {f"∂E/∂{name}": (weights[name].grad, hand[name]) for name in hand}
    optimizer.step()
    table |= {
        f"{name} new": (weights[name].data, START[name] - LEARNING_RATE * hand[name])
        for name in hand
    }
    print(f"  {'':8}{'chainrule':>14}{'by hand':>14}{'published':>12}")
    off = ""
    for name, (number, by_hand) in table.items():
        printed = PUBLISHED.get(name, "")
        right = f"{number:.{len(printed.partition('.')[2])}f}" if printed else ""
        remark = "" if printed == right else f"  ← should be {right}"
        off = f"{name} is printed {printed}, it is {right}" if remark else off
        beside = "" if by_hand is None else f"{by_hand:.8f}"
        print(f"  {name:8}{number:14.8f}{beside:>14}{printed:>12}{remark}")
    for name, number in START.items():
        weights[name].data = number
    history = fit(
        lambda: two_neurons(weights)["E"],
        optimizer,
        threshold=THRESHOLD,
        progress=progress_is_seen(),
    )
    print(f"\n  Training {history}\n")
    return off, history


def _second_document(out: Path) -> tuple[float, float, History]:
    print("Second network: 3 inputs → 2 sigmoid neurons → 2 linear outputs,  E = (1/N)·Σ(T - O)²")
    print(f"  chosen numbers (the document's are lost), learning rate {SECOND_LEARNING_RATE}\n")
    net = with_variables()
    error = three_two_two(net)
    error.label = "E"
    error.backward()
    for path in _picture_paths(out / "three_two_two"):
        render(error, path)
    hand = three_two_two_by_hand(FIXTURE)
    largest = 0.0
    print(
        f"  E = {error.item():.8f}\n  {'':11}{'chainrule':>14}{'all paths':>14}{'weight':>10} → new"
    )
    for name, by_hand in hand.items():
        weight = getattr(net, name)
        largest = max(largest, float(np.max(np.abs(weight.grad - by_hand))))
        for index in np.ndindex(weight.shape):
            place = f"∂E/∂{name}[{','.join(map(str, index))}]"
            new = weight.data[index] - SECOND_LEARNING_RATE * weight.grad[index]
            print(
                f"  {place:11}{weight.grad[index]:14.8f}{by_hand[index]:14.8f}"
                f"{weight.data[index]:10.4g} → {new:.8f}"
            )
    moved = rounding_effect()
    changes = ", ".join(f"{name} {change:.2%}" for name, change in moved.items())
    print(f"\n  With the sigmoid rounded to 4 decimals the gradients move by up to: {changes}")
    optimizer = GradientDescent([net.W1, net.b1, net.W2, net.b2], SECOND_LEARNING_RATE)
    history = fit(
        lambda: three_two_two(net), optimizer, threshold=THRESHOLD, progress=progress_is_seen()
    )
    print(f"  Training {history}")
    return largest, max(moved.values()), history


def _picture_paths(stem: Path) -> list[Path]:
    """SVG always, PNG where the extra is installed."""
    paths = [stem.with_suffix(".svg")]
    if can_write_png():
        paths.append(stem.with_suffix(".png"))
    return paths
