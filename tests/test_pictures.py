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
from chainrule.pictures.drawing import letters, themes
from chainrule.pictures.output.raster import to_png
from chainrule.pictures.placing import engines
from chainrule.pictures.placing.graphviz_layout import LayoutError
from chainrule.pictures.placing.layered import layered
from chainrule.pictures.placing.plan import Link, Size, Task, overlapping

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


def rectangles(svg, name):
    """The rectangles of a class, as (left, top, right, bottom)."""
    found = []
    for rect in ET.fromstring(svg).iter(f"{SVG}rect"):
        if re.fullmatch(rf"g[0-9a-f]{{8}}-{name}", rect.get("class", "")):
            x, y, width, height = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
            found.append((x, y, x + width, y + height))
    return found


def apart(a, b):
    return a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]


def test_the_first_document_drawn():
    E = first_document()
    graph = cr.graph(E)
    shown = texts(graph.to_svg())
    for name in ("w1", "b1", "w2", "b2", "z1", "a1", "z2", "a2", "E"):
        assert shown.count(name) == 1
    for text in ("0.7153", "+0.05707", "+0.001021", "0.2037", "−0.4653", "σ", "×", "+", "^2"):
        assert text in shown
    # 13 nodes; x and T are locals of the demo, their numbers stand in the boxes of their ops.
    assert len(graph.scene.boxes) == 13
    assert "0.5 ×" in shown


def test_constants_with_names_have_boxes():
    x = 0.1625
    w = cr.Value(0.15)
    z = w * x
    graph = cr.graph(z)
    assert [(box.name, box.role, box.kind) for box in graph.scene.boxes] == [
        ("x", "constant", "input"),
        ("w", "parameter", "parameter"),
        ("z", "×", "output"),
    ]
    assert [edge.label for edge in graph.scene.edges] == ["0.1625", ""]
    y = np.ones(3) * cr.Tensor([1.0, 2.0, 3.0], "t")
    assert cr.graph(y).scene.boxes[0].kind == "constant"


def test_names_come_from_labels_then_names_then_variables():
    a = cr.Value(2.0, label="a")
    inner = a * a
    y = inner + 1.0
    assert [box.name for box in cr.graph(y).scene.boxes] == ["a", "inner", "y"]
    names = {"b": inner}
    assert [box.name for box in cr.graph(y, names=names).scene.boxes] == ["a", "b", "y"]


def test_what_has_no_name_has_the_number_that_explain_gives_it():
    a = cr.Value(2.0, label="a")
    y = cr.tanh(cr.tanh(cr.tanh(cr.tanh(a))))
    roles = [box.role for box in cr.graph(y).scene.boxes if box.name == "tanh"]
    assert len(set(roles)) == 3
    assert "v1" in str(cr.explain(y, wrt=a))
    assert "v1" in roles


def test_partials_on_the_edges_multiply_to_the_gradient():
    a = cr.Value(2.0, "a")
    y = (a * 3.0 + 1.0) ** 2
    y.backward()
    labels = [float(edge.label) for edge in cr.graph(y).scene.edges if edge.label]
    assert labels == [3, 1, 14]
    assert a.grad == 3 * 1 * 14


def test_parallel_edges_are_both_drawn():
    h = cr.Value(6.0, "h")
    for engine in ("dot", "built-in"):
        graph = cr.graph(h * h, engine=engine)
        assert [(e.source, e.target, e.slot) for e in graph.scene.edges] == [(0, 1, 0), (0, 1, 1)]
        assert len(rectangles(graph.to_svg(), "pill")) == 2
        assert apart(*rectangles(graph.to_svg(), "pill"))


def test_before_backward_no_gradient_is_claimed():
    a = cr.Value(2.0, "a")
    y = a * a
    assert texts(cr.graph(y).to_svg()).count("·") == 2
    assert all(edge.size is None for edge in cr.graph(y).scene.edges)
    y.backward()
    assert "·" not in texts(cr.graph(y).to_svg())


def test_a_dead_edge_is_dashed_and_a_large_contribution_thick():
    x = cr.Value(-2.0, "x")
    y = cr.relu(x) + 0.1 * x + 3.0 * x
    y.backward()
    svg = cr.graph(y).to_svg()
    assert svg.count("stroke-dasharray") == 1
    assert [e.dead for e in cr.graph(y).scene.edges].count(True) == 1
    widths = {
        edge.label: float(line.get("stroke-width"))
        for edge, line in zip(
            cr.graph(y).scene.edges,
            [p for p in ET.fromstring(svg).iter(f"{SVG}path") if p.get("stroke-width")],
            strict=True,
        )
    }
    assert widths["3"] > widths["0.1"] > widths["0"]


