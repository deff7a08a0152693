"""Derivatives of functions: each transformation feeds the same rules with something else."""

from __future__ import annotations

from functools import wraps
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import ops
from chainrule.dual import Dual, new_level
from chainrule.engine import Node, Traced, newest_first, record_graph, recording, swept
from chainrule.ops.base import PYTHON_SCALARS, plain, shape_of, total, zeros_like
from chainrule.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The gradient of a scalar function with respect to one argument or several.

    `grad(f)(x)` has the shape and dtype of x: a float for a float, an array for an array. Inside
    another `grad` it records, so `grad(grad(f))` is the second derivative.

    Args:
        f: returns one number. Its differentiated arguments are floats or floating-point arrays.
        argnums: a position, or a tuple of positions for a tuple of gradients.

    Raises:
        TypeError: for an array of integers, or if f returns something that is no number.
        ValueError: if f returns more than one number.

    >>> import chainrule as cr
    >>> cr.grad(lambda x: x**4)(2.0)
    32.0
    >>> cr.grad(cr.grad(lambda x: x**4))(2.0)
    48.0
    """
    both = value_and_grad(f, argnums)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Like `grad`, returning the pair of the value of f and its gradient.

    >>> import chainrule as cr
    >>> cr.value_and_grad(lambda x: x**3)(2.0)
    (8.0, 12.0)
    """
    several = isinstance(argnums, tuple | list)
    wanted = [index(i) for i in (argnums if isinstance(argnums, tuple | list) else (argnums,))]

    @wraps(f)
    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        positions = _positions(wanted, len(args))
        called = list(args)
        variables = []
        for i in positions:
            called[i], variable = _variable(args[i])
            variables.append(variable)
        with record_graph():
            y = _one_number(f(*called, **kwargs))
        gradients = [
            _like(args[i], gradient)
            for i, gradient in zip(positions, _gradients(y, variables, None), strict=True)
        ]
        value = _like(args[positions[0]], _released(y, variables))
        return value, tuple(gradients) if several else gradients[0]

    return both


