"""Decompositions, and that by eigenvalues.

The parts of a decomposition travel as one vector in the last axis, so that one op has one result;
they are cut out and shaped afterwards. Rules are written for adjoints in the sense of
Re tr(ᾱᴴ dα), as in the literature; `conjugated` goes between that and the library's convention.

Where eigenvalues or singular values coincide their vectors are a matter of choice, and what a
function of them needs is not in their cotangents: it gets a LinAlgError. Functions of the values
alone get their derivative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.ops.arithmetic import conjugated, real
from chainrule.ops.base import Op, beside, constant, has_numbers, is_complex, shape_of
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


def adjoint(a: Any) -> Any:
    """The conjugate transpose."""
    return conjugated(matrix_transpose(a))


def hermitian_part(a: Any) -> Any:
    """The part of a matrix that is its own adjoint."""
    return (a + adjoint(a)) * 0.5


def skew(a: Any) -> Any:
    """The part of a matrix that is the opposite of its adjoint."""
    return (a - adjoint(a)) * 0.5


def on_diagonal(vector: Any) -> Any:
    """A vector as a diagonal matrix."""
    ones = beside(np.eye(vector.shape[-1], dtype=vector.dtype), vector)
    return vector[..., None, :] * ones


def _near(a: Any, b: Any) -> Any:
    tolerance = 8 * a.shape[-1] * np.finfo(a.dtype).eps
    return np.abs(a - b) <= tolerance * np.max(np.abs(a), axis=(-2, -1), keepdims=True, initial=0)


#: Which numbers of two spectra are equal up to rounding.
near = constant(_near, 2, name="near")


def gaps_of(w: Any) -> tuple[Any, Any]:
    """1 / (wⱼ - wᵢ), 0 where they coincide; and where they do."""
    columns = w[..., None, :] + 0 * w[..., :, None]
    rows = matrix_transpose(columns)
    coincide = near(columns, rows)
    if isinstance(w, Traced) and w.concrete and off_diagonal(plain(coincide)).any():
        raise np.linalg.LinAlgError(
            "singular values or eigenvalues coincide: of such a decomposition only the first"
            " derivative exists"
        )
    return where(coincide, 0.0, 1 / where(coincide, 1.0, columns - rows)), coincide


def off_diagonal(same: Any) -> Any:
    return same & ~beside(np.eye(same.shape[-1], dtype=bool), same)


def real_diagonal(a: Any) -> Any:
    """The diagonal without imaginary parts."""
    entries = diagonal(a, 0, -2, -1)
    return real(entries) if is_complex(entries) else entries


def refuse_vectors(bars: Any, coincide: Any, what: str) -> None:
    """Raise if vectors are used although some values coincide.

    The part of the derivative that belongs to a pair of coinciding values is 0/0 in what the rule
    is given: nothing in the cotangents tells its limit, even for functions that have one.
    """
    same = plain(coincide)
    if not has_numbers(same):
        return  # symbols
    found = off_diagonal(same).any(axis=(-2, -1))
    if found.any() and any(_used(bar, found) for bar in bars):
        raise np.linalg.LinAlgError(NO_DERIVATIVE.format(what))


NO_DERIVATIVE = (
    "{} coincide or are zero, where their vectors are a matter of choice: only functions of the"
    " values alone have a derivative there (np.linalg.eigvalsh, np.linalg.svdvals)"
)


def _used(bar: Any, found: Any) -> Any:
    """Whether a cotangent is not zero for one of the matrices found."""
    data = plain(bar)
    return has_numbers(data) and ((data != 0).any(axis=(-2, -1)) & found).any()


def refuse_turning(core: Any, coincide: Any, what: str) -> None:
    """Raise if a tangent moves coinciding values apart: their vectors jump."""
    data, same = plain(core), plain(coincide)
    if not has_numbers(data) or not has_numbers(same):
        return
    size = np.max(np.abs(data), axis=(-2, -1), keepdims=True, initial=0)
    limit = 1e3 * np.finfo(data.dtype).eps * size
    if (off_diagonal(same) & (np.abs(data) > limit)).any():
        raise np.linalg.LinAlgError(NO_DERIVATIVE.format(what))


# ---------------------------------------------------------------------------- eigenvalues


def _eigh_vjp(bars: Any, parts: Any, _a: Any) -> Any:
    (w, v), (w_bar, v_bar) = parts, bars
    gaps, coincide = gaps_of(w)
    refuse_vectors([v_bar], coincide, "eigenvalues")
    turned = skew(adjoint(v) @ v_bar)
    return hermitian_part(v @ (gaps * turned + on_diagonal(w_bar)) @ adjoint(v))


def _eigh_jvp(a_dot: Any, parts: Any, _a: Any) -> Any:
    w, v = parts
    core = adjoint(v) @ hermitian_part(a_dot) @ v
    gaps, coincide = gaps_of(w)
    refuse_turning(core, coincide, "eigenvalues")
    return real_diagonal(core), v @ (gaps * core)


def _eigh(uplo: Any) -> Decomposition:
    return Decomposition(
        lambda a: np.linalg.eigh(a, uplo),
        _eigh_vjp,
        _eigh_jvp,
        lambda _m, n: [(n,), (n, n)],
        name=f"eigh_{uplo.lower()}",
        hermitian=True,
        doc=f"Eigenvalues and eigenvectors of Hermitian matrices, given by the triangle {uplo}.",
    )


def _eigvalsh(uplo: Any, eigh: Decomposition) -> General:
    """The eigenvalues alone: their derivative does not mind vectors that are a matter of choice."""

    def vjp(w_bar: Any, _w: Any, a: Any) -> Any:
        _, v = eigh.decompose(a)
        return conjugated((v * w_bar[..., None, :]) @ adjoint(v))

    def jvp(tangents: Any, _w: Any, a: Any) -> Any:
        _, v = eigh.decompose(a)
        return real_diagonal(adjoint(v) @ hermitian_part(tangents[0]) @ v)

    return General(
        lambda a: np.linalg.eigvalsh(a, uplo),
        vjp,
        jvp,
        name=f"eigvalsh_{uplo.lower()}",
        complex=True,
        hermitian=True,
        doc="Eigenvalues of Hermitian matrices; where they coincide, for some choice of vectors.",
    )


eigh_lower, eigh_upper = _eigh("L"), _eigh("U")
eigvalsh_lower, eigvalsh_upper = _eigvalsh("L", eigh_lower), _eigvalsh("U", eigh_upper)


def _eig_vjp(bars: Any, parts: Any, _a: Any) -> Any:
    (w, v), (w_bar, v_bar) = parts, bars
    gaps, coincide = gaps_of(w)
    inside = adjoint(v) @ v_bar
    turned = inside - (adjoint(v) @ v) * real_diagonal(inside)[..., None, :]
    refuse_vectors([v_bar], coincide, "eigenvalues")
    core = conjugated(gaps) * turned + on_diagonal(w_bar)
    _refuse_defective(v)
    return matrix_inverse(adjoint(v)) @ core @ adjoint(v)


def _refuse_defective(v: Any) -> None:
    """Raise where eigenvectors do not span the space: eigenvalues then move like a root."""
    data = plain(v)
    if has_numbers(data) and data.size:
        s = np.linalg.svd(data, compute_uv=False)
        if (s[..., -1] <= np.sqrt(np.finfo(data.dtype).eps) * s[..., 0]).any():
            raise np.linalg.LinAlgError(
                "the matrix is defective, or nearly: its eigenvectors do not span the space, and"
                " its eigenvalues have no derivative"
            )


def _eigvals_vjp(w_bar: Any, _w: Any, a: Any) -> Any:
    _, v = eig_parts.decompose(a)
    _refuse_defective(v)
    return conjugated(matrix_inverse(adjoint(v)) @ (conjugated(w_bar)[..., :, None] * adjoint(v)))


def _eigvals_jvp(tangents: Any, _w: Any, a: Any) -> Any:
    _, v = eig_parts.decompose(a)
    _refuse_defective(v)
    return diagonal(matrix_inverse(v) @ tangents[0] @ v, 0, -2, -1)


def _eig_jvp(a_dot: Any, parts: Any, _a: Any) -> Any:
    w, v = parts
    _refuse_defective(v)
    core = matrix_inverse(v) @ a_dot @ v
    gaps, coincide = gaps_of(w)
    refuse_turning(core, coincide, "eigenvalues")
    moved = v @ (gaps * core)
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
    return (eigvalsh_upper if UPLO.upper() == "U" else eigvalsh_lower)(matrix_of(a, "eigvalsh"))


@answers(np.linalg.eig)
def eig(a: Any) -> EigResult:
    """Eigenvalues and eigenvectors."""
    return EigResult(*eig_parts.decompose(a))


eigenvalues_of = General(
    np.linalg.eigvals,
    _eigvals_vjp,
    _eigvals_jvp,
    name="eigvals",
    complex=True,
    doc="Eigenvalues; where they coincide, for some choice of vectors.",
)


@answers(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """Eigenvalues; where they coincide, for some choice of vectors."""
    return eigenvalues_of(matrix_of(a, "eigvals"))
