"""`Value`: one float in a computation graph, for seeing backpropagation at its smallest."""

from __future__ import annotations

from contextlib import suppress
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import KEPT, Node, tick
from chainrule.errors import RuleError
from chainrule.float_sweep import MANY, NONE, UNKNOWN, float_sweep
from chainrule.ops.operators import Operators
from chainrule.ops.registry import BY_NUMPY
from chainrule.recording import ON, WATCHED, lift, recording, tracer, tracers, watching
from chainrule.sites import user_site
from chainrule.traced import NO_PARAMS, Traced

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chainrule.sites import Site
    from chainrule.traced import Params

_new = object.__new__


class Value(Operators, Node):
    """A float that remembers what it was computed from.

    Args:
        data: a float; an int is converted, anything else raises TypeError.
        label: a name for pictures, derivations and error messages.

    `grad` is None before the first backward, then a float, on every node of the graph. Arithmetic
    is Python's own: overflow and division by zero raise, naming the op.

    >>> import chainrule as cr
    >>> a, b = cr.Value(2.0, label="a"), cr.Value(-3.0, label="b")
    >>> y = a * b + a**2
    >>> y.backward()
    >>> y.data, a.grad, b.grad
    (-2.0, 1.0, 2.0)
    """

    # An input or two and their partials, without a tuple around them: a graph of single floats is
    # large, and what the cycle collector has to walk through costs more than the arithmetic.
    __slots__ = ("_notes", "_p", "_q", "_x", "_z")
    _notes: tuple[str | None, Site | None] | None
    _p: Any
    _q: Any
    _x: Any
    _z: Any
    plain_class = float
    shape = ()
    ndim = 0
    size = 1
    dtype = np.dtype(np.float64)

    def __init__(self, data: float, label: str | None = None) -> None:
        if isinstance(data, Traced):
            raise TypeError(f"Value takes a float, got a {type(data).__name__}: use its .item()")
        self._held = _as_float(data, "Value")
        self._notes = (label, None) if label is not None else None
        self.op = self._grad = self._x = self._p = self._q = None
        self._z = NONE
        self.index = tick()

    @property
    def label(self) -> str | None:
        """The name for pictures, derivations and messages."""
        return self._notes[0] if self._notes else None

    @label.setter
    def label(self, label: str | None) -> None:
        self._notes = (label, self.site)

    @property
    def site(self) -> Site | None:
        """Where it was computed, where that was noted."""
        return self._notes[1] if self._notes else None

    @site.setter
    def site(self, site: Site | None) -> None:
        self._notes = (self.label, site)

    @property
    def inputs(self) -> tuple[Any, ...]:
        """What it was computed from: Values and floats."""
        x, z = self._x, self._z
        if z is NONE:
            return () if x is None else (x,)
        return x if z is MANY else (x, z)

    @inputs.setter
    def inputs(self, inputs: tuple[Any, ...]) -> None:
        self._x, self._z = (*inputs, NONE) if len(inputs) == 1 else (None, NONE)
        if len(inputs) == 2:
            self._x, self._z = inputs
        elif len(inputs) > 2:
            self._x, self._z = inputs, MANY

    @property
    def partials(self) -> tuple[Any, ...] | None:
        """The local derivatives by input, None for a float; all None where they are not known."""
        if self.op is None or self._p is UNKNOWN:
            return None
        if self._z is MANY:
            return tuple(self._p)
        return (self._p,) if self._z is NONE else (self._p, self._q)

    @property
    def data(self) -> float:
        """The number. Assign to a leaf to change it.

        A graph made before keeps the partials it was made with: its `backward()` still gives the
        derivative where it was computed.
        """
        if tracers:
            lift((self,))
        number: float = self._held
        return number

    @data.setter
    def data(self, number: float) -> None:
        self.require_leaf()
        if tracers:
            lift((self,))
        self.replace_data(number)

    def replace_data(self, data: float) -> None:
        super().replace_data(_as_float(data, "data"))

    def item(self) -> float:
        """The number as a plain float, outside the graph."""
        return self.data

    def detach(self) -> Value:
        """A new leaf with the same number; no gradient flows through it."""
        return Value(self.data, label=self.label)

    def apply(self, op: Any, inputs: tuple[Any, ...], params: Params) -> Any:
        if tracers and tracer() is not None:
            return _traced(op, inputs, params)
        if op.scalar is None:
            raise TypeError(
                f"{op.name} works on arrays, a Value is one float: use a Tensor (or declare the op"
                f" with scalar=, its forward on floats)"
            )
        if params:
            raise TypeError(f"{op.name} with {', '.join(params)} works on a Tensor, not on a Value")
        numbers = [x._held if type(x) is Value else _constant(x, op) for x in inputs]
        return _computed(op, inputs, numbers)

    def apply_unary(self, op: Any) -> Any:
        if tracers or not op.on_floats or recording() != ON:
            return self.apply(op, (self,), NO_PARAMS)
        x = self._held
        try:
            number = op.scalar(x)
            rule = op.rules[0]
            p = rule(number, x) if rule.__class__ is FunctionType else rule
        except (ArithmeticError, ValueError):
            return self.apply(op, (self,), NO_PARAMS)
        y = _new(Value)
        y._held = number if number.__class__ is float else float(number)
        y._grad = y._notes = y._q = None
        y.op = op
        y._x, y._z, y._p = self, NONE, p
        y.index = tick()
        return y

    def apply_binary(  # noqa: C901 -- the innermost step of a program on Values
        self, op: Any, a: Any, b: Any
    ) -> Any:
        of_values, and_values = a.__class__ is Value, b.__class__ is Value
        if of_values:
            x = a._held
        elif a.__class__ is float:
            x = a
        else:
            return op.apply((a, b), NO_PARAMS)
        if and_values:
            z = b._held
        elif b.__class__ is float:
            z = b
        else:
            return op.apply((a, b), NO_PARAMS)
        if tracers or not op.on_floats or recording() != ON:
            return self.apply(op, (a, b), NO_PARAMS)
        try:
            number = op.scalar(x, z)
            p, q = op.rules
            if not of_values:
                p = None
            elif p.__class__ is FunctionType:
                p = p(number, x, z)
            if not and_values:
                q = None
            elif q.__class__ is FunctionType:
                q = q(number, x, z)
        except (ArithmeticError, ValueError):
            return self.apply(op, (a, b), NO_PARAMS)
        y = _new(Value)
        y._held = number if number.__class__ is float else float(number)
        y._grad = y._notes = None
        y.op = op
        y._x, y._z, y._p, y._q = a, b, p, q
        y.index = tick()
        return y

    def cotangents(
        self, seed: Any, wanted: frozenset[int], since: int = 0
    ) -> Iterable[tuple[Node, Any]]:
        if wanted is KEPT and not since and not tracers and not watching():
            pairs: Iterable[tuple[Node, float]] = float_sweep(self, 1.0 if seed is None else seed)
            return pairs
        return super().cotangents(seed, wanted, since)

    # `c += …` makes a new Value for the name c; the place in the program tells derivations so.
    def __iadd__(self, other: Any) -> Any:
        return _rebound(self + other)

    def __isub__(self, other: Any) -> Any:
        return _rebound(self - other)

    def __imul__(self, other: Any) -> Any:
        return _rebound(self * other)

    def __itruediv__(self, other: Any) -> Any:
        return _rebound(self / other)

    def __ipow__(self, other: Any) -> Any:
        return _rebound(self**other)

    def new_seed(self, seed: Any) -> float:
        return 1.0 if seed is None else _as_float(seed, "seed")

    def fit_cotangent(self, x_bar: Any, consumer: Node) -> Any:
        if type(x_bar) is float or type(x_bar) is Value:
            return x_bar
        if isinstance(x_bar, float | int | np.floating):
            return float(x_bar)
        if hasattr(x_bar, "as_float"):  # of a function that is traced for compilation
            return x_bar.as_float()
        raise RuleError(
            f"the rule of {consumer.describe()} returned {type(x_bar).__name__}"
            f" where a float was expected"
        )

    def __float__(self) -> float:
        raise TypeError(
            "float() would take this Value out of the graph: use .item() for the plain number,"
            " or the function from chainrule (cr.sin, not math.sin)"
        )

    __int__ = __complex__ = __index__ = __float__

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        op = BY_NUMPY.get(ufunc)
        if op is None or method != "__call__" or kwargs:
            raise TypeError(
                f"np.{ufunc.__name__} does not work on a Value: use an op of chainrule, or a Tensor"
            )
        return op(*inputs)

    def __array_function__(
        self, function: Any, _types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        op = BY_NUMPY.get(function)
        if op is None:
            raise TypeError(f"np.{function.__name__} does not work on a Value: use a Tensor")
        try:
            return op(*args, **kwargs)
        except (AttributeError, TypeError) as error:
            message = f"np.{function.__name__} does not work on a Value, use a Tensor: {error}"
            raise TypeError(message) from None

    def __array__(self, *_args: Any, **_kwargs: Any) -> np.ndarray:
        raise TypeError(
            "a Value is one float and cannot go into an array: use a Tensor, or .item() for"
            " the plain number"
        )

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value({self.data!r}{label}, grad={self.grad!r})"

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)


