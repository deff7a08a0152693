"""Where and why: marking, places, causes, coincidence, and the next question."""

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.demo import START
from chainrule.ops import TABLE
from chainrule.verification.evaluation import Asked, Evaluation
from chainrule.verification.explaining.diagnosis import Diagnosis
from chainrule.verification.explaining.mistakes import mistakes
from chainrule.verification.explaining.setting import Setting
from chainrule.verification.subject import Subject
from chainrule.verification.tape import RIGHT, Edit, Tape
from chainrule.verification.targets import target_of

WRONG = cr.Verdict.WRONG
path = Path(__file__).parent / "benchmarks" / "diagnosis.py"
spec = importlib.util.spec_from_file_location("diagnosis_benchmark", path)
benchmark = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = benchmark  # its dataclass looks for it there
spec.loader.exec_module(benchmark)

T, x1 = 0.25, 0.1
NAMES = {"T": T, "x1": x1}


def lecture():
    w1, b1, w2, b2 = (cr.Value(START[name], label=name) for name in ("w1", "b1", "w2", "b2"))
    z1 = w1 * x1 + b1
    a1 = z1.sigmoid()
    z2 = w2 * a1 + b2
    a2 = z2.sigmoid()
    E = 0.5 * (T - a2) ** 2
    for name, node in {"z1": z1, "a1": a1, "z2": z2, "a2": a2, "E": E}.items():
        node.label = name
    return E


def causes(claims, **options):
    return cr.check(lecture(), claims, names=NAMES, **options).causes


def told(cause):
    return [str(m) for m in cause.mistakes] + [
        str(m) for other in cause.alternatives for m in other
    ]


# ---------------------------------------------------------------- the catalogue


DECLARED = [(op, m) for op in TABLE.values() for m in op.misconceptions]


@pytest.mark.parametrize(("op", "made"), DECLARED, ids=lambda x: getattr(x, "name", "")[:20])
def test_every_misconception_is_wrong_and_can_be_replayed(op, made):
    """At generic numbers the wrong rule gives another gradient than the true one, of its shape."""
    random = np.random.default_rng(3)
    x = random.uniform(0.3, 0.8, (3, 3))
    inputs = [x, random.uniform(1.3, 1.8, (3, 3))][: len(op.rules)]
    if op.name == "softmax_cross_entropy":
        inputs[1] = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]])
    if op.name in {"relu", "absolute"}:
        inputs[0] = inputs[0] - 0.5
    y = np.asarray(op.evaluate(inputs, {}))
    y_bar = random.uniform(0.5, 1.5, y.shape)
    (right,) = op.vjp([made.wrt], y_bar, y, inputs, {})
    (wrong,) = op.mistaken(made).vjp([made.wrt], y_bar, y, inputs, {})
    assert np.shape(wrong) == np.shape(right)
    assert not np.allclose(wrong, right, rtol=1e-3)
    assert op.rules[made.wrt] is not made.rule
    text = made.told({"a": "A", "b": "B", "y": "Y"})
    assert "{" not in text
    assert len(text) < 140


def test_common_ops_carry_misconceptions():
    for name in ("sigmoid", "tanh", "relu", "exp", "log", "power", "matmul", "mean", "softmax"):
        assert TABLE[name].misconceptions, name


def test_the_catalogue_can_be_extended():
    def forward(x):
        return x / (1 + abs(x))

    softsign = cr.elementwise(
        forward, lambda _y, x: 1 / (1 + abs(x)) ** 2, scalar=forward, name="softsign"
    )
    w = cr.Value(0.7, label="w")
    y = softsign(3 * w)
    claim = {"w": f"{3 / (1 + 2.1):.6f}"}
    assert not cr.check(y, claim).causes
    cr.misconception(
        softsign, "the square of 1 + |{a}| was forgotten", lambda _y, x: 1 / (1 + abs(x))
    )
    assert "the square of 1 + |" in str(cr.check(y, claim).causes[0])
    with pytest.raises(ValueError, match="'nothing' is no op"):
        cr.misconception("nothing", "…", 1)
    with pytest.raises(TypeError, match="a rule is a function or a number, got str"):
        cr.misconception("sigmoid", "…", "y")
    with pytest.raises(ValueError, match="sigmoid has no rule for input 3"):
        cr.misconception("sigmoid", "…", 1, wrt=3)


