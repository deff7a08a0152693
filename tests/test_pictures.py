"""Pictures: every node and edge is there, nothing overlaps, the text is safe."""

import importlib
import itertools
import json
import math
import re
import shutil
import subprocess
import threading
import weakref
import xml.etree.ElementTree as ET
from pathlib import Path

import graphviz
import numpy as np
import pytest

import chainrule as cr
from chainrule.pictures.drawing import letters, themes
from chainrule.pictures.output import page
from chainrule.pictures.output.animation import at_step
from chainrule.pictures.output.raster import to_png
from chainrule.pictures.placing import engines
from chainrule.pictures.placing.graphviz_layout import LayoutError
from chainrule.pictures.placing.layered import layered
from chainrule.pictures.placing.plan import Link, Size, Task, overlapping
from chainrule.pictures.showing.paths import ways_to
from graphs import GRAPHS, first_document, neurons, second_document

SVG = "{http://www.w3.org/2000/svg}"


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
    assert "hᵀ ū3" in labels
    assert "ū3 W2ᵀ" in labels
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
    assert edges[0].tip.startswith("∂u1/∂w1 = x1 = 0.1; local 0.1 × upstream 0.25 = 0.025")
    assert edges[2].tip.startswith("∂z/∂u1 = z·(1 − z) = 0.25; local 0.25 × upstream 1 = 0.25")


ENGINES = ["dot", "built-in"]


@pytest.mark.parametrize("engine", [*ENGINES, "pygraphviz"])
@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
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


def test_an_engine_that_is_asked_for_and_slow_is_replaced(monkeypatch):
    def endless(*_args, **options):
        raise subprocess.TimeoutExpired("dot", options["timeout"])

    monkeypatch.setattr(engines.shutil, "which", lambda _name: "/usr/bin/dot")
    monkeypatch.setattr(subprocess, "run", endless)
    layout = cr.graph(cr.Value(2.0, "a") * 3.0, engine="dot").layout
    assert layout.engine == "built-in"
    assert layout.remark == "built-in layout: dot took longer than 10 s"


def answer(stdout="{}", stderr="", returncode=0):
    return lambda *_args, **_options: subprocess.CompletedProcess(
        [], returncode, stdout.encode(), stderr.encode()
    )


GOOD = json.dumps(
    {
        "bb": "0,0,300,80",
        "objects": [
            {"_gvid": 0, "name": "n0", "pos": "50,40"},
            {"_gvid": 1, "name": "n1", "pos": "250,40"},
        ],
        "edges": [{"_gvid": 0, "tail": 0, "head": 1, "pos": "90,40 120,40 150,40 200,40"}],
    }
)


@pytest.mark.parametrize(
    ("done", "why"),
    [
        (answer(GOOD, "Error: out of memory"), "failed: Error: out of memory"),
        (answer("", "Segmentation fault", -11), "failed: Segmentation fault"),
        (answer("no json"), "gave no layout of this picture"),
        (answer(GOOD.replace('"n1"', '"n7"')), "gave no layout of this picture"),
        (answer(GOOD.replace("250,40", "60,40")), "boxes on top of each other"),
        (answer(GOOD.replace("150,40 200,40", "150,40")), "no row of Bézier curves"),
    ],
)
def test_a_wrong_layout_is_not_drawn(monkeypatch, done, why):
    monkeypatch.setattr(engines.shutil, "which", lambda _name: "/usr/bin/dot")
    monkeypatch.setattr(subprocess, "run", done)
    graph = cr.graph(cr.Value(2.0, "a") * 3.0)
    assert graph.layout.engine == "built-in"
    assert why in graph.layout.remark
    with pytest.raises(LayoutError, match=re.escape(why)):
        cr.graph(cr.Value(2.0, "a") * 3.0, engine="dot").to_svg()


def test_a_right_layout_is_drawn(monkeypatch):
    monkeypatch.setattr(engines.shutil, "which", lambda _name: "/usr/bin/dot")
    monkeypatch.setattr(subprocess, "run", answer(GOOD, "Fontconfig warning: no matter"))
    layout = cr.graph(cr.Value(2.0, "a") * 3.0).layout
    assert layout.engine == "dot"
    assert [box.middle for box in layout.boxes] == [(70, 60), (270, 60)]


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


