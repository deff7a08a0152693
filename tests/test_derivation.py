"""`explain` of single numbers: the text to the letter, and every number against backward."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.derivation import case as case_module
from chainrule.engine import Node, newest_first
from chainrule.formulas.reading import read
from published import EXAMPLES
from test_documents import PUBLISHED, key_of
from test_random_programs import BINARY, UNARY


def two_neurons():
    x, T = 0.1, 0.25
    w1, b1 = cr.Value(0.15), cr.Value(0.40)
    w2, b2 = cr.Value(0.45), cr.Value(0.65)
    z1 = w1 * x + b1
    a1 = cr.sigmoid(z1)
    z2 = w2 * a1 + b2
    a2 = cr.sigmoid(z2)
    E = 0.5 * (T - a2) ** 2
    names = {"w1": w1, "b1": b1, "w2": w2, "b2": b2, "z1": z1, "a1": a1, "z2": z2, "a2": a2}
    return E, names | {"E": E, "x": x, "T": T}


def mazur():
    i1, i2, t1, t2 = 0.05, 0.10, 0.01, 0.99
    w1, w2, w3, w4 = (cr.Value(v) for v in (0.15, 0.20, 0.25, 0.30))
    w5, w6, w7, w8 = (cr.Value(v) for v in (0.40, 0.45, 0.50, 0.55))
    net_h1 = w1 * i1 + w2 * i2 + 0.35
    net_h2 = w3 * i1 + w4 * i2 + 0.35
    out_h1, out_h2 = net_h1.sigmoid(), net_h2.sigmoid()
    net_o1 = w5 * out_h1 + w6 * out_h2 + 0.6
    net_o2 = w7 * out_h1 + w8 * out_h2 + 0.6
    out_o1, out_o2 = net_o1.sigmoid(), net_o2.sigmoid()
    E = 0.5 * (t1 - out_o1) ** 2 + 0.5 * (t2 - out_o2) ** 2
    return E, {key: x for key, x in locals().items() if isinstance(x, Node | float)}


def text(derivation):
    return "\n".join(line.rstrip() for line in str(derivation).splitlines())


def test_the_first_document_to_the_letter():
    E, names = two_neurons()
    assert text(cr.explain(E, wrt=names["w2"], names=names)) == textwrap.dedent("""\
        ∂E/∂w2 = ∂E/∂a2 · ∂a2/∂z2 · ∂z2/∂w2
               = -(T - a2) · a2·(1 - a2) · a1
               = -(0.25 - 0.71525) · 0.71525·(1 - 0.71525) · 0.60229
               = 0.46525 · 0.20367 · 0.60229
               = 0.05707""")


def test_two_paths_to_the_letter():
    E, names = mazur()
    assert text(cr.explain(E, names["w1"], names=names, digits=6)) == textwrap.dedent("""\
        ∂E/∂w1 = sum over 2 paths
          path 1: E → out_o1 → net_o1 → out_h1 → net_h1 → w1
            = -(t1 - out_o1) · out_o1·(1 - out_o1) · w5 · out_h1·(1 - out_h1) · i1
            = 0.7413651 · 0.1868156 · 0.4 · 0.2413007 · 0.05 = 0.000668396
          path 2: E → out_o2 → net_o2 → out_h1 → net_h1 → w1
            = -(t2 - out_o2) · out_o2·(1 - out_o2) · w7 · out_h1·(1 - out_h1) · i1
            = -0.2170715 · 0.1755101 · 0.5 · 0.2413007 · 0.05 = -0.000229828
        = 0.000668396 + (-0.000229828) = 0.000438568""")


def test_adjoints_and_table_to_the_letter():
    E, names = two_neurons()
    adjoints = text(cr.explain(E, names["w1"], names=names, form="adjoints"))
    assert adjoints.splitlines()[0] == "∂E/∂w1 = 0.001021, 1 path, each node once:"
    assert adjoints.splitlines()[2:] == [
        "E\u0304 = 1",
        "a\u03042 = E\u0304 · (-(T - a2)) = 1 · 0.4653 = 0.4653",
        "z\u03042 = a\u03042 · a2·(1 - a2) = 0.46525 · 0.20367 = 0.09476",
        "a\u03041 = z\u03042 · w2 = 0.09476 · 0.45 = 0.04264",
        "z\u03041 = a\u03041 · a1·(1 - a1) = 0.04264 · 0.2395 = 0.01021",
        "w\u03041 = z\u03041 · x = 0.01021 · 0.1 = 0.001021",
    ]
    rows = text(cr.explain(E, names["w1"], names=names, form="table")).splitlines()
    assert "z1 = w1·x + b1 = 0.415      z\u03041 = a\u03041 · a1·(1 - a1)" in rows[8]
    assert rows[-1].split("  ")[0] == "E = 0.5·(T - a2)² = 0.1082"


# ------------------------------------------------------------------ every gradient


def check_against_backward(root, leaf):
    """Each form's own text, read back here, gives the gradient."""
    expected = cr.adjoints(root)[leaf]
    scale = 1e-12 * max(1.0, abs(expected))
    derivation = cr.explain(root, leaf, form="paths", max_paths=200)
    assert derivation.value == expected
    facts = derivation.to_dict()
    names = facts["names"]
    if derivation.path_count <= 200:
        total = 0.0
        for path in facts["paths"]:
            contribution = 1.0
            for factor in path["factors"]:
                contribution *= float(read(factor["formula"], names))
            assert contribution == pytest.approx(path["contribution"], rel=1e-10, abs=1e-12)
            total += contribution
        assert total == pytest.approx(expected, rel=1e-10, abs=1e-11 + scale)
    facts = cr.explain(root, leaf, form="adjoints").to_dict()
    names = facts["names"]
    bars = {}
    for equation in facts["equations"]:
        number = float(read(equation["rows"][0][0], names | bars))
        bars[equation["left"]] = number
    found = [x for left, x in bars.items() if left not in names]
    assert any(x == pytest.approx(expected, rel=1e-10, abs=1e-11) for x in found)
    for form in (derivation, cr.explain(root, leaf, form="table")):
        assert form.latex().startswith("\\begin{aligned}")
        assert form.html().count("<math") >= 1
        json.dumps(form.to_dict())


