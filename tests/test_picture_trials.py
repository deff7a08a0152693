"""What trials of pictures with fresh eyes found: each of these was drawn wrongly once."""

import itertools
import json
import threading
import warnings

import numpy as np
import pytest

import chainrule as cr
from graphs import GRAPHS

warnings.simplefilter("error")


def rows(view, name):
    return {row.word: row.text for box in view.scene.boxes if box.name == name for row in box.rows}


def final(view):
    """The gradients that the boxes of single numbers show at the last step, by name."""
    boxes = view.scene.boxes
    return {boxes[i].name: changes[-1][1] for i, changes in view.steps.grads.items()}


def test_complex_numbers_without_an_imaginary_part():
    y = cr.Tensor([1 + 1j, 2j], label="z") ** 1
    square = y * y
    assert rows(cr.graph(square), "square")["value"] == "0+2i  −4+0i"


def test_without_one_number_at_the_end_no_gradient_is_claimed():
    x = cr.Tensor([1.0, 2.0], label="x")
    y = x * 3
    assert str(cr.graph(y).paths("x")).splitlines() == [
        "1 path from x to y",
        "y has the shape (2,): a gradient is that of one number",
    ]


def test_an_infinite_derivative_is_told():
    x = cr.Value(0.0, label="x")
    y = cr.sqrt(x)
    lines = str(cr.graph(y).paths("x")).splitlines()
    assert lines[0] == "∂y/∂x = +∞ = the sum over 1 path"
    assert lines[-1].startswith("backward() raises: ")


@pytest.mark.parametrize(
    "options",
    [{}, {"collapse": "g"}, {"depth": 0}, {"around": "x", "radius": 1}, {"max_nodes": 3}],
)
def test_the_last_step_shows_the_gradient_whatever_is_closed(options):
    x, b = cr.Value(2.0, label="x"), cr.Value(3.0, label="b")
    with cr.scope("g"):
        a = cr.tanh(x) * 3 * b
    y = a + x * 5 + b
    y.label = "y"
    y.backward()
    shown = final(cr.graph(y, **options))
    for node in (x, b):
        if node.label in shown:
            assert shown[node.label] == (f"{node.grad:+.4g}",)


@pytest.mark.parametrize("name", list(GRAPHS))
def test_the_last_step_of_every_graph_shows_the_gradients(name):
    root = GRAPHS[name]()
    view = cr.graph(root)
    reading = view._picture.reading
    for i, node in view._picture.single_nodes():
        box = view.scene.boxes[i]
        stored = [row.text for row in box.rows[-len(view.steps.grads[i][-1][1]) :]]
        assert list(view.steps.grads[i][-1][1]) == stored, reading.name(node)


def test_a_number_that_is_broadcast_collects_all_of_it():
    s = cr.Tensor(2.0, label="s")
    y = np.sum(s * np.array([1.0, 2.0, 3.0])) + s * s
    y.backward()
    texts = [text for _, (text,) in cr.graph(y).steps.grads[1]]
    assert texts[-1] == "+10"
    assert set(texts[:-1]) <= {"+2", "+4", "+6", "+8"}


def test_arrays_collect_step_by_step():
    w = cr.Tensor([1.0, 2.0], label="w")
    y = np.sum(w * 2.0) + np.sum(w * 3.0)
    y.backward()
    view = cr.graph(y)
    (i,) = (i for i, box in enumerate(view.scene.boxes) if box.name == "w")
    texts = [texts for _, texts in view.steps.grads[i]]
    assert texts[-1] == ("+5  +5",)
    assert texts[0] in {("+3  +3",), ("+2  +2",)}


@pytest.mark.parametrize("make", [lambda x: x * 2, lambda x: x @ np.ones((2, 2))])
def test_assigned_entries_are_drawn(make):
    x = cr.Tensor(np.ones((2, 2)), label="x")
    y = make(x)
    z = np.reshape(y, (4,))
    y[0] = 5.0
    y[1] = 7.0
    L = np.sum(y * y) + np.sum(z)
    L.backward()
    view = cr.graph(L, path=x)
    assert "∂L/∂x" in view.scene.footer.headline
    assert view.to_html()
    assert view.steps.steps


