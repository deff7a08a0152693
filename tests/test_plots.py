"""Training as pictures: what the figures show, and the line of text without matplotlib."""

import importlib

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import scalar

matplotlib = pytest.importorskip("matplotlib")


def trained(epochs=30, **options):
    net = cr.nn.MLP([2, 4, 1], "tanh", seed=1)
    X, y = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[1.0], [-1.0]])
    optimizer = cr.optim.GradientDescent(net.parameters(), 0.1)
    loss = lambda a, b: cr.nn.mean_squared_error(net(a), b)
    return net, X, y, cr.fit(loss, optimizer, epochs, data=[X, y], **options)


def test_the_history_holds_the_gradients_of_each_layer():
    _, X, y, history = trained(1)
    fresh = cr.nn.MLP([2, 4, 1], "tanh", seed=1)
    cr.nn.mean_squared_error(fresh(X), y).backward()
    assert list(history.gradients) == ["W1", "b1", "W2", "b2"]
    assert history.gradient_epochs == [0]
    for p in fresh.parameters():
        assert history.gradients[p.label] == [pytest.approx(np.linalg.norm(p.grad), rel=1e-12)]


def test_gradients_of_long_trainings_are_noted_now_and_then():
    history = trained(1000)[3]
    assert history.gradient_epochs == list(range(0, 1000, 3))
    batches = trained(2, batch_size=1)[3]
    assert batches.gradient_epochs == [0, 1]


def test_numbers_are_taken_together_by_layer():
    net = scalar.MLP([2, 3, 1], "tanh")
    optimizer = cr.optim.GradientDescent(net.parameters(), 0.1)
    history = cr.fit(lambda: (net([1.0, -2.0]) - 1.0) ** 2, optimizer, 2)
    assert list(history.gradients) == ["w1", "b1", "w2", "b2"]


def test_the_plot_of_a_training():
    history = trained()[3]
    figure = history.plot()
    left, right = figure.axes
    assert list(left.lines[0].get_ydata()) == history.errors
    assert [line.get_label() for line in right.lines] == ["W1", "b1", "W2", "b2"]
    assert list(right.lines[0].get_ydata()) == history.gradients["W1"]
    assert list(right.lines[0].get_xdata()) == history.gradient_epochs
    with pytest.raises(ValueError, match="nothing trained yet"):
        cr.History().plot()


def test_histograms_of_weights():
    net = cr.nn.MLP([2, 4, 1], seed=1)
    figure = cr.plots.weights(net)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["W1 (8)", "b1 (4, 100% zero)", "W2 (4)", "b2 (1, 100% zero)"]
    counts = sum(patch.get_height() for patch in figure.axes[0].patches)
    assert counts == 8
    assert [axes.get_title() for axes in cr.plots.weights([cr.Value(1.0, "w1_2")]).axes] == [
        "w1 (1)"
    ]
    with pytest.raises(TypeError, match="a module or a list of parameters"):
        cr.plots.weights(3.0)


def test_histograms_of_activations():
    x = cr.Tensor([[-1.0, 2.0, -3.0, 4.0]], "x")
    h = cr.relu(x)
    h.label = "h"
    figure = cr.plots.activations(np.sum(h))
    assert [axes.get_title() for axes in figure.axes] == ["relu h (4, 50% zero)"]
    with pytest.raises(ValueError, match="no activation function"):
        cr.plots.activations(np.sum(x * 2.0))
    with pytest.raises(TypeError, match="got float"):
        cr.plots.activations(1.0)


@pytest.mark.parametrize(
    ("predict", "expected"),
    [
        (lambda grid: grid[:, 0], {0, 1}),  # boundary at 0
        (lambda grid: cr.sigmoid(cr.Tensor(grid))[:, :1], {0, 1}),  # at ½
        (lambda grid: np.stack([grid[:, 0], grid[:, 1], -grid[:, 0]], axis=1), {0, 1, 2}),
        (lambda grid: [cr.Value(x) for x in grid[:, 0].tolist()], {0, 1}),
    ],
)
def test_the_decision_boundary(predict, expected):
    X = np.array([[-1.0, -1.0], [1.0, 1.0], [1.0, -1.0]])
    figure = cr.plots.boundary(predict, X, [0, 1, 1])
    (axes,) = figure.axes
    assert len(axes.collections) >= 3
    areas = axes.collections[0]
    drawn = sum(bool(len(path.vertices)) for path in areas.get_paths())
    assert drawn == len(expected)


def test_boundaries_of_other_data_are_refused():
    with pytest.raises(ValueError, match=r"shape \(n, 2\) and n labels"):
        cr.plots.boundary(lambda grid: grid, np.ones((3, 3)), [0, 1, 1])
    with pytest.raises(ValueError, match=r"40000 points gave an array of shape \(3,\)"):
        cr.plots.boundary(lambda _grid: np.ones(3), np.ones((3, 2)), [0, 1, 1])


def test_sparklines():
    history = cr.History(errors=[8.0, 4.0, 2.0, 1.0])
    assert history.sparkline() == "8 █▄▂▁ 1"
    assert cr.History().sparkline() == ""
    assert cr.History(errors=[1.0, 1.0]).sparkline() == "1 ▁▁ 1"
    assert cr.History(errors=[1000.0, 100.0, 10.0, 1.0]).sparkline() == "1e+03 █▆▃▁ 1"
    assert cr.History(errors=[1.0, np.inf, 3.0]).sparkline() == "1 ▁?█ 3"
    assert len(cr.History(errors=list(range(500))).sparkline(20)) == len("0  499") + 20


def test_without_matplotlib_the_way_out_is_named(monkeypatch):
    history = trained(2)[3]
    load = importlib.import_module

    def missing(name):
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError(name)
        return load(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r"chainrule\[plot\].*sparkline"):
        history.plot()
