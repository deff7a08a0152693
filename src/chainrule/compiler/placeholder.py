"""`Placeholder`: an array that is computed with, and whose computations are written down."""

from __future__ import annotations

import inspect
import operator
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.compiler.calls import (
    ASSIGNED,
    CLIP,
    CONSTANT,
    ITEM,
    OPERATORS,
    PART,
    UPDATED,
    Call,
    Ref,
    attribute,
    method,
    spelled,
)
from chainrule.compiler.contraction import contracted
from chainrule.compiler.simplify import Filled, Instead, Known, simplified
from chainrule.compiler.trace import LITERAL, Step, Trace
from chainrule.errors import CompileError
from chainrule.sites import PACKAGE, site_text, user_site
from chainrule.traced import Traced

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOAT = Call("float", "function", float)
#: Functions of shapes and dtypes only: their answers are plain.
_ABOUT = {
    *(np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj, np.result_type, np.can_cast),
    *(np.may_share_memory, np.shares_memory, np.min_scalar_type, np.common_type),
}
#: Functions that make an array like another, by what fills it.
_FILLED = {np.ones_like: 1.0, np.zeros_like: 0.0, np.empty_like: 0.0}
#: NumPy's reductions by the method of a ufunc that they stand for.
_REDUCED = {
    np.sum: np.add.reduce,
    np.prod: np.multiply.reduce,
    np.max: np.maximum.reduce,
    np.min: np.minimum.reduce,
    np.any: np.logical_or.reduce,
    np.all: np.logical_and.reduce,
}


#: Functions that change their first argument.
_CHANGING = {np.fill_diagonal, np.put_along_axis, np.put, np.place, np.putmask}
#: Functions of which the length of the result depends on the numbers.
_GROWING = {
    *(np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.unique_values, np.unique_counts),
    *(np.unique_inverse, np.unique_all, np.extract, np.trim_zeros, np.intersect1d, np.union1d),
    *(np.setdiff1d, np.setxor1d, np.bincount, np.compress, np.delete, np.insert, np.repeat),
}


def _require_fixed_shape(call: Call, args: Any) -> None:
    """Refuse what has another shape for other numbers."""
    if call.style in {"item", "assigned", "updated"}:
        parts = args[1] if isinstance(args[1], tuple) else (args[1],)
        masks = any(isinstance(part, Placeholder) and part.dtype.kind == "b" for part in parts)
        grows = masks and (call.style == "item" or np.ndim(_concrete(args[2])) > 0)
    elif call.function is np.where:
        grows = len(args) == 1
    elif call.function in {np.delete, np.insert, np.repeat}:
        grows = len(args) > 1 and isinstance(args[1], Placeholder)
    elif call.function is np.compress:
        grows = isinstance(args[0], Placeholder)
    else:
        grows = call.function in _GROWING
    if grows:
        raise _refused(
            f"the shape of what {call.text} gives depends on numbers",
            "keep all entries, and choose with np.where(mask, x, 0)",
        )


class Origin(NamedTuple):
    """How a view was made."""

    base: Placeholder
    call: Call
    rest: tuple[Any, ...]
    kwargs: dict[str, Any]
    number: int