def test_nan_and_infinity_are_marked():
    with np.errstate(all="ignore"):
        y = np.log(cr.Tensor([-1.0, 0.0, 1.0], "x"))
    svg = cr.graph(y).to_svg()
    assert "1 of 3 nan" in texts(svg)
    assert re.search(r'class="g\w+-flaw"[^>]*>1 of 3 nan', svg)


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
    assert [e.label for e in cr.graph(exp(cr.Value(1.0))).scene.edges] == ["2.718"]
    assert [e.label for e in cr.graph(cr.Tensor(2.0).reshape(())).scene.edges] == ["1"]


def test_an_infinite_partial_is_drawn_as_such():
    y = cr.Value(0.0).sqrt()
    assert [edge.label for edge in cr.graph(y).scene.edges] == ["∞"]


def test_tensors_show_shape_and_numbers_and_pullbacks():
    graph = cr.graph(second_document())
    labels = [edge.label for edge in graph.scene.edges]
    assert "hᵀ v̄4" in labels
    assert "v̄4 W2ᵀ" in labels
    shown = texts(graph.to_svg())
    assert "3×2 float64" in shown
    assert "0.1  0.2" in shown
    large = cr.Tensor(np.arange(100.0), "t")
    y = np.sum(large * large)
    y.backward()
    words = [row.word for row in cr.graph(y).scene.boxes[0].rows]
    assert words == ["shape", "min", "mean", "max", "‖grad‖"]


def test_tips_have_the_formula_and_its_numbers():
    w1, x = cr.Value(0.15, "w1"), cr.Value(0.1, "x1")
    z = cr.sigmoid(w1 * x)
    z.backward()
    edges = cr.graph(z).scene.edges
    assert edges[0].tip.startswith("∂v1/∂w1 = x1 = 0.1; local 0.1 × upstream 0.25 = 0.025")
    assert edges[2].tip.startswith("∂z/∂v1 = z·(1 − z) = 0.25; local 0.25 × upstream 1 = 0.25")


ENGINES = ["dot", "built-in"]
GRAPHS = [first_document, second_document, neurons]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("make", GRAPHS)
def test_boxes_do_not_overlap_and_pills_stay_off_them(make, direction, engine):
    graph = cr.graph(make(), engine=engine, direction=direction)
    svg = graph.to_svg()
    assert graph.layout.engine == engine
    boxes, pills = rectangles(svg, "rim"), rectangles(svg, "pill")
    assert len(boxes) == len(graph.scene.boxes)
    assert len(pills) == sum(bool(edge.label) for edge in graph.scene.edges)
    assert not overlapping(graph.layout.boxes)
    for i, pill in enumerate(pills):
        assert all(apart(pill, box) for box in boxes)
        assert all(apart(pill, other) for other in pills[i + 1 :])
    width, height = map(float, ET.fromstring(svg).get("viewBox").split()[2:])
    for left, top, right, bottom in boxes + pills:
        assert 0 <= left <= right <= width
        assert 0 <= top <= bottom <= height


@pytest.mark.parametrize("engine", ENGINES)
def test_hulls_hold_their_own_and_nothing_else(engine):
    graph = cr.graph(neurons(), engine=engine)
    hulls = dict(zip([c.path for c in graph.scene.clusters], graph.layout.clusters, strict=True))
    assert len(hulls) == 6
    for path, hull in hulls.items():
        for box, at in zip(graph.scene.boxes, graph.layout.boxes, strict=True):
            if box.scope[: len(path)] == path:
                assert hull.left < at.left < at.right < hull.right
                assert hull.top < at.top < at.bottom < hull.bottom
            else:
                assert hull.apart(at)


def task(sizes, links):
    return Task(tuple(sizes), tuple(links), tuple(-1 for _ in sizes))


def test_edges_go_forward_and_pass_no_box():
    graph = cr.graph(neurons(), engine="built-in")
    for edge, route in zip(graph.scene.edges, graph.layout.routes, strict=True):
        assert all(a.x <= b.x + 1e-9 for a, b in itertools.pairwise(route))
        for i, box in enumerate(graph.layout.boxes):
            if i not in {edge.source, edge.target}:
                for point in route[::3]:
                    inside = box.left < point.x < box.right
                    assert not (inside and box.top < point.y < box.bottom)


def test_the_layout_of_a_chain_is_straight():
    layout = layered(task([Size(50, 30)] * 6, [Link(i, i + 1, 0, 1) for i in range(5)]))
    assert len({round(box.top, 6) for box in layout.boxes}) == 1
    assert layered(task([], [])).routes == []


def test_the_layout_orders_inputs_without_crossing():
    # 0 -> 2 and 1 -> 3 drawn from a crossed start
    links = [Link(0, 3, 0, 1), Link(1, 2, 0, 1), Link(2, 4, 0, 2), Link(3, 4, 1, 2)]
    layout = layered(task([Size(50, 30)] * 5, links))
    assert layout.boxes[2].top < layout.boxes[3].top
    assert layout.boxes[1].top < layout.boxes[0].top


