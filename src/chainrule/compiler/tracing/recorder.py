"""Writing calls down: what is computed, with what, and what comes out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.compiler.tracing.calls import CONSTANT, OPERATORS, PART, Call, Ref, spelled
from chainrule.compiler.tracing.simplify import Filled, Instead, Known, simplified
from chainrule.compiler.tracing.trace import LITERAL, UNFORESEEN, Step, Trace, refusal
from chainrule.errors import CompileError
from chainrule.sites import site_text, user_site


class Origin(NamedTuple):
    """How a view was made."""

    base: Any
    call: Call
    rest: tuple[Any, ...]
    kwargs: dict[str, Any]
    number: int
    #: The position of the view among several results.
    part: int | None = None


class Operand:
    """What a call that is written down can be given besides constants; `Placeholder` is one."""

    __slots__ = ()
    tape: Trace
    number: int
    value: Any
    origin: Origin | None
    dtype: Any

    def now(self) -> Any:
        """This, as it is after all changes of what it is a view of."""
        raise NotImplementedError


#: Functions of which the length of the result depends on the numbers.
_GROWING = {
    *(np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.unique_values, np.unique_counts),
    *(np.unique_inverse, np.unique_all, np.extract, np.trim_zeros, np.intersect1d, np.union1d),
    *(np.setdiff1d, np.setxor1d, np.bincount, np.roots, np.polydiv),
}


#: Functions that take numbers, not counts or axes, after the first argument.
_TAKING_NUMBERS = {
    *(np.take, np.where, np.clip, np.searchsorted, np.einsum, np.dot, np.vdot, np.inner, np.outer),
    *(np.full_like, np.copyto, np.interp, np.array, np.digitize, np.isclose, np.allclose),
    *(np.nan_to_num, np.quantile, np.percentile, np.pad, np.append, np.choose, np.select),
}


def holds_operand(items: Any) -> bool:
    """Whether there is a placeholder among some items."""
    return any(isinstance(item, Operand) for item in items)


def is_count(x: Any) -> bool:
    """Whether an argument may be a length, a count or an axis that depends on numbers."""
    if isinstance(x, list | tuple):
        return any(is_count(item) for item in x)
    return isinstance(x, Operand) and x.dtype.kind in "iu" and not np.ndim(x.value)


def require_fixed_shape(call: Call, args: Any, kwargs: Any) -> None:
    """Refuse what has another shape for other numbers."""
    if call.style in {"item", "assigned", "updated"}:
        parts = args[1] if isinstance(args[1], tuple) else (args[1],)
        if any(isinstance(p, slice) and holds_operand((p.start, p.stop, p.step)) for p in parts):
            raise refused("the bounds of a slice are numbers", "choose with np.where(mask, x, 0)")
        masks = any(isinstance(part, Operand) and part.dtype.kind == "b" for part in parts)
        grows = masks and (call.style == "item" or np.ndim(concrete(args[2])) > 0)
    elif call.function is np.where:
        grows = len(args) == 1
    elif call.function in {np.delete, np.insert, np.repeat}:
        grows = holds_operand((*args[1:2], *kwargs.values()))
    elif call.function is np.compress:
        grows = isinstance(args[0], Operand)
    else:
        grows = call.function in _GROWING
        numpys = call.ufunc is None and not call.ufunc_method and call.style != "foreign"
        if numpys and call.function not in _TAKING_NUMBERS:
            grows = grows or any(is_count(x) for x in (*args[1:], *kwargs.values()))
    if grows:
        raise refused(
            f"the shape of what {call.text} gives depends on numbers",
            "keep all entries, and choose with np.where(mask, x, 0)",
        )


def concrete(x: Any) -> Any:
    """The actual values behind placeholders, also in lists and slices."""
    if isinstance(x, Operand):
        return x.now().value
    if isinstance(x, list | tuple):
        items = [concrete(item) for item in x]
        return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
    if isinstance(x, slice):
        return slice(*[concrete(part) for part in (x.start, x.stop, x.step)])
    return x


def packed(trace: Trace, x: Any) -> Any:
    """Arguments with references in place of placeholders and of constant arrays."""
    if isinstance(x, Operand):
        if x.tape is not trace:
            raise refusal("a placeholder of another tracing is in use: it was kept from then")
        return Ref(x.now().number)
    if isinstance(x, list | tuple):
        items = [packed(trace, item) for item in x]
        return tuple(items) if hasattr(x, "_fields") else type(x)(items)
    if isinstance(x, slice):
        return slice(*[packed(trace, part) for part in (x.start, x.stop, x.step)])
    if isinstance(x, np.ndarray) or not isinstance(x, LITERAL):
        return trace.fixed(x)
    return x


def recorded(trace: Trace, call: Call, args: Any, kwargs: Any = None) -> Any:
    """The result of a call, written down."""
    args, kwargs = tuple(args), kwargs or {}
    require_fixed_shape(call, args, kwargs)
    given = packed(trace, args), {key: packed(trace, option) for key, option in kwargs.items()}
    value = trace.foreseen(call, *given)
    if value is UNFORESEEN:
        options = {key: concrete(option) for key, option in kwargs.items()}
        try:
            value = _evaluated(call, concrete(list(args)), options)
        except (ArithmeticError, np.linalg.LinAlgError):
            trace.failed = True
            raise
        simpler = _simpler(trace, call, args, kwargs, value)
        if simpler is not None:
            return simpler
    step = trace.step(call, *given, value)
    if isinstance(value, tuple | list):
        parts = [
            _of_origin(_part(trace, step, i), x, call, args, kwargs, i) for i, x in enumerate(value)
        ]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    result = trace.placeholder(step.number)
    return _of_origin(result, value, call, args, kwargs)


def _simpler(trace: Trace, call: Call, args: Any, kwargs: Any, value: Any) -> Any:
    """The result of a call by a simpler one, or None."""
    simple = simplified(call, args, kwargs, value, trace.exact)
    if isinstance(simple, Instead):
        result = recorded(trace, *simple)
        if not lies_alike(result.value, value):
            return None
        result = trace.placeholder(result.number)  # the view is one of what this call was given
    elif isinstance(simple, Filled):
        result = constant(trace, simple.value)
    elif isinstance(simple, Known):
        step = trace.step(CONSTANT, (trace.fixed(simple.value),), {}, simple.value)
        result = trace.placeholder(step.number)
    elif simple is None or not lies_alike(simple.value, value):
        return None
    else:
        result = trace.placeholder(simple.number)
    return _of_origin(result, value, call, args, kwargs)


def makes_anew(call: Call) -> bool:
    """Whether the result of a call is never a view."""
    return call.ufunc is not None or call.text in {"astype", "clip"}


def lies_alike(x: Any, value: Any) -> bool:
    """Whether two arrays lie in memory alike: that decides what is a view of them."""
    return bool(getattr(x, "strides", ()) == getattr(value, "strides", ()))


def _of_origin(
    result: Any, value: Any, call: Call, args: Any, kwargs: Any, part: int | None = None
) -> Any:
    """A result that remembers what it is a view of, as NumPy's `value` is one."""
    source: Any = args[0] if args else None
    if not isinstance(value, np.ndarray) or makes_anew(call):
        return result
    seen = [_views(value, x) for x in args]
    if isinstance(source, Operand) and seen[0] and sum(seen) == 1:
        result.origin = Origin(source, call, tuple(args[1:]), kwargs, source.number, part)
    elif any(seen) and value.base is not None:
        result.tape.loose.append(value)
    return result


