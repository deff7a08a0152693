"""Running a function on placeholders, and what it does to the parameters that it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.compiler.tracing.calls import CONSTANT, FLOAT, Fixed, Ref
from chainrule.compiler.tracing.outside import printing_refused
from chainrule.compiler.tracing.placeholder import Placeholder
from chainrule.compiler.tracing.trace import Trace, key_of, refusal
from chainrule.engine import Node, tick
from chainrule.errors import CompileError
from chainrule.recording import record_graph, traced_by
from chainrule.traced import Traced, plain, slots_of
from chainrule.trees import flatten, map_tree

if TYPE_CHECKING:
    from collections.abc import Callable


class Leaf(NamedTuple):
    """A leaf outside of the function that it computes with, and all that it held."""

    node: Any
    slots: dict[str, Any]
    #: Of the step that stands for the data.
    number: int


class Change(NamedTuple):
    """What the function does to a leaf: new data or a new gradient, None for no change."""

    position: int
    data: Placeholder | None
    grad: Placeholder | None


#: Parts of a result that have to be the same in a second call.
_COMPARED = (bool, int, float, complex, str, np.ndarray, np.generic)


class _Earlier:
    """The gradient of the call before: a compiled function may only forget it."""

    def __init__(self, node: Any) -> None:
        self.node = node
        self.added = False

    def __add__(self, other: Any) -> Any:
        self.added = True  # no error yet: what comes out may be forgotten, too
        return other

    def _read(self, *_args: Any, **_options: Any) -> Any:
        raise refusal(
            f"the function reads the gradient of {self.node.label or 'a leaf'} from the call"
            f" before: compute the gradient in the same call, or pass it as an argument"
        )

    __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __radd__ = _read
    __neg__ = __pow__ = __matmul__ = __rmatmul__ = __getitem__ = __len__ = __iter__ = _read
    __copy__ = __deepcopy__ = __array__ = __array_ufunc__ = __array_function__ = __float__ = (
        __bool__
    ) = _read

    def __getattr__(self, name: str) -> Any:
        return self._read()


class Capture:
    """The leaves that a traced function computes with, each replaced by a placeholder."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.leaves: list[Leaf] = []
        self._known: set[int] = set()
        #: What stands for the gradients that were there before, by the id of the leaf.
        self._earlier: dict[int, _Earlier] = {}
        #: step -> the label of the node that it computes, and the steps it is the cotangent of.
        self.labels: dict[int, str] = {}
        self.cotangents: dict[int, list[int]] = {}
        self._start = tick()

    def lift(self, inputs: Any) -> int:
        """Replace the data of leaves from outside by placeholders; the number of the next step."""
        for x in inputs:
            if isinstance(x, Node) and x.op is None and id(x) not in self._known:
                self._known.add(id(x))
                if x.index < self._start:
                    if hasattr(x, "take_back"):
                        x.take_back()
                    number = self.trace.input(x._held)
                    slots = {name: getattr(x, name) for name in slots_of(type(x))}
                    self.leaves.append(Leaf(x, slots, number))
                    x._held = Placeholder(self.trace, number)
                    if x._grad is not None:
                        x._grad = self._earlier.setdefault(id(x), _Earlier(x))
        return len(self.trace.steps)

    def expect_gradients(self, nodes: list[Any]) -> None:
        """Let leaves have gradients from before, to see whether the function forgets them."""
        for node in nodes:
            node._grad = self._earlier[id(node)] = _Earlier(node)

    def result(self, x: Any) -> Any:
        """A part of the result: of a node its data, of an array what became of it."""
        if isinstance(x, Node):
            self.lift((x,))
            x = x._held
        return x.now() if isinstance(x, Placeholder) else x

    def note_cotangent(self, node: Any, y_bar: Any) -> None:
        """Remember what a result is the cotangent of, and the label of a node."""
        y = plain(node)
        if isinstance(y, Placeholder):
            if node.label:
                self.labels.setdefault(y.number, node.label)
            y_bar = plain(y_bar)
            if isinstance(y_bar, Placeholder):
                self.cotangents.setdefault(y_bar.number, []).append(y.number)

    def changes(self) -> list[Change]:
        """What became of the leaves."""
        found = []
        for position, leaf in enumerate(self.leaves):
            node = leaf.node
            data = self._new_data(node._held, leaf)
            earlier = self._earlier.get(id(node))
            same = node._grad is leaf.slots["_grad"] or node._grad is earlier
            grad = None if same else node._grad
            if grad is not None and not isinstance(grad, Placeholder):
                grad = self._constant(grad)
            if grad is not None and earlier is not None and earlier.added:
                raise CompileError(
                    f"the function adds to the gradient of {node.label or 'a leaf'} from the call"
                    f" before: forget it inside of the function, with zero_grad() or .grad = None"
                )
            if data is not None or grad is not None:
                found.append(Change(position, data, grad))
        return found

    def forgotten(self) -> list[int]:
        """The positions of the leaves that lose a gradient that was there before."""
        return [
            position
            for position, leaf in enumerate(self.leaves)
            if id(leaf.node) in self._earlier and leaf.node._grad is None
        ]

    def added(self) -> list[int]:
        """The positions of the leaves whose gradients from before were added to."""
        return [
            position
            for position, leaf in enumerate(self.leaves)
            if id(leaf.node) in self._earlier and self._earlier[id(leaf.node)].added
        ]

    def _constant(self, held: Any) -> Placeholder:
        """What is the same after every call."""
        if type(held) is float:
            step = self.trace.step(FLOAT, (held,), {}, held)
            step.uniform = held
        else:
            step = self.trace.step(CONSTANT, (self.trace.fixed(held),), {}, np.asarray(held))
        return Placeholder(self.trace, step.number)

    def _new_data(self, held: Any, leaf: Leaf) -> Any:
        """New data of a leaf, or None."""
        if not isinstance(held, Placeholder):
            return self._constant(held)
        return held if held.now().number != leaf.number else None

    def restore(self) -> None:
        """Give the leaves back what they had."""
        for leaf in self.leaves:
            for name, held in leaf.slots.items():
                setattr(leaf.node, name, held)


