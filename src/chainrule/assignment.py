"""Assignment to the entries of a Tensor, recorded, with NumPy's views."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.engine import Node, newest_first
from chainrule.ops.arithmetic import positive
from chainrule.ops.arrays import ArrayOperators, assign_through
from chainrule.ops.updates import assigned
from chainrule.recording import record_graph, recording, sweeping
from chainrule.traced import NO_PARAMS, plain, slots_of

#: In place of the guards of a leaf that a transformation made: nobody asks for its `.grad`.
ASSIGNABLE = ((-1, None),)
#: The same, when the transformation is over.
FINISHED = ((-2, None),)
#: In place of the guards of a result under `no_grad` that would have been a view.
COPIED = ((-3, None),)
#: Not empty from the first assignment to entries on: then views may have to be refreshed.
assignments: list[bool] = []


def refresh_views(inputs: tuple[Any, ...]) -> None:
    """Let views among the inputs of an op see what was assigned."""
    for x in inputs:
        if isinstance(x, Assignable) and x.op is not None:
            x.refresh()


class Assignable(ArrayOperators, Node):
    """A node to whose entries one can assign.

    An assignment makes a new node that takes the place of the old one in the program: the object
    becomes the result, and a twin stays behind for what was computed before. The node of an
    assignment, made by the op `assigned`, has that twin as its last input.

    A view is found by its op and by the memory it shares. It remembers nothing: where the array it
    is a view of is younger, it is taken again.
    """

    __slots__ = ()

    def __setitem__(self, index: Any, value: Any) -> None:
        """Record an assignment: from now on this Tensor is the result of it.

        What was computed from it before stays as it was, in value and in derivative. Views share
        the assignment, as in NumPy: those taken before see it, and one that is assigned to passes
        it on to what it is a view of.
        """
        if self.op is None and not recording():
            if self.guards is COPIED:
                raise TypeError(
                    "under no_grad what would be a view is a copy, through which nothing is"
                    " written: assign to the whole array, or copy first, t = +t"
                )
            self.data[index] = plain(value)
            self.renew()
            return
        if assignments:
            self.refresh()
        chain = []
        view, base = self._seen_through()
        while base is not None:
            chain.append((view.op, view.params))
            root = base
            view, base = root._seen_through()
        if chain:
            assign_through(chain, root, index, value)
            self.refresh()
            return
        self._require_assignable()
        before = self._twin()
        self._become(before.at[index].set(value), before)

    def in_place(self, result: Any) -> Any:
        """`a += b` changes a in its place, as in NumPy; a leaf or a number gets a new Tensor."""
        leaf = self.op is None and self.guards is not ASSIGNABLE
        if leaf and not recording():  # a step of gradient descent, as others write it
            self[...] = result
            return self
        if leaf or not self.shape or not recording() or type(result) is not type(self):
            return result
        if result.shape != self.shape:
            raise ValueError(f"a result of shape {result.shape} does not fit into {self.shape}")
        if self._seen_through()[1] is not None:
            self[...] = result
        else:
            self._become(result if result.dtype == self.dtype else result.astype(self.dtype))
        return self

    def _twin(self) -> Any:
        """This Tensor as it is now, to stay when it is assigned to."""
        before = object.__new__(type(self))
        for name in slots_of(type(self)):
            setattr(before, name, getattr(self, name))
        before.label = None  # type: ignore[misc]
        return before

    def _become(self, result: Any, before: Any = None) -> None:
        """Take the place of a result; for what was computed before a twin stays."""
        if type(result) is not type(self):
            raise TypeError(
                f"a {type(result).__name__} cannot be assigned to entries of a Tensor from outside"
                f" of its derivative: start from np.zeros_like of what it is computed from"
            )
        now = assigned.apply((result, self._twin() if before is None else before), NO_PARAMS)
        for name in slots_of(type(self)):
            if name not in {"_grad", "label"}:
                setattr(self, name, getattr(now, name))
        self.grad = None
        if not assignments:
            assignments.append(True)

    def _seen_through(self) -> tuple[Any, Any]:
        """The node that makes this Tensor a view, and the Tensor it is a view of, or None."""
        view: Any = self
        while view.op is assigned:
            view = view.inputs[0]
        if view.op is None or not view.op.views or type(view.inputs[0]) is not type(self):
            return view, None
        base = before = view.inputs[0]
        while before.index > view.index and before.op is not None:
            before = before.inputs[-1]
        return view, base if np.may_share_memory(before._held, view._held) else None

    def refresh(self) -> None:
        """See what was assigned to the Tensor of which this one is a view."""
        if sweeping():
            return
        chain = []
        view, base = self._seen_through()
        node = self
        while base is not None and base.op is not None:
            chain.append((node, view, base))
            node = base
            view, base = node._seen_through()
        for node, view, base in reversed(chain):  # the oldest first; none may recurse
            if base.index > view.index:
                with record_graph():
                    node._become(view.op.apply((base,), view.params))

    def __bool__(self) -> bool:
        self.refresh()
        return super().__bool__()

    def __copy__(self) -> Any:
        """A copy, in the graph where this Tensor is in one; of a leaf another leaf."""
        self.refresh()
        inside = self.guards is ASSIGNABLE or self._seen_through()[1] is not None
        return positive(self) if inside else super().__copy__()

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A copy of the whole graph; inside a transformation a copy in its graph."""
        self.refresh()
        if any(node.guards is ASSIGNABLE for node in newest_first(self)):
            return positive(self)
        return super().__deepcopy__(memo)

    def _require_assignable(self) -> None:
        if not recording():
            raise TypeError(
                "assignment under no_grad to a Tensor that carries a graph: it would leave the"
                " graph; assign outside, or take .detach()"
            )
        if self.op is None and self.guards is not ASSIGNABLE:
            raise TypeError(
                "assignment to entries of a leaf, or of a view of one: write t = +t first, then"
                " t[index] = v is recorded and the leaf keeps its values and its .grad; or change"
                " the leaf itself, t.data[index] = v"
            )
