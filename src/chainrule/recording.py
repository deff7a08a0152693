"""Whether operations record a graph here, and whether they are watched for NaN and infinity."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

#: What `recording()` returns: nothing is recorded; it is; it is, and every result is looked at.
OFF, ON, WATCHED = 0, 1, 2

_recording: ContextVar[int] = ContextVar("chainrule_recording", default=ON)
_watching: ContextVar[bool] = ContextVar("chainrule_watching", default=False)

_sweeping: ContextVar[bool] = ContextVar("chainrule_sweeping", default=False)

#: Whether rules are fed with the nodes of a graph here: views then are what they were.
sweeping = _sweeping.get
#: Whether operations record a graph here, and how (see `no_grad` and `detect_anomaly`).
recording = _recording.get
#: Whether results are looked at for NaN and infinity.
watching = _watching.get

_evaluating: ContextVar[bool] = ContextVar("chainrule_evaluating", default=False)
#: Whether modules are in use here, not in training (see `evaluation`).
evaluating = _evaluating.get
#: Not empty while modules are in use in any thread.
evaluations: list[None] = []

#: Not empty while a function is traced for compilation, in any thread.
tracers: list[Any] = []
_tracer: ContextVar[Any] = ContextVar("chainrule_tracer", default=None)
#: What traces here, or None.
tracer = _tracer.get


@contextmanager
def traced_by(capture: Any) -> Iterator[None]:
    """Let a capture see the leaves that operations meet, for the current thread or task."""
    tracers.append(capture)
    token = _tracer.set(capture)
    try:
        yield
    finally:
        _tracer.reset(token)
        tracers.remove(capture)


def shown(pairs: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """The nodes of a sweep with their cotangents, shown to what traces here."""
    capture = _tracer.get()
    for pair in pairs:
        if capture is not None:
            capture.note_cotangent(*pair)
        yield pair


def lift(inputs: Any) -> int:
    """Show the inputs of an op to what traces here; return the number of its next step."""
    capture = _tracer.get() if tracers else None
    return 0 if capture is None else capture.lift(inputs)


@contextmanager
def record_graph(on: bool = True) -> Iterator[bool]:
    """Switch recording on or off, for the current thread or task only."""
    token = _recording.set((WATCHED if watching() else ON) if on else OFF)
    try:
        yield on
    finally:
        _recording.reset(token)


def no_grad() -> AbstractContextManager[bool]:
    """Compute without recording: results are leaves that remember nothing of their inputs.

    Usable with `with` and as a decorator, `@no_grad()`; for the current thread or task only.
    """
    return record_graph(False)


@contextmanager
def evaluation(on: bool = True) -> Iterator[None]:
    """Let modules be as they are in use: dropout keeps everything, batch norm what it has learned.

    For the current thread or task only. `evaluation(False)` inside is training again.

    >>> import chainrule as cr
    >>> drop = cr.nn.Dropout(0.5, seed=0)
    >>> with cr.nn.evaluation():
    ...     print(drop(np.ones(4)))
    [1. 1. 1. 1.]
    """
    token = _evaluating.set(on)
    evaluations.append(None)
    try:
        yield
    finally:
        evaluations.pop()
        _evaluating.reset(token)


@contextmanager
def views_as_they_were(on: bool = True) -> Iterator[None]:
    """Let views not see later assignments: a sweep over nodes needs what was computed then."""
    token = _sweeping.set(on)
    try:
        yield
    finally:
        _sweeping.reset(token)


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Raise at the first op that makes NaN or infinity of finite numbers, forward or backward.

    The error names the op, its label and shape, and the line of the program. It costs time: use it
    to search, not to train. An infinity that you put in yourself (a mask) is no anomaly.

    Raises:
        FloatingPointError: inside the block, at the op in question.

    >>> import chainrule as cr
    >>> with cr.detect_anomaly():
    ...     try:
    ...         cr.grad(lambda x: np.sum(np.sqrt(x)))(np.array([4.0, 0.0]))
    ...     except FloatingPointError as error:
    ...         print(str(error).split(" recorded")[0], "|", str(error).split("made ")[1])
    the derivative of sqrt | inf of finite numbers, in the cotangent of shape (2,)
    """
    tokens = _watching.set(True), _recording.set(WATCHED if recording() else OFF)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        _watching.reset(tokens[0])
        _recording.reset(tokens[1])


def flaw(result: Any, sources: Any) -> str:
    """What is not finite in a result although the sources of it are: "NaN", "inf" or nothing."""
    if np.any(np.isnan(result)) and not any(np.any(np.isnan(x)) for x in sources):
        return "NaN"
    if np.any(np.isinf(result)) and all(np.all(np.isfinite(x)) for x in sources):
        return "inf"
    return ""
