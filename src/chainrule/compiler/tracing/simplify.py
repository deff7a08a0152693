"""Calls that need not be made: what they would compute is known or was computed before.

A rule looks at one call while it is recorded, with the value that it gave. None may change a shape
or a dtype, and none a number by more than the rounding of the last place; those of `ROUNDING` may
change that, or the sign of a zero, and are left out where a result has to be the same bit by bit.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from chainrule.compiler.tracing.calls import Call, attribute, method, spelled
from chainrule.compiler.tracing.operands import (
    fits,
    fitting,
    is_known,
    made_by,
    number_of,
    unstretched,
)
from chainrule.compiler.tracing.trace import is_uniform
from chainrule.ops.sums import axes_of


class Instead(NamedTuple):
    """Another call with the same result."""

    call: Call
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Filled(NamedTuple):
    """A result that is one number everywhere."""

    value: Any


class Known(NamedTuple):
    """A result that no argument has a part in."""

    value: Any


def simplified(
    call: Call, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any, exact: bool = False
) -> Any:
    """An operand that is the result already, `Instead`, `Filled`, `Known`, or None.

    With `exact` the result is the same bit by bit.
    """
    operands = [*args, *kwargs.values()]
    if isinstance(value, np.ndarray) and value.ndim and all(is_known(x) for x in operands):
        return Filled(value) if is_uniform(value) else Known(value)
    if call.function is np.matmul and not kwargs:
        return None if exact else _scaled_rows(args, value)
    ufunc = call.ufunc
    if ufunc is not None and ufunc.signature is None and not kwargs and ufunc.nout == 1:
        return _elementwise(call, args, value, exact)
    for rule in RULES.get((call.style, call.text), ()):
        if not (exact and rule in ROUNDING):
            found = rule(call, args, kwargs, value)
            if found is not None:
                return found
    return None


def _elementwise(call: Call, args: tuple[Any, ...], value: Any, exact: bool) -> Any:
    numbers = [number_of(x) for x in args]
    if all(n is not None for n in numbers) and np.size(value):
        return Filled(value)
    for rule in UFUNCS.get(call.ufunc, ()):
        if not (exact and rule in ROUNDING):
            found = rule(args, numbers, value)
            if found is not None:
                return found
    return _smaller(call, args, numbers, value)


def _smaller(call: Call, args: tuple[Any, ...], numbers: list[Any], value: Any) -> Any:
    """The same call on operands that were not stretched before."""
    shorter = list(args)
    for i, x in enumerate(args):
        source, number = unstretched(x), numbers[i] if hasattr(x, "step") else None
        if (source is None and number is None) or not x.shape:
            continue
        others = [other for j, other in enumerate(shorter) if j != i]
        if number is not None and fitting(number, others, value):
            same = any(fits(other, value) for other in others)
            alike = {getattr(other, "dtype", None) for other in args} == {x.dtype}
            if same or (call.ufunc in COMPARISONS and alike):
                shorter[i] = type(number)(number)
        elif source is not None and fitting(source, others, value):
            shorter[i] = source
    if all(a is b for a, b in zip(shorter, args, strict=True)):
        return None
    return Instead(call, tuple(shorter), {})


DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
COMPARISONS = {np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal}


def _multiply(args: Any, numbers: Any, value: Any) -> Any:
    for x, n, other in ((args[0], numbers[1], args[1]), (args[1], numbers[0], args[0])):
        if n is None or type(n) is complex or not fits(x, value):
            continue
        if n == 1 and x.dtype.kind != "c":  # a complex factor decides about the sign of zeros
            return x
        n = float(n) if x.dtype.kind in "fc" else n  # noqa: PLW2901
        if n == -1 and x.dtype.kind != "c":
            return Instead(spelled(np.negative), (x,), {})
        if type(other) is not type(n):
            return Instead(spelled(np.multiply), (x, n), {})
    return None


def _joined_factors(args: Any, numbers: Any, value: Any) -> Any:
    """(x · c) · n is x · (c · n)."""
    for x, n in ((args[0], numbers[1]), (args[1], numbers[0])):
        real = n is not None and type(n) is not complex
        inner = made_by(x, np.multiply) if real and fits(x, value) else None
        for y, c in (inner, inner[::-1]) if inner is not None else ():
            n = float(n)  # noqa: PLW2901
            if type(c) is float and fits(y, value) and _moderate(x, c, n):
                return Instead(spelled(np.multiply), (y, c * n), {})
    return None


def _moderate(x: Any, c: float, n: float) -> bool:
    """Whether two factors may be one: neither order of the products leaves the range of numbers."""
    return x.dtype in {DOUBLE, SINGLE} and all(1e-8 <= abs(factor) <= 1e8 for factor in (c, n))


def _plus_zero(args: Any, numbers: Any, value: Any) -> Any:
    for x, n in ((args[0], numbers[1]), (args[1], numbers[0])):
        if n == 0 and n is not None and fits(x, value) and x.dtype.kind != "c":
            return x
    return None


def _add(args: Any, _numbers: Any, value: Any) -> Any:
    if _same(args[0], args[1]):
        floating = fits(args[0], value) and args[0].dtype.kind == "f"
        return Instead(spelled(np.multiply), (args[0], 2.0), {}) if floating else None
    for x, y in (args, args[::-1]):
        turned = made_by(y, np.negative)
        if turned is not None and fits(x, value) and hasattr(turned[0], "step"):
            return Instead(spelled(np.subtract), (x, turned[0]), {})
    return None


def _same(a: Any, b: Any) -> bool:
    return hasattr(a, "step") and hasattr(b, "step") and a.number == b.number


def _subtract(args: Any, numbers: Any, value: Any) -> Any:
    if numbers[1] is not None and numbers[1] == 0 and fits(args[0], value):
        return args[0] if args[0].dtype.kind != "c" else None
    return None


def _divide(args: Any, numbers: Any, value: Any) -> Any:
    x, n = args[0], numbers[1]
    if not n or not fits(x, value) or x.dtype.kind != "f":
        return None
    if n == 1:
        return x
    wide = x.dtype in {DOUBLE, SINGLE} and 1e-6 < abs(n) < 1e6
    exact = wide and math.frexp(n)[0] in {0.5, -0.5}  # a power of two
    return Instead(spelled(np.multiply), (x, 1 / n), {}) if exact else None


def _negative(args: Any, _numbers: Any, value: Any) -> Any:
    inner = made_by(args[0], np.negative)
    if inner is not None and fits(inner[0], value):
        return inner[0]
    inner = made_by(args[0], np.multiply)
    if inner is not None:
        for y, c in (inner, inner[::-1]):
            if type(c) is float and fits(y, value) and y.dtype.kind != "c":
                return Instead(spelled(np.multiply), (y, -c), {})
    return None


def _unchanged(args: Any, _numbers: Any, value: Any) -> Any:
    x = args[0]
    return x if fits(x, value) and x.dtype.kind != "c" else None


def _positive(args: Any, _numbers: Any, value: Any) -> Any:
    return args[0] if fits(args[0], value) else None


def _power(args: Any, numbers: Any, value: Any) -> Any:
    x, n = args[0], numbers[1]
    return x if n == 1 and fits(x, value) else None


def _squared(args: Any, numbers: Any, value: Any) -> Any:
    x, n = args[0], numbers[1]
    return Instead(spelled(np.multiply), (x, x), {}) if n == 2 and fits(x, value) else None


def _scaled_rows(args: Any, value: Any) -> Any:
    """A diagonal matrix times a matrix scales its rows, in a derivative."""
    scaled = made_by(args[0], np.multiply)
    if scaled is None or np.ndim(value) != 2 or not args[0].step.product:
        return None
    for unit, v in (scaled, scaled[::-1]):
        square = isinstance(unit, np.ndarray) and unit.shape == (np.shape(value)[0],) * 2
        row = square and getattr(v, "ndim", 0) == 1 and v.dtype == np.result_type(*args)
        if row and np.array_equal(unit, np.eye(len(unit))):
            return Instead(spelled(np.multiply), (v.reshape((-1, 1)), args[1]), {})
    return None


UFUNCS: dict[Any, tuple[Any, ...]] = {
    np.multiply: (_joined_factors, _multiply),
    np.add: (_plus_zero, _add),
    np.subtract: (_subtract,),
    np.true_divide: (_divide,),
    np.negative: (_negative,),
    np.conjugate: (_unchanged,),
    np.positive: (_positive,),
    np.power: (_power, _squared),
}


def _reshaped(_call: Call, args: Any, kwargs: Any, value: Any) -> Any:
    x = args[0]
    if kwargs:
        return None
    if x.step.uniform is not None:
        return Filled(value)
    if fits(x, value):
        return x
    step = x.step
    if step.call is not None and step.call.text == "np.add.reduce" and step.kwargs.get("keepdims"):
        whole = x.tape.operand(step.args[0])
        gone = axes_of(step.kwargs.get("axis"), whole.ndim)
        rest = tuple(n for i, n in enumerate(whole.shape) if i not in gone)
        if rest == np.shape(value) and rest:
            return Instead(step.call, (whole,), {**step.kwargs, "keepdims": False})
    if step.call is not None and step.call.text == "reshape" and not step.kwargs:
        return Instead(method("reshape"), (x.tape.operand(step.args[0]), args[1]), {})
    return None


def _transposed(_call: Call, args: Any, _kwargs: Any, value: Any) -> Any:
    x = args[0]
    if x.step.uniform is not None:
        return Filled(value)
    if x.ndim < 2:
        return x if fits(x, value) else None
    if x.step.call == attribute("T"):
        return x.tape.operand(x.step.args[0])
    return None


def _swapped(_call: Call, args: Any, _kwargs: Any, value: Any) -> Any:
    x = args[0]
    if x.step.uniform is not None:
        return Filled(value)
    if x.step.call == method("swapaxes") and x.step.args[1:] == args[1:]:
        return x.tape.operand(x.step.args[0])
    return None


def _permuted(_call: Call, args: Any, _kwargs: Any, value: Any) -> Any:
    x, axes = args
    if x.step.uniform is not None:
        return Filled(value)
    if axes == tuple(range(x.ndim)):
        return x if fits(x, value) else None
    if x.step.call == method("transpose"):
        first = x.step.args[1]
        both = tuple(first[i] for i in axes)
        return Instead(method("transpose"), (x.tape.operand(x.step.args[0]), both), {})
    return None


def _converted(_call: Call, args: Any, _kwargs: Any, value: Any) -> Any:
    x = args[0]
    if x.step.uniform is not None and np.ndim(value):
        return Filled(value)
    return x if fits(x, value) else None


def _stretched(_call: Call, args: Any, _kwargs: Any, value: Any) -> Any:
    x = args[0]
    if not hasattr(x, "step"):
        return None
    if x.step.uniform is not None or (not x.shape and number_of(x) is not None):
        return Filled(value)
    if fits(x, value):
        return x
    if x.step.call is not None and x.step.call.text == "np.broadcast_to":
        return Instead(
            spelled(np.broadcast_to), (x.tape.operand(x.step.args[0]), np.shape(value)), {}
        )
    return None


#: Products of more entries are summed pairwise, as NumPy does: their rounding would show.
_SHORT = 4096


def _inner_product(_call: Call, args: Any, kwargs: Any, value: Any) -> Any:
    """The sum of the products of two arrays."""
    x = args[0]
    factors = made_by(x, np.multiply)
    if factors is None or x.step.product or set(kwargs) - {"axis", "keepdims"} or np.ndim(value):
        return None
    a, b = factors
    alike = all(hasattr(y, "step") and y.shape == x.shape and y.dtype == x.dtype for y in factors)
    short = x.dtype in {DOUBLE, SINGLE} and x.size <= _SHORT
    return Instead(spelled(np.vdot), (a, b), {}) if alike and short else None


def _summed(_call: Call, args: Any, kwargs: Any, value: Any) -> Any:
    x = args[0]
    known = not set(kwargs) - {"axis", "keepdims"} and getattr(x, "step", None) is not None
    uniform = known and x.step.uniform is not None and np.ndim(value) and value.size
    return Filled(value) if uniform else None


def _single(_call: Call, args: Any, kwargs: Any, value: Any) -> Any:
    """A sum over axes of length one; NumPy's makes 0 of -0."""
    x = args[0]
    if set(kwargs) - {"axis", "keepdims"} or not hasattr(x, "step") or not np.ndim(value):
        return None
    if made_by(x, np.multiply) is not None and x.step.product:
        return None
    alike = x.size == np.size(value) and x.dtype == getattr(value, "dtype", None)
    return Instead(method("reshape"), (x, np.shape(value)), {}) if alike else None


def _entry(_call: Call, args: Any, _kwargs: Any, value: Any) -> Any:
    x, index = args
    if index is ... and fits(x, value):
        return x
    if type(index) is tuple and not index and x.step.call == spelled(np.array):
        inner = x.tape.operand(x.step.args[0])
        if fits(inner, value):
            return inner
    return x if type(index) is tuple and not index and fits(x, value) else None


RULES: dict[tuple[str, str], tuple[Any, ...]] = {
    ("item", "[]"): (_entry,),
    ("method", "reshape"): (_reshaped,),
    ("method", "transpose"): (_permuted,),
    ("method", "swapaxes"): (_swapped,),
    ("method", "astype"): (_converted,),
    ("attribute", "T"): (_transposed,),
    ("function", "np.broadcast_to"): (_stretched,),
    ("function", "np.add.reduce"): (_inner_product, _summed, _single),
}
#: Rules that may change the rounding, or the sign of a zero.
ROUNDING = {_joined_factors, _plus_zero, _squared, _inner_product, _single}
