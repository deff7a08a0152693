"""Singular value decomposition."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.ops.arithmetic import conjugated
from chainrule.ops.base import constant, has_numbers, is_complex
from chainrule.ops.kinds import General
from chainrule.ops.partials import where
from chainrule.ops.registry import answers
from chainrule.ops.spectra import (
    NO_DERIVATIVE,
    Decomposition,
    adjoint,
    gaps_of,
    hermitian_part,
    matrix_of,
    on_diagonal,
    real_diagonal,
    refuse_turning,
    refuse_vectors,
    skew,
)
from chainrule.traced import plain


def _negligible(s: Any) -> Any:
    tolerance = 8 * s.shape[-1] * np.finfo(s.dtype).eps
    return s <= tolerance * np.max(s, axis=-1, keepdims=True, initial=0)


#: Which singular values are zero up to rounding.
negligible = constant(_negligible, 1, name="negligible")


def _inverse(s: Any) -> Any:
    """1 / s, 0 for 0."""
    zero = negligible(s)
    return where(zero, 0.0, 1 / where(zero, 1.0, s))


def _svd_vjp(bars: Any, parts: Any, _a: Any) -> Any:
    (u, s, vh), (u_bar, s_bar, vh_bar) = parts, bars
    v, v_bar = adjoint(vh), adjoint(vh_bar)
    gaps, coincide = gaps_of(s)
    left, right = adjoint(u) @ u_bar, adjoint(v) @ v_bar
    _refuse_zeros([u_bar, v_bar], s, square=u.shape == vh.shape and not is_complex(u))
    refuse_vectors([u_bar, v_bar], coincide, "singular values")
    sums = _inverse_sums(s)
    core = hermitian_part(gaps * (left + right)) + skew(sums * (left - right)) + on_diagonal(s_bar)
    a_bar = u @ core @ vh
    inverse = _inverse(s)
    if u.shape[-2] > u.shape[-1]:
        a_bar = a_bar + ((u_bar - u @ left) * inverse[..., None, :]) @ vh
    if v.shape[-2] > v.shape[-1]:
        a_bar = a_bar + (u * inverse[..., None, :]) @ adjoint(v_bar - v @ right)
    return a_bar


def _zeros(s: Any) -> Any:
    zeros: Any = plain(negligible(s))
    return zeros


def _refuse_zeros(bars: Any, s: Any, *, square: bool) -> None:
    """Raise if vectors are used that a singular value of zero leaves undetermined.

    One zero of a square matrix matters only for its own two vectors.
    """
    zeros = _zeros(s)
    if not has_numbers(zeros) or not zeros.any():
        return
    for bar in bars:
        data = plain(bar)
        used = (data != 0).any(axis=-2)
        if (used & zeros).any() or (not square and (used.any(-1) & zeros.any(-1)).any()):
            raise np.linalg.LinAlgError(NO_DERIVATIVE.format("singular values"))


def _inverse_sums(s: Any) -> Any:
    total = s[..., None, :] + s[..., :, None]
    zero = total == 0
    return where(zero, 0.0, 1 / where(zero, 1.0, total))


def _svd_jvp(a_dot: Any, parts: Any, _a: Any) -> Any:
    u, s, vh = parts
    v = adjoint(vh)
    core = adjoint(u) @ a_dot @ v
    gaps, coincide = gaps_of(s)
    refuse_turning(hermitian_part(core), coincide, "singular values")
    if has_numbers(plain(s)) and _zeros(s).any():
        raise np.linalg.LinAlgError(NO_DERIVATIVE.format("singular values"))
    common, opposite = gaps * hermitian_part(core), _inverse_sums(s) * skew(core)
    inverse = _inverse(s)
    u_dot, v_dot = u @ (common + opposite), v @ (common - opposite)
    if u.shape[-2] > u.shape[-1]:
        u_dot = u_dot + (a_dot @ v - u @ core) * inverse[..., None, :]
    if v.shape[-2] > v.shape[-1]:
        v_dot = v_dot + (adjoint(a_dot) @ u - v @ adjoint(core)) * inverse[..., None, :]
    return u_dot, real_diagonal(core), adjoint(v_dot)


def _smaller(m: int, n: int) -> int:
    return min(n, m)


svd_parts = Decomposition(
    lambda a: np.linalg.svd(a, full_matrices=False),
    _svd_vjp,
    _svd_jvp,
    lambda m, n: [(m, _smaller(m, n)), (_smaller(m, n),), (_smaller(m, n), n)],
    name="svd",
    doc="Singular vectors and values; where values coincide see the notes on decompositions.",
)
svdvals = General(
    lambda a: np.linalg.svd(a, compute_uv=False),
    lambda s_bar, _s, a: _svdvals_vjp(s_bar, a),
    lambda tangents, _s, a: _svdvals_jvp(tangents[0], a),
    name="svdvals",
    numpy=np.linalg.svdvals,
    complex=True,
    doc="Singular values; where they coincide, for some choice of their vectors.",
)


def _svdvals_vjp(s_bar: Any, a: Any) -> Any:
    u, _, vh = svd_parts.decompose(a)
    return conjugated((u * s_bar[..., None, :]) @ vh)


def _svdvals_jvp(a_dot: Any, a: Any) -> Any:
    u, _, vh = svd_parts.decompose(a)
    return real_diagonal(adjoint(u) @ a_dot @ adjoint(vh))


class SVDResult(NamedTuple):
    """Singular vectors and values: a = U @ diag(S) @ Vh."""

    U: Any
    S: Any
    Vh: Any


@answers(np.linalg.svd)
def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,  # noqa: ARG001 -- only a hint for speed
) -> Any:
    """Singular value decomposition."""
    a = matrix_of(a, "svd")
    if not compute_uv:
        return svdvals(a)
    if full_matrices and a.shape[-2] != a.shape[-1]:
        raise NotImplementedError(
            f"svd of shape {a.shape}: the vectors that full_matrices=True adds are a matter of"
            f" choice and have no derivative; pass full_matrices=False"
        )
    return SVDResult(*svd_parts.decompose(a))
