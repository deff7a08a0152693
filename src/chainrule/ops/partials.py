"""The elementwise kind: the rule is the local partial for each input, the rest is generic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.base import (
    PYTHON_SCALARS,
    Op,
    is_complex,
    real_dtype,
    shape_of,
    total,
    zeros_like,
)
from chainrule.ops.broadcasting import astype, stretched, summed
from chainrule.traced import Traced, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainrule.traced import Inputs, Params


VARIADIC = 0x04  # the flag of code with *args, as in the module inspect


class Elementwise(Op):
    """An op on each element, inputs broadcast against each other.

    `partials[i]` is the derivative with respect to input i: a number, or a function of the output
    and all inputs, `partials[i](y, *inputs, **params)`, or None where the op is constant in it.
    An argument that a partial does not read is named with a leading underscore: its data need
    not survive until backward.

    Where a partial and the cotangent it meets multiply to NaN and one of them is zero, the product
    is zero (see `zero_wins`): `where(x > 0, sqrt(x), 0)` has the gradient 0 at x = 0, not NaN.
    """

    gives_partials = True

    def __init__(self, forward: Callable[..., Any], *partials: Any, **declaration: Any) -> None:
        super().__init__(forward, partials, **declaration)

    def default_samples(self) -> list[tuple[Any, ...]]:
        random = np.random.default_rng(0)
        samples = []
        for low, high, signs in ((0.2, 0.9, (-1, 1)), (0.2, 0.9, (1,)), (1.2, 3.0, (1,))):
            sample = tuple(
                random.uniform(low, high, (3, 4)) * random.choice(signs, (3, 4)) for _ in self.rules
            )
            with np.errstate(all="ignore"):
                defined = np.isfinite(self.compute(sample, {})).all()
            if defined:
                samples.append(sample)
        if self.complex and samples:
            real, *_ = samples
            samples.append(tuple(x + 1j * random.uniform(0.2, 0.9, x.shape) for x in real))
        if not samples:
            raise TypeError(
                f"{self.name}.check() found no numbers its forward is defined for: give sample"
                f" inputs, {self.name}.check(array, …)"
            )
        return samples

    def partial(self, position: int, y: Any, inputs: Inputs, params: Params) -> Any:
        """The local derivative along one edge, before broadcasting."""
        rule = self.rules[position]
        return rule(y, *inputs, **params) if callable(rule) else rule

    def vjp(self, wanted: Inputs, y_bar: Any, y: Any, inputs: Inputs, params: Params) -> list[Any]:
        cotangents = []
        for i in wanted:
            partial = self.partial(i, y, inputs, params)
            x_bar = None
            if self.known and is_spare(partial, y_bar, (y, *inputs, *params.values())):
                x_bar = np.multiply(y_bar, partial, out=partial)
                if np.isnan(np.vdot(x_bar, x_bar)):  # zero may win over infinity
                    x_bar, partial = None, self.partial(i, y, inputs, params)
            if x_bar is None:
                x_bar = self.times(partial, y_bar)
            if x_bar is not None and x_bar.__class__ is not float:
                if y_bar.__class__ is not float and x_bar.dtype != y_bar.dtype:
                    x_bar = _narrowed(x_bar, inputs[i], y_bar)
                x_bar = summed(x_bar, shape_of(inputs[i]))
            cotangents.append(x_bar)
        return cotangents

    def jvp(self, tangents: Inputs, y: Any, inputs: Inputs, params: Params) -> Any:
        y_dot = total(
            [
                self.times(self.partial(i, y, inputs, params), x_dot)
                for i, x_dot in enumerate(tangents)
                if x_dot is not None
            ]
        )
        if y_dot is None or y_dot.__class__ is float:
            return y_dot
        if y_dot.dtype != y.dtype:  # along x + iy the real result moves by a real part
            y_dot = astype(y_dot, y.dtype)
        return y_dot if y_dot.shape == y.shape else stretched(y_dot, y.shape)

    def batch(self, size: int, inputs: Inputs, mine: Sequence[bool], params: Params) -> Any:
        ndim = max(len(shape_of(x)) - own for x, own in zip(inputs, mine, strict=True))
        return self.apply(
            tuple(lined_up(x, ndim) if own else x for x, own in zip(inputs, mine, strict=True)),
            params,
        )

    def result_like(self, arrays: Inputs, params: Params) -> tuple[tuple[int, ...], Any]:
        if not all(np.size(x) for x in arrays):
            return super().result_like(arrays, params)
        entries = [x.reshape(-1)[0] if isinstance(x, np.ndarray) else x for x in arrays]
        dtype = np.asarray(self.compute(entries, params)).dtype
        return np.broadcast_shapes(*[np.shape(x) for x in arrays]), dtype

    def times(self, partial: Any, direction: Any) -> Any:
        """A partial times the cotangent or tangent it meets."""
        if partial is None:
            return None
        if type(partial) in PYTHON_SCALARS and partial in (1, -1, 0):
            if partial == 0:
                return zeros_like(direction)
            return direction if partial == 1 else -direction
        if partial.__class__ is complex:  # Python's complex would take NumPy's scalars for floats
            return direction * partial
        return zero_wins(direction * partial, partial, direction)


def is_spare(partial: Any, y_bar: Any, others: Sequence[Any]) -> bool:
    """Whether a rule made a large array for a partial, which the product may be written into."""
    return (
        partial.__class__ is np.ndarray
        and partial.nbytes >= LARGE
        and partial.base is None
        and y_bar.__class__ is np.ndarray
        and (partial.shape, partial.dtype) == (y_bar.shape, y_bar.dtype)
        and all(partial is not x for x in others)
    )


#: For arrays of fewer bytes a new one costs little.
LARGE = 2**18


def lined_up(x: Any, ndim: int) -> Any:
    """A stack whose arrays get axes of length one in front, so that they broadcast."""
    missing = ndim - (len(x.shape) - 1)
    return x.reshape((x.shape[0], *(1,) * missing, *x.shape[1:])) if missing else x


def _narrowed(x_bar: Any, x: Any, y_bar: Any) -> Any:
    """A cotangent in the precision of y's, real for a real input.

    A constant of a wider dtype may have been among the inputs, or a complex one.
    """
    dtype = y_bar.dtype
    if is_complex(x_bar) and is_complex(x):
        dtype = np.result_type(dtype, np.complex64)
    elif is_complex(y_bar):
        dtype = real_dtype(dtype) if not is_complex(x) else dtype
    return x_bar if x_bar.dtype == dtype else astype(x_bar, dtype)


def _check_arguments(op: Op, partial: Any) -> None:
    """A partial must take the output and every input."""
    code = getattr(partial, "__code__", None)
    if code is None or code.co_flags & VARIADIC:
        return
    expected = 1 + len(op.rules) + len(op.params)
    if not code.co_argcount - len(partial.__defaults__ or ()) <= expected <= code.co_argcount:
        raise TypeError(
            f"a partial of {op.name} is called with (y, {len(op.rules)} input(s)), this one takes"
            f" {code.co_argcount} argument(s); there must be one partial for each input"
        )


def elementwise(forward: Callable[..., Any], *partials: Any, **declaration: Any) -> Elementwise:
    """Declare an elementwise op: its forward and one partial for each input.

    Args:
        forward: the computation on arrays.
        partials: for each input a number, a function `(y, *inputs)` of output and inputs
            written with operators and the library's ops, or None where the op is constant.
        declaration: `name` (needed for a lambda), `scalar` (the forward on floats, so that
            Values may use the op), `complex` (True where the partials hold for complex numbers),
            `notation`, `doc`.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> softplus = cr.elementwise(
    ...     lambda x: np.log1p(np.exp(x)), lambda _y, x: cr.sigmoid(x), name="softplus"
    ... )
    >>> softplus.check()
    """
    declared = Elementwise(forward, *partials, **declaration)
    for partial in partials:
        _check_arguments(declared, partial)
    return declared


def zero_wins(product: Any, partial: Any, direction: Any) -> Any:
    """A partial times a cotangent, in which zero times infinity or NaN is zero.

    Exact where the zero says that nothing depends on the other factor: a branch that `where` did
    not take, a cotangent that never arrived. At a point where one factor vanishes as the other
    blows up it is a convention: the norm √(x·x) gets 0 at 0, and so does √x·√x.
    """
    if isinstance(product, Traced) and not product.concrete:
        return product
    data: Any = plain(product)
    if hasattr(data, "note_product"):  # in code that is compiled the results are looked at
        data.note_product()
        return product
    if hasattr(product, "stacked"):
        return _zero_wins_in_batch(product, partial, direction)
    if isinstance(data, float | np.ndarray | np.generic):
        # NaN if an entry is, and cheaper than looking at each.
        size: Any = np.vdot(data, data)  # type: ignore[arg-type]
        if size == size:  # noqa: PLR0124
            return product
    spoiled = np.isnan(data) & ((plain(partial) == 0) | (plain(direction) == 0))
    if not np.any(spoiled):
        return product
    cleaned = where(~spoiled, partial, 0.0) * where(~spoiled, direction, 0.0)
    return cleaned if data.__class__ is float else astype(cleaned, product.dtype)


def _zero_wins_in_batch(product: Any, partial: Any, direction: Any) -> Any:
    """The same for a batch, whose factors may or may not be stacked."""
    ndim = len(product.shape)

    def data(x: Any) -> Any:
        own = hasattr(x, "stacked") and x.level == product.level
        return plain(lined_up(x.stacked, ndim) if own else x)

    spoiled = np.isnan(data(product)) & ((data(partial) == 0) | (data(direction) == 0))
    if not np.any(spoiled):
        return product
    cleaned = where(spoiled, 0.0, product.stacked)
    return type(product)(cleaned, product.level)


where = Elementwise(
    np.where,
    None,
    lambda _y, condition, _a, _b: condition != 0,
    lambda _y, condition, _a, _b: condition == 0,
    scalar=lambda condition, a, b: a if condition else b,
    complex=True,
    doc="""`a` where the condition holds, else `b`; the branch not taken gets exactly zero.""",
)
