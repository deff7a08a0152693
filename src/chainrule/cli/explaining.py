"""`chainrule explain` and `chainrule render`: a Python file or a worksheet as the graph."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from chainrule.cli.files import is_worksheet, read_worksheet, write
from chainrule.derivation.explanation import FORMS, Options, explained
from chainrule.engine import Node
from chainrule.formulas.naming import Caller
from chainrule.formulas.vocabulary import Vocabulary
from chainrule.pictures import graph
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


def add_render(commands: Any) -> None:
    command = commands.add_parser(
        "render",
        help="draw the computation graph of a worksheet or of a Python file",
        description="Draw a computation graph, with values, gradients and local derivatives.",
    )
    command.add_argument(
        "target",
        metavar="FILE",
        help="a worksheet, or a Python file and a variable of it, model.py:E",
    )
    command.add_argument(
        "-o", "--out", type=Path, required=True, metavar="FILE", help=".svg, .png or .dot"
    )
    command.add_argument("--digits", type=int, default=4, metavar="N", help="significant digits")
    command.set_defaults(run=run_render)


def run_render(options: argparse.Namespace, error: Callable[[str], NoReturn]) -> None:
    """Draw a graph, after its backward pass."""
    root, _, _ = _root_of(options.target, None, error)
    try:
        root.backward()
        path = graph(root, digits=options.digits).render(options.out)
    except (TypeError, ValueError, ArithmeticError, RuntimeError, ImportError) as problem:
        error(str(problem))
    except OSError as problem:
        error(f"cannot write to {options.out}: {problem.strerror}")
    print(path)


def _root_of(
    target: str, derivative: str | None, error: Callable[[str], NoReturn]
) -> tuple[Any, Caller, str | None]:
    """The root of a graph, whose variables give names, and what to differentiate in."""
    if not is_worksheet(target):
        if derivative is not None:
            error(f"{derivative!r}: for a Python file say what to explain with --wrt")
        root, caller = _loaded(target, error)
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
