"""The way from a function of NumPy's or SciPy's to what answers for it."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from importlib import import_module
from typing import Any

from chainrule.ops import TABLE
from chainrule.ops.base import Op
from chainrule.ops.registry import BY_NUMPY

#: Families loaded when their functions meet a traced array: (module of NumPy's or SciPy's, ours).
LATE = {"numpy.fft": "fourier", "scipy.special": "special"}


def answer_for(function: Any) -> Any:
    """The op, or the function composed of ops, that answers for a function.

    Raises:
        TypeError: if there is none, with the ways out.
    """
    found = BY_NUMPY.get(function)
    if found is None:
        for foreign, family in LATE.items():
            if foreign in sys.modules:
                load(family)
        found = BY_NUMPY.get(function)
    if found is None:
        module = getattr(function, "__module__", None) or _home(function)
        name = f"{module}.{function.__name__}".replace("numpy.", "np.", 1)
        raise TypeError(
            f"chainrule has no rule for {name}: compose it of ops that have one, declare it"
            f" (cr.op), or apply it to .data"
        )
    return found


def _home(function: Any) -> str:
    """Where a ufunc lives: it does not say."""
    special = sys.modules.get("scipy.special")
    known = special is not None and getattr(special, function.__name__, None) is function
    return "scipy.special" if known else "numpy"


@cache
def load(family: str) -> Any:
    """Load a family of ops that import does not."""
    module = import_module(f"chainrule.ops.{family}")
    for declared in vars(module).values():
        if isinstance(declared, Op):
            TABLE.setdefault(declared.name, declared)
            declared.known = True
            if declared.numpy is not None:
                BY_NUMPY.setdefault(declared.numpy, declared)
    return module


_POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


def numpys_call(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A call without `out=None`, and with the leading arguments that were named in their place.

    Raises:
        TypeError: for an array to write the result into.
    """
    given = kwargs.pop("out", None)
    if given is None and len(args) > 1:
        position = out_position(function)
        if position is not None and len(args) > position:
            given, args = args[position], args[:position] + args[position + 1 :]
    if given is not None:
        raise TypeError(
            f"np.{function.__name__} cannot write the result into out=: it would leave the graph"
        )
    if kwargs and not args:
        for name in positional_names(function):
            if name not in kwargs:
                break
            args = (*args, kwargs.pop(name))
    return args, kwargs


@cache
def positional_names(function: Any) -> list[str]:
    """The names of the positional arguments of a NumPy function."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return []
    return [name for name, p in parameters.items() if p.kind in _POSITIONAL]


def out_position(function: Any) -> int | None:
    """The position of `out` among the arguments of a NumPy function."""
    names = positional_names(function)
    return names.index("out") if "out" in names else None
