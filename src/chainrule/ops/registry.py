"""Which function answers for one of NumPy's when it meets a traced array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from chainrule.traced import plain

#: The functions that answer with plain data.
PLAIN: set[Any] = set()

Body = TypeVar("Body", bound=Callable[..., Any])

#: NumPy function -> what answers for it on a traced array: an op, or a function composed of ops.
BY_NUMPY: dict[Any, Callable[..., Any]] = {}


def answers(*functions: Any) -> Callable[[Body], Body]:
    """Let a function composed of ops answer for functions of NumPy's.

    The body has NumPy's parameters; its ops bring their derivatives. A function that an older NumPy
    does not have is given by its name.
    """

    def register(body: Body) -> Body:
        for function in functions:
            known = getattr(np, function, None) if isinstance(function, str) else function
            if known is not None:
                BY_NUMPY[known] = body
        return body

    return register


def answers_plainly(*functions: Any) -> None:
    """Let functions with a piecewise constant or non-numeric result answer with plain data."""
    for function in functions:
        BY_NUMPY[function] = _on_plain_data(function)
        PLAIN.add(function)


def _on_plain_data(function: Any) -> Callable[..., Any]:
    def computed(*args: Any, **kwargs: Any) -> Any:
        return function(
            *[bare(x) for x in args], **{key: bare(value) for key, value in kwargs.items()}
        )

    return computed


def bare(x: Any) -> Any:
    """Plain data all through lists and tuples."""
    if isinstance(x, list | tuple):
        return type(x)(bare(item) for item in x)
    return plain(x)
