"""Polynomials as vectors of coefficients, the highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops.arithmetic import conjugated, real
from chainrule.ops.base import is_complex
from chainrule.ops.cumulative import along_shape
from chainrule.ops.functions import sqrt
from chainrule.ops.linear_algebra import matmul
from chainrule.ops.matrices import pseudoinverse
from chainrule.ops.reductions import sum
from chainrule.ops.registry import answers
from chainrule.ops.shapes import concatenate, reshaped, stack
from chainrule.ops.spectra import eigvals
from chainrule.ops.sums import as_array, converted
from chainrule.ops.windows import windows
from chainrule.traced import plain


@answers(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """The polynomial with coefficients p, the highest power first, at x."""
    p, x = as_array(p), as_array(x)
    y = 0 * x
    for i in range(p.shape[0]):
        y = y * x + p[i]
    return y


@answers(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:  # noqa: N803
    """Powers of x in columns."""
    x = as_array(x)
    x = converted(x, np.promote_types(x.dtype, int))  # as NumPy
    columns = [x**k if k else 0 * x + 1 for k in range(x.shape[0] if N is None else N)]
    return stack(columns if increasing else columns[::-1], axis=1)


@answers(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """Discrete convolution of two vectors."""
    a, v = as_array(a), as_array(v)
    if a.ndim != 1 or v.ndim != 1 or not a.size or not v.size:
        raise ValueError(f"convolve takes two vectors, got shapes {a.shape} and {v.shape}")
    if v.size > a.size:
        a, v = v, a
    m, n = a.size, v.size
    if mode not in {"full", "same", "valid"}:
        raise ValueError(f"mode is 'full', 'same' or 'valid', got {mode!r}")
    start, length = {
        "full": (0, m + n - 1),
        "same": ((n - 1) // 2, m),
        "valid": (n - 1, m - n + 1),
    }[mode]
    padded = concatenate([np.zeros(n - 1, a.dtype), a, np.zeros(n - 1, a.dtype)])
    seen = windows(padded, size=(n,), stride=(1,), dilation=(1,))
    return (seen @ v[::-1])[start : start + length]


@answers(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """Cross-correlation of two vectors."""
    a, v = as_array(a), as_array(v)
    if v.size > a.size:  # NumPy swaps them and turns the result around
        return conjugated(correlate(v, a, mode)[::-1])
    return convolve(a, conjugated(v[::-1]), mode)


@answers(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """Sum of two polynomials."""
    a1, a2 = _coefficients(a1), _coefficients(a2)
    shorter, longer = (a1, a2) if a1.size < a2.size else (a2, a1)
    missing = longer.size - shorter.size
    return longer + concatenate([np.zeros(missing, shorter.dtype), shorter])


@answers(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """Difference of two polynomials."""
    return polyadd(a1, -as_array(a2))


@answers(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """Product of two polynomials."""
    return convolve(_coefficients(a1), _coefficients(a2))


@answers(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """Coefficients of the m-th derivative."""
    p = as_array(p)
    for _ in range(m):
        p = p[:-1] * np.arange(p.size - 1, 0, -1)
    return p


@answers(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """Coefficients of the m-th integral, with constants k, by default 0."""
    p = as_array(p)
    constants = np.zeros(m) if k is None else reshaped(as_array(k), (np.size(plain(k)),))
    if constants.shape[0] == 1 < m:
        constants = concatenate([constants] * m)
    for i in range(m):
        constant = constants[i : i + 1]
        p = concatenate([p / np.arange(p.size, 0, -1), constant])
    return p


@answers(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """Coefficients of the polynomial with given zeros, or of the characteristic one of a matrix."""
    zeros = as_array(seq_of_zeros)
    if zeros.ndim == 2:
        zeros = eigvals(zeros)
    y = np.ones(1, zeros.dtype)
    for i in range(zeros.shape[0]):
        y = convolve(y, stack([0 * zeros[i] + 1, -zeros[i]]))
    data = plain(zeros)
    in_pairs = is_complex(data) and np.array_equal(np.sort(data), np.sort(data.conj()))
    return real(y) if in_pairs else y


@answers(np.roots)
def roots(p: Any) -> Any:
    """Zeros of a polynomial, as eigenvalues of its companion matrix."""
    p = _coefficients(p)
    nonzero = np.flatnonzero(plain(p))
    if not nonzero.size:
        return np.zeros(0)
    trailing = p.size - 1 - int(nonzero[-1])
    p = p[int(nonzero[0]) : int(nonzero[-1]) + 1]
    n = p.size - 1
    if not n:
        return np.zeros(trailing, p.dtype)
    first = reshaped(-p[1:] / p[0], (1, n))
    y = eigvals(concatenate([first, np.eye(n - 1, n, dtype=p.dtype)]))
    return concatenate([y, np.zeros(trailing, y.dtype)]) if trailing else y


@answers(np.polyfit)
def polyfit(
    x: Any,
    y: Any,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: Any = None,
    cov: bool | str = False,
) -> Any:
    """Coefficients of the least-squares polynomial; differentiable in points, values, weights."""
    if full or cov:
        raise TypeError("polyfit of traced arrays returns the coefficients alone: no full= or cov=")
    x, y = as_array(x), as_array(y)
    x = converted(x, np.result_type(x.dtype, np.float64))
    y = converted(y, np.result_type(y.dtype, np.float64))
    columns = vander(x, deg + 1)
    if w is not None:
        w = as_array(w)
        columns = columns * w[:, None]
        y = y * reshaped(w, along_shape(0, w.shape[0], y.ndim))
    scale = sqrt(sum(real(columns * conjugated(columns)), axis=0))
    rcond = x.size * np.finfo(np.float64).eps if rcond is None else rcond
    c = matmul(pseudoinverse(columns / scale, rcond), y)
    return c / reshaped(scale, along_shape(0, deg + 1, y.ndim))


def _coefficients(p: Any) -> Any:
    p = as_array(p)
    return reshaped(p, (1,)) if p.ndim == 0 else p
