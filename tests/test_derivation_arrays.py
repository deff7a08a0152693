"""`explain` of arrays: textbook form with shapes, every formula read back against backward."""

import ast
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.formulas.reading import read
from chainrule.formulas.steps import Steps
from test_derivation import latex_rows
from test_random_programs import ARRAYS, BINARY, UNARY

X = np.array([[1.0, 0.5, -1.0], [0.3, 0.2, 0.1]])
Y = np.array([[0.5, -0.25], [0.0, 1.0]])


def network():
    net = cr.nn.MLP([3, 2, 2], "sigmoid", seed=0)
    W1, b1, W2, b2 = net.parameters()
    x, y = X, Y
    z1 = x @ W1 + b1
    a1 = cr.sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = cr.sigmoid(z2)
    J = 0.5 * np.sum((a2 - y) ** 2)
    named = {"W1": W1, "b1": b1, "W2": W2, "b2": b2, "x": x, "y": y}
    return J, named | {"z1": z1, "a1": a1, "z2": z2, "a2": a2, "J": J}


def first_rows(derivation):
    """The lines that define something, without their numbers."""
    lines = [line.rstrip() for line in str(derivation).splitlines()]
    return [line for line in lines if not line.startswith((" ", "="))]


def check_against_backward(derivation, root, leaf):
    """The equations, read back one after the other, give the gradient."""
    expected = cr.adjoints(root)[leaf]
    assert np.array_equal(derivation.value, expected)
    facts = derivation.to_dict()
    names = {key: np.asarray(x) for key, x in facts["names"].items()}
    result = None
    for equation in facts["equations"]:
        left, rows = equation["left"], equation["rows"]
        if left is None or not rows or left in names or left in facts["names"]:
            continue
        formula = rows[0][-1] if left.startswith("δ") else rows[0][0]
        result = np.asarray(read(formula, names))
        shape = ast.literal_eval(equation["shape"].replace(")(", "),(").split("→")[-1])
        result = result.reshape(shape) if result.size == np.prod(shape) else result
        result = np.broadcast_to(result, shape)
        names[left] = result
    result = np.broadcast_to(result, expected.shape) if result.size == 1 else result
    scale = max(float(np.max(np.abs(x))) for x in cr.adjoints(root).values())
    assert np.allclose(result.reshape(expected.shape), expected, rtol=1e-11, atol=1e-11 * scale)


def test_a_network_reads_as_in_a_textbook():
    J, names = network()
    assert first_rows(cr.explain(J, names["W1"], names=names)) == [
        "δ2 = ∂J/∂z2 = (a2 - y) ⊙ a2 ⊙ (1 - a2)   (2,2)",
        "δ1 = ∂J/∂z1 = δ2 W2ᵀ ⊙ a1 ⊙ (1 - a1)   (2,2)",
        "∂J/∂W1 = xᵀ δ1   (3,2)(2,2)→(3,2)",
    ]
    assert first_rows(cr.explain(J, names=names))[2:] == [
        "δ2 = ∂J/∂z2 = (a2 - y) ⊙ a2 ⊙ (1 - a2)   (2,2)",
        "δ1 = ∂J/∂z1 = δ2 W2ᵀ ⊙ a1 ⊙ (1 - a1)   (2,2)",
        "∂J/∂b2 = Σ_batch δ2   (2,2)→(2,)",
        "∂J/∂W2 = a1ᵀ δ2   (2,2)(2,2)→(2,2)",
        "∂J/∂b1 = Σ_batch δ1   (2,2)→(2,)",
        "∂J/∂W1 = xᵀ δ1   (3,2)(2,2)→(3,2)",
    ]
    numbers = str(cr.explain(J, names["b1"], names=names)).splitlines()
    assert numbers[-1].strip() == "= [0.02346 0.01197]"


def test_orientation_follows_the_code():
    W, b = cr.Tensor(np.ones((2, 3)), label="W"), cr.Tensor(np.ones((2, 1)), label="b")
    a, v = np.arange(12.0).reshape(3, 4), np.array([1.0, 2.0, 3.0])
    o = cr.tanh(W @ a + b)
    E = np.mean(o**2)
    assert first_rows(cr.explain(E, W))[1] == "∂E/∂W = δ aᵀ   (2,4)(4,3)→(2,3)"
    assert "∂E/∂b = Σ_axis1" in first_rows(cr.explain(E, b))[-3]
    assert "N = 8" in str(cr.explain(E, W))
    q = W @ v
    E = np.sum(np.tanh(q))
    assert first_rows(cr.explain(E, W)) == [
        "δ_q = ∂E/∂q = 1 - tanh(q)²   (2,)",
        "∂E/∂W = δ_q ⊗ v   (2,3)",
    ]
    u = cr.Tensor([1.0, 2.0], label="u")
    E = np.sum(u @ W.data)
    assert first_rows(cr.explain(E, u))[0].startswith("∂E/∂u = ")


