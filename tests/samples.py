"""One row of sample inputs for every op of the table, away from kinks; `test_ops` demands them."""

from typing import Any, NamedTuple

import numpy as np

from chainrule.ops.dispatch import LATE, load

for family in LATE.values():
    load(family)


class Sample(NamedTuple):
    inputs: tuple[Any, ...]
    params: dict[str, Any]


def sample(*inputs: Any, **params: Any) -> Sample:
    return Sample(tuple(x if type(x) is int else np.asarray(x) for x in inputs), params)


_random = np.random.default_rng(42)


def between(low: float, high: float, *shape: int) -> np.ndarray:
    return _random.uniform(low, high, shape)


A, B = between(-2, 2, 2, 3), between(0.5, 2, 2, 3)
ROW, COLUMN, NUMBER = between(0.5, 2, 3), between(0.5, 2, 2, 1), between(0.5, 2)
EMPTY, CUBE = np.zeros((0, 3)), between(-2, 2, 2, 3, 4)
MASK = A > 0.3

#: Two inputs in every relation that broadcasting knows.
PAIRS = [(A, B), (A, ROW), (ROW, A), (COLUMN, ROW), (NUMBER, A), (NUMBER, NUMBER), (EMPTY, ROW)]
ONE = [(A,), (NUMBER,), (EMPTY,), (CUBE[:, ::-2],)]
POSITIVE = [(B,), (NUMBER,), (EMPTY,), (np.asfortranarray(B),)]


def each(cases, **params):
    return [sample(*inputs, **params) for inputs in cases]


def reductions():
    # Entries far apart, so that differences stay on one side of every tie.
    spread = _random.permutation(24).reshape(2, 3, 4) * 0.37 - 4
    return [
        sample(spread),
        sample(spread, axis=1),
        sample(spread, axis=-1, keepdims=True),
        sample(spread, axis=(0, 2)),
        sample(spread[0, :1], keepdims=True),
        sample(NUMBER),
    ]


PAIRS_OF_POSITIVE = [(np.abs(a) + 0.3, np.abs(b) + 0.3) for a, b in PAIRS]
SQUARE = between(-1, 1, 3, 3) + 3 * np.eye(3)
STACK = between(-1, 1, 2, 3, 3) + 3 * np.eye(3)
POSITIVE_DEFINITE = STACK @ np.swapaxes(STACK, -1, -2)
HERMITIAN = STACK + 1j * between(-1, 1, 2, 3, 3)
HERMITIAN = HERMITIAN + np.conj(np.swapaxes(HERMITIAN, -1, -2)) + 6 * np.eye(3)
COMPLEX = A + 1j * B
TALL = between(-1, 1, 4, 2)
ABOVE_ONE = [(B + 1.0,), (NUMBER + 1.0,)]
INSIDE = [(A * 0.4,), (NUMBER * 0.4,), (EMPTY,)]
SIGNS = [(A, B), (A, ROW), (ROW, -NUMBER)]
WINDOW = {"size": (2, 2), "stride": (2, 1), "dilation": (1, 2)}

