"""Pictures: every node and edge is there, nothing overlaps, the text is safe."""

import importlib
import itertools
import math
import re
import xml.etree.ElementTree as ET

import graphviz
import numpy as np
import pytest

import chainrule as cr
from chainrule import demo
from chainrule.nn import scalar
from chainrule.pictures import view
from chainrule.pictures.layout import Item, lay_out

SVG = "{http://www.w3.org/2000/svg}"


def first_document():
    weights = {name: cr.Value(number, label=name) for name, number in demo.START.items()}
    E = demo.two_neurons(weights)["E"]
    E.backward()
    return E


def second_document():
    E = demo.three_two_two(demo.with_variables())
    E.backward()
    return E


def neurons():
    net = scalar.MLP([2, 3, 1], "tanh")
    E = (net([1.0, -2.0]) - 1.0) ** 2
    E.backward()
    return E


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_the_first_document_drawn():
    E = first_document()
    graph = cr.graph(E)
    shown = texts(graph.to_svg())
    for name in ("w1", "b1", "w2", "b2", "z1", "a1", "z2", "a2", "E"):
        assert shown.count(name) == 1
    for text in ("0.7153", "+0.05707", "+0.001021", "0.2037", "−0.4653", "σ", "×", "+"):
        assert text in shown
    assert len(graph.boxes) == 13 + 4  # 13 nodes; constants 0.1, 0.25, 2 and 0.5
    assert len(graph.edges) == 16


def test_partials_on_the_edges_multiply_to_the_gradient():
    a = cr.Value(2.0, "a")
    y = (a * 3.0 + 1.0) ** 2
    y.backward()
    labels = [float(edge.label) for edge in cr.graph(y).edges if edge.label]
    assert labels == [3, 1, 14]
    assert a.grad == 3 * 1 * 14


def test_parallel_edges_are_both_drawn():
    h = cr.Value(6.0, "h")
    graph = cr.graph(h * h)
    assert [(e.source, e.target, e.slot) for e in graph.edges] == [(0, 1, 0), (0, 1, 1)]


def test_before_backward_no_gradient_is_claimed():
    a = cr.Value(2.0, "a")
    assert texts(cr.graph(a * a).to_svg()).count("·") == 2


@pytest.mark.parametrize("leaf", ["w", "b"])
def test_a_stale_picture_is_not_drawn(leaf):
    for make in (cr.Value, cr.Tensor):
        w, b = make(2.0, "w"), make(0.5, "b")
        E = w * w + b
        E.backward()
        changed = {"w": w, "b": b}[leaf]
        cr.optim.GradientDescent([changed], 0.1).step()
        with pytest.raises(cr.ChangedDataError, match=f"the data of '{leaf}' was changed after"):
            cr.graph(E)
    t = cr.Tensor([1.0, 2.0], "t")
    y = (t * t).sum()
    t.data[0] = 5.0
    with pytest.raises(cr.ChangedDataError, match="'t' was changed after multiply"):
        cr.graph(y)


def test_ops_of_every_kind_have_a_partial_between_numbers():
    exp = cr.op(np.exp, lambda y_bar, y, _x: y_bar * y, name="exp_again", scalar=math.exp)
    assert [e.label for e in cr.graph(exp(cr.Value(1.0))).edges] == ["2.718"]
    assert [e.label for e in cr.graph(cr.Tensor(2.0).reshape(())).edges] == ["1"]


def test_an_infinite_partial_is_drawn_as_such():
    y = cr.Value(0.0).sqrt()
    assert [edge.label for edge in cr.graph(y).edges] == ["∞"]


def test_tensors_show_shape_and_numbers_or_norm():
    graph = cr.graph(second_document())
    assert [edge.label for edge in graph.edges if edge.label] == []  # no single number
    shown = texts(graph.to_svg())
    assert "(3,2)" in shown
    assert "[0.1 -0.2]" in shown
    assert any(text.startswith("‖·‖") for text in shown)


