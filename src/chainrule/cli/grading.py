"""`chainrule grade`: the answers of a class to one worksheet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from chainrule.cli.files import read_worksheet, write
from chainrule.training import progress_is_seen
from chainrule.worksheet.grading import graded, table_csv, table_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_grade(commands: Any) -> None:
    command = commands.add_parser(
        "grade",
        help="grade many answers to one worksheet",
        description=(
            "Judge the answers of a class to the computation of a worksheet, with follow-through:"
            " a step that only carries an earlier mistake on counts. A file that cannot be read"
            " does not stop the others."
        ),
    )
    command.add_argument("worksheet", metavar="WORKSHEET", help="the computation and the questions")
    command.add_argument("answers", nargs="+", metavar="ANSWER", help="a file for each answer")
    command.add_argument("--csv", action="store_true", help="a table for a spreadsheet")
    command.add_argument("-o", "--out", type=Path, metavar="FILE", help="write to a file")
    command.add_argument(
        "--jobs", type=int, metavar="N", help="processes at a time (default: one for each core)"
    )
    command.set_defaults(run=run_grade)


def run_grade(options: argparse.Namespace, error: Callable[[str], NoReturn]) -> int:
    """Print a row for each answer."""
    sheet = read_worksheet(options.worksheet)
    if options.jobs is not None and options.jobs < 1:
        error("argument --jobs: a whole number from 1 on")
    grades = graded(sheet, options.answers, options.jobs, progress=progress_is_seen())
    text = table_csv(grades) if options.csv else table_text(grades)
    write(text, options.out, error)
    return int(any(grade.problem for grade in grades))