def _views(value: Any, x: Any) -> int:
    """Of how many operands an array is a view; copies that nobody changed yet count as one more."""
    if isinstance(x, list | tuple):
        return sum(_views(value, item) for item in x)
    return int(isinstance(x, Operand) and np.may_share_memory(value, x.value))


def _evaluated(call: Call, actual: list[Any], options: dict[str, Any]) -> Any:
    """The actual result; Python's own operator where all inputs are Python's numbers."""
    if call.function in OPERATORS and not options and all(type(x) in PYTHON for x in actual):
        operator: Any = OPERATORS[call.function]
        return operator(*actual)
    return call.function(*actual, **options)


PYTHON = {float, int, bool, complex}


def _part(trace: Trace, whole: Step, i: int) -> Any:
    step = trace.step(PART, (Ref(whole.number), i), {}, whole.value[i])
    return trace.placeholder(step.number)


def constant(trace: Trace, array: Any) -> Any:
    """A constant of one number everywhere, as a placeholder."""
    array = np.asarray(array)
    fill = array.flat[0].item() if array.size else 0.0
    if trace.exact and not array.flags.c_contiguous:  # decides about the order of results
        if any(array.strides):
            raise CompileError("a constant array that does not lie in C order")
        number = trace.fixed(np.array(fill, array.dtype))
        step = trace.step(spelled(np.broadcast_to), (number, array.shape), {}, array)
    else:
        step = trace.step(spelled(np.full), (array.shape, fill, array.dtype), {}, array)
    step.uniform = fill
    return trace.placeholder(step.number)


def refused(what: str, way_out: str) -> CompileError:
    return refusal(
        f"{what} at {site_text(user_site(2))}, which a compiled function cannot do anew in every"
        f" call: {way_out}"
    )