# ------------------------------------------------------------------------------ paths


def test_the_sum_over_the_paths_is_the_gradient():
    E = GRAPHS["two_layers"]()
    view = cr.graph(E)
    for node in cr.adjoints(E):
        if node.op is None:
            told = view.paths(node)
            assert told.count == cr.count_paths(E, node) == len(told.paths)
            assert sum(p.contribution for p in told.paths) == pytest.approx(node.grad, rel=1e-12)
            for path in told.paths:
                assert math.prod(path.factors) == pytest.approx(path.contribution, rel=1e-12)
                assert path.names[0] == node.label
                assert path.names[-1] == "L"


def test_the_footer_gives_each_product_and_the_sum():
    E = GRAPHS["two_layers"]()
    x1 = next(node for node in cr.adjoints(E) if node.label == "x1")
    lines = texts(cr.graph(E, path=x1).to_svg())
    assert "∂L/∂x1 = −0.09237 = the sum over 2 paths" in lines
    assert any(
        line.startswith("−0.1428 = 0.8 × 1 × 1 × 0.125 × 0.7 × 1 × 1 × −2.04") for line in lines
    )
    assert any(line.startswith("+0.05045 = −0.5 × 1 × 1 × 0.07065 × 0.7") for line in lines)
    assert texts(cr.graph(E, path="x1").to_svg()) == lines


def test_what_is_on_no_path_fades():
    E = GRAPHS["two_layers"]()
    view = cr.graph(E, path="w11")
    on, _ = view.scene.lit
    names = {view.scene.boxes[i].name for i in on}
    assert {"w11", "h1", "y", "L"} <= names
    assert not names & {"w12", "w21", "h2", "c", "target", "b1"}
    svg = view.to_svg()
    assert len(re.findall(r'class="g\w+-node g\w+-\w+ g\w+-on"', svg)) == len(on)
    assert len(re.findall(r'class="g\w+-node g\w+-\w+ g\w+-off"', svg)) == 25 - len(on)


def test_parallel_edges_are_two_paths():
    h = cr.Value(3.0, "h")
    o = h * h
    told = cr.graph(o).paths(h)
    assert told.count == 2
    assert [path.contribution for path in told.paths] == [3.0, 3.0]


def test_of_too_many_paths_the_largest_are_found_without_looking_at_the_others():
    x = cr.Value(1.0, "x")
    y = x
    for k in range(60):
        y = 0.5 * y + (0.25 + 0.001 * k) * y
    y.backward()
    told = cr.graph(y).paths(x)
    assert told.count == 2**60
    assert len(told.paths) == 10
    assert told.paths[0].contribution == pytest.approx(0.5**60)
    assert told.total == pytest.approx(x.grad)
    assert 0 < told.share < 1e-6
    assert "the 10 largest of 1,152,921,504,606,846,976 add up to" in str(told)


def test_the_largest_paths_are_those_of_all():
    rng = np.random.default_rng(5)
    x = cr.Value(1.0, "x")
    y = x
    for _ in range(5):
        y = float(rng.normal()) * y + float(rng.normal()) * cr.tanh(y)
    y.backward()
    view = cr.graph(y)
    every = sorted(
        (route.contribution for route in ways_to(view._picture.reading, x).every()),
        key=abs,
        reverse=True,
    )
    assert len(every) == 32
    assert [p.contribution for p in view.paths(x).paths] == pytest.approx(every[:10])
    share = sum(map(abs, every[:10])) / sum(map(abs, every))
    assert view.paths(x).share == pytest.approx(share)


def test_paths_between_arrays_add_up_to_the_gradient():
    L = GRAPHS["residual"]()
    view = cr.graph(L)
    for node in cr.adjoints(L):
        if node.op is None:
            told = view.paths(node)
            assert told.count == cr.count_paths(L, node)
            if told.paths:
                total = sum(path.contribution for path in told.paths)
                np.testing.assert_allclose(total, node.grad, rtol=1e-10, atol=1e-14)
    w = next(node for node in cr.adjoints(L) if node.label == "Wv")
    entry = view.paths("Wv[1, 2]")
    assert entry.target == "Wv[1, 2]"
    assert sum(p.contribution for p in entry.paths) == pytest.approx(w.grad[1, 2])
    assert cr.graph(L, path=w[1, 2]).scene.footer.headline == entry.footer(4).headline


