"""Formulas as people write them: plain text and LaTeX, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.errors import FormulaError
from chainrule.formulas.handwritten import read_handwritten
from chainrule.formulas.vocabulary import Vocabulary, normal

T, A1, A2, W2, Z2, X1 = 0.25, 0.6, 0.7, 0.45, 0.92, 0.1
NAMES = {"T": T, "a1": A1, "a2": A2, "w2": W2, "z2": Z2, "x1": X1}
RIGHT = -(T - A2) * A2 * (1 - A2) * A1


def value(text, names=None):
    return read_handwritten(text, Vocabulary(NAMES if names is None else names))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize(
    "text",
    [
        "-(T - a2) * a2 * (1 - a2) * a1",
        "-(T - a2) a2 (1 - a2) a1",
        "-(T−a2)·a2·(1−a2)·a1",
        "-(T-a_2)a_2(1-a_2)a_1",
        "-(T - a2) × a2 × (1 - a2) × a1",
        "(a2 - T) a2 (1 - a2) a1",
        "-a1 (T - a2) (a2 - a2^2)",
        "-a1 (T - a2) (a2 - a2²)",
        "-a1*(T - a2)*(a2 - a2**2)",
        r"-(T-a_2)\,a_2(1-a_2)\,a_1",
        r"-\left(T-a_{2}\right)\cdot a_2\left(1-a_2\right)a_1",
        r"-a_1 (T - a_2)\,(a_2 - a_2^2)",
        r"-a_1 (T - a_2) \, (a_2 - a_2^{2})",
        r"\frac{-(T-a_2)a_2(1-a_2)a_1}{1}",
        r"-a_1a_2(T-a_2)(1-a_2)\,",
    ],
)
def test_one_derivative_in_many_hands(text):
    assert value(text) == pytest.approx(RIGHT, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/2 (T - a2)^2", 0.5 * (T - A2) ** 2),
        (r"\frac{1}{2}(T-a_2)^2", 0.5 * (T - A2) ** 2),
        (r"\tfrac12 (T-a_2)^2", 0.5 * (T - A2) ** 2),
        ("1/T (a1 - a2)", (A1 - A2) / T),
        ("a1/(a2 w2)", A1 / (A2 * W2)),
        ("a1/a2*w2", A1 / A2 * W2),
        ("a1/a2/w2", A1 / A2 / W2),
        ("-a2^2", -(A2**2)),
        ("(-a2)^2", A2**2),
        ("a2^-1", 1 / A2),
        ("2^a1^2", 2 ** (A1**2)),
        ("a1 - a2 - w2", A1 - A2 - W2),
        ("a1·-a2", -A1 * A2),
        ("2a2", 2 * A2),
        ("2 a2²", 2 * A2**2),
        ("a2⁻¹", 1 / A2),
        (".5a1", 0.5 * A1),
        ("1e-3 a1", 1e-3 * A1),
        ("|T - a2|", abs(T - A2)),
        ("[a2 > 0.5] a1", A1),
        ("[a2 ≤ 0.5]", 0.0),
        ("σ(z2)", sigmoid(Z2)),
        ("sigmoid(z2)(1 - sigmoid(z2))", sigmoid(Z2) * (1 - sigmoid(Z2))),
        ("σ'(z2)", sigmoid(Z2) * (1 - sigmoid(Z2))),
        (r"\sigma'(z_2)", sigmoid(Z2) * (1 - sigmoid(Z2))),
        ("tanh'(z2) a1", (1 - np.tanh(Z2) ** 2) * A1),
        (r"\tanh^2 z_2", np.tanh(Z2) ** 2),
        ("ln a2", np.log(A2)),
        (r"\log a_2 \cdot a_1", np.log(A2) * A1),
        ("e^(-z2)", np.exp(-Z2)),
        (r"\frac{e^{-z_2}}{(1+e^{-z_2})^2}", sigmoid(Z2) * (1 - sigmoid(Z2))),
        ("√(a2)", np.sqrt(A2)),
        (r"\sqrt{a_2 w_2}", np.sqrt(A2 * W2)),
        ("max(a1, a2)", A2),
        ("exp(-(a1 + 1))", np.exp(-A1 - 1)),
        ("pi a1", np.pi * A1),
        ("a1^{10}", A1**10),
        ("a1a2^{2}".replace("a1a2", r"a_1a_2"), A1 * A2**2),
        (r"\frac{0.25}{0.5}\cdot 0.1", 0.05),
        ("a_{2} + w_2", A2 + W2),
        ("cos 2a1", np.cos(2 * A1)),
        ("a1/ln 2", A1 / np.log(2)),
        ("sin 2a1^2", np.sin(2 * A1**2)),
    ],
)
def test_forms(text, expected):
    assert value(text) == pytest.approx(expected, rel=1e-14)


W, X = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("W x", W @ X),
        ("W @ x", W @ X),
        ("W^T x", W.T @ X),
        (r"W^{\top} x", W.T @ X),
        ("W.T @ x", W.T @ X),
        ("Wᵀ x", W.T @ X),
        ("2 W x", 2 * W @ X),
        ("W ⊙ W", W * W),
        ("W * W", W * W),
        (r"W \odot W", W * W),
        ("x ⊗ x", np.outer(X, X)),
        ("x x", X @ X),
        ("sum(W)", W.sum()),
        ("Σ (W ⊙ W)", (W * W).sum()),
        ("1/2 Σ (x - 3)^2", ((X - 3) ** 2).sum() / 2),
        (r"\sum x^2 \cdot 3 + 1", (X**2).sum() * 3 + 1),
        ("-Σ x ⊙ ln(x)", -(X * np.log(X)).sum()),
        ("x/Σ x", X / X.sum()),
        ("x/Σ x ⊙ x", X / X.sum() * X),
        ("x^T x", X @ X),
        ("1/2 (x - 3)^T (x - 3)", ((X - 3) ** 2).sum() / 2),
        ("x x^T", np.outer(X, X)),
        ("-(2 x) x.T / 4", -np.outer(X, X) / 2),
        ("x^T W x", X @ W @ X),
        ("2 x^T W - x^T", 2 * X @ W - X),
        ("(x^T)^T x", X @ X),
        ("mean(W, axis=0)", W.mean(axis=0)),
        ("W[0, 1]", 2.0),
        ("W[:, 0]", W[:, 0]),
        ("W[-1, 0]", 3.0),
        ("[[1, 2], [3, 4]] x", W @ X),
        (r"\begin{bmatrix}1 & 2\\ 3 & 4\end{bmatrix} x", W @ X),
        ("1 - W", 1 - W),
        ("softmax(x)", np.exp(X) / np.exp(X).sum()),
    ],
)
def test_arrays(text, expected):
    np.testing.assert_allclose(value(text, {"W": W, "x": X}), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("a3 + 1", 0, "unknown symbol 'a3': near it: a2, a1"),
        ("1 + a1a2", 4, "a product is written a1 a2"),
        ("a1/a2 w2", 6, r"can mean \(…/a2\)·w2 or …/\(a2·w2\)"),
        ("1/2a2", 3, "write the brackets"),
        ("a1 +", 4, "a number or a name expected"),
        ("(a1", 3, r"'\)' expected, found the end"),
        ("a1)", 2, "cannot read"),
        ("a1 ; a2", 3, "cannot read ';'"),
        ("foo(a1)", 0, "neither a name nor a function"),
        ("sgimoid(a1)", 0, "did you mean sigmoid"),
        ("__import__('os')", 0, "neither a name nor a function"),
        ("a1.__class__", 0, "unknown symbol"),
        ("a1 $ a2", 3, "cannot read '\\$'"),
        ("", 0, "a formula is missing"),
        (r"\foo a_1", 0, r"\\foo is not read"),
        (r"\frac{a_1}{a_2", 10, "never closed"),
        ("(" * 200 + "a1" + ")" * 200, 100, "nested too deeply"),
        ("sin", 3, "what sin is taken of is missing"),
        ("ln(a1, a2)", 0, "log takes"),
        ("2 3", 2, "3 behind what it multiplies"),
        ("cos 2a1 w2", 0, "cos of several factors"),
        ("cos 2 a1", 0, "cos of several factors"),
        ("1/a1 w2", 5, r"can mean \(…/a1\)·w2 or …/\(a1·w2\)"),
        (r"\sin^{-1} a_1", 0, "the inverse function or 1/sin"),
        ("1/2√a1", 3, "write the brackets"),
        (r"a_1^10\,a_2", 4, "one digit only"),
        ("-" * 5000 + "a1" + "^2" * 5000, 0, "nested too deeply"),
    ],
)
def test_what_is_refused(text, position, message):
    with pytest.raises(FormulaError, match=message) as caught:
        value(text)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("W·x", "can mean two things"),
        ("x^T ⊙ x", "a row vector"),
        ("x^T ⊙ x^T", "a row vector"),
        ("1/(x^T)", "a row vector"),
        ("x^T x^T", "does not go with the shapes"),
        ("exp(x^T)", "a row vector"),
        ("x^T W + x", "a row vector"),
        ("W x^T", "does not go with the shapes"),
        ("sum(x)^2", r"can mean \(sum\(…\)\)\^ or sum\(\(…\)\^\)"),
        ("mean (x)^2", "write the brackets"),
        ("x/Σ x x", "write the brackets"),
        ("W [1, 2, 3]", "does not go with the shapes"),
        ("[[1, 2], [3]]", "different lengths"),
        ("W^{-1} x", "can mean its inverse or 1/"),
        ("|x|", "‖…‖ for the length"),
        ("[[1, 2; 3, 4]]", "expected"),
        ("W[5, 0]", r"no such entry in an array of shape \(2, 2\)"),
    ],
)
def test_what_arrays_refuse(text, message):
    with pytest.raises(FormulaError, match=message):
        value(text, {"W": W, "x": X})


def test_names_before_constants_and_exponents():
    names = {"e": 5.0, "pi": 7.0, "x": 2.0, "w": np.array([1.0, 2.0])}
    assert value("e^x + pi", names) == 32.0
    assert value("2 e", names) == 10.0
    assert value("2e1 + w[0]", names) == 21.0
    assert value("‖w‖²", names) == pytest.approx(5.0)


def test_a_name_that_is_a_function_is_never_guessed():
    names = {"exp": 2.0, "a": 3.0}
    assert value("exp a", names) == 6.0
    assert value("exp (a)", names) == 6.0
    with pytest.raises(FormulaError, match="is a name here and a function"):
        value("exp(a)", names)


def test_spellings_of_a_name_are_one():
    assert len({normal(name) for name in ("W_1", "W1", "W_{1}", "W[1]", "W_{(1)}")}) == 1
    assert normal("σ_2") == normal("sigma2")
    assert normal("ŷ") == normal("y_hat")
    assert value(r"\hat{y} + y", {"y_hat": 1.0, "y": 2.0}) == 3.0
    assert value(r"a^{[1]} \delta_2", {"a1": 2.0, "delta2": 5.0}) == 10.0
    assert value("`my name` + 1", {"my name": 2.0}) == 3.0


def test_two_names_with_one_spelling_are_not_confused():
    names = {"w_12": 1.0, "w12": 2.0}
    assert value("w12", names) == 2.0
    assert value("w_12", names) == 1.0
    with pytest.raises(FormulaError, match="unknown symbol"):
        value("w[12]", names)


def test_derivatives_as_names():
    vocabulary = Vocabulary(NAMES | {"E": 1.0}, derivative=lambda y, x: {("E", "a2"): 7.0}[y, x])
    for text in ("dE/da2", "∂E/∂a2", r"\frac{\partial E}{\partial a_2}", r"\frac{dE}{da_2}"):
        assert read_handwritten(f"{text} · a1", vocabulary) == pytest.approx(7 * A1)
    with pytest.raises(FormulaError, match="unknown symbol 'q'"):
        read_handwritten("∂E/∂q", vocabulary)
    with pytest.raises(FormulaError, match="not allowed"):
        value("∂a2/∂a1")


leaves = st.sampled_from(["a1", "a2", "w2", "2", "0.5", "T"])


def joined(parts):
    a, b, sign = parts
    return {
        "+": f"{a} + {b}",
        "-": f"{a} - ({b})",
        "*": f"({a}) * ({b})",
        " ": f"({a}) ({b})",
        "·": f"({a})·({b})",
        "/": f"({a})/({b})",
        "^": f"({a})^2",
        "σ": f"σ({a})",
        "-1": f"-({a})",
    }[sign]


trees = st.recursive(
    leaves,
    lambda inner: st.tuples(
        inner, inner, st.sampled_from(["+", "-", "*", " ", "·", "/", "^", "σ", "-1"])
    ).map(joined),
    max_leaves=12,
)


@given(trees)
@settings(max_examples=300, deadline=None)
def test_random_formulas_mean_what_python_means(text):
    python = text.replace("·", "*").replace(") (", ") * (").replace("^", "**")
    names = {name: np.float64(x) for name, x in NAMES.items()} | {"σ": sigmoid}
    try:
        with np.errstate(all="ignore"):
            expected = eval(python, {}, names)  # noqa: S307 -- the test wrote the text
    except ZeroDivisionError:
        with pytest.raises(cr.FormulaError, match="division by zero"):
            value(text)
        return
    if np.isfinite(expected):
        found = value(text)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_formulas_work_on_nodes():
    a = cr.Value(0.5, label="a")
    y = value("a^2 + 3 a", {"a": a})
    y.backward()
    assert a.grad == pytest.approx(4.0)


TRIAL = {"x": 0.5, "z": 3.0, "w": 0.3, "a": 2.0, "k": 7.0, "F": 11.0, "T": 0.25, "W": W}
TRIAL |= {"v": np.array([3.0, 4.0]), "d_a": 6.0, "d_b": 3.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.5e−3 x", 0.00125),
        ("|2 |x| - w|", 0.7),
        (r"\left|2\left|x\right| - w\right|", 0.7),
        (r"\lvert 2\lvert x\rvert - w\rvert", 0.7),
        ("|a |k||", 14.0),
        ("|x| |z|", 1.5),
        ("|x||z|", 1.5),
        (r"\left\|v\right\|^2", 25.0),
        ("‖v‖_F", 5.0),
        ("‖v‖_2^2", 25.0),
        (r"\frac{d_a}{d_b}", 2.0),
        ("x [z > 0]", 0.5),
        (r"\cos(x) z [z > 0]", 3 * np.cos(0.5)),
        (r"W^\mathsf{T} v", W.T @ [3.0, 4.0]),
        (r"W^{\mathrm{T}} v", W.T @ [3.0, 4.0]),
        (r"x^{\mathrm{T}}", 0.5),
        (r"2\;x", 1.0),
        ("max(0, x, a)", 2.0),
        ("min(z, x, a)", 0.5),
        ("e^-x", np.exp(-0.5)),
        ("2 e^(2x)", 2 * np.e),
        ("e^2 x", np.e**2 / 2),
    ],
)
def test_what_trials_read_otherwise(text, expected):
    np.testing.assert_allclose(value(text, TRIAL), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("|2|x|-w|", "with so many bars"),
        ("x^2_k", "an index stands right behind a name"),
        ("(x a)_k", "an index stands right behind a name"),
        (r"\log_a(x)", "an index stands right behind a name"),
        ("‖W‖_2", "an index stands right behind a name"),
        ("W^{-2}", "a negative power of a square matrix"),
        ("W^{-T}", "a negative power of a square matrix"),
        ("2 [x+1]", "a product is written"),
        ("√2x", r"can mean \(√2\)·x or √\(2x\)"),
        ("e^2x", "write the brackets"),
        ("e^-2x", "write the brackets"),
        (r"x^\frac{1}{2}", "around .frac here"),
        ("sin 2(x+1)", "sin of several factors"),
    ],
)
def test_what_trials_found_to_be_refused(text, message):
    with pytest.raises(FormulaError, match=message):
        value(text, TRIAL)