def _computed(op: Any, inputs: tuple[Any, ...], numbers: Sequence[float]) -> Any:
    """The result of an op on floats, recorded together with its partials."""
    try:
        number = op.scalar(*numbers)
    except (ArithmeticError, ValueError) as error:
        given = ", ".join(f"{number:g}" for number in numbers)
        raise type(error)(f"{op.name}({given}): {error}") from None
    if not op.differentiable:
        return number
    y = _leaf(number if number.__class__ is float else float(number))
    mode = recording()
    if not mode:
        return y
    y.op = op
    y.inputs = inputs
    y.site = user_site(4)
    y._p = UNKNOWN
    if mode == WATCHED:
        y.watch_result(numbers)
    if op.gives_partials:
        with suppress(ArithmeticError, ValueError):  # infinite: an error only if backward needs it
            partials = [
                op.partial(i, number, numbers, NO_PARAMS) if x.__class__ is Value else None
                for i, x in enumerate(inputs)
            ]
            if len(inputs) > 2:
                y._p = tuple(partials)
            else:
                y._p, y._q = (*partials, None)[:2]
            y.site = y.site if mode == WATCHED else None
    return y


def _leaf(number: float) -> Value:
    y = _new(Value)
    y._held = number
    y.op = y._grad = y._notes = y._x = y._p = y._q = None
    y._z = NONE
    y.index = tick()
    return y


