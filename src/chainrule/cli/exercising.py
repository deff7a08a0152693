"""`chainrule exercise`: a sheet with blanks, and its answer key, from any graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from chainrule.cli.files import is_worksheet, loaded, read_worksheet, write
from chainrule.formulas.naming import Caller
from chainrule.worksheet.exercises import exercise_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_exercise(commands: Any) -> None:
    command = commands.add_parser(
        "exercise",
        help="make a sheet with blanks, and its answer key, from any graph",
        description=(
            "Write a worksheet with questions from a worksheet or a variable of a Python file,"
            " which is run, and a worksheet with their answers. Answers to the first are graded"
            " by `chainrule grade`."
        ),
    )
    command.add_argument(
        "target",
        metavar="FILE",
        help="a worksheet, or a Python file and a variable of it, model.py:E",
    )
    command.add_argument(
        "ask",
        nargs="*",
        metavar="QUESTION",
        help="what is asked, dE/dw1 or a1, before the options; by default what the worksheet asks,"
        " or all weights",
    )
    command.add_argument("--seed", type=int, metavar="N", help="draw other numbers")
    command.add_argument(
        "--variants", type=int, metavar="N", help="so many sheets, each with numbers of its own"
    )
    command.add_argument("--digits", type=int, default=4, metavar="N", help="of the answers")
    command.add_argument("--title", default="", metavar="TEXT", help="the first line")
    command.add_argument("-o", "--out", type=Path, metavar="FILE", help="write the sheet to a file")
    command.add_argument("--key", type=Path, metavar="FILE", help="write the answer key to a file")
    command.set_defaults(run=run_exercise)


def run_exercise(options: argparse.Namespace, error: Callable[[str], NoReturn]) -> None:
    """Write sheets and keys."""
    caller = Caller([], (lambda: None).__code__)
    if is_worksheet(options.target):
        root: Any = read_worksheet(options.target)
    else:
        root, caller = loaded(options.target, error)
    count = options.variants
    if count is not None and (count < 1 or not (options.out and options.key)):
        error("argument --variants: a number from 1 on, with files for -o and --key")
    first = options.seed or 0
    seeds = [options.seed] if count is None else range(first, first + count)
    for i, seed in enumerate(seeds, start=1):
        try:
            made = exercise_of(
                root, options.ask or None, caller, seed, options.digits, options.title, None
            )
        except (TypeError, ValueError) as problem:
            error(str(problem))
        width = len(str(count or 1))
        out, key = (
            path if path is None or count is None else path.with_stem(f"{path.stem}-{i:0{width}}")
            for path in (options.out, options.key)
        )
        write(made.sheet, out, error)
        if key is not None:
            write(made.key, key, error)