class Placeholder:
    """An array or a number of a computation that is being traced.

    It holds the actual `value`, from which shapes and dtypes come, and the number of the step that
    computes it. Whatever would take the value out of the computation raises.
    """

    __slots__ = ("changes", "number", "origin", "tape", "value")

    def __init__(self, trace: Trace, number: int, changes: bool = True) -> None:
        self.tape = trace
        self.number = number
        self.value = trace.steps[number].value
        #: Whether it may be written into: an argument may not.
        self.changes = changes
        #: Of a view: how it was made, of what, and what that was then.
        self.origin: Origin | None = None

    @property
    def step(self) -> Step:
        return self.tape.steps[self.number]

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.value)

    @property
    def dtype(self) -> Any:
        return getattr(self.value, "dtype", None) or np.dtype(type(self.value))

    @property
    def ndim(self) -> int:
        return np.ndim(self.value)

    @property
    def size(self) -> int:
        return int(np.size(self.value))

    @property
    def nbytes(self) -> int:
        return self.size * int(self.dtype.itemsize)

    @property
    def stands_for(self) -> type:
        """The class of the value."""
        return type(self.value)

    @property
    def T(self) -> Any:  # noqa: N802
        """The axes reversed."""
        return recorded(self.tape, attribute("T"), (self,))

    @property
    def mT(self) -> Any:  # noqa: N802
        """The last two axes exchanged."""
        return np.matrix_transpose(self)

    @property
    def real(self) -> Any:
        """The real part."""
        return np.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return np.imag(self)

    def astype(self, dtype: Any, **_options: Any) -> Any:
        """Converted."""
        return recorded(self.tape, method("astype"), (self, np.dtype(dtype)))

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        """The same entries in another shape."""
        wanted = shape[0] if len(shape) == 1 else shape
        if order != "C":
            return recorded(self.tape, method("reshape"), (self, wanted), {"order": order})
        wanted = np.broadcast_to(0, self.shape).reshape(wanted).shape
        return recorded(self.tape, method("reshape"), (self, wanted))

    def transpose(self, *order: Any, axes: Any = None) -> Any:
        """Permute the axes, by default reverse them."""
        order = axes if axes is not None else order[0] if len(order) == 1 else order or None
        if order is None:
            return self.T
        return recorded(
            self.tape, method("transpose"), (self, tuple(np.atleast_1d(order).tolist()))
        )

    def clip(self, low: Any = None, high: Any = None) -> Any:
        """Every entry at least `low` and at most `high`."""
        return recorded(self.tape, CLIP, (self, low, high))

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """Two axes exchanged."""
        return recorded(self.tape, method("swapaxes"), (self, int(axis1), int(axis2)))

    def copy(self, order: str = "C") -> Placeholder:  # noqa: ARG002 -- nothing is written into it
        """The same numbers, to be changed on their own."""
        if type(self.value) in _PYTHON:  # what was a Python number has a dtype from now on
            return _array_of(self)
        return Placeholder(self.tape, self.now().number)

    view = __copy__ = copy

    def __deepcopy__(self, _memo: Any) -> Any:
        return self.copy()

    def conjugate(self) -> Any:
        """The complex conjugate."""
        return np.conjugate(self)

    conj = conjugate

    def flatten(self, order: str = "C") -> Any:
        """The entries in one axis."""
        return self.reshape((-1,), order=order)

    ravel = flatten

    def as_float(self) -> Any:
        """A number as Python's."""
        return recorded(self.tape, FLOAT, (self,))

    def note_product(self) -> None:
        """It is a partial times a cotangent, in which zero wins over infinity."""
        call = self.step.call
        self.step.product |= call is not None and call.ufunc is np.multiply

    # ---- entries

    def __getitem__(self, index: Any) -> Any:
        if type(self.value) in _PYTHON and index == ():
            return self
        return recorded(self.tape, ITEM, (self, index))

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, Placeholder) and value.number == self.now().number and index is ...:
            return
        self._become(ASSIGNED, (self, index, value), operator.setitem)

    def now(self) -> Placeholder:
        """This, as it is after all changes of what it is a view of."""
        if self.origin is not None:
            base = self.origin.base.now()
            if base.number != self.origin.number:
                again = recorded(
                    self.tape, self.origin.call, (base, *self.origin.rest), self.origin.kwargs
                )
                self._be(again.step)
                self.origin = self.origin._replace(number=base.number)
        return self

    def _become(self, call: Call, args: Any, change: Any) -> None:
        """Be what a change of entries makes of this; what it is a view of changes, too."""
        if not self.changes:
            raise _refused("an argument is written into", "copy it first, x = x.copy()")
        _require_fixed_shape(call, args)
        value = np.array(self.now().value)
        change(value, *[_concrete(x) for x in args[1:]])
        step = self.tape.step(call, _packed(self.tape, args), {}, value)
        self.put(Placeholder(self.tape, step.number))

    def put(self, result: Placeholder) -> None:
        """Be another result, in the place of what this was."""
        origin = self.origin
        if origin is None:
            if not self.changes:
                raise _refused("an argument is written into", "copy it first, x = x.copy()")
            self._be(result.step)
            return
        if origin.call is not ITEM:
            raise _refused(
                f"a view made by {origin.call.text} is written through",
                "copy it first, x = x.copy()",
            )
        origin.base[origin.rest[0]] = result
        self._be(result.step)
        self.origin = origin._replace(number=origin.base.number)

    def _be(self, step: Step) -> None:
        self.number, self.value = step.number, step.value

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    # ---- NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, kind: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, Traced) for x in inputs):
            return NotImplemented
        if kind == "at":
            if not isinstance(inputs[0], Placeholder):
                raise _refused("a constant array is written into", "start from np.zeros_like(x)")
            call = UPDATED._replace(function=ufunc, text=f"{spelled(ufunc).text}.at")
            inputs[0]._become(call, inputs, ufunc.at)
            return None
        out = kwargs.pop("out", (None,))[0]
        where = kwargs.pop("where", True)
        function = ufunc if kind == "__call__" else getattr(ufunc, kind)
        result = recorded(self.tape, spelled(function), inputs, kwargs)
        if where is not True:
            if out is None or kind != "__call__":
                raise _refused(f"np.{ufunc.__name__} with where=", "take np.where of the result")
            result = np.where(where, result, out)
        if out is None:
            return result
        if not isinstance(out, Placeholder):
            raise _refused("a result is written into an array from outside", "return it")
        if result.shape != out.shape:
            result = np.broadcast_to(result, out.shape)
        out.put(result if result.dtype == out.dtype else result.astype(out.dtype))
        return out

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(issubclass(kind, Traced) for kind in types):
            return NotImplemented
        if function in _ABOUT:
            return function(*[_concrete(x) for x in args], **kwargs)
        if function in _FILLED:
            like = function(*[_concrete(x) for x in args], **kwargs)
            filled = np.full_like(like, _FILLED[function])
            return constant(self.tape, filled)
        if kwargs.get("out") is not None:
            raise _refused("a result is written into an array", "take the result as it is returned")
        if function in _CHANGING:
            call = UPDATED._replace(text=spelled(function).text)
            args = inspect.signature(function).bind(*args, **kwargs).args
            args[0]._become(call, args, function)
            return None
        if function is np.copyto:
            mask = kwargs.get("where", True)
            args[0][...] = args[1] if mask is True else np.where(mask, args[1], args[0])
            return None
        if function in _REDUCED and args and isinstance(args[0], Placeholder):
            options = {key: value for key, value in kwargs.items() if key != "out"}
            options.setdefault("axis", args[1] if len(args) > 1 else None)
            if len(args) <= 2:
                return recorded(self.tape, spelled(_REDUCED[function]), args[:1], options)
        return SHORTER.get(function, _whole)(self.tape, function, args, kwargs)

    # ---- what would leave the computation

    def __array__(self, *_args: Any, **_kwargs: Any) -> np.ndarray:
        raise _refused(
            "an array is converted", "stay with NumPy's functions; np.stack joins several"
        )

    def __float__(self) -> float:
        raise _refused(
            "a number is taken out", "use np.sin for math.sin, and return what is wanted"
        )

    __int__ = __complex__ = __index__ = item = tolist = __float__

    def __bool__(self) -> bool:
        truth = bool(self.value)
        if sys._getframe(1).f_code.co_filename.startswith(PACKAGE):
            self.tape.guard(self.number, truth)
            return truth
        raise _refused(
            "the program goes one way or the other by a value",
            "use np.where for `if`, and lengths or a fixed number of rounds for `while`",
        )

    def __format__(self, _spec: str) -> str:
        raise _refused("a number is printed", "return it and print it outside")

    def __str__(self) -> str:
        return self.__format__("")

    def __repr__(self) -> str:
        return f"<placeholder {self.number} of shape {self.shape}, {self.dtype}>"

    __hash__ = object.__hash__


