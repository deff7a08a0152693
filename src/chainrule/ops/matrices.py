"""Inverses, systems of equations, determinants and norms of (stacks of) matrices."""

from __future__ import annotations

import builtins
from typing import Any, NamedTuple

import numpy as np

from chainrule.ops.arithmetic import absolute, conjugate, indicator, real
from chainrule.ops.base import beside, is_complex
from chainrule.ops.broadcasting import summed
from chainrule.ops.functions import sqrt
from chainrule.ops.kinds import General
from chainrule.ops.linear_algebra import matmul
from chainrule.ops.partials import where
from chainrule.ops.rearranging import expand_dims, moveaxis
from chainrule.ops.reductions import max, min, sum
from chainrule.ops.registry import answers
from chainrule.ops.shapes import matrix_transpose, reshaped
from chainrule.ops.singular import svdvals
from chainrule.ops.spectra import adjoint
from chainrule.ops.spectra import matrix_inverse as inv
from chainrule.ops.sums import as_array, axes_of
from chainrule.traced import plain

# ruff: noqa: ARG001 -- the bodies have NumPy's signatures; out= is refused before

transposed = matrix_transpose


def _solve_vjp(x_bar: Any, x: Any, a: Any, b: Any) -> tuple[Any, Any]:
    if b.ndim == 1:
        b_bar = solve(transposed(a), x_bar[..., None])
        return summed(-b_bar * x[..., None, :], a.shape), summed(b_bar[..., 0], b.shape)
    b_bar = solve(transposed(a), x_bar)
    return summed(-b_bar @ transposed(x), a.shape), summed(b_bar, b.shape)


def _solve_jvp(tangents: Any, x: Any, a: Any, b: Any) -> Any:
    a_dot, b_dot = tangents
    if b.ndim == 1:
        x, b_dot = x[..., None], None if b_dot is None else b_dot[..., None]
    moved = b_dot
    if a_dot is not None:
        moved = -(a_dot @ x) if b_dot is None else b_dot - a_dot @ x
    x_dot = solve(a, moved)
    return x_dot[..., 0] if b.ndim == 1 else x_dot


def _log_size_vjp(y_bar: Any, _y: Any, a: Any) -> Any:
    return y_bar[..., None, None] * transposed(inv(a))


def _along_diagonal(a: Any, a_dot: Any) -> Any:
    """The trace of a⁻¹ȧ."""
    return sum(transposed(inv(a)) * a_dot, axis=(-2, -1))


def _log_size_jvp(tangents: Any, y: Any, a: Any) -> Any:
    change = _along_diagonal(a, tangents[0])
    return real(change) if is_complex(change) else change


def _turned(z: Any) -> Any:
    """The part of a number that turns: i · Im(z)."""
    return (z - conjugate(z)) * 0.5


def _sign_vjp(y_bar: Any, y: Any, a: Any) -> Any:
    if not is_complex(a):
        return 0.0 * a * y_bar[..., None, None]
    return _turned(y_bar * y)[..., None, None] * transposed(inv(a))


def _sign_jvp(tangents: Any, y: Any, a: Any) -> Any:
    if not is_complex(a):
        return 0.0 * y
    return y * _turned(_along_diagonal(a, tangents[0]))


def _pinv_vjp(p_bar: Any, p: Any, a: Any, rcond: Any = None) -> Any:
    left, right = _projections(p, a)
    p_adjoint = adjoint(p)
    first = transposed(p) @ p_bar @ transposed(p)
    second = left @ transposed(p_bar) @ p @ p_adjoint
    third = p_adjoint @ p @ transposed(p_bar) @ right
    return conjugate(second + third) - first


def _pinv_jvp(tangents: Any, p: Any, a: Any, rcond: Any = None) -> Any:
    left, right = _projections(p, a)
    a_dot, p_adjoint = tangents[0], adjoint(p)
    moved = p @ p_adjoint @ adjoint(a_dot) @ left + right @ adjoint(a_dot) @ p_adjoint @ p
    return moved - p @ a_dot @ p


def _projections(p: Any, a: Any) -> tuple[Any, Any]:
    """On what a and its pseudoinverse leave out."""
    left, right = (beside(np.eye(n, dtype=a.dtype), a) for n in a.shape[-2:])
    return left - a @ p, right - p @ a


# fmt: off
solve: General = General(
    np.linalg.solve, _solve_vjp, _solve_jvp,
    inputs=2, complex=True, doc="x with a @ x = b.",
)
det = General(
    np.linalg.det,
    lambda y_bar, y, a: (y_bar * y)[..., None, None] * transposed(inv(a)),
    lambda tangents, y, a: y * _along_diagonal(a, tangents[0]),
    complex=True,
    doc="Determinant. The derivative needs the inverse: a singular matrix raises LinAlgError.",
)
log_size_of_det = General(
    lambda a: np.linalg.slogdet(a)[1], _log_size_vjp, _log_size_jvp,
    name="log_size_of_det", complex=True, doc="log |det a|, without overflow.",
)
sign_of_det = General(
    lambda a: np.linalg.slogdet(a)[0], _sign_vjp, _sign_jvp,
    name="sign_of_det", complex=True, doc="det a / |det a|; derivative 0 for real matrices.",
)
pseudoinverse = General(
    lambda a, rcond=None: np.linalg.pinv(a, rcond), _pinv_vjp, _pinv_jvp,
    name="pinv", params=("rcond",), complex=True,
    doc="Pseudoinverse; the derivative holds while the rank stays the same.",
)
# fmt: on


class SlogdetResult(NamedTuple):
    """Sign and logarithm of the size of a determinant."""

    sign: Any
    logabsdet: Any