@pytest.mark.parametrize("example", PUBLISHED, ids=key_of)
def test_published_examples(example, monkeypatch):
    """Every graph of the published examples, in every form, for each of its leaves."""
    roots = []
    backward = Node.backward
    monkeypatch.setattr(Node, "backward", lambda y, *a: (roots.append(y), backward(y, *a))[1])
    monkeypatch.setattr(cr.optim.GradientDescent, "step", lambda _self: None)
    EXAMPLES[key_of(example)](example["inputs"])
    root = roots[0]
    for leaf in (node for node in newest_first(root) if node.op is None):
        if isinstance(root, cr.Value):
            check_against_backward(root, leaf)
            continue
        derivation = cr.explain(root, leaf)
        assert np.array_equal(derivation.value, cr.adjoints(root)[leaf])
        entry = leaf[(0,) * leaf.ndim] if leaf.ndim else leaf
        single = cr.explain(root, entry)
        assert single.value == pytest.approx(np.ravel(derivation.value)[0], rel=1e-12)


OPERATIONS = {k: f for k, f in {**UNARY, **BINARY}.items() if k != "where"}
BINARY_NAMES = sorted(set(BINARY) - {"where"})


@st.composite
def programs(draw):
    """Random programs of three leaves; some of the steps have labels."""
    rows = []
    for k in range(draw(st.integers(1, 9))):
        binary = draw(st.booleans())
        name = draw(st.sampled_from(BINARY_NAMES if binary else sorted(UNARY)))
        inputs = [draw(st.integers(0, 2 + k)) for _ in range(2 if binary else 1)]
        rows.append((name, inputs, draw(st.sampled_from([None, None, f"h{k}", f"out_{k}"]))))
    return rows


@settings(max_examples=120, deadline=None)
@given(programs())
def test_random_programs(rows):
    leaves = [cr.Value(v, label=name) for name, v in zip("abc", (0.4, -0.7, 1.2), strict=True)]
    values = list(leaves)
    for name, inputs, label in rows:
        y = OPERATIONS[name](*[values[i] for i in inputs])
        y.label = label
        values.append(y)
    root = values[-1]
    for leaf in leaves:
        if any(node is leaf for node in newest_first(root)) and root is not leaf:
            check_against_backward(root, leaf)


