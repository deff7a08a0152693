"""Jacobians, Hessians and what else is made of many gradients, computed for all rows at once."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import ops
from chainrule.batch import Batch, taken_apart
from chainrule.dual import new_level
from chainrule.gradients import kept
from chainrule.ops.base import is_complex, shape_of
from chainrule.traced import Traced
from chainrule.transforms import grad, jvp, vjp
from chainrule.trees import flatten, replaced

if TYPE_CHECKING:
    from collections.abc import Callable

#: One position of an argument, or a tuple of them.
Positions = int | tuple[int, ...]
#: The largest number of entries in one batch of cotangents or tangents.
LARGEST_BATCH = 2**22


def jacobian(f: Callable[..., Any], argnums: Positions = 0, *, mode: str = "auto") -> Any:
    """The matrix of all derivatives of all entries of f(x).

    For an array x and a result y it has the shape `y.shape + x.shape`. For containers of arrays it
    is a container of the structure of the output, with one of the structure of the input in place
    of every leaf. All rows are computed together, in one sweep over batches.

    Args:
        f: a function of numbers, arrays, or containers of them.
        argnums: a position or a tuple of positions.
        mode: "reverse", "forward", or "auto": forward where there are fewer inputs than outputs.

    Raises:
        TypeError: for complex results or arguments (use vjp and jvp, which state a convention).
        ValueError: for another mode.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    if mode not in {"auto", "reverse", "forward"}:
        raise ValueError(f'mode is "auto", "reverse" or "forward", got {mode!r}')

    @wraps(f)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        several, numbers = _positions(argnums, args)
        chosen = [args[i] for i in numbers]

        of_chosen = _of_chosen(f, numbers, args, kwargs)
        inputs, rebuild = flatten(chosen)
        inputs = [kept(x) if isinstance(x, Traced) else _as_array(x) for x in inputs]
        y, pullback = vjp(of_chosen, *rebuild(inputs))
        outputs, restore = flatten(y)
        _refuse_complex([*inputs, *outputs])
        if any(getattr(x, "plain_class", None) is float for x in (*inputs, *outputs)):
            if len(outputs) != 1:
                raise TypeError("the jacobian of several Values: take cr.grad of each")
            row = rebuild(flatten(list(pullback(1.0)))[0])  # Values: every block is one number
            return restore([tuple(row) if several else row[0]])
        sizes = [sum(_size(x) for x in leaves) for leaves in (inputs, outputs)]
        forward = mode == "forward" or (mode == "auto" and sizes[0] < sizes[1])
        if forward:
            blocks = _by_columns(of_chosen, rebuild, inputs, outputs)
        else:
            blocks = _by_rows(pullback, restore, inputs, outputs)
        columns = [rebuild(row) for row in blocks]
        return restore([tuple(c) if several else c[0] for c in columns])

    return matrix


def _positions(argnums: Any, args: tuple[Any, ...]) -> tuple[bool, list[int]]:
    """Whether several arguments are asked for, and which."""
    several = isinstance(argnums, tuple | list)
    numbers = list(argnums) if several else [argnums]
    if any(isinstance(i, str) for i in numbers):
        raise TypeError(f"argnums are positions here, not names: {argnums!r}")
    if any(not -len(args) <= i < len(args) for i in numbers):
        raise ValueError(f"argnums={argnums!r}: the call has {len(args)} argument(s)")
    return several, [i % len(args) for i in numbers]


