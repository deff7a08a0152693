"""Formulas: written in three languages, read back, and rewritten without changing their value."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.errors import FormulaError
from chainrule.formulas import Symbol
from chainrule.formulas.algebra import full
from chainrule.formulas.reading import read
from chainrule.formulas.rewriting import REWRITES, simplified
from chainrule.formulas.styles import LATEX, MATHML
from chainrule.formulas.writing import number_text, written
from chainrule.ops import TABLE

a, b, c = (Symbol(name) for name in "abc")
M, N, V = Symbol("M", (2, 3)), Symbol("N", (2, 3)), Symbol("V", (3,))
S = Symbol("S", (3, 3))

#: A formula, and what is left of it. Every rewrite of the table is met by at least one row.
REWRITTEN = [
    (a + 0.0, "a"),
    (a + a, "2·a"),
    (a - a + b, "b"),
    (1.0 - (a - 2.0), "3 - a"),
    (-a + b, "b - a"),
    (a * 1.0 * b, "a·b"),
    (a * 0.0 + b, "b"),
    (a / c - b / c, "(a - b)/c"),
    (a * 2.0 / c + 1.0 / c, "(2·a + 1)/c"),
    (a * a * b, "a²·b"),
    (-(a * -2.0), "2·a"),
    (TABLE["negative"](-(a - b)), "a - b"),
    (0.5 * (2.0 * (a - b)), "a - b"),
    (a / b / b, "a/b²"),
    (a / 3.0, "1/3·a"),
    (1.0 / (3.0 * b), "1/(3·b)"),
    (a / a, "a/a"),
    (a**1, "a"),
    (a**2 * a, "a³"),
    (TABLE["square"](a), "a²"),
    (TABLE["reciprocal"](a), "1/a"),
    (TABLE["positive"](a), "a"),
    (TABLE["real"](a), "a"),
    (TABLE["conjugate"](a), "a"),
    (TABLE["astype"](M, "float64"), "M"),
    (cr.relu(a) > 0, "[a > 0]"),
    (cr.broadcast_to(a, (2, 3)) * M, "a·M"),
    (cr.broadcast_to(a, (2, 3)) > M, "[a > M]"),
    (TABLE["greater_equal"](M, full(0.5, (2, 3))), "[M ≥ 0.5]"),
    (TABLE["less"](M, full(0.5, (2, 3))), "[M < 0.5]"),
    (TABLE["less_equal"](M, full(0.5, (2, 3))), "[M ≤ 0.5]"),
    (TABLE["equal"](M, full(0.5, (2, 3))) * N, "[M = 0.5] ⊙ N"),
    (TABLE["not_equal"](M, full(0.5, (2, 3))) * N, "[M ≠ 0.5] ⊙ N"),
    (M.reshape((3, 2)).reshape((2, 3)), "M"),
    (full(2.0, (2, 3)) * M, "2·M"),
    (TABLE["sum_to_shape"](M, (3,)), "Σ_batch M"),
    (TABLE["sum_to_shape"](M, (2, 1)), "Σ_axis1 M"),
    (TABLE["sum_to_shape"](M, ()), "Σ M"),
    (TABLE["sum_to_shape"](M, (1, 3)), "Σ_axis0 M"),
    (TABLE["sum_to_shape"](full(0.5, (2, 3)), (3,)) * V, "V"),
    (M.T.T, "M"),
    (TABLE["matrix_transpose"](M).T, "M"),
    ((M @ S).T, "Sᵀ Mᵀ"),
    (M @ (-S), "-(M S)"),
    (cr.sum(full(2.0, (2, 3))) * a, "12·a"),
]


def numbers(*symbols, seed=0):
    random = np.random.default_rng(seed)
    return {x.name: random.uniform(0.3, 2.0, x.shape) for x in symbols}


@pytest.mark.parametrize(("formula", "text"), REWRITTEN, ids=lambda x: str(x)[:40])
def test_a_rewrite_is_shorter_and_the_same_function(formula, text):
    short = simplified(formula)
    assert str(short) == text
    for seed in range(5):
        names = numbers(a, b, c, M, N, V, S, seed=seed)
        before = np.asarray(read(str(formula), names))
        after = np.broadcast_to(read(text, names), before.shape)
        assert np.allclose(before, after, rtol=1e-13, atol=0), seed


def test_equal_entries_of_a_constant_array_are_a_number():
    assert str(simplified(np.ones((2, 3)) * M)) == "M"
    assert str(simplified(np.full((2, 3), 0.5) * M)) == "0.5·M"


def ops_in(x):
    if not isinstance(x, Symbol) or x.op is None:
        return set()
    return {x.op}.union(*map(ops_in, x.inputs))


def test_every_rewrite_is_in_the_table_of_this_test():
    met = set().union(*(ops_in(formula) for formula, _ in REWRITTEN))
    assert set(REWRITES) <= met


def test_a_guard_is_dropped_only_at_a_point_where_it_does_not_hold():
    rule = TABLE["power"].partial(0, None, [a, b], {})
    assert "where" in str(simplified(rule))

    class Point:
        def __init__(self, holds):
            self.holds = lambda _condition: holds

        def constant_number(self, _x):
            return None

    assert str(simplified(rule, Point(holds=False))) == "b·a^(b - 1)"
    assert "where" in str(simplified(rule, Point(holds=True)))


ATOMS = st.sampled_from(["a", "b", "c", 2.0, 0.5, 1 / 3, -1.5, 3.0])
UNARY = [
    *(lambda x: -x, lambda x: x**2, abs, cr.sigmoid, cr.tanh, cr.exp, cr.relu, cr.sqrt),
    *(lambda x: x**-0.5, lambda x: (x > 0.7) * x, lambda x: cr.maximum(x, 0.3)),
]
BINARY = [
    *(lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / y),
    *(lambda x, y: x**y, lambda x, y: cr.where(x > y, x, y)),
]


@st.composite
def formulas(draw):
    """A random formula as a function of its three names."""
    steps = [draw(ATOMS) for _ in range(3)]
    for _ in range(draw(st.integers(1, 8))):
        if draw(st.booleans()):
            steps.append((draw(st.sampled_from(UNARY)), draw(st.integers(0, len(steps) - 1))))
        else:
            first, second = (draw(st.integers(0, len(steps) - 1)) for _ in range(2))
            steps.append((draw(st.sampled_from(BINARY)), first, second))

    def build(names):
        values = []
        for step in steps:
            if isinstance(step, tuple):
                values.append(step[0](*[values[i] for i in step[1:]]))
            else:
                values.append(names[step] if isinstance(step, str) else np.float64(step))
        return values[-1]

    return build


@settings(max_examples=300, deadline=None)
@given(formulas())
def test_random_formulas_read_back_to_the_same_number(build):
    names = {"a": 0.7, "b": 1.3, "c": 0.2}
    with np.errstate(all="ignore"):
        symbol = build({"a": a, "b": b, "c": c})
        expected = float(build({key: np.float64(x) for key, x in names.items()}))
    if not math.isfinite(expected) or abs(expected) > 1e12:
        return
    text = written(symbol) if isinstance(symbol, Symbol) else str(symbol)
    assert float(read(text, names)) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    short = written(simplified(symbol))
    assert float(read(short, names)) == pytest.approx(expected, rel=1e-9, abs=1e-9), (text, short)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2·a² - 1", 17.0),
        ("-a^2", -9.0),
        ("a⁻¹", 1 / 3),
        ("|1 - a|·√(16)", 8.0),
        ("[a > 2] + [a = 2]", 1.0),
        ("σ(0)", 0.5),
        ("where([a ≥ 3], 7, 8)", 7.0),
        ("Σ M", 15.0),
        ("mean_axis1(M)[1,0]", 4.0),
        ("(M Mᵀ)[0,1]", 14.0),
        ("(M[0] ⊗ M[1])[2,0]", 6.0),
        ("sum(M, axis=(0,1))", 15.0),
        ("h[0] + `x - 1`·layer1.W", 23.0),
        ("∂E/∂a + a\u03042", 9.0),
        ("1.5e-3·1000", 1.5),
    ],
)
def test_reading(text, value):
    names = {
        "a": 3.0,
        "M": np.arange(6.0).reshape(2, 3),
        "h[0]": 3.0,
        "x - 1": 4.0,
        "layer1.W": 5.0,
        "∂E/∂a": 4.0,
        "a\u03042": 5.0,
    }
    assert read(text, names) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a + q", "'q' is no name of the graph"),
        ("a +", "a number or a name expected"),
        ("(a", "')' expected"),
        ("frob(a)", "frob() is no function of chainrule"),
        ("a b c)", "cannot read ')'"),
        ("a ? b", "cannot read '? b'"),
        ("[a]", "a comparison expected"),
        ("x[0", "']' expected"),
    ],
)
def test_reading_refuses(text, message):
    names = {"a": np.eye(2), "b": np.eye(2), "c": np.eye(2), "x": np.eye(2)}
    with pytest.raises(FormulaError) as error:
        read(text, names)
    assert message in str(error.value)


@pytest.mark.parametrize("exponent", [-8 / 3, 1 / 3, -1 / math.sqrt(3), -2.0, 0.5, 1e-9])
def test_an_exponent_is_read_back_whole(exponent):
    text = str(a**exponent)
    assert float(read(text, {"a": 0.7})) == pytest.approx(0.7**exponent, rel=1e-14)
    assert float(read(str(simplified(a**exponent)), {"a": 0.7})) == pytest.approx(0.7**exponent)


def test_nothing_is_run_as_python():
    for text in ("__import__('os')", "a.__class__", "(lambda: 1)()", "open('x')"):
        with pytest.raises(FormulaError):
            read(text, {"a": 1.0})


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (2.0, "2"),
        (0.25, "0.25"),
        (1 / 3, "1/3"),
        (-2 / 7, "-2/7"),
        (1 / math.sqrt(3), "1/√(3)"),
        (math.sqrt(2), "√(2)"),
        (math.pi, "3.141592653589793"),
        (-math.log(2), "-log(2)"),
        (math.log(10), "log(10)"),
        (1e-5, "1e-5"),
        (math.inf, "inf"),
    ],
)
def test_a_constant_is_written_without_loss(number, text):
    assert number_text(number) == text
    assert float(read(text, {})) == number


def test_latex_and_mathml():
    formula = -(a - Symbol("out_o1")) / cr.sqrt(b) * cr.sigmoid(c) ** 2
    above = r" - \left(a - \mathrm{out}_{\mathrm{o1}}\right)"
    expected = rf"\frac{{{above}}}{{\sqrt{{b}}}} \cdot \sigma\left(c\right)^{{2}}"
    assert written(formula, LATEX).replace("  ", " ") == expected
    mathml = written(formula, MATHML)
    assert mathml.startswith("<mrow><mfrac>")
    assert "<msqrt><mi>b</mi></msqrt>" in mathml


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("w", "w"),
        ("a2", "a_{2}"),
        ("w1_12", "w_{1,12}"),
        ("W1[2,0]", "W_{1,2,0}"),
        ("h[0]", "h_{0}"),
        ("c″", "c''"),
        ("σ", r"\sigma"),
        ("δ2", r"\delta_{2}"),
        ("a\u03042", r"\bar{a}_{2}"),
        ("∂E/∂out", r"\frac{\partial E}{\partial \mathrm{out}}"),
        ("50%_#$&{}", r"\mathrm{50\%\_\#\$\&\{\}}"),
    ],
)
def test_names_in_latex(name, latex):
    assert LATEX.name(name) == latex


def test_names_are_escaped_in_mathml():
    assert MATHML.name("<b>&x") == "<mtext>&lt;b&gt;&amp;x</mtext>"