def test_a_derivation_that_disagrees_is_refused(monkeypatch):
    """The check inside is checked: a formula that is off by 1e-9 must not come out."""
    E, names = two_neurons()
    evaluated = case_module.Case.evaluated
    monkeypatch.setattr(
        case_module.Case, "evaluated", lambda *a, **k: evaluated(*a, **k) * (1 + 1e-9)
    )
    for form in ("paths", "adjoints", "table"):
        with pytest.raises(cr.DerivationError, match="backward gives"):
            cr.explain(E, names["w1"], form=form)


# ------------------------------------------------------------------ names


def test_names_come_from_label_then_names_then_variables_then_numbers():
    labelled, given, local = cr.Value(1.0, label="L"), cr.Value(2.0), cr.Value(3.0)
    y = labelled * given * local * cr.sigmoid(cr.Value(4.0) + local * 2.0 + 1.0)
    derivation = cr.explain(y, given, names={"G": given})
    assert derivation.to_dict()["names"].keys() >= {"L", "local"}
    assert "∂y/∂G" in str(derivation)
    assert "v1" in str(derivation)


def test_names_from_containers_and_attributes():
    class Layer:
        def __init__(self):
            self.W = cr.Value(0.3)

    layer1, h, params = Layer(), [cr.Value(0.5), cr.Value(0.7)], {"W1": cr.Value(2.0)}
    loss = layer1.W * h[0] * h[1] * params["W1"]
    assert text(cr.explain(loss, h[1])).startswith("∂loss/∂h[1] = params[W1]·layer1.W·h[0]\n")


def test_names_of_globals_in_a_function_without_source():
    scope = {}
    program = """
    import chainrule as cr
    w = cr.Value(3.0)
    def f():
        x = 0.5
        y = w * x
        return str(cr.explain(y, w))
    text = f()
    """
    exec(textwrap.dedent(program), scope)  # noqa: S102 -- as a notebook does
    assert scope["text"].splitlines()[0] == "∂y/∂w = x"


def test_names_in_python_c():
    program = "import chainrule as cr; w = cr.Value(2.0); E = w ** 2; print(cr.explain(E, w))"
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert out.splitlines()[0] == "∂E/∂w = 2·w"


def test_a_rebound_name_gets_primes():
    a, b = cr.Value(-4.0), cr.Value(2.0)
    c = a + b
    c += c + 1
    c += 1 + c + (-a)
    c *= 2.0
    lines = str(cr.explain(c, a, form="table"))
    for row in ("c = a + b", "c′ = 2·c + 1", "c″ = 2·c′ + 1 - a", "c‴ = 2·c″"):
        assert row in lines


def test_a_rebound_label_goes_on():
    c, a = cr.Value(2.0, label="c"), cr.Value(3.0, label="a")
    c += a
    c *= a
    assert str(cr.explain(c, a, form="table")).count("c″") > 1


def test_names_around_a_comprehension():
    w, x = cr.Value(0.5), cr.Value(2.0)
    E = w * x
    (derivation,) = [cr.explain(E, wrt=v) for v in (w,)]
    assert "x" in str(derivation)


def test_labels_that_repeat_get_primes():
    h = cr.Value(0.5, label="h")
    for _ in range(2):
        h = cr.tanh(h)
        h.label = "h"
    assert "h″ → h′ → h" in str(cr.explain(h * h, "h", form="paths", max_paths=1)) or (
        "∂h″/∂h′ · ∂h′/∂h" in str(cr.explain(h, "h"))
    )


def test_a_literal_is_not_called_by_a_variables_name():
    w = cr.Value(3.0)
    T = 0.25
    E = 0.25 * (T - w) ** 2  # one object in the compiled code, two meanings
    assert "T" not in str(cr.explain(E, w))
    x = cr.Value(2.0)
    target = float("0.75")
    assert "target" in str(cr.explain(0.75 * (target - x) ** 2, x))


