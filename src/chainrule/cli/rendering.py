"""`chainrule render`: the graph of a Python file or a worksheet as a picture or a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from chainrule.cli.files import is_worksheet, loaded, read_worksheet
from chainrule.engine import Node, newest_first
from chainrule.formulas.naming import Caller
from chainrule.formulas.vocabulary import Vocabulary
from chainrule.pictures.drawing.themes import THEMES
from chainrule.pictures.placing.engines import ENGINES
from chainrule.pictures.showing.options import DIRECTIONS, checked
from chainrule.pictures.view import viewed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_render(commands: Any) -> None:
    command = commands.add_parser(
        "render",
        help="draw the computation graph of a worksheet or of a Python file",
        description=(
            "Draw a computation graph, with values, gradients and local derivatives. A Python file"
            " is run; the names in the picture are those of the file."
        ),
    )
    add = command.add_argument
    add(
        "target",
        metavar="FILE",
        help="a worksheet, or a Python file and a variable of it, model.py:loss",
    )
    add(
        "-o", "--out", type=Path, required=True, metavar="FILE",
        help=".svg, .html (a page), .png, .pdf, .webp, .gif or .apng (steps), .dot or .json",
    )  # fmt: skip
    add("--path", metavar="NAME", help="light up every path from this node, w1 or W1[2,0]")
    add("--around", metavar="NAME", help="only what is near this node")
    add("--radius", type=int, default=2, metavar="N", help="how near (default: %(default)s edges)")
    add("--depth", type=int, metavar="N", help="open so many levels of scopes")
    add("--expand", action="append", default=[], metavar="SCOPE", help="open this scope")
    add("--collapse", action="append", default=[], metavar="SCOPE", help="close this scope")
    add(
        "--show", action="append", choices=("value", "grad", "local"),
        help="what to show (default: all three)",
    )  # fmt: skip
    add("--digits", type=int, default=4, metavar="N", help="significant digits")
    add("--theme", choices=THEMES, help="default: light, auto for a page")
    add("--direction", choices=DIRECTIONS, default="LR", help="default: %(default)s")
    add("--dpi", type=float, default=192.0, metavar="N", help="of a PNG (default: 192)")
    add("--max-nodes", type=int, default=150, metavar="N", help="default: %(default)s")
    add("--max-edges", type=int, default=400, metavar="N", help="default: %(default)s")
    add("--engine", choices=ENGINES, default="auto", help="default: %(default)s")
    command.set_defaults(run=run_render)


def run_render(options: argparse.Namespace, error: Callable[[str], NoReturn]) -> None:
    """Draw a graph, after its backward pass."""
    path, around = options.path, options.around
    if is_worksheet(options.target):
        sheet = read_worksheet(options.target)
        root, caller = sheet.root, Caller([], (lambda: None).__code__)
        names = Vocabulary(sheet.nodes)  # in any spelling
        path, around = (text and (names.find(text) or text) for text in (path, around))
    else:
        root, caller = loaded(options.target, error)
    try:
        look = checked(
            around, options.radius, options.depth, options.expand, options.collapse,
            options.show or ("value", "grad", "local"), options.digits, options.theme,
            options.direction, options.dpi, options.max_nodes, options.max_edges, options.engine,
        )  # fmt: skip
        _differentiate(root)
        file = viewed(root, caller, None, look, path).render(options.out)
    except (TypeError, ValueError, ArithmeticError, RuntimeError, ImportError) as problem:
        error(str(problem))
    except OSError as problem:
        error(f"cannot write to {options.out}: {problem.strerror}")
    print(file)


def _differentiate(root: Any) -> None:
    """The backward pass, if the file has not done it."""
    if not isinstance(root, Node) or np.size(root._held) != 1:
        return
    if all(leaf.grad is None for leaf in newest_first(root) if leaf.op is None):
        root.backward()