@pytest.mark.parametrize("make", [first_document, second_document, neurons])
def test_boxes_do_not_overlap_and_pills_stay_off_them(make):
    graph = cr.graph(make())
    items = [Item(2 + len(box.rows), view._widest(box)) for box in graph.boxes]
    layout = lay_out(items, [(e.source, e.target, e.slot, e.slots) for e in graph.edges])
    corners = [(b.x, b.y - b.height / 2, b.x + b.width, b.y + b.height / 2) for b in layout.boxes]
    for i, a in enumerate(corners):
        assert a[0] >= 0 <= a[1]
        assert a[2] <= layout.width
        assert a[3] <= layout.height
        for b in corners[i + 1 :]:
            assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
    pills = [
        tuple(float(rect.get(k)) for k in ("x", "y", "width", "height"))
        for rect in ET.fromstring(graph.to_svg()).iter(f"{SVG}rect")
        if rect.get("rx") == "7.5"
    ]
    assert len(pills) == sum(bool(edge.label) for edge in graph.edges)
    for x, y, width, height in pills:
        for left, top, right, bottom in corners:
            assert x + width < left or right < x or y + height < top or bottom < y


def test_edges_go_forward_and_pass_no_box():
    graph = cr.graph(neurons())
    items = [Item(4, 10) for _ in graph.boxes]
    layout = lay_out(items, [(e.source, e.target, e.slot, e.slots) for e in graph.edges])
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        assert all(a.x <= b.x for a, b in itertools.pairwise(route))
        for i, box in enumerate(layout.boxes):
            if i not in {edge.source, edge.target}:
                for point in route:
                    inside = box.x < point.x < box.x + box.width
                    assert not (inside and abs(point.y - box.y) < box.height / 2)


def test_the_layout_of_a_chain_is_straight():
    layout = lay_out([Item(2, 5)] * 6, [(i, i + 1, 0, 1) for i in range(5)])
    assert len({round(box.y, 6) for box in layout.boxes}) == 1
    assert lay_out([], []).routes == []


def test_the_layout_orders_inputs_without_crossing():
    # 0 -> 2 and 1 -> 3 drawn from a crossed start
    layout = lay_out([Item(2, 5)] * 5, [(0, 3, 0, 1), (1, 2, 0, 1), (2, 4, 0, 2), (3, 4, 1, 2)])
    assert layout.boxes[2].y < layout.boxes[3].y
    assert layout.boxes[1].y < layout.boxes[0].y


def test_the_same_graph_gives_the_same_bytes():
    assert cr.graph(neurons()).to_svg() == cr.graph(neurons()).to_svg()


def test_labels_are_escaped():
    a = cr.Value(1.0, label="</text><script>alert(1)</script>&\"'")
    b = a * cr.Value(2.0, label="{x|<y>}")
    b.label = "<b>"
    svg = cr.graph(b).to_svg()
    assert "<script" not in svg
    assert a.label in texts(svg)
    assert "<b>" in ET.fromstring(svg).find(f"{SVG}title").text
    dot = cr.graph(b).to_dot()
    assert isinstance(dot, graphviz.Digraph)
    assert r"\{x\|\<y\>\}" in dot.source.replace("\\\\", "\\")


@pytest.mark.parametrize("suffix", [".svg", ".png", ".dot"])
def test_files(tmp_path, suffix):
    path = cr.render(first_document(), tmp_path / f"graph{suffix}")
    start = {".svg": b"<svg ", ".png": b"\x89PNG", ".dot": b"// Computation"}[suffix]
    assert path.read_bytes().startswith(start)


def test_the_png_has_ink_from_the_bundled_font(tmp_path):
    svg = cr.graph(first_document()).to_svg()
    without_text = re.sub(r"<text.*?</text>", "", svg)
    from chainrule.pictures.raster import to_png

    assert len(to_png(svg)) > 1.5 * len(to_png(without_text))


def test_unknown_format(tmp_path):
    with pytest.raises(ValueError, match=r"'graph.bmp': use \.svg, \.png or \.dot"):
        cr.render(cr.Value(1.0), tmp_path / "graph.bmp")
    with pytest.raises(TypeError, match="needs a Value or a Tensor, got float"):
        cr.graph(1.0)


def test_a_picture_too_large_is_refused():
    y = cr.Value(1.0)
    for _ in range(500):
        y = y + 1.0
    with pytest.raises(ValueError, match="501 nodes are too many"):
        cr.graph(y)


def test_missing_resvg_names_the_install_command(monkeypatch, tmp_path):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'chainrule\[pictures\]'"):
        cr.render(cr.Value(1.0), tmp_path / "graph.png")
    assert not (tmp_path / "graph.png").exists()


def test_notebooks_show_the_svg():
    graph = cr.graph(cr.Value(1.0, "a") * np.float64(2.0))
    assert graph._repr_svg_() == graph.to_svg()