def test_two_variables_of_one_number_give_no_name():
    w = cr.Value(3.0)
    x = rate = 0.125
    assert "0.125" in str(cr.explain(w * x, w))
    assert rate == x


def test_odd_labels_are_quoted_and_read_back():
    odd = (
        "a b",
        "x-1",
        "2",
        "<b>",
        "$",
        "50%",
        "exp",
        "max",
        "Σ",
        "E′",
        "`",
        "ᵀ",
        "N",
        "inf",
        "nan",
    )
    for label in odd:
        w = cr.Value(2.0, label=label)
        E = cr.exp(w) * w**2
        E.label = "E"
        derivation = cr.explain(E, w)
        assert derivation.value == cr.adjoints(E)[w]
        assert "<b>" not in derivation.html().split("<body>")[1].replace("&lt;b&gt;", "")


# ------------------------------------------------------------------ many paths


def doublings(n):
    x = h = cr.Value(1.0, label="x")
    for k in range(n):
        left, right = h * 0.5, h * 0.25
        left.label, right.label = f"l{k}", f"r{k}"
        h = left + right
        h.label = f"h{k}"
    return x, h


def test_paths_are_counted_exactly_and_not_listed():
    x, root = doublings(200)
    derivation = cr.explain(root, x)
    assert derivation.path_count == 2**200
    assert derivation.form == "adjoints"
    assert f"{2**200:,} paths" in str(derivation)
    assert "nodes between are left out" in str(derivation)
    assert len(str(derivation).splitlines()) < 80


def test_the_largest_paths_are_found_without_listing():
    x, root = doublings(60)
    derivation = cr.explain(root, x, top=3)
    sizes = [path.contribution for path in derivation.paths]
    assert sizes == pytest.approx([0.5**60, 0.5**61, 0.5**61])
    assert all(node.startswith(("l", "h", "x")) for node in derivation.paths[0].nodes)
    share = 2 * 0.5**60 / 0.75**60
    assert f"{share:.1%} of the gradient" in str(derivation)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_the_largest_paths_are_those_of_the_whole_list(weights):
    w = [cr.Value(v, label=f"w{i}") for i, v in enumerate(weights)]
    h1, h2 = w[0] * w[1] + w[2], w[0] * w[2] * w[3]
    h1.label, h2.label = "h1", "h2"
    o1, o2 = h1 * h2 + w[0] * w[4], h1 * w[5] - h2
    o1.label, o2.label = "o1", "o2"
    E = o1 * o2 + w[0]
    everything = cr.explain(E, w[0], form="paths", max_paths=100)
    assert len(everything.paths) == everything.path_count
    ordered = sorted((abs(p.contribution) for p in everything.paths), reverse=True)
    for k in (1, 3, 5):
        largest = cr.explain(E, w[0], top=k)
        assert [abs(p.contribution) for p in largest.paths] == pytest.approx(ordered[:k])


def test_grouped_by_layer():
    E, names = mazur()
    derivation = cr.explain(E, names["w1"], names=names, group_by="layer")
    assert "E → out_o{1,2} → net_o{1,2} → out_h1 → net_h1 → w1  2      0.0004386" in str(derivation)
    assert derivation.form == "layers"


def test_a_long_chain_in_linear_time():
    w = x = cr.Value(0.5, label="w")
    for _ in range(20_000):
        x = cr.sin(x)
    derivation = cr.explain(x, w)
    assert derivation.path_count == 1
    assert len(str(derivation).splitlines()) < 200
    assert cr.explain(x, w, form="adjoints").value == cr.adjoints(x)[w]


# ------------------------------------------------------------------ numbers


def test_factors_get_one_digit_more_where_the_product_needs_it():
    E, names = two_neurons()
    rows = str(cr.explain(E, names["w2"], names=names)).splitlines()
    assert "0.60229" in rows[3]  # 0.4653 · 0.2037 · 0.6023 would give 0.05708
    rows = str(cr.explain(E, names["w1"], names=names, form="adjoints")).splitlines()
    assert "0.04264 · 0.2395 = 0.01021" in rows[6]  # here four are enough