# ---------------------------------------------------------------- causes


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"w2": "(T - a2) a2 (1 - a2) a1"}, "the inner derivative -1 of T - a2"),
        ({"w2": "0.2802", "b2": "0.4653"}, "the derivative of the sigmoid was forgotten"),
        ({"w1": "-(T-a2) a2(1-a2) w2 σ(a1)(1-σ(a1)) x1"}, "σ′ was taken at the output"),
        ({"w1": "-(T-a2) a2(1-a2) w2 z1 (1-z1) x1"}, "σ′ was taken with the input"),
        ({"w1": "-(T-a2) a2(1-a2) a1(1-a1) x1"}, "the factor w2 was left out"),
        ({"w1": "-(T-a2) a2(1-a2) w2 a1(1-a1) a1"}, "a1 was taken in place of x1"),
        ({"w2": "-(T-a2) a2(1-a2) w2"}, "w2 itself in place of the factor a1"),
        ({"w2": "-(T-a2)(1-a2^2) a1"}, "the derivative of tanh"),
        ({"b2": "0.05707"}, "as if it were a weight"),
        ({"w2": "0.1141", "b2": "0.1895"}, "the factor 0.5 was left out"),
        ({"w1": "0.0009696", "b1": "0.009696"}, "w2 had been updated already"),
        ({"w2": "-0.02283", "b2": "-0.03790"}, "-η·gradient was given"),
        ({"w2'": "0.4728"}, "the step was added instead of subtracted"),
        ({"a2 / z2": "0.2204"}, ""),
    ],
)
def test_what_a_student_did(claims, expected):
    if not expected:
        with pytest.raises(ValueError, match="is no named node"):
            causes(claims, lr=0.4)
        return
    found = causes(claims, lr=0.4)
    assert any(expected in text for text in told(found[0]))
    assert found[0].convincing


def test_a_right_gradient_is_never_explained():
    report = cr.check(lecture(), {"w2": "0.05707", "b2": "0.0948", "w1": "0.001021"})
    assert report.ok
    assert not report.causes
    assert report.next_question is None
    assert not report.where


def test_causes_of_wrong_partials():
    report = cr.check(lecture(), {"da2/dz2": "-0.2037"})
    assert any("-a2·(1 - a2)" in text for text in told(report.causes[0]))


def test_pairs():
    found = causes({"w1": "(T - a2) a2 (1 - a2) a1 (1 - a1) x1", "w2": "(T-a2) a2 (1-a2) a1"})
    assert len(found[0].mistakes) == 2
    texts = " ".join(told(found[0]))
    assert "the factor w2 was left out" in texts
    assert "inner derivative" in texts or "the sign" in texts


def test_numbers_of_two_digits_are_not_explained_by_numerology():
    report = cr.check(lecture(), {"w2": "0.23"})
    assert not report.causes
    assert any("by chance; more digits" in note for note in report.notes)
    report = cr.check(lecture(), {"w2": "0.0798"})
    assert 0 < report.causes[0].by_chance < 1
    assert f"of {report.causes[0].tried} mistakes tried" in str(report)


def test_chance_is_estimated_about_rightly():
    """Random numbers of four digits are matched by single mistakes about as often as is said."""
    random = np.random.default_rng(0)
    subject = Subject(lecture(), NAMES)
    evaluation = Evaluation(subject, None, None, None)
    matched = said = 0.0
    for _ in range(150):
        claim = f"{0.057 * random.uniform(-2, 5):.3f}"
        finding = evaluation.judged(Asked(target_of(subject, "w2", step=False), claim))
        if finding.verdict is not WRONG:
            continue
        search = Diagnosis(subject, [finding], None)
        tried = search.replayed(mistakes(search.setting))
        matched += sum(search.matches(replay, made[0].edit) for made, replay in tried)
        said += search.by_chance(tried)
    assert said / 6 < matched < 6 * said


def test_ties_are_merged_and_the_next_question_separates_the_rest():
    report = cr.check(lecture(), {"w2": "-0.05707"}, names=NAMES)
    assert report.causes[0].alternatives
    assert "what is ∂E/∂" in report.next_question
    values = [text.split(" would mean ")[0].split()[-1] for text in report.next_question.split(",")]
    assert len(set(values)) > 1


def test_formulas_are_compared_at_other_numbers_too():
    """At T - a = -1/2 the forgotten derivative of a square and a lost sign give one number."""
    a = cr.Value(0.75, label="a")
    E = 0.5 * (T - a) ** 2
    by_number = cr.check(E, {"a": -0.5}, names={"T": T})
    by_formula = cr.check(E, {"a": "T - a"}, names={"T": T})
    assert any("the derivative of the power" in text for text in told(by_number.causes[0]))
    assert not any("the derivative of the power" in text for text in told(by_formula.causes[0]))


# ---------------------------------------------------------------- the goals, on a sample


