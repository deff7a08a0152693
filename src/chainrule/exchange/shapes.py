"""Shapes, parts and windows of arrays as nodes of an ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.tracing.calls import Ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.compiler.tracing.trace import Step

from chainrule.exchange.building import Builder, axes_of_step, is_array

#: What ONNX takes for the end of a slice, in either direction.
FAR = 2**62


# ------------------------------------------------------------------------ shapes and parts


def reshape_to(b: Builder, name: str, shape: Sequence[int]) -> str:
    return b.add("Reshape", [name, b.whole(shape)], allowzero=1)


def reshaped(b: Builder, step: Step) -> str | None:
    if step.kwargs.get("order", "C") != "C":
        return None
    return reshape_to(b, b.text(step.args[0]), np.shape(step.value))


def transposed(b: Builder, step: Step) -> str:
    x = step.args[0]
    order = list(range(np.ndim(b.value(x))))
    text = step.call.text if step.call else ""
    if text == "transpose":
        order = [a % len(order) for a in step.args[1]]
    elif text == "swapaxes":
        i, j = step.args[1:3]
        order[i], order[j] = order[j], order[i]
    elif text == "np.moveaxis":
        moved = np.moveaxis(np.empty(range(len(order))), *step.args[1:3])
        order = list(moved.shape)  # each axis is as long as its number says
    elif text == "np.matrix_transpose":
        order[-2:] = order[:-3:-1]
    else:
        order.reverse()
    return b.add("Transpose", [b.text(x)], perm=order)


def expanded(b: Builder, step: Step) -> str:
    return b.add("Expand", [b.text(step.args[0]), b.whole(np.shape(step.value))])


def joined(b: Builder, step: Step) -> str:
    dtype = np.asarray(step.value).dtype
    axis = step.kwargs.get("axis", step.args[1] if len(step.args) > 1 else 0)
    parts = [b.text(x, dtype) for x in step.args[0]]
    if step.call and step.call.text == "np.stack":
        axis %= np.ndim(step.value)
        parts = [b.add("Unsqueeze", [part, b.whole([axis])]) for part in parts]
    return b.add("Concat", parts, axis=axis)


def converted(b: Builder, step: Step) -> str:
    return b.cast(b.text(step.args[0]), np.asarray(step.value).dtype)


def same(b: Builder, step: Step) -> str:
    return b.text(step.args[0])


def entries(b: Builder, step: Step) -> str | None:
    """`x[index]` for slices, whole numbers, None and …; or for one array of whole numbers."""
    x, index = step.args
    windowed = gathered_windows(b, step)
    if windowed is not None:
        return windowed
    parts = index if isinstance(index, tuple) else (index,)
    shape = np.shape(b.value(x))
    if any(is_array(part) or isinstance(part, list) for part in parts):
        return gathered(b, x, parts)
    if not all(part is None or part is ... or isinstance(part, int | slice) for part in parts):
        return None
    given = sum(part is not None and part is not ... for part in parts)
    starts, stops, steps, axes = [], [], [], []
    axis = 0
    for part in parts:
        if part is ...:
            axis += len(shape) - given
        elif part is not None:
            start, stop, stride = (
                part.indices(shape[axis])
                if isinstance(part, slice)
                else (part % shape[axis], part % shape[axis] + 1, 1)
            )
            if (start, stop, stride) != (0, shape[axis], 1):
                starts.append(start)
                stops.append(-FAR if stop < 0 else stop)
                steps.append(stride)
                axes.append(axis)
            axis += 1
    name = b.text(x)
    if axes:
        name = b.add("Slice", [name, *[b.whole(row) for row in (starts, stops, axes, steps)]])
    return reshape_to(b, name, np.shape(step.value))


def gathered(b: Builder, x: Any, parts: tuple[Any, ...]) -> str | None:
    """Entries for arrays of whole numbers: one of them among full slices, or one for each axis."""
    places = [i for i, part in enumerate(parts) if is_array(part) or isinstance(part, list)]
    arrays = [np.asarray(b.value(parts[i])) for i in places]
    if any(array.dtype.kind not in "iu" for array in arrays):
        return None
    names = [b.text(parts[i], np.int64) for i in places]
    if len(places) == 1 and all(
        isinstance(part, slice) and part == slice(None)
        for i, part in enumerate(parts)
        if i not in places
    ):
        return b.add("Gather", [b.text(x), names[0]], axis=places[0])
    if len(places) < len(parts) or len({array.shape for array in arrays}) > 1:
        return None
    last = b.whole([-1])
    columns = [b.add("Unsqueeze", [name, last]) for name in names]
    return b.add("GatherND", [b.text(x), b.add("Concat", columns, axis=-1)])


def padded(b: Builder, step: Step) -> str | None:
    x, widths = step.args[:2]
    mode = step.args[2] if len(step.args) > 2 else step.kwargs.get("mode", "constant")
    filling = step.kwargs.get("constant_values", 0.0)
    if mode != "constant" or not isinstance(filling, int | float):
        return None
    value = np.asarray(b.value(x))
    pairs = np.broadcast_to(np.asarray(widths), (value.ndim, 2))
    pads = b.whole([*pairs[:, 0].tolist(), *pairs[:, 1].tolist()])
    return b.add("Pad", [b.text(x), pads, b.constant(np.asarray(filling, value.dtype))])


# --------------------------------------------------------------------------------- windows


def windows_of(b: Builder, x: Any) -> tuple[Any, list[int], list[int], list[int], list[int]] | None:
    """Of windows with their steps: what they are of, their axes, size, stride and dilation."""
    item = b.maker(x, "[]")
    view = b.maker(item.args[0], "np.lib.stride_tricks.sliding_window_view") if item else None
    if item is None or view is None or not isinstance(item.args[1], tuple):
        return None
    source, span, axes = view.args[0], view.args[1], view.args[2]
    count = len(axes)
    parts = item.args[1]
    if len(parts) != 2 * count + 1 or parts[0] is not ...:
        return None
    strides = [part.step or 1 for part in parts[1 : count + 1]]
    gaps = [part.step or 1 for part in parts[count + 1 :]]
    size = [(n - 1) // gap + 1 for n, gap in zip(span, gaps, strict=True)]
    return source, list(axes), size, strides, gaps


def gathered_windows(b: Builder, step: Step) -> str | None:
    """Windows, where they are nothing that ONNX has a node for: entries by their positions."""
    found = windows_of(b, Ref(step.number))
    if found is None:
        return None
    source, axes, size, strides, gaps = found
    shape = np.shape(b.value(source))
    name, count = b.text(source), len(axes)
    for k in range(count - 1, -1, -1):  # from the last axis on, so that those before stay
        span = (size[k] - 1) * gaps[k] + 1
        starts = np.arange(0, shape[axes[k]] - span + 1, strides[k])
        where = starts[:, None] + np.arange(size[k]) * gaps[k]
        name = b.add("Gather", [name, b.constant(where.astype(np.int64))], axis=axes[k])
    first = axes[0]
    order = [*range(first), *range(first, first + 2 * count, 2)]
    order += range(first + 1, first + 2 * count, 2)
    return b.add("Transpose", [name], perm=order)


def pooled_windows(b: Builder, step: Step, kind: str) -> str | None:
    """The largest entry of windows over the last axes of (N, C, *lengths)."""
    found = windows_of(b, step.args[0]) if kind == "ReduceMax" else None
    if found is None or step.kwargs.get("keepdims"):
        return None
    source, axes, size, strides, gaps = found
    ndim = np.ndim(b.value(source))
    windows = list(range(ndim, ndim + len(axes)))
    if axes != list(range(2, ndim)) or sorted(axes_of_step(step, ndim + len(axes))) != windows:
        return None
    options: dict[str, Any] = {"kernel_shape": size, "strides": strides, "dilations": gaps}
    return b.add("MaxPool", [b.text(source)], **options)