def test_a_note_where_one_more_digit_is_not_enough():
    w = [cr.Value(1 + 3.3e-3, label=f"w{i}") for i in range(40)]
    y = w[0]
    for x in w[1:]:
        y = y * x
        y.label = "p"
    derivation = cr.explain(y, w[0], digits=3)
    assert "the numbers as printed, to 4 digits, give" in str(derivation)


def test_rounding_after_every_step():
    E, names = two_neurons()
    derivation = cr.explain(E, names["w2"], names=names, rounding="4dp")
    assert "= 0.4652 · 0.2037 · 0.6023" in str(derivation)
    assert "Rounded after every step; the exact value is 0.0570703982" in str(derivation)
    assert derivation.value == cr.adjoints(E)[names["w2"]]
    step = str(cr.explain(E, names["w1"], names=names, rounding="step"))
    assert step == str(cr.explain(E, names["w1"], names=names, rounding="4sf"))
    assert "(-0.04%)" in step


@pytest.mark.parametrize("rounding", ["4", "step4", "dp", 4])
def test_rounding_refuses(rounding):
    E, names = two_neurons()
    with pytest.raises(ValueError, match='use "exact", "step"'):
        cr.explain(E, names["w1"], rounding=rounding)


# ------------------------------------------------------------------ teaching


def test_blanks_and_reveal():
    E, names = two_neurons()
    hidden = cr.explain(E, names["w2"], names=names, hide=("a2/z2", "∂E/∂w2"))
    assert "a2·(1 - a2)" not in str(hidden)
    assert "0.05707" not in str(hidden)
    assert str(hidden).count("____") == 4
    assert r"\underline{\qquad}" in hidden.latex()
    assert str(hidden.reveal()) == str(cr.explain(E, names["w2"], names=names))
    adjoints = cr.explain(E, names["w2"], names=names, form="adjoints", hide="a2/z2")
    assert "a\u03042 · ____" in str(adjoints)


def test_the_whole_backward_pass_says_why_the_order_is_topological():
    a, b = cr.Value(2.0), cr.Value(1.0)
    c = a + b
    d = b + 1.0
    e = c * d
    lines = str(cr.explain(e)).splitlines()
    assert lines[0] == "The backward pass of e = 6"
    assert [line.split(" = ")[0] for line in lines[2:5]] == ["e\u0304", "d\u0304", "c\u0304"]
    note = " ".join(lines)
    assert "(b went into d and c: its adjoint is the sum over all of them" in note
    assert "topological" in note


def test_second_derivatives():
    x = cr.Value(0.7, label="x")
    y = cr.sin(x) * x**2
    g = cr.adjoints(y, record=True)[x]
    second = cr.explain(g, x)
    assert second.value == pytest.approx(
        -np.sin(0.7) * 0.49 + 4 * 0.7 * np.cos(0.7) + 2 * np.sin(0.7)
    )
    assert str(second).startswith("∂g/∂x")


# ------------------------------------------------------------------ what cannot be explained


def test_refusals():
    w, other = cr.Value(2.0, label="w"), cr.Value(3.0, label="other")
    E = w * 2.0
    for arguments, error, message in [
        ((E, other), ValueError, "'other' is not in the graph of E"),
        ((w, E), ValueError, "was computed from w, not the other way round"),
        ((E, 3.0), TypeError, "wrt is a plain float, a constant"),
        ((3.0, w), TypeError, "explain takes the Value or Tensor that was computed, got float"),
        ((E, "ww"), ValueError, "'ww' is no named node in the graph of E; near it: w"),
    ]:
        with pytest.raises(error) as caught:
            cr.explain(*arguments)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
    for options, message in [
        ({"form": "tree"}, "form='tree': one of auto, paths"),
        ({"form": "matrix"}, 'form="matrix" is for arrays'),
        ({"digits": 0}, "digits=0: a whole number from 1 on"),
        ({"top": 0}, "top=0"),
        ({"digits": True}, "digits=True"),
        ({"max_paths": 0}, "max_paths=0"),
        ({"top": 2, "form": "table"}, "top= is about paths"),
        ({"group_by": "layer", "form": "paths"}, "group_by= is a form of its own"),
        ({"rounding": "0sf"}, "rounding='0sf'"),
        ({"group_by": "row"}, "group_by='row'"),
        ({"hide": "q/w"}, "hide='q/w' is no step of this graph: try E/w"),
        ({"names": {"w": E}}, "another is labelled 'w'"),
        ({"names": {"v": w}}, "is labelled 'w': the label is its name"),
        ({"names": {"q": other}}, "something that is not in the graph"),
    ]:
        with pytest.raises(ValueError, match=r".") as caught:
            cr.explain(E, w, **options)
        assert message in str(caught.value)
    a, b = cr.Value(1.0), cr.Value(2.0)
    with pytest.raises(ValueError, match="one name to two"):
        cr.explain(a * b, a, names={a: "p", b: "p"})
    for options, message in [
        ({"names": {1: w}}, "names= maps names to nodes"),
        ({"names": ["p"]}, "names= maps names to nodes"),
        ({"hide": 3}, 'hide= takes steps such as "a2/z2"'),
    ]:
        with pytest.raises(TypeError, match=message):
            cr.explain(E, w, **options)