SAMPLE = [net for k, net in enumerate(benchmark.networks(1)) if k % 13 == 7]


def test_the_sample_has_every_kind_of_network():
    assert {net.loss for net in SAMPLE} == {"squared", "binary", "softmax"}
    assert {net.sizes for net in SAMPLE} == {(2, 3, 2), (3, 3, 3), (2, 2, 2)}
    assert {net.batch for net in SAMPLE} == {1, 4}


@pytest.mark.parametrize("net", SAMPLE, ids=lambda n: f"{n.sizes}{n.loss}{n.batch}{n.lam}")
def test_the_right_cause_comes_first(net):
    names = ("W1", "b1", "W2", "b2")
    right = {n: benchmark.rounded(g) for n, g in benchmark.by_hand(net, frozenset()).items()}
    assert cr.check(net.graph(), right, lr=benchmark.LR).ok
    results = {}
    for name, (possible, _) in benchmark.MISTAKES.items():
        if possible(net):
            results[name] = benchmark.trial(net, frozenset([name]), names, details=False)
    tried = [hit for hit in results.values() if hit is not None]
    assert len(tried) > 10
    assert sum(tried) >= 0.97 * len(tried), [n for n, hit in results.items() if hit is False]


@pytest.mark.parametrize("net", SAMPLE, ids=lambda n: f"{n.sizes}{n.loss}{n.batch}{n.lam}")
@pytest.mark.parametrize("way", ["4sf", "4dp"])
def test_exactly_the_faulty_step_is_marked(net, way):
    exact = (lambda v: v, benchmark.rounded, None)
    stepwise = (lambda v: np.round(v, 4), benchmark.decimals, "4dp")
    chosen = exact if way == "4sf" else stepwise
    assert benchmark.marks(net, None, *chosen) == []
    for faulty in ("a1", "dz2", "da1"):
        name = faulty if faulty == "a1" else f"∂E/∂{faulty[1:]}"
        assert benchmark.marks(net, faulty, *chosen) == [name]


# ---------------------------------------------------------------- places


def test_follow_through_over_forward_partial_and_backward():
    steps = {
        "a1": "0.6023",
        "z2": "0.9600",  # wrong
        "a2": "0.7231",
        "da2": "0.4731",
        "da2/dz2": "0.2002",
        "dz2": "0.0947",
    }
    report = cr.check(lecture(), {"b2": "0.0947", "w2": "0.0570"}, steps=steps)
    assert [f.name for f in report.faulty] == ["z2"]
    assert report.where[0].startswith("z2: this step is wrong")
    assert {f.name for f in report.findings if f.follows} == {
        *("a2", "∂E/∂a2", "∂a2/∂z2", "∂E/∂z2", "∂E/∂b2", "∂E/∂w2")
    }


def test_a_second_fault_is_marked_too():
    steps = {"da2": "-0.4653", "dz2": "-0.0948", "da1": "-0.0948"}
    report = cr.check(lecture(), {}, steps=steps)
    assert [f.name for f in report.faulty] == ["∂E/∂a2", "∂E/∂a1"]
    assert "from your own earlier numbers it would be -0.04266" in str(report)


def test_a_formula_step_is_marked_like_a_number():
    steps = {"da2": "T - a2", "dz2": "da2 a2 (1 - a2)"}
    report = cr.check(lecture(), {"w2": "(T-a2) a2 (1-a2) a1"}, steps=steps, names=NAMES)
    assert [f.name for f in report.faulty] == ["∂E/∂a2"]


def test_entries_rows_and_columns():
    x = np.arange(12.0).reshape(4, 3) / 10
    W = cr.Tensor(np.ones((3, 2)) / 2, label="W")
    E = np.sum((x @ W) ** 2)
    right = 2 * x.T @ (x @ W.data)
    for place, factor in (("only [2, 1]", (2, 1)), ("row 1 and no other", 1)):
        wrong = right.copy()
        wrong[factor] *= 1.01
        assert place in " ".join(cr.check(E, {"W": wrong}).where)
    wrong = right.copy()
    wrong[:, 0] *= 2
    assert "column 0 and no other entry" in " ".join(cr.check(E, {"W": wrong}).where)


def batch():
    random = np.random.default_rng(5)
    x, t = random.normal(size=(4, 2)), random.normal(size=(4, 2))
    W1, b1, W2, b2 = (
        cr.Tensor(random.normal(size=shape), label=label)
        for label, shape in (("W1", (2, 3)), ("b1", 3), ("W2", (3, 2)), ("b2", 2))
    )
    Z1 = x @ W1 + b1
    Z1.label = "Z1"
    A1 = cr.sigmoid(Z1)
    Z2 = A1 @ W2 + b2
    Z2.label = "Z2"
    E = cr.sum((Z2 - t) ** 2)
    E.backward()
    return E, x, t, {n.label: n for n in (W1, b1, W2, b2)}, (A1, Z1, Z2)