def test_scopes_that_are_not_in_sight_may_be_named():
    x = cr.Value(2.0, label="x")
    with cr.scope("l1"):
        a = cr.tanh(x)
    with cr.scope("l2"):
        b = cr.tanh(a) * 2
    assert cr.graph(b, around=x, radius=1, expand="l2").to_svg()
    assert cr.graph(b, around=x, radius=1, collapse="l2").to_svg()


def test_a_closed_scope_opens_in_the_page():
    x = cr.Value(2.0, label="x")
    with cr.scope("l1"):
        a = cr.tanh(x) * 3
    page = cr.graph(a + 1, collapse="l1").to_html()
    assert page.count("<section") == 2
    assert ">tanh<" in page


def test_every_group_of_a_network_opens():
    from chainrule.nn import scalar

    net = scalar.MLP([3, 6, 6, 6, 1], "tanh")
    E = net([1.0, -1.0, 0.5]) ** 2
    data = json.loads(
        cr.graph(E, max_nodes=60).to_html().split('id="data">')[1].split("</script>")[0]
    )
    for view in data["views"]:
        for box in view["boxes"]:
            assert not box["closed"] or box["opens"] >= 0


def test_complex_numbers_alone():
    z = cr.Tensor(1 + 2j, label="z")
    y = np.real(z * z)
    y.backward()
    view = cr.graph(y)
    assert view.to_svg()
    assert view.paths("z").count == 2
    with cr.scope("g"):
        a = z * z * 2
    y = np.sum(np.abs(a))
    y.backward()
    (box,) = (box for box in cr.graph(y, collapse="g").scene.boxes if box.kind == "group")
    assert {row.word: row.text for row in box.rows}["value"] == "−6+8i"


@pytest.mark.parametrize(
    ("data", "factor", "norm"),
    [
        (np.full(20, 1e-5, np.float16), np.float16(300), "1342"),
        (np.full(20, 1.0, np.float32), np.float32(1e25), "4.472e25"),
        (np.full(20, 1.0), 1e200, "4.472e200"),
        (np.full(20, 1.0), 1e-200, "4.472e−200"),
    ],
)
def test_norms_neither_overflow_nor_vanish(data, factor, norm):
    x = cr.Tensor(data, label="x")
    y = np.sum(x * factor)
    y.backward()
    assert rows(cr.graph(y), "x")["‖grad‖"] == norm
    assert norm in str(cr.graph(y).paths("x"))


def test_the_mean_does_not_overflow():
    x = cr.Tensor(np.full(20, 1e308), label="x")
    assert rows(cr.graph(x * 1.0), "x")["mean"] == "1e308"


def test_gradients_of_another_root_are_told():
    x = cr.Value(1e-9, label="x")
    y, z = x * x, 5 * x * x
    z.backward()
    view = cr.graph(y, path="x")
    assert "x.grad holds +1e−8, from other calls" in view.scene.footer.lines[-1]
    assert not view._picture.reading.is_after_backward
    h = cr.Value(1.0, label="w") * 2
    h.label = "h"
    a, b = h * 3, h * 5
    a.backward()
    b.backward()
    assert rows(cr.graph(a), "h")["grad"] in {"+3", "·"}


def test_a_gradient_that_was_forgotten_is_not_shown():
    w, b = cr.Value(2.0, label="w"), cr.Value(1.0, label="b")
    y = w * 3 + b
    y.backward()
    cr.optim.GradientDescent([w], learning_rate=0.1).zero_grad()
    assert rows(cr.graph(y), "w")["grad"] == "·"
    assert rows(cr.graph(y), "b")["grad"] == "+1"


def test_after_two_backward_calls_all_is_still_there():
    w = cr.Tensor([1.0, 2.0], label="w")
    y = np.sum(w * w)
    y.label = "y"
    y.backward()
    y.backward()
    view = cr.graph(y)
    assert rows(view, "w")["grad"] == "+4  +8"
    assert rows(view, "y")["grad"] == "+1"
    assert all(edge.size for edge in view.scene.edges)


def test_a_picture_is_of_the_moment_it_was_asked_for():
    w = cr.Value(2.0, label="w")
    y = w * w
    y.backward()
    view = cr.graph(y)
    w.data = 5.0
    assert rows(view, "w")["value"] == "2"
    with pytest.raises(cr.ChangedDataError):
        _ = view.steps
    with pytest.raises(cr.ChangedDataError):
        view.paths("w")


