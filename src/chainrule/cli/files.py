"""Files that commands read and write."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from chainrule.worksheet import Worksheet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SUFFIX = ".chain"


def is_worksheet(path: str) -> bool:
    """Whether a file is a worksheet, by its name."""
    return path.endswith(SUFFIX)


def read_worksheet(path: str | Path, error: Callable[[str], NoReturn]) -> Worksheet:
    """A worksheet.

    Raises:
        WorksheetError: if it is none.
    """
    try:
        return Worksheet.read(path)
    except OSError as problem:
        error(f"cannot read {path}: {problem.strerror}")


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
