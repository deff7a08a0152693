"""Derivatives of functions: each transformation feeds the same rules with something else."""

from __future__ import annotations

from copy import copy
from functools import wraps
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule import ops
from chainrule.batch import Batch, put_together, taken_apart
from chainrule.dual import Dual, new_level
from chainrule.engine import Node, newest_first, swept
from chainrule.ops.base import PYTHON_SCALARS, is_complex, shape_of, total, zeros_like
from chainrule.recording import record_graph, recording, watching
from chainrule.tensor import ASSIGNABLE, FINISHED, Tensor
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
        gradients = chosen.results(_gradients(_one_number(y), chosen.variables, None))
        value = _like(chosen.leaves[0] if chosen.leaves else None, _released(y, chosen.variables))
        chosen.finish()
        if has_aux:
            value = (value, map_tree(lambda x: _released(x, chosen.variables), aux))
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
            gradients = _gradients(y, chosen.variables, y_bar)
        else:
            cotangents = leaves_like(
                y, y_bar, "the cotangent must have the structure of the output"
            )
            gradients = _gradients_of_several(outputs, chosen.variables, cotangents)
        return tuple(map(kept, chosen.results(gradients)))

    first = chosen.leaves[0] if chosen.leaves else None
    value = rebuild([_like(first, _released(output, chosen.variables)) for output in outputs])
    chosen.finish()
    if not has_aux:
        return value, pullback
    return value, pullback, map_tree(lambda leaf: _released(leaf, chosen.variables), aux)


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
        value, derivative = _split(_one_array(output), level)
        values.append(_like(points[0], kept(value)))
        moved = zeros_like(value) if derivative is None else derivative
        derivatives.append(_like(directions[0], kept(moved)))
    if not has_aux:
        return restore(values), restore(derivatives)
    return restore(values), restore(derivatives), map_tree(lambda x: kept(_split(x, level)[0]), aux)


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
    array = np.asarray(direction)
    return _leaf(array.astype(float) if array.dtype.kind in "iu" else direction).data


def kept(x: Any) -> Any:
    """A result or an argument as it is; under `no_grad` without graph and tangents."""
    if recording() or not isinstance(x, Traced):
        return x
    if isinstance(x, Batch):
        return Batch(kept(x.stacked), x.level)
    return kept(x.primal) if isinstance(x, Dual) else x.data


class Variable(NamedTuple):
    """A node to differentiate by, and its creation number then."""

    node: Node
    number: int


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
    if not isinstance(y, Traced | float | int | complex | np.ndarray | np.generic):
        raise TypeError(f"the function must return numbers or arrays, not {type(y).__name__}")
    return y


def _one_number(y: Any) -> Any:
    if isinstance(y, list | tuple | dict):
        raise TypeError(
            f"the function must return one number, it returned {type(y).__name__}: for a number and"
            f" something else pass has_aux=True"
        )
    if getattr(_one_array(y), "size", 1) != 1:
        raise ValueError(f"the function must return one number, its result has shape {y.shape}")
    return y


def _depends_on_others(y: Node, variables: list[Variable]) -> bool:
    """Whether y was also computed from variables that an outer computation made before ours."""
    first = min((variable.number for variable in variables), default=0)
    return bool(recording()) and any(
        node.index < first and node.guards is not FINISHED
        for node in newest_first(y)
        if node.op is None
    )


def _released(y: Any, variables: list[Variable]) -> Any:
    """The data of a result, or the result itself while an outer computation needs its graph."""
    if isinstance(y, Dual) and recording():
        return Dual(_released(y.primal, variables), _released(y.tangent, variables), y.level)
    if isinstance(y, Batch):
        return Batch(_released(y.stacked, variables), y.level)
    if isinstance(y, Node) and not _depends_on_others(y, variables):
        # An argument that comes back as a result is not to be written into.
        return copy(y.data) if y.op is None else y.data
    return kept(y)