class Recording(NamedTuple):
    """What a function did in one call."""

    trace: Trace
    #: For every leaf of the arguments the number of its step, or None where it is fixed.
    inputs: list[int | None]
    leaves: list[Leaf]
    changes: list[Change]
    #: The positions of leaves that are left without the gradient that they had.
    forgotten: list[int]
    #: The positions of leaves whose gradient from before would have been added to.
    added: list[int]
    #: The result, with placeholders.
    result: Any
    #: step -> the label of its node; step -> the steps that it is the cotangent of.
    labels: dict[int, str]
    cotangents: dict[int, list[int]]
    #: The place that called the compiled function: what is computed there has no name inside.
    caller: Any


def recorded_call(
    f: Callable[..., Any], args: Any, kwargs: Any, caller: Any, first: Recording | None = None
) -> Recording:
    """Call a function once with placeholders for all its numbers.

    Given what it did `first`, the leaves that it computes with get a gradient before, to see
    whether the function forgets it.
    """
    known = first.leaves if first is not None else []
    trace = Trace(Placeholder, twin=first.trace if first is not None else None)
    capture = Capture(trace)
    given, rebuild = flatten([list(args), kwargs])
    numbers = [trace.input(x) if is_dynamic(x) else None for x in given]
    passed = rebuild(
        [
            x if number is None else Placeholder(trace, number, changes=False)
            for x, number in zip(given, numbers, strict=True)
        ]
    )
    held = flatten(passed)[0]
    grads = [leaf.node._grad for leaf in known]
    capture.expect_gradients([leaf.node for leaf in known])
    try:
        with traced_by(capture), record_graph(), printing_refused():
            result = map_tree(capture.result, f(*passed[0], **passed[1]))
        after = flatten(passed)[0]
        if len(after) != len(held) or any(x is not y for x, y in zip(after, held, strict=True)):
            raise CompileError(
                "the function changes a list, a dict or an object among its arguments, which a"
                " compiled one would not do: return what is new"
            )
        if trace.refusal is not None:
            raise trace.refusal
        if trace.failed:
            raise CompileError(
                "the function catches an error that numbers made: others would not make it; look"
                " at the numbers outside, or choose with np.where"
            )
        changes, forgotten, added = capture.changes(), capture.forgotten(), capture.added()
    except (TypeError, ValueError):
        if trace.refusal is not None:  # NumPy says less
            raise trace.refusal from None
        raise
    finally:
        capture.restore()
        for leaf, grad in zip(known, grads, strict=True):
            leaf.node._grad = grad
    trace.check_constants()
    names = capture.labels, capture.cotangents
    return Recording(
        trace, numbers, capture.leaves, changes, forgotten, added, result, *names, caller
    )


