"""`op.check()`: does a declaration hold what it promises, on floats and on arrays?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainrule.traced import Inputs, Params

#: Largest error of a derivative against differences, relative to the size of the derivative.
DIFFERENCE_TOLERANCE = 1e-6
#: Largest disagreement between two exact computations of one number, relative.
EXACT_TOLERANCE = 1e-10


class OpCheckError(AssertionError):
    """An op's declaration contradicts itself; the message says which op, what and where."""


def check_op(op: Any, inputs: Inputs, params: Params) -> None:
    """Check the rule of an op at given arrays. Away from kinks all of it must hold.

    The jvp is compared with central differences of the forward, the vjp with the jvp by
    ⟨ȳ, J v⟩ = ⟨Jᵀȳ, v⟩ in random directions, every cotangent with the shape and dtype of its input,
    floats with arrays. What the rule claims not to read is replaced by NaN, and arrays by an array
    class that refuses to be converted.

    Raises:
        OpCheckError: on the first contradiction.
        TypeError: if no input is a floating-point array.
    """
    random = np.random.default_rng(1)
    inputs = tuple(x if type(x) in {int, bool} else np.asarray(x) for x in inputs)
    moving = [i for i, x in enumerate(inputs) if _moves(x) and _has_rule(op, i)]
    if not moving and op.differentiable:
        raise TypeError(f"{op.name}.check() needs floating-point inputs to differentiate by")
    y = np.asarray(op.evaluate(inputs, params))
    y_bar = _drawn(random, y)
    try:
        cotangents = op.vjp(moving, y_bar, y, inputs, params)
    except (TypeError, AttributeError) as error:
        raise OpCheckError(f"op {op.name}: its rule does not work on arrays: {error}") from error
    _check_dtypes(op, moving, y, inputs, params)
    for i, x_bar in zip(moving, cotangents, strict=True):
        if np.shape(x_bar) != inputs[i].shape:
            _fail(op, f"cotangent {i} has shape {np.shape(x_bar)}, expected {inputs[i].shape}")
        if x_bar.real.dtype != y.real.dtype:
            _fail(op, f"cotangent {i} has dtype {x_bar.dtype}, expected {y.dtype}")
        tangent = _drawn(random, inputs[i])
        if op.hermitian:
            tangent = tangent + np.conj(np.swapaxes(tangent, -1, -2))
        _check_direction(op, i, inputs, params, tangent, x_bar, y_bar, y)
    _check_unread(op, moving, cotangents, y_bar, y, inputs, params)
    _check_conversion(op, moving, y_bar, y, inputs, params)
    real = not any(getattr(x, "dtype", np.dtype(int)).kind == "c" for x in inputs)
    if op.scalar is not None and not params and real:
        _check_floats(op, moving, inputs)


def _check_dtypes(op: Any, moving: Sequence[int], y: Any, inputs: Inputs, params: Params) -> None:
    """A partial of inputs of one dtype must not be wider than they are."""
    if not op.gives_partials or op.params or len(moving) < len(inputs):
        return
    if any(x.dtype != y.dtype for x in inputs):
        return
    for i in moving:
        dtype = np.result_type(op.partial(i, y, inputs, params), y)
        if np.zeros(0, dtype).real.dtype != y.real.dtype:
            _fail(op, f"partial {i} has dtype {dtype}, expected {y.dtype}")


def _check_direction(
    op: Any,
    i: int,
    inputs: Inputs,
    params: Params,
    tangent: Any,
    x_bar: Any,
    y_bar: Any,
    y: Any,
) -> None:
    """One input moved in one direction: differences, jvp and vjp must tell the same."""

    def moved(t: float) -> Any:
        shifted = [x + t * tangent if j == i else x for j, x in enumerate(inputs)]
        return np.asarray(op.evaluate(shifted, params))

    # Differences of float32 see nothing: there vjp against jvp must do, and the float64 run.
    exact = y.real.dtype == np.float64
    slope = central_difference(moved) if inputs[i].real.dtype == np.float64 and exact else None
    tolerance = EXACT_TOLERANCE if exact else 1e-4
    if getattr(op, "forward_mode", True) is None:  # declared without a jvp
        y_dot, tolerance = slope, DIFFERENCE_TOLERANCE
    else:
        y_dot = op.jvp([tangent if j == i else None for j in range(len(inputs))], y, inputs, params)
        if np.shape(y_dot) != y.shape:
            _fail(op, f"the tangent from input {i} has shape {np.shape(y_dot)}, expected {y.shape}")
        if slope is not None:
            error = np.max(np.abs(slope - y_dot), initial=0.0)
            if not error <= DIFFERENCE_TOLERANCE * (1 + np.max(np.abs(slope), initial=0.0)):
                _fail(op, f"the derivative in input {i} is off by {error:.3g} from differences")
    if y_dot is None:
        return
    forward, reverse = np.sum(y_bar * y_dot).real, np.sum(x_bar * tangent).real
    size = np.sum(np.abs(y_bar * y_dot)) + np.sum(np.abs(x_bar * tangent))
    if not abs(forward - reverse) <= tolerance * (size + 1e-300):
        against = "differences" if y_dot is slope else "jvp"
        _fail(op, f"vjp and {against} of input {i} disagree: {reverse:.9g} against {forward:.9g}")


