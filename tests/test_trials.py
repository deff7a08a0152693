"""What trials of the checker found wrong once, each with its right verdict."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.verification.differences.ladder import slope
from chainrule.worksheet import Worksheet, WorksheetError
from chainrule.worksheet.grading import Grader

AGREES, WRONG, UNKNOWN = cr.Verdict.AGREES, cr.Verdict.WRONG, cr.Verdict.UNKNOWN
KINK = cr.Verdict.KINK


def verdicts(sheet):
    return [str(f.verdict) for f in Worksheet(sheet, "sheet").report().findings]


def value(x, label):
    return cr.Value(x, label=label)


# ------------------------------------------------------------------------ formulas elsewhere


@pytest.mark.parametrize(
    ("sheet", "right"),
    [
        ("x = 2\nf = x^2\ndf/dx = x^2\ndf/dx = 2 x\ndf/dx = 2·2", [0, 1, 1]),
        ("x = 2; y = 3\nf = x^2 y\ndf/dx = x^2 y\ndf/dx = x y^2 - 6\ndf/dx = 2 x y\n", [0, 0, 1]),
        ("x = 1; y = 1\nf = x y^2 + x\ndf/dx = y + 1\ndf/dy = 2 y", [0, 0]),
        ("x = 2; w = 0.3\nf = (w x)^2\ndf/dw = 2·2·2 w", [1]),  # a number in place of a name
        ("w = [1, 1, 1]\nf = sum(w^3)\ndf/dw = 3 w\ndf/dw = 3 w^2", [0, 1]),
        (
            (
                "W = [[1, 0], [0, 1]]; x = [0.5, -1]; t = [1, 0]\ny = W x\nE = 1/2 ‖y - t‖^2\n"
                "dE/dx = y - t\ndE/dx = W^T (y - t)"
            ),
            [0, 1],
        ),
        (
            (
                "x = 0.5; w = 0.4; t = 1\nu = w x\ny = σ(u)\nE = 1/2 (y - t)^2\n"
                "dE/du = (y - t)·0.2475\ndE/dw = dE/du x"
            ),
            [1, 1],
        ),
        ("w = 0.5; x = 2; t = 3\nE = (w x - t)^2/2\nw' = w - 0.1 (w x - t) x with rate 0.1", [1]),
        ("z = 33; t = 0\np = σ(z)\nL = -(t ln p + (1-t) ln(1-p))\ndL/dz = p - t", [1]),
        ("z = 17\nE = 1/(1 + e^(-z))\ndE/dz = E (1 - E)", [1]),
        ("w = 0.7\nf = 0.01 w^2\ndf/dw = 0.02 w\ndf/dw = 0.03 w\ndf/dw = 2·0.01 w", [1, 0, 1]),
        ("w = 0.01\nf = √(w)\ndf/dw = 1/(2 √(w))", [1]),  # another w may be less than 0
        ("x = -0.8\nf = x^3\ndf/dx = 3.0 x^2.0", [1]),
        ("w = 0.5; x = 4; b = 0.3\nz = w x + b\nE = z^2\ndE/dw = 16.0 w z\ndz/dw = 2/w", [0, 0]),
    ],
)
def test_a_formula_is_right_at_other_numbers_or_wrong(sheet, right):
    assert verdicts(sheet) == ["agrees" if r else "wrong" for r in right]


@pytest.mark.parametrize(
    ("sheet", "note"),
    [
        ("x = 1; w = 0.5; t = 2\ny = w x\nE = (y-t)^2/2\ndE/dw = y - t", "x = 1"),
        ("x = 1; w = 0.5; t = 2\ny = w x\nE = (y-t)^2/2\ndE/dw = (y - t)·1", ""),
        ("x = 1; w = 0.5; t = 2\ny = w x\nE = (y-t)^2/2\ndE/dw = (y - t) x", ""),
        ("A = [[4, 1], [1, 3]]; x = [1, -2]\nf = x A x\ndf/dx = 2 A x", "A being symmetric"),
        ("A = [[4, 1], [1, 3]]; x = [1, -2]\nf = x A x\ndf/dx = A x + A^T x", ""),
        ("w = 0.7; x = 1.5; t = 0\ny = w x\nE = (y - t)^2\ndE/dw = 2 (y + t) x", "t = 0"),
        ("w = 0.7; u = 2; p = 3\nE = u w^p\ndE/dw = 6 w^2", "u = 2 and p = 3"),
        ("w = 0.7; u = 2; p = 3\nE = u w^p\ndE/dw = 2 p w^(p-1)", ""),
        ("w = 0.7; u = 1\nE = u w^2\ndE/dw = 2 w", "u = 1"),
        (
            "X = [[1, 0], [0, 1]]; W = [[0.5], [0.2]]\nY = X W\nE = sum(Y ⊙ Y)\ndE/dW = 2 X Y",
            "the numbers in X",
        ),
        ("z = [0.1, 0.2]; y = [0, 1]\nE = -sum(y ⊙ ln(softmax(z)))\ndE/dz = softmax(z) - y", ""),
    ],
)
def test_what_a_formula_counts_on_is_told(sheet, note):
    (finding,) = Worksheet(sheet, "sheet").report().findings
    assert finding.verdict is AGREES
    assert finding.notes == ([f"this counts on {note}"] if note else [])


# ------------------------------------------------------------------------ whole numbers, marking


def test_a_whole_number_is_exact_where_it_is_used_further(tmp_path):
    chain = "x = 0.4; w = 2.3\ny = x w\nE = y + x\ndE/dy = 1\ndE/dw = {} x dE/dy"
    assert verdicts(chain.format("")) == ["agrees", "agrees"]
    assert verdicts(chain.format("1.4")) == ["agrees", "wrong"]
    exam = Worksheet("w = [1, 2]\nh = w^2\nf = sum(h)\ndf/dh = ?\ndf/dw = ?\n", "exam")
    answer = tmp_path / "a.chain"
    answer.write_text("df/dh = [1, 1]\ndf/dw = 3 w\n")
    assert Grader(exam).grade(str(answer)).marks == {"∂f/∂h": "agrees", "∂f/∂w": "wrong"}


def test_a_step_follows_by_the_result_or_by_the_inputs_of_its_op():
    a, b = value(3.0, "a"), value(2.0, "b")
    q = a / b
    E = q * q
    q.label, E.label = "q", "E"
    steps = {"q": "1.6000", "dq": "3.2000"}
    for given, follows in (("-2.4000", True), ("-2.5600", True), ("-2.6000", False)):
        finding = cr.check(E, {"b": given}, steps=steps).findings[-1]
        assert finding.follows is follows
    z = value(0.5, "z")
    a = cr.relu(z)
    E = (a - 2.0) ** 2
    a.label, E.label = "a", "E"
    report = cr.check(E, {"z": "-5.0000"}, steps={"a": "-0.5000", "da": "-5.0000"})
    assert [f.name for f in report.faulty] == ["a"]


def test_no_cause_is_named_where_a_value_explains_all():
    x = value(0.6, "x")
    v = 2.0 * x
    E = cr.cos(v)
    v.label, E.label = "v", "E"
    report = cr.check(E, {"x": "1.8641"}, steps={"v": "-1.2000", "dv": "0.9320"})
    assert [f.name for f in report.faulty] == ["v"]
    assert not report.causes


def test_two_slips_are_told_apart():
    sheet = "a = 1.3; b = 0.7\nf = √(a^2 + b)\ndf/da = 1/(2√(a^2+b))\ndf/db = 1/√(a^2+b)"
    (cause,) = Worksheet(sheet, "sheet").report().causes
    assert [m.place for m in cause.mistakes] == ["in line 3, ∂f/∂a", "in line 4, ∂f/∂b"]
    assert "the derivative of the power was forgotten" in str(cause)
    assert "½ of the root's derivative was forgotten" in str(cause)


def test_causes_fit_the_formula_where_data_is_other_too():
    sheet = "x = 0.5; w = 0.4; t = 1\ny = w x\nE = (y - t)^2\ndE/dw = (y-t) x"
    (cause,) = Worksheet(sheet, "sheet").report().causes
    assert "the factor 2 of the power was forgotten" in str(cause)
    assert "twice" not in " ".join(cause.lines())


def test_a_power_of_a_negative_number_stops_no_search():
    w, u = value(-1.5, "w"), value(0.3, "u")
    assert cr.check(w**2 * u, {"w": 0.123456}).verdict is WRONG


# ------------------------------------------------------------------------ what hides what


@pytest.mark.parametrize(
    ("function", "claim", "at"),
    [
        (np.sqrt, -5e6, 0.0),
        (np.sqrt, np.inf, 0.0),
        (np.arcsin, 1.0, 1.0),
        (lambda x: 1e16 + x * x, -2.0, 1.0),
        (lambda x: 1e12 + x * x, -0.002, 1e-3),
        (lambda x: np.floor(x / 0.1) + x, 1.0, 100.0000000000484),
    ],
)
def test_where_nothing_can_be_seen_nothing_agrees(function, claim, at):
    assert cr.check(function, claim, at=at).verdict is UNKNOWN
    with pytest.raises(AssertionError, match="cannot tell"):
        cr.assert_gradients(claim, function, at=at)


def test_nothing_agrees_in_a_graph_either():
    w = value(1e-8, "w")
    assert cr.check((cr.exp(w) - 1) / w, {"w": -3.0}).verdict is UNKNOWN
    for x in (1e-5, 1e-6, 1e-7):
        w = value(x, "w")
        assert cr.check((1 - cr.cos(w)) / w**2, {"w": -x / 12}).verdict is not WRONG


def test_a_number_far_outside_the_subgradients_is_wrong():
    clipped = np.clip(value(1.0, "w"), 0.0, 1.0)
    assert cr.check(clipped, {"w": 5.0}).verdict is WRONG
    assert cr.check(clipped, {"w": 0.4}).verdict is KINK
    w = cr.Tensor([1.0, 1.0], label="w")
    assert cr.check(np.max(w), {"w": [5.0, 0.0]}).verdict is WRONG
    assert cr.check(np.max(w), {"w": [0.5, 0.5]}).verdict is KINK


def test_a_wrong_rule_does_not_vouch_for_itself():
    wrong = cr.elementwise(np.sin, lambda _y, x: -cr.cos(x), scalar=math.sin, name="wrong")

    def told(E, key, right):
        return [cr.check(E, {key: sign * right}).verdict for sign in (-1, 1)]

    w, v = value(0.3, "w"), value(2.0, "v")
    one = cr.Tensor([0.3], label="w")
    assert told(wrong(one), "w", np.cos(one.data)) == [WRONG, AGREES]
    assert told(wrong(w) + cr.stop_gradient(v) * v, "w", math.cos(0.3)) == [WRONG, AGREES]
    many = cr.Tensor(np.linspace(0.1, 1, 300), label="w")
    assert told(np.sum(wrong(many)), "w", np.cos(many.data)) == [UNKNOWN, UNKNOWN]
    a = wrong(w)
    E = a * a
    a.label, E.label = "a", "E"
    assert told(E, "da/dw", math.cos(0.3)) == [WRONG, AGREES]


def test_kinks_in_partials_and_in_roots_of_one_entry():
    z = value(0.0, "z")
    a = cr.relu(z)
    E = a * a
    a.label, E.label = "a", "E"
    assert cr.check(E, {"da/dz": 0.5}).verdict is KINK
    assert cr.check(E, {"da/dz": 1.5}).verdict is WRONG
    w = cr.Tensor([0.0], label="w")
    assert cr.check(cr.relu(w), {"w": np.array([0.5])}).verdict is KINK


# ------------------------------------------------------------------------ precision


@pytest.mark.parametrize("residual", [0.1, 1e-2, 1e-4])
def test_gradients_in_float32_of_what_cancels_inside_a_sum(residual):
    random = np.random.default_rng(0)
    for _ in range(10):
        X = random.normal(size=(20, 4)).astype(np.float32)
        w = cr.Tensor(random.normal(size=4).astype(np.float32), label="w")
        y = (X @ w.data + residual * random.normal(size=20)).astype(np.float32)
        E = np.mean((X @ w - y) ** 2)
        E.backward()
        assert cr.check(E, {"w": np.array(w.grad)}).verdict is not WRONG
        assert cr.check(E, {"w": -np.array(w.grad)}).verdict is not AGREES


def test_rounding_just_below_one_is_seen():
    x = cr.Tensor(np.linspace(-8, -5, 200), label="x")
    assert cr.check(np.sum(np.tanh(x)), {"x": "1/cosh(x)^2"}).verdict is AGREES


class Torch:
    """A tensor as PyTorch has it: its dtype is called torch.float32."""

    dtype = "torch.float32"

    def __init__(self, data):
        self.data = np.asarray(data, np.float32)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.data, dtype)


def test_the_precision_of_other_frameworks():
    at = np.array([0.3, 1.2])
    claim = Torch(np.sin(at) + at * np.cos(at))
    assert cr.check(lambda v: np.sum(np.sin(v) * v), claim, at=at).verdict is AGREES
    w = cr.Tensor(at, label="w")
    E = np.sum(np.sin(w) * w)
    assert cr.check(E, {"w": claim}).verdict is AGREES
    cr.assert_gradients({"w": claim}, {"w": np.sin(at) + at * np.cos(at)})


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [
        (lambda x, m: m.exp(x) - 1, -8, -3),
        (lambda x, m: m.exp(x) - 1 - x, -5, -1),
        (lambda x, m: (1 - m.cos(x)) / x**2, -5, -1),
        (lambda x, m: m.log(1 - m.exp(-x)), -8, 1),
        (lambda x, m: x - m.sin(x), -6, -1),
        (lambda x, m: (1 - 1 / (1 + m.exp(-x))) ** 2, 0.7, 1.6),
        (lambda x, m: (1 - m.tanh(x)) ** 2, 0.5, 1.3),
        (lambda x, m: m.log(1 + m.exp(x)) - x, 0.7, 1.6),
        (lambda x, m: x * (1 + m.tanh(0.8 * (x + 0.045 * x**3))) / 2, -2, 0.6),
    ],
    ids=["e^x-1", "e^x-1-x", "cos", "log", "x-sin", "(1-σ)²", "(1-tanh)²", "softplus", "gelu"],
)
def test_hidden_rounding_is_in_the_bound(function, low, high):
    mpmath = pytest.importorskip("mpmath")
    for exponent in np.random.default_rng(4).uniform(low, high, 40):
        x = 10.0**exponent
        found = slope(lambda t, x=x: function(x + t, np), x, step=lambda t, x=x: (x + t) - x)
        with mpmath.workdps(40):
            h = mpmath.mpf(10) ** -15
            right = mpmath.diff(lambda t: function(t, mpmath), mpmath.mpf(x), h=h)
        least, most = found.interval
        known = math.isfinite(found.bound)
        assert not known or least - found.bound <= right <= most + found.bound


def test_a_jump_of_the_second_derivative_nearby_is_no_kink():
    for exponent in np.random.default_rng(0).uniform(-16, -5, 60):
        x = 1 + 10.0**exponent
        right = 10 + 2 * (x - 1)
        function = lambda v: 10 * v + np.maximum(v - 1, 0) ** 2
        assert cr.check(function, right, at=x).verdict is AGREES
        assert cr.check(function, right + 1e-4, at=x).verdict is WRONG


@pytest.mark.parametrize("seed", range(4))
def test_a_network_with_many_kinks_nearby_is_measured(seed):
    random = np.random.default_rng(seed)
    X, W2, t = random.normal(size=(20, 3)), random.normal(size=10), random.normal(size=20)
    W = random.normal(size=(3, 10)) * 1e-3
    y = np.maximum(X @ W, 0) @ W2
    right = X.T @ ((((y - t) / 10)[:, None] * W2) * (X @ W > 0))
    function = lambda W: np.mean((np.maximum(X @ W, 0) @ W2 - t) ** 2)
    assert cr.check(function, right, at=W).verdict is AGREES


# ------------------------------------------------------------------------ worksheets and messages


@pytest.mark.parametrize(
    ("sheet", "expected"),
    [
        ("y = [1, 2, 4]; t = [0, 1, 1]\nE = 1/2 Σ (y - t)^2\nE ≈ 5.5\ndE/dy = y - t", 2),
        ("p = [0.2, 0.8]; t = [0, 1]\nL = -Σ t ⊙ ln(p)\ndL/dp = -t/p", 1),
        ("W = [[1, 2]]; x = [0.5, -1]\ny = W x\nE = y^T y\ndE/dW = 2 y x^T\ndE/dx = 2 y^T W", 2),
        ("y = [[1], [2]]; t = [[1.5], [0]]\nE = (y - t)^T (y - t)\nE ≈ 4.25", 1),
        ("z = 0.3; w = 2\ny = σ(w z)\nE = y^2\nδ = 2 y y (1 - y)\ndE/dw = δ z", 1),
        (
            ("w_{11} = 0.5; \\theta = 0.4; \\hat{y} = 2\nf = w_{11} \\theta \\hat{y}\n"
            "\\frac{\\partial f}{\\partial \\theta} = w_{11}\\;\\hat{y}\n"
            "\\partial f/\\partial \\hat{y} = \\theta w_{11}"),
            2,
        ),
        ("w_1 = 0.5\nE = w_1^2\ndE/dw_1 = 2 w_1", 1),
    ],
)  # fmt: skip
def test_notations_of_worksheets(sheet, expected):
    assert verdicts(sheet) == ["agrees"] * expected


def test_broken_lines_of_an_answer_cost_themselves_only(tmp_path):
    exam = Worksheet("z = 0.3\ny = σ(z)\nE = y^2\ny ≈ ?\ndE/dy = ?\ndE/dz = ?\n", "exam")
    answer = tmp_path / "a.chain"
    answer.write_text("y ≈ 0.5744)\ny ≈ (0.5744\ndE/dy = 2 y\ndE/dz = 2 y y (1 - y)\n")
    grade = Grader(exam).grade(str(answer))
    assert grade.marks == {"y": "missing", "∂E/∂y": "agrees", "∂E/∂z": "agrees"}
    assert "1:11: this ) closes nothing" in grade.problem
    assert "2:5: this bracket is never closed" in grade.problem


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        ("x = 2\nrate nan\nf = x^2\nx' ≈ 2", "rate takes a positive number"),
        ("x = 2\nresolution 0\nf = x^2\ndf/dx ≈ 4", "resolution takes a positive number"),
        ("x = 2\nf = x^2\ndf/dx = " + "[" * 800 + "2" + "]" * 800, "nested too deeply"),
        ("x = 2\nf = x^2\ndf/dx = " + r"\frac{" * 400 + "2" + "}{1}" * 400, "nested too deeply"),
    ],
)
def test_refusals(sheet, message):
    with pytest.raises(WorksheetError, match=message):
        Worksheet(sheet, "sheet").report()


def test_a_name_that_claims_nothing_is_told():
    notes = Worksheet("x = 0.5\nf = x^2\nf_x = 999\ndf/dx = 2 x", "sheet").report().notes
    assert notes == [
        (
            "line 3: f_x is a new name that nothing is computed from; a derivative is claimed as"
            " df/dw = …"
        )
    ]


def test_a_file_that_is_no_utf8_is_told_with_its_line(tmp_path):
    path = tmp_path / "latin.chain"
    path.write_bytes(b"x = 2\nf = x^2\n# caf\xe9\n")
    with pytest.raises(WorksheetError, match=r"latin.chain:3:6: .*0xe9"):
        Worksheet.read(path)


def test_claims_of_two_wrong_arrays_about_one_name():
    assert verdicts("w = [1, 2]\nh = w^2\nf = sum(h)\ndf/dw = w = [1, 2]") == ["wrong", "wrong"]


def test_functions_of_sympy():
    sympy = pytest.importorskip("sympy")
    w, v = value(0.7, "w"), value(-1.3, "v")
    W = sympy.Symbol("w")
    for function, expression in (
        (np.sin(w) / w, sympy.sinc(W)),
        (abs(w), sympy.Abs(W)),
        (np.arcsin(w), sympy.asin(W)),
        (1 / np.tan(w), sympy.cot(W)),
        (np.maximum(0.2, w), sympy.Max(0.2, W)),
        (np.sign(w), sympy.Piecewise((1, W > 0), (-1, W < 0), (0, True))),
        (cr.exp(w), sympy.exp(W)),
    ):
        assert cr.check(function * v, {"v": expression}).verdict is AGREES
        assert cr.check(function * v, {"v": 1.01 * expression}).verdict is WRONG
    assert cr.check(np.maximum(0, w), {"w": sympy.diff(sympy.Max(0, W), W)}).verdict is AGREES


def test_what_a_check_leaves_alone_and_refuses():
    np.random.seed(0)  # noqa: NPY002 -- the state of the old generator is what is meant
    before = np.random.get_state()[2]  # noqa: NPY002
    cr.check(lambda x: x * x + 0 * np.random.rand(), 2.0, at=1.0)  # noqa: NPY002
    assert np.random.get_state()[2] == before  # noqa: NPY002
    w = value(0.7, "w")
    E = w * w
    with pytest.raises(TypeError, match="None was claimed"):
        cr.check(E, {"w": None})
    with pytest.raises(TypeError, match="lr= is a number"):
        cr.check(E, {"w'": 0.3}, lr="0.4")
    assert cr.check(lambda x: [1.0, 2.0, 3.0][int(x * 2)], 0.0, at=1.2).verdict is AGREES
    assert cr.check(np.sin, 0.5403, at=1.0, rounding="4dp").verdict is AGREES
    at = np.array([1.0, 2.0])
    assert cr.check(lambda x: np.sum(np.sin(x)), lambda x: [np.cos(x)], at=at).verdict is AGREES
    assert "left out and" not in str(cr.check(E, {"w": 1.4e-300}))


def test_a_value_through_cancellation_agrees():
    x = value(1e-4, "x")
    s = 1 - cr.cos(x)
    E = s * s
    s.label, E.label = "s", "E"
    assert cr.check(E, {}, steps={"s": "4.99999999583e-9"}).verdict is AGREES
    assert cr.check(E, {}, steps={"s": "4.99e-9"}).verdict is WRONG


def test_the_resolution_of_an_update_is_relative_to_its_step():
    w = value(0.45, "w")
    E = 0.5 * (0.25 - w) ** 2
    report = cr.check(E, {"w'": "0.370"}, lr=0.4)
    assert report.resolution == pytest.approx(0.0005 / 0.08)
    assert "the step to w′ is about zero here" in str(cr.check(E, {"w'": "0.45"}, lr=1e-3))


def test_rounding_noise_is_told_as_zero():
    w = value(0.7, "w")
    v = value(0.4, "v")
    z = w * v
    a = cr.sigmoid(z)
    E = 0.5 * (a - 0.25) ** 2
    z.label, a.label, E.label = "z", "a", "E"
    report = cr.check(E, {"w": 0.0, "v": 0.0})
    assert "instead of" in " ".join(report.where)
    assert "e-1" not in " ".join(report.where)


def test_a_chain_of_many_steps_is_searched_for_a_while_only():
    sheet = "x = 0.5\ny0 = x\n" + "".join(f"y{k + 1} = sin(y{k}) + x\n" for k in range(400))
    report = Worksheet(sheet + "dy400/dx ≈ 2.0", "sheet").report()
    assert [f.verdict for f in report.findings] == [WRONG]


def test_a_rate_of_zero_is_a_rate():
    sheet = "x = 2\nf = x^2\nf ≈ 5\nx' ≈ 3 with rate 0\nx' ≈ 2 with rate 0"
    assert verdicts(sheet) == ["wrong", "wrong", "agrees"]


def test_a_function_of_float16_is_measured_in_its_own_precision():
    random = np.random.default_rng(1)
    for _ in range(20):
        x = random.uniform(0.3, 2, 3).astype(np.float16)
        right = np.cos(x) * x + np.sin(x)
        assert cr.check(lambda x: np.sum(np.sin(x) * x), right, at=x).verdict is not WRONG
