"""`chainrule explain`: a Python file or a worksheet as the graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from chainrule.cli.files import is_worksheet, loaded, read_worksheet, write
from chainrule.derivation.explanation import FORMS, Options, explained
from chainrule.formulas.naming import Caller
from chainrule.formulas.vocabulary import Vocabulary
from chainrule.verification.targets import fraction

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

FORMATS = ("text", "latex", "markdown", "html")
_BY_SUFFIX = {".tex": "latex", ".md": "markdown", ".html": "html", ".htm": "html"}


def add_explain(commands: Any) -> None:
    command = commands.add_parser(
        "explain",
        help="print the chain-rule derivation of a gradient",
        description=(
            "Print the derivation of a gradient in a worksheet, or of a variable of a Python file,"
            " which is run. The names in it are those of the file."
        ),
    )
    command.add_argument(
        "target",
        metavar="FILE",
        help="a worksheet, or a Python file and a variable of it, model.py:E",
    )
    command.add_argument(
        "derivative", nargs="?", metavar="dE/dw", help="for a worksheet: what to explain, dE/dw1"
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
    command.set_defaults(run=run_explain)


def _root_of(
    target: str, derivative: str | None, error: Callable[[str], NoReturn]
) -> tuple[Any, Caller, str | None]:
    """The root of a graph, whose variables give names, and what to differentiate in."""
    if not is_worksheet(target):
        if derivative is not None:
            error(f"{derivative!r}: for a Python file say what to explain with --wrt")
        root, caller = loaded(target, error)
        return root, caller, None
    sheet = read_worksheet(target)
    caller = Caller([], (lambda: None).__code__)
    if derivative is None:
        return sheet.root, caller, None
    y, x = fraction(derivative) or (None, derivative)
    names = Vocabulary(sheet.nodes)
    base, bracket, index = x.partition("[")
    known = names.find(x) or names.find(base)
    if known is None:
        error(f"{x!r} is not computed in {target}: {names.nearest(x)}")
    root = sheet.root if y is None else sheet.nodes.get(names.find(y) or "")
    if root is None:
        error(f"{y!r} is not computed in {target}: {names.nearest(str(y))}")
    return root, caller, known if known == x or names.find(x) else known + bracket + index


def run_explain(options: argparse.Namespace, error: Callable[[str], NoReturn]) -> None:
    """Print a derivation, or write it to a file."""
    derivative, wrt = options.derivative, options.wrt
    if is_worksheet(options.target) and derivative is None:  # in any spelling of its names
        derivative, wrt = wrt, None
    root, caller, named = _root_of(options.target, derivative, error)
    how = Options(
        options.form, options.digits, options.rounding,
        options.max_paths, options.top, options.group_by, options.hide,
    )  # fmt: skip
    try:
        derivation = explained(root, wrt or named, caller, None, how)
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as problem:
        error(str(problem))
    suffix = options.out.suffix if options.out else ""
    text = getattr(derivation, options.format or _BY_SUFFIX.get(suffix, "text"))()
    write(text, options.out, error)
