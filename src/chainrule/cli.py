"""The `chainrule` program."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from chainrule import __version__, demo
from chainrule.derivation.explanation import FORMS, Options, explained
from chainrule.engine import Node
from chainrule.formulas.naming import Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FORMATS = ("text", "latex", "markdown", "html")
_BY_SUFFIX = {".tex": "latex", ".md": "markdown", ".html": "html", ".htm": "html"}


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
    _add_explain(commands)
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


def _add_explain(commands: Any) -> None:
    command = commands.add_parser(
        "explain",
        help="print the chain-rule derivation of a gradient",
        description=(
            "Run a Python file and print the derivation of a gradient of one of its variables."
            " The names in it are those of the file."
        ),
    )
    command.add_argument(
        "target", metavar="FILE:NAME", help="a Python file and a variable of it, model.py:E"
    )
    command.add_argument(
        "--wrt",
        metavar="NAME",
        help="the variable to differentiate in, w1 or W1[2,0]; by default"
        " the whole backward pass is printed",
    )
    command.add_argument("--form", choices=FORMS, default="auto", help="default: %(default)s")
    command.add_argument("--digits", type=int, default=4, metavar="N", help="significant digits")
    command.add_argument(
        "--rounding", default="exact", metavar="R", help='"exact", "step", "4dp" or "4sf"'
    )
    command.add_argument("--max-paths", type=int, default=8, metavar="N", help="default: 8")
    command.add_argument("--top", type=int, metavar="K", help="the K largest contributions only")
    command.add_argument("--group-by", choices=["layer"], help="take paths together")
    command.add_argument(
        "--hide", action="append", default=[], metavar="Y/X", help="leave a step blank, a2/z2"
    )
    command.add_argument("--format", choices=FORMATS, help="default: text, or what -o ends in")
    command.add_argument("-o", "--out", type=Path, metavar="FILE", help="write to a file")
    command.set_defaults(run=_run_explain)


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


def _run_explain(options: argparse.Namespace, error: Callable[[str], NoReturn]) -> None:
    root, caller = _loaded(options.target, error)
    how = Options(
        options.form, options.digits, options.rounding,
        options.max_paths, options.top, options.group_by, options.hide,
    )  # fmt: skip
    try:
        derivation = explained(root, options.wrt, caller, None, how)
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as problem:
        error(str(problem))
    suffix = options.out.suffix if options.out else ""
    text = getattr(derivation, options.format or _BY_SUFFIX.get(suffix, "text"))()
    if options.out is None:
        print(text)
        return
    try:
        options.out.write_text(text + "\n", encoding="utf-8")
    except OSError as problem:
        error(f"cannot write to {options.out}: {problem.strerror}")
    print(options.out)


def _loaded(target: str, error: Callable[[str], NoReturn]) -> tuple[Any, Caller]:
    """A variable of a Python file, and the file as the caller whose variables give names."""
    name, colon, variable = target.rpartition(":")
    path = Path(name)
    if not colon or not name or not variable:
        error(f"{target!r} is no FILE:NAME such as model.py:E")
    try:
        source = path.read_bytes()
    except OSError as problem:
        error(f"cannot read {path}: {problem.strerror}")
    scope: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    sys.path.insert(0, str(path.resolve().parent))
    try:
        code = compile(source, str(path), "exec")
        exec(code, scope)  # noqa: S102 -- to run the user's file is what the user asks for
    except (Exception, SystemExit) as problem:  # noqa: BLE001 -- whatever the file raises
        error(f"{path} raised {type(problem).__name__}: {problem}")
    nodes = [key for key, x in scope.items() if isinstance(x, Node)]
    if variable not in scope:
        known = f"; its nodes are {', '.join(nodes)}" if nodes else "; it has no Value or Tensor"
        error(f"{path} has no variable {variable!r}{known}")
    return scope[variable], Caller([scope], code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without ∂ gets a ? instead of a crash
            stream.reconfigure(errors="replace")
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        options.run(options, parser.error)
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