def _check_unread(
    op: Any,
    moving: Sequence[int],
    cotangents: Sequence[Any],
    y_bar: Any,
    y: Any,
    inputs: Inputs,
    params: Params,
) -> None:
    poisoned = [
        np.full_like(x, np.nan) if _moves(x) and not op.needs_input(i) else x
        for i, x in enumerate(inputs)
    ]
    y_poisoned = y if op.needs_output else np.full_like(y, np.nan)
    again = op.vjp(moving, y_bar, y_poisoned, poisoned, params)
    for x_bar, repeated in zip(cotangents, again, strict=True):
        if not np.array_equal(x_bar, repeated, equal_nan=True):
            _fail(op, "the rule reads an argument that its underscore says it does not read")


class _Unconverted(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that computes by NumPy's protocols and refuses to become an ndarray."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # such as __array_interface__, another way to convert
            raise AttributeError(name)
        found = getattr(self.array, name)
        if not callable(found):
            return _wrapped(found)
        return lambda *args, **kwargs: _wrapped(found(*_bare(args), **kwargs))

    def __getitem__(self, index: Any) -> Any:
        return _wrapped(self.array[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.array[index] = value.array if isinstance(value, _Unconverted) else value

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if "out" in kwargs:
            kwargs["out"] = tuple(_bare(kwargs["out"]))
        return _wrapped(getattr(ufunc, method)(*_bare(inputs), **kwargs))

    def __array_function__(self, function: Any, _types: Any, args: Any, kwargs: Any) -> Any:
        return _wrapped(function(*_bare(args), **kwargs))

    def __array__(self, *_args: Any, **_kwargs: Any) -> Any:
        raise OpCheckError


def _wrapped(x: Any) -> Any:
    return _Unconverted(x) if isinstance(x, np.ndarray | np.generic) else x


def _bare(inputs: Any) -> list[Any]:
    return [x.array if isinstance(x, _Unconverted) else x for x in inputs]


def _check_conversion(
    op: Any, moving: Sequence[int], y_bar: Any, y: Any, inputs: Inputs, params: Params
) -> None:
    if op.linear:
        return  # its rule takes no data
    try:
        op.vjp(moving, _wrapped(y_bar), _wrapped(y), [_wrapped(x) for x in inputs], params)
    except OpCheckError:
        _fail(op, "the rule converts what it is given (np.asarray, float): it would lose the graph")


def _check_floats(op: Any, moving: Sequence[int], inputs: Inputs) -> None:
    """The scalar forward and the rule on floats against the same on arrays, entry by entry."""
    for entries in zip(*[x.flat for x in np.broadcast_arrays(*inputs)], strict=True):
        floats = [entry.item() for entry in entries]
        arrays = [np.asarray(number) for number in floats]
        y = op.evaluate(floats, {})
        y_array = op.evaluate(arrays, {})
        pairs = [(y, y_array)]
        pairs += zip(
            op.vjp(moving, 0.75, y, floats, {}),
            op.vjp(moving, np.asarray(0.75), y_array, arrays, {}),
            strict=True,
        )
        for number, array in pairs:
            if not np.isclose(number, array, rtol=EXACT_TOLERANCE, atol=0, equal_nan=True):
                _fail(op, f"floats give {number}, arrays give {array} at {floats}")


def central_difference(f: Callable[[float], Any], h: float = 2e-3) -> Any:
    """df/dt at 0 by central differences, their error terms h² and h⁴ extrapolated away."""
    d = [(f(step) - f(-step)) / (2 * step) for step in (h, h / 2, h / 4)]
    first = [(4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3]
    return (16 * first[1] - first[0]) / 15


def _drawn(random: np.random.Generator, like: Any) -> Any:
    """A random direction of the shape and dtype of an array."""
    drawn = random.standard_normal(like.shape)
    if like.dtype.kind == "c":
        drawn = drawn + 1j * random.standard_normal(like.shape)
    return drawn.astype(like.dtype)


def _moves(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind in "fc"


def _has_rule(op: Any, position: int) -> bool:
    return op.sequence or op.rules[position] is not None


def _fail(op: Any, what: str) -> None:
    raise OpCheckError(f"op {op.name}: {what}")
