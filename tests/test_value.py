"""`Value`: Python's arithmetic on one float, and the ways out of the graph that it guards."""

import math

import numpy as np
import pytest

import chainrule as cr
from published import micrograd_readme


def test_every_operator():
    a, b = cr.Value(-4.0), cr.Value(2.0)
    assert (a + b, a - b, a * b, a / b) == (-2.0, -6.0, -8.0, -2.0)
    assert (1 + a, 1 - a, 2 * a, 2 / b, a**2, 2**b) == (-3.0, 5.0, -8.0, 1.0, 16.0, 4.0)
    assert (-a, +a, abs(a)) == (4.0, -4.0, 4.0)
    assert [f"{f:.6f}" for f in (b.exp(), b.log(), b.sqrt(), b.tanh(), b.sigmoid(), a.relu())] == [
        "7.389056",
        "0.693147",
        "1.414214",
        "0.964028",
        "0.880797",
        "0.000000",
    ]


def test_micrograds_expression():
    numbers = micrograd_readme({"a": -4.0, "b": 2.0})
    assert [f"{numbers[name]:.4f}" for name in ("g", "dg/da", "dg/db")] == [
        "24.7041",
        "138.8338",
        "645.5773",
    ]


def test_integers_become_floats_and_nothing_else_is_taken():
    assert type(cr.Value(2).data) is float
    assert type(cr.Value(np.float32(2)).data) is float
    assert type((cr.Value(2.0) * np.float64(2)).data) is float
    assert type((np.float64(2) * cr.Value(2.0)).data) is float
    for bad in (True, "2", None, 1j, [1.0]):
        with pytest.raises(TypeError, match="takes floats and Values"):
            cr.Value(bad)
        with pytest.raises(TypeError):
            cr.Value(1.0) * ([bad] if bad is True else bad)


def test_functions_of_chainrule_and_numpy_record():
    x = cr.Value(0.5, "x")
    for y in (cr.sin(x), np.sin(x)):
        assert isinstance(y, cr.Value)
        assert y.inputs == (x,)
        assert y == math.sin(0.5)
    assert np.where(x > 0, x, 1.0).inputs[1] is x
    assert x.cos() == cr.cos(x)
    with pytest.raises(TypeError, match="np.sum does not work on a Value"):
        np.sum(x)
    with pytest.raises(TypeError, match="np.add does not work on a Value"):
        np.add(x, 1.0, out=np.zeros(()))
    with pytest.raises(TypeError, match=r"got a Value: use its \.item\(\)"):
        cr.Value(x)
    assert np.arcsin(x) == math.asin(0.5)
    with pytest.raises(TypeError, match="heaviside works on arrays, a Value is one float"):
        np.heaviside(x, 1.0)


def test_nothing_leaves_the_graph_silently():
    x = cr.Value(0.5)
    for escape in (float, math.sin, int, complex, lambda v: [0, 1][v]):
        with pytest.raises(TypeError, match=r"item\(\)"):
            escape(x)
    for escape in (np.asarray, lambda v: np.array([v, v])):
        with pytest.raises(TypeError, match="use a Tensor"):
            escape(x)
    assert x.item() == 0.5


def test_arrays_and_tensors_are_refused_with_advice():
    for mix in (
        lambda v: v * np.ones(3),
        lambda v: np.ones(3) * v,
        lambda v: v * cr.Tensor([1.0]),
        lambda v: cr.Tensor([1.0]) * v,
        lambda v: cr.sum(v),
        lambda v: v @ v,
        lambda v: v[0],
    ):
        with pytest.raises(TypeError, match="Tensor"):
            mix(cr.Value(1.0))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda x: x.log(), ValueError, r"log\(0\): "),
        (lambda x: 1 / x, ZeroDivisionError, r"divide\(1, 0\): "),
        (lambda x: (x + 1000.0).exp(), OverflowError, r"exp\(1000\): "),
        (lambda x: (x - 8.0) ** 0.5, ValueError, r"power\(-8, 0.5\): "),
    ],
)
def test_python_errors_name_the_op_and_its_numbers(make, error, message):
    with pytest.raises(error, match=message):
        make(cr.Value(0.0))


def test_an_infinite_derivative_names_the_op_and_the_line():
    x = cr.Value(0.0)
    with pytest.raises(ZeroDivisionError, match=r"derivative of sqrt .*test_value.py, line \d+ is"):
        x.sqrt().backward()
    (x.sqrt() * 0.0).backward()
    assert x.grad == 0.0


def test_choosing_between_values():
    for a, expected in ((2.0, (1.0, 0.0)), (-1.0, (0.0, 1.0))):
        x, y = cr.Value(a), cr.Value(0.5)
        cr.where(x > 0, x, y).backward()
        assert (x.grad, y.grad) == expected
    assert cr.where(np.True_, cr.Value(3.0), 0.0) == 3.0


def test_nan_is_not_hidden():
    nan = cr.Value(math.nan)
    for y in (nan.relu(), cr.maximum(nan, 1.0), cr.minimum(1.0, nan), abs(nan), cr.sum):
        if y is not cr.sum:
            assert math.isnan(y.data)


def test_sigmoid_at_the_ends():
    assert cr.Value(1000.0).sigmoid() == 1.0
    assert cr.Value(-1000.0).sigmoid() == 0.0
    assert cr.Value(-40.0).sigmoid().data == pytest.approx(math.exp(-40.0), rel=1e-12)


def test_text():
    x = cr.Value(2.0, label="x")
    assert repr(x) == "Value(2.0, label='x', grad=None)"
    x.backward()
    assert repr(x) == "Value(2.0, label='x', grad=1.0)"
    assert f"{x:.3f}" == "2.000"
    assert f"{cr.Value(1.0)}" == "Value(1.0, grad=None)"


def test_truth_and_hash():
    assert cr.Value(1.0)
    assert not cr.Value(0.0)
    a, b = cr.Value(1.0), cr.Value(1.0)
    assert a == b
    assert len({a, b}) == 2


def test_second_derivatives_of_values():
    x = cr.Value(2.0)
    first = cr.adjoints(x**4, record=True)[x]
    assert first == 32.0
    second = cr.adjoints(first, record=True)[x]
    assert second == 48.0
    second.backward()
    assert x.grad == 48.0


def test_ops_with_arguments_are_for_tensors():
    round_to = cr.elementwise(
        lambda x, digits: np.round(x, digits),
        0,
        name="round_to",
        params=("digits",),
        scalar=round,
    )
    with pytest.raises(TypeError, match="round_to with digits works on a Tensor"):
        round_to(cr.Value(1.234), 2)
    assert round_to(cr.Tensor([1.234]), 2).data.tolist() == [1.23]
