"""Which engine lays a picture out."""

from __future__ import annotations

import importlib.util
import shutil
from typing import TYPE_CHECKING

from chainrule.pictures.placing.graphviz_layout import (
    LayoutError,
    SlowLayoutError,
    by_program,
    by_wheel,
)
from chainrule.pictures.placing.layered import layered

if TYPE_CHECKING:
    from chainrule.pictures.placing.plan import Layout, Task

ENGINES = ("auto", "dot", "pygraphviz", "built-in")
#: Graphviz is not asked for more boxes, and not for longer.
MOST_BOXES, MOST_SECONDS = 3000, 10.0


def placed(task: Task, engine: str = "auto") -> Layout:
    """The layout of a task.

    "auto" takes the `dot` program, else pygraphviz, else the built-in layout, which also takes over
    when one of them fails, takes longer than 10 s, or would have more than 3,000 boxes to place.

    Raises:
        ValueError: for an unknown engine.
        LayoutError: if the engine named explicitly is missing or fails.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine={engine!r}: one of {', '.join(ENGINES)}")
    if engine == "built-in" or not task.sizes:
        return layered(task)
    if engine == "dot" and shutil.which("dot") is None:
        raise LayoutError(
            "engine='dot' needs the dot program of Graphviz on the PATH: apt install graphviz, brew"
            " install graphviz, winget install graphviz, or conda install graphviz; engine='auto'"
            " does without"
        )
    if engine == "pygraphviz" and not _has_wheel():
        raise LayoutError(
            "engine='pygraphviz' needs pygraphviz: pip install 'chainrule[pictures]'; engine='auto'"
            " does without"
        )
    if len(task.sizes) > MOST_BOXES:
        layout = layered(task)
        layout.remark = (
            f"built-in layout: {len(task.sizes):,} boxes are too many for Graphviz"
            f" (limit {MOST_BOXES:,})"
        )
        return layout
    if engine == "dot" or (engine == "auto" and shutil.which("dot")):
        ask = by_program
    elif engine == "pygraphviz" or _has_wheel():
        ask = by_wheel
    else:
        return layered(task)
    try:
        return ask(task, MOST_SECONDS)
    except LayoutError as problem:
        if engine != "auto" and not isinstance(problem, SlowLayoutError):
            raise
        layout = layered(task)
        layout.remark = f"built-in layout: {problem}"
        return layout


def _has_wheel() -> bool:
    return importlib.util.find_spec("pygraphviz") is not None