def test_losses_name_their_share():
    z = cr.Tensor([[1.0, 2.0, 0.5], [0.1, -0.2, 0.3]], label="z")
    labels, y = np.array([0, 2]), np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    E = cr.nn.cross_entropy(z, labels)
    assert first_rows(cr.explain(E, z))[0] == (
        "∂E/∂z = (softmax(z) - one_hot(labels, classes=3))/N   (2,3)"
    )
    E = cr.nn.cross_entropy(z, y)
    assert first_rows(cr.explain(E, z))[0] == "∂E/∂z = (softmax(z) - y)/N   (2,3)"
    E = cr.nn.mean_squared_error(z, y)
    assert first_rows(cr.explain(E, z))[0] == "∂E/∂z = -2·(y - z)/N   (2,3)"
    E = np.mean(z)
    assert first_rows(cr.explain(E, z))[0] == "∂E/∂z = 1/N   (2,3)"


def test_attention_layer_norm_and_convolution_are_readable():
    random = np.random.default_rng(0)
    Q, K, V = (cr.Tensor(random.normal(size=(4, 3)), label=n) for n in "QKV")
    A = cr.softmax(Q @ K.T / np.sqrt(3))
    Z = A @ V
    L = np.sum(Z**2)
    assert first_rows(cr.explain(L))[2:8] == [
        "δ_Z = ∂L/∂Z = 2·Z   (4,3)",
        "δ_A = ∂L/∂A = δ_Z Vᵀ   (4,3)(3,4)→(4,4)",
        "δ = ∂L/∂(Q Kᵀ) = 1/√(3)·A ⊙ (δ_A - Σ_axis1 (A ⊙ δ_A))   (4,4)",
        "∂L/∂V = Aᵀ δ_Z   (4,4)(4,3)→(4,3)",
        "∂L/∂K = δᵀ Q   (4,4)(4,3)→(4,3)",
        "∂L/∂Q = δ K   (4,4)(4,3)→(4,3)",
    ]
    x = cr.Tensor(random.normal(size=(4, 3)), label="x")
    h = cr.nn.layer_norm(x)
    L = np.sum(np.tanh(h))
    assert first_rows(cr.explain(L, x))[1] == (
        "∂L/∂x = (δ_h - mean_axis1(δ_h) - h ⊙ mean_axis1(δ_h ⊙ h))"
        "/√(mean_axis1((x - mean_axis1(x))²) + 1e-5)   (4,3)"
    )
    w, b = cr.Tensor(random.normal(size=(3, 1, 2, 2)), label="w"), cr.Tensor(np.zeros(3), label="b")
    image = random.normal(size=(2, 1, 4, 4))
    c = cr.nn.conv(image, w, b)
    L = np.sum(cr.relu(c))
    rows = first_rows(cr.explain(L))
    assert "∂L/∂w = correlate_kernel(image, δ_c, size=(2,2))   (3,1,2,2)" in rows
    assert "∂L/∂b = sum([c > 0], axis=(0,2,3))   (2,3,3,3)→(3,)" in rows


def test_one_entry_drops_to_scalar_paths():
    J, names = network()
    derivation = cr.explain(J, names["W1"][2, 0], names=names)
    assert derivation.form == "adjoints" or derivation.path_count <= 8
    assert derivation.value == pytest.approx(cr.adjoints(J)[names["W1"]][2, 0], rel=1e-12)
    assert "a1[0,0]·(1 - a1[0,0])" in str(derivation)
    assert "· x[0,2]" in str(derivation)
    by_name = cr.explain(J, "W1[2,0]", names=names)
    assert by_name.value == derivation.value
    with pytest.raises(ValueError, match=r"'W1\[7,0\]' is no entry of W1, whose shape is \(3, 2\)"):
        cr.explain(J, "W1[7,0]", names=names)


T = cr.Tensor


