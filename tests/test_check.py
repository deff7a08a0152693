"""`check`: verdicts on claims of every kind."""

import json
import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.demo import FIXTURE, START, three_two_two, three_two_two_by_hand, with_variables
from chainrule.verification.claims import Rounding, printed_number, printed_numbers
from chainrule.verification.rounding import bound_of
from chainrule.verification.verdicts import Reference, judge

AGREES, ROUNDED, KINK, UNKNOWN, WRONG = (
    cr.Verdict.AGREES,
    cr.Verdict.ROUNDED,
    cr.Verdict.KINK,
    cr.Verdict.UNKNOWN,
    cr.Verdict.WRONG,
)
T, x1 = 0.25, 0.1
FORMULA = "-(T - a2) a2 (1 - a2) a1"


def lecture():
    w = {name: cr.Value(number, label=name) for name, number in START.items()}
    z1 = w["w1"] * x1 + w["b1"]
    a1 = z1.sigmoid()
    z2 = w["w2"] * a1 + w["b2"]
    a2 = z2.sigmoid()
    E = 0.5 * (T - a2) ** 2
    for name, node in {"z1": z1, "a1": a1, "z2": z2, "a2": a2, "E": E}.items():
        node.label = name
    return E, w | {"z1": z1, "a1": a1, "z2": z2, "a2": a2}


def verdict(claim, key="w2", **options):
    E, _ = lecture()
    names = {"T": T, "x1": x1}
    return cr.check(E, {key: claim}, names=names, **options).findings[0].verdict


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (FORMULA, AGREES),
        (r"-(T-a_2)\,a_2(1-a_2)\,a_1", AGREES),
        ("(T - a2) a2 (1 - a2) a1", WRONG),
        ("0.05707", AGREES),
        ("0.0571", AGREES),
        ("0.057", AGREES),
        ("5.707e-2", AGREES),
        ("5.707·10^-2", AGREES),
        ("0.05706", WRONG),
        ("0.05708", WRONG),
        ("-0.05707", WRONG),
        ("0.06", AGREES),
        ("0.1", UNKNOWN),
        ("0", UNKNOWN),
        ("0.05707039820105493", AGREES),
        (0.05707039820105493, AGREES),
        (0.05707, WRONG),
        (np.float64(0.05707039820105493), AGREES),
        (math.nan, WRONG),
        (math.inf, WRONG),
    ],
)
def test_the_lecture(claim, expected):
    assert verdict(claim) is expected


def test_the_same_number_is_consistent_with_rounding_where_steps_were_rounded():
    assert verdict("0.05706") is WRONG
    assert verdict("0.05706", rounding="4dp") is ROUNDED
    assert verdict("0.0560", rounding="4dp") is WRONG
    assert verdict(0.0571, rounding="4dp") is AGREES
    assert verdict("0.05706", rounding="8sf") is WRONG


def test_the_bound_of_rounding_is_the_sum_over_all_steps():
    """Whatever way steps are rounded to 4 decimals, the result is within the bound."""
    E, _ = lecture()
    random = np.random.default_rng(0)
    finding = cr.check(E, {"w2": "0.05706"}, rounding="4dp").findings[0]
    bound = float(finding.slack)
    for _ in range(200):

        def off(v, random=random):
            return v + random.uniform(-0.5e-4, 0.5e-4)

        a1 = off(1 / (1 + math.exp(-off(off(0.15 * 0.1) + 0.4))))
        a2 = off(1 / (1 + math.exp(-off(off(0.45 * a1) + 0.65))))
        d = off(off(-off(T - a2)) * off(a2 * off(1 - a2)))
        assert abs(off(d * a1) - 0.05707039820105493) <= bound
    assert bound < 5e-4


def test_the_bound_of_rounding_stays_small_in_a_large_array():
    x = cr.Tensor(np.linspace(0.1, 0.9, 400), label="x")
    bound = bound_of(2.0 * x, Rounding.of("4dp"))
    assert np.all(bound[:128] == 5e-5)
    assert np.all(bound[128:] == 1e-4)


def test_the_verdict_is_about_the_digits_given():
    """With reference bound E and half a unit r, agreement is |claim - ref| ≤ E + r, exactly."""
    reference = Reference.of(np.array(1.0), 0.25)
    for claim, expected in (("1.3", AGREES), ("1.4", WRONG), ("0.7", AGREES), ("0.6", WRONG)):
        assert judge(printed_number(claim), reference, 1.0).verdict is expected
    assert judge(printed_number("1.2"), reference, 0.1).verdict is UNKNOWN