SAMPLES: dict[str, list[Sample]] = {
    **{
        name: each(ONE)
        for name in (
            *("arcsinh", "arctan", "cosh", "degrees", "exp2", "expm1", "fabs", "rad2deg"),
            *("radians", "deg2rad", "sinc", "sinh", "square", "tan"),
            *("floor", "ceil", "trunc", "rint", "isfinite", "isnan"),
        )
    },
    **{name: each(POSITIVE) for name in ("log10", "log1p", "log2", "cbrt", "reciprocal")},
    **{name: each(INSIDE) for name in ("arcsin", "arccos", "arctanh")},
    **{
        name: each(PAIRS)
        for name in ("arctan2", "hypot", "logaddexp", "logaddexp2", "fmax", "fmin", "both_infinite")
    },
    **{name: each(SIGNS) for name in ("copysign", "floor_divide", "fmod", "remainder")},
    **{name: [sample(COMPLEX), *each(ONE)] for name in ("conjugate", "imag", "real")},
    "assigned": each([(A, B), (COMPLEX, A)]),
    "arccosh": each(ABOVE_ONE),
    **{
        name: each(INSIDE)
        for name in ("erf", "erfc", "erfinv", "expit", "log_expit", "j0", "j1", "i1", "scipy_i0")
    },
    **{
        name: each(POSITIVE)
        for name in ("gamma", "rgamma", "gammaln", "psi", "entr", "y0", "y1", "erfcinv")
    },
    **{name: each(PAIRS_OF_POSITIVE) for name in ("beta", "betaln", "xlogy", "xlog1py")},
    **{
        name: [sample(np.int8(2), B), sample(np.array([0, 1, 2], np.int8), B)]
        for name in ("jv", "yv", "iv")
    },
    "ive": [sample(np.int8(2), B)],
    "gammainc": [sample(np.int8(2), B)],
    "gammaincc": [sample(np.int8(2), B)],
    "betainc": [sample(np.int8(2), np.int8(3), np.abs(A) * 0.4)],
    "logit": each([(B * 0.4,)]),
    "polygamma": [sample(B, order=1), sample(B, order=2)],
    "bessel_i": [sample(A, order=0), sample(A, order=1), sample(B * 9, order=2)],
    "round": [sample(A), sample(A, decimals=1)],
    "heaviside": [sample(A, B), sample(A, NUMBER)],
    "ldexp": [sample(A, np.array([1, -2, 3]))],
    "near": [sample(STACK, STACK)],
    "negligible": [sample(B)],
    "cholesky": [sample(POSITIVE_DEFINITE)],
    "det": [sample(SQUARE), sample(STACK), sample(STACK + 0.5j)],
    "dft": [sample(COMPLEX, axes=(0, 1), norm=None), sample(COMPLEX, axes=(1,), norm="ortho")],
    "inverse_dft": [sample(COMPLEX, axes=(1,), norm=None)],
    "half_dft": [sample(A, axis=1, norm=None), sample(CUBE, axis=2, norm="forward")],
    "inverse_half_dft": [
        sample(COMPLEX, n=4, axis=1, norm=None),
        sample(CUBE + 1j, n=7, axis=2, norm="ortho"),
    ],
    "diag": [sample(SQUARE), sample(ROW, k=1), sample(SQUARE, k=-1)],
    "diagflat": [sample(A), sample(ROW, k=-1)],
    "diagonal": [sample(CUBE), sample(CUBE, offset=1, axis1=2, axis2=1)],
    "delete": [
        sample(A, obj=1, axis=1),
        sample(A, obj=[0, -1]),
        sample(CUBE, obj=slice(2), axis=2),
    ],
    "roll": [sample(A, shift=2), sample(CUBE, shift=(1, -2), axis=(0, 2))],
    "rot90": [sample(A), sample(CUBE, k=-1, axes=(2, 0))],
    "tile": [sample(A, reps=2), sample(ROW, reps=(2, 1, 3))],
    "repeat": [sample(A, repeats=2), sample(A, repeats=np.array([2, 0, 1]), axis=1)],
    "resize": [sample(A, new_shape=(4, 2)), sample(A, new_shape=(2,))],
    "tril": [sample(CUBE), sample(SQUARE, k=1)],
    "triu": [sample(CUBE), sample(SQUARE, k=-1)],
    "sliding_window_view": [
        sample(ROW, window_shape=2),
        sample(CUBE, window_shape=(2, 2), axis=(0, 2)),
    ],
    "eig": [sample(np.diag([1.0, 2.0, 4.0]) + 0.1 * SQUARE)],
    "eigvals": [sample(np.diag([1.0, 2.0, 4.0]) + 0.1 * SQUARE)],
    "eigh_l": [sample(np.diag([1.0, 2.0, 4.0]) + 0.1 * (SQUARE + SQUARE.T))],
    "eigh_u": [sample(np.diag([1.0, 2.0, 4.0]) + 0.1 * (SQUARE + SQUARE.T))],
    **{f"eigvalsh_{triangle}": [sample(POSITIVE_DEFINITE), sample(HERMITIAN)] for triangle in "lu"},
    "svd": [sample(TALL), sample(TALL.T), sample(STACK), sample(EMPTY[:, :2])],
    "svdvals": [sample(TALL), sample(STACK)],
    "qr": [sample(TALL), sample(STACK)],
    "inv": [sample(SQUARE), sample(STACK)],
    "solve": [
        sample(SQUARE, ROW),
        sample(SQUARE, TALL[:3]),
        sample(STACK, TALL[:3]),
        sample(STACK, ROW),
        sample(SQUARE, CUBE[0][None]),
    ],
    "correlate": [
        sample(between(-1, 1, 2, 3, 7), between(-1, 1, 4, 3, 2), stride=(2,), dilation=(2,)),
        sample(
            between(-1, 1, 1, 2, 4, 5), between(-1, 1, 3, 2, 2, 3), stride=(1, 1), dilation=(1, 1)
        ),
    ],
    "correlate_input": [
        sample(
            between(-1, 1, 2, 4, 3),
            between(-1, 1, 4, 3, 2),
            shape=(2, 3, 7),
            stride=(2,),
            dilation=(2,),
        ),
    ],
    "correlate_kernel": [
        sample(
            between(-1, 1, 2, 3, 7), between(-1, 1, 2, 4, 3), size=(2,), stride=(2,), dilation=(2,)
        ),
    ],
    "standardise": [sample(A, axis=-1, epsilon=1e-5), sample(CUBE, axis=(0, 2), epsilon=1e-5)],
    "outer_product": [sample(ROW, TALL[:, 0])],
    "entry_count": [sample(A, axis=0)],
    "one_hot": [sample(np.array([2, 0]), classes=3)],
    "softmax": [sample(A), sample(CUBE, axis=1), sample(ROW, axis=0)],
    "log_softmax": [sample(A), sample(CUBE, axis=1), sample(ROW, axis=0)],
    "softmax_cross_entropy": [sample(A, B), sample(A, np.array([2, 0]))],
    "log_size_of_det": [sample(SQUARE), sample(-STACK)],
    "sign_of_det": [sample(SQUARE), sample(STACK)],
    "pinv": [sample(TALL), sample(TALL.T), sample(STACK)],
    "einsum": [
        sample(A, B, subscripts="ij,ij->ij"),
        sample(A, B, subscripts="ij,kj->ik"),
        sample(A, subscripts="ij->"),
        sample(A, subscripts="ij->i"),
        sample(SQUARE, subscripts="ii->"),
        sample(SQUARE, subscripts="ii->i"),
        sample(STACK, ROW, subscripts="bii,i->b"),
        sample(A, A, ROW, subscripts="ij,kj,j->jki"),
        sample(COLUMN, A, subscripts="ij,ij->i"),
        sample(ROW, ROW, subscripts="i,j->"),
    ],
    "running_sum": [sample(A, axis=1), sample(CUBE, axis=0)],
    "update": [
        sample(A, ROW, index=1),
        sample(A, NUMBER, index=(slice(None), 0)),
        sample(A, COLUMN, index=(slice(None), slice(1, 3))),
        sample(A, NUMBER, index=MASK),
        sample(ROW, between(0, 1, 2), index=np.array([2, 0])),
    ],
    "windows": [
        sample(between(-1, 1, 2, 5, 6), **WINDOW),
        sample(ROW, size=(2,), stride=(1,), dilation=(1,)),
    ],
    "fold": [sample(between(-1, 1, 2, 2, 4, 2, 2), shape=(2, 5, 6), **WINDOW)],
    "absolute": each(ONE),
    "add": each(PAIRS),
    "astype": [sample(A, dtype=np.float64)],
    "broadcast_to": [
        sample(ROW, shape=(4, 2, 3)),
        sample(COLUMN, shape=(2, 3)),
        sample(NUMBER, shape=(2,)),
        sample(A, shape=(2, 3)),
    ],
    "concatenate": [
        sample(A, B, ROW[None]),
        sample(A, COLUMN, axis=1),
        sample(A, COLUMN, axis=-1),
        sample(A, EMPTY),
    ],
    "cos": each(ONE),
    "divide": each([(a, np.abs(b) + 0.5) for a, b in PAIRS]),
    "equal": each(PAIRS),
    "exp": each(ONE),
    "getitem": [
        sample(A, index=1),
        sample(A, index=(slice(None), slice(None, None, -2))),
        sample(A, index=(..., None, 0)),
        sample(A, index=(0, 2)),
        sample(A, index=MASK),
        sample(A, index=[1, 0, 1, 1]),
        sample(A, index=(np.array([0, 1, 1]), np.array([2, 0, 0]))),
        sample(CUBE, index=(slice(None), np.array([0, 0, 2]), slice(1, 3))),
    ],
    "greater": each(PAIRS),
    "greater_equal": each(PAIRS),
    "indicator": [sample(MASK, A)],
    "less": each(PAIRS),
    "less_equal": each(PAIRS),
    "log": each(POSITIVE),
    "matmul": [
        sample(A, B.T),
        sample(ROW, ROW),
        sample(A, ROW),
        sample(ROW, B.T),
        sample(CUBE, between(-1, 1, 4, 2)),
        sample(A, between(-1, 1, 5, 3, 2)),
        sample(CUBE[:, None], between(-1, 1, 3, 4, 2)),
        sample(ROW, between(-1, 1, 5, 3, 2)),
        sample(between(-1, 1, 5, 2, 3), ROW),
        sample(EMPTY, B.T),
    ],
    "matrix_transpose": [sample(A), sample(CUBE)],
    "max": reductions(),
    "maximum": each(PAIRS),
    "mean": [*reductions(), sample(EMPTY, axis=1)],
    "min": reductions(),
    "minimum": each(PAIRS),
    "multiply": each(PAIRS),
    "negative": each(ONE),
    "not_equal": each(PAIRS),
    "positive": each(ONE),
    "power": [
        *each([(np.abs(a) + 0.1, b) for a, b in PAIRS]),
        sample(A, 3),
        sample(A, 2),
        sample(A, 0),
        sample(A, np.array([3, 0, 1], np.int8)),
    ],
    "relu": each(ONE),
    "reshape": [sample(A, shape=(3, 2)), sample(A, shape=-1), sample(EMPTY, shape=(3, 0))],
    "scatter": [
        sample(ROW, index=1, shape=(2, 3)),
        sample(ROW, index=[0, 0, 2], shape=(4,)),
        sample(NUMBER, index=(1, 2), shape=(2, 3)),
        sample(between(-1, 1, int(MASK.sum())), index=MASK, shape=(2, 3)),
    ],
    "sigmoid": each(ONE),
    "sign": each(ONE),
    "sin": each(ONE),
    "sqrt": each(POSITIVE),
    "stack": [sample(A, B), sample(A, B, axis=1), sample(A, B, A, axis=-1), sample(NUMBER, NUMBER)],
    "stop_gradient": each(ONE),
    "subtract": each(PAIRS),
    "sum": [*reductions(), sample(EMPTY), sample(EMPTY, axis=0)],
    "sum_to_shape": [
        sample(CUBE, shape=(3, 1)),
        sample(CUBE, shape=()),
        sample(A, shape=(2, 3)),
        sample(EMPTY, shape=(3,)),
    ],
    "tanh": each(ONE),
    "transpose": [sample(A), sample(CUBE, axes=(2, 0, 1)), sample(CUBE, axes=(-1, 0, 1))],
    "where": [sample(MASK, A, B), sample(MASK, A, NUMBER), sample(np.array(True), ROW, COLUMN)],
}