def plain_inputs(root):
    return root.inputs[0].data if root.op is not None else np.ones(1)


def programs_that_were_refused():
    """Programs that could not be explained once, each as (root, wrt)."""
    random = np.random.default_rng(0)
    x, m = T([1.0, 2.0, 3.0], label="x"), T([1.0, 5.0, 2.0, 3.0], label="m")
    A, B = T(random.normal(size=(2, 3)), label="A"), T(random.normal(size=(3, 2)), label="B")
    C, S = T(random.normal(size=(3, 4)), label="C"), T(SQUARE, label="S")
    z, k = T([[1.0, 2.0, 0.5]], label="z"), T([0.0, 3.0], label="k")
    cube = cr.op(lambda t: t**3, lambda y_bar, _y, t: y_bar * 3 * t * t, name="cube")
    odd = cr.op(lambda t: t * 2, lambda y_bar, _y, _t: np.asarray(y_bar) * 2, name="odd")
    h = +x
    h[0] = x[1] * 2.0
    w = T([0.1, -0.2, 0.3], label="w")
    state = w
    for _ in range(40):
        state = cr.tanh(state) + w
    yield cr.nn.cross_entropy(z, [2]), z
    yield np.sum(x * (x > 0)), x
    yield np.sum(np.where(x > 0, x, 0.1 * x)), x
    yield np.sum(x[None] ** 2), x
    yield np.sum(np.real(np.fft.fft(x)) ** 2), x
    yield np.sum(np.exp(np.concatenate([A, A * 2], axis=None))), A
    yield np.sum(np.einsum("ij,jk->ik", A, B) ** 2), A
    yield np.max(m) ** 2 + np.mean(m) ** 2, m
    yield np.sum(cr.softmax(m) ** 2), m
    yield np.sum(np.cov(C) ** 2), C
    yield np.linalg.norm(T(np.zeros(3), label="n")), None
    yield np.sum(np.sqrt(k * k)), k
    yield np.sum(cube(x)), x
    yield np.sum(odd(x)), x
    yield np.sum(h**2), x
    yield np.sum(np.linalg.pinv(A)), A
    yield np.sum(np.linalg.cholesky(S @ S.T + 3 * np.eye(3))), S
    yield np.median(m) + np.quantile(m, 0.3), m
    yield np.sum(np.imag(x * 1j)), x
    yield np.var(T(2.0, label="v") * 1.0), None
    yield np.sum(state), w
    yield np.sum(x[np.array([0, 1] * 20)] ** 2), x
    yield np.sum(np.nan_to_num(x)), x
    yield np.sum(T(np.zeros((0, 3)), label="e") * 2.0), None


SQUARE = np.array([[2.0, 0.3, 0.1], [0.2, 1.5, 0.4], [0.1, 0.2, 1.0]])


@pytest.mark.parametrize("form", ["matrix", "adjoints", "paths", "table", "step", "entry"])
def test_programs_that_were_refused_once(form):
    for root, wrt in programs_that_were_refused():
        table = cr.adjoints(root)
        if form == "entry":
            infinite = root.op.name == "sum" and np.any(plain_inputs(root) == 0.0)
            if wrt is None or infinite or any(np.iscomplexobj(node.data) for node in table):
                continue
            derivation = cr.explain(root, wrt[(0,) * wrt.ndim], max_paths=50)
            expected = table[wrt].flat[0]
            assert derivation.value == pytest.approx(expected, rel=1e-9, abs=1e-12)
            continue
        if form == "step":
            if not any(np.iscomplexobj(node.data) for node in table):
                cr.explain(root, wrt, rounding="6sf")
            continue
        if form == "paths" and wrt is None:
            continue
        derivation = cr.explain(root, wrt, form=form, max_paths=10_000)
        assert max(map(len, str(derivation).splitlines())) < 3000
        if wrt is not None:
            assert np.array_equal(derivation.value, table[wrt])


def test_a_loop_over_one_weight_is_bounded():
    w = cr.Tensor([0.1, -0.2, 0.3], label="w")
    h = w
    for _ in range(600):
        h = cr.tanh(h) + w
    derivation = cr.explain(np.sum(h), wrt=w)
    assert len(str(derivation).splitlines()) < 300
    assert "equations between are left out" in str(derivation)