def test_a_graph_that_was_not_recorded():
    w = cr.Value(2.0, label="w")
    with cr.no_grad():
        E = w * 3.0
    with pytest.raises(ValueError, match=r"no_grad\(\)"):
        cr.explain(E, w)


def test_changed_data_is_noticed():
    w = cr.Value(2.0, label="w")
    E = w * w
    w.data = 5.0
    with pytest.raises(cr.ChangedDataError):
        cr.explain(E, w)


def test_changed_arrays_are_noticed():
    W = cr.Tensor([1.0, 2.0], label="W")
    E = (W * W).sum()
    assert cr.explain(E, W).value.tolist() == [2.0, 4.0]
    W.data = [5.0, 2.0]
    with pytest.raises(cr.ChangedDataError):
        cr.explain(E, W)


def test_why_a_gradient_is_zero():
    z = cr.Value(-0.5, label="z")
    h = cr.relu(z) * 3.0
    assert "The gradient is zero because ∂h/∂z = 3·[z > 0] = 0." in str(cr.explain(h, z))
    s = cr.stop_gradient(z) * 2.0
    assert "stop_gradient" in str(cr.explain(s, z))
    d = z * 2.0 - 2.0 * z
    assert cr.explain(d, z).value == 0.0


def test_the_root_in_itself():
    w = cr.Value(2.0, label="w")
    E = w * 2.0
    assert str(cr.explain(E, E)) == "∂E/∂E = 1"
    assert cr.explain(w, w).value == 1.0


def test_nested_functions_take_no_exponential_time():
    w, h = cr.Value(1.0, label="w"), cr.Value(0.5, label="x")
    for _ in range(60):
        h = cr.sin(w * h)
    derivation = cr.explain(h, w)
    assert max(map(len, str(derivation).splitlines())) < 2000


def test_zero_times_infinity_is_told():
    a = cr.Value(0.0, label="a")
    b = cr.sqrt(a)
    E = b * b
    assert cr.explain(E, a).value == 0.0
    assert "0 · inf = 0" in str(cr.explain(E, a, form="adjoints"))
    x = cr.Value(0.0, label="x")
    with pytest.raises(ZeroDivisionError, match="the derivative of sqrt"):
        cr.explain(cr.sqrt(x * x), x)


def test_numbers_that_floats_lose():
    x = cr.Value(-400.0, label="x")
    E = 1 / (1 + cr.exp(-x))
    assert "floats lose them" in str(cr.explain(E, x))
    w = cr.Value(0.9, label="w")
    h = cr.Value(0.5)
    for k in range(3000):
        h = cr.sigmoid(w * h)
        h.label = f"h{k}"
    assert "floats lose them" in str(cr.explain(h, "h0"))


def test_a_node_with_many_consumers_is_told_shortly():
    a, s = cr.Value(2.0, label="a"), 0.0
    for k in range(300):
        y = a * float(k)
        y.label = f"y{k}"
        s = s + y
    lines = str(cr.explain(s)).splitlines()
    assert max(map(len, lines)) < 400
    assert any("terms …" in line for line in lines)
    assert any("more: its adjoint" in line for line in lines)


