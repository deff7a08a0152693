"""Calls of NumPy's as nodes of an ONNX graph."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.exchange.building import Builder, axes_of_step, binary, is_array
from chainrule.exchange.shapes import (
    converted,
    entries,
    expanded,
    joined,
    padded,
    pooled_windows,
    reshaped,
    same,
    transposed,
    windows_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.compiler.tracing.trace import Step

#: Functions of one array that ONNX has, too.
UNARY = {
    "np.negative": "Neg",
    "np.exp": "Exp",
    "np.log": "Log",
    "np.sqrt": "Sqrt",
    "np.tanh": "Tanh",
    "np.absolute": "Abs",
    "np.sign": "Sign",
    "np.sin": "Sin",
    "np.cos": "Cos",
    "np.tan": "Tan",
    "np.arcsin": "Asin",
    "np.arccos": "Acos",
    "np.arctan": "Atan",
    "np.sinh": "Sinh",
    "np.cosh": "Cosh",
    "np.arcsinh": "Asinh",
    "np.arccosh": "Acosh",
    "np.arctanh": "Atanh",
    "np.floor": "Floor",
    "np.ceil": "Ceil",
    "np.rint": "Round",
    "np.reciprocal": "Reciprocal",
    "np.isnan": "IsNaN",
    "np.logical_not": "Not",
    "np.invert": "Not",
    "np.positive": "Identity",
    "erf": "Erf",
    "expit": "Sigmoid",
}
BINARY = {
    "np.add": "Add",
    "np.subtract": "Sub",
    "np.multiply": "Mul",
    "np.divide": "Div",
    "np.power": "Pow",
    "np.maximum": "Max",
    "np.minimum": "Min",
    "np.matmul": "MatMul",
    "np.greater": "Greater",
    "np.less": "Less",
    "np.equal": "Equal",
    "np.greater_equal": "GreaterOrEqual",
    "np.less_equal": "LessOrEqual",
    "np.logical_and": "And",
    "np.logical_or": "Or",
    "np.logical_xor": "Xor",
    "np.bitwise_and": "And",
    "np.bitwise_or": "Or",
    "np.bitwise_xor": "Xor",
}
REDUCED = {
    "np.add.reduce": "ReduceSum",
    "np.multiply.reduce": "ReduceProd",
    "np.maximum.reduce": "ReduceMax",
    "np.minimum.reduce": "ReduceMin",
    "np.mean": "ReduceMean",
}


def translate(builder: Builder, step: Step, refuse: Callable[[str], Exception]) -> None:
    """Add the nodes of a step.

    Raises:
        refuse: what it returns, where the step cannot be translated.
    """
    call = step.call
    assert call is not None
    text = call.text
    if call.style == "constant":
        builder.results[step.number] = builder.constant(builder.value(step.args[0]))
        return
    function = _BY_TEXT.get(text)
    name = None
    try:
        name = _translated(builder, step, function) if _is_understood(step) else None
    except (TypeError, ValueError, KeyError, IndexError):
        name = None  # arguments of a form that is not known here
    if name is None:
        given = ", ".join(str(np.shape(builder.value(x))) for x in step.args if is_array(x))
        said = "".join(f", {key}=" for key in step.kwargs)
        raise refuse(
            f"{text} of {given}{said}{builder.trace.where(step.number)} cannot be written as ONNX"
        )
    builder.results[step.number] = name


#: The keywords that are understood, and how many arguments by position.
_ELEMENTWISE: tuple[int, frozenset[str]] = (2, frozenset())
_REDUCTION = (2, frozenset({"axis", "keepdims", "initial"}))
_FORMS: dict[str, tuple[int, frozenset[str]]] = {
    **dict.fromkeys(("reshape", "np.reshape"), (99, frozenset({"order"}))),
    **dict.fromkeys(("np.concatenate", "np.stack"), (2, frozenset({"axis"}))),
    **dict.fromkeys(("np.var", "np.std"), (2, frozenset({"axis", "keepdims"}))),
    **dict.fromkeys(("np.argmax", "np.argmin"), (1, frozenset({"axis", "keepdims"}))),
    **dict.fromkeys(("clip", "np.clip"), (3, frozenset({"min", "max", "a_min", "a_max"}))),
    "np.linalg.norm": (1, frozenset({"axis", "keepdims"})),
    "np.mean": (2, frozenset({"axis", "keepdims"})),
    "np.pad": (3, frozenset({"mode", "constant_values"})),
    "np.take": (2, frozenset({"axis"})),
    "astype": (2, frozenset({"copy"})),
    "np.lib.stride_tricks.sliding_window_view": (3, frozenset()),
    **dict.fromkeys(("np.expand_dims", "np.squeeze", "squeeze"), (2, frozenset({"axis"}))),
    **dict.fromkeys(("swapaxes", "np.moveaxis", "np.tensordot", "np.where"), (3, frozenset())),
    **dict.fromkeys(("transpose", "np.einsum"), (99, frozenset())),
}


def _is_understood(step: Step) -> bool:
    """Whether all arguments of a call have a meaning here: none may be left out silently."""
    text = step.call.text if step.call else ""
    count, keywords = _FORMS.get(text, _REDUCTION if text in REDUCED else _ELEMENTWISE)
    return len(step.args) <= count and not set(step.kwargs) - keywords


def _translated(builder: Builder, step: Step, function: Any) -> str | None:
    """The name of the result of a call, or None."""
    text = step.call.text if step.call else ""
    name = None
    if text in UNARY:
        dtype = np.asarray(step.value).dtype if text != "np.isnan" else None
        name = builder.add(UNARY[text], [builder.text(step.args[0], dtype)])
    elif text in BINARY:
        name = binary(builder, step, BINARY[text])
    elif text in REDUCED:
        name = _reduced(builder, step, REDUCED[text])
    elif function is not None:
        name = function(builder, step)
    return name


def _reduced(b: Builder, step: Step, kind: str) -> str | None:
    x = step.args[0]
    initial = step.kwargs.get("initial")
    if initial is not None and abs(initial) != math.inf:
        return None
    pooled = pooled_windows(b, step, kind)
    if pooled is not None:
        return pooled
    ndim = np.ndim(b.value(x))
    given = kind != "ReduceMean" or "axis" in step.kwargs or len(step.args) > 1
    axes = axes_of_step(step, ndim) if given else range(ndim)
    name = b.text(x, np.asarray(step.value).dtype)
    if not axes:
        return name
    keep = int(bool(step.kwargs.get("keepdims", False)))
    return b.add(kind, [name, b.whole(list(axes))], keepdims=keep)


def contracted(b: Builder, step: Step) -> str | None:
    """`np.tensordot`; of windows and kernels it is a convolution."""
    x, w, axes = step.args
    left, right = ([a] if isinstance(a, int) else list(a) for a in axes)
    shape, kernel = np.shape(b.value(x)), np.shape(b.value(w))
    found = windows_of(b, x)
    dtype = np.asarray(step.value).dtype
    if found is not None:
        source, places, _, strides, gaps = found
        count = len(places)
        convolution = (
            places == list(range(2, count + 2))
            and left == [1, *range(count + 2, 2 * count + 2)]
            and right == list(range(1, count + 2))
        )
        if convolution:
            inputs = [b.text(source, dtype), b.text(w, dtype)]
            y = b.add("Conv", inputs, strides=strides, dilations=gaps)
            return b.add("Transpose", [y], perm=[0, *range(2, count + 2), 1])
    letters = "abcdefghijklmnopqrstuvwxyz"
    first = letters[: len(shape)]
    second = list(letters[len(shape) : len(shape) + len(kernel)])
    for i, j in zip(left, right, strict=True):
        second[j] = first[i]
    gone = {first[i] for i in left}
    kept = "".join(c for c in (*first, *second) if c not in gone)
    equation = f"{first},{''.join(second)}->{kept}"
    return b.add("Einsum", [b.text(x, dtype), b.text(w, dtype)], equation=equation)


def _einsum(b: Builder, step: Step) -> str | None:
    if not isinstance(step.args[0], str):
        return None
    dtype = np.asarray(step.value).dtype
    return b.add("Einsum", [b.text(x, dtype) for x in step.args[1:]], equation=step.args[0])


def _product(b: Builder, step: Step) -> str | None:
    """`np.dot` and `np.vdot` of vectors and matrices."""
    shapes = [np.ndim(b.value(x)) for x in step.args]
    flat = step.call is not None and step.call.text == "np.vdot"
    if (shapes != [1, 1]) if flat else any(n not in {1, 2} for n in shapes):
        return None
    return binary(b, step, "MatMul")


# ------------------------------------------------------------------------------- composed


def _chosen(b: Builder, step: Step) -> str:
    mask, x, y = step.args
    dtype = np.asarray(step.value).dtype
    return b.add("Where", [b.text(mask, bool), b.text(x, dtype), b.text(y, dtype)])


def _clipped(b: Builder, step: Step) -> str:
    value = np.asarray(step.value)
    name = b.text(step.args[0], value.dtype)
    low, high = [*step.args[1:], None, None][:2]
    low = step.kwargs.get("min", step.kwargs.get("a_min", low))
    high = step.kwargs.get("max", step.kwargs.get("a_max", high))
    for kind, limit, none in (("Max", low, -math.inf), ("Min", high, math.inf)):
        if limit is not None and not (isinstance(limit, float) and limit == none):
            name = b.add(kind, [name, b.text(limit, value.dtype)])
    return name


def _one(b: Builder, step: Step, number: float = 1.0) -> str:
    return b.constant(np.asarray(number, np.asarray(step.value).dtype))


def _square(b: Builder, step: Step) -> str:
    name = b.text(step.args[0])
    return b.add("Mul", [name, name])


def _expm1(b: Builder, step: Step) -> str:
    return b.add("Sub", [b.add("Exp", [b.text(step.args[0])]), _one(b, step)])


def _log1p(b: Builder, step: Step) -> str:
    return b.add("Log", [b.add("Add", [b.text(step.args[0]), _one(b, step)])])


def _logaddexp(b: Builder, step: Step) -> str:
    """max(a, b) + log(1 + exp(-|a - b|))."""
    dtype = np.asarray(step.value).dtype
    x, y = (b.text(a, dtype) for a in step.args)
    distance = b.add("Abs", [b.add("Sub", [x, y])])
    small = b.add("Exp", [b.add("Neg", [distance])])
    rest = b.add("Log", [b.add("Add", [small, _one(b, step)])])
    return b.add("Add", [b.add("Max", [x, y]), rest])


def _variance(b: Builder, step: Step) -> str | None:
    x = step.args[0]
    ndim = np.ndim(b.value(x))
    given = "axis" in step.kwargs or len(step.args) > 1
    axes = b.whole(axes_of_step(step, ndim) if given else list(range(ndim)))
    name = b.text(x)
    centered = b.add("Sub", [name, b.add("ReduceMean", [name, axes], keepdims=1)])
    squares = b.add("Mul", [centered, centered])
    keep = int(bool(step.kwargs.get("keepdims", False)))
    return b.add("ReduceMean", [squares, axes], keepdims=keep)


def _deviation(b: Builder, step: Step) -> str | None:
    variance = _variance(b, step)
    return None if variance is None else b.add("Sqrt", [variance])


def _norm(b: Builder, step: Step) -> str | None:
    """The root of the sum of the squares."""
    if len(step.args) > 1 or set(step.kwargs) - {"axis", "keepdims"}:
        return None
    axis, ndim = step.kwargs.get("axis"), np.ndim(b.value(step.args[0]))
    axes = list(range(ndim)) if axis is None else axes_of_step(step, ndim)
    keep = int(bool(step.kwargs.get("keepdims", False)))
    name = b.text(step.args[0])
    squares = b.add("Mul", [name, name])
    return b.add("Sqrt", [b.add("ReduceSum", [squares, b.whole(axes)], keepdims=keep)])


def _isfinite(b: Builder, step: Step) -> str:
    """Where x - x is 0 for what is finite, else NaN."""
    name = b.text(step.args[0])
    return b.add("Not", [b.add("IsNaN", [b.add("Sub", [name, name])])])


def _taken(b: Builder, step: Step) -> str | None:
    x, rows = step.args
    axis = step.kwargs.get("axis")
    if axis is None or np.asarray(b.value(rows)).dtype.kind not in "iu":
        return None
    return b.add("Gather", [b.text(x), b.text(rows, np.int64)], axis=axis)


def _place_of(b: Builder, step: Step) -> str | None:
    axis = step.kwargs.get("axis")
    if axis is None:
        return None
    kind = {"np.argmax": "ArgMax", "np.argmin": "ArgMin"}[step.call.text if step.call else ""]
    keep = int(bool(step.kwargs.get("keepdims", False)))
    return b.add(kind, [b.text(step.args[0])], axis=axis, keepdims=keep)


_BY_TEXT: dict[str, Callable[[Builder, Step], str | None]] = {
    **dict.fromkeys(("reshape", "np.reshape"), reshaped),
    **dict.fromkeys(("transpose", "T", "swapaxes", "np.moveaxis"), transposed),
    "np.matrix_transpose": transposed,
    "np.broadcast_to": expanded,
    **dict.fromkeys(("np.concatenate", "np.stack"), joined),
    "astype": converted,
    **dict.fromkeys(("np.expand_dims", "np.squeeze", "squeeze"), reshaped),
    "np.take": _taken,
    **dict.fromkeys(("copy", "float", "np.asarray", "np.array"), same),
    "[]": entries,
    "np.pad": padded,
    # Windows alone are seen with the steps that follow them.
    "np.lib.stride_tricks.sliding_window_view": lambda _b, _step: "",
    "np.tensordot": contracted,
    "np.einsum": _einsum,
    **dict.fromkeys(("np.dot", "np.vdot"), _product),
    "np.where": _chosen,
    **dict.fromkeys(("clip", "np.clip"), _clipped),
    "np.square": _square,
    "np.expm1": _expm1,
    "np.log1p": _log1p,
    "np.logaddexp": _logaddexp,
    "np.var": _variance,
    "np.std": _deviation,
    "np.linalg.norm": _norm,
    "np.isfinite": _isfinite,
    **dict.fromkeys(("np.argmax", "np.argmin"), _place_of),
}
