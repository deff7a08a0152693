"""The list of array operations that a function performs, each recorded once.

A function is run on placeholders that carry actual numbers, so shapes, dtypes and views are those
of NumPy itself; what is recorded is every call that meets a placeholder.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.compiler.tracing.calls import Call, Fixed, Ref, refs_of
from chainrule.errors import CompileError
from chainrule.fingerprint import fingerprint
from chainrule.recording import tracer
from chainrule.sites import Site, site_text, user_site

#: Objects that are written out in source.
LITERAL = (bool, int, float, complex, str, type(None), type(...), np.dtype, type)


#: In place of a result that is not known yet.
UNFORESEEN = object()
#: The keyword arguments of a step that has none.
NO_OPTIONS: dict[str, Any] = {}


class Step:
    """One recorded call: what is called with what, and what came out."""

    __slots__ = (
        "args",
        "call",
        "ignoring",
        "kwargs",
        "number",
        "product",
        "reads",
        "site",
        "uniform",
        "value",
    )

    def __init__(
        self,
        number: int,
        call: Call | None,
        args: Any,
        kwargs: Any,
        value: Any,
        site: Any,
        reads: list[int] | None = None,
    ) -> None:
        self.number = number
        self.call = call
        self.args = args
        self.kwargs = kwargs
        self.value = value
        #: The steps that this one reads.
        self.reads = reads if reads is not None else refs_of([args, *kwargs.values()])
        self.site: Site | None = site
        #: The one number that all entries are known to be, or None.
        self.uniform: float | None = None
        #: Whether it is a partial times a cotangent, in which zero wins over infinity.
        self.product = False
        #: What NumPy was told not to warn of.
        self.ignoring: tuple[str, ...] = ()


def refusal(message: str) -> CompileError:
    """The error of a function that cannot be compiled; it counts also where it is caught."""
    error = CompileError(message)
    capture = tracer()
    if capture is not None and capture.trace.refusal is None:
        capture.trace.refusal = error
    return error


class Guard(NamedTuple):
    """A condition that the library looked at, with its truth then."""

    number: int
    truth: bool


class Trace:
    """What a function did, on its way to become source."""

    def __init__(self, placeholder: Any, *, exact: bool = False, twin: Trace | None = None) -> None:
        self._class = placeholder
        #: What an earlier call with the same arguments did; its results are taken again.
        self.twin = twin
        #: Whether results have to be the same bit by bit as those of the calls as they are.
        self.exact = exact
        self.steps: list[Step] = []
        self.known: dict[Any, int] = {}
        #: Constant arrays and other objects, by reference, with their fingerprints.
        self.constants: list[Any] = []
        self.prints: list[Any] = []
        self._positions: dict[int, int] = {}
        self.guards: list[Guard] = []
        #: Views of what is no first operand: nothing that they share memory with may be changed.
        self.loose: list[np.ndarray] = []
        #: What was refused, also where the function caught the error.
        self.refusal: CompileError | None = None
        #: Whether a call raised an error of numbers, such as a division by zero.
        self.failed = False
        #: Whether entries were changed: then it matters what is a view of what.
        self.changed = False
        self._ambient = _ignored()
        self._errors = list(np.geterr().values())

    def input(self, value: Any) -> int:
        """A new step without a call."""
        if isinstance(value, np.ndarray):
            value = value.view()
            value.flags.writeable = False
        step = Step(len(self.steps), None, (), {}, value, None)
        self.steps.append(step)
        return step.number

    def placeholder(self, number: int) -> Any:
        """A placeholder for the result of a step."""
        return self._class(self, number)

    def fixed(self, thing: Any) -> Fixed:
        """A constant by reference."""
        position = self._positions.get(id(thing))
        if position is None:
            position = self._positions[id(thing)] = len(self.constants)
            self.constants.append(thing)
            self.prints.append(fingerprint(thing) if isinstance(thing, np.ndarray) else None)
        elif isinstance(thing, np.ndarray):
            self._check_constant(position)
        return Fixed(position)

    def check_constants(self) -> None:
        """Raise where a constant was written into while it was in use."""
        for position in range(len(self.constants)):
            self._check_constant(position)

    def _check_constant(self, position: int) -> None:
        thing, before = self.constants[position], self.prints[position]
        if before is not None and fingerprint(thing) != before:
            raise refusal(
                f"an array of shape {thing.shape} that is no argument was written into during"
                f" tracing: every call would do so only once; make a new array instead, or pass"
                f" it as an argument and return what becomes of it"
            )

    def operand(self, argument: Any) -> Any:
        """An argument of a step as one that a new call can be made with."""
        if isinstance(argument, Ref):
            return self.placeholder(argument.number)
        return self.constants[argument.position] if isinstance(argument, Fixed) else argument

    def foreseen(self, call: Call, args: Any, kwargs: Any) -> Any:
        """The result that the same call had in the twin, or UNFORESEEN."""
        return self._foreseen(key_of_call(call, args, kwargs)) if self.twin else UNFORESEEN

    def _foreseen(self, key: Any) -> Any:
        if self.twin is None or self.twin.known.get(key) != len(self.steps):
            return UNFORESEEN  # nothing, or the call was made at another place
        return self.twin.steps[len(self.steps)].value

    def step(self, call: Call, args: Any, kwargs: Any, value: Any) -> Step:
        """The step of a call; an equal one that was recorded before is taken again."""
        key = key_of_call(call, args, kwargs)
        number = self.known.get(key)
        if number is not None:
            return self.steps[number]
        seen = self._foreseen(key)
        value = value if seen is UNFORESEEN else seen
        if isinstance(value, np.ndarray) and value.base is None:
            value.flags.writeable = False  # what NumPy would write into would not be recorded
        return self.steps[self.add(key, call, args, value, kwargs=kwargs)]

    def add(
        self,
        key: Any,
        call: Call,
        args: Any,
        value: Any,
        *,
        kwargs: Any = NO_OPTIONS,
        reads: list[int] | None = None,
        quiet: bool = False,
    ) -> int:
        """A new step; `quiet` where NumPy never warns of it."""
        step = Step(len(self.steps), call, args, kwargs, value, user_site(4), reads)
        if not quiet and "raise" in np.geterr().values() and "raise" not in self._errors:
            where = site_text(user_site(3))
            raise refusal(
                f"np.errstate asks for errors at {where}, which compiled code does not raise: look"
                f" at the results outside"
            )
        if not quiet:
            step.ignoring = tuple(kind for kind in _ignored() if kind not in self._ambient)
        self.known[key] = step.number
        self.steps.append(step)
        return step.number

    def guard(self, number: int, truth: bool) -> None:
        """Note what a condition of the library's own was."""
        if Guard(number, truth) not in self.guards:
            self.guards.append(Guard(number, truth))

    def where(self, number: int) -> str:
        """The line that recorded a step."""
        site = self.steps[number].site
        return f" at {site_text(site)}" if site else ""