def test_blanks_do_not_leak():
    J, names = network()
    for form in ("matrix", "adjoints", "paths"):
        hidden = cr.explain(J, names["W1"], names=names, form=form, hide="J/W1")
        assert "0.02423" not in str(hidden)
    with pytest.raises(ValueError, match="is no step of this graph"):
        cr.explain(J, names["W1"], names=names, hide="a2/z2")


def test_complex_numbers_and_rounding():
    c = cr.Tensor(np.array([1 + 2j, 3 - 1j]), label="c")
    E = np.sum(np.abs(c) ** 2)
    assert np.array_equal(cr.explain(E, c).value, cr.adjoints(E)[c])
    with pytest.raises(ValueError, match="rounding= is about real numbers"):
        cr.explain(E, c, rounding="step")
    with pytest.raises(ValueError, match="complex numbers is not explained"):
        cr.explain(E, c[0])


def test_an_entry_without_a_path():
    a = cr.Tensor([1.0, 2.0, 3.0], label="a")
    E = np.sum(a[np.array([2, 0, 0])] ** 2)
    derivation = cr.explain(E, a[1])
    assert (derivation.value, derivation.path_count) == (0.0, 0)
    assert "No path leads from a[1] to E" in str(derivation)


def test_entries_of_ops_that_are_known_by_numbers_only():
    S = cr.Tensor([[2.0, 1.0], [1.0, 3.0]], label="S")
    E = np.sum(np.linalg.inv(S)) + np.max(S)
    derivation = cr.explain(E, S[1, 1])
    assert derivation.value == pytest.approx(cr.adjoints(E)[S][1, 1])
    tied = cr.Tensor([1.0, 1.0], label="t")
    assert cr.explain(np.max(tied), tied[0]).value == 0.5


@pytest.mark.parametrize("form", ["matrix", "adjoints", "paths", "table"])
def test_every_form(form):
    J, names = network()
    derivation = cr.explain(J, names["W1"], names=names, form=form)
    json.dumps(derivation.to_dict())
    assert "<math" in derivation.html()
    assert derivation.markdown()
    if form in {"matrix", "adjoints"}:
        check_against_backward(derivation, J, names["W1"])


def test_paths_of_arrays_add_up():
    W = cr.Tensor([[0.3, -0.2], [0.1, 0.5]], label="W")
    h = np.tanh(W)
    E = np.sum(h @ W + h)
    derivation = cr.explain(E, W, form="paths")
    assert derivation.path_count == 2
    assert "path 1: E → h → W" in str(derivation)
    assert "path 2: E → W" in str(derivation)
    with pytest.raises(ValueError, match="2 paths of arrays"):
        cr.explain(E, W, form="paths", max_paths=1)


def test_large_arrays_are_shown_as_shape_and_norm():
    W = cr.Tensor(np.ones((20, 30)), label="W")
    E = np.sum(W * W)
    assert str(cr.explain(E, W)).splitlines()[1].strip() == "= array (20,30), ‖·‖ = 48.99"


def test_rounding_of_arrays():
    J, names = network()
    derivation = cr.explain(J, names["W1"], names=names, rounding="3dp")
    assert "Rounded after every step; the largest difference from the exact entries is" in str(
        derivation
    )
    assert "= [[0.006 0.202], [0.135 -0.071]]" in str(derivation)


def test_blanks_in_arrays():
    J, names = network()
    hidden = cr.explain(J, names["W1"], names=names, hide=("J/z1", "J/W1"))
    assert "δ1 = ∂J/∂z1 = ____" in str(hidden)
    assert "∂J/∂W1 = ____" in str(hidden)
    assert "____" not in str(hidden.reveal())


def test_refusals():
    W = cr.Tensor(np.ones((2, 2)), label="W")
    E = np.sum(W * W)
    with pytest.raises(ValueError, match="explain takes one number, v1 has the shape"):
        cr.explain(W * 2.0, W)
    with pytest.raises(ValueError, match="top= and group_by= are about single numbers"):
        cr.explain(E, W, top=3)
    with pytest.raises(ValueError, match="leave the index of wrt out"):
        cr.explain(E, W[0, 0], form="matrix")
    big = cr.Tensor(np.ones((500, 500)), label="big")
    with pytest.raises(ValueError, match="single operations"):
        cr.explain(np.sum(big @ big), big[0, 0])


