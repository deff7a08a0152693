"""One row of sample inputs for every op of the table, away from kinks; `test_ops` demands them."""

from typing import Any, NamedTuple

import numpy as np


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


SAMPLES: dict[str, list[Sample]] = {
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
