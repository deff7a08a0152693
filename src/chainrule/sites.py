"""Where in the user's code a node was recorded, for error messages."""

from __future__ import annotations

import dis
import os
import sys
from types import CodeType, FrameType

import numpy as np

PACKAGE = os.path.join(os.path.dirname(__file__), "")  # noqa: PTH118, PTH120 -- pathlib is slow to import

#: Frames of files in these folders are never the user's.
_NOBODYS = (PACKAGE, os.path.join(os.path.dirname(np.__file__), ""))  # noqa: PTH118, PTH120
#: The place in the user's code that recorded a node: a code object and an offset in it.
Site = tuple[CodeType, int]
#: The argument of BINARY_OP from which on the operator assigns; that of `+` is 0, of `+=` this.
_IN_PLACE = 13


def user_site(depth: int) -> Site:
    """The innermost frame outside this package, from `depth` frames up (no frame is kept)."""
    frame = sys._getframe(depth)
    while frame.f_code.co_filename.startswith(_NOBODYS) and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code, frame.f_lasti


def user_frame(depth: int) -> FrameType:
    """The innermost frame outside this package, from `depth` frames up."""
    frame = sys._getframe(depth)
    while frame.f_code.co_filename.startswith(_NOBODYS) and frame.f_back is not None:
        frame = frame.f_back
    return frame


def rebinds(site: Site) -> bool:
    """Whether the instruction at a site is an operator that assigns, such as `+=`."""
    code, offset = site
    operator, argument = code.co_code[offset], code.co_code[offset + 1]
    return dis.opname[operator] == "BINARY_OP" and _IN_PLACE <= argument < 2 * _IN_PLACE


def site_text(site: Site) -> str:
    """File and line, as error messages write them."""
    code, offset = site
    numbers = [number for start, end, number in code.co_lines() if start <= offset < end and number]
    return f"{code.co_filename}, line {numbers[0] if numbers else code.co_firstlineno}"
