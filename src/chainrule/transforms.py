"""Derivatives of functions: each transformation feeds the same rules with something else."""

from __future__ import annotations

from functools import wraps
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import ops
from chainrule.assignment import ASSIGNABLE, FINISHED
from chainrule.batch import Batch
from chainrule.dual import Dual, new_level
from chainrule.engine import Node
from chainrule.gradients import (
    Variable,
    gradients_of,
    gradients_of_several,
    kept,
    own_object,
    refreshed,
    released,
    split_dual,
)
from chainrule.ops.base import PYTHON_SCALARS, is_complex, shape_of, zeros_like
from chainrule.recording import record_graph
from chainrule.tensor import Tensor
from chainrule.traced import Traced, plain
from chainrule.trees import flatten, leaves_like, map_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Positions or names of arguments: one, or a tuple of them.
Argnums = int | str | tuple[int | str, ...]


def grad(f: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Any:
    """The gradient of a scalar function with respect to one argument or several.

    `grad(f)(x)` has the structure, shapes and dtypes of x: a float for a float, an array for an
    array, and for lists, tuples, dicts and dataclasses of them the same containers. Inside another
    `grad` it records, so `grad(grad(f))` is the second derivative.

    For complex x = a + ib the gradient is ∂f/∂a - i·∂f/∂b, as in autograd and JAX; the direction of
    steepest ascent is its conjugate.

    Args:
        f: returns one real number. Its differentiated arguments are floats, floating-point arrays,
            or containers of them.
        argnums: a position or the name of a keyword argument, or a tuple for a tuple of gradients.
        has_aux: f returns a pair of the number and anything else; `grad(f)(x)` then is a pair of
            the gradient and that.

    Raises:
        TypeError: for an array of integers, or if f returns something that is no real number.
        ValueError: if f returns more than one number.

    >>> import chainrule as cr
    >>> cr.grad(lambda x: x**4)(2.0)
    32.0
    >>> cr.grad(cr.grad(lambda x: x**4))(2.0)
    48.0
    >>> cr.grad(lambda p: p["w"] * p["b"])({"w": 2.0, "b": 5.0})
    {'w': 5.0, 'b': 2.0}
    """
    both = value_and_grad(f, argnums, has_aux=has_aux)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, gradients = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Any:
    """Like `grad`, returning the pair of the value of f and its gradient.

    With `has_aux` the value is itself a pair: the number, and what f returned beside it.

    >>> import chainrule as cr
    >>> cr.value_and_grad(lambda x: x**3)(2.0)
    (8.0, 12.0)
    """

    @wraps(f)
    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        chosen = Chosen(argnums, args, kwargs)
        with record_graph():
            result = f(*chosen.args, **chosen.kwargs)
        y, aux = _pair(result) if has_aux else (result, None)
        gradients = chosen.results(gradients_of(_one_number(y), chosen.variables, None))
        value = _like(chosen.leaves[0] if chosen.leaves else None, released(y, chosen.variables))
        value = value[()] if hasattr(value, "shape") and not isinstance(value, Traced) else value
        chosen.finish()
        if has_aux:
            value = (value, map_tree(lambda x: released(x, chosen.variables), aux))
        return value, gradients

    return both


def vjp(f: Callable[..., Any], *x: Any, has_aux: bool = False) -> Any:
    """The value f(*x) and its pullback, from a cotangent of the output to those of all inputs.

    Inputs and output are numbers, arrays, or containers of them; the pullback takes a cotangent of
    the structure of the output and returns a tuple with one of the structure of each input. With
    `has_aux` f returns a pair, and its second part comes third.

    >>> import chainrule as cr
    >>> y, pullback = cr.vjp(lambda a, b: a * b, 2.0, 5.0)
    >>> pullback(1.0)
    (5.0, 2.0)
    """
    chosen = Chosen(tuple(range(len(x))), x, {})
    with record_graph():
        result = f(*chosen.args)
    y, aux = _pair(result) if has_aux else (result, None)
    outputs, rebuild = flatten(y)
    for output in outputs:
        _one_array(output)
    whole = len(outputs) == 1 and outputs[0] is y

    def pullback(y_bar: Any) -> tuple[Any, ...]:
        if whole:
            gradients = gradients_of(y, chosen.variables, y_bar)
        else:
            cotangents = leaves_like(
                y, y_bar, "the cotangent must have the structure of the output"
            )
            gradients = gradients_of_several(outputs, chosen.variables, cotangents)
        results: tuple[Any, ...] = chosen.results(gradients)
        return results

    first = chosen.leaves[0] if chosen.leaves else None
    value = rebuild([_like(first, released(output, chosen.variables)) for output in outputs])
    chosen.finish()
    if not has_aux:
        return value, pullback
    return value, pullback, map_tree(lambda leaf: released(leaf, chosen.variables), aux)


def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False
) -> Any:
    """The value f(*primals) and its derivative in the direction of the tangents: forward mode.

    Args:
        f: takes and returns numbers, arrays, or containers of them.
        primals: the arguments of f.
        tangents: for each argument a direction of the same structure and shapes.
        has_aux: f returns a pair, and its second part comes third.

    >>> import chainrule as cr
    >>> cr.jvp(lambda a, b: a * b, (2.0, 5.0), (1.0, 0.0))
    (10.0, 5.0)
    """
    if not len(primals) == len(tangents) > 0:
        raise ValueError(f"{len(primals)} primals and {len(tangents)} tangents: one for each")
    points, rebuild = flatten(list(primals))
    wrong = "the tangents must have the structure of the primals"
    directions = leaves_like(list(primals), list(tangents), wrong)
    level = new_level()
    duals = [
        _dual(point, direction, level) for point, direction in zip(points, directions, strict=True)
    ]
    with record_graph():
        result = f(*rebuild(duals))
    y, aux = _pair(result) if has_aux else (result, None)
    outputs, restore = flatten(y)
    values, derivatives = [], []
    for output in outputs:
        value, derivative = split_dual(_one_array(output), level)
        values.append(_like(points[0], own_object(kept(value))))
        moved = zeros_like(value) if derivative is None else derivative
        derivatives.append(_like(directions[0], own_object(kept(moved))))
    if not has_aux:
        return restore(values), restore(derivatives)
    return (
        restore(values),
        restore(derivatives),
        map_tree(lambda x: kept(split_dual(x, level)[0]), aux),
    )


