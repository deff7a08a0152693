"""Decompositions by singular values and by eigenvalues.

The parts of a decomposition travel as one vector in the last axis, so that one op has one result;
they are cut out and shaped afterwards. Rules are written for adjoints in the sense of
Re tr(ᾱᴴ dα), as in the literature; `conjugated` goes between that and the library's convention.

Where eigenvalues or singular values coincide their vectors are a matter of choice. A function that
does not depend on the choice gets its derivative; one that does gets a LinAlgError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.ops.arithmetic import conjugate, real
from chainrule.ops.base import Op, constant, is_complex, shape_of
from chainrule.ops.kinds import General
from chainrule.ops.partials import where
from chainrule.ops.rearranging import diagonal
from chainrule.ops.registry import answers
from chainrule.ops.shapes import concatenate, matrix_transpose, reshaped
from chainrule.ops.sums import as_array
from chainrule.traced import Traced, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.traced import Inputs, Params


class Decomposition(Op):
    """An op of one matrix with several results.

    `vjp(bars, parts, a)` returns the cotangent of a, `jvp(a_dot, parts, a)` the tangents of all
    parts. `shapes(m, n)` says which shapes the parts have; a part of one axis is a real vector
    where `real_vectors` says so.
    """

    COMPLEX = True
    INPUTS_AT = 2

    def __init__(
        self,
        forward: Callable[..., Any],
        vjp: Callable[..., Any],
        jvp: Callable[..., Any],
        shapes: Callable[[int, int], list[tuple[int, ...]]],
        *,
        real_vectors: bool = True,
        **declaration: Any,
    ) -> None:
        super().__init__(lambda a: _packed(forward(a), a.shape[:-2]), (vjp,), **declaration)
        self.forward_mode = jvp
        self.shapes = shapes
        self.real_vectors = real_vectors

    def parts(self, y: Any, a: Any) -> list[Any]:
        """The parts cut out of the vector."""
        batch, results, start = a.shape[:-2], [], 0
        for shape in self.shapes(*a.shape[-2:]):
            stop = start + int(np.prod(shape, dtype=int))
            part = reshaped(y[..., start:stop], (*batch, *shape))
            if len(shape) == 1 and self.real_vectors and is_complex(part):
                part = real(part)
            results.append(part)
            start = stop
        return results

    def vjp(self, wanted: Inputs, y_bar: Any, y: Any, inputs: Inputs, params: Params) -> list[Any]:
        (a,) = inputs
        bars = [conjugated(bar) for bar in self.parts(y_bar, a)]
        return [conjugated(self.rules[0](bars, self.parts(y, a), a))]

    def jvp(self, tangents: Inputs, y: Any, inputs: Inputs, params: Params) -> Any:
        (a,) = inputs
        return _packed(self.forward_mode(tangents[0], self.parts(y, a), a), a.shape[:-2])

    def decompose(self, a: Any) -> list[Any]:
        """The parts of a matrix."""
        a = matrix_of(a, self.name)
        return self.parts(self(a), a)


def matrix_of(a: Any, name: str) -> Any:
    """An array of two axes or more; LinAlgError for anything else."""
    a = as_array(a)
    if len(shape_of(a)) < 2:
        raise np.linalg.LinAlgError(f"{name} needs a matrix, got shape {shape_of(a)}")
    return a


def _packed(parts: Any, batch: tuple[int, ...]) -> Any:
    flat = [reshaped(p, (*batch, int(np.prod(p.shape[len(batch) :], dtype=int)))) for p in parts]
    return concatenate(flat, axis=-1)


def conjugated(x: Any) -> Any:
    return conjugate(x) if is_complex(x) else x


def adjoint(a: Any) -> Any:
    """The conjugate transpose."""
    return conjugated(matrix_transpose(a))


def hermitian_part(a: Any) -> Any:
    return (a + adjoint(a)) * 0.5


def _skew(a: Any) -> Any:
    return (a - adjoint(a)) * 0.5


def on_diagonal(vector: Any) -> Any:
    """A vector as a diagonal matrix."""
    return vector[..., None, :] * np.eye(vector.shape[-1], dtype=vector.dtype)


def _near(a: Any, b: Any) -> Any:
    tolerance = 8 * a.shape[-1] * np.finfo(a.dtype).eps
    return np.abs(a - b) <= tolerance * np.max(np.abs(a), axis=(-2, -1), keepdims=True, initial=0)


def _negligible(s: Any) -> Any:
    tolerance = 8 * s.shape[-1] * np.finfo(s.dtype).eps
    return s <= tolerance * np.max(s, axis=-1, keepdims=True, initial=0)


#: Which numbers of two spectra are equal up to rounding.
near = constant(_near, 2, name="near")
#: Which singular values are zero up to rounding.
negligible = constant(_negligible, 1, name="negligible")


def _gaps(w: Any) -> tuple[Any, Any]:
    """1 / (wⱼ - wᵢ), 0 where they coincide; and where they do."""
    columns = w[..., None, :] + 0 * w[..., :, None]
    rows = matrix_transpose(columns)
    coincide = near(columns, rows)
    if isinstance(w, Traced) and w.concrete and _off_diagonal(plain(coincide)).any():
        raise np.linalg.LinAlgError(
            "singular values or eigenvalues coincide: of such a decomposition only the first"
            " derivative exists"
        )
    return where(coincide, 0.0, 1 / where(coincide, 1.0, columns - rows)), coincide


def _off_diagonal(same: Any) -> Any:
    return same & ~np.eye(same.shape[-1], dtype=bool)


def _inverse(s: Any) -> Any:
    """1 / s, 0 for 0."""
    zero = negligible(s)
    return where(zero, 0.0, 1 / where(zero, 1.0, s))


def _refuse_choice(dependence: Any, coincide: Any, what: str) -> None:
    """Raise if a function depends on how vectors of coinciding values were chosen."""
    data, same = plain(dependence), plain(coincide)
    if isinstance(data, Traced) or not isinstance(data, np.ndarray):
        return
    off = _off_diagonal(same)
    limit = 1e3 * np.finfo(data.dtype).eps * (np.max(np.abs(data), initial=0) + 1)
    if off.any() and (np.abs(data[off]) > limit).any():
        raise np.linalg.LinAlgError(
            f"{what} coincide and the result depends on the choice of their vectors: there is no"
            f" derivative; use functions of the whole subspace, or of the values alone"
        )


# ------------------------------------------------------------------------ singular values


def _svd_vjp(bars: Any, parts: Any, _a: Any) -> Any:
    (u, s, vh), (u_bar, s_bar, vh_bar) = parts, bars
    v, v_bar = adjoint(vh), adjoint(vh_bar)
    gaps, coincide = _gaps(s)
    left, right = adjoint(u) @ u_bar, adjoint(v) @ v_bar
    _refuse_choice(_skew(left + right), coincide, "singular values")
    sums = _inverse_sums(s)
    core = hermitian_part(gaps * (left + right)) + _skew(sums * (left - right)) + on_diagonal(s_bar)
    a_bar = u @ core @ vh
    inverse = _inverse(s)
    if u.shape[-2] > u.shape[-1]:
        a_bar = a_bar + ((u_bar - u @ left) * inverse[..., None, :]) @ vh
    if v.shape[-2] > v.shape[-1]:
        a_bar = a_bar + (u * inverse[..., None, :]) @ adjoint(v_bar - v @ right)
    return a_bar


def _inverse_sums(s: Any) -> Any:
    total = s[..., None, :] + s[..., :, None]
    zero = total == 0
    return where(zero, 0.0, 1 / where(zero, 1.0, total))


def _svd_jvp(a_dot: Any, parts: Any, _a: Any) -> Any:
    u, s, vh = parts
    v = adjoint(vh)
    core = adjoint(u) @ a_dot @ v
    gaps, _ = _gaps(s)
    common, opposite = gaps * hermitian_part(core), _inverse_sums(s) * _skew(core)
    inverse = _inverse(s)
    u_dot, v_dot = u @ (common + opposite), v @ (common - opposite)
    if u.shape[-2] > u.shape[-1]:
        u_dot = u_dot + (a_dot @ v - u @ core) * inverse[..., None, :]
    if v.shape[-2] > v.shape[-1]:
        v_dot = v_dot + (adjoint(a_dot) @ u - v @ adjoint(core)) * inverse[..., None, :]
    return u_dot, real_diagonal(core), adjoint(v_dot)


def real_diagonal(a: Any) -> Any:
    entries = diagonal(a, 0, -2, -1)
    return real(entries) if is_complex(entries) else entries


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
    lambda tangents, _s, a: _svd_jvp(tangents[0], svd_parts.decompose(a), a)[1],
    name="svdvals",
    numpy=np.linalg.svdvals,
    complex=True,
    doc="Singular values; where they coincide, for some choice of their vectors.",
)


def _svdvals_vjp(s_bar: Any, a: Any) -> Any:
    u, _, vh = svd_parts.decompose(a)
    return conjugated((u * s_bar[..., None, :]) @ vh)


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


# ---------------------------------------------------------------------------- eigenvalues


def _eigh_vjp(bars: Any, parts: Any, _a: Any) -> Any:
    (w, v), (w_bar, v_bar) = parts, bars
    gaps, coincide = _gaps(w)
    turned = _skew(adjoint(v) @ v_bar)
    _refuse_choice(turned, coincide, "eigenvalues")
    return hermitian_part(v @ (gaps * turned + on_diagonal(w_bar)) @ adjoint(v))


def _eigh_jvp(a_dot: Any, parts: Any, _a: Any) -> Any:
    w, v = parts
    core = adjoint(v) @ hermitian_part(a_dot) @ v
    return real_diagonal(core), v @ (_gaps(w)[0] * core)


def _eigh(uplo: str) -> Decomposition:
    return Decomposition(
        lambda a: np.linalg.eigh(a, uplo),
        _eigh_vjp,
        _eigh_jvp,
        lambda _m, n: [(n,), (n, n)],
        name=f"eigh_{uplo.lower()}",
        hermitian=True,
        doc=f"Eigenvalues and eigenvectors of Hermitian matrices, given by the triangle {uplo}.",
    )


eigh_lower, eigh_upper = _eigh("L"), _eigh("U")


def _eig_vjp(bars: Any, parts: Any, _a: Any) -> Any:
    (w, v), (w_bar, v_bar) = parts, bars
    gaps, coincide = _gaps(w)
    turned = adjoint(v) @ v_bar
    turned = turned - (adjoint(v) @ v) * real_diagonal(turned)[..., None, :]
    _refuse_choice(turned, coincide, "eigenvalues")
    core = conjugated(gaps) * turned + on_diagonal(w_bar)
    return matrix_inverse(adjoint(v)) @ core @ adjoint(v)


def _eig_jvp(a_dot: Any, parts: Any, _a: Any) -> Any:
    w, v = parts
    core = matrix_inverse(v) @ a_dot @ v
    moved = v @ (_gaps(w)[0] * core)
    # Eigenvectors have the length 1.
    lengths = real_diagonal(adjoint(v) @ moved)
    return diagonal(core, 0, -2, -1), moved - v * lengths[..., None, :]


eig_parts = Decomposition(
    np.linalg.eig,
    _eig_vjp,
    _eig_jvp,
    lambda _m, n: [(n,), (n, n)],
    real_vectors=False,
    name="eig",
    doc="Eigenvalues and eigenvectors, of length 1; their phase is a matter of choice.",
)
matrix_inverse: General = General(
    np.linalg.inv,
    lambda y_bar, y, _a: -(matrix_transpose(y) @ y_bar @ matrix_transpose(y)),
    lambda tangents, y, _a: -(y @ tangents[0] @ y),
    complex=True,
    doc="Inverse of matrices.",
)


class EigResult(NamedTuple):
    """Eigenvalues and eigenvectors."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """Eigenvalues and eigenvectors of a Hermitian matrix."""

    eigenvalues: Any
    eigenvectors: Any


@answers(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> EighResult:  # noqa: N803
    """Eigenvalues and eigenvectors of Hermitian matrices; the gradient is Hermitian."""
    return EighResult(*(eigh_upper if UPLO.upper() == "U" else eigh_lower).decompose(a))


@answers(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:  # noqa: N803
    """Eigenvalues of Hermitian matrices; the gradient is Hermitian."""
    return eigh(a, UPLO).eigenvalues


@answers(np.linalg.eig)
def eig(a: Any) -> EigResult:
    """Eigenvalues and eigenvectors."""
    return EigResult(*eig_parts.decompose(a))


@answers(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """Eigenvalues."""
    return eig(a).eigenvalues
