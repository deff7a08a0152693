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