def _of_chosen(f: Any, numbers: list[int], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A function as one of some of its arguments."""

    def of_chosen(*values: Any) -> Any:
        return f(*replaced(args, numbers, values), **kwargs)

    return of_chosen


def _as_array(x: Any) -> Any:
    return x if hasattr(x, "shape") else np.asarray(x, np.float64 if isinstance(x, int) else None)


def _size(x: Any) -> int:
    return int(np.prod(shape_of(x), dtype=int))


def _refuse_complex(leaves: list[Any]) -> None:
    if any(is_complex(x) for x in leaves):
        raise TypeError(
            "the jacobian of complex numbers would need a convention for both parts: split with"
            " np.real and np.imag, or use cr.vjp and cr.jvp"
        )


def _zeros(like: Any) -> np.ndarray:
    return np.zeros(shape_of(like), getattr(like, "dtype", None))


def _units(leaves: list[Any], which: int, start: int, stop: int) -> np.ndarray:
    """Unit vectors number start to stop of one leaf, stacked."""
    size = _size(leaves[which])
    rows = np.zeros((stop - start, size), getattr(leaves[which], "dtype", None))
    rows[np.arange(stop - start), np.arange(start, stop)] = 1
    return rows.reshape((stop - start, *shape_of(leaves[which])))


def _chunks(size: int, weight: int) -> list[tuple[int, int]]:
    """Ranges that together cover `size` rows, none with too many entries."""
    step = min(max(1, LARGEST_BATCH // max(1, weight)), max(1, size))
    return [(i, min(i + step, size)) for i in range(0, size, step)]


def _by_rows(pullback: Any, restore: Any, inputs: list[Any], outputs: list[Any]) -> list[list[Any]]:
    """Reverse mode: for each output the blocks of all inputs."""
    blocks = []
    weight = sum(_size(x) for x in (*inputs, *outputs))
    for i, y in enumerate(outputs):
        pieces = []
        for start, stop in _chunks(_size(y), weight):
            level = new_level()
            cotangents: list[Any] = [
                np.zeros(shape_of(o), getattr(o, "dtype", None)) for o in outputs
            ]
            cotangents[i] = Batch(_units(outputs, i, start, stop), level)
            gradients = flatten(list(pullback(restore(cotangents))))[0]
            pieces.append([taken_apart(g, stop - start, level) for g in gradients])
        blocks.append(
            [
                ops.reshape(_joined(column), (*shape_of(y), *shape_of(x)))
                for column, x in zip(zip(*pieces, strict=True), inputs, strict=True)
            ]
            if pieces
            else [np.zeros((*shape_of(y), *shape_of(x)), getattr(x, "dtype", None)) for x in inputs]
        )
    return blocks


def _by_columns(f: Any, rebuild: Any, inputs: list[Any], outputs: list[Any]) -> list[list[Any]]:
    """Forward mode: for each output the blocks of all inputs."""
    blocks: list[list[Any]] = [[] for _ in outputs]
    weight = sum(_size(x) for x in (*inputs, *outputs))
    for i, x in enumerate(inputs):
        pieces = []
        for start, stop in _chunks(_size(x), weight):
            level = new_level()
            tangents: list[Any] = [_zeros(v) for v in inputs]
            tangents[i] = Batch(_units(inputs, i, start, stop), level)
            _, moved = jvp(f, rebuild(inputs), rebuild(tangents))
            pieces.append([taken_apart(m, stop - start, level) for m in flatten(moved)[0]])
        for k, y in enumerate(outputs):
            shape = (*shape_of(x), *shape_of(y))
            if pieces:
                block = ops.reshape(_joined([piece[k] for piece in pieces]), shape)
            else:
                block = np.zeros(shape)
            if block.dtype != x.dtype:  # a gradient has the dtype of its argument
                block = block.astype(x.dtype)
            inner = len(shape_of(x))
            order = (*range(inner, len(shape)), *range(inner))
            blocks[k].append(ops.transpose(block, order) if shape else block)
    return blocks


def _joined(pieces: Any) -> Any:
    return pieces[0] if len(pieces) == 1 else ops.concatenate(list(pieces))


def hessian(f: Callable[..., Any], argnums: Positions = 0) -> Any:
    """The matrix of second derivatives of a scalar function, of shape `x.shape + x.shape`.

    For containers it is a container of containers. All rows are computed together.

    >>> import chainrule as cr
    >>> cr.hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    return jacobian(grad(f, argnums), argnums, mode="reverse")


def hvp(f: Callable[..., Any], x: Any, v: Any, *args: Any, **kwargs: Any) -> Any:
    """The Hessian of a scalar function at x times a direction v, forward over reverse.

    It costs a small multiple of one gradient, and has the structure, shapes and dtypes of x.
    Further arguments are passed on: the function is called as `f(x, *args, **kwargs)`.

    >>> import chainrule as cr
    >>> cr.hvp(lambda x: (x**3).sum(), np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([  6., 120.])
    """
    return jvp(lambda x: grad(f)(x, *args, **kwargs), (x,), (v,))[1]


def elementwise_grad(f: Callable[..., Any], argnums: Positions = 0) -> Any:
    """The derivative of each entry of f(x) in the same entry of x, for a function of entries.

    It is the gradient of the sum, so for other functions the columns of the Jacobian are summed.
    For a holomorphic function of complex numbers it is the complex derivative.

    >>> import chainrule as cr
    >>> cr.elementwise_grad(lambda x: x**2)(np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    """

    @wraps(f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        several, numbers = _positions(argnums, args)
        of_chosen = _of_chosen(f, numbers, args, kwargs)
        y, pullback = vjp(of_chosen, *[args[i] for i in numbers])
        results = pullback(np.ones(shape_of(y), getattr(y, "dtype", None)))
        return results if several else results[0]

    return derivative