@answers(np.linalg.slogdet)
def slogdet(a: Any) -> SlogdetResult:
    """Sign and logarithm of the size of the determinant."""
    return SlogdetResult(sign_of_det(a), log_size_of_det(a))


@answers(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = ...) -> Any:
    """Pseudoinverse of matrices."""
    a = as_array(a)
    if hermitian:
        raise TypeError("pinv of a traced array takes no hermitian=: symmetrise the matrix")
    if rcond is None and rtol is not ...:
        rcond = builtins.max(a.shape[-2:]) * np.finfo(a.dtype).eps if rtol is None else rtol
    return pseudoinverse(a, rcond)


@answers(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, int, Any]:
    """Least-squares solution, its residuals, the rank, and the singular values."""
    a, b = as_array(a), as_array(b)
    m, n = a.shape
    eps = np.finfo(np.result_type(a.dtype, b.dtype)).eps
    if rcond is None:
        rcond = eps * builtins.max(m, n)
    x = matmul(pseudoinverse(a, eps if rcond < 0 else rcond), b)
    *_, rank, _ = np.linalg.lstsq(plain(a), plain(b), rcond)
    residuals = np.zeros(0)
    if rank == n < m:
        error = absolute(b - matmul(a, x))
        residuals = sum(error * error, axis=0, keepdims=b.ndim == 1)
    return x, residuals, int(rank), svdvals(a)


@answers(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """The n-th power of matrices, by repeated squaring; of the inverse for negative n."""
    if n < 0:
        return matrix_power(inv(a), -n)
    result, square = None, a
    while n:
        if n % 2:
            result = square if result is None else matmul(result, square)
        n //= 2
        square = matmul(square, square) if n else square
    return 0.0 * a + beside(np.eye(a.shape[-1], dtype=a.dtype), a) if result is None else result


@answers(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """The x with tensordot(a, x) = b."""
    a, b = as_array(a), as_array(b)
    if axes is not None:
        moved = axes_of(axes, a.ndim)
        a = moveaxis(a, moved, tuple(range(a.ndim - len(moved), a.ndim)))
    shape = a.shape[b.ndim :]
    return reshaped(solve(reshaped(a, (b.size, b.size)), reshaped(b, (b.size,))), shape)


@answers(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse of a as a map between tensors."""
    rows, columns = a.shape[:ind], a.shape[ind:]
    size = int(np.prod(rows))
    return reshaped(inv(reshaped(a, (size, size))), (*columns, *rows))


# --------------------------------------------------------------------------------- norms


@answers(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002
    """Norm of vectors or matrices, of any order; derivative 0 at 0 but for the orders 2 and nuc."""
    x = as_array(x)
    if ord is None:
        return _length(x, axes_of(axis, x.ndim), keepdims)
    axes = axes_of(axis, x.ndim)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) != 2:
        raise ValueError(f"norm of order {ord} needs one axis or two, got {len(axes)}")
    moved = moveaxis(x, axes, (-2, -1))
    y = _matrix_norm(moved, ord)
    return expand_dims(y, tuple(sorted(axes))) if keepdims else y


def _length(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    squares = real(x * conjugate(x)) if is_complex(x) else x * x
    return sqrt(sum(squares, axis=axes, keepdims=keepdims))


def _vector_norm(x: Any, order: Any, axes: Any, keepdims: bool) -> Any:
    if order == 2:
        return _length(x, axes, keepdims)
    size = absolute(x)
    if order == np.inf:
        return max(size, axis=axes, keepdims=keepdims)
    if order == -np.inf:
        return min(size, axis=axes, keepdims=keepdims)
    if order == 0:
        return sum(indicator(plain(x) != 0, plain(size)) + 0 * size, axis=axes, keepdims=keepdims)
    if isinstance(order, str):
        raise ValueError(f"a vector has no norm of order {order!r}")  # noqa: TRY004 -- as NumPy
    powers = size if order == 1 else size**order
    y = sum(powers, axis=axes, keepdims=keepdims)
    return y if order == 1 else y ** (1 / order)


def _matrix_norm(x: Any, order: Any) -> Any:
    if order == "fro":
        return _length(x, (x.ndim - 2, x.ndim - 1), keepdims=False)
    if order in {"nuc", 2, -2}:
        return {"nuc": sum, 2: max, -2: min}[order](svdvals(x), axis=-1)
    if order not in {1, -1, np.inf, -np.inf}:
        raise ValueError(f"a matrix has no norm of order {order!r}")
    sums = sum(absolute(x), axis=-2 if order in {1, -1} else -1)
    return (max if order > 0 else min)(sums, axis=-1)


@answers(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:  # noqa: A002
    """Norm of matrices."""
    return norm(x, ord, (-2, -1), keepdims)


@answers(np.linalg.vector_norm)
def vector_norm(
    x: Any,
    /,
    *,
    axis: Any = None,
    keepdims: bool = False,
    ord: Any = 2,  # noqa: A002
) -> Any:
    """Norm of vectors over any number of axes."""
    return _vector_norm(as_array(x), ord, axes_of(axis, x.ndim), keepdims)


@answers(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """Condition number: the norm of a matrix times that of its inverse."""
    if p in {None, 2, -2}:
        s = svdvals(x)
        with np.errstate(all="ignore"):
            y = s[..., 0] / s[..., -1] if p != -2 else s[..., -1] / s[..., 0]
        undefined = np.isnan(plain(y)) & ~np.isnan(plain(x)).any(axis=(-2, -1))
        return where(undefined, np.inf, y) if undefined.any() else y
    return _matrix_norm(x, p) * _matrix_norm(inv(x), p)