def test_entries_that_are_none():
    W = cr.Tensor(np.ones((2, 2)), label="W")
    y = np.sum(W * W)
    with pytest.raises(ValueError, match="not in the graph"):
        cr.graph(y).paths(W[True, 0])
    for text in ("W[--1]", "W[1 2]", "W[0]"):
        with pytest.raises(ValueError, match="W"):
            cr.graph(y, path=text)


def test_names_are_never_given_twice():
    some = [cr.Value(float(k), label=name) for k, name in enumerate(["x", "x", "x′", "x.1"])]
    y = some[0] + some[1] * 2 + some[2] * 3 + some[3] * 4
    names = cr.graph(y)._picture.reading.names
    assert len(set(names.values())) == len(names)


def test_numbers_in_names_are_no_scopes():
    a = cr.Value(1.0, label="lr 0.5")
    x = a * cr.Value(2.0, label="1.5")
    for k in range(7):
        x += k
    assert cr.graph(x).scene.clusters == ()


def test_scopes_of_the_same_name_are_told_apart():
    x = cr.Value(0.5, label="x")
    for name in ("b", "b", "b (2)"):
        with cr.scope(name):
            x = cr.tanh(x)
    titles = [cluster.title for cluster in cr.graph(x).scene.clusters]
    assert len(titles) == 3


def test_a_picture_inside_of_a_scope_has_it():
    with cr.scope("A"):
        y = cr.tanh(cr.Value(0.5, label="x"))
        assert [cluster.title for cluster in cr.graph(y).scene.clusters] == ["A"]


def test_one_scope_for_two_threads():
    shared = cr.scope("S")
    first, second = threading.Event(), threading.Event()

    def other():
        first.wait(5)
        with shared:
            second.set()

    thread = threading.Thread(target=other)
    thread.start()
    with shared:
        first.set()
        second.wait(5)
    thread.join()
    with shared:
        y = cr.tanh(cr.Value(0.5, label="x"))
    assert [cluster.title for cluster in cr.graph(y).scene.clusters] == ["S"]


def test_stretches_count_right():
    y = cr.Value(1.0, label="a")
    for _ in range(99):
        y = cr.tanh(y)
    names = [box.name for box in cr.graph(y, max_nodes=40).scene.boxes if box.kind == "group"]
    numbers = [tuple(map(int, name.removeprefix("steps ").split(" to "))) for name in names]
    assert numbers[0][0] == 1
    assert numbers[-1][1] == 98
    assert all(a[1] + 1 == b[0] for a, b in itertools.pairwise(numbers))


def test_constants_are_no_leaves():
    X = np.array([1.0, 2.0])
    w = cr.Tensor([1.0, 2.0], label="w")
    y = w
    for _ in range(5):
        y = y * X
    names = [box.name for box in cr.graph(np.sum(y), max_nodes=3).scene.boxes]
    assert "1 leaf, 1 constant" in names


def test_digits_that_are_no_number_stay_in_folded_names():
    x = cr.Value(0.5, label="x")
    outs = []
    for k in range(3):
        with cr.scope(f"conv{k}d"):
            outs.append(cr.tanh(x * 2.0))
    for k in range(3):
        with cr.scope(f"layer{k}"):
            outs.append(cr.tanh(x * 2.0))
    y = sum(outs[1:], outs[0])
    names = [box.name for box in cr.graph(y, max_nodes=11).scene.boxes if box.kind == "group"]
    assert "layer × 3" in names
    assert "conv1d" in names


def test_nan_does_not_break_the_drawing():
    x = cr.Value(float("nan"), label="x")
    y = x * x + 1
    y.backward()
    svg = cr.graph(y).to_svg()
    assert 'stroke-width="nan"' not in svg
    assert "C" in svg
    assert " nan" not in svg.replace(">nan<", "").split("<title>")[0]


def test_what_is_behind_a_dead_relu_is_dashed_for_numbers_too():
    w = cr.Value(-2.0, label="w")
    y = cr.relu(w * 3) + 1
    y.backward()
    assert all(edge.dead for edge in cr.graph(y).scene.edges if edge.target < 3)


def test_plain_numbers_of_every_kind_stand_in_the_box():
    t = cr.Tensor(2.0, label="t")
    some = [(t * np.array(3.0), "3"), (t * True, "1"), (t * 3j, "0+3i")]
    for y, text in some:
        box = cr.graph(y, names={"y": y}).scene.boxes[-1]
        assert text in box.role