Z = [(COMPLEX,), (COMPLEX[:, :1],)]
for _name in (
    *("absolute", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "square"),
    *("reciprocal", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"),
    *("arcsinh", "arccosh", "arctanh", "sigmoid", "negative", "positive", "mean", "sum", "erf"),
    *("erfc", "transpose", "reshape", "cumsum"),
):
    if _name in SAMPLES:
        SAMPLES[_name] += each(Z, **({"shape": -1} if _name == "reshape" else {}))
for _name in ("add", "subtract", "multiply", "divide", "power"):
    SAMPLES[_name] += each([(COMPLEX, COMPLEX[0] + 0.3), (B, COMPLEX), (COMPLEX, B)])
SAMPLES["where"] += [sample(MASK, COMPLEX, A)]
SAMPLES["matmul"] += [sample(COMPLEX, COMPLEX.T * 1j), sample(COMPLEX, B.T), sample(A, COMPLEX[0])]
SAMPLES["einsum"] += [sample(COMPLEX, B, subscripts="ij,kj->ik")]
SAMPLES["getitem"] += [sample(COMPLEX, index=[1, 1, 0])]
SAMPLES["update"] += [sample(COMPLEX, ROW, index=0)]
_W = STACK + 0.3j * between(-1, 1, 2, 3, 3)
for _name in ("inv", "svdvals", "log_size_of_det", "sign_of_det", "pinv"):
    SAMPLES[_name] += [sample(_W)]
SAMPLES["pinv"] += [sample(_W[0, :, :2])]
SAMPLES["qr"] += [sample(_W), sample(_W[:, :, :2])]
SAMPLES["solve"] += [sample(_W, ROW), sample(_W[0], COMPLEX.T)]
SAMPLES["cholesky"] += [sample(_W @ np.conj(np.swapaxes(_W, -1, -2)))]
