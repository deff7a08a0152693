"""SciPy's minimisers, with gradients and Hessian-vector products by autodiff."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.jacobians import hvp
from chainrule.ops.base import shape_of
from chainrule.traced import plain
from chainrule.transforms import value_and_grad
from chainrule.trees import flatten

if TYPE_CHECKING:
    from collections.abc import Callable

#: The methods of SciPy that take products of the Hessian with vectors.
BY_HESSIAN = ("Newton-CG", "trust-ncg", "trust-krylov", "trust-constr")
#: Those that take no derivatives.
WITHOUT_GRADIENT = ("Nelder-Mead", "Powell", "COBYLA", "COBYQA")


def scipy_minimize(
    loss: Callable[..., Any],
    params: Any,
    args: tuple[Any, ...] = (),
    *,
    method: str = "L-BFGS-B",
    **options: Any,
) -> Any:
    """Minimise a loss by a method of SciPy, L-BFGS if nothing else is said (extra `scipy`).

    Args:
        loss: `loss(params, *args)` returns one real number. Where `params` is a list of leaves,
            `loss(*args)` is computed from them, and they hold the result in the end.
        params: where to start: an array or a container of arrays; or a list of Values and Tensors.
        args: further arguments of the loss.
        method: a method of `scipy.optimize.minimize`; those that use second derivatives (Newton-CG,
            trust-ncg, trust-krylov, trust-constr) get products of the Hessian with vectors.
        options: further arguments of `scipy.optimize.minimize`, such as `tol`, `bounds`, `callback`
            and `options={"maxiter": 100}`. Vectors in them have all entries of all arrays in a row.

    Returns:
        SciPy's result; `result.params` is like `params` was.

    Raises:
        ModuleNotFoundError: without SciPy, with the install command.
        TypeError: if a parameter is not real.
        ValueError: if there are no parameters, or the loss is not one number.

    >>> import chainrule as cr
    >>> rosenbrock = lambda p: (1 - p["x"]) ** 2 + 100 * (p["y"] - p["x"] ** 2) ** 2
    >>> result = cr.optim.scipy_minimize(rosenbrock, {"x": -1.2, "y": 1.0})
    >>> round(float(result.params["x"]), 4), round(float(result.params["y"]), 4)
    (1.0, 1.0)
    """
    minimize = _scipy_optimize().minimize
    objective = (_OfLeaves if _leaves_only(params) else _OfArrays)(loss, params, args)
    start = _row(objective.arrays)
    if method in WITHOUT_GRADIENT:
        result = minimize(lambda x: objective(x)[0], start, method=method, **options)
    else:
        if method in BY_HESSIAN:
            options.setdefault("hessp", objective.times_hessian())
        result = minimize(objective, start, jac=True, method=method, **options)
    result.params = objective.placed(result.x)
    return result


class _Objective:
    """A loss as a function of all entries of all arrays in a row."""

    def __init__(self, loss: Callable[..., Any], params: Any, args: tuple[Any, ...]) -> None:
        self.loss, self.params, self.args = loss, params, args
        leaves, self.rebuild = flatten(params)
        self.arrays = [_as_real(plain(leaf)) for leaf in leaves]
        self.ends = np.cumsum([array.size for array in self.arrays])

    def parts(self, x: np.ndarray) -> list[Any]:
        return [
            piece.reshape(array.shape).astype(array.dtype)
            for piece, array in zip(np.split(x, self.ends[:-1]), self.arrays, strict=True)
        ]

    def placed(self, x: np.ndarray) -> Any:
        """The parameters with the entries of a row."""
        return self.rebuild(self.parts(x))

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        raise NotImplementedError

    def times_hessian(self) -> Callable[..., np.ndarray]:
        raise NotImplementedError


class _OfArrays(_Objective):
    """Of `loss(params, *args)`."""

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradients = value_and_grad(self.loss)(self.placed(x), *self.args)
        return float(value), _row(flatten(gradients)[0])

    def times_hessian(self) -> Callable[..., np.ndarray]:
        of_params = lambda params: self.loss(params, *self.args)
        return lambda x, v: _row(flatten(hvp(of_params, self.placed(x), self.placed(v)))[0])


class _OfLeaves(_Objective):
    """Of `loss(*args)`, which is computed from leaves."""

    def placed(self, x: np.ndarray) -> Any:
        for node, data in zip(self.params, self.parts(x), strict=True):
            node.data = data if shape_of(data) else data.item()
        return self.params

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        for node in self.placed(x):
            node.grad = None
        error = self.loss(*self.args)
        error.backward()
        if any(node.grad is None for node in self.params):
            raise ValueError("the loss does not depend on all parameters")
        return error.item(), _row([node.grad for node in self.params])

    def times_hessian(self) -> Callable[..., np.ndarray]:
        raise ValueError("this method needs the loss as a function of arrays, not of leaves")


def _leaves_only(params: Any) -> bool:
    """Whether the parameters are Values and Tensors."""
    leaves = flatten(params)[0]
    nodes = [leaf for leaf in leaves if isinstance(leaf, Node)]
    if not leaves:
        raise ValueError("no parameters to minimise over")
    if nodes and (len(nodes) < len(leaves) or not isinstance(params, list)):
        raise TypeError("params are a list of leaves, or a container of arrays, not both")
    return bool(nodes)


def _row(arrays: list[Any]) -> np.ndarray:
    """All entries of all arrays in a row, as float64."""
    return np.concatenate([np.ravel(np.asarray(array, dtype=float)) for array in arrays])


def _as_real(x: Any) -> np.ndarray:
    array = np.asarray(x)
    if array.dtype.kind == "c":
        raise TypeError("SciPy minimises over real numbers: give real and imaginary parts")
    return array if array.dtype.kind == "f" else array.astype(float)


def _scipy_optimize() -> Any:
    try:
        return import_module("scipy.optimize")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "scipy_minimize needs SciPy: pip install 'chainrule[scipy]'"
        ) from None
