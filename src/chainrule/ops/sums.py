"""NumPy's reductions with their full signatures, composed of a few reductions with a rule."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from chainrule.ops.arithmetic import conjugate, maximum, minimum, real
from chainrule.ops.base import beside, is_complex, real_dtype
from chainrule.ops.broadcasting import astype
from chainrule.ops.functions import sqrt
from chainrule.ops.indexing import getitem
from chainrule.ops.partials import where as choose
from chainrule.ops.reductions import kept_shape, max, mean, min, sum
from chainrule.ops.registry import answers
from chainrule.ops.shapes import along, concatenate, reshaped, stack, transpose
from chainrule.traced import Traced, plain

# ruff: noqa: ARG001 -- the bodies have NumPy's signatures; out= is refused before


def as_array(x: Any) -> Any:
    """An array as it is; lists of numbers and of traced ones joined."""
    if hasattr(x, "shape"):
        return x
    return stack([as_array(item) for item in x]) if holds_traced(x) else np.asarray(x)


def holds_traced(x: Any) -> bool:
    """Whether there is a traced array in nested lists."""
    if isinstance(x, list | tuple):
        return any(holds_traced(item) for item in x)
    return isinstance(x, Traced)


def converted(x: Any, dtype: Any) -> Any:
    """`x` in a dtype, which must be one to differentiate in."""
    x = as_array(x)
    if dtype is None or x.dtype == dtype:
        return x
    if np.dtype(dtype).kind not in "fc":
        raise TypeError(f"dtype={np.dtype(dtype)} has no derivatives: a floating-point one, please")
    if is_complex(x) and np.dtype(dtype).kind == "f":
        raise TypeError(f"complex numbers as {np.dtype(dtype)} lose a part: take np.real or np.abs")
    return astype(x, dtype)


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes meant, all of them for None."""
    return tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)


def counted(shape: tuple[int, ...], axis: Any, where: Any) -> Any:
    """How many entries a reduction takes in: a number, or an array where a mask decides."""
    if where is True:
        count = 1
        for i in axes_of(axis, len(shape)):
            count *= shape[i]
        return count
    mask = np.broadcast_to(plain(where), shape)
    return np.sum(mask, axis=axis, keepdims=True)


def in_dtype_of(x: Any, like: Any) -> Any:
    """A plain number or array in the precision of another; a traced one as it is."""
    if isinstance(x, Traced) or is_complex(x):
        return x
    return as_array(x).astype(real_dtype(like.dtype))


def squeezed(y: Any, axis: Any, ndim: int, keepdims: bool) -> Any:
    """The result of a reduction with or without the reduced axes."""
    if keepdims:
        return y
    gone = set(axes_of(axis, ndim))
    return reshaped(y, tuple(n for i, n in enumerate(y.shape) if i not in gone))


def _over(op: Any, a: Any, axis: Any, keepdims: bool) -> Any:
    """A reduction over axes; over all of them without static arguments, the shorter way."""
    whole = axis is None and not keepdims
    return op(a) if whole else op(a, axis=axis, keepdims=keepdims)