def key_of_call(call: Call, args: Any, kwargs: Any) -> Any:
    """Something hashable that is equal for calls that do the same."""
    foreign = id(call.function) if call.style == "foreign" else 0
    return (call.text, call.style, foreign, key_of(args), key_of(kwargs))


def key_of(x: Any) -> Any:
    """Something hashable that is equal for arguments that do the same."""
    if isinstance(x, Ref | Fixed):
        return x
    if isinstance(x, list | tuple):
        return (type(x).__name__, *[key_of(item) for item in x])
    if isinstance(x, dict):
        return tuple((name, key_of(item)) for name, item in sorted(x.items()))
    if isinstance(x, slice):
        return ("slice", key_of(x.start), key_of(x.stop), key_of(x.step))
    return (type(x).__name__, repr(x))


def is_uniform(array: np.ndarray) -> bool:
    """Whether all entries are one number, with one sign where it is zero."""
    if not array.size or not (array == array.flat[0]).all():
        return False
    if array.flat[0] or array.dtype.kind not in "fc":
        return True
    signs = [np.signbit(part) for part in (array.real, array.imag)]
    return all(sign.all() or not sign.any() for sign in signs)


def _ignored() -> tuple[str, ...]:
    return tuple(kind for kind, what in np.geterr().items() if what == "ignore" and kind != "under")
