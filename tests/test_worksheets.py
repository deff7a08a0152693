"""Worksheets: the file format, its examples, and grading."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import cli
from chainrule.worksheet import Worksheet, WorksheetError
from chainrule.worksheet.grading import graded, table_csv, table_text

EXAMPLES = Path(__file__).parent.parent / "examples" / "worksheets"
PUBLISHED = json.loads(
    (Path(__file__).parent / "data" / "published_examples.json").read_text(encoding="utf-8")
)
GIVEN = """x1 = 0.1;  w1 = 0.15;  b1 = 0.40;  w2 = 0.45;  b2 = 0.65;  T = 0.25
z1 = w1*x1 + b1
a1 = sigmoid(z1)
z2 = w2*a1 + b2
a2 = sigmoid(z2)
E  = 1/2 (T - a2)^2
"""


def report(text):
    return Worksheet(text, "sheet.chain").report()


def verdicts(text):
    return [str(f.verdict) for f in report(text).findings]


# ---------------------------------------------------------------- the examples

#: The claims that are wrong in each example, by line and name, as published and as recomputed.
MISPRINTS = {
    "two_neurons": {"∂E/∂w2": "0.05706"},
    "mazur": {"∂E_o2/∂out_h1": "-0.019049119"},
    "rows_three_two_two": {"∂E/∂b2[0, 0]": "0.0775", "W1′[0, 1]": "0.1999"},
    "shared_weight": {"∂y/∂w": "-40.21530"},
    "nbis": {"L": "-0.299", "∂L/∂w2": "0.0577"},
}
SOURCES = {
    "two_neurons": "IBM",
    "mazur": "Matt Mazur",
    "diamond": "Schiendorfer",
    "rows_three_two_two": "3-2-2",
    "product_of_sum": "CS231n f=",
    "sigmoid_circuit": "CS231n 2-D",
    "max_circuit": "CS231n add",
    "colah": "colah",
    "baydin": "Baydin",
    "expression": "Karpathy zero-to-hero L=",
    "logistic_regression": "Coursera",
    "shared_weight": "PyTorch forum",
    "nbis": "NBIS",
}


def test_every_example_is_known():
    assert {p.stem for p in EXAMPLES.glob("*.chain")} == {*SOURCES, "three_two_two"}
    assert len(SOURCES) >= 10


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.chain")), ids=lambda p: p.stem)
def test_examples_are_right_but_for_the_known_misprints(path):
    found = Worksheet.read(path).report()
    wrong = {f.name: f.text for f in found.findings if f.verdict is cr.Verdict.WRONG}
    assert wrong == MISPRINTS.get(path.stem, {})
    assert all(f.verdict.passes for f in found.findings if f.name not in wrong)


@pytest.mark.parametrize(("stem", "start"), SOURCES.items())
def test_the_numbers_of_an_example_are_the_published_ones(stem, start):
    (example,) = [e for e in PUBLISHED if e["name"].startswith(start)]
    printed = {entry["printed"].lstrip("-") for entry in example["expected"]}
    source = (EXAMPLES / f"{stem}.chain").read_text(encoding="utf-8")
    claimed = set(re.findall(r"[=≈\[,]\s*-?(\d+\.?\d*)(?=[\s,;\]]|$)", source))
    assert len(printed & claimed) >= min(len(printed), 2)


def test_the_example_of_the_lecture_prints_a_verdict_with_a_line_for_each_claim():
    source = GIVEN + (
        "\ndE/dw2 = -(T - a2) a2 (1 - a2) a1\ndE/dw2 ≈ 0.05706\n"
        "dE/dw1 = -(T - a2) a2 (1 - a2) w2 a1 (1 - a1) x1\nw2' ≈ 0.427   with rate 0.4\n"
    )
    lines = str(report(source)).splitlines()
    assert lines[0].startswith("line 8: ∂E/∂w2 = -(T - a2) a2 (1 - a2) a1")
    assert lines[0].endswith("✓ agrees")
    assert lines[1].endswith("✗ wrong: it is 0.05707: off by one in the last digit")
    assert lines[3].split() == ["line", "11:", "w2′", "≈", "0.427", "✓", "agrees"]


# ---------------------------------------------------------------- the grammar


@pytest.mark.parametrize(
    "text",
    [
        "dE/dw2 = -(T - a2) a2 (1 - a2) a1",
        "∂E/∂w2 = -(T - a2) a2 (1 - a2) a1  # why",
        r"\frac{\partial E}{\partial w_2} = -(T-a_2)\,a_2(1-a_2)\,a_1",
        "dE/dw2 ≈ 0.0571",
        "dE/dw2 ~ 0.0571",
        "dE/dw2 = 0.0571",
        "dE/dw2 = -(T - a2) a2 (1 - a2) a1 = 0.46525·0.20367·0.60229 ≈ 0.0571",
        "dz2 = -(T - a2) a2 (1 - a2)\ndE/dw2 = dz2 a1",
        "δ2 = -(T - a2) a2 (1 - a2)\ndE/dw2 = δ2 a1",
        "dE/da2 = -(T - a2)\nda2/dz2 = a2 (1 - a2)\ndE/dz2 = dE/da2 · da2/dz2",
        "dE/dw2 = (a2 - T) a2 (\n  1 - a2\n) a1",
        "a1 ≈ 0.6023; a2 ≈ 0.7153",
        "w2' ≈ 0.427 with rate 0.4",
        "w2' ≈ 0.427 (with rate 0.4)",
        "rate 0.4\nw2′ ≈ 0.427",
        "rounding 4dp\ndE/dw2 ≈ 0.05706",
        "dE/dw2 ≈ 0.0571\r",
    ],
)
def test_claims_that_are_right(text):
    assert set(verdicts(GIVEN + text)) <= {"agrees", "consistent with rounding"}


def test_matrices_and_batches():
    source = """
    X = [[1, 0.5], [-1, 2], [0.3, 0.7]];  T = [[1], [0], [1]]
    W = [[0.2], [-0.4]];  b = [[0.1]]
    Z = X W + b
    A = σ(Z)
    E = -mean(T ⊙ ln(A) + (1 - T) ⊙ ln(1 - A))
    dE/dZ = (A - T)/3
    dE/dW = X^T dE/dZ
    dE/db = sum(dE/dZ)
    dE/dW[1, 0] = (0.5 (A[0, 0] - 1) + 2 A[1, 0] + 0.7 (A[2, 0] - 1))/3
    """
    assert verdicts(source) == ["agrees"] * 4


def test_softmax_and_relu():
    source = """
    x = [1, -2, 0.5];  W1 = [[0.2, 0.1, 0.4], [-0.3, 0.2, 0.9]];  W2 = [[1, 0.5], [-0.5, 2]]
    t = [0, 1]
    z = W1 x
    h = relu(z)
    s = W2 h
    p = softmax(s)
    L = -sum(t ⊙ ln(p))
    dL/ds = p - t
    dL/dW2 = (p - t) ⊗ h
    dL/dh = W2^T (p - t)
    dL/dz = dL/dh ⊙ [z > 0]
    dL/dW1 = dL/dz ⊗ x
    """
    assert verdicts(source) == ["agrees"] * 5


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a = 2\nc = a*q\n", 2, 7, "unknown symbol 'q': there are a"),
        ("a = 2\nc = a +\n", 2, 8, "a number or a name expected"),
        ("a = (2\nb = 3\n", 1, 5, "this bracket is never closed"),
        ("a = 2)\n", 1, 6, "this ) closes nothing"),
        ("a = 2\na = 3\n", 2, 1, "a is computed in line 1 already"),
        ("a = 2\nb ≈ 3\n", 2, 1, "b is not computed yet"),
        ("a = 2; c = a^2\ndc/dq = 3\n", 2, 1, "'q' is no named node"),
        ("a = 2; c = a^2\ndc/da = 3 a q\n", 2, 13, "unknown symbol 'q'"),
        ("a = 2; c = a^2\n\n\tdc/da = 2 b\n", 3, 12, "unknown symbol 'b'"),
        ("hello world\n", 1, 1, "a statement is name = formula"),
        ("2 = a\n", 1, 1, "left of = stands a name"),
        ("a =\n", 1, 3, "something is missing"),
        ("a = 2; c = a a\nc' ≈ 3\n", 2, 1, "give the learning rate"),
        ("rounding 4\n", 1, 10, "rounding='4'"),
        ("rate fast\n", 1, 6, "rate takes a positive number"),
        ("a = 1/0\n", 1, 6, "division by zero"),
        ("a = log(0 - 1)\n", 1, 5, "log"),
        ("", 1, 1, "nothing is computed here"),
        ("# only a comment\n", 1, 1, "nothing is computed here"),
        ("a = 2\n", 1, 1, "no single number is computed"),
        ("W = [[1, 2], [3]]\n", 1, 5, "different lengths"),
        ("W = [1, 2]; x = [1, 2, 3]\ny = W x\n", 2, 7, "does not go with the shapes"),
    ],
)
def test_errors_show_line_column_and_a_caret(text, line, column, message):
    with pytest.raises(WorksheetError, match=re.escape(message)) as caught:
        report(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    first, shown, caret = str(caught.value).splitlines()
    assert first.startswith(f"sheet.chain:{line}:{column}: ")
    assert shown[2:] == ([*text.splitlines(), ""][line - 1] if text else "")
    assert len(caret) == column + 2
    assert caret.endswith("^")


def test_open_questions_are_no_claims():
    found = report(GIVEN + "dE/dw2 = ?\n")
    assert not found.findings
    assert found.notes == ["nothing is claimed here"]


def test_files_with_marks_of_other_systems(tmp_path):
    path = tmp_path / "windows.chain"
    path.write_bytes(b"\xef\xbb\xbf" + (GIVEN + "dE/dw2 ≈ 0.0571\n").replace("\n", "\r\n").encode())
    assert Worksheet.read(path).report().ok
    path.write_bytes(b"a = \xff\xfe\n")
    with pytest.raises(WorksheetError, match="no UTF-8 text"):
        Worksheet.read(path)


# ---------------------------------------------------------------- the commands


@pytest.fixture
def sheet(tmp_path):
    def write(text, name="sheet.chain"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_check_exits_with_0_only_if_nothing_is_wrong(sheet, capsys):
    assert cli.main(["check", sheet(GIVEN + "dE/dw2 ≈ 0.0571\n")]) == 0
    assert "✓ agrees" in capsys.readouterr().out
    assert cli.main(["check", sheet(GIVEN + "dE/dw2 ≈ 0.0572\n")]) == 1
    assert cli.main(["check", sheet(GIVEN + "dE/dw2 ≈ 0.1\n")]) == 1
    assert "cannot tell" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        cli.main(["check", sheet("a = (\n")])
    assert caught.value.code == 2
    assert "sheet.chain:1:5: this bracket is never closed" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        cli.main(["check", "nothing.chain"])
    assert caught.value.code == 2
    assert "cannot read nothing.chain" in capsys.readouterr().err


def test_check_prints_json_html_and_colours(sheet, capsys, tmp_path):
    path = sheet(GIVEN + "dE/dw2 ≈ -0.0571\ndE/db2 = (T - a2) a2 (1 - a2)\n")
    cli.main(["check", "--json", path])
    data = json.loads(capsys.readouterr().out)
    assert [claim["line"] for claim in data["claims"]] == [7, 8]
    assert data["causes"]
    cli.main(["check", "--html", path, "-o", str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "http" not in page
    cli.main(["check", "--color", "always", path])
    assert "\x1b[31m" in capsys.readouterr().out
    cli.main(["check", path])
    assert "\x1b" not in capsys.readouterr().out
    cli.main(["check", "--json", path, path])
    assert [entry["file"] for entry in json.loads(capsys.readouterr().out)] == [path, path]


def test_explain_and_render_take_worksheets(sheet, capsys, tmp_path):
    path = sheet(GIVEN)
    assert cli.main(["explain", path, "dE/dw1"]) == 0
    assert "∂E/∂w1 = ∂E/∂a2 · ∂a2/∂z2" in capsys.readouterr().out
    assert cli.main(["explain", path, "w2"]) == 0
    assert "= 0.05707" in capsys.readouterr().out
    assert cli.main(["explain", path]) == 0
    out = tmp_path / "graph.svg"
    assert cli.main(["render", path, "-o", str(out)]) == 0
    assert "0.05707" in out.read_text(encoding="utf-8")
    for arguments, message in (
        (["explain", path, "dE/dq"], "'q' is not computed"),
        (["explain", path, "dQ/dw1"], "'Q' is not computed"),
        (["render", path, "-o", "graph.bmp"], "cannot render"),
    ):
        with pytest.raises(SystemExit):
            cli.main(arguments)
        assert message in capsys.readouterr().err


# ---------------------------------------------------------------- grading

QUESTIONS = GIVEN + "rate 0.4\na1 ≈ ?\ndE/da2 = ?\ndE/dz2 = ?\ndE/dw2 = ?\ndE/db2 = ?\n"
RIGHT = "a1 = 0.6023\ndE/da2 ≈ 0.4653\ndE/dz2 ≈ 0.0948\ndE/dw2 ≈ 0.0571\ndE/db2 ≈ 0.0948\n"
FAULT = "a1 = 0.6023\ndE/da2 ≈ 0.4653\ndE/dz2 ≈ 0.2326\ndE/dw2 ≈ 0.1401\ndE/db2 ≈ 0.2326\n"


def test_grading_follows_through_and_no_broken_file_stops_it(sheet, tmp_path):
    questions = Worksheet(QUESTIONS, "q.chain")
    (tmp_path / "binary.chain").write_bytes(b"\xff\x00\x01")
    answers = [
        sheet(RIGHT, "right.chain"),
        sheet(FAULT, "fault.chain"),
        sheet("dE/dw2 = -(T - a2) a2 (1 - a2) a1\n", "part.chain"),
        sheet("dE/dw2 = ((\n", "broken.chain"),
        str(tmp_path / "binary.chain"),
        str(tmp_path / "missing.chain"),
        str(tmp_path),
        sheet("dE/dq ≈ 3\n", "unknown.chain"),
        sheet("s = a2 (1 - a2)\ndE/dz2 = -(T - a2) s\n", "helper.chain"),
        sheet(GIVEN.partition("\n")[0] + "\n" + RIGHT, "repeats.chain"),
    ]
    grades = graded(questions, answers, jobs=1)
    assert [grade.points for grade in grades[:3]] == [5, 4, 1]
    assert list(grades[1].marks.values()) == [
        *("agrees", "agrees", "wrong", "carried on", "carried on"),
    ]
    assert grades[1].fault.startswith("line 3: ∂E/∂z2")
    assert list(grades[2].marks.values()).count("missing") == 4
    assert all(grade.problem for grade in grades[3:8])
    assert "broken.chain:1:" in grades[3].problem
    assert "cannot be read" in grades[5].problem
    assert grades[8].marks["∂E/∂z2"] == "agrees"
    assert grades[9].points == 5
    rows = list(csv.reader(io.StringIO(table_csv(grades))))
    assert rows[0][:3] == ["answer", "points", "of"]
    assert {len(row) for row in rows} == {len(rows[0])}
    text = table_text(grades)
    assert "fault.chain" in text
    assert "10 answers, 2 without a mistake" in text


def test_grading_in_parallel_gives_the_same(sheet):
    questions = Worksheet(QUESTIONS, "q.chain")
    answers = [sheet(RIGHT if k % 3 else FAULT, f"{k}.chain") for k in range(12)]
    alone, parallel = (graded(questions, answers, jobs=jobs) for jobs in (1, 2))
    assert alone == parallel


def test_grade_on_the_command_line(sheet, capsys, tmp_path):
    questions = sheet(QUESTIONS, "questions.chain")
    right, fault = sheet(RIGHT, "right.chain"), sheet(FAULT, "fault.chain")
    assert cli.main(["grade", questions, right, fault, "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "right.chain  5/5" in out
    assert "fault.chain  4/5" in out
    table = tmp_path / "table.csv"
    broken = sheet("((", "=cmd.chain")
    assert cli.main(["grade", questions, right, broken, "--csv", "-o", str(table)]) == 1
    assert len(table.read_text(encoding="utf-8").splitlines()) == 3


def test_a_wrong_restated_number_is_found(sheet):
    questions = Worksheet(QUESTIONS, "q.chain")
    answer = sheet("w1 = 0.25\n" + RIGHT, "other.chain")
    (grade,) = graded(questions, [answer])
    assert grade.marks["w1"] == "wrong"


def test_worksheets_are_not_changed_by_checking():
    source = GIVEN + "dE/dw2 ≈ 0.0571\n"
    worksheet = Worksheet(source)
    before = {name: np.array(node._held) for name, node in worksheet.nodes.items()}
    first, second = str(worksheet.report()), str(worksheet.report())
    assert first == second
    for name, node in worksheet.nodes.items():
        assert node.grad is None
        np.testing.assert_array_equal(node._held, before[name])


def test_names_beside_the_graph():
    source = GIVEN + "yhat = a2\ns = a2 (1 - a2)\neps = 2\n"
    assert verdicts(source + "dE/dyhat = -(T - yhat)\ndE/dw2 = -(T - yhat) s a1\n") == [
        "agrees",
        "agrees",
    ]
    wrong = report(source + "dE/dw2 = -(T - a2) s a1 · 0.5 eps + 0·z1 + (s - s)\n")
    assert wrong.ok  # s is computed anew where a formula is tried at other numbers
    (finding,) = report(source + "dE/dw2 = (T - a2) s a1\n").findings
    assert str(finding.verdict) == "wrong"


def test_an_adjoint_is_one_only_of_what_was_used_already():
    source = "x = 0.3; w = 2\nz = w x\ndz = 0.1\ndelta = z - 1\nE = delta^2 dz\n"
    assert verdicts(source + "dE/dw = 2 delta x dz\n") == ["agrees"]
    assert verdicts(source + "ddelta = 2 delta dz\n") == ["agrees"]


def test_signs_and_questions():
    assert verdicts(GIVEN + "dE/dw2 \\approx 0.0571\n") == ["agrees"]
    sheet = Worksheet(GIVEN + "a1 = ?\ndE/dw2 = …\n")
    assert [claim.is_question for claim in sheet.claims] == [True, True]
    with pytest.raises(WorksheetError, match="a1 is computed in line 3 already"):
        Worksheet(GIVEN + "a1 = 0.6\n")


def test_a_worksheet_has_one_function():
    with pytest.raises(WorksheetError, match="E2 does not go into E1, which is differentiated"):
        report("x = 2; w = 3\nE1 = w x\nE2 = w^2 x\ndE1/dw = x\ndE2/dw = 2 w x\n")


def test_each_error_is_at_its_own_claim():
    with pytest.raises(WorksheetError) as caught:
        report(GIVEN + "dE/dw2 = a1\ndE/dw1 = q1\ndE/dw1 = a1\n")
    assert (caught.value.line, caught.value.column) == (8, 10)


def graded_one(sheet, answer, questions=None):
    (grade,) = graded(Worksheet(questions or QUESTIONS, "q.chain"), [sheet(answer, "a.chain")])
    return grade


def test_the_teacher_sets_rounding_and_rate(sheet):
    answer = "rounding 1dp\nrate 3\nresolution 5\ndE/dw2 = 0.1\n"
    assert graded_one(sheet, answer).marks["∂E/∂w2"] == "cannot tell"
    questions = GIVEN + "w2' ≈ ? with rate 0.4\n"
    assert graded_one(sheet, "w2' ≈ 0.427 with rate 99\n", questions).points == 1
    assert graded_one(sheet, "w2' ≈ 0.393 with rate 1\n", questions).marks["w2′"] == "wrong"


def test_an_answer_is_read_line_by_line(sheet):
    grade = graded_one(sheet, "a_1 = 0.6023\nwhat is this\ndE/dq = 3\ndE/dw2 = ((a1)\n" + RIGHT)
    assert grade.points == 5  # each broken line costs itself only
    grade = graded_one(sheet, "a_1 = 0.6023\nwhat is this\ndE/dq = 3\ndE/dw2 = a9\n" + RIGHT)
    assert grade.points == 5
    assert [text.split(":")[1] for text in grade.problem.split(" | ")] == ["2", "3", "4"]
    text = table_text([grade])
    assert "5/5" in text
    assert "a statement is name = formula" in text


def test_a_formula_that_the_question_gives_earns_nothing(sheet):
    assert graded_one(sheet, "a1 = sigmoid(w1 x1 + b1)\n").points == 0
    assert graded_one(sheet, "a1 = sigmoid(w1 x1 + b1) = 0.6023\n").points == 1
    assert graded_one(sheet, "a1 = sigmoid(w1 x1 - b1) = 0.6023\n").marks["a1"] == "wrong"


def test_spreadsheets_run_nothing(sheet):
    grade = graded_one(sheet, RIGHT)
    for lead in "=+-@\t\n":
        grade.file = f"{lead}cmd"
        row = list(csv.reader(io.StringIO(table_csv([grade]))))[1]
        assert row[0] == f"'{lead}cmd"


def test_good_worksheets_are_told_before_the_broken(sheet, capsys):
    good, broken = sheet(GIVEN + "dE/dw2 ≈ 0.0571\n"), sheet("a = (\n", "broken.chain")
    with pytest.raises(SystemExit) as caught:
        cli.main(["check", broken, good])
    assert caught.value.code == 2
    told = capsys.readouterr()
    assert "✓ agrees" in told.out
    assert "this bracket is never closed" in told.err


def test_explain_reads_names_that_begin_with_d(sheet, capsys):
    path = sheet("d = 2; w = 3\ndelta_1 = w d\nE = delta_1^2\n")
    assert cli.main(["explain", path, "dE/dd"]) == 0
    assert cli.main(["explain", path, r"\frac{\partial E}{\partial delta1}"]) == 0
    assert "∂E/∂delta_1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("sum(abs(transpose(A, axes=(1, 0)) - A.T))", 0.0),
        ("sum(A, axis=(1,))[0]", 6.0),
        ("sum(concatenate([v, 2·v], axis=0))", 18.0),
        ("concatenate([v, A[1]], axis=0)[3]", 4.0),
        ("sum(v[[0, 2, -1, 2]])", 10.0),
        ("A[[1, 0], [0, 2]][0]", 4.0),
        ("(Σ_batch A)[1]", 7.0),
        ("(Σ_axis1 A)[1, 0]", 15.0),
        ("(Σ_axes0_1 A)[0, 0]", 21.0),
        ("(Σ_batch A²)[0]", 17.0),
    ],
)
def test_arrays_as_derivations_write_them(formula, expected):
    sheet = Worksheet(f"A = [[1, 2, 3], [4, 5, 6]];  v = [1, 2, 3]\nE = {formula}")
    assert sheet.root.data == expected


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("Σ_batch A ⊙ A", r"Σ_batch of several factors: write Σ_batch \(…\)"),
        ("Σ_axis1 A v", r"Σ_axis1 of several factors"),
        ("Σ_batch 3", "Σ_batch is of an array, and this is one number"),
        ("Σ_axis7 A", r"does not go with the shapes \(2,3\)"),
        ("sum(v[[0, 5]])", "there is no such entry in an array of shape"),
        ("sum(v[[0.5]])", "an index is a whole number"),
        ("sum(v[[]])", "an index is a whole number"),
        ("sum(v[0:[1]])", "an index is a whole number"),
        ("sum(A, axis=(1.5,))", "a whole number expected"),
        ("sum(A, axis=(1 2))", "',' expected, found 2"),
        ("sum(concatenate([v, v)))", "',' expected, found"),
    ],
)
def test_arrays_that_cannot_be_read(formula, message):
    with pytest.raises(WorksheetError, match=message):
        Worksheet(f"A = [[1, 2, 3], [4, 5, 6]];  v = [1, 2, 3]\nE = {formula}")