def test_negative_numbers_stand_in_parentheses():
    a, b = cr.Value(2.0, label="a"), cr.Value(-3.0, label="b")
    f = b / a
    assert "= -(-1.5)/2" in str(cr.explain(f, a))
    s = cr.exp(-b) * b
    assert "exp(-(-3))" in str(cr.explain(s, b))
    assert "--" not in str(cr.explain(1.0 / cr.sqrt(-b), b))
    assert "/(-3)" in str(cr.explain(a / b, b))


def test_a_kink_is_told():
    m = cr.Value(0.0, label="m")
    for root in (abs(m), cr.relu(m), cr.maximum(m, 0.0)):
        note = " ".join(str(cr.explain(root * 1.0, m)).splitlines())
        assert "has a kink: there is no derivative, and the convention of the op" in note
    x = cr.Value(0.5, label="x")
    assert "kink" not in str(cr.explain(cr.relu(x), x))


def test_a_loop_has_a_node_for_every_step():
    w, h = cr.Value(0.8), cr.Value(0.5)
    for _ in range(4):
        h = cr.tanh(w * h)
    assert cr.explain(h, wrt=w).path_count == 4


def test_an_input_of_zero_stays_in_the_formula():
    x2, w = 0.0, cr.Value(0.5)
    o = cr.tanh(w * x2 + 0.3)
    derivation = cr.explain(o, w)
    assert "0·(1 - o²)" in str(derivation) or "(1 - o²)·0" in str(derivation)


def test_a_blank_is_blank_wherever_it_stands():
    E, names = two_neurons()
    hidden = cr.explain(E, names["w1"], names=names, form="adjoints", hide=("E/a2", "E/z1"))
    assert "0.4653" not in str(hidden)
    assert "0.46525" not in str(hidden)
    assert "0.01021" not in str(hidden)
    with pytest.raises(ValueError, match="leaves nothing blank"):
        cr.explain(E, names["w1"], names=names, hide="E/z2")


def test_one_node_at_a_time():
    E, names = two_neurons()
    with pytest.raises(TypeError, match="wrt is one node at a time"):
        cr.explain(E, [names["w1"], names["w2"]])


def test_nan_is_named():
    z = cr.Value(float("nan"), label="z")
    h = z * 2.0
    assert "z is nan: nothing computed from it is a gradient" in str(cr.explain(h, z))


# ------------------------------------------------------------------ formats


def test_it_shows_itself():
    E, names = two_neurons()
    derivation = cr.explain(E, names["w2"])
    assert repr(derivation) == str(derivation) == derivation.text()
    assert derivation._repr_markdown_() == derivation.markdown()
    assert derivation._repr_latex_() == f"$$\n{derivation.latex()}\n$$"
    page = derivation.html()
    assert "<math" in page
    assert "http" not in page
    assert "<script" not in page


def latex_rows(latex):
    body = latex.removeprefix("\\begin{aligned}\n").removesuffix("\n\\end{aligned}")
    for row in body.split(" \\\\\n"):
        if "\\begin{array}" in row or "\\begin{bmatrix}" in row:  # mathtext has neither
            continue
        yield row.replace("&", "")


def test_latex_compiles():
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    E, names = mazur()
    w = cr.Value(0.3, label="50% <b> _x$")
    odd = cr.sqrt(cr.exp(w) / (w + 1.0) ** w) * cr.maximum(w, 0.2) - abs(w)
    derivations = [
        cr.explain(E, names["w1"], names=names),
        cr.explain(E, names["w1"], names=names, form="adjoints", hide="E/out_o1"),
        cr.explain(E, names=names),
        cr.explain(E, names["w1"], names=names, rounding="step"),
        cr.explain(odd, w),
    ]
    rows = [row for derivation in derivations for row in latex_rows(derivation.latex())]
    assert len(rows) > 40
    for row in rows:
        parser.parse(f"${row}$")
    with pytest.raises(ValueError, match="Expected"):
        parser.parse(r"$\frac{1$")


def test_markdown_has_formulas_and_tables():
    E, names = two_neurons()
    table = cr.explain(E, names["w1"], names=names, form="table").markdown()
    assert "| forward ↓ | reverse ↑ |" in table
    assert r"$z_{1} = w_{1} \cdot x + b_{1} = 0.415$" in table.replace("  ", " ")