def test_a_gradient_that_was_added_up_twice_is_told():
    a = cr.Value(2.0, "a")
    y = a * 3.0
    y.backward()
    y.backward()
    assert "a.grad holds +6, from other calls of backward() or more than one" in str(
        cr.graph(y).paths(a)
    )


def test_paths_of_what_is_not_there():
    a, b = cr.Value(2.0, "a"), cr.Value(2.0, "b")
    y = a * 3.0
    with pytest.raises(ValueError, match="path=: this node .* is not in the graph"):
        cr.graph(y, path=b)
    with pytest.raises(ValueError, match="path='aa' is no node of this graph; near it: a"):
        cr.graph(y, path="aa")
    with pytest.raises(TypeError, match="path= takes a node or its name, got int"):
        cr.graph(y, path=3)
    total = np.sum(cr.Tensor([1.0, 2.0], "t"))
    with pytest.raises(ValueError, match=r"no entry of an array of shape \(2,\)"):
        cr.graph(total, path="t[5]")


# ------------------------------------------------------------------------------ scopes


def scopes(view):
    return {box.name: ".".join(box.scope) for box in view.scene.boxes}


def test_scopes_nest_and_leaves_belong_where_they_are_used():
    found = scopes(cr.graph(GRAPHS["two_layers"]()))
    assert found["h1"] == found["w11"] == found["b1"] == "layer1.neuron1"
    assert found["x1"] == "layer1"
    assert found["c"] == found["y"] == "layer2"
    assert found["L"] == found["target"] == ""


def test_modules_have_the_names_of_the_program():
    net = cr.nn.MLP([2, 3, 1], "tanh")
    L = np.sum(net(np.ones((1, 2))))
    view = cr.graph(L)
    titles = [cluster.title for cluster in view.scene.clusters]
    assert titles == ["net", "net.layers[0]", "net.layers[1]"]
    assert scopes(view)["W1"] == "net.layers[0]"
    again = net(np.ones((1, 2))) + net(np.ones((1, 2)))
    assert "net (2)" in [c.title for c in cr.graph(np.sum(again)).scene.clusters]


def test_a_user_module_names_its_parameters():
    class Model(cr.nn.module.Module):
        def __init__(self):
            self.layer1 = cr.nn.Linear(2, 2)
            self.layer1.W.label = self.layer1.b.label = None

        def __call__(self, x):
            return cr.tanh(self.layer1(x))

    model = Model()
    view = cr.graph(np.sum(model(np.ones((1, 2)))))
    assert scopes(view)["model.layer1.W"] == "model.layer1"


def test_dotted_names_are_scopes_where_none_were_recorded():
    W, b = cr.Tensor(np.ones((2, 2)), "layer1.W"), cr.Tensor(np.ones(2), "layer1.b")
    V = cr.Tensor(np.ones((2, 1)), "layer2.V")
    y = np.sum(cr.tanh(np.ones((1, 2)) @ W + b) @ V)
    y.label = "y"
    found = cr.graph(y).scene.boxes
    assert {box.scope for box in found if box.name in {"matmul", "tanh", "+"}} == {
        ("layer1",),
        ("layer2",),
    }
    assert next(box for box in found if box.name == "tanh").scope == ("layer1",)
    assert next(box for box in found if box.name == "y").scope == ()


def test_a_scope_that_is_left_and_entered_again_does_not_tangle_the_picture():
    first = cr.tanh(cr.Value(0.5, "a"))
    first.label = "net.first"
    between = first + first
    last = between * between
    last.label = "net.last"
    view = cr.graph(last)
    assert scopes(view)["net.last"] == ""
    assert not view.scene.clusters


def test_scopes_of_threads_are_not_mixed_up():
    ready, go = threading.Event(), threading.Event()

    def other():
        with cr.scope("other"):
            ready.set()
            go.wait(5)

    thread = threading.Thread(target=other)
    thread.start()
    ready.wait(5)
    a = cr.Value(0.5, "a")
    with cr.scope("mine"):
        y = cr.tanh(a)
    go.set()
    thread.join()
    assert cr.graph(y).scene.clusters == ()
    with cr.scope("mine"):
        y = cr.tanh(a)
    assert [cluster.title for cluster in cr.graph(y).scene.clusters] == ["mine"]