def vjp(f: Callable[..., Any], *x: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The value f(*x) and its pullback, from a cotangent of the output to those of all inputs.

    >>> import chainrule as cr
    >>> y, pullback = cr.vjp(lambda a, b: a * b, 2.0, 5.0)
    >>> pullback(1.0)
    (5.0, 2.0)
    """
    lifted = [_variable(value) for value in x]
    variables = [variable for _, variable in lifted]
    with record_graph():
        y = _one_array(f(*[passed for passed, _ in lifted]))

    def pullback(y_bar: Any) -> tuple[Any, ...]:
        gradients = _gradients(y, variables, y_bar)
        return tuple(_like(value, gradient) for value, gradient in zip(x, gradients, strict=True))

    return _like(x[0], _released(y, variables)) if x else y, pullback


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value f(*primals) and its derivative in the direction of the tangents: forward mode.

    >>> import chainrule as cr
    >>> cr.jvp(lambda a, b: a * b, (2.0, 5.0), (1.0, 0.0))
    (10.0, 5.0)
    """
    if not len(primals) == len(tangents) > 0:
        raise ValueError(f"{len(primals)} primals and {len(tangents)} tangents: one for each")
    level = new_level()
    duals = []
    for primal, tangent in zip(primals, tangents, strict=True):
        point: Any = primal if isinstance(primal, Traced) else _leaf(primal).data
        direction: Any = tangent if isinstance(tangent, Traced) else _leaf(tangent).data
        if type(plain(point)) is float and not isinstance(direction, Traced):
            direction = float(direction)  # beside a Value
        if shape_of(direction) != shape_of(point):
            raise ValueError(
                f"a tangent of shape {shape_of(point)} expected, got {shape_of(direction)}"
            )
        duals.append(Dual(point, direction, level))
    with record_graph():
        y, y_dot = _split(_one_array(f(*duals)), level)
    y_dot = zeros_like(y) if y_dot is None else y_dot
    return _like(primals[0], y), _like(tangents[0], y_dot)


def _positions(wanted: Sequence[int], count: int) -> list[int]:
    """Positions from 0, each once and each within the call."""
    for i in wanted:
        if not -count <= i < count:
            raise ValueError(f"argnums asks for argument {i}, the call has {count}")
    positions = [i % count for i in wanted]
    if not positions or len(set(positions)) < len(positions):
        raise ValueError(f"argnums must name one argument or more, each once: got {wanted}")
    return positions


def _variable(x: Any) -> tuple[Any, Node]:
    """What to call a function with in place of x, and the node to differentiate by.

    The node is a fresh leaf for plain data, and a fresh node on top of x where x belongs to an
    outer computation. A dual keeps its tangent around the node of its primal.
    """
    if isinstance(x, Dual):
        passed, variable = _variable(x.primal)
        return Dual(passed, x.tangent, x.level), variable
    node = ops.positive(x) if isinstance(x, Node) else _leaf(x)
    return node, node


def _leaf(x: Any) -> Tensor:
    """A leaf Tensor; a Python number becomes one of shape (), so that it mixes with arrays."""
    return Tensor(float(x) if type(x) in {float, int} else x)


def _one_array(y: Any) -> Any:
    if not isinstance(y, Traced | float | int | np.ndarray | np.generic):
        raise TypeError(f"the function must return one array, it returned {type(y).__name__}")
    return y


def _one_number(y: Any) -> Any:
    if getattr(_one_array(y), "size", 1) != 1:
        raise ValueError(f"the function must return one number, its result has shape {y.shape}")
    return y


def _depends_on_others(y: Node, variables: list[Node]) -> bool:
    """Whether y was also computed from variables that an outer computation made before ours."""
    first = min(variable.index for variable in variables)
    return recording() and any(node.index < first for node in newest_first(y))


def _released(y: Any, variables: list[Node]) -> Any:
    """The data of a result, or the result itself while an outer computation needs its graph."""
    if isinstance(y, Dual):
        return Dual(_released(y.primal, variables), _released(y.tangent, variables), y.level)
    return y.data if isinstance(y, Node) and not _depends_on_others(y, variables) else y


def _gradients(y: Any, variables: list[Node], y_bar: Any) -> list[Any]:
    """The cotangents of the variables; nodes where an outer computation differentiates again."""
    level = max((d.level for d in (y, y_bar) if isinstance(d, Dual)), default=0)
    if level:
        # The derivative of Jᵀȳ along the tangent, by the product rule: J̇ᵀȳ + Jᵀȳ̇.
        y, y_dot = _split(y, level)
        y_bar, y_bar_dot = _split(y_bar, level)
        primals = _gradients(y, variables, y_bar)
        moved = [_gradients(y_dot, variables, y_bar)] if y_dot is not None else []
        moved += [_gradients(y, variables, y_bar_dot)] if y_bar_dot is not None else []
        return [
            Dual(primal, total(tangents), level)
            for primal, *tangents in zip(primals, *moved, strict=True)
        ]
    table: dict[int, Any] = {}
    if isinstance(y, Node):
        own = {variable.index for variable in variables}
        outer = isinstance(y_bar, Node) or _depends_on_others(y, variables)
        with record_graph(recording() and outer) as record:
            seed = y.new_seed(y_bar)
            pairs = swept(y, seed, lambda node: node.index in own, record=record)
        table = {node.index: node.own(x_bar) for node, x_bar in pairs}
    return [table.get(v.index, zeros_like(v)) for v in variables]


def _split(x: Any, level: int) -> tuple[Any, Any]:
    """Primal and tangent of a dual of this level; anything else does not move."""
    return (x.primal, x.tangent) if isinstance(x, Dual) and x.level == level else (x, None)


def _like(argument: Any, result: Any) -> Any:
    """A plain result of shape () as a Python number, if the argument was one."""
    if type(argument) not in PYTHON_SCALARS or isinstance(result, Traced) or np.ndim(result):
        return result
    return float(result)
