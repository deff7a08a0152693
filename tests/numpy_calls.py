"""Calls of NumPy's functions, away from kinks: what `test_numpy` and the coverage table try."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import scipy.special as sc


class Call(NamedTuple):
    name: str
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    complex: bool  # whether to try the call with complex numbers too


CALLS: list[Call] = []
#: Whether this is NumPy 2.1 or later.
NEW = hasattr(np, "unstack")
_random = np.random.default_rng(7)


def between(low, high, *shape):
    return _random.uniform(low, high, shape)


def name_of(function):
    if isinstance(function, np.ufunc) and getattr(np, function.__name__, None) is not function:
        return f"scipy.special.{function.__name__}"
    module = (getattr(function, "__module__", None) or "numpy").replace("numpy", "np")
    return f"{module}.{function.__name__}".replace("np.lib.stride_tricks._impl", "np")


def call(function, *args, name=None, with_complex=True, **kwargs):
    CALLS.append(Call(name or name_of(function), function, args, kwargs, with_complex))


def real(function, *args, **kwargs):
    call(function, *args, with_complex=False, **kwargs)


#: Entries far apart, so that differences stay on one side of every tie.
SPREAD = _random.permutation(24).reshape(2, 3, 4) * 0.37 - 4.1
A, B, ROW = between(-2, 2, 2, 3), between(0.5, 2, 2, 3), between(0.5, 2, 3)
CUBE, COLUMN = between(-2, 2, 2, 3, 4), between(0.5, 2, 2, 1)
NUMBER = np.asarray(1.3)
SQUARE = between(-1, 1, 3, 3) + 3 * np.eye(3)
STACK = between(-1, 1, 2, 3, 3) + 3 * np.eye(3)
TALL, WIDE = between(-1, 1, 4, 2), between(-1, 1, 2, 4)
MASK = A > 0.2
MASK_OF_SPREAD = np.abs(SPREAD) > 1.5
WITH_NAN = SPREAD.copy()
WITH_NAN[0, 1, 2] = WITH_NAN[1, 2, 0] = np.nan


def _quiet_fix(x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # since NumPy 2.5
        return np.fix(x)


# ---------------------------------------------------------------------------- ufuncs

for f in (np.add, np.subtract, np.multiply, np.divide):
    call(f, A, B)
    call(f, A, ROW)
call(np.power, B, A)
call(np.power, A, 3)
call(np.float_power, B, A)
for f in (
    *(np.negative, np.positive, np.exp, np.exp2, np.expm1, np.square, np.sin, np.cos, np.tan),
    *(np.sinh, np.cosh, np.tanh, np.arcsinh, np.arctan, np.absolute, np.conjugate, np.sign),
    *(np.reciprocal, np.sqrt, np.log, np.log2, np.log10, np.log1p),
):
    call(f, B)
    if f not in {np.sqrt, np.log, np.log2, np.log10, np.log1p}:
        call(f, A)
for f in (np.arcsin, np.arccos, np.arctanh):
    call(f, A * 0.4)
call(np.arccosh, B + 1)
for f in (
    *(np.fabs, np.sinc, np.i0, np.degrees, np.radians, np.rad2deg, np.deg2rad, np.floor, np.ceil),
    *(np.trunc, np.rint, np.cbrt),
):
    real(f, A)
real(_quiet_fix, A, name="np.fix")
for f in (np.real, np.imag, np.angle):
    call(f, A)
call(np.angle, A, deg=True)
call(np.real_if_close, A)
for f in (
    *(np.arctan2, np.hypot, np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp),
    *(np.logaddexp2, np.copysign, np.fmod, np.remainder, np.floor_divide, np.divmod),
):
    real(f, A, B)
real(np.fmod, A, -NUMBER)
real(np.remainder, ROW, -A)
real(np.heaviside, A, B)
real(np.ldexp, A, np.array([1, -2, 0]))
real(np.modf, A)
real(np.frexp, A)
real(np.clip, A, -1.0, 0.7)
real(np.clip, A, None, B)
if NEW:
    real(np.clip, A, min=-0.5)
real(np.nan_to_num, WITH_NAN)
real(np.nan_to_num, A, nan=2.0)
real(np.round, A)
real(np.around, np.array([0.52, 1.17, -0.31]), 1)
for f in (np.add, np.multiply, np.maximum, np.minimum, np.logaddexp, np.subtract, np.hypot):
    real(f.reduce, SPREAD, name=f"np.{f.__name__}.reduce")
    real(f.reduce, B, axis=1, keepdims=True, name=f"np.{f.__name__}.reduce")
    real(f.accumulate, SPREAD, axis=1, name=f"np.{f.__name__}.accumulate")
    real(f.outer, A, ROW, name=f"np.{f.__name__}.outer")
real(np.divide.accumulate, B, axis=1, name="np.divide.accumulate")
real(np.add.reduceat, SPREAD, [0, 2, 1], axis=2, name="np.add.reduceat")
call(np.add, A, B, dtype=np.float64, with_complex=False)
call(np.vecdot, A, B)
call(np.vecdot, CUBE, CUBE * 0.5, axis=1)
for name in ("matvec", "vecmat"):
    if hasattr(np, name):
        call(getattr(np, name), *((STACK, ROW) if name == "matvec" else (ROW, STACK)))

# ------------------------------------------------------------- reductions and statistics

for f in (np.sum, np.mean, np.prod, np.var, np.std, np.nansum, np.nanmean, np.nanprod, np.nanvar):
    call(f, CUBE)
    call(f, CUBE, axis=1)
    call(f, CUBE, axis=(0, -1), keepdims=True)
    real(f, CUBE, axis=2, where=MASK_OF_SPREAD)
call(np.nanstd, CUBE, axis=0)
for f in (np.sum, np.prod):
    real(f, CUBE, axis=1, initial=1.5)
real(np.prod, np.where(MASK_OF_SPREAD, SPREAD, 0.0), axis=2)
real(np.prod, np.array([0.0, 2.0, 3.0]))
real(np.prod, np.array([0.0, 2.0, 0.0]))
real(np.cumprod, np.array([2.0, 0.0, 3.0, 0.0, 1.0]))
for f in (np.var, np.std):
    call(f, CUBE, axis=0, ddof=1)
    real(f, CUBE, axis=0, correction=0.5)
real(np.var, A, axis=1, mean=np.mean(A, axis=1, keepdims=True))
for f in (np.nansum, np.nanprod, np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin):
    real(f, WITH_NAN, axis=1)
    real(f, WITH_NAN)
for f in (np.nancumsum, np.nancumprod):
    real(f, WITH_NAN, axis=2)
for f in (np.max, np.min, np.amax, np.amin, np.ptp, np.median, np.nanmedian):
    real(f, SPREAD)
    real(f, SPREAD, axis=1)
    real(f, SPREAD, axis=(0, 2), keepdims=True)
for f in (np.max, np.min):
    real(f, SPREAD, axis=1, initial=0.11, where=MASK_OF_SPREAD)
for f, q in ((np.quantile, 0.3), (np.percentile, 30.0), (np.nanquantile, 0.7)):
    real(f, SPREAD, q)
    real(f, SPREAD, [q, q / 2, 0.0], axis=1)
    real(f, SPREAD, q, axis=(0, 2), keepdims=True, method="median_unbiased")
for method in (
    *("inverted_cdf", "averaged_inverted_cdf", "closest_observation", "hazen", "weibull"),
    *("interpolated_inverted_cdf", "normal_unbiased", "lower", "higher", "midpoint", "nearest"),
):
    real(np.quantile, SPREAD, 0.37, axis=2, method=method)
for f in (np.nanmedian, np.nanquantile, np.nanpercentile):
    real(f, WITH_NAN, *(() if f is np.nanmedian else (0.4,)), axis=2)
call(np.average, CUBE, axis=1)
call(np.average, CUBE, axis=1, weights=ROW)
call(np.average, CUBE, weights=np.abs(SPREAD))
real(np.average, CUBE, axis=(0, 1), weights=B, returned=True)
for f in (np.cumsum, np.cumprod):
    call(f, CUBE)
    call(f, CUBE, axis=1)
for name in ("cumulative_sum", "cumulative_prod"):
    if hasattr(np, name):
        call(getattr(np, name), CUBE, axis=1)
        call(getattr(np, name), ROW, include_initial=True)
call(np.diff, CUBE)
call(np.diff, CUBE, n=2, axis=1)
call(np.diff, A, prepend=0.5, append=COLUMN)
call(np.ediff1d, A)
call(np.ediff1d, A, to_begin=0.5, to_end=[1.0, 2.0])
call(np.gradient, ROW)
call(np.gradient, CUBE)
call(np.gradient, CUBE, 0.5, axis=2, edge_order=2)
real(np.gradient, CUBE, np.array([0.0, 1.0, 2.5, 3.0]), axis=2)
real(np.gradient, CUBE, np.array([0.0, 1.0, 2.5, 3.0]), axis=2, edge_order=2)
call(np.trapezoid, CUBE)
call(np.trapezoid, CUBE, dx=0.3, axis=1)
real(np.trapezoid, CUBE, np.array([0.0, 1.0, 2.5, 3.0]))
call(np.cov, CUBE[0])
call(np.cov, A, B, rowvar=False, ddof=0)
real(np.cov, CUBE[0], bias=True, aweights=np.array([1.0, 2.0, 0.5, 1.0]))
real(np.cov, CUBE[0], fweights=np.array([1, 2, 3, 1]))
real(np.cov, CUBE[0], aweights=np.array([1.0, 2.0, 0.5, 1.0]), fweights=np.array([1, 2, 3, 1]))
call(np.corrcoef, CUBE[0])
real(np.interp, np.array([-0.5, 0.3, 1.7, 9.0]), np.array([0.0, 1.0, 2.5]), ROW)
real(np.interp, A, np.array([-1.0, 0.1, 1.5]), ROW, left=0.5, right=2.0)
real(np.interp, A, np.array([0.1, 0.6, 2.5]), ROW, period=3.0)

# ------------------------------------------------------------------- shape and indexing

call(np.reshape, A, (3, 2))
call(np.reshape, CUBE, (4, -1), order="F")
call(np.ravel, CUBE)
call(np.ravel, CUBE, order="F")
call(np.transpose, CUBE)
call(np.transpose, CUBE, (1, 2, 0))
call(np.swapaxes, CUBE, 0, -1)
call(np.moveaxis, CUBE, (0, 1), (-1, 0))
call(np.rollaxis, CUBE, 2)
call(np.rollaxis, CUBE, 0, 3)
call(np.matrix_transpose, CUBE)
call(np.linalg.matrix_transpose, CUBE)
call(np.squeeze, CUBE[:, :1])
call(np.squeeze, CUBE[:1, :1], axis=0)
call(np.expand_dims, A, (0, 2))
call(np.broadcast_to, ROW, (4, 2, 3))
call(np.broadcast_arrays, A, ROW, NUMBER)
for f in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
    call(f, NUMBER)
    call(f, ROW, A)
call(np.concatenate, [A, B])
call(np.concatenate, (A, B, COLUMN), axis=1)
call(np.concatenate, (A, ROW), axis=None)
call(np.stack, [A, B], axis=-1)
call(np.vstack, [A, ROW])
call(np.hstack, [A, COLUMN])
call(np.hstack, [ROW, ROW * 2])
call(np.dstack, [A, B])
call(np.dstack, [ROW, ROW * 2])
call(np.column_stack, [ROW, B.T])
call(np.block, [[A, B], [B, A]])
call(np.block, [ROW, NUMBER])
call(np.append, A, B)
call(np.append, A, B, axis=1)
call(np.split, CUBE, 2, axis=2)
call(np.split, CUBE, [1, 3], axis=2)
call(np.array_split, CUBE, 3, axis=2)
call(np.hsplit, CUBE, 3)
call(np.vsplit, CUBE, 2)
call(np.dsplit, CUBE, 2)
if hasattr(np, "unstack"):
    call(np.unstack, CUBE, axis=1)
call(np.tile, A, (2, 1, 2))
call(np.repeat, A, 2)
call(np.repeat, A, [1, 0, 2], axis=1)
call(np.roll, CUBE, 1)
call(np.roll, CUBE, (1, -2), (0, 2))
call(np.rot90, CUBE, 3)
call(np.flip, CUBE)
call(np.flip, CUBE, (0, 2))
call(np.fliplr, CUBE)
call(np.flipud, CUBE)
for mode in ("constant", "edge", "reflect", "symmetric", "wrap"):
    call(np.pad, CUBE, ((0, 0), (2, 1), (3, 0)), mode)
for mode in ("linear_ramp", "mean", "maximum", "minimum", "median"):
    real(np.pad, SPREAD, ((1, 0), (2, 1), (0, 2)), mode)
real(np.pad, A, 1, constant_values=((1.0, 2.0), (3.0, 4.0)))
real(np.pad, A, ((1, 2), (2, 2)), "linear_ramp", end_values=1.5)
real(np.pad, SPREAD, 2, "mean", stat_length=2)
real(np.pad, SPREAD, 2, "maximum", stat_length=2)
real(np.pad, A, ((0, 0), (2, 2)), "reflect", reflect_type="odd")
real(np.pad, A, ((1, 0), (3, 2)), "symmetric", reflect_type="odd")
call(np.tril, CUBE, 1)
call(np.triu, CUBE, -1)
call(np.diag, SQUARE, 1)
call(np.diag, ROW)
call(np.diagflat, A)
call(np.diagonal, CUBE, 1, 0, 2)
call(np.trace, CUBE)
call(np.trace, CUBE, 1, 2, 0)
call(np.take, A, [[0, 5], [5, 2]])
call(np.take, CUBE, [1, 1, -1], axis=2)
call(np.take, A, [7, -8], mode="wrap")
call(np.take_along_axis, A, np.array([[2, 0], [1, 1]]), axis=1)
call(np.choose, np.array([0, 1, 0]), [ROW, ROW * 2 + A])
call(np.compress, [True, False, True], A, axis=1)
call(np.extract, MASK, A)
call(np.select, [MASK, A > -1], [A, B], 0.5)
call(np.where, MASK, A, B)
call(np.where, MASK, A, 1.0)
call(np.insert, A, 1, ROW, axis=0)
call(np.insert, A, [0, 2], 1.5, axis=1)
call(np.insert, A, 3, NUMBER)
call(np.delete, A, 1, axis=1)
call(np.delete, A, [0, 3])
call(np.resize, A, (2, 4))
real(np.sort, SPREAD)
real(np.sort, SPREAD, axis=1)
real(np.sort, SPREAD, axis=None)
real(np.partition, SPREAD, 2)
real(np.unique, SPREAD)
real(np.meshgrid, ROW, COLUMN[:, 0])
real(np.meshgrid, ROW, COLUMN[:, 0], sparse=True, indexing="ij")
call(np.lib.stride_tricks.sliding_window_view, CUBE, (2, 2), axis=(1, 2))
call(np.copy, A)
call(np.astype, A, np.float64, with_complex=False)
call(np.linspace, NUMBER, COLUMN, 5)
real(np.linspace, ROW, 2.0, 4, endpoint=False, axis=-1)
real(np.logspace, NUMBER, 2.0, 4)
real(np.geomspace, NUMBER, 20.0, 4)
real(np.bincount, np.array([0, 2, 0]), ROW)
real(np.unwrap, CUBE * 3)
call(lambda x, v: _diagonal_filled(x, v), SQUARE, NUMBER, name="np.fill_diagonal")
call(lambda x, v: _put(x, v), A, ROW[:2, None], name="np.put_along_axis")
call(np.polyval, ROW, A)
call(np.vander, ROW)
call(np.polyadd, ROW, CUBE[0, 0])
call(np.polysub, ROW, CUBE[0, 0])
call(np.polymul, ROW, CUBE[0, 0])
call(np.polyder, CUBE[0, 0], 2)
call(np.polyint, ROW)
call(np.polyint, ROW, 2, [1.0, 2.0])
call(np.poly, ROW)
call(np.poly, SQUARE)
call(np.roots, np.array([1.0, -6.0, 11.0, -5.5]))
real(lambda p: np.roots(p * [0, 1, 1, 1, 0]), between(1, 2, 5), name="np.roots")
real(np.polyfit, np.array([0.0, 1.0, 2.0, 3.5]), CUBE[0, 0], 2)
real(np.polyfit, np.array([0.0, 1.0, 2.0, 3.5]), CUBE[0].T, 1, w=np.array([1.0, 2.0, 1.0, 0.5]))
call(lambda x: np.trim_zeros(x * [0, 1, 0, 1, 0]), between(1, 2, 5), name="np.trim_zeros")
call(np.apply_over_axes, np.sum, CUBE, (0, 2))
call(np.vander, ROW, 4, increasing=True)


def _diagonal_filled(x, v):
    y = x + 0
    np.fill_diagonal(y, v)
    return y


def _put(x, v):
    y = x + 0
    np.put_along_axis(y, np.array([[2], [0]]), v, axis=1)
    return y


for mode in ("full", "same", "valid"):
    call(np.convolve, CUBE[0, 0], ROW, mode)
    call(np.correlate, CUBE[0, 0], ROW, mode)
real(np.apply_along_axis, lambda v: v * v[0], 1, CUBE, name="np.apply_along_axis")
real(np.piecewise, A, [A < 0, A > 0], [np.sin, lambda x: x**2], name="np.piecewise")
for index in (
    *(0, -1, (slice(None), 2), (slice(None, None, -2), ...), (..., None, 1), (None, ..., 0, 1)),
    *([1, 0, 1], (slice(None), [2, 2, 0]), (np.array([0, 1, 1]), np.array([[1], [2]]))),
    *(MASK_OF_SPREAD, (0, MASK_OF_SPREAD[0]), (slice(None), [True, False, True])),
    *((slice(None), slice(1, 1)), (1, 2, 3), np.ix_([1, 0], [2, 2]), True),
):
    call(lambda x, index=index: x[index], CUBE, name="t[index]")
call(lambda x, v: (x + 0).at[1].set(v) if hasattr(x, "at") else _set(x, 1, v), A, ROW, name="t.at")


def _set(x, index, v):
    y = x.astype(np.result_type(x, v))
    y[index] = v
    return y


# ----------------------------------------------------------------------- linear algebra

for f in (np.matmul, np.linalg.matmul):
    call(f, CUBE, WIDE.T)
call(np.matmul, ROW, STACK)
call(np.dot, A, B.T)
call(np.dot, CUBE, WIDE.T)
call(np.dot, CUBE, ROW[:1].repeat(4))
call(np.dot, A, 2.0)
call(np.inner, A, B)
call(np.inner, CUBE, ROW[:1].repeat(4))
call(np.outer, A, ROW)
call(np.linalg.outer, ROW, ROW * 2)
call(np.vdot, A, B)
call(np.tensordot, CUBE, CUBE, ([0, 2], [0, 2]))
call(np.tensordot, A, B, 2)
call(np.tensordot, A, B, 0)
call(np.linalg.tensordot, CUBE, WIDE, axes=((2,), (1,)))
call(np.linalg.vecdot, A, B)
call(np.kron, A, ROW)
call(np.kron, A, SQUARE)
call(np.cross, A, B)
call(np.cross, CUBE[:, :, 0].T, ROW, axisa=0, axisc=0)
call(np.linalg.cross, A, B)
call(np.linalg.multi_dot, [A, SQUARE, B.T, ROW[:2]])
for subscripts, operands in {
    "ij,jk": (A, SQUARE),
    "ij,jk->ki": (A, SQUARE),
    "ii->": (SQUARE,),
    "ii": (SQUARE,),
    "ii->i": (SQUARE,),
    "ij->": (A,),
    "ij->j": (A,),
    "...i,i->...": (CUBE.swapaxes(1, 2), ROW),
    "b...,b...->...": (STACK, STACK),
    "bij,bjk->bik": (STACK, STACK),
    "ijj,j->i": (STACK, ROW),
    "i,j->ij": (ROW, ROW),
    "i,j->": (ROW, ROW),
    "ij,ij,ij->": (A, B, A),
    "i,ij,j": (COLUMN[:, 0], A, ROW),
}.items():
    call(np.einsum, subscripts, *operands)
call(np.einsum, A, [0, 1], SQUARE, [1, 2], [2, 0])
call(np.einsum, A, [0, 1], SQUARE, [1, 2])
call(np.einsum, "ij,jk,kl", A, SQUARE, SQUARE, optimize=True)
for f in (np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.linalg.pinv, np.linalg.svdvals):
    call(f, SQUARE)
    call(f, STACK)
for f in (np.linalg.pinv, np.linalg.svdvals):
    call(f, TALL)
    call(f, WIDE)
call(np.linalg.solve, SQUARE, ROW)
call(np.linalg.solve, STACK, TALL[:3])
call(np.linalg.solve, SQUARE, STACK)
call(np.linalg.lstsq, TALL, COLUMN[:1, 0].repeat(4))
call(np.linalg.lstsq, TALL, between(-1, 1, 4, 3))
for n in (3, -2, 1, 0, 5):
    call(np.linalg.matrix_power, STACK, n)
call(np.linalg.tensorinv, between(-1, 1, 2, 2, 4) + 0.5, ind=2)
call(np.linalg.tensorsolve, between(-1, 1, 2, 2, 4), between(-1, 1, 2, 2))
call(lambda a: np.linalg.cholesky(a @ a.conj().T), SQUARE, name="np.linalg.cholesky")
call(lambda a: np.linalg.cholesky(a @ a.conj().T, upper=True), SQUARE, name="np.linalg.cholesky")
call(np.linalg.qr, TALL, with_complex=False)
call(np.linalg.qr, STACK, mode="r")
call(np.linalg.qr, WIDE, with_complex=False)
call(lambda a: np.linalg.eigvalsh(a + a.conj().T), SQUARE, name="np.linalg.eigvalsh")
call(lambda a: np.linalg.eigvalsh(a @ a.conj().mT, UPLO="U"), STACK, name="np.linalg.eigvalsh")
call(lambda a: np.abs(np.linalg.eigh(a + a.conj().T)[1]), SQUARE, name="np.linalg.eigh")
call(lambda a: np.linalg.eigh(a + a.conj().T).eigenvalues, SQUARE, name="np.linalg.eigh")
call(lambda a: np.abs(np.linalg.eig(a).eigenvectors), SQUARE, name="np.linalg.eig")
call(np.linalg.eigvals, SQUARE)
call(lambda a: np.abs(np.linalg.svd(a, full_matrices=False)[0]), TALL, name="np.linalg.svd")
call(lambda a: np.abs(np.linalg.svd(a)[2]), SQUARE, name="np.linalg.svd")
call(np.linalg.svd, WIDE, compute_uv=False)


def polar(a):
    u, _, vh = np.linalg.svd(a, full_matrices=False)
    return u @ vh


call(polar, TALL, name="np.linalg.svd")
call(np.linalg.norm, CUBE)
for order in (None, 2, 1, np.inf, -np.inf, 3, -1, 0.5):
    call(np.linalg.norm, SPREAD, order, axis=1)
for order in ("fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf):
    call(np.linalg.norm, SQUARE, order)
    real(np.linalg.norm, SPREAD, order, axis=(2, 0), keepdims=True)
    call(np.linalg.matrix_norm, STACK, ord=order)
call(np.linalg.vector_norm, CUBE)
call(np.linalg.vector_norm, CUBE, axis=(0, 2), ord=3, keepdims=True)
for p in (None, 2, -2, "fro", "nuc", 1, np.inf):
    call(np.linalg.cond, SQUARE, p, with_complex=NEW)  # NumPy 2.0: real numbers as complex ones
call(np.linalg.trace, CUBE, offset=1)
call(np.linalg.diagonal, CUBE, offset=-1)

# ------------------------------------------------------------------------------ Fourier

for f in (np.fft.fft, np.fft.ifft, np.fft.hfft, np.fft.irfft):
    for kwargs in ({}, {"n": 6}, {"n": 3, "axis": 1}, {"norm": "ortho"}, {"norm": "forward"}):
        call(f, CUBE, **kwargs)
for f in (np.fft.rfft, np.fft.ihfft):
    for kwargs in ({}, {"n": 6}, {"n": 3, "axis": 1}, {"norm": "ortho"}, {"norm": "forward"}):
        real(f, CUBE, **kwargs)
for f in (np.fft.fftn, np.fft.ifftn, np.fft.fft2, np.fft.ifft2, np.fft.irfftn, np.fft.irfft2):
    call(f, CUBE)
    call(f, CUBE, s=(4, 5), axes=(0, 1), norm="ortho")
for f in (np.fft.rfftn, np.fft.rfft2):
    real(f, CUBE)
    real(f, CUBE, s=(4, 5), axes=(0, 1), norm="forward")
for f in (np.fft.fftshift, np.fft.ifftshift):
    call(f, CUBE)
    call(f, CUBE, axes=1)

# ------------------------------------------------------------------------------- SciPy

for f in (sc.erf, sc.erfc):
    call(f, A)
for f in (sc.erfinv, sc.log_expit, sc.expit, sc.j0, sc.j1, sc.i0, sc.i1):
    real(f, A * 0.4)
for f in (sc.gamma, sc.gammaln, sc.psi, sc.rgamma, sc.y0, sc.y1, sc.entr):
    real(f, B)
real(sc.erfcinv, B * 0.8)
real(sc.logit, B * 0.4)
for f in (sc.beta, sc.betaln, sc.xlogy, sc.xlog1py):
    real(f, B, ROW)
for f in (sc.jv, sc.yv, sc.iv, sc.ive, sc.gammainc, sc.gammaincc):
    real(f, 2, B)
real(sc.betainc, 2, 3, np.abs(A) * 0.4)
