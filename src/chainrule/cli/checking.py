"""`chainrule check`: the verdicts on the claims in a worksheet."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from chainrule.cli.files import UnreadableError, read_worksheet, write
from chainrule.worksheet import WorksheetError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_check(commands: Any) -> None:
    command = commands.add_parser(
        "check",
        help="check the derivatives that a worksheet claims",
        description=(
            "Check every claim in a worksheet: is it right, and if not, where and why is it wrong?"
            " The exit code is 0 if nothing is wrong, 1 if something is, or cannot be told, and 2"
            " for a worksheet that cannot be read."
        ),
    )
    command.add_argument("files", nargs="+", metavar="FILE", help="worksheets, two_neurons.chain")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--html", action="store_true", help="print an HTML page")
    command.add_argument(
        "--color",
        choices=["auto", "always", "never"],
        default="auto",
        help="colours in the terminal (default: %(default)s; NO_COLOR turns them off)",
    )
    command.add_argument("-o", "--out", type=Path, metavar="FILE", help="write to a file")
    command.set_defaults(run=run_check)


def run_check(options: argparse.Namespace, error: Callable[[str], NoReturn]) -> int:
    """Print a report for each worksheet."""
    if options.html and len(options.files) > 1:
        error("--html makes a page of one worksheet")
    reports, broken = [], []
    for file in options.files:
        try:
            reports.append((file, read_worksheet(file).report()))
        except (WorksheetError, UnreadableError) as problem:
            broken.append(str(problem))
    if not reports:
        error("\n".join(broken))
    if options.json:
        data = [{"file": file, **report.to_dict()} for file, report in reports]
        shown: Any = data[0] if len(options.files) == 1 else data
        text = json.dumps(shown, ensure_ascii=False, indent=2)
    elif options.html:
        text = reports[0][1].html().rstrip()
    else:
        color = options.out is None and wants_color(options.color)
        texts = [report.text(color=color) for _, report in reports]
        if len(options.files) > 1:
            texts = [f"{file}\n{t}\n" for (file, _), t in zip(reports, texts, strict=True)]
        text = "\n".join(texts)
    write(text, options.out, error)
    if broken:
        error("\n".join(broken))
    return int(any(report.findings and not report.ok for _, report in reports))


def wants_color(choice: str) -> bool:
    """Whether the terminal gets colours."""
    if choice != "auto":
        return choice == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
