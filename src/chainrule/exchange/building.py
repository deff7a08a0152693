"""An ONNX graph on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.tracing.calls import Fixed, Ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.compiler.tracing.trace import Step, Trace


class Builder:
    """Nodes and constants of a graph on its way."""

    def __init__(self, onnx: Any, trace: Trace) -> None:
        self.onnx, self.trace = onnx, trace
        self.nodes: list[Any] = []
        self.initial: list[Any] = []
        #: The names of results by their steps.
        self.results: dict[int, str] = {}
        self.taken: set[str] = set()

    def name(self, wish: str) -> str:
        """A name that is free."""
        name, count = wish, 1
        while name in self.taken:
            count += 1
            name = f"{wish}_{count}"
        self.taken.add(name)
        return name

    def add(self, kind: str, inputs: Sequence[str], name: str = "", **attributes: Any) -> str:
        """A node; the name of its result."""
        name = self.name(name or kind.lower())
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, array: Any, wish: str = "constant") -> str:
        """The name of a constant array."""
        name = self.name(wish)
        held = np.array(array, order="C")
        self.initial.append(self.onnx.numpy_helper.from_array(held, name))
        return name

    def whole(self, numbers: Sequence[int]) -> str:
        """The name of a constant list of whole numbers."""
        return self.constant(np.array(numbers, np.int64))

    def info(self, name: str, array: Any) -> Any:
        """The shape and dtype of an input or output."""
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        self.taken.add(name)
        return self.onnx.helper.make_tensor_value_info(name, kind, list(array.shape))

    def value(self, x: Any) -> Any:
        """The array or number that an argument was in the example."""
        if isinstance(x, Ref):
            return self.trace.steps[x.number].value
        return self.trace.constants[x.position] if isinstance(x, Fixed) else x

    def text(self, x: Any, dtype: Any = None) -> str:
        """The name of an argument, converted to a dtype."""
        value = self.value(x)
        if isinstance(x, Ref):
            name = self.results[x.number]
            own = np.asarray(value).dtype
            return name if dtype is None or own == dtype else self.cast(name, dtype)
        return self.constant(np.asarray(value, dtype))

    def cast(self, name: str, dtype: Any) -> str:
        """A result in another dtype."""
        to = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.add("Cast", [name], to=to)

    def pruned(self, outputs: list[str]) -> None:
        """Leave out what no output needs, such as windows that a convolution looks through."""
        wanted, kept = set(outputs), []
        for node in reversed(self.nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                kept.append(node)
        self.nodes = kept[::-1]
        self.initial = [tensor for tensor in self.initial if tensor.name in wanted]

    def maker(self, x: Any, text: str) -> Step | None:
        """The step that made an argument, if it is of this kind."""
        step = self.trace.steps[x.number] if isinstance(x, Ref) else None
        return step if step is not None and step.call and step.call.text == text else None


def is_array(x: Any) -> bool:
    return isinstance(x, Ref | Fixed)


def binary(b: Builder, step: Step, kind: str) -> str:
    x, y = step.args[:2]
    values = [b.value(x), b.value(y)]
    dtype = np.result_type(*values)
    if kind == "Div" and dtype.kind in "iub":
        dtype = np.asarray(step.value).dtype
    return b.add(kind, [b.text(x, dtype), b.text(y, dtype)])


def axes_of_step(step: Step, ndim: int) -> list[int]:
    axis = step.kwargs.get("axis", step.args[1] if len(step.args) > 1 else 0)
    if axis is None:
        return list(range(ndim))
    return [a % ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
