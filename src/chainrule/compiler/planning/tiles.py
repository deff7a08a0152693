"""Long runs of elementwise calls, computed piece by piece so that pieces stay in the cache."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.tracing.calls import CLIP, Fixed, Ref

if TYPE_CHECKING:
    from chainrule.compiler.tracing.trace import Step, Trace

#: Arrays of fewer bytes stay in the cache as they are.
LARGE = 2**18
#: All pieces of a run together, and one piece, in bytes.
ALL_PIECES, LEAST_PIECE, MOST_PIECE = 2**21, 2**16, 2**18


class Run:
    """Elementwise steps on arrays of one shape, and sums over all of their entries."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.steps: list[Step] = []
        self.sums: set[int] = set()
        #: step -> the piece that its result is kept in; those used elsewhere are not among them.
        self.pieces: dict[int, int] = {}
        #: The dtype of every piece.
        self.dtypes: list[Any] = []
        self.rows = 0

    @property
    def numbers(self) -> set[int]:
        """The steps of the run."""
        return {step.number for step in self.steps}

    def plan_pieces(self, used_elsewhere: set[int]) -> None:
        """Give each result that nobody else needs a piece, reusing those that are free."""
        last: dict[int, int] = {}
        for position, step in enumerate(self.steps):
            for number in operands(step):
                last[number] = position
        free: dict[Any, list[int]] = defaultdict(list)
        for position, step in enumerate(self.steps):
            ending = [n for n in set(operands(step)) if n in self.pieces and last[n] == position]
            for number in ending:  # in place: entries are only read where they are written
                piece = self.pieces[number]
                free[self.dtypes[piece]].append(piece)
            if step.number in used_elsewhere or step.number in self.sums:
                continue
            dtype = step.value.dtype
            if not free[dtype]:
                free[dtype].append(len(self.dtypes))
                self.dtypes.append(dtype)
            self.pieces[step.number] = free[dtype].pop()
            if step.number not in last:
                free[dtype].append(self.pieces[step.number])
        size = max([dtype.itemsize for dtype in self.dtypes] or [8])
        row = size * int(np.prod(self.shape[1:], dtype=int))
        budget = min(MOST_PIECE, max(LEAST_PIECE, ALL_PIECES // max(1, len(self.dtypes))))
        self.rows = max(1, budget // row)


def operands(step: Step) -> list[int]:
    """The steps that a step reads."""
    return step.reads


def elementwise(step: Step) -> bool:
    """Whether each entry of the result comes from the entries beside it."""
    call = step.call
    if call is None or call == CLIP:
        return call is not None
    return call.ufunc is not None and call.ufunc.signature is None


def needed(trace: Trace, roots: set[int]) -> set[int]:
    found: set[int] = set()
    pending = list(roots)
    while pending:
        number = pending.pop()
        if number not in found:
            found.add(number)
            pending += trace.steps[number].reads
    return found


def scheduled(trace: Trace, steps: list[Step]) -> list[Any]:
    """The steps in an order that brings elementwise ones together; a `Run` stands for its own."""
    order: list[Any] = []
    run: Run | None = None
    after: list[Step] = []  # steps that need the open run
    own: set[int] = set()  # the steps of the open run
    late: set[int] = set()  # what cannot be had before the run is over
    for step in steps:
        needs = set(operands(step))
        shape = run_shape(trace, step)
        if run is not None and shape == run.shape and not needs & late:
            run.steps.append(step)
            own.add(step.number)
            if is_total(step):
                run.sums.add(step.number)
                late.add(step.number)
            continue
        if run is not None and (needs & own or needs & late):
            if shape is None:
                after.append(step)
                late.add(step.number)
                continue
            order += _closed(run, after)
            run, after, late = None, [], set()
        if shape is not None and not is_total(step):
            if run is not None:
                order += _closed(run, after)
                after, late = [], set()
            run = Run(shape)
            run.steps.append(step)
            own = {step.number}
        else:
            order.append(step)
    return order + (_closed(run, after) if run is not None else [])


def _closed(run: Run, after: list[Step]) -> list[Any]:
    """A run of one call is none."""
    return [*([run] if len(run.steps) > 1 else run.steps), *after]


def is_total(step: Step) -> bool:
    """Whether the call is the sum of all entries."""
    return (
        step.call is not None
        and step.call.function == np.add.reduce
        and np.ndim(step.value) == 0
        and step.kwargs.get("axis", 0) is None
        and not step.kwargs.get("keepdims")
        and not set(step.kwargs) - {"axis", "keepdims"}
    )


def run_shape(trace: Trace, step: Step) -> tuple[int, ...] | None:
    """The shape of the run that a step may be part of, or None."""
    if step.call is None or step.uniform is not None:
        return None
    if trace.exact and (is_total(step) or not in_order(step.value)):
        return None
    if is_total(step):
        x = trace.steps[operands(step)[0]].value if operands(step) else None
        large = isinstance(x, np.ndarray) and x.nbytes >= LARGE and x.dtype.kind == "f"
        return x.shape if large else None  # type: ignore[union-attr]
    value = step.value
    if (
        not elementwise(step)
        or step.kwargs
        or not isinstance(value, np.ndarray)
        or value.nbytes < LARGE
    ):
        return None
    whole = all(_goes_along(_value(trace, x), value.shape) for x in step.args)
    rows = value.nbytes // value.shape[0] <= MOST_PIECE
    return value.shape if whole and rows else None


def in_order(value: Any) -> bool:
    """Whether an array lies in C order, as the arrays do that a program keeps."""
    return isinstance(value, np.ndarray) and value.flags.c_contiguous


def _value(trace: Trace, x: Any) -> Any:
    if isinstance(x, Ref):
        return trace.steps[x.number].value
    return trace.constants[x.position] if isinstance(x, Fixed) else x


def _goes_along(x: Any, shape: tuple[int, ...]) -> bool:
    """Whether an operand is cut like the result, or is the same for all pieces."""
    own = np.shape(x)
    return own == shape or len(own) < len(shape) or own[0] == 1


def is_cut(x: Any, shape: tuple[int, ...]) -> bool:
    """Whether an operand is cut into pieces."""
    return np.shape(x) == shape or (len(np.shape(x)) == len(shape) and np.shape(x)[0] == shape[0])
