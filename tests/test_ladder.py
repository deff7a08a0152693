"""Certified differences: the bound holds."""

import math
import random

import numpy as np
import pytest

from chainrule.verification.differences.ladder import slope


def at(f, x, **options):
    return slope(lambda t: f(x + t), abs(x), step=lambda t: (x + t) - x, **options)


def cosine_quotient(x):
    return (1 - math.cos(x)) / x**2


@pytest.mark.parametrize(
    ("f", "x", "exact", "least"),
    [
        (math.sin, 1.0, math.cos(1.0), 1e-11),
        (math.exp, 10.0, math.exp(10.0), 1e-11),
        (lambda x: 1e8 * math.sin(1e-4 * x), 1.0, 1e4 * math.cos(1e-4), 1e-11),
        (lambda x: 1e8 * math.sin(1e-4 * x), 1e4, 1e4 * math.cos(1.0), 1e-10),
        (math.log, 1e-7, 1e7, 1e-9),
        (math.log, 1e-12, 1e12, 1e-9),
        (lambda x: 1e12 + x * x, 1.0, 2.0, 1e-2),
        (lambda x: 1e12 + x * x, 1e3, 2e3, 1e-7),
        (cosine_quotient, 1e-3, -1e-3 / 12 + 1e-9 / 180, 1e-2),
        (cosine_quotient, 1e-2, -1e-2 / 12 + 1e-6 / 180, 1e-5),
        (lambda x: math.sin(1000 * x), 1.0, 1000 * math.cos(1000), 1e-8),
        (math.sqrt, 1e-9, 0.5 / math.sqrt(1e-9), 1e-10),
        (lambda x: max(x, 0.0), 1e-9, 1.0, 1e-12),
        (lambda x: max(x, 0.0), 1e-6, 1.0, 1e-12),
        (lambda x: max(x, 0.0), -1e-3, 0.0, 0.0),
        (lambda x: x * abs(x), 0.0, 0.0, 0.0),
        (lambda x: 3.0, 2.0, 0.0, 0.0),
        (lambda x: 1e-30 * math.sin(x), 1.0, 1e-30 * math.cos(1.0), 1e-11),
    ],
)
def test_the_bound_holds_and_is_small(f, x, exact, least):
    found = at(f, x)
    assert abs(found.value - exact) <= found.bound
    assert found.bound <= least * abs(exact) + 1e-14
    assert not found.kink


def test_float32():
    x = np.float32(0.7)
    found = slope(
        lambda t: np.sin(np.float32(x + np.float32(t))),
        0.7,
        2.0**-24,
        lambda t: float(np.float32(x + np.float32(t))) - float(x),
    )
    assert abs(found.value - math.cos(x)) <= found.bound < 1e-3


def test_a_staircase_with_long_treads_is_no_derivative():
    """ln(1 - σ(x)) at 12: the last place of σ hides every step below 1e-11."""

    def f(x):
        return math.log(1 - 1 / (1 + math.exp(-x)))

    found = at(f, 12.0)
    assert abs(found.value + 1 / (1 + math.exp(-12.0))) <= found.bound < 1e-4


@pytest.mark.parametrize(
    ("f", "x", "left", "right"),
    [
        (abs, 0.0, -1.0, 1.0),
        (lambda x: max(x, 0.0), 0.0, 0.0, 1.0),
        (lambda x: max(x - 0.5, 0) * 3 + math.sin(x), 0.5, math.cos(0.5), math.cos(0.5) + 3),
        (lambda x: max(math.exp(x), 1 + 2 * x), 0.0, 1.0, 2.0),
        (lambda x: abs(x - 0.7) + 1e3 * x, 0.7, 999.0, 1001.0),
    ],
)
def test_kinks(f, x, left, right):
    found = at(f, x)
    assert found.kink
    assert found.left == pytest.approx(left, rel=1e-7, abs=1e-9)
    assert found.right == pytest.approx(right, rel=1e-7)
    assert found.interval == (min(found.left, found.right), max(found.left, found.right))


@pytest.mark.parametrize("f", [lambda x: float(x > 0), math.sqrt, lambda x: math.nan])
def test_where_no_derivative_is_none_is_certified(f):
    found = at(f, 0.0)
    assert not found.bound < 0.1 * max(1.0, abs(found.value))


def test_a_domain_that_ends_has_a_derivative_from_one_side():
    found = at(lambda x: x**1.5 if x >= 0 else math.nan, 0.0)
    assert abs(found.value) <= found.bound < 1e-5


def test_random_functions():
    source = random.Random(0)
    functions = [
        (math.sin, math.cos),
        (math.tanh, lambda x: 1 - math.tanh(x) ** 2),
        (math.exp, math.exp),
        (lambda x: x * x, lambda x: 2 * x),
        (math.atan, lambda x: 1 / (1 + x * x)),
    ]
    for _ in range(200):
        (f, df), (g, dg), (h, dh) = (source.choice(functions) for _ in range(3))
        x, scale = source.gauss(0, 1), 10 ** source.uniform(-9, 9)
        found = at(lambda x: scale * (f(g(x)) + x * h(x)), x)  # noqa: B023 -- used at once
        exact = scale * (df(g(x)) * dg(x) + h(x) + x * dh(x))
        slack = 1e-14 * scale * (abs(df(g(x)) * dg(x)) + abs(h(x)) + abs(x * dh(x)))
        assert abs(found.value - exact) <= found.bound + slack
        assert found.bound <= 1e-8 * abs(exact) + 1e-9 * scale


@pytest.mark.parametrize(
    ("f", "derivative"),
    [
        (lambda x: np.log(1 / (1 + np.exp(-x))), lambda x: 1 / (1 + np.exp(x))),
        (lambda x: -np.log(1 - 1 / (1 + np.exp(-x))), lambda x: 1 / (1 + np.exp(-x))),
        (lambda x: np.log1p(np.exp(x)) - x, lambda x: -1 / (1 + np.exp(x))),
    ],
    ids=["log σ", "log(1-σ)", "softplus"],
)
def test_a_saturated_function_is_a_staircase(f, derivative):
    for x in np.random.default_rng(1).uniform(5, 36, 200):
        found = at(f, float(x))
        known = math.isfinite(found.bound)
        assert not known or abs(found.value - derivative(x)) <= found.bound


def test_a_staircase_beside_a_tiny_x():
    found = at(lambda x: math.log(math.exp(x)), -1.197e-10)
    assert abs(found.value - 1) <= found.bound < 1e-10


def test_where_a_function_sets_off_slowly_there_is_no_stair():
    for x in (-1e-2, -1e-5, -3.0):
        found = at(lambda x: max(x, 0.0), x)
        assert (found.value, found.bound) == (0.0, 0.0)