@pytest.mark.parametrize("suffix", [".svg", ".html", ".json", ".dot"])
def test_half_a_character_in_a_label(tmp_path, suffix):
    a = cr.Value(1.0, label="a\ud800b")
    assert cr.render(a * 2.0, tmp_path / f"a{suffix}").stat().st_size


def test_lines_of_text_of_odd_series():
    with pytest.raises(ValueError, match="width=0"):
        cr.History(errors=[1.0]).sparkline(0)
    assert cr.History(errors=[1e308, -1e308]).sparkline(5) == "1e+308 █▁ -1e+308"
    assert cr.History(errors=[1e308] * 3).sparkline(2) == "1e+308 ▁▁ 1e+308"


def test_histograms_of_odd_weights():
    with pytest.raises(TypeError, match="a module or a list of parameters"):
        cr.plots.weights([])
    some = [cr.Tensor([1 + 1j], "z"), cr.Tensor([1.0], "W"), cr.Tensor([2.0], "W")]
    some += [cr.Value(1.0, "learning_rate"), cr.Value(1.0, "w1_2")]
    titles = [axes.get_title() for axes in cr.plots.weights(some).axes]
    assert titles == ["z (1)", "W (1)", "W′ (1)", "learning_rate (1)", "w1 (1)"]


def test_the_boundary_is_between_the_labels():
    X = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    axes = cr.plots.boundary(lambda p: p[:, 0] * 3 - 1, X, [0, 1, 0, 1]).axes[0]
    line = np.concatenate([path.vertices for path in axes.collections[1].get_paths()])
    np.testing.assert_allclose(line[:, 0], 0.5, atol=0.01)
    scores = lambda p: np.stack([0 * p[:, 0] - 9, 1 - p[:, 0], p[:, 0]], 1)
    axes = cr.plots.boundary(scores, X, [1, 2, 1, 2]).axes[0]
    labels = [c.get_label() for c in axes.collections if c.get_label().startswith("class")]
    colours = [c.get_facecolor()[0] for c in axes.collections if "class" in c.get_label()]
    areas = axes.collections[0].get_facecolor()
    assert labels == ["class 1", "class 2"]
    for colour, area in zip(colours, areas[1:], strict=True):
        np.testing.assert_allclose(colour[:3], area[:3])


def test_a_loss_is_no_activation():
    h = cr.tanh(cr.Tensor([1.0, 2.0], "x"))
    titles = [axes.get_title() for axes in cr.plots.activations(np.mean(h**2)).axes]
    assert titles == ["tanh u1 (2)"]


def test_epochs_that_are_not_finite_are_marked():
    axes = cr.History(errors=[1.0, 0.5, float("nan")]).plot().axes[0]
    assert [line.get_xdata()[0] for line in axes.lines[1:]] == [2]


def test_tangles_and_nests_take_no_time():
    """These took minutes; a limit of time is none of their concern, that they end is."""
    x = cr.Value(0.5, label="x")
    with cr.scope("A.p"):
        a = cr.tanh(x)
    y = cr.tanh(a)
    with cr.scope("A.q"):
        y = cr.tanh(y)
    for _ in range(20_000):
        y = cr.tanh(y)
    assert cr.graph(y).scene.boxes
    with cr.scope(".".join(["q"] * 3000)):
        z = cr.tanh(x)
    assert cr.graph(z).scene.boxes
    parts = [cr.Tensor([1.0], f"p.q{k}") for k in range(2000)]
    with cr.scope("s"):
        stacked = np.sum(np.stack(parts))
    assert cr.graph(stacked).scene.boxes
    many = cr.graph(stacked, max_nodes=5000, max_edges=5000)
    assert len(many.scene.boxes) == 2002


def test_weights_that_are_shared_stand_outside_of_all_that_share_them():
    cell = cr.nn.Linear(2, 2)

    class Loop(cr.nn.Module):
        def __init__(self):
            self.cell = cell

        def __call__(self, h):
            for _ in range(3):
                h = cr.tanh(self.cell(h))
            return h

    loop = Loop()
    out = np.sum(loop(np.ones((1, 2))))
    scope = {box.name: box.scope for box in cr.graph(out).scene.boxes}["W"]
    assert scope == ("loop",)


def test_formulas_begin_without_a_factor_of_one():
    hidden = np.tanh(cr.Tensor([1.0, 2.0], "x"))
    out = np.sum(hidden**2)
    assert not [edge.tip for edge in cr.graph(out).scene.edges if "∂out/∂out" in edge.tip]


