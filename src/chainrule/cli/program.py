"""The `chainrule` program."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from chainrule import __version__, demo
from chainrule.cli.checking import add_check
from chainrule.cli.exercising import add_exercise
from chainrule.cli.explaining import add_explain
from chainrule.cli.files import UnreadableError
from chainrule.cli.grading import add_grade
from chainrule.cli.rendering import add_render
from chainrule.worksheet import WorksheetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line and exit code 2."""
        self.exit(2, f"chainrule: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="chainrule",
        description="Autodiff on NumPy that shows and proves what it does.",
    )
    parser.add_argument("--version", action="version", version=f"chainrule {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    _add_demo(commands)
    add_explain(commands)
    add_render(commands)
    add_check(commands)
    add_grade(commands)
    add_exercise(commands)
    return parser


def _add_demo(commands: Any) -> None:
    command = commands.add_parser(
        "demo",
        help="two small networks, from forward pass to trained weights, with pictures",
        description=(
            "Print two small networks: the forward pass, the gradients beside the hand-derived"
            " ones, the first update and the training. Draw their computation graphs."
        ),
    )
    command.add_argument(
        "--out",
        type=Path,
        default=Path("chainrule-demo"),
        metavar="DIR",
        help="directory for the pictures, made if needed (default: %(default)s)",
    )
    command.set_defaults(run=_run_demo)


def _run_demo(options: argparse.Namespace, error: Callable[[str], NoReturn]) -> None:
    if not options.out.name:
        error("argument --out: a directory is needed")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        demo.run(options.out)
    except BrokenPipeError:
        raise
    except OSError as problem:
        error(f"cannot write to {options.out}: {problem.strerror}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without ∂ gets a ? instead of a crash
            stream.reconfigure(errors="replace")
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        status: int | None = options.run(options, parser.error)
    except (WorksheetError, UnreadableError) as problem:
        parser.error(str(problem))
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status or 0