def is_dynamic(x: Any) -> bool:
    """Whether an argument may be another number in the next call."""
    if isinstance(x, np.ndarray | np.generic):
        if x.dtype.kind not in "fciub":
            raise CompileError(f"an argument of dtype {x.dtype}: arrays of numbers, please")
        return True
    return type(x) in {float, complex}


def is_traced(x: Any) -> bool:
    """Whether an argument belongs to a computation around the call."""
    return isinstance(x, Traced | Placeholder)


def require_same(first: Recording, second: Recording) -> None:
    """Raise CompileError where two calls with the same numbers did not do the same.

    Then something that is no argument decided: randomness, the time, a counter.
    """
    constants = [recording.trace.constants for recording in (first, second)]
    steps = [recording.trace.steps for recording in (first, second)]
    for a, b in zip(*steps, strict=False):
        same = (a.call is None) == (b.call is None)
        same = same and _same_arguments(a.args, b.args, *constants)
        same = same and _same_arguments(list(a.kwargs.items()), list(b.kwargs.items()), *constants)
        if same and a.call is not None and b.call is not None:
            same = a.call.text == b.call.text and (a.call.style, b.call.style) != ("foreign", "")
        if not same:
            raise _changing(first.trace.where(a.number))
    if len(steps[0]) != len(steps[1]) or _shape(first) != _shape(second):
        raise _changing("")
    for x, y in zip(*[flatten(recording.result)[0] for recording in (first, second)], strict=True):
        if isinstance(x, _COMPARED) and not _same_arguments(x, y, *constants):
            raise _changing("")


def _changing(where: str) -> CompileError:
    return CompileError(
        f"the function did something else in a second call with the same arguments{where}: random"
        f" numbers, the time or a counter have to be passed as arguments"
    )


def _shape(recording: Recording) -> Any:
    leaves, _ = flatten(recording.result)
    changes = [
        (c.position, *[x if x is None else x.number for x in (c.data, c.grad)])
        for c in recording.changes
    ]
    return [x.number if isinstance(x, Placeholder) else type(x) for x in leaves], changes


def _same_array(x: Any, y: Any) -> bool:
    same = isinstance(y, type(x)) and x.dtype == y.dtype and x.shape == y.shape
    return bool(same and x.tobytes() == y.tobytes())


def _same_arguments(a: Any, b: Any, first: list[Any], second: list[Any]) -> bool:
    if isinstance(a, Fixed) and isinstance(b, Fixed):
        x, y = first[a.position], second[b.position]
        if isinstance(x, np.ndarray | np.generic) and isinstance(y, np.ndarray | np.generic):
            return _same_array(x, y)
        return x is y or type(x) is type(y)
    if isinstance(a, Ref | Fixed) or isinstance(b, Ref | Fixed):
        return bool(a == b)
    if isinstance(a, np.ndarray | np.generic):
        return _same_array(a, b)
    if isinstance(a, list | tuple):
        return (
            type(a) is type(b)
            and len(a) == len(b)
            and all(_same_arguments(x, y, first, second) for x, y in zip(a, b, strict=True))
        )
    return bool(key_of(a) == key_of(b))