def test_float32_is_explained_in_its_own_precision():
    W = cr.Tensor(np.ones((2, 3), np.float32), label="W")
    x = np.ones((4, 2), np.float32)
    E = cr.mean(cr.sigmoid(x @ W) ** 2)
    assert cr.explain(E, W).value.dtype == np.float32
    assert cr.explain(E, W[0, 0]).value == pytest.approx(float(cr.adjoints(E)[W][0, 0]), rel=1e-5)


def test_a_formula_that_disagrees_is_refused(monkeypatch):
    J, names = network()
    real = Steps.number
    monkeypatch.setattr(Steps, "number", lambda *a: real(*a) * (1 + 1e-9))
    for form in ("matrix", "adjoints"):
        with pytest.raises(cr.DerivationError, match="does not give what backward gives"):
            cr.explain(J, names["W1"], form=form)


def test_latex_of_arrays_compiles():
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    J, names = network()
    E = np.sum(np.concatenate([names["W1"][0] ** 2, np.linalg.norm(names["W1"], axis=0)]))
    derivations = [cr.explain(J, names=names), cr.explain(J, form="adjoints"), cr.explain(E)]
    rows = [row for derivation in derivations for row in latex_rows(derivation.latex())]
    assert len(rows) > 15
    matrix = r"\begin{bmatrix} 0.02346 & 0.01197 \end{bmatrix}"
    assert matrix in derivations[0].latex()
    assert "<mtable><mtr><mtd>" in derivations[0].html()
    for row in rows:
        parser.parse(f"${row}$")


#: What a complex intermediate makes of a derivation is left to the text of the op.
REAL_ARRAYS = {
    k: f for k, f in ARRAYS.items() if k not in {"fft", "complex", "angle", "checkpoint"}
}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_random_programs_of_arrays(data):
    leaves = [
        cr.Tensor(np.random.default_rng(k).normal(size=3), label=name)
        for k, name in enumerate("abc")
    ]
    values = list(leaves)
    for k in range(data.draw(st.integers(1, 6))):
        table = data.draw(st.sampled_from([UNARY, BINARY, REAL_ARRAYS]))
        name = data.draw(st.sampled_from(sorted(table)))
        inputs = [
            values[data.draw(st.integers(0, len(values) - 1))]
            for _ in range(2 if table is BINARY else 1)
        ]
        y = table[name](*inputs)
        y = cr.broadcast_to(y, (3,)) if y.shape != (3,) else y
        if data.draw(st.booleans()):
            y.label = f"h{k}"
        values.append(y)
    root = cr.sum(values[-1] * np.array([0.5, 1.0, -2.0]))
    root.label = "E"
    table = cr.adjoints(root)
    for leaf in leaves:
        if any(node is leaf for node in table):
            for form in ("matrix", "adjoints"):
                check_against_backward(cr.explain(root, leaf, form=form), root, leaf)
            entry = cr.explain(root, leaf[1])
            assert entry.value == pytest.approx(table[leaf][1], rel=1e-9, abs=1e-9)


def test_why_every_entry_is_zero():
    x = cr.Tensor([-1.0, -2.0], label="x")
    h = cr.relu(x)
    h.label = "h"
    note = " ".join(str(cr.explain(np.sum(h * 3.0), x)).split())
    assert "Every entry is zero: nothing comes back through h = relu(x) to x." in note
    s = cr.stop_gradient(x) * 2.0
    assert "nothing comes back through" in str(cr.explain(np.sum(s), x))


def test_arrays_made_of_a_named_one():
    X, y = np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 0.3]]), np.array([1.0, 0.0, 1.0])
    w = cr.Tensor([0.1, -0.2], label="w")
    p = cr.sigmoid(X @ w)
    L = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert "(1 - y)/(1 - p)" in str(cr.explain(L, w))
    V = cr.Tensor(np.ones((4, 2)), label="V")
    E = np.sum((V @ X.T) ** 2)
    assert first_rows(cr.explain(E, V)) == [
        "δ = ∂E/∂(V Xᵀ) = 2·V Xᵀ   (4,3)",
        "∂E/∂V = δ X   (4,3)(3,2)→(4,2)",
    ]


def test_a_label_that_is_a_sign():
    for label in ("Σ", "δ", "N", "c1", "inf", "max"):
        t = cr.Tensor([0.3, -0.2, 0.5], label=label)
        y = t / cr.logsumexp(t)
        E = np.sum(y)
        assert cr.explain(E, t).value.shape == (3,)
        assert cr.explain(E, t, form="adjoints").value.shape == (3,)
