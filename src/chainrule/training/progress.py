"""Bars that show how far something is, with tqdm (extra `progress`)."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chainrule.training.history import History


def progress_is_seen() -> bool:
    """Whether a bar can be drawn and somebody would see it."""
    return sys.stderr.isatty() and importlib.util.find_spec("tqdm") is not None


@contextmanager
def training_bar(epochs: int, progress: bool | None) -> Iterator[Callable[[History], None]]:
    """A tqdm bar of epochs, or nothing where it would not be seen."""
    delay = 0.0 if progress else 0.5
    if progress is None:
        progress = progress_is_seen()
    if not progress:
        yield lambda history: None  # noqa: ARG005
        return
    tqdm = _tqdm()
    with tqdm(total=epochs, unit="epoch", delay=delay) as bar:

        def show(history: History) -> None:
            bar.n = history.epochs
            bar.set_postfix_str(history.in_short(), refresh=False)
            bar.update(0)

        yield show


@contextmanager
def progress_bar(total: int, unit: str, *, shown: bool) -> Iterator[Callable[[], None]]:
    """A bar that each call of what it yields moves on by one; nothing if it is not shown."""
    if not shown:
        yield lambda: None
        return
    with _tqdm()(total=total, unit=unit) as bar:
        yield lambda: bar.update(1)


def _tqdm() -> Any:
    try:
        return importlib.import_module("tqdm").tqdm
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the progress bar needs tqdm: pip install 'chainrule[progress]', or progress=False"
        ) from None