def test_resolution_is_reported_and_can_be_asked_for():
    E, _ = lecture()
    report = cr.check(E, {"w2": "0.0571"})
    assert report.resolution == pytest.approx(0.00005 / 0.05707, rel=1e-3)
    assert "relative errors above 0.00088 would have been seen" in str(report)
    assert cr.check(E, {"w2": "0.0571"}, resolution=1e-4).verdict is UNKNOWN
    assert cr.check(E, {"w2": 0.05707039820105493}).resolution < 1e-11


def test_errors_of_one_in_a_million_are_seen_in_arrays():
    net = with_variables()
    E = three_two_two(net)
    right = three_two_two_by_hand(FIXTURE)
    assert cr.check(E, right).ok
    for name, gradient in right.items():
        for index in np.ndindex(gradient.shape):
            wrong = {n: g.copy() for n, g in right.items()}
            wrong[name][index] *= 1 + 1e-6
            report = cr.check(E, wrong)
            assert [f.key for f in report.findings if f.verdict is WRONG] == [name]
            assert report[name].judgement.wrong == [index]


def test_a_small_gradient_and_a_large_one_are_judged_alike():
    for scale in (1e-30, 1e-6, 1.0, 1e4, 1e12):
        w = cr.Value(0.7, label="w")
        y = scale * w * w
        assert cr.check(y, {"w": 1.4 * scale}).ok
        assert cr.check(y, {"w": -1.4 * scale}).verdict is WRONG
        assert cr.check(y, {"w": 1.4 * scale * (1 + 1e-6)}).verdict is WRONG


def test_keys():
    E, nodes = lecture()
    for key in ("w2", "dE/dw2", "∂E/∂w2", "dw2", nodes["w2"], r"\frac{\partial E}{\partial w_2}"):
        finding = cr.check(E, {key: "0.0571"}).findings[0]
        assert (finding.name, finding.verdict) == ("∂E/∂w2", AGREES)
    for key in ("da2/dz2", (nodes["a2"], nodes["z2"]), ("a2", "z2")):
        finding = cr.check(E, {key: "0.2037"}).findings[0]
        assert (finding.name, finding.verdict) == ("∂a2/∂z2", AGREES)
    for key in ("w2'", "w2′", "w2 new"):
        assert cr.check(E, {key: "0.427"}, lr=0.4).findings[0].verdict is AGREES
    for key in ("dz2", "δ2", "delta_2", "z2"):
        finding = cr.check(E, {key: "0.0948"}).findings[0]
        assert (finding.name, finding.verdict) == ("∂E/∂z2", AGREES)
    assert cr.check(E, {}, steps={"a2": "0.7153"}).findings[0].name == "a2"


def test_entries():
    net = with_variables()
    E = three_two_two(net)
    right = three_two_two_by_hand(FIXTURE)["W1"]
    report = cr.check(E, {"W1[2, 0]": f"{right[2, 0]:.4f}", "W1[0,1]": 0.0})
    assert [f.verdict for f in report.findings] == [AGREES, WRONG]
    with pytest.raises(ValueError, match=r"\[3,0\] is no entry of ∂E/∂W1, whose shape is \(3, 2\)"):
        cr.check(E, {"W1[3,0]": "1"})


def test_claims_as_functions_dicts_and_lists_of_texts():
    net = with_variables()
    E = three_two_two(net)
    right = three_two_two_by_hand(FIXTURE)

    def gradients(W1, b2):
        assert W1.flags.writeable
        W1[:] = 0.0  # the caller's own copy
        return right["W1"], right["b2"]

    assert cr.check(E, gradients).ok
    assert cr.check(E, lambda W1: {"W1": right["W1"]}).ok
    texts = [[f"{entry:.3e}" for entry in row] for row in right["W2"]]
    assert cr.check(E, {"W2": texts}).ok
    assert cr.check(E, {"W2": str(texts).replace("'", "")}).ok
    assert cr.check(E, {"W2": right["W2"].astype(np.float32)}).ok
    with pytest.raises(ValueError, match="returns 1 results"):
        cr.check(E, lambda W1, b1: right["W1"])


def test_one_leaf_needs_no_name():
    w = cr.Tensor([1.0, 2.0], label="w")
    assert cr.check(np.sum(w * w), np.array([2.0, 4.0])).ok


