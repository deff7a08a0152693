"""Factors of matrices: QR and Cholesky."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.ops.arithmetic import conjugated, imag
from chainrule.ops.base import is_complex
from chainrule.ops.kinds import General
from chainrule.ops.rearranging import diagonal, tril, triu
from chainrule.ops.registry import answers
from chainrule.ops.shapes import concatenate
from chainrule.ops.spectra import (
    Decomposition,
    adjoint,
    hermitian_part,
    matrix_inverse,
    matrix_of,
    on_diagonal,
    real_diagonal,
)


def _qr_vjp(bars: Any, parts: Any, _a: Any) -> Any:
    (q, r), (q_bar, r_bar) = parts, bars
    upper = triu(r_bar @ adjoint(r) - adjoint(q) @ q_bar)
    symmetric = upper + adjoint(upper) - on_diagonal(real_diagonal(upper))
    return (q_bar + q @ symmetric) @ matrix_inverse(adjoint(r))


def _qr_jvp(a_dot: Any, parts: Any, _a: Any) -> Any:
    q, r = parts
    moved = a_dot @ matrix_inverse(r)
    core = adjoint(q) @ moved
    symmetric = core + adjoint(core)
    upper = triu(symmetric) - on_diagonal(diagonal(symmetric, 0, -2, -1)) * 0.5
    return moved - q @ upper, upper @ r


qr_parts = Decomposition(
    np.linalg.qr,
    _qr_vjp,
    _qr_jvp,
    lambda m, n: [(m, n), (n, n)],
    name="qr",
    doc="Orthonormal columns and the upper triangle, for matrices of full rank.",
)


class QRResult(NamedTuple):
    """Orthonormal columns and upper triangle."""

    Q: Any
    R: Any


@answers(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """QR decomposition."""
    a = matrix_of(a, "qr")
    m, n = a.shape[-2:]
    if mode == "raw" or (mode == "complete" and m > n):
        raise NotImplementedError(
            f"qr in mode {mode!r} of shape {a.shape} has no derivative: use mode='reduced'"
        )
    q, r = qr_parts.decompose(a[..., :m] if m < n else a)
    if m < n:
        r = concatenate([r, adjoint(q) @ a[..., m:]], axis=-1)
    return r if mode == "r" else QRResult(q, r)


def _lower_half(a: Any) -> Any:
    return tril(a) - on_diagonal(real_diagonal(a)) * 0.5 - _imaginary_diagonal(a)


def _imaginary_diagonal(a: Any) -> Any:
    return on_diagonal(imag(diagonal(a, 0, -2, -1))) * 1j if is_complex(a) else 0.0


def _cholesky_vjp(y_bar: Any, y: Any, _a: Any) -> Any:
    y_bar = tril(conjugated(y_bar))
    inverse = matrix_inverse(y)
    return conjugated(hermitian_part(adjoint(inverse) @ _lower_half(adjoint(y) @ y_bar) @ inverse))


def _cholesky_jvp(tangents: Any, y: Any, _a: Any) -> Any:
    inverse = matrix_inverse(y)
    return y @ _lower_half(inverse @ hermitian_part(tangents[0]) @ adjoint(inverse))


cholesky_lower = General(
    np.linalg.cholesky,
    _cholesky_vjp,
    _cholesky_jvp,
    complex=True,
    hermitian=True,
    doc="Lower triangle L with a = L Lᴴ; the gradient is Hermitian.",
)


@answers(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """Cholesky factor of positive definite matrices; the gradient is Hermitian."""
    return adjoint(cholesky_lower(adjoint(a))) if upper else cholesky_lower(a)