def test_the_sample_and_the_layer():
    E, x, t, w, (A1, _, Z2) = batch()
    dZ2 = 2 * (Z2.data - t)
    dZ1 = dZ2 @ w["W2"].data.T * A1.data * (1 - A1.data)
    dZ1[2] += [0.3, -0.2, 0.5]  # one sample went wrong
    right = {"W2": A1.data.T @ dZ2, "b2": dZ2.sum(axis=0)}
    report = cr.check(E, {"W1": x.T @ dZ1, "b1": dZ1.sum(axis=0), **right})
    assert any(text.startswith("row 2 of ∂E/∂Z1, one sample,") for text in report.where)
    assert "the layer that gives Z1: ∂E/∂W1, ∂E/∂b1; no other layer" in report.where
    report = cr.check(E, {"W1": w["W1"].grad, "b1": w["b1"].grad, "W2": -w["W2"].grad})
    assert not any("layer" in text or "sample" in text for text in report.where)


def test_the_adjoint_that_would_explain_everything():
    """Claims of all weights below a point, made with a wrong adjoint there."""
    net = benchmark.Network((2, 3, 2), "squared", 1, 0.0, "tanh", 5)
    x, _, W1, b1, W2, _ = net.numbers()
    a1 = np.tanh(x @ W1 + b1)
    odd = np.array([[0.3, -0.7]])  # in place of ∂E/∂z2
    d1 = (odd @ W2.T) * (1 - a1**2)
    claims = {"W1": x.T @ d1, "b1": d1[0], "W2": a1.T @ odd, "b2": odd[0]}
    report = cr.check(net.graph(), claims)
    first = report.where[-1]
    assert "∂E/∂z2 would have to be [[0.3, -0.7]]" in " ".join(report.where), first
    right = benchmark.by_hand(net, frozenset())
    assert not cr.check(net.graph(), right).where


# ---------------------------------------------------------------- the tape


def test_the_tape_gives_what_backward_gives():
    net = benchmark.Network((3, 3, 3), "softmax", 4, 0.1, "tanh", 2)
    E = net.graph()
    table = cr.adjoints(E)
    tape = Tape(E)
    for node, bar in zip(tape.nodes, tape.backward(tape.data), strict=True):
        np.testing.assert_allclose(bar, table[node], rtol=1e-13)
    scalar = lecture()
    tape = Tape(scalar)
    table = cr.adjoints(scalar)
    for node, bar in zip(tape.nodes, tape.backward(tape.data), strict=True):
        assert bar == pytest.approx(table[node], rel=1e-14)


def test_edits_that_contradict_each_other_do_not_merge():
    a, b = Edit(factors={(1, 0): 0.0}), Edit(factors={(1, 0): 2.0})
    assert a | b is None
    assert (a | RIGHT).factors == a.factors


def test_penalties_are_found():
    net = benchmark.Network((2, 3, 2), "binary", 4, 0.1, "tanh", 1)
    assert len(Setting(Subject(net.graph()), None).penalties) == 2
    plain = benchmark.Network((2, 3, 2), "binary", 4, 0.0, "tanh", 1)
    assert not Setting(Subject(plain.graph()), None).penalties


def test_claims_on_a_deep_chain_take_no_recursion():
    w = cr.Value(1.0, label="w")
    y = w
    for _ in range(3000):
        y = y * 1.0001
    report = cr.check(y, {"w": 1.0001**3000})
    assert report.ok
    assert Evaluation(Subject(y), None, None, None).reference.value(0) == pytest.approx(
        1.0001**3000, rel=1e-12
    )
    assert math.isfinite(report.resolution)


def test_a_step_off_from_the_own_numbers_is_marked_where_all_rounding_could_explain_it():
    net = benchmark.Network((2, 2, 2), "softmax", 4, 0.0, "sigmoid", 1)
    ways = (lambda v: np.round(v, 4), benchmark.decimals, "4dp")
    assert benchmark.marks(net, "b1", *ways) == ["∂E/∂b1"]
    done = benchmark.worked(net, "b1", *ways[:2])
    steps = {name: given for name, given in done.items() if name[0] not in "Wb"}
    report = cr.check(net.graph(), {"b1": done["b1"]}, steps=steps, rounding="4dp")
    assert "from your own earlier numbers it would be 0.0014" in str(report)