def _concrete(x: Any) -> Any:
    """The actual values behind placeholders, also in lists and slices."""
    if isinstance(x, Placeholder):
        return x.now().value
    if isinstance(x, list | tuple):
        items = [_concrete(item) for item in x]
        return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
    if isinstance(x, slice):
        return slice(*[_concrete(part) for part in (x.start, x.stop, x.step)])
    return x


def _packed(trace: Trace, x: Any) -> Any:
    """Arguments with references in place of placeholders and of constant arrays."""
    if isinstance(x, Placeholder):
        if x.tape is not trace:
            raise CompileError("a placeholder of another tracing is in use: it was kept from then")
        return Ref(x.now().number)
    if isinstance(x, list | tuple):
        return type(x)([_packed(trace, item) for item in x])
    if isinstance(x, slice):
        return slice(*[_packed(trace, part) for part in (x.start, x.stop, x.step)])
    if isinstance(x, np.ndarray) or not isinstance(x, LITERAL):
        return trace.fixed(x)
    return x


def recorded(trace: Trace, call: Call, args: Any, kwargs: Any = None) -> Any:
    """The result of a call, written down."""
    kwargs = kwargs or {}
    _require_fixed_shape(call, args)
    actual = _concrete(list(args))
    options = {key: _concrete(value) for key, value in kwargs.items()}
    value = _evaluated(call, actual, options)
    simple = simplified(call, tuple(args), kwargs, value)
    if isinstance(simple, Instead):
        return recorded(trace, *simple)
    if isinstance(simple, Filled):
        return constant(trace, simple.value)
    if isinstance(simple, Known):
        step = trace.step(CONSTANT, (trace.fixed(simple.value),), {}, simple.value)
        return Placeholder(trace, step.number)
    if simple is not None:
        return _of_origin(Placeholder(trace, simple.number), call, args, kwargs)
    packed = {key: _packed(trace, option) for key, option in kwargs.items()}
    step = trace.step(call, _packed(trace, tuple(args)), packed, value)
    if isinstance(value, tuple | list):
        parts = [_part(trace, step, i) for i in range(len(value))]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    result = Placeholder(trace, step.number)
    return _of_origin(result, call, args, kwargs)