def _traced(op: Any, inputs: tuple[Any, ...], params: Params) -> Any:
    """The result of an op while a function is traced for compilation."""
    since = lift(inputs)
    numbers = [x._held if type(x) is Value else _constant(x, op) for x in inputs]
    if params or not any(hasattr(x, "as_float") for x in numbers):
        return _computed(op, inputs, numbers)
    number = op.on_numbers(numbers, NO_PARAMS, since)
    if not op.differentiable:
        return number
    y = _leaf(number)
    if recording():
        y.op, y.inputs, y._p = op, inputs, UNKNOWN
    y.site = user_site(2)
    return y


def _rebound(y: Any) -> Any:
    if type(y) is Value:
        y.site = user_site(3)
    return y


def _constant(x: Any, op: Any) -> float:
    """A plain input of an op; a condition counts as 1 or 0."""
    return _as_float(float(x) if isinstance(x, bool | np.bool_) else x, op.name)


def _as_float(x: Any, where: str) -> float:
    if type(x) is float:
        return x
    kind = getattr(x, "stands_for", None)  # of a number that is traced for compilation
    if kind is not None and not issubclass(kind, np.ndarray | complex | np.complexfloating):
        traced: float = x.as_float()
        return traced
    real = isinstance(x, int | float | np.integer | np.floating)
    if not real or isinstance(x, bool | np.bool_):
        kind, hint = kind or type(x), ""
        if isinstance(x, Traced):
            hint = ": Value and Tensor do not mix, make both Tensors"
        elif issubclass(kind, np.ndarray | list):
            hint = ": use a Tensor for arrays"
        raise TypeError(f"{where} takes floats and Values, got {kind.__name__}{hint}")
    return float(x)
