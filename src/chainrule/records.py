"""What is known of an op on inputs of some forms, so that it is not found out again for each node.

A form is the class, shape, dtype and strides of data. An op on inputs of the same forms gives a
result of the same form; two nodes with the same record were made by the same op, with the same
static arguments, on inputs of the same forms.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import ops
from chainrule.engine import Node

if TYPE_CHECKING:
    from collections.abc import Hashable

#: Classes of constants and static arguments that are what they are in every call.
FIXED = frozenset({int, bool, str, type(None), type(...), type, np.dtype})
#: Classes of data, and of constants that may be other numbers in the next call.
DATA = frozenset({np.ndarray, np.float64, np.float32, np.complex128, np.complex64})
#: Numbers that rules know when they see them.
UNITS = (0.0, 1.0, -1.0)
#: Ops that do the same with every other Python float.
ARITHMETIC = frozenset({ops.add, ops.subtract, ops.multiply, ops.divide})
#: How many forms and records are kept.
MOST = 4096


class Form:
    """The class, shape, dtype and strides of data; one object for each."""

    __slots__ = ("leaf", "real")

    def __init__(self, real: bool) -> None:
        self.real = real
        #: The record of a leaf that holds such data.
        self.leaf = Record(None, self)


class Record:
    """An op on inputs of some forms, and the form of the result; a leaf has no op."""

    __slots__ = ("form", "guarded", "op")

    def __init__(self, op: Any, form: Form) -> None:
        self.op = op
        self.form = form
        #: The positions of inputs whose data the rule reads.
        self.guarded: tuple[int, ...] = () if op is None else op.guarded(0)


_forms: dict[Hashable, Form] = {}
_records: dict[Hashable, Record] = {}


def form_of(x: Any) -> Form:
    """The form of an array or of one of NumPy's numbers."""
    key = (x.__class__, x.shape, x.dtype, x.strides)
    form = _forms.get(key)
    if form is None:
        if len(_forms) >= MOST:
            _forms.clear()
        form = _forms[key] = Form(x.dtype.kind != "c")
    return form


def changes(x: Any, op: Any) -> bool:
    """Whether a constant among the inputs may be another number in the next call.

    Of Python's numbers most rules want to know which they are: exponents, 0, 1 and -1.
    """
    if x.__class__ is float or x.__class__ is complex:
        return op in ARITHMETIC and x not in UNITS and abs(x) < math.inf
    return isinstance(x, np.ndarray | np.generic)


def form_of_constant(x: Any, op: Any) -> Any:
    """What stands for a constant among the inputs; None where nothing does."""
    kind = x.__class__
    if kind is float:
        return float if changes(x, op) else (x, math.copysign(1.0, x))
    if kind in DATA:
        return form_of(x)
    if kind is complex:
        return complex if changes(x, op) else None  # NumPy's numbers are made of it on the way
    return (kind, x) if kind in FIXED else None


def form_of_static(x: Any) -> Any:
    """What stands for a static argument; None where nothing does."""
    kind = x.__class__
    if kind in FIXED:
        return (kind, x)
    if kind is tuple or kind is list:
        forms = [form_of_static(item) for item in x]
        return None if None in forms else (kind, *forms)
    if kind is slice:
        return form_of_static((x.start, x.stop, x.step))
    if isinstance(x, np.dtype):
        return (np.dtype, x)
    if kind in DATA:
        return form_of(x)
    return (kind, repr(x)) if kind in {float, complex} else None


def record_of(node: Node) -> Record | None:
    """The record of a node; None where what made it has no form."""
    held, op = node._held, node.op
    if held.__class__ not in DATA:
        return None
    form = form_of(held)
    if op is None:
        return form.leaf
    parts: list[Any] = [op, form]
    parts += [
        form_of(x._held) if isinstance(x, Node) else form_of_constant(x, op) for x in node.inputs
    ]
    for name, x in node.params.items():
        parts += (name, form_of_static(x))
    if None in parts:
        return None
    key = tuple(parts)
    record = _records.get(key)
    if record is None:
        if len(_records) >= MOST:
            _records.clear()
        record = _records[key] = Record(op, form)
    return record


def remember(op: Any, forms: tuple[Any, ...], node: Node) -> None:
    """Let an op know what it gives on inputs of these forms."""
    if None in forms:
        return
    if len(op.records) >= MOST:
        op.records.clear()
    record = record_of(node)
    if record is not None:
        op.records[forms[0] if len(forms) == 1 else forms] = record