def _gradients(y: Any, variables: list[Variable], y_bar: Any) -> list[Any]:
    """The cotangents of the variables; nodes where an outer computation differentiates again."""
    if isinstance(y, Batch):
        return _gradients_of_batch(y, variables, y_bar)
    level = max((x.level for x in (y, y_bar) if isinstance(x, Dual | Batch)), default=0)
    if level and not (isinstance(y_bar, Batch) and y_bar.level == level):
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
    if isinstance(y, Dual):  # under a batch of cotangents
        return _gradients_of_dual(y, variables, y_bar)
    table: dict[int, Any] = {}
    if isinstance(y, Node):
        own = {variable.number for variable in variables}
        outer = isinstance(y_bar, Node) or _depends_on_others(y, variables)
        outer = outer or isinstance(plain_batch(y_bar), Node)
        with record_graph(bool(recording()) and outer) as record:
            seed = y.new_seed(y_bar)
            pairs = swept(y, seed, lambda node: node.index in own, record=record)
        table = {node.index: node.own(x_bar) for node, x_bar in pairs}
    return [table[v.number] if v.number in table else zeros_like(v.node) for v in variables]


def plain_batch(x: Any) -> Any:
    """What a batch stacks; anything else as it is."""
    return x.stacked if isinstance(x, Batch) else x


def _gradients_of_dual(y: Dual, variables: list[Variable], y_bar: Batch) -> list[Any]:
    """Under a batch of cotangents, which may move along the same tangent themselves."""
    size, (steady, moving) = len(y_bar.stacked), _split(y_bar.stacked, y.level)
    y_bar, level = Batch(steady, y_bar.level), y_bar.level
    primals = _gradients(y.primal, variables, y_bar)
    parts = [_gradients(y.tangent, variables, y_bar)]
    if moving is not None:
        parts.append(_gradients(y.primal, variables, Batch(moving, level)))
    results = []
    for primal, *tangents in zip(primals, *parts, strict=True):
        stacked, moved = (taken_apart(x, size, level) for x in (primal, total(tangents)))
        results.append(Batch(Dual(stacked, moved, y.level), level))
    return results


def _gradients_of_batch(y: Batch, variables: list[Variable], y_bar: Any) -> list[Any]:
    """One array of the batch after the other."""
    size = len(y.stacked)
    mine = isinstance(y_bar, Batch) and y_bar.level == y.level
    rows = [
        _gradients(y.stacked[i], variables, y_bar.stacked[i] if mine else y_bar)
        for i in range(size)
    ]
    return [put_together(np.stack(list(c)), y.level) for c in zip(*rows, strict=True)]


def _gradients_of_several(
    outputs: list[Any], variables: list[Variable], cotangents: list[Any]
) -> list[Any]:
    """The cotangents from several outputs: those of Σ y·ȳ."""
    for y, y_bar in zip(outputs, cotangents, strict=True):
        given = shape_of(y_bar) if isinstance(y_bar, Traced) else np.shape(y_bar)
        if shape_of(y) != given:
            raise ValueError(f"a cotangent of shape {shape_of(y)} expected, got {given}")
    pairs = [
        (y, y_bar) for y, y_bar in zip(outputs, cotangents, strict=True) if isinstance(y, Traced)
    ]
    if watching() or any(isinstance(y_bar, Batch) for _, y_bar in pairs):  # one sweep for each
        moved = [
            _gradients(y, variables, y_bar)
            for y, y_bar in pairs
            if isinstance(y_bar, Traced) or np.any(y_bar)
        ]
        return [total(c) for c in zip(*moved, strict=True)] or _gradients(0.0, variables, None)
    with record_graph():
        products = [y * y_bar for y, y_bar in pairs]
        joint = total([ops.sum(ops.real(p) if is_complex(p) else p) for p in products])
    return _gradients(joint, variables, None)


def _split(x: Any, level: int) -> tuple[Any, Any]:
    """Primal and tangent of a dual of this level; anything else does not move."""
    return (x.primal, x.tangent) if isinstance(x, Dual) and x.level == level else (x, None)


def _like(argument: Any, result: Any) -> Any:
    """A plain result of shape () as a Python number, if the argument was one."""
    if type(argument) not in PYTHON_SCALARS or isinstance(result, Traced) or np.ndim(result):
        return result
    return result if is_complex(result) else float(result)
