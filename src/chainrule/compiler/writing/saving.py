"""A program as a module that needs nothing but NumPy."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What a module has besides its function.
TAKEN = {"np", "math", "base64", "make", "Mismatch", "Unusual", "array"}
_HEAD = '''"""{name}, compiled by chainrule. It needs nothing but NumPy."""

import base64

{source}

class Mismatch(TypeError):
    """The arguments are not those that the function was compiled for."""


class Unusual(ArithmeticError):
    """Numbers came up that only chainrule itself treats as it should: infinity times zero."""


def array(text, dtype, shape):
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)


{name} = make(
{constants})
'''


def module_text(name: str, source: str, outside: Mapping[str, Any]) -> str:
    """The text of the module.

    Raises:
        CompileError: where the source needs something that cannot be written down.
    """
    lines = []
    for key, thing in outside.items():
        if not isinstance(thing, np.ndarray | np.generic):
            raise CompileError(
                f"{name} cannot be saved: it needs {getattr(thing, '__name__', thing)!r} from"
                f" outside of NumPy"
            )
        held = np.ascontiguousarray(thing)
        text = base64.b64encode(held.tobytes()).decode()
        lines.append(f"    {key}=array({text!r}, {held.dtype.str!r}, {np.shape(thing)!r}),\n")
    return _HEAD.format(name=name, source=source, constants="".join(lines))