def test_scopes_keep_no_module_alive_and_refuse_bad_names():
    net = cr.nn.Linear(2, 2)
    net(np.ones((1, 2)))
    alive = weakref.ref(net)
    del net
    assert alive() is None
    for bad, error in ((3, TypeError), ("", ValueError), (".", ValueError)):
        with pytest.raises(error, match="a scope takes a name"):
            cr.scope(bad)
    with cr.no_grad(), cr.scope("unseen"):
        pass
    inner = cr.scope("again")
    with inner, inner:
        y = cr.tanh(cr.Value(1.0, "a"))
    assert [c.title for c in cr.graph(y).scene.clusters] == ["again.again"]


# ------------------------------------------------------------------------------ large graphs


def test_scopes_close_to_the_deepest_level_that_fits():
    E = GRAPHS["folded"]()
    view = cr.graph(E)
    groups = [box for box in view.scene.boxes if box.kind == "group"]
    assert len(groups) == 33
    assert sum(box.members for box in groups) + 2 == 979
    assert "977 values shown as 33 groups" in texts(view.to_svg())
    fewer = cr.graph(E, max_nodes=20)
    assert [box.name for box in fewer.scene.boxes if box.kind == "group"] == [
        "neuron × 16", "neuron × 16", "neuron",
    ]  # fmt: skip
    shallow = cr.graph(E, depth=1)
    assert len([box for box in shallow.scene.boxes if box.kind == "group"]) == 3
    assert len(cr.graph(E, max_nodes=2000, max_edges=4000).scene.boxes) == 979


def test_groups_open_and_close_by_name():
    E = GRAPHS["two_layers"]()
    names = [box.name for box in cr.graph(E, collapse="layer1.neuron1").scene.boxes]
    assert "neuron1" in names
    assert "w21" in names
    assert "w11" not in names
    opened = cr.graph(E, depth=0, expand=["layer1"])
    assert [box.name for box in opened.scene.boxes if box.kind == "group"] == [
        "neuron1", "neuron2", "layer2",
    ]  # fmt: skip
    with pytest.raises(
        ValueError, match="'layer3' is no scope of this graph; near it: layer2, layer1, "
    ):
        cr.graph(E, expand="layer3")


def test_a_group_shows_the_range_of_what_leaves_it():
    x = cr.Tensor([1.0, -2.0, 4.0], "x")
    with cr.scope("part"):
        y = x * 2.0
    z = np.sum(y)
    z.backward()
    (group,) = [box for box in cr.graph(z, collapse="part").scene.boxes if box.kind == "group"]
    assert [(row.word, row.text) for row in group.rows] == [
        ("leaves", "3 numbers"),
        ("min", "−4"),
        ("mean", "2"),
        ("max", "8"),
        ("‖grad‖", "1.732"),
    ]


@pytest.mark.parametrize("wide", [False, True])
def test_a_hundred_thousand_nodes_are_readable(wide):
    a = cr.Value(0.5, "a")
    y = a
    for k in range(50_000):
        y = cr.tanh(a * float(k)) + y if wide else cr.tanh(y) * 1.0001
    y.backward()
    view = cr.graph(y)
    svg = view.to_svg()
    assert len(view.scene.boxes) <= 150
    assert len(view.scene.edges) <= 400
    assert len(svg) < 200_000
    assert sum(box.members for box in view.scene.boxes) == len(cr.adjoints(y))
    (note,) = view.scene.notes
    assert note in texts(svg)
    assert re.fullmatch(r"[\d,]+ values shown as \d+ groups", note)


def test_above_its_limit_graphviz_is_not_asked(monkeypatch):
    monkeypatch.setattr(engines, "MOST_BOXES", 10)
    y = cr.Value(1.0, "a")
    for _ in range(20):
        y = cr.tanh(y)
    view = cr.graph(y, engine="auto")
    assert view.layout.engine == "built-in"
    remark = "built-in layout: 21 boxes are too many for Graphviz (limit 10)"
    if shutil.which("dot"):
        assert remark in texts(view.to_svg())


