"""Where in the user's code a node was recorded, for error messages."""

from __future__ import annotations

import os
import sys
from types import CodeType

PACKAGE = os.path.join(os.path.dirname(__file__), "")  # noqa: PTH118, PTH120 -- pathlib is slow to import

#: The place in the user's code that recorded a node: a code object and an offset in it.
Site = tuple[CodeType, int]


def user_site(depth: int) -> Site:
    """The innermost frame outside this package, from `depth` frames up (no frame is kept)."""
    frame = sys._getframe(depth)
    while frame.f_code.co_filename.startswith(PACKAGE) and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code, frame.f_lasti


def site_text(site: Site) -> str:
    """File and line, as error messages write them."""
    code, offset = site
    numbers = [number for start, end, number in code.co_lines() if start <= offset < end and number]
    return f"{code.co_filename}, line {numbers[0] if numbers else code.co_firstlineno}"