def _of_origin(result: Placeholder, call: Call, args: Any, kwargs: Any) -> Placeholder:
    """A result that remembers what it is a view of."""
    source = args[0]
    if isinstance(source, Placeholder) and isinstance(result.value, np.ndarray):
        made_anew = call.ufunc is not None or call.text in {"astype", "clip"}
        if not made_anew and np.may_share_memory(result.value, source.value):
            result.origin = Origin(source, call, tuple(args[1:]), kwargs, source.number)
    return result


def _evaluated(call: Call, actual: list[Any], options: dict[str, Any]) -> Any:
    """The actual result; Python's own operator where all inputs are Python's numbers."""
    if call.function in OPERATORS and not options and all(type(x) in _PYTHON for x in actual):
        return OPERATORS[call.function][0](*actual)
    return call.function(*actual, **options)


_PYTHON = {float, int, bool, complex}


def _part(trace: Trace, whole: Step, i: int) -> Placeholder:
    step = trace.step(PART, (Ref(whole.number), i), {}, whole.value[i])
    return Placeholder(trace, step.number)


def constant(trace: Trace, array: Any) -> Placeholder:
    """A constant of one number everywhere, as a placeholder."""
    array = np.asarray(array)
    fill = array.flat[0].item() if array.size else 0.0
    step = trace.step(spelled(np.full), (array.shape, fill, array.dtype), {}, array)
    step.uniform = fill
    return Placeholder(trace, step.number)


def _array_of(x: Placeholder) -> Placeholder:
    """The same numbers as an array, of shape () if x is a number."""
    if isinstance(x.value, np.ndarray):
        return x.copy()
    return recorded(x.tape, spelled(np.array), (x,))  # type: ignore[no-any-return]


def _whole(trace: Trace, function: Any, args: Any, kwargs: Any) -> Any:
    """A function of NumPy's as it is."""
    return recorded(trace, spelled(function), args, kwargs)


def _shape_like(trace: Trace, function: Any, args: Any, kwargs: Any) -> Any:
    """A function that a method of the array does as well."""
    x, *rest = args
    return getattr(x, function.__name__)(*rest, **kwargs)