def test_many_boxes_are_laid_out_by_hand_in_seconds():
    rng = np.random.default_rng(0)
    links = [Link(int(rng.integers(max(0, i - 30), i)), i, 0, 1) for i in range(1, 5000)]
    layout = layered(task([Size(80, 50)] * 5000, links))
    assert not overlapping(layout.boxes)


def test_near_a_node():
    E = GRAPHS["two_layers"]()
    view = cr.graph(E, around="h1", radius=1)
    assert {box.name for box in view.scene.boxes} == {"+", "h1", "×"}
    assert "22 other nodes not shown" in view.scene.notes
    with pytest.raises(ValueError, match="radius=-1: a whole number from 0 on"):
        cr.graph(E, around="h1", radius=-1)


def test_what_is_shown_can_be_chosen():
    E = first_document()
    plain = cr.graph(E, show="value")
    assert not [edge.label for edge in plain.scene.edges if edge.label]
    assert {row.word for box in plain.scene.boxes for row in box.rows} == {"value"}
    assert "0.715" in texts(cr.graph(E, digits=3).to_svg())
    with pytest.raises(ValueError, match="show='size': some of value, grad, local"):
        cr.graph(E, show=["size"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"theme": "blue"}, "theme='blue': one of light, dark, auto"),
        ({"direction": "RL"}, "direction='RL': one of LR, TB"),
        ({"digits": 0}, "digits=0: a whole number from 1 on"),
        ({"depth": -1}, "depth=-1: a whole number from 0 on"),
        ({"dpi": "high"}, "dpi='high': a number from 10 to 2400"),
        ({"max_nodes": True}, "max_nodes=True: a whole number from 3 on"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        cr.graph(cr.Value(1.0, "a"), **options)


def test_themes():
    a = cr.Value(1.0, "a")
    dark = cr.graph(a * 2.0, theme="dark").to_svg()
    assert themes.DARK.paper in dark
    assert themes.LIGHT.paper not in dark
    auto = cr.graph(a * 2.0, theme="auto").to_svg()
    assert "@media (prefers-color-scheme:dark)" in auto
    assert themes.DARK.paper in auto


# ------------------------------------------------------------------------------ every graph


@pytest.mark.parametrize("engine", [*ENGINES, "pygraphviz"])
@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_every_node_and_edge_appears(make, engine):
    root = make()
    view = cr.graph(root, engine=engine, max_nodes=2000, max_edges=4000)
    nodes = list(cr.adjoints(root))
    drawn = [box for box in view.scene.boxes if box.role != "constant"]
    assert len(drawn) == len(nodes)
    uses = sum(isinstance(x, type(root)) for node in nodes for x in node.inputs)
    constants = len(view.scene.boxes) - len(drawn)
    assert uses <= len(view.scene.edges) <= uses + 4 * constants
    svg = view.to_svg()
    whole = ET.fromstring(svg)  # valid XML
    for letter, count in (("n", len(view.scene.boxes)), ("e", len(view.scene.edges))):
        ids = [g.get("id") for g in whole.iter(f"{SVG}g") if g.get("id")]
        assert sum(bool(re.fullmatch(rf"g\w+-{letter}\d+", i)) for i in ids) == count
        assert len(set(ids)) == len(ids)
    shown = texts(svg)
    for node in nodes:
        if node.label:
            assert node.label in shown
    assert svg == cr.graph(make(), engine=engine, max_nodes=2000, max_edges=4000).to_svg()


def test_pictures_on_one_page_do_not_collide():
    first, second = (
        cr.graph(GRAPHS[name]())._picture.drawn("light") for name in ("square", "dead_relu")
    )
    assert first.prefix != second.prefix
    for drawing in (first, second):
        ids = re.findall(r'(?:id|class)="([^"]+)"', drawing.svg)
        assert all(word.startswith(drawing.prefix) for text in ids for word in text.split())
        root = ET.fromstring(drawing.svg)
        assert root.get("viewBox")
        assert root.find(f"{SVG}title").text
        assert "boxes" in root.find(f"{SVG}desc").text


# ------------------------------------------------------------------------------ other formats


def test_pdf_has_text(tmp_path):
    pytest.importorskip("typst")
    path = cr.render(GRAPHS["square"](), tmp_path / "square.pdf")
    data = path.read_bytes()
    assert data.startswith(b"%PDF")
    assert b"DejaVuSans" in data


def test_json_has_everything_with_its_place(tmp_path):
    path = cr.render(GRAPHS["square"](), tmp_path / "square.json", path="h")
    data = json.loads(path.read_text(encoding="utf-8"))
    assert [box["name"] for box in data["boxes"]] == ["h", "o"]
    assert [edge["label"] for edge in data["edges"]] == ["3", "3"]
    assert data["paths"][0] == "∂o/∂h = +6 = the sum over 2 paths"
    assert all(len(box["at"]) == 4 for box in data["boxes"])


@pytest.mark.parametrize(("suffix", "kind"), [(".webp", "WEBP"), (".gif", "GIF"), (".apng", "PNG")])
def test_animations_have_a_frame_for_each_step(tmp_path, suffix, kind):
    image = pytest.importorskip("PIL.Image")
    view = cr.graph(GRAPHS["square"](), dpi=72)
    path = view.animate(tmp_path / f"square{suffix}", seconds=0.5)
    with image.open(path) as film:
        assert film.format == kind
        assert film.n_frames == len(view.steps.steps) == 3
        frames = []
        for k in range(film.n_frames):
            film.seek(k)
            film.load()
            frames.append((film.size, round(film.info["duration"])))
        assert [time for _, time in frames] == [500, 500, 1250]
        assert len({size for size, _ in frames}) == 1


def test_frames_show_what_is_known_at_a_step():
    view = cr.graph(GRAPHS["square"]())
    rows = [
        [(row.word, row.text) for box in at_step(view._picture, k).boxes for row in box.rows]
        for k in range(3)
    ]
    assert rows[0] == [("value", "3"), ("grad", "·"), ("value", ""), ("grad", "·")]
    assert rows[1] == [("value", "3"), ("grad", "·"), ("value", "9"), ("grad", "·")]
    assert rows[2] == [("value", "3"), ("grad", "+6"), ("value", "9"), ("grad", "+1")]


def test_animations_that_make_no_sense(tmp_path):
    view = cr.graph(GRAPHS["square"]())
    with pytest.raises(ValueError, match=r"cannot animate to 'a.svg': its extension should be"):
        view.animate(tmp_path / "a.svg")
    with pytest.raises(ValueError, match="seconds=0"):
        view.animate(tmp_path / "a.webp", seconds=0)


@pytest.mark.parametrize(
    ("module", "suffix", "extra"),
    [
        ("typst", ".pdf", "pdf"),
        ("PIL.Image", ".webp", "pictures"),
        ("resvg_py", ".png", "pictures"),
    ],
)
def test_missing_extras_name_the_install_command(monkeypatch, tmp_path, module, suffix, extra):
    load = importlib.import_module

    def missing(name):
        if name == module:
            raise ModuleNotFoundError(name)
        return load(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'chainrule\[{extra}\]'"):
        cr.render(cr.Value(1.0, "a"), tmp_path / f"graph{suffix}")
    assert not list(tmp_path.iterdir())


def test_a_page_in_a_notebook_is_in_a_sandbox():
    shown = cr.graph(GRAPHS["square"]()).interactive(height=400)
    html = shown._repr_html_()
    assert html.startswith("<iframe srcdoc=")
    assert 'sandbox="allow-scripts"' in html
    assert "<script>" not in html
    assert repr(shown) == "<GraphView of o: 2 boxes, 2 edges>"


def test_the_colours_of_the_page_have_contrast():
    css = (Path(page.__file__).parent / "assets" / "page.css").read_text(encoding="utf-8")
    rules = re.findall(r"^:root(?:\.dark)? \{(.*)\}$", css, re.MULTILINE)
    assert len(rules) == 2
    for rule in rules:
        colour = dict(re.findall(r"--(\w+): (#\w{6})", rule))
        for ground in ("paper", "bar"):
            assert contrast(colour["ink"], colour[ground]) >= 4.5
            assert contrast(colour["muted"], colour[ground]) >= 4.5
            assert contrast(colour["accent"], colour[ground]) >= 3
            assert contrast(colour["now"], colour[ground]) >= 3
            assert contrast(colour["found"], colour[ground]) >= 3
