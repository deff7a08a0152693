"""Products of vectors, matrices and higher arrays, composed of matmul and einsum."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.arithmetic import conjugated
from chainrule.ops.base import beside, shape_of
from chainrule.ops.broadcasting import summed
from chainrule.ops.contraction import contracted
from chainrule.ops.kinds import Multilinear
from chainrule.ops.linear_algebra import matmul
from chainrule.ops.rearranging import moveaxis
from chainrule.ops.reductions import sum
from chainrule.ops.registry import answers
from chainrule.ops.shapes import reshaped, stack, transpose
from chainrule.ops.sums import as_array, axes_of

# ruff: noqa: ARG001 -- the bodies have NumPy's signatures; out= is refused before

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.traced import Inputs, Params

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Contraction(Multilinear):
    """Einstein's sum: the cotangent of an operand is such a sum again, over the other operands."""

    def vjp(self, wanted: Inputs, y_bar: Any, y: Any, inputs: Inputs, params: Params) -> list[Any]:
        return [self.rules[0](i, y_bar, inputs, params["subscripts"]) for i in wanted]

    def batch(self, size: int, inputs: Inputs, mine: Sequence[bool], params: Params) -> Any:
        terms, result = params["subscripts"].split("->")
        fresh = next(c for c in _LETTERS if c not in params["subscripts"])
        labels = [
            fresh + label if own else label
            for label, own in zip(terms.split(","), mine, strict=True)
        ]
        return self.apply(tuple(inputs), {"subscripts": f"{','.join(labels)}->{fresh}{result}"})


def _operand_cotangent(position: int, y_bar: Any, inputs: Any, subscripts: str) -> Any:
    """The sum for one operand.

    A letter that only this operand has was summed over: ones of its length stand in for it. A
    letter it has twice picks a diagonal: an identity matrix puts it back.
    """
    terms, result = subscripts.split("->")
    operands = terms.split(",")
    own, x = operands[position], inputs[position]
    factors, labels = [y_bar], [result]
    for i, other in enumerate(inputs):
        if i != position:
            factors.append(other)
            labels.append(operands[i])
    lengths = dict(zip(own, x.shape, strict=True))
    known = set()  # letters that another factor spells out in full
    for letters, given in zip(labels, factors, strict=True):
        for letter, n in zip(letters, shape_of(given), strict=True):
            if lengths.get(letter) == 1:
                lengths[letter] = n  # this operand is broadcast
            if lengths.get(letter) == n:
                known.add(letter)
    target = ""
    for letter in own:
        if letter not in known and letter not in target:
            factors.append(beside(np.ones(lengths[letter], x.dtype), x))
            labels.append(letter)
        if letter in target:
            fresh = next(c for c in _LETTERS if c not in subscripts and c not in target)
            factors.append(beside(np.eye(lengths[letter], dtype=x.dtype), x))
            labels.append(letter + fresh)
            target += fresh
        else:
            target += letter
    x_bar = einstein_sum(factors, subscripts=f"{','.join(labels)}->{target}")
    return summed(x_bar, x.shape)


def _einsum(operands: Any, subscripts: str) -> Any:
    # For two arrays NumPy would look for the order of products first.
    if len(operands) == 2 and all(hasattr(x, "dtype") for x in operands):
        product = contracted(subscripts, *operands)
        if product is not None:
            return product
    return np.einsum(subscripts, *operands, optimize=len(operands) > 1)


einstein_sum = Contraction(
    _einsum,
    (_operand_cotangent,),
    name="einsum",
    params=("subscripts",),
    sequence=True,
    views="write",
    doc="Products of entries summed over the letters that the result lacks.",
)


@answers(np.einsum)
def einsum(
    *operands: Any,
    out: Any = None,
    dtype: Any = None,
    order: str = "K",
    casting: str = "safe",
    optimize: Any = False,
) -> Any:
    """Einstein's sum in each of NumPy's forms."""
    if isinstance(operands[0], str):
        subscripts, arrays = operands[0].replace(" ", ""), [as_array(a) for a in operands[1:]]
    else:
        subscripts, arrays = _from_lists(operands)
    if not arrays:
        raise ValueError("einsum needs at least one operand")
    if dtype is not None:
        arrays = [a.astype(dtype) for a in arrays]
    return einstein_sum(arrays, subscripts=_explicit(subscripts, arrays))


