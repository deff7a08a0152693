"""The program, run as a person runs it."""

import importlib.util
import subprocess
import sys

import pytest

import chainrule as cr
from chainrule import cli


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "chainrule", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        **options,
    )


def test_demo(tmp_path):
    result = run("demo", "--out", str(tmp_path / "new" / "place"))
    assert (result.returncode, result.stderr) == (0, "")
    out = result.stdout
    assert "∂E/∂w2      0.05707040    0.05707040     0.05706  ← should be 0.05707" in out
    assert out.count("←") == 1
    assert "stopped at epoch 81" in out
    assert "∂E/∂W1[2,1]   -0.20870216   -0.20870216" in out
    assert "Summary" in out
    pictures = sorted(path.name for path in (tmp_path / "new" / "place").iterdir())
    assert pictures == [
        "three_two_two.png",
        "three_two_two.svg",
        "two_neurons.png",
        "two_neurons.svg",
    ]
    assert all(name in out for name in pictures)


def test_demo_without_the_extra(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert cli.main(["demo", "--out", str(tmp_path)]) == 0
    assert "for PNG beside SVG: pip install 'chainrule[pictures]'" in capsys.readouterr().out
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".svg", ".svg"]


def test_demo_in_a_terminal_without_greek(tmp_path):
    result = run("demo", "--out", str(tmp_path), env={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0
    assert "?E/?w2" in result.stdout


def test_a_reader_that_leaves_early(tmp_path):
    command = f'"{sys.executable}" -m chainrule demo --out "{tmp_path}" | head -n 1'
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602
    assert result.stdout.startswith("First network")
    assert result.stderr == ""


def test_pictures_of_others_are_not_claimed(tmp_path, capsys):
    (tmp_path / "holiday.png").touch()
    assert cli.main(["demo", "--out", str(tmp_path)]) == 0
    assert "holiday" not in capsys.readouterr().out


def test_help_and_version():
    result = run("--help")
    assert result.returncode == 0
    assert "demo" in result.stdout
    result = run("--version")
    assert result.stdout.strip() == f"chainrule {cr.__version__}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: command"),
        (["dome"], "invalid choice: 'dome'"),
        (["demo", "--out"], "argument --out: expected one argument"),
        (["demo", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["demo", "--out", ""], "a directory is needed"),
        (["demo", "--out", __file__], f"cannot write to {__file__}: File exists"),
    ],
)
def test_a_bad_argument_gives_one_line_and_exit_code_2(arguments, message):
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


MODEL = """
import chainrule as cr
x, T = 0.1, 0.25
w1, b1, w2, b2 = cr.Value(0.15), cr.Value(0.40), cr.Value(0.45), cr.Value(0.65)
a1 = cr.sigmoid(w1 * x + b1)
z2 = w2 * a1 + b2
a2 = cr.sigmoid(z2)
E = 0.5 * (T - a2) ** 2
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(MODEL)
    return path


def test_explain(model, capsys):
    assert cli.main(["explain", f"{model}:E", "--wrt", "w2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "∂E/∂w2 = ∂E/∂a2 · ∂a2/∂z2 · ∂z2/∂w2"
    assert lines[-1].strip() == "= 0.05707"
    options = ["--wrt", "w1", "--form", "table", "--digits", "3"]
    assert cli.main(["explain", f"{model}:E", *options]) == 0
    assert "reverse ↑" in capsys.readouterr().out
    assert cli.main(["explain", f"{model}:E", "--wrt", "w2", "--hide", "a2/z2"]) == 0
    assert "____" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "options", "beginning"),
    [
        ("d.html", [], "<!DOCTYPE html>"),
        ("d.tex", [], "\\begin{aligned}"),
        ("d.md", [], "$$"),
        ("d.txt", [], "∂E/∂w2"),
        ("d.txt", ["--format", "latex"], "\\begin{aligned}"),
    ],
)
def test_explain_writes_a_file(model, tmp_path, capsys, name, options, beginning):
    out = tmp_path / name
    assert cli.main(["explain", f"{model}:E", "--wrt", "w2", "-o", str(out), *options]) == 0
    assert out.read_text(encoding="utf-8").startswith(beginning)
    assert capsys.readouterr().out.strip() == str(out)


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("model.py:E", ["--wrt", "q"], "'q' is no named node in the graph of E; there are w1"),
        ("model.py:F", [], "has no variable 'F'; its nodes are w1, b1"),
        ("model.py:x", [], "explain takes the Value or Tensor that was computed, got float"),
        ("model.py", [], "'model.py' is no FILE:NAME such as model.py:E"),
        ("nope.py:E", [], "No such file or directory"),
        ("broken.py:E", [], "raised ZeroDivisionError: division by zero"),
        ("model.py:E", ["--wrt", "w1", "-o", "no/such/dir.txt"], "cannot write to no"),
        ("model.py:E", ["--rounding", "twice"], "rounding='twice'"),
    ],
)
def test_explain_refuses(model, capsys, monkeypatch, target, options, message):
    monkeypatch.chdir(model.parent)
    (model.parent / "broken.py").write_text("1 / 0")
    with pytest.raises(SystemExit) as exit_:
        cli.main(["explain", target, *options])
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
