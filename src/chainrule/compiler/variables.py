"""Names for results, read from the bytecode of the program that computed them."""

from __future__ import annotations

import dis
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType


@cache
def _stores(code: CodeType) -> dict[int, str]:
    """For an instruction the variable that its result goes to at once."""
    found = {}
    instructions = [
        i for i in dis.get_instructions(code) if i.opname not in {"CACHE", "EXTENDED_ARG"}
    ]
    for now, following in pairwise(instructions):
        if following.opname.startswith("STORE_") and isinstance(following.argval, str | tuple):
            name = following.argval
            found[now.offset] = name if isinstance(name, str) else name[0]
    return found


def assigned_name(site: Any) -> str:
    """The variable that the result computed at a place goes to, or nothing."""
    if site is None:
        return ""
    code, offset = site
    return _stores(code).get(offset, "")


def unpacked_names(code: Any, variable: str, count: int) -> list[str]:
    """The names in `a, b, c = variable`, where the program has such a line, or nothing."""
    if code is None:
        return []
    instructions = [
        i for i in dis.get_instructions(code) if i.opname not in {"CACHE", "EXTENDED_ARG"}
    ]
    for position, now in enumerate(instructions[1:], start=1):
        before = instructions[position - 1]
        if now.opname == "UNPACK_SEQUENCE" and now.arg == count and before.argval == variable:
            names: list[str] = []
            for following in instructions[position + 1 :]:
                if not following.opname.startswith("STORE_") or len(names) >= count:
                    break
                value = following.argval
                names += [value] if isinstance(value, str) else list(value)
            if len(names) >= count:
                return names[:count]
    return []