def test_sympy_expressions():
    sympy = pytest.importorskip("sympy")
    E, _ = lecture()
    a1, a2, t = sympy.symbols("a1 a2 T")
    claims = {"w2": -(t - a2) * a2 * (1 - a2) * a1}
    assert cr.check(E, claims, names={"T": T}).ok
    assert cr.check(E, {"w2": (t - a2) * a2}, names={"T": T}).verdict is WRONG


def test_tensors_of_other_frameworks():
    class Foreign:
        """What PyTorch's tensors answer to."""

        def __init__(self, array, attached=True):
            self.array, self.attached = array, attached

        def detach(self):
            return Foreign(self.array, attached=False)

        def cpu(self):
            return self

        def __array__(self, dtype=None, copy=None):
            if self.attached:
                raise RuntimeError("Can't call numpy() on Tensor that requires grad")
            return self.array

    w = cr.Tensor([1.0, 2.0], label="w")
    assert cr.check(np.sum(w * w), {"w": Foreign(np.array([2.0, 4.0]))}).ok


def test_float32_graphs():
    net = cr.nn.MLP([3, 4, 2], "tanh", seed=1, dtype=np.float32)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    E = cr.nn.mean_squared_error(net(x), np.zeros((5, 2), np.float32))
    E.backward()
    claims = {p.label: p.grad.copy() for p in net.parameters()}
    assert cr.check(E, claims).ok
    claims["W1"][1, 2] *= 1.001
    assert cr.check(E, claims).verdict is WRONG


def test_a_formula_that_agrees_by_chance_is_wrong():
    """At w = 1 the square and the weight are one number."""
    w, x = cr.Value(1.0, label="w"), cr.Value(3.0, label="x")
    y = w * w * x
    finding = cr.check(y, {"w": "2 x"}).findings[0]
    assert finding.verdict is WRONG
    assert "agrees at these numbers only" in finding.sentence()
    assert cr.check(y, {"w": "2 w x"}).ok
    # Numbers in a formula may stand for names that have them: those stay as they are.
    assert cr.check(y, {"w": "2·3 w"}).ok


def test_a_formula_may_count_on_the_side_of_a_kink_that_the_numbers_are_on():
    w, b = cr.Value(0.01, label="w"), cr.Value(-0.3, label="b")
    assert cr.check(3 * cr.relu(w), {"w": "3"}).ok
    assert cr.check(cr.relu(w) * b, {"w": "b", "b": "w"}).ok
    assert cr.check(cr.relu(b) * w, {"w": "0", "b": "0·w"}).ok


def test_targets_that_add_up_to_one_stay_so():
    z = cr.Tensor([[0.2, -0.4, 0.1]], label="z")
    q = cr.Tensor([[0.2, 0.5, 0.3]], label="q")
    p = cr.softmax(z)
    p.label = "p"
    assert cr.check(-np.sum(q * np.log(p)), {"z": "p - q"}).ok


def test_formulas_in_earlier_claims():
    E, _ = lecture()
    names = {"T": T, "x1": x1}
    claims = {
        "dE/da2": "-(T - a2)",
        "dE/dz2": "dE/da2 · a2 (1 - a2)",
        "w2": "dz2 a1",
        "b2": r"\frac{\partial E}{\partial z_2}",
    }
    assert cr.check(E, claims, names=names).ok
    wrong = cr.check(E, claims | {"dE/da2": "T - a2"}, names=names)
    assert [f.follows for f in wrong.findings] == [False, True, True, True]
    with pytest.raises(cr.FormulaError, match="is explained by itself"):
        cr.check(E, {"w2": "dE/dw2"})


def test_formulas_with_printed_numbers_in_them_are_known_to_their_digits():
    E, _ = lecture()
    report = cr.check(E, {"dE/dz2": "0.0948", "w2": "dz2 a1"})
    assert report.ok
    assert report["w2"].resolution == pytest.approx(0.00005 / 0.0948, rel=0.02)


def test_arithmetic_on_printed_numbers():
    E, _ = lecture()
    names = {"T": T, "x1": x1}
    report = cr.check(E, {"w2": "-(0.25 - 0.7153)·0.7153·(1 - 0.7153)·0.6023"}, names=names)
    assert report.ok
    assert cr.check(E, {"w2": "(0.25 - 0.7153)·0.7153·(1 - 0.7153)·0.6023"}).verdict is WRONG


