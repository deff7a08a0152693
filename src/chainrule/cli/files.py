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