def test_a_bar_stands_above_a_tall_letter():
    """In the bundled font, so that the cotangent of Z does not look like Z."""
    ttlib = pytest.importorskip("fontTools.ttLib")
    from chainrule.pictures.drawing.letters import FONTS

    for path in FONTS.glob("*.ttf"):
        features = ttlib.TTFont(path)["GPOS"].table.FeatureList.FeatureRecord
        assert "mark" in {record.FeatureTag for record in features}


def test_a_png_of_too_many_pixels_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"megapixels: use dpi=\d+ or less"):
        cr.render(GRAPHS["folded"](), tmp_path / "a.png", dpi=2400)


def random_graph(random, arrays):
    """A random program, in scopes now and then."""
    pool = []
    for k in range(4):
        number = float(random.normal())
        pool.append(cr.Tensor([number, 0.5], f"l{k}") if arrays else cr.Value(number, f"l{k}"))
    leaves = list(pool)
    unary = (cr.tanh, cr.sigmoid, cr.relu, lambda x: x * 0.5, lambda x: x**2)
    for k in range(int(random.integers(5, 25))):
        a, b = (pool[int(random.integers(len(pool)))] for _ in "ab")
        pick = int(random.integers(5))
        make = (lambda a, b: a * b, lambda a, b: a + b, lambda a, b: a - b)[pick % 3]
        if random.random() < 0.4:
            with cr.scope(f"s{k % 3}"):
                pool.append(make(unary[pick](a), b))
        else:
            pool.append(unary[pick](a) if pick > 2 else make(a, b))
    total = sum(pool[5:], pool[4])
    return (np.sum(total) if arrays else total), leaves


@pytest.mark.parametrize("seed", range(40))
def test_random_pictures_tell_the_truth(seed):
    random = np.random.default_rng(seed)
    root, leaves = random_graph(random, arrays=bool(seed % 2))
    root.backward()
    exact = cr.adjoints(root)
    options = [{}, {"depth": 0}, {"max_nodes": 6}, {"depth": 1, "max_edges": 12}][seed % 4]
    picture = cr.graph(root, engine="built-in", **options)._picture
    for i, node in picture.single_nodes():
        sums = picture.steps.grads.get(i)
        expected = exact.get(node)
        if sums and expected is not None and not np.ndim(node.data):
            assert float(sums[-1][1][0].replace("−", "-")) == pytest.approx(
                float(np.asarray(expected)), rel=1e-3, abs=1e-12
            )
    for leaf in leaves:
        if leaf in exact:
            told = picture.paths(leaf)
            assert told.count == cr.count_paths(root, leaf)
            np.testing.assert_allclose(told.total, exact[leaf], rtol=1e-9, atol=1e-12)
            if told.count == len(told.paths):
                total = sum(path.contribution for path in told.paths)
                np.testing.assert_allclose(total, exact[leaf], rtol=1e-9, atol=1e-12)
    assert sum(box.members for box in picture.scene.boxes) == len(picture.items.all)
    assert picture.drawn("light").svg


def test_infinities_that_cancel_are_shown_without_a_warning():
    x = cr.Value(1e-200, label="x")
    y = 1 / x * 1e200 * x
    y.backward()
    view = cr.graph(y)
    assert final(view)["x"] == ("nan",)
    assert "= nan =" in str(view.paths("x")).splitlines()[0]


def test_a_scope_goes_by_its_name_without_dots_at_the_ends():
    with cr.scope("W."):
        y = cr.tanh(cr.Value(2.0, label="x"))
    assert cr.graph(y, collapse="W").scene.boxes[-1].name == "W"


def test_constants_do_not_hide_that_a_part_is_shown():
    """As many constants in sight as nodes out of it: what those pass on counts all the same."""
    x = cr.Value(2.0, label="x")
    some = {"c1": 1.625, "c2": 2.625, "c3": 3.625}
    m = x * some["c1"] * some["c2"]
    y = cr.tanh(x) * 6.0 + m * some["c3"]
    y.backward()
    view = cr.graph(y, around=m, radius=2, names=some)
    assert sum(box.role == "constant" for box in view.scene.boxes) == 3
    assert "2 other nodes not shown" in view.scene.notes
    assert final(view)["x"] == (f"{x.grad:+.4g}",)
