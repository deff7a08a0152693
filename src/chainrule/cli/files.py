"""Files that commands read and write."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from chainrule.engine import Node
from chainrule.formulas.naming import Caller
from chainrule.worksheet import Worksheet

if TYPE_CHECKING:
    from collections.abc import Callable

SUFFIX = ".chain"


def is_worksheet(path: str) -> bool:
    """Whether a file is a worksheet, by its name."""
    return path.endswith(SUFFIX)


class UnreadableError(Exception):
    """A file that cannot be read."""


def read_worksheet(path: str | Path) -> Worksheet:
    """A worksheet.

    Raises:
        UnreadableError: if the file cannot be read.
        WorksheetError: if it is none.
    """
    try:
        return Worksheet.read(path)
    except OSError as problem:
        raise UnreadableError(f"cannot read {path}: {problem.strerror}") from None


def write(text: str, out: Path | None, error: Callable[[str], NoReturn]) -> None:
    """Text to a file, or to the terminal."""
    if out is None:
        print(text)
        return
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as problem:
        error(f"cannot write to {out}: {problem.strerror}")
    print(out)


def loaded(target: str, error: Callable[[str], NoReturn]) -> tuple[Any, Caller]:
    """A variable of a Python file, and the file as the caller whose variables give names."""
    name, colon, variable = target.rpartition(":")
    path = Path(name)
    if is_worksheet(name):
        error(f"{target!r}: a worksheet goes by its name alone, {name}")
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
