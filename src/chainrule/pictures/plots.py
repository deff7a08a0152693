"""Training as pictures, with matplotlib (extra `plot`): every function returns its Figure."""

from __future__ import annotations

import importlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node, newest_first
from chainrule.ops.base import shape_of
from chainrule.ops.partials import Elementwise
from chainrule.pictures.showing.clusters import scopes_of
from chainrule.pictures.showing.reading import Reading
from chainrule.recording import no_grad
from chainrule.summaries import by_layer, scale_of
from chainrule.traced import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: The palette of Okabe and Ito, its yellow left out; lines differ in their dashes, too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
#: Points to a side of the grid behind a decision boundary, and room around the data.
GRID, MARGIN = 200, 0.15


def training(
    errors: Sequence[float],
    gradients: Mapping[str, Sequence[float]] | None = None,
    epochs: Sequence[int] = (),
    *,
    validation: Sequence[float] = (),
) -> Any:
    """The error over the epochs, and beside it the size of the gradient of each layer.

    `history.plot()` draws what `fit` returned.

    Args:
        errors: one for each epoch, the first before training.
        gradients: for each layer the sizes ‖∂E/∂W‖.
        epochs: the epochs of those.
        validation: the validation errors, one for each epoch.

    Returns:
        a matplotlib Figure: `.savefig("training.png")`.

    Raises:
        ModuleNotFoundError: without matplotlib, with the install command.
        ValueError: without any errors.
    """
    if not len(errors):
        raise ValueError("nothing trained yet: there is no error to plot")
    figure = _figure(2 if gradients else 1)
    left, *right = figure.axes
    left.plot(range(len(errors)), errors, color=COLOURS[0], label="training")
    if len(validation):
        left.plot(range(len(validation)), validation, **_line(1), label="validation")
        left.legend(fontsize="small")
    for epoch in np.flatnonzero(~np.isfinite(errors)):
        left.axvline(epoch, color=COLOURS[1], linestyle=":", label="not finite")
    left.set(xlabel="epoch", ylabel="error", yscale=scale_of(errors))
    for axes in right:
        assert gradients is not None
        for k, (name, sizes) in enumerate(gradients.items()):
            axes.plot(epochs, sizes, label=name, **_line(k))
        everything = [size for sizes in gradients.values() for size in sizes]
        axes.set(xlabel="epoch", ylabel="size of the gradient", yscale=scale_of(everything))
        axes.legend(fontsize="small", ncols=1 + len(gradients) // 9)
    return figure


def weights(parameters: Any) -> Any:
    """Histograms of weights, one for each array; single numbers are taken together by layer.

    Args:
        parameters: a module, or its parameters.

    Returns:
        a matplotlib Figure.

    Raises:
        ModuleNotFoundError: without matplotlib, with the install command.
        TypeError: for anything without parameters.
    """
    some = parameters.parameters() if hasattr(parameters, "parameters") else parameters
    if not isinstance(some, list | tuple) or not some or not all(isinstance(p, Node) for p in some):
        raise TypeError(f"weights= takes a module or a list of parameters, got {some!r}")
    return _histograms({name: _entries(group) for name, group in by_layer(some).items()}, "weight")


def activations(root: Node) -> Any:
    """Histograms of what the activation functions under a root gave, with the share of zeros.

    Every array that a function of one thing (relu, tanh, …) computed is one histogram; those of
    single numbers are taken together by scope.

    Args:
        root: the result of a forward pass, such as the loss.

    Returns:
        a matplotlib Figure.

    Raises:
        ModuleNotFoundError: without matplotlib, with the install command.
        TypeError: if root is not a node.
        ValueError: if there is no activation function.
    """
    if not isinstance(root, Node):
        raise TypeError(f"activations are those of a Value or Tensor, got {type(root).__name__}")
    reading = Reading(root)
    scopes = scopes_of(reading, None)
    found: dict[str, list[Node]] = defaultdict(list)
    for node in newest_first(root)[::-1]:
        op: Any = node.op
        if not isinstance(op, Elementwise) or len(op.rules) != 1 or not callable(op.rules[0]):
            continue
        if shape_of(node._held) != shape_of(plain(node.inputs[0])):
            continue
        layer = ".".join(scopes[id(node)][:-1] or scopes[id(node)])
        name = reading.name(node) if shape_of(node._held) else layer
        found[f"{op.name} {name}".strip()].append(node)
    if not found:
        raise ValueError("there is no activation function in this graph")
    return _histograms({name: _entries(group) for name, group in found.items()}, "activation")


def boundary(
    predict: Callable[[np.ndarray], Any],
    X: Any,  # noqa: N803 -- a matrix
    labels: Any,
    level: float | None = None,
) -> Any:
    """The decision boundary of a classifier of two inputs, with the data.

    Args:
        predict: takes points of shape (n, 2) and gives one number for each, or scores of shape
            (n, classes).
        X: the data, of shape (n, 2).
        labels: the class of each point, whole numbers (0 and 1, or -1 and 1).
        level: where the boundary of one number is; by default half way between the two labels.

    Returns:
        a matplotlib Figure.

    Raises:
        ModuleNotFoundError: without matplotlib, with the install command.
        ValueError: for data or results of other shapes.
    """
    points, classes = np.asarray(X, dtype=float), np.asarray(labels).ravel()
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or len(classes) != len(points):
        raise ValueError(
            f"a boundary needs data of shape (n, 2) and n labels, got {points.shape} and"
            f" {classes.shape}"
        )
    low, high = points.min(axis=0), points.max(axis=0)
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    x, y = (np.linspace(low[i], high[i], GRID) for i in (0, 1))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    with no_grad():
        given = np.asarray(_numbers(predict(grid)), dtype=float)
    if given.size == len(grid):
        scores = given.reshape(len(grid))
        names = np.unique(classes)
        if level is None:
            level = float(names.mean()) if len(names) == 2 else 0.5
        areas = (scores > level).astype(int)
    elif given.ndim == 2 and len(given) == len(grid):
        areas = given.argmax(axis=1)
        names = np.arange(given.shape[1])
    else:
        raise ValueError(f"{len(grid)} points gave an array of shape {given.shape}")
    figure = _figure(1)
    (axes,) = figure.axes
    levels = np.arange(areas.max() + 2) - 0.5
    shades = [COLOURS[k % len(COLOURS)] for k in range(len(levels) - 1)]
    whole = areas.reshape(GRID, GRID)
    axes.contourf(x, y, whole, levels=levels, colors=shades, alpha=0.22)
    if areas.max() > areas.min():
        axes.contour(x, y, whole, levels=levels[1:-1], colors="#1b2430", linewidths=1.0)
    for k, label in enumerate(np.unique(classes)):
        own = points[classes == label]
        k = int(np.searchsorted(names, label))  # noqa: PLW2901 -- its place among the areas
        axes.scatter(
            own[:, 0], own[:, 1], color=COLOURS[k % len(COLOURS)], edgecolor="white", s=28,
            marker=MARKERS[k % len(MARKERS)], linewidth=0.6, label=f"class {label}",
        )  # fmt: skip
    axes.set(xlabel="x1", ylabel="x2")
    axes.legend(fontsize="small")
    return figure


def _entries(nodes: Sequence[Node]) -> np.ndarray:
    parts = [np.ravel(np.asarray(plain(node))) for node in nodes]
    whole = np.concatenate([np.abs(part) if np.iscomplexobj(part) else part for part in parts])
    return whole.astype(float)


def _numbers(given: Any) -> Any:
    return [_numbers(x) for x in given] if isinstance(given, list) else plain(given)


def _histograms(groups: Mapping[str, np.ndarray], what: str) -> Any:
    figure = _figure(len(groups))
    for k, (axes, (name, entries)) in enumerate(zip(figure.axes, groups.items(), strict=True)):
        known = entries[np.isfinite(entries)]
        axes.hist(known, bins=min(40, 5 + int(len(known) ** 0.5)), color=COLOURS[k % len(COLOURS)])
        zeros = np.mean(entries == 0) if len(entries) else 0.0
        flaws = len(entries) - len(known)
        remark = f", {zeros:.0%} zero" if zeros else ""
        remark += f", {flaws} not finite" if flaws else ""
        axes.set(title=f"{name} ({len(entries):,}{remark})", xlabel=what, ylabel="count")
        axes.title.set_fontsize("small")
    return figure


def _figure(count: int) -> Any:
    """A figure of its own, outside pyplot, with so many axes."""
    try:
        module = importlib.import_module("matplotlib.figure")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "plots need matplotlib: pip install 'chainrule[plot]', or without it"
            " print(history.sparkline())"
        ) from None
    columns = min(count, 3)
    rows = -(-count // columns)
    figure = module.Figure(figsize=(4.6 * columns, 3.3 * rows), layout="constrained")
    for k in range(count):
        axes = figure.add_subplot(rows, columns, k + 1)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _line(k: int) -> dict[str, Any]:
    return {"color": COLOURS[k % len(COLOURS)], "linestyle": DASHES[k // len(COLOURS) % 4]}