# ---------------------------------------------------------------- kinks, zeros, what is not finite


@pytest.mark.parametrize("claim", [0.0, 0.5, 1.0, 0.25])
def test_every_subgradient_of_relu_at_zero_is_right(claim):
    w = cr.Value(0.0, label="w")
    report = cr.check(cr.relu(w), {"w": claim})
    assert report.verdict is KINK
    assert report.ok
    assert "any subgradient from 0 to 1 is right" in str(report)


@pytest.mark.parametrize("claim", [-0.01, 1.01, 2.0])
def test_what_is_no_subgradient_is_wrong(claim):
    assert cr.check(cr.relu(cr.Value(0.0, label="w")), {"w": claim}).verdict is WRONG


def test_kinks_in_arrays():
    w = cr.Tensor([1.0, 0.0, -2.0], label="w")
    y = np.sum(np.abs(w) * np.array([1.0, 3.0, 1.0]))
    assert cr.check(y, {"w": np.array([1.0, -3.0, -1.0])}).verdict is KINK
    assert cr.check(y, {"w": np.array([1.0, 3.1, -1.0])})["w"].judgement.wrong == [(1,)]


def test_a_zero_gradient_warns_that_the_check_is_vacuous():
    w = cr.Value(-1.0, label="w")
    report = cr.check(3 * cr.relu(w), {"w": "0.0"})
    assert report.ok
    assert "∂E/∂w is about zero here: a wrong factor would not show" in str(report)
    assert cr.check(3 * cr.relu(w), {"w": "3"}).verdict is WRONG


def test_a_derivative_that_is_not_finite_cannot_be_told():
    w = cr.Tensor(0.0, label="w")
    assert cr.check(np.sqrt(w), {"w": "1.0"}).verdict is UNKNOWN


def test_a_rule_that_disagrees_with_its_forward_is_told_of():
    twisted = cr.elementwise(np.sin, lambda _y, x: -cr.cos(x), scalar=math.sin, name="twisted")
    w = cr.Value(0.3, label="w")
    report = cr.check(twisted(w), {"w": -math.cos(0.3)})
    assert report.verdict is cr.Verdict.WRONG  # the differences of the forward pass decide
    assert "or a wrong rule of an op" in str(report)
    assert cr.check(twisted(w), {"w": math.cos(0.3)}).verdict is cr.Verdict.AGREES
    assert "rule of an op" not in str(cr.check(cr.stop_gradient(w) * w, {"w": "0.3"}))


def test_a_selection_is_no_kink():
    w = cr.Tensor([0.3, 2.0, -1.0], label="w")
    report = cr.check(cr.max(w), {"w": np.array([0.0, 1.0, 0.0])})
    assert report.verdict is AGREES
    assert report.resolution < 1e-6
    assert cr.check(cr.max(w), {"w": np.array([0.0, 1.0001, 0.0])}).verdict is WRONG


def test_the_imaginary_part_counts():
    z = cr.Tensor(np.array([1 + 2j, -0.5 + 1j]), label="z")
    E = np.sum(np.real(z * np.conj(z)))
    E.backward()
    right = np.array(z.grad)
    assert cr.check(E, {"z": right}).verdict is AGREES
    assert cr.check(E, {"z": np.conj(right)}).verdict is WRONG
    assert cr.check(E, {"z": right.real}).verdict is WRONG


def test_constants_and_data_stay_where_a_formula_is_tried_elsewhere():
    y = np.array([0.0, 1.0, 0.0])
    z = cr.Tensor([0.2, -0.3, 0.5], label="z")
    E = -cr.sum(y * cr.log(cr.softmax(z)))
    assert cr.check(E, {"z": "softmax(z) - y"}, names={"y": y}).verdict is AGREES
    x = cr.Value(2.0, label="x")
    w = cr.Value(0.7, label="w")
    E = (w * x) ** 2
    assert cr.check(E, {"w": "8 w"}).verdict is AGREES  # x is 2 and a number in the formula


def test_names_of_numbers_come_before_the_constants():
    e, w = cr.Value(0.5, label="e"), cr.Value(1.5, label="w")
    E = e * w
    assert cr.check(E, {"w": "e"}).verdict is AGREES
    assert cr.check(E, {"w": "exp(1)"}).verdict is WRONG


def test_a_check_works_without_recording():
    E, _ = lecture()
    with cr.no_grad():
        assert cr.check(E, {"w2": "0.46525·0.20367·0.60229"}, names={"T": T}).verdict is AGREES