def test_engines(monkeypatch):
    a = cr.Value(2.0, "a")
    monkeypatch.setattr(engines.shutil, "which", lambda _name: None)
    monkeypatch.setattr(engines, "_has_wheel", lambda: False)
    assert cr.graph(a * a).layout.engine == "built-in"
    for engine, way in (("dot", "apt install graphviz"), ("pygraphviz", "chainrule\\[pictures")):
        with pytest.raises(LayoutError, match=way):
            cr.graph(a * a, engine=engine).to_svg()
    with pytest.raises(ValueError, match="engine='neato': one of auto, dot"):
        cr.graph(a, engine="neato")


def test_an_engine_that_fails_is_replaced_and_the_picture_says_so(monkeypatch):
    def fails(_task, _seconds):
        raise LayoutError("dot took longer than 10 s")

    monkeypatch.setattr(engines.shutil, "which", lambda _name: "dot")
    monkeypatch.setattr(engines, "by_program", fails)
    a = cr.Value(2.0, "a")
    graph = cr.graph(a * a)
    assert graph.layout.engine == "built-in"
    assert "built-in layout: dot took longer than 10 s" in texts(graph.to_svg())


def test_the_same_graph_gives_the_same_bytes():
    assert cr.graph(neurons()).to_svg() == cr.graph(neurons()).to_svg()


def test_labels_are_escaped():
    a = cr.Value(1.0, label="</text><script>alert(1)</script>&\"'")
    b = a * cr.Value(2.0, label="{x|<y>}")
    b.label = "<b>"
    svg = cr.graph(b).to_svg()
    assert "<script" not in svg
    assert a.label[:27] + "…" in texts(svg)
    assert a.label in [title.text for title in ET.fromstring(svg).iter(f"{SVG}title")]
    assert "<b>" in ET.fromstring(svg).find(f"{SVG}title").text
    b.label = "a\0b\x1b@"
    assert "a�b�@" in texts(cr.graph(b).to_svg())
    b.label = "<b>"
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
    assert len(to_png(svg)) > 1.5 * len(to_png(without_text))


def test_unknown_format(tmp_path):
    with pytest.raises(ValueError, match=r"'graph.bmp': its extension should be \.svg, "):
        cr.render(cr.Value(1.0), tmp_path / "graph.bmp")
    with pytest.raises(TypeError, match="needs a Value or a Tensor, got float"):
        cr.graph(1.0)


def test_missing_resvg_names_the_install_command(monkeypatch, tmp_path):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'chainrule\[pictures\]'"):
        cr.render(cr.Value(1.0), tmp_path / "graph.png")
    assert not (tmp_path / "graph.png").exists()


def test_notebooks_show_the_svg():
    graph = cr.graph(cr.Value(1.0, "a") * np.float64(2.0))
    assert graph._repr_mimebundle_()["image/svg+xml"] == graph.to_svg()
    assert graph._repr_mimebundle_()["text/plain"] == "<GraphView of v1: 2 boxes, 1 edges>"


def test_a_display_never_raises(monkeypatch):
    graph = cr.graph(cr.Value(1.0, "a") * 2.0, engine="dot")
    monkeypatch.setattr(engines.shutil, "which", lambda _name: None)
    assert "cannot be drawn: engine='dot' needs" in graph._repr_mimebundle_()["text/plain"]


def test_widths_are_those_of_the_font():
    ttlib = pytest.importorskip("fontTools.ttLib")
    for style, file in (("normal", "DejaVuSans"), ("bold", "DejaVuSans-Bold")):
        font = ttlib.TTFont(letters.FONTS / f"{file}.ttf")
        advances = font["hmtx"]
        expected = {chr(c): advances[name][0] for c, name in font.getBestCmap().items() if c >= 32}
        assert letters._widths()[style] == expected
        assert font["head"].unitsPerEm == letters.EM


def contrast(a, b):
    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted([light(a), light(b)], reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK])
def test_text_and_lines_have_contrast(theme):
    for tone in ("ink", "muted", "plus", "minus", "flaw"):
        for ground in (theme.paper, theme.box, theme.hull):
            assert contrast(getattr(theme, tone), ground) >= 4.5, (tone, ground)
    for kind, (head, line) in theme.kinds.items():
        assert contrast(theme.ink, head) >= 4.5, kind
        assert contrast(theme.muted, head) >= 4.5, kind
        assert contrast(line, theme.paper) >= 3, kind
    assert contrast(theme.edge, theme.paper) >= 3
    assert contrast(theme.lit, theme.paper) >= 3
