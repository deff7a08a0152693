"""Initial weights: functions of a random generator and a shape.

Of a shape with n inputs and m outputs: a matrix has the shape (n, m); a kernel of a convolution has
(K, C, *size), so n = C·size and m = K·size.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Random = np.random.Generator
    Shape = tuple[int, ...]
    Initializer = str | Callable[[Random, Shape], np.ndarray]

_seeded: ContextVar[np.random.Generator | None] = ContextVar("chainrule_seed", default=None)


@contextmanager
def seed(number: int | np.random.Generator) -> Iterator[np.random.Generator]:
    """Let the layers that are made here, and are given no seed, draw from one generator.

    >>> import chainrule as cr
    >>> with cr.nn.seed(0):
    ...     net = cr.nn.Sequential(cr.nn.Linear(3, 4), cr.relu, cr.nn.Linear(4, 1))
    >>> net.layers[0].W.data[0, :2].round(3)
    array([ 0.274, -0.46 ])
    """
    random = np.random.default_rng(number)
    token = _seeded.set(random)
    try:
        yield random
    finally:
        _seeded.reset(token)


def generator(number: Any) -> np.random.Generator:
    """The generator of a seed; without one that of `with seed(…)`, or a new one for each layer."""
    around = _seeded.get()
    return around if number is None and around is not None else np.random.default_rng(number)


def network_generator(number: Any) -> np.random.Generator:
    """The generator of a whole network: without a seed that of `with seed(…)`, or that of 0."""
    return generator(0 if number is None and _seeded.get() is None else number)


def fans(shape: Shape) -> tuple[int, int]:
    """How many inputs an output has, and how many outputs an input."""
    if len(shape) < 2:
        raise ValueError(f"a matrix or a kernel is needed to count inputs and outputs, got {shape}")
    if len(shape) == 2:
        return shape
    size = math.prod(shape[2:])
    return shape[1] * size, shape[0] * size


def glorot_uniform(random: Random, shape: Shape) -> np.ndarray:
    """Uniform in ±√(6 / (n + m)); variance 2 / (n + m) (Glorot and Bengio, 2010)."""
    bound = math.sqrt(6 / sum(fans(shape)))
    return random.uniform(-bound, bound, shape)


def glorot_normal(random: Random, shape: Shape) -> np.ndarray:
    """Normal of variance 2 / (n + m) (Glorot and Bengio, 2010)."""
    return random.normal(0.0, math.sqrt(2 / sum(fans(shape))), shape)


def he_uniform(random: Random, shape: Shape) -> np.ndarray:
    """Uniform in ±√(6 / n); variance 2 / n, for relu (He et al., 2015)."""
    bound = math.sqrt(6 / fans(shape)[0])
    return random.uniform(-bound, bound, shape)


def he_normal(random: Random, shape: Shape) -> np.ndarray:
    """Normal of variance 2 / n, for relu (He et al., 2015)."""
    return random.normal(0.0, math.sqrt(2 / fans(shape)[0]), shape)


def lecun_uniform(random: Random, shape: Shape) -> np.ndarray:
    """Uniform in ±√(3 / n); variance 1 / n (LeCun et al., 1998)."""
    bound = np.sqrt(3 / fans(shape)[0])
    return random.uniform(-bound, bound, shape)


def lecun_normal(random: Random, shape: Shape) -> np.ndarray:
    """Normal of variance 1 / n (LeCun et al., 1998)."""
    return random.normal(0.0, math.sqrt(1 / fans(shape)[0]), shape)


def orthogonal(random: Random, shape: Shape) -> np.ndarray:
    """A random matrix with orthonormal rows or columns, uniformly (Saxe et al., 2014).

    Of a kernel the matrix with K rows. The factor Q of a normal matrix, with the signs of R.
    """
    rows, columns = (shape[0], math.prod(shape[1:])) if len(shape) != 2 else shape
    fans(shape)
    tall = random.normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return (q if rows >= columns else q.T).reshape(shape)


def normal(random: Random, shape: Shape) -> np.ndarray:
    """Normal of variance 1."""
    return random.normal(size=shape)


def zeros(_random: Random, shape: Shape) -> np.ndarray:
    """All zero. The units of a layer of zeros stay equal to one another."""
    return np.zeros(shape)


INITIALIZERS: dict[str, Callable[[Random, Shape], np.ndarray]] = {
    f.__name__: f
    for f in (
        glorot_normal,
        glorot_uniform,
        he_normal,
        he_uniform,
        lecun_normal,
        lecun_uniform,
        normal,
        orthogonal,
        zeros,
    )
}


def initial(initializer: Initializer, random: Random, shape: Shape, dtype: Any) -> np.ndarray:
    """Initial weights of a shape and dtype.

    Raises:
        ValueError: for an unknown name, or a function that gives another shape.
    """
    if isinstance(initializer, str):
        if initializer not in INITIALIZERS:
            known = ", ".join(sorted(INITIALIZERS))
            raise ValueError(f"unknown initializer {initializer!r}: one of {known}, or a function")
        initializer = INITIALIZERS[initializer]
    weights = np.asarray(initializer(random, shape))
    if weights.shape != shape:
        raise ValueError(f"the initializer gave the shape {weights.shape} for {shape}")
    return weights.astype(dtype)