def test_a_zero_gradient_by_a_formula():
    w, v = cr.Value(0.5, label="w"), cr.Value(1.5, label="v")
    report = cr.check(v * v + 0.0 * w, {"w": "0", "v": "2 v"})
    assert {f.verdict for f in report.findings} == {AGREES}
    assert "∂E/∂w is about zero here" in str(report)
    assert "relative errors above" in str(report)  # those of the other claim
    assert report.resolution == math.inf
    assert cr.check(v * v + 0.0 * w, {"w": "v"}).verdict is WRONG


def test_half_precision():
    w = cr.Tensor(np.array([0.5, -1.25], dtype=np.float16), label="w")
    E = cr.sum(cr.tanh(w) ** 2)
    E.backward()
    assert cr.check(E, {"w": np.array(w.grad)}).verdict is AGREES
    assert cr.check(E, {"w": -np.array(w.grad)}).verdict is WRONG


def test_kinks_among_many_entries():
    at = np.linspace(-1, 1, 601)
    at[300] = 0.0
    x = cr.Tensor(at, label="x")
    slope = np.where(at > 0, 1.0, 0.0)
    for middle, expected in ((0.3, KINK), (1.5, WRONG)):
        slope[300] = middle
        assert cr.check(cr.sum(cr.relu(x)), {"x": slope}).verdict is expected


def test_kinks_that_cancel():
    x = cr.Tensor([0.0, 1.0], label="x")
    E = cr.sum(cr.relu(x) - cr.relu(-x))  # x itself
    report = cr.check(E, {"x": np.array([1.0, 1.0])})
    assert report.verdict is AGREES
    assert "kinks that cancel" in str(report)
    assert cr.check(E, {"x": np.array([0.3, 1.0])}).verdict is WRONG


def test_claims_that_explain_each_other_raise():
    E, _ = lecture()
    steps = {"dE/dz2": "dE/da2 · a2 (1 - a2)", "dE/da2": "dE/dz2 / (a2 (1 - a2))"}
    with pytest.raises(cr.FormulaError, match="explained by itself"):
        cr.check(E, {}, steps=steps, names={"T": T})


def test_a_step_is_the_value_of_a_name():
    E, _ = lecture()
    report = cr.check(E, {"w2": "0.05707"}, steps={"a2": "0.7153"}, names={"T": T})
    assert [f.target.kind for f in report.findings] == ["value", "gradient"]


# ---------------------------------------------------------------- what is refused


def test_mistakes_of_the_caller():
    E, nodes = lecture()
    with pytest.raises(ValueError, match="'w9' is no named node in the graph of E; near it: w"):
        cr.check(E, {"w9": "1"})
    with pytest.raises(ValueError, match="is not in the graph of E"):
        cr.check(E, {cr.Value(1.0, label="other"): "1"})
    with pytest.raises(cr.FormulaError, match=r"unknown symbol 'a3'.*\n  a3 \+ 1\n  \^"):
        cr.check(E, {"w2": "a3 + 1"})
    with pytest.raises(ValueError, match="give the learning rate"):
        cr.check(E, {"w2'": "0.427"})
    with pytest.raises(ValueError, match="rounding='4'"):
        cr.check(E, {"w2": "1"}, rounding="4")
    with pytest.raises(TypeError, match="a claim is a formula, a number"):
        cr.check(E, {"w2": object()})
    with pytest.raises(TypeError, match="got list"):
        cr.check([1.0], {"w": 1})
    with pytest.raises(TypeError, match="maps names to what is claimed"):
        cr.check(E, "0.1")
    with pytest.raises(ValueError, match="nothing to check"):
        cr.check(E, {})
    with pytest.raises(ValueError, match="at= is about a function"):
        cr.check(E, {"w2": "1"}, at=1.0)
    with pytest.raises(ValueError, match="steps= is about a graph"):
        cr.check(lambda x: x, 1.0, at=1.0, steps={})
    del nodes


def test_stale_data_raises():
    w = cr.Tensor([1.0, 2.0], label="w")
    y = np.sum(w * w)
    w.data[0] = 5.0
    with pytest.raises(cr.ChangedDataError, match="run the forward pass again"):
        cr.check(y, {"w": np.array([2.0, 4.0])})


