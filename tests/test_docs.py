"""Everything in the docs runs: code blocks, their printed output, pictures, tables, examples."""

import contextlib
import io
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
import coverage_table
from chainrule import cli
from chainrule.ops import TABLE
from chainrule.ops.registry import BY_NUMPY
from numpy_calls import CALLS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page(page, tmp_path, monkeypatch):
    """Python blocks run one after the other; a text block is what the block before printed.

    A chain block is a file, named in its first line; in a console block each `$ chainrule …` prints
    the lines that follow.
    """
    monkeypatch.chdir(tmp_path)
    for function, answer in BY_NUMPY.items():  # a page may register answers of its own
        monkeypatch.setitem(BY_NUMPY, function, answer)
    for op in TABLE.values():  # and misconceptions
        monkeypatch.setattr(op, "misconceptions", list(op.misconceptions))
    namespace = {"__name__": "__main__"}
    printed = ""
    content = page.read_text(encoding="utf-8")
    for block in BLOCK.finditer(content):
        language, body = block.groups()
        if language == "python":
            out = io.StringIO()
            above = "\n" * content.count("\n", 0, block.start(2))  # lines are those of the page
            with contextlib.redirect_stdout(out):
                exec(compile(above + body, str(page), "exec"), namespace)  # noqa: S102
            printed = out.getvalue()
        elif language == "text":
            assert printed == body, f"{page.name} prints:\n{printed}"
        elif language == "chain":
            name = body.partition("\n")[0].removeprefix("# ")
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(body, encoding="utf-8")
        elif language == "console":
            for command, expected in re.findall(
                r"^\$ chainrule (.*)\n((?:(?!\$ ).*\n)*)", body, re.MULTILINE
            ):
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    cli.main(shlex.split(command))
                assert out.getvalue() == expected, f"{command} prints:\n{out.getvalue()}"


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_reference_is_current():
    page = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))["page"]()
    path = ROOT / "docs" / "reference.md"
    if os.environ.get("CHAINRULE_REGENERATE"):
        path.write_text(page, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == page
    for name in cr.__all__:
        if not hasattr(np, name) and name not in TABLE:
            known = f"chainrule.{name}\n" in page or f"cr.{name}`" in page
            assert known or name in {"log_softmax", "logsumexp"}, name


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"]
    folders = ["-c", str(ROOT / "docs" / "site"), str(ROOT / "docs"), str(tmp_path / "site")]
    done = subprocess.run(  # offline: whoever asks the network waits for nobody
        [*command, *folders],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"},
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    index = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert (tmp_path / "site" / f"{page.stem}.html").exists()
    assert "fonts.googleapis.com" not in index


def test_the_pictures_of_the_docs_are_current(tmp_path):
    main = runpy.run_path(str(ROOT / "docs" / "make_pictures.py"))["main"]
    folder = ROOT / "docs" / "pictures"
    if os.environ.get("CHAINRULE_REGENERATE"):
        main(folder)
    main(tmp_path)
    assert {path.name for path in folder.iterdir()} == {path.name for path in tmp_path.iterdir()}
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


def test_the_table_of_ops_is_current():
    namespace = runpy.run_path(str(ROOT / "docs" / "make_ops.py"))
    path = ROOT / "docs" / "ops.md"
    if os.environ.get("CHAINRULE_REGENERATE"):
        path.write_text(namespace["page"](), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == namespace["page"]()


def test_the_list_of_misconceptions_is_current():
    namespace = runpy.run_path(str(ROOT / "docs" / "make_misconceptions.py"))
    path = ROOT / "docs" / "misconceptions.md"
    if os.environ.get("CHAINRULE_REGENERATE"):
        path.write_text(namespace["page"](), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == namespace["page"]()


def test_the_table_of_coverage_is_what_the_trials_find():
    path = ROOT / "docs" / "coverage.md"
    page = coverage_table.page()
    if os.environ.get("CHAINRULE_REGENERATE"):
        path.write_text(page, encoding="utf-8")
    found, written = page.splitlines(), path.read_text(encoding="utf-8").splitlines()
    if not hasattr(np, "vecmat"):  # an older NumPy has fewer functions
        written = [line for line in written if line in found]
        found = [line for line in found if line in written]
    assert found == written
    assert "| wrong |" not in page


def test_every_function_that_answers_is_tried():
    tried = {call.name for call in CALLS}
    facts = {"np.shape", "np.ndim", "np.size", "np.zeros_like", "np.ones_like", "np.empty_like"}
    assert coverage_table.differentiable_functions() - tried - facts == {"np.full_like"}


def run_example(name, *arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    return capsys.readouterr().out


def test_example_two_neurons(monkeypatch, capsys):
    out = run_example("two_neurons", monkeypatch=monkeypatch, capsys=capsys)
    assert "∂E/∂w2 = 0.05707" in out
    assert "stopped at epoch 81" in out


def test_example_three_two_two(monkeypatch, capsys):
    out = run_example("three_two_two", monkeypatch=monkeypatch, capsys=capsys)
    assert "-0.170775 + -0.037927 = -0.208702" in out


def test_example_two_moons(monkeypatch, capsys):
    out = run_example("two_moons", "3", monkeypatch=monkeypatch, capsys=capsys)
    assert "337 weights, accuracy before training 50%" in out
    assert float(re.search(r"after training (\d+)%", out)[1]) >= 75


def test_example_digits(monkeypatch, capsys):
    out = run_example("digits", monkeypatch=monkeypatch, capsys=capsys)
    held_out = float(re.search(r"359 images held out: +([\d.]+)%", out)[1])
    assert held_out >= 95


def test_example_vanishing_gradient(monkeypatch, capsys):
    out = run_example("vanishing_gradient", monkeypatch=monkeypatch, capsys=capsys)
    rows = [line.split() for line in out.splitlines()[2:6]]
    assert [row[1] for row in rows] == ["1.0e-01", "7.2e-05", "4.1e-10", "1.4e-20"]
    assert {row[4] for row in rows} == {"(1.00)"}
    assert "Gradient flow of E" in out
    assert "The gradient vanishes" in out


def test_example_mpi_all_reduce():
    pytest.importorskip("mpi4py")
    mpiexec = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or "mpiexec"
    script = str(ROOT / "examples" / "mpi_all_reduce.py")
    for ranks in ("1", "2"):
        done = subprocess.run(
            [mpiexec, "-n", ranks, sys.executable, script],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert re.fullmatch(rf"{ranks} ranks, mean error \d\.\d+e-\d\d\n", done.stdout)


def test_every_example_is_run_by_a_test():
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    text = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in names if f"def test_example_{name}(" in text} == names