@answers(np.sum)
def sum_(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Sum over axes, of the entries where a mask holds, plus an initial number."""
    a = converted(a, dtype)
    if where is not True:
        a = choose(where, a, 0.0)
    y = _over(sum, a, axis, keepdims)
    return y if initial is None else y + in_dtype_of(initial, y)


@answers(np.mean)
def mean_(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Any:
    """Mean over axes, of the entries where a mask holds."""
    a = converted(a, dtype)
    if where is True:
        return _over(mean, a, axis, keepdims)
    count = in_dtype_of(counted(a.shape, axis, where), a)
    y = sum(choose(where, a, 0.0), axis=axis, keepdims=True) / count
    return squeezed(y, axis, a.ndim, keepdims)


@answers(np.prod)
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Product over axes, multiplied in pairs: right for zeros among the factors, to any order."""
    a = converted(a, dtype)
    if where is not True:
        a = choose(where, a, 1.0)
    y = folded(lambda left, right: left * right, a, axis, np.ones)
    y = squeezed(reshaped(y, kept_shape(a.shape, axis)), axis, a.ndim, keepdims)
    return y if initial is None else y * in_dtype_of(initial, y)


def folded(combine: Any, a: Any, axis: Any, empty: Any) -> Any:
    """An associative op over axes as a balanced tree, on one leading axis; `empty` for none."""
    axes = axes_of(axis, a.ndim)
    rest = [i for i in range(a.ndim) if i not in axes]
    a = transpose(a, (*axes, *rest)) if a.ndim else a
    a = reshaped(a, (counted(a.shape, tuple(range(len(axes))), True), *a.shape[len(axes) :]))
    if not len(a):
        return empty(a.shape[1:], a.dtype) + sum(a, axis=0)
    while len(a) > 1:
        half = len(a) // 2
        pairs = combine(a[:half], a[half : 2 * half])
        a = concatenate([pairs, a[2 * half :]]) if len(a) % 2 else pairs
    return a[0]


def scanned(combine: Any, a: Any, axis: Any) -> Any:
    """All partial results of an associative op along an axis, in log2(n) rounds."""
    if axis is None:
        a, axis = reshaped(a, (a.size,)), 0
    (axis,) = axes_of(axis, a.ndim)
    step = 1
    while step < a.shape[axis]:
        early, late = along(axis, slice(step), a.ndim), along(axis, slice(step, None), a.ndim)
        behind = getitem(a, along(axis, slice(-step), a.ndim))
        a = concatenate([getitem(a, early), combine(behind, getitem(a, late))], axis=axis)
        step *= 2
    return a


@answers(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """Products of the first entries along an axis; right for zeros among the factors."""
    return scanned(lambda left, right: left * right, converted(a, dtype), axis)


@answers("cumulative_prod")
def cumulative_prod(
    x: Any,
    /,
    *,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    include_initial: bool = False,
) -> Any:
    """Products of the first entries along an axis, with a 1 in front if asked for."""
    return with_initial(cumprod, x, axis, dtype, 1.0 if include_initial else None)


def with_initial(cumulative: Any, x: Any, axis: Any, dtype: Any, initial: Any) -> Any:
    """A cumulative function of the array API: one axis, perhaps an entry in front."""
    x = as_array(x)
    if axis is None and x.ndim > 1:
        raise ValueError(f"axis= is needed for an array of shape {x.shape}")
    x = x if x.ndim else reshaped(x, (1,))
    axis = axes_of(axis, x.ndim)[0]
    y = cumulative(x, axis=axis, dtype=dtype)
    if initial is None:
        return y
    first = tuple(1 if i == axis else n for i, n in enumerate(x.shape))
    return concatenate([beside(np.full(first, initial, y.dtype), y), y], axis=axis)


_TIES = "entries that tie share the derivative."


def _extreme(reduction: Any, pick: Any, worst: float, doc: str) -> Any:
    """Max or min with an initial number and a mask."""

    def extreme(
        a: Any,
        axis: Any = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Any:
        a = as_array(a)
        if where is not True:
            if initial is None:
                raise ValueError("where= needs initial=, the result where no entry is taken")
            a = choose(where, a, worst)
        if initial is None:
            return reduction(a, axis=axis, keepdims=keepdims)
        if not counted(a.shape, axis, True):
            y = sum(a, axis=axis, keepdims=keepdims) + worst
        else:
            y = reduction(a, axis=axis, keepdims=keepdims)
        return pick(y, in_dtype_of(initial, y))

    extreme.__doc__ = doc
    return extreme


max_ = answers(np.max)(_extreme(max, maximum, -np.inf, f"Largest entry; {_TIES}"))
min_ = answers(np.min)(_extreme(min, minimum, np.inf, f"Smallest entry; {_TIES}"))


@answers(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """Largest minus smallest entry; entries that tie share the derivative."""
    return max(a, axis=axis, keepdims=keepdims) - min(a, axis=axis, keepdims=keepdims)


@answers(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """Mean of |a - mean|² over axes, its divisor N - ddof."""
    a = converted(a, dtype)
    center = mean_(a, axis, keepdims=True, where=where) if mean is None else mean
    deviation = a - center
    squares = real(deviation * conjugate(deviation)) if is_complex(a) else deviation * deviation
    count = counted(a.shape, axis, where) - (ddof if correction is None else correction)
    total = sum_(squares, axis, keepdims=True, where=where)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = total / in_dtype_of(np.maximum(count, 0), squares)
    return squeezed(y, axis, a.ndim, keepdims)


@answers(np.std)
def std(*args: Any, **kwargs: Any) -> Any:
    """Square root of the variance; derivative 0 where all entries are equal."""
    return sqrt(var(*args, **kwargs))


@answers(np.average)
def average(
    a: Any,
    axis: Any = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Any:
    """Weighted mean over axes; differentiable in the entries and in the weights."""
    a = as_array(a)
    if weights is None:
        y, total = mean(a, axis=axis, keepdims=keepdims), None
    else:
        weights = _spread(as_array(weights), a, axis)
        total = sum(weights, axis=axis, keepdims=keepdims)
        if np.any(plain(total) == 0):
            raise ZeroDivisionError("the weights sum to zero")
        y = sum(a * weights, axis=axis, keepdims=keepdims) / total
    if not returned:
        return y
    full = beside(np.ones(y.shape, y.dtype), y)
    return y, full * (counted(a.shape, axis, True) if total is None else total)


def _spread(weights: Any, a: Any, axis: Any) -> Any:
    """Weights in a shape that broadcasts against the array."""
    if weights.shape == a.shape:
        return weights
    if axis is None:
        raise TypeError(f"weights of shape {weights.shape} for {a.shape} need an axis")
    axes = axes_of(axis, a.ndim)
    if weights.shape != tuple(a.shape[i] for i in axes):
        raise ValueError(f"weights of shape {weights.shape} do not fit axes {axes} of {a.shape}")
    weights = transpose(weights, tuple(int(i) for i in np.argsort(axes)))
    return reshaped(weights, tuple(n if i in axes else 1 for i, n in enumerate(a.shape)))