def _dual(point: Any, direction: Any, level: int) -> Dual:
    """A primal with its tangent, both checked."""
    primal: Any = kept(point) if isinstance(point, Traced) else _leaf(point).data
    tangent: Any = kept(direction) if isinstance(direction, Traced) else _tangent(direction)
    if type(plain(primal)) is float and not isinstance(tangent, Traced):
        tangent = float(tangent)  # beside a Value
    if shape_of(tangent) != shape_of(primal):
        raise ValueError(f"a tangent of shape {shape_of(primal)} expected, got {shape_of(tangent)}")
    if is_complex(tangent) and not is_complex(primal):
        raise TypeError("a complex tangent of a real argument: pass its real part")
    return Dual(primal, tangent, level)


def _tangent(direction: Any) -> Any:
    """A direction as an array; whole numbers will do."""
    array = direction if hasattr(direction, "dtype") else np.asarray(direction)
    return _leaf(array.astype(float) if array.dtype.kind in "iu" else direction).data


class Chosen:
    """The arguments of a call, those to differentiate by replaced by variables."""

    def __init__(self, argnums: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.several = isinstance(argnums, tuple | list)
        self.args, self.kwargs = list(args), dict(kwargs)
        self.leaves: list[Any] = []
        self.variables: list[Variable] = []
        #: For each chosen argument the number of its leaves, and what puts results in their place.
        self.parts: list[tuple[int, Callable[[list[Any]], Any]]] = []
        for key in _keys(argnums, args, kwargs):
            home: Any = self.kwargs if isinstance(key, str) else self.args
            leaves, rebuild = flatten(home[key])
            lifted = [_variable(kept(leaf)) for leaf in leaves]
            home[key] = rebuild([passed for passed, _ in lifted])
            self.leaves += leaves
            self.variables += [Variable(node, node.index) for _, node in lifted]
            self.parts.append((len(leaves), rebuild))

    def finish(self) -> None:
        """The computation is over: from now on its own leaves are nobody's variables."""
        for node, _ in self.variables:
            if node.op is None and isinstance(node, Tensor):
                node.guards = FINISHED

    def results(self, gradients: list[Any]) -> Any:
        """Gradients of all variables in the containers of their arguments."""
        fitted = [_like(x, kept(g)) for x, g in zip(self.leaves, gradients, strict=True)]
        trees, start = [], 0
        for count, rebuild in self.parts:
            trees.append(rebuild(fitted[start : start + count]))
            start += count
        return tuple(trees) if self.several else trees[0]


def _keys(argnums: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[int | str]:
    """Positions from 0 and names, each once and each in the call."""
    wanted = list(argnums) if isinstance(argnums, tuple | list) else [argnums]
    keys: list[int | str] = []
    for key in wanted:
        if isinstance(key, str):
            if key not in kwargs:
                known = ", ".join(kwargs) or "none"
                raise ValueError(f"argnums asks for {key}=, the call has the keywords: {known}")
            keys.append(key)
            continue
        i = index(key)
        if not -len(args) <= i < len(args):
            raise ValueError(f"argnums asks for argument {i}, the call has {len(args)}")
        keys.append(i % len(args))
    if len(set(keys)) < len(keys):
        raise ValueError(f"argnums must name each argument once: got {wanted}")
    if not keys and args:
        raise ValueError("argnums must name one argument or more")
    return keys


def _variable(x: Any) -> tuple[Any, Node]:
    """What to call a function with in place of x, and the node to differentiate by.

    The node is a fresh leaf for plain data, and a fresh node on top of x where x belongs to an
    outer computation. A dual or a batch stays around the node of what it wraps.
    """
    if isinstance(x, Dual):
        passed, variable = _variable(x.primal)
        return Dual(passed, x.tangent, x.level), variable
    if isinstance(x, Batch):
        passed, variable = _variable(x.stacked)
        return Batch(passed, x.level), variable
    if isinstance(x, Node):
        node = ops.positive(x)
    else:
        node = _leaf(x)
        node.guards = ASSIGNABLE
    return node, node


def _leaf(x: Any) -> Tensor:
    """A leaf Tensor; a Python number becomes one of shape (), so that it mixes with arrays."""
    return Tensor(float(x) if type(x) in {float, int} else x)


def _pair(result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError("with has_aux=True the function must return a pair (result, aux)")
    return result


def _one_array(y: Any) -> Any:
    if not isinstance(y, Traced | float | int | complex) and not hasattr(y, "dtype"):
        raise TypeError(f"the function must return numbers or arrays, not {type(y).__name__}")
    return refreshed(y)


def _one_number(y: Any) -> Any:
    if isinstance(y, list | tuple | dict):
        raise TypeError(
            f"the function must return one number, it returned {type(y).__name__}: for a number and"
            f" something else pass has_aux=True"
        )
    if getattr(_one_array(y), "size", 1) != 1:
        raise ValueError(f"the function must return one number, its result has shape {y.shape}")
    return y


def _like(argument: Any, result: Any) -> Any:
    """A plain result of shape () as a Python number, if the argument was one."""
    if isinstance(result, Traced) or np.ndim(result):
        return result
    kind = getattr(argument, "stands_for", type(argument))  # of a placeholder
    if kind is complex:
        return complex(result)
    if kind not in PYTHON_SCALARS or is_complex(result):
        return result
    return result.as_float() if hasattr(result, "as_float") else float(result)