def _from_lists(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """The form einsum(a, [0, 1], b, [1, 2], [0, 2])."""
    numbers = sorted({n for part in operands[1::2] for n in part if n is not ...})
    letters = {n: _LETTERS[k] for k, n in enumerate(numbers)}

    def written(part: Any) -> str:
        return "".join("..." if n is ... else letters[n] for n in part)

    pairs = len(operands) // 2
    terms = [written(part) for part in operands[1 : 2 * pairs : 2]]
    arrays = [as_array(a) for a in operands[: 2 * pairs : 2]]
    if len(operands) % 2:
        letters.update({n: letters.get(n, "") for n in operands[-1] if n is not ...})
        return f"{','.join(terms)}->{written(operands[-1])}", arrays
    return ",".join(terms), arrays


def _explicit(subscripts: str, arrays: list[Any]) -> str:
    """With letters in place of dots and with the result written out."""
    terms, arrow, result = subscripts.partition("->")
    operands = terms.split(",")
    if len(operands) != len(arrays):
        raise ValueError(f"einsum: {len(operands)} terms in {subscripts!r}, {len(arrays)} operands")
    free = [c for c in _LETTERS if c not in subscripts]
    widest = 0
    for i, (term, a) in enumerate(zip(operands, arrays, strict=True)):
        if "..." in term:
            count = a.ndim - len(term.replace("...", ""))
            widest = max(widest, count)
            operands[i] = term.replace("...", "".join(free[-count:]) if count else "")
        if len(operands[i]) != a.ndim:
            raise ValueError(f"einsum: term {term!r} for an operand of shape {a.shape}")
    dots = "".join(free[-widest:]) if widest else ""
    if arrow:
        result = result.replace("...", dots)
    else:
        joined = "".join(operands)
        result = dots + "".join(
            sorted(c for c in set(joined) if joined.count(c) == 1 and c not in dots)
        )
    return f"{','.join(operands)}->{result}"


@answers(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Sum of products over pairs of axes."""
    a, b = as_array(a), as_array(b)
    if isinstance(axes, int | np.integer):
        left, right = tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes))
    else:
        left, right = axes_of(axes[0], a.ndim), axes_of(axes[1], b.ndim)
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ValueError(f"tensordot: axes {left} of {a.shape} and {right} of {b.shape} differ")
    rest_a = tuple(i for i in range(a.ndim) if i not in left)
    rest_b = tuple(i for i in range(b.ndim) if i not in right)
    shape = (*[a.shape[i] for i in rest_a], *[b.shape[i] for i in rest_b])
    size, m, n = (
        int(np.prod([x.shape[i] for i in axes], dtype=int))
        for x, axes in ((a, left), (a, rest_a), (b, rest_b))
    )
    rows = reshaped(_ordered(a, (*rest_a, *left)), (m, size))
    columns = reshaped(_ordered(b, (*right, *rest_b)), (size, n))
    return reshaped(matmul(rows, columns), shape)


def _ordered(x: Any, axes: tuple[int, ...]) -> Any:
    return x if axes == tuple(range(len(axes))) else transpose(x, axes)


@answers(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """Matrix product of vectors and matrices; of higher arrays over last and second-last axes."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim <= 2 and b.ndim <= 2:
        return matmul(a, b)
    return tensordot(a, b, ((-1,), (0 if b.ndim == 1 else -2,)))


@answers(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """Sum of products over the last axes."""
    a, b = as_array(a), as_array(b)
    return a * b if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, ((-1,), (-1,)))


@answers(np.outer, np.linalg.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """Every entry of a times every entry of b, both flattened."""
    a, b = as_array(a), as_array(b)
    return reshaped(a, (a.size, 1)) * reshaped(b, (1, b.size))


@answers(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """Sum of conjugate(a) · b over the flattened arrays."""
    a, b = as_array(a), as_array(b)
    return matmul(conjugated(reshaped(a, (a.size,))), reshaped(b, (b.size,)))


@answers(np.vecdot, np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1, **options: Any) -> Any:
    """Sum of conjugate(x1) · x2 over one axis."""
    x1, x2 = as_array(x1), as_array(x2)
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError(f"vecdot: axis {axis} of {x1.shape} and {x2.shape} differ")
    return sum(conjugated(moveaxis(x1, axis, -1)) * moveaxis(x2, axis, -1), axis=-1)


@answers("matvec")
def matvec(x1: Any, x2: Any, /) -> Any:
    """Matrices times vectors."""
    return matmul(x1, as_array(x2)[..., None])[..., 0]


@answers("vecmat")
def vecmat(x1: Any, x2: Any, /) -> Any:
    """Conjugated vectors times matrices."""
    return matmul(conjugated(as_array(x1))[..., None, :], x2)[..., 0, :]


@answers(np.linalg.matmul)
def matrix_product(x1: Any, x2: Any, /) -> Any:
    """The matrix product."""
    return matmul(x1, x2)


@answers(np.kron)
def kron(a: Any, b: Any) -> Any:
    """Kronecker's product: b scaled by every entry of a."""
    a, b = as_array(a), as_array(b)
    ndim = max(b.ndim, a.ndim)
    a = reshaped(a, (1,) * (ndim - a.ndim) + tuple(a.shape))
    b = reshaped(b, (1,) * (ndim - b.ndim) + tuple(b.shape))
    spread_a = reshaped(a, tuple(n for size in a.shape for n in (size, 1)))
    spread_b = reshaped(b, tuple(n for size in b.shape for n in (1, size)))
    shape = tuple(m * n for m, n in zip(a.shape, b.shape, strict=True))
    return reshaped(spread_a * spread_b, shape)


@answers(np.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """Cross product of vectors of three entries."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(as_array(a), axisa, -1), moveaxis(as_array(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(f"cross: vectors of three entries expected, got {a.shape} and {b.shape}")
    a0, a1, a2 = (a[..., i] for i in range(3))
    b0, b1, b2 = (b[..., i] for i in range(3))
    return stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=axisc)


@answers(np.linalg.cross)
def vector_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Cross product of vectors of three entries along an axis."""
    return cross(x1, x2, axis=axis)


@answers(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    """Product of a chain of matrices, the cheapest product first."""
    chain = [as_array(a) for a in arrays]
    if len(chain) < 2:
        raise ValueError(f"multi_dot needs two arrays or more, got {len(chain)}")
    while len(chain) > 1:
        costs = [
            (a.shape[0] if a.ndim > 1 else 1) * a.shape[-1] * (b.shape[-1] if b.ndim > 1 else 1)
            for a, b in pairwise(chain)
        ]
        i = int(np.argmin(costs))
        chain[i : i + 2] = [matmul(chain[i], chain[i + 1])]
    return chain[0]