def test_shapes_that_do_not_fit_are_findings():
    net = with_variables()
    E = three_two_two(net)
    right = three_two_two_by_hand(FIXTURE)
    transposed = cr.check(E, {"W1": right["W1"].T}).findings[0]
    assert transposed.verdict is WRONG
    assert "transposed, the numbers are right" in transposed.sentence()
    x = np.ones((4, 2))
    w, b = cr.Tensor(np.ones((2, 3)), label="w"), cr.Tensor(np.zeros(3), label="b")
    loss = np.sum((x @ w + b) ** 2)
    per_sample = 2 * (x @ w.data + b.data)
    summed = cr.check(loss, {"b": per_sample}).findings[0]
    assert "the sum over the samples is missing" in summed.sentence()


def test_nothing_is_changed():
    E, nodes = lecture()
    E.backward()
    grads = {name: node.grad for name, node in nodes.items()}
    state = np.random.get_state()[1].copy()  # noqa: NPY002 -- just this is to stay
    claims = {"w2": "0.06", "w1": "0.9", "b1": 3.0}
    given = dict(claims)
    cr.check(E, claims, lr=0.4, steps={"a1": "0.7"})
    assert claims == given
    assert {name: node.grad for name, node in nodes.items()} == grads
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    net = with_variables()
    loss = three_two_two(net)
    before = [w.data.copy() for w in net[2:]]
    cr.check(loss, {"W1": np.zeros((3, 2))})
    for w, data in zip(net[2:], before, strict=True):
        assert w.grad is None
        np.testing.assert_array_equal(w.data, data)


# ---------------------------------------------------------------- the report


def test_the_report_in_all_forms():
    E, _ = lecture()
    label = "</script><img onerror=x>"
    odd = cr.Value(2.0, label=label)
    report = cr.check(E * odd, {"w2": "0.06", label: "1"}, names={"T": T})
    data = json.loads(report.json())
    assert data["verdict"] == "wrong"
    assert [claim["verdict"] for claim in data["claims"]] == ["wrong", "wrong"]
    page = report.html()
    assert "<img" not in page
    assert "&lt;img onerror=x&gt;" in page
    assert report._repr_html_() in page
    assert "\x1b[31m✗ wrong\x1b[0m" in report.text(color=True)
    assert "\x1b" not in report.text()
    assert str(report) == repr(report) == report.text()
    assert report["w2"] is report.findings[0]
    with pytest.raises(KeyError, match="no claim about 'q'"):
        report["q"]


def test_nan_and_infinity_are_plain_json():
    w = cr.Tensor([0.0, 1.0], label="w")
    report = cr.check(np.sum(np.sqrt(w)), {"w": np.array([math.nan, 0.5])})
    json.loads(report.json(), parse_constant=lambda text: pytest.fail(text))


def test_printed_numbers():
    for text, value, half in (
        ("0.0510", 0.051, 5e-5),
        ("-3.97e-4", -3.97e-4, 5e-7),
        ("−2", -2.0, 0.5),
        ("1.5·10⁻³", 1.5e-3, 5e-5),
        ("2.50 × 10^{-2}", 2.5e-2, 5e-5),
        (".5", 0.5, 0.05),
        ("1_000.0", 1000.0, 0.05),
    ):
        given = printed_number(text)
        assert float(given.value) == pytest.approx(value, rel=1e-15)
        assert float(given.half_unit) == pytest.approx(half, rel=1e-12)
    for text in ("1/3", "a", "", "1.2.3", "0x10", "1e", "--1"):
        assert printed_number(text) is None
    grid = printed_numbers("[[0.1, 0.20], [3, -4e-1]]")
    np.testing.assert_array_equal(grid.value, [[0.1, 0.2], [3, -0.4]])
    np.testing.assert_allclose(grid.half_unit, [[0.05, 0.005], [0.5, 0.05]])
    assert printed_numbers("[1, [2]") is None
    with pytest.raises(ValueError, match="different lengths"):
        printed_numbers([["1"], ["2", "3"]])


def test_roundings():
    assert Rounding.of(None) is Rounding.of("exact") is None
    np.testing.assert_allclose(Rounding.of("4dp").half_unit([1.0, 200.0]), [5e-5, 5e-5])
    np.testing.assert_allclose(Rounding.of("4sf").half_unit([1.0, 200.0, 0.0]), [5e-4, 0.05, 0.0])
    for spec in ("4", "dp", "0sf", "-1dp"):
        with pytest.raises(ValueError, match="rounding="):
            Rounding.of(spec)
