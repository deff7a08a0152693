"""The notebooks run, and what is kept in them is what they give."""

import json
import os
from pathlib import Path

import pytest

import notebooks

FOLDER = Path(__file__).parent.parent / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook(path):
    """CHAINRULE_REGENERATE=1 writes the outputs anew."""
    fresh = notebooks.run(path)
    if os.environ.get("CHAINRULE_REGENERATE"):
        path.write_text(notebooks.text_of(fresh), encoding="utf-8")
    kept = json.loads(path.read_text(encoding="utf-8"))
    for ours, theirs in zip(fresh["cells"], kept["cells"], strict=True):
        if "varies" not in theirs["metadata"].get("tags", []):
            assert ours == theirs
        else:  # numbers of long trainings are those of a machine
            assert ours["outputs"]
            assert theirs["outputs"]


def test_all_are_here():
    assert [path.stem for path in NOTEBOOKS] == [
        *("backpropagation_lesson", "inverse_problem", "language_model", "two_documents"),
        "verify_layers",
    ]