def _real(trace: Trace, function: Any, args: Any, _kwargs: Any) -> Any:
    x = args[0]
    if x.dtype.kind == "c":
        return recorded(trace, attribute(function.__name__), (x,))
    return x.copy() if function is np.real else constant(trace, np.zeros(x.shape, x.dtype))


def _matrix_transpose(_trace: Trace, _function: Any, args: Any, _kwargs: Any) -> Any:
    return args[0].T if args[0].ndim == 2 else args[0].swapaxes(-1, -2)


def _mean(trace: Trace, function: Any, args: Any, kwargs: Any) -> Any:
    """A sum divided by a number, as NumPy computes it."""
    x = args[0]
    axis = args[1] if len(args) > 1 else kwargs.get("axis")
    if len(args) > 2 or set(kwargs) - {"axis", "keepdims"} or x.dtype.kind not in "fc":
        return _whole(trace, function, args, kwargs)
    if x.dtype.itemsize < 4 or not x.size:
        return _whole(trace, function, args, kwargs)
    total = np.sum(x, axis=axis, keepdims=kwargs.get("keepdims", False))
    return total / (x.size // (total.size or 1))


def _einsum(trace: Trace, function: Any, args: Any, kwargs: Any) -> Any:
    """Einstein's sum of two arrays as a matrix product."""
    subscripts, *operands = args
    if len(operands) == 2 and not set(kwargs) - {"optimize"}:
        product = contracted(subscripts, *operands)
        if product is not None:
            return product
    return _whole(trace, function, args, kwargs)


SHORTER = {
    np.reshape: _shape_like,
    np.transpose: _shape_like,
    np.swapaxes: _shape_like,
    np.ravel: _shape_like,
    np.copy: lambda _trace, _function, args, _kwargs: _array_of(args[0]),
    np.real: _real,
    np.imag: _real,
    np.matrix_transpose: _matrix_transpose,
    np.mean: _mean,
    np.einsum: _einsum,
}


def _refused(what: str, way_out: str) -> CompileError:
    return CompileError(
        f"{what} at {site_text(user_site(2))}, which a compiled function cannot do anew in every"
        f" call: {way_out}"
    )


def _operators() -> None:
    """Python's operators, from NumPy's ufuncs."""
    for name, ufunc in {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide,
        "floordiv": np.floor_divide, "mod": np.remainder, "pow": np.power,
        "matmul": np.matmul, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    }.items():
        setattr(Placeholder, f"__{name}__", lambda self, other, _f=ufunc: _binary(_f, self, other))
        setattr(Placeholder, f"__r{name}__", lambda self, other, _f=ufunc: _binary(_f, other, self))
        setattr(
            Placeholder, f"__i{name}__", lambda self, other, _f=ufunc: _in_place(_f, self, other)
        )
    for name, ufunc in {
        "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
        "eq": np.equal, "ne": np.not_equal,
    }.items():
        setattr(Placeholder, f"__{name}__", lambda self, other, _f=ufunc: _binary(_f, self, other))
    for name, ufunc in {
        "neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert
    }.items():
        setattr(Placeholder, f"__{name}__", lambda self, _f=ufunc: _f(self))
    for function in (
        *(np.sum, np.mean, np.max, np.min, np.prod, np.var, np.std, np.cumsum, np.cumprod, np.any),
        *(np.all, np.squeeze, np.repeat, np.take, np.trace, np.diagonal, np.dot, np.round),
        *(np.nonzero, np.argmax, np.argmin, np.argsort, np.searchsorted),
    ):
        setattr(
            Placeholder,
            function.__name__,
            lambda self, *args, _f=function, **kwargs: _f(self, *args, **kwargs),
        )


def _binary(ufunc: Any, a: Any, b: Any) -> Any:
    if any(isinstance(x, Traced) or x is None or isinstance(x, str) for x in (a, b)):
        return NotImplemented
    return ufunc(a, b)


def _in_place(ufunc: Any, a: Placeholder, b: Any) -> Any:
    if not a.shape or not isinstance(a.value, np.ndarray):
        return ufunc(a, b)
    return ufunc(a, b, out=(a,))


_operators()
