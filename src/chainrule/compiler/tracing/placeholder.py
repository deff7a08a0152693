"""`Placeholder`: an array that is computed with, and whose computations are written down."""

from __future__ import annotations

import math
import operator
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.tracing.answers import answer, array_of
from chainrule.compiler.tracing.calls import (
    ASSIGNED,
    CLIP,
    FLOAT,
    ITEM,
    UPDATED,
    Call,
    attribute,
    method,
    spelled,
)
from chainrule.compiler.tracing.numbers import as_float, of_numbers
from chainrule.compiler.tracing.operators import give_operators
from chainrule.compiler.tracing.recorder import (
    PYTHON,
    Operand,
    Origin,
    concrete,
    packed,
    recorded,
    refused,
    require_fixed_shape,
)
from chainrule.compiler.tracing.trace import UNFORESEEN
from chainrule.sites import PACKAGE
from chainrule.traced import Traced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainrule.compiler.tracing.trace import Step, Trace


class Placeholder(Operand):
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

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """For the program that is traced it is what it stands for: `isinstance` says so."""
        inside = sys._getframe(1).f_code.co_filename.startswith(PACKAGE)
        return Placeholder if inside else type(self.value)

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
    def itemsize(self) -> int:
        return int(self.dtype.itemsize)

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

    def astype(self, dtype: Any, *, copy: bool = True, **_options: Any) -> Any:
        """Converted."""
        if not copy and self.dtype == np.dtype(dtype):
            return self
        return recorded(self.tape, method("astype"), (self, np.dtype(dtype)))

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        """The same entries in another shape."""
        wanted = shape[0] if len(shape) == 1 else shape
        if order not in {"C", "F"}:
            raise refused(f"order={order!r} asks for a layout of memory", "order='C' or 'F'")
        if order != "C":
            return recorded(self.tape, method("reshape"), (self, wanted), {"order": order})
        wanted = np.broadcast_to(0, self.shape).reshape(wanted).shape
        return recorded(self.tape, method("reshape"), (self, wanted))

    def transpose(self, *order: Any, axes: Any = None) -> Any:
        """Permute the axes, by default reverse them."""
        wanted = axes if axes is not None else order[0] if len(order) == 1 else order or None
        if wanted is None:
            return self.T
        return recorded(
            self.tape, method("transpose"), (self, tuple(np.atleast_1d(wanted).tolist()))
        )

    def clip(self, low: Any = None, high: Any = None, **limits: Any) -> Any:
        """Every entry at least `low` and at most `high`, which NumPy also calls min and max."""
        low, high = limits.get("min", low), limits.get("max", high)
        if type(self.value) in PYTHON:  # which has no such method
            y = self if low is None or _is(low, -math.inf) else np.maximum(self, low)
            return y if high is None or _is(high, math.inf) else np.minimum(y, high)
        return recorded(self.tape, CLIP, (self, low, high))

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """Two axes exchanged."""
        return recorded(self.tape, method("swapaxes"), (self, int(axis1), int(axis2)))

    def copy(self, order: str = "C") -> Any:  # noqa: ARG002 -- nothing is written into it
        """The same numbers, to be changed on their own."""
        if isinstance(self.value, np.ndarray) and not self.value.flags.c_contiguous:
            return recorded(self.tape, method("copy"), (self,))
        if type(self.value) in PYTHON:  # what was a Python number has a dtype from now on
            return array_of(self)
        return Placeholder(self.tape, self.now().number)

    __copy__ = copy

    def fill(self, value: Any) -> None:
        """All entries the same number."""
        self[...] = value

    def sort(self, axis: int = -1, **_options: Any) -> None:
        """Put the entries in order."""
        self[...] = np.sort(self, axis=axis)

    def view(self) -> Any:
        """The same array once more."""
        return self[...]

    def __deepcopy__(self, _memo: Any) -> Any:
        return self.copy()

    def conjugate(self) -> Any:
        """The complex conjugate."""
        if self.dtype.kind != "c":
            return self  # as NumPy does
        return np.conjugate(self)

    conj = conjugate

    def ravel(self, order: str = "C") -> Any:
        """The entries in one axis."""
        return self.reshape((-1,), order=order)

    def flatten(self, order: str = "C") -> Any:
        """The entries in one axis, to be changed on their own."""
        return self.ravel(order).alone()

    def alone(self) -> Any:
        """The same result, which is no view of anything."""
        return Placeholder(self.tape, self.now().number)

    def as_float(self, since: float = math.inf) -> Any:
        """A number as Python's; nobody has seen the steps recorded since."""
        if type(self.value) is float:
            return self
        if isinstance(self.value, complex):
            self.tape.failed = True
            raise ValueError("math domain error")  # noqa: TRY004 -- as Python's math does
        number = as_float(self, since)
        return number if number is not None else recorded(self.tape, FLOAT, (self,))

    def as_one_call(self, function: Any, *args: Any) -> Any:
        """A function of this package's, written down as it is where results have to be exact.

        It decides by numbers which calls it makes; elsewhere a program is to be read by itself.
        """
        exact = self.tape.exact
        return recorded(self.tape, spelled(function), (self, *args)) if exact else None

    def note_product(self) -> None:
        """It is a partial times a cotangent, in which zero wins over infinity."""
        call = self.step.call
        self.step.product |= call is not None and call.ufunc is np.multiply

    # ---- entries

    def __getitem__(self, index: Any) -> Any:
        if type(self.value) in PYTHON and index == ():
            return self
        return recorded(self.tape, ITEM, (self, index))

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, Placeholder) and value.number == self.now().number and index is ...:
            return
        self.become(ASSIGNED, (self, index, value), operator.setitem)

    def now(self) -> Placeholder:
        """This, as it is after all changes of what it is a view of."""
        if self.origin is not None:
            base = self.origin.base.now()
            if base.number != self.origin.number:
                origin = self.origin
                again = recorded(self.tape, origin.call, (base, *origin.rest), origin.kwargs)
                again = again if origin.part is None else again[origin.part]
                self._be(again.step)
                self.origin = self.origin._replace(number=base.number)
        return self

    def become(self, call: Call, args: Any, change: Any) -> None:
        """Be what a change of entries makes of this; what it is a view of changes, too."""
        if not self.changes:
            raise refused("an argument is written into", "copy it first, x = x.copy()")
        require_fixed_shape(call, args, {})
        if any(np.may_share_memory(self.value, view) for view in self.tape.loose):
            raise refused("an array is changed that has views", "copy it first, x = x.copy()")
        given = packed(self.tape, args)
        value = self.tape.foreseen(call, given, {})
        if value is UNFORESEEN:
            value = np.array(self.now().value)
            change(value, *[concrete(x) for x in args[1:]])
        step = self.tape.step(call, given, {}, value)
        self.put(Placeholder(self.tape, step.number))

    def laid_out(self, result: Any) -> Any:
        """A result that lies in memory as this does: what is a view of it depends on that."""
        if result.value.strides == self.now().value.strides:
            return result
        order = "C" if self.value.flags.c_contiguous else "F"
        return recorded(self.tape, method("copy"), (result,), {"order": order})

    def put(self, result: Placeholder) -> None:
        """Be another result, in the place of what this was."""
        self.tape.changed = True
        origin = self.origin
        if origin is None:
            if not self.changes:
                raise refused("an argument is written into", "copy it first, x = x.copy()")
            self._be(result.step)
            return
        if origin.call is not ITEM:
            raise refused(
                f"a view made by {origin.call.text} is written through",
                "copy it first, x = x.copy()",
            )
        origin.base[origin.rest[0]] = result
        self._be(result.step)
        self.origin = origin._replace(number=origin.base.number)

    def _be(self, step: Step) -> None:
        self.number, self.value = step.number, step.value

    def __len__(self) -> int:
        if not isinstance(self.value, np.ndarray):
            raise refused(
                "a number is used as a length or an axis", "pass int(n): whole numbers are fixed"
            )
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    # ---- NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, kind: str, *inputs: Any, **kwargs: Any) -> Any:
        number = (
            of_numbers(ufunc, inputs, pythons=False) if kind == "__call__" and not kwargs else None
        )
        if number is not None:
            return number
        return self._called(ufunc, kind, inputs, kwargs)

    def _called(self, ufunc: Any, kind: str, inputs: Any, kwargs: Any) -> Any:
        if any(issubclass(type(x), Traced) for x in inputs):
            return NotImplemented
        if kind == "at":
            if not isinstance(inputs[0], Placeholder):
                raise refused("a constant array is written into", "start from np.zeros_like(x)")
            call = UPDATED._replace(function=ufunc, text=f"{spelled(ufunc).text}.at")
            inputs[0].become(call, inputs, ufunc.at)
            return None
        out = kwargs.pop("out", (None,))[0]
        where = kwargs.pop("where", True)
        function = ufunc if kind == "__call__" else getattr(ufunc, kind)
        result = recorded(self.tape, spelled(function), inputs, kwargs)
        if where is not True:
            if out is None or kind != "__call__":
                raise refused(f"np.{ufunc.__name__} with where=", "take np.where of the result")
            result = np.where(where, result, out)
        if out is None:
            return result
        if not isinstance(out, Placeholder):
            raise refused("a result is written into an array from outside", "return it")
        if result.shape != out.shape:
            result = np.broadcast_to(result, out.shape)
        if not np.can_cast(result.dtype, out.dtype, "same_kind"):
            raise refused(
                f"{result.dtype} is written into an array of {out.dtype}", "convert first"
            )
        result = result if result.dtype == out.dtype else result.astype(out.dtype)
        out.put(out.laid_out(array_of(result)))
        return out

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(issubclass(kind, Traced) for kind in types):
            return NotImplemented
        return answer(self.tape, function, args, kwargs)

    # ---- what would leave the computation

    def __array__(self, *_args: Any, **_kwargs: Any) -> np.ndarray:
        raise refused(
            "an array is converted",
            "it is one already; stay with NumPy's functions, np.stack joins several, and for"
            " entries of a constant make C = cr.Tensor(constant) outside and take C[x]",
        )

    def __float__(self) -> float:
        raise refused(
            "a number is taken out",
            "use np.sin for math.sin, start from np.zeros_like(x) to fill an array, and for"
            " entries of a constant make C = cr.Tensor(constant) outside and take C[x]",
        )

    __int__ = __complex__ = __index__ = item = tolist = __float__

    def __bool__(self) -> bool:
        truth = bool(self.value)
        if sys._getframe(1).f_code.co_filename.startswith(PACKAGE):
            self.tape.guard(self.number, truth)
            return truth
        raise refused(
            "the program goes one way or the other by a value",
            "use np.where for `if`, and lengths or a fixed number of rounds for `while`",
        )

    def __format__(self, _spec: str) -> str:
        raise refused("a number is printed", "return it and print it outside")

    def __str__(self) -> str:
        return self.__format__("")

    def __repr__(self) -> str:
        return f"<placeholder {self.number} of shape {self.shape}, {self.dtype}>"

    def __hash__(self) -> int:
        if sys._getframe(1).f_code.co_filename.startswith(PACKAGE):
            return object.__hash__(self)
        raise refused("a number goes into a set or a dict as a key", "compare it with np.where")


def _is(x: Any, number: float) -> bool:
    """Whether x is this plain number."""
    return type(x) is float and x == number


give_operators(Placeholder)
