"""`compile`: a function as straight-line NumPy, traced once for each signature."""

from __future__ import annotations

import gc
import warnings
from contextlib import contextmanager
from copy import copy
from functools import update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.program import Mismatch, Program, Unusual, program_of
from chainrule.compiler.tracing.capture import is_traced, recorded_call, require_same
from chainrule.compiler.tracing.outside import kept_as_it_was
from chainrule.engine import Node
from chainrule.errors import CompileError
from chainrule.ops.base import shape_of
from chainrule.recording import ON, evaluating, evaluations, recording, tracer, tracers
from chainrule.sites import user_site
from chainrule.trees import flatten, map_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from chainrule.compiler.tracing.capture import Recording

#: So many signatures are unlikely to be meant.
MANY = 16


class Compiled:
    """What `compile` returns: called like the function, with the same results."""

    def __init__(self, f: Callable[..., Any], check: bool) -> None:
        if not callable(f):
            raise TypeError(f"cr.compile takes a function, got {type(f).__name__}")
        update_wrapper(self, f, updated=())
        self.function = f
        self.check = check
        self.name = getattr(f, "__name__", type(f).__name__)
        #: The programs by signature, the one used last in front.
        self.programs: list[Program] = []
        #: That one as a plain function, where it changes nothing: any error starts anew.
        self._shortcut: Callable[..., Any] | None = None

    @property
    def source(self) -> str:
        """The source of the last signature called."""
        return self._last().source

    def save(self, path: str | Path) -> None:
        """Write the source as a module that needs nothing but NumPy."""
        self._last().save(path)

    def _last(self) -> Program:
        if not self.programs:
            raise CompileError("nothing is compiled before the first call: call it once")
        return self.programs[0]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        shortcut = self._shortcut
        if shortcut is not None and not (kwargs or tracers or evaluations) and recording() == ON:
            try:
                return shortcut(*args)
            except Exception:  # noqa: BLE001 -- it is raised again where it means something
                return self._called(args, kwargs)
        return self._called(args, kwargs)

    def _called(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if recording() != ON or evaluating() or (tracers and tracer() is not None):
            return self.function(*args, **kwargs)
        programs = self.programs
        for program in programs:
            if program.count != len(args) or program.keywords != tuple(kwargs):
                continue
            try:
                result = program(args, kwargs)
            except Mismatch:
                continue
            except Unusual:
                return self._itself(args, kwargs)
            if program is not programs[0]:
                programs.remove(program)
                self._put_first(program)
            return result
        return self._first(args, kwargs)

    def _put_first(self, program: Program) -> None:
        self.programs.insert(0, program)
        self._shortcut = program.shortcut

    def _first(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        leaves = flatten([list(args), kwargs])[0]
        if any(is_traced(x) or is_subclassed(x) for x in leaves):
            return self.function(*args, **kwargs)
        if len(self.programs) >= MANY:
            warnings.warn(
                f"{MANY} signatures of {self.name} are compiled, the oldest is"
                f" forgotten: every new shape, whole number or text costs a compilation; pass a"
                f" float or an array for a number that changes",
                RuntimeWarning,
                stacklevel=4,
            )
            self.programs.pop()
        try:
            program, first = self._compiled(args, kwargs, user_site(3))
        except (ArithmeticError, ValueError) as error:  # raised where it means something, if so
            result = self._itself(args, kwargs)
            warnings.warn(
                f"{self.name} runs as it is, not compiled: tracing it raised {error!r}",
                RuntimeWarning,
                stacklevel=4,
            )
            return result
        try:
            result = program(args, kwargs)
            if self.check:
                require_equal(result, first.result)
        except Unusual:
            result = self._itself(args, kwargs)
        self._put_first(program)
        return result

    def _itself(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of the function itself, in arrays that are nobody else's."""
        return map_tree(own_data, self.function(*args, **kwargs))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method of a class it is called with its object first."""
        return self if instance is None else MethodType(self, instance)

    def _compiled(self, args: Any, kwargs: Any, caller: Any) -> tuple[Program, Recording]:
        """The program of a signature, and what was recorded for it."""
        with without_collector(), kept_as_it_was(self.function):
            first = recorded_call(self.function, args, kwargs, caller)
            again = recorded_call(self.function, args, kwargs, caller, first)
            require_same(first, again)
            # Now all leaves had a gradient before.
            first = first._replace(forgotten=again.forgotten, added=again.added)
            return program_of(self.function, first, args, kwargs), first

    def __repr__(self) -> str:
        return f"<compiled {self.name}, {len(self.programs)} signature(s)>"


@contextmanager
def without_collector() -> Iterator[None]:
    """Let the cycle collector rest: it would walk again and again through what is recorded."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def own_data(x: Any) -> Any:
    """Of a node its data: a number, or an array that is nobody else's."""
    if not isinstance(x, Node):
        return x
    return x.data[()] if x.op is not None and shape_of(x.data) == () else copy(x.data)


def is_subclassed(x: Any) -> bool:
    """Whether x is more than an array, such as a masked one."""
    return isinstance(x, np.ndarray) and type(x) is not np.ndarray


def require_equal(result: Any, traced: Any) -> None:
    """Raise CompileError where a result is not what NumPy gave while the function was traced."""
    pairs = zip(flatten(result)[0], flatten(traced)[0], strict=True)
    for i, (given, expected) in enumerate(pairs):
        if isinstance(expected, Node):
            expected = expected._held  # noqa: PLW2901
        expected = getattr(expected, "value", expected)  # noqa: PLW2901
        if not isinstance(expected, np.ndarray | np.generic | float | complex):
            continue
        eps = np.finfo(np.result_type(expected, np.float32)).eps
        size = np.max(np.abs(expected), initial=0, where=np.isfinite(expected))
        if not np.allclose(
            given, expected, rtol=_ULPS * eps, atol=_ULPS * eps * size, equal_nan=True
        ):
            raise CompileError(
                f"result {i} of the compiled function is not that of the function itself: please"
                f" report it, and call the function without cr.compile until then"
            )


#: Roundings that another order of additions may cost.
_ULPS = 256


def compile(f: Callable[..., Any], *, check: bool = False) -> Compiled:  # noqa: A001
    """`f` as straight-line NumPy code, traced at its first call and again for new shapes.

    The result of a call is that of `f` up to rounding, in arrays that are nobody else's. `f` is a
    loss, a `cr.value_and_grad(...)`, a whole training step: whatever computes with NumPy and this
    library. It is called twice with placeholders for all arrays and floats among its arguments;
    whole numbers, texts and other objects are fixed, and new ones compile anew. Arrays that are no
    arguments are constants. Tensors and Values that are no arguments are read anew in every call,
    and changed as `f` changes them.

    The compiled function has the attribute `source`, the code of the signature called last, and
    the method `save(path)`, which writes that code as a module that needs nothing but NumPy.

    Args:
        f: the function.
        check: compare the results of the first call with those of `f`.

    Raises:
        CompileError: at the first call, where `f` decides by numbers (`if x > 0`), draws random
            numbers, prints, writes into its arguments, or gives results whose shape depends on
            numbers; the message has the line and the way out.

    >>> import chainrule as cr
    >>> gradient = cr.compile(cr.grad(lambda w, x: np.sum(np.tanh(x @ w))))
    >>> gradient(np.zeros(2), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    return Compiled(f, check)
