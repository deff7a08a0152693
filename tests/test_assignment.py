"""Entries replaced: `t.at[index]` gives a new array, `t[index] = v` is recorded."""

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule.ops.checking import central_difference

X = np.arange(12.0).reshape(3, 4) * 0.3 - 1.4
INDICES = [
    *(1, -1, (0, 2), slice(None, None, 2), (slice(None), slice(3, None, -2)), (..., 0), None),
    *([2, 0], (slice(None), [1, 3]), ([0, 2], [1, 1]), X > 0, (1, X[1] > 0), np.array([[0, 1]])),
    *([1, 1, 0], (slice(None), [2, 2]), ([0, 0, 0], [1, 1, 2]), np.ix_([0, 2], [3, 3])),
]


def assigned(x, index, v):
    y = np.array(x)
    y[index] = v
    return y


def added(x, index, v):
    y = np.array(x)
    np.add.at(y, index, v)
    return y


def multiplied(x, index, v):
    y = np.array(x)
    np.multiply.at(y, index, v)
    return y


REFERENCES = {"set": assigned, "add": added, "multiply": multiplied}


def values_for(index, *, full):
    shape = X[index].shape
    return (
        np.cos(np.arange(np.prod(shape, dtype=int)).reshape(shape) + 1.0) if full else np.array(0.7)
    )


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("index", INDICES, ids=repr)
@pytest.mark.parametrize("method", REFERENCES)
def test_updates(method, index, full):
    """Values are NumPy's, derivatives of both sides those of NumPy's by differences."""
    v = values_for(index, full=full)
    reference = REFERENCES[method]
    weights = np.sin(np.arange(12.0).reshape(3, 4))

    def f(x, v):
        y = getattr(x.at[index], method)(v)
        return np.sum(y * y * weights)

    def plain(x, v):
        return np.sum(reference(x, index, v) ** 2 * weights)

    t = cr.Tensor(X)
    assert np.allclose(getattr(t.at[index], method)(v).data, reference(X, index, v), rtol=1e-15)
    assert np.array_equal(t.data, X)
    directions = np.cos(X * 3), np.sin(v + 1.0)
    slope = central_difference(lambda h: plain(X + h * directions[0], v + h * directions[1]))
    gradients = cr.grad(f, (0, 1))(X, v)
    reverse = sum(np.sum(g * d) for g, d in zip(gradients, directions, strict=True))
    assert reverse == pytest.approx(slope, rel=1e-8, abs=1e-8)
    assert cr.jvp(f, (X, v), directions)[1] == pytest.approx(reverse, rel=1e-12)
    second = cr.jvp(lambda x, v: np.sum(cr.grad(f, 1)(x, v)), (X, v), directions)[1]
    again = cr.grad(lambda x, v: np.sum(cr.grad(f, 1)(x, v)), (0, 1))(X, v)
    assert sum(np.sum(g * d) for g, d in zip(again, directions, strict=True)) == pytest.approx(
        second
    )


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_assignment_is_the_functional_update(index):
    v = values_for(index, full=True)

    def functional(x, v):
        y = x * 2
        return np.sum((y.at[index].set(v) * y) ** 2)

    def imperative(x, v):
        y = x * 2
        before = y * 1
        y[index] = v
        return np.sum((y * before) ** 2)

    for a, b in zip(
        cr.grad(functional, (0, 1))(X, v), cr.grad(imperative, (0, 1))(X, v), strict=True
    ):
        assert np.array_equal(a, b)
    directions = np.cos(X), np.sin(v)
    assert cr.jvp(imperative, (X, v), directions)[1] == pytest.approx(
        cr.jvp(functional, (X, v), directions)[1], rel=1e-14
    )


def test_other_updates():
    t = cr.Tensor([1.0, 2.0, 3.0])
    assert t.at[[0, 0]].subtract([1.0, 2.0]).data.tolist() == [-2, 2, 3]
    assert t.at[1].divide(4.0).data.tolist() == [1, 0.5, 3]
    assert t.at[:2].power(3.0).data.tolist() == [1, 8, 3]
    assert t.at[[0, 1]].max(1.5).data.tolist() == [1.5, 2, 3]
    assert t.at[[0, 1]].min(1.5).data.tolist() == [1, 1.5, 3]
    assert t.at[1:].apply(np.square).data.tolist() == [1, 4, 9]
    assert t.at[1].get().data == 2
    assert t.at[[1, 1]].multiply([2.0, 5.0]).data.tolist() == [1, 20, 3]


def test_what_was_computed_before_keeps_its_value_and_derivative():
    x, v = cr.Tensor([1.0, 2.0, 3.0], label="x"), cr.Tensor(5.0)
    y = x * 2
    z = y * y
    y[1] = v
    y[0] = y[2] * y[1]
    assert y.data.tolist() == [30, 5, 6]
    ((y * y).sum() + z.sum()).backward()
    assert x.grad.tolist() == [8, 16, 24 + 2 * 30 * 5 * 2 + 2 * 6 * 2]
    assert v.grad == 2 * 5 + 2 * 30 * 6


def test_a_loop_that_fills_an_array():
    def f(x):
        y = np.zeros_like(x)
        y[0] = x[0]
        for i in range(1, 4):
            y[i] = y[i - 1] * x[i]
        return y.sum()

    x = np.array([2.0, 3.0, 0.5, 4.0])
    assert np.allclose(cr.grad(f)(x), cr.grad(lambda x: np.sum(np.cumprod(x)))(x))
    assert np.allclose(cr.hessian(f)(x), cr.hessian(lambda x: np.sum(np.cumprod(x)))(x))
    assert np.allclose(
        cr.jacobian(f, mode="forward")(x), cr.jacobian(lambda x: np.sum(np.cumprod(x)))(x)
    )


def test_in_place_operators():
    x = cr.Tensor([1.0, 2.0, 3.0])
    y = x * 1
    y[1:] += x[:2]
    y[0] *= 10.0
    y -= 1.0
    assert y.data.tolist() == [9, 2, 4]
    y.sum().backward()
    assert x.grad.tolist() == [10 + 1, 2, 1]


def test_an_argument_can_be_assigned_to():
    def f(x):
        x[0] = 3.0
        return (x * x).sum()

    x = np.array([1.0, 2.0])
    assert cr.grad(f)(x).tolist() == [0, 4]
    assert x.tolist() == [1, 2]
    assert cr.jvp(f, (x,), (np.ones(2),))[1] == 4


def test_leaves_are_refused_and_their_views():
    x = cr.Tensor([[1.0, 2.0], [3.0, 4.0]], label="x")
    for t in (x, x[0], x.T, x.reshape(4), np.ravel(x), x[0][1:], np.squeeze(x[:1])):
        with pytest.raises(TypeError, match="entries of a leaf"):
            t[0] = 1.0
    y = +x
    y[0] = 0.0
    y.sum().backward()
    assert x.grad.tolist() == [[0, 0], [1, 1]]
    assert x.data.tolist() == [[1, 2], [3, 4]]


def heat(x):
    """The base is assigned to, views taken before are read."""
    u = x * 1
    right, left, middle = u[2:], u[:-2], u[1:-1]
    for _ in range(4):
        u[1:-1] = middle + 0.1 * (right - 2 * middle + left)
    return np.sum(u**2)


def rows(x):
    """Rows are changed in their place."""
    A = np.outer(x, x)
    for row in A:
        row /= np.sum(row)  # noqa: PLW2901 -- in its place
    return A[0, 0] + np.sum(A[2] ** 2 * x)


def written_through(x):
    y = x * 1
    v = y[2:]
    v[0] = 7.0
    w = v[1:]
    w[1] = v[0] * x[0]
    return np.sum(y**2)


def reshaped(x):
    y = x * 2
    A = y.reshape(2, 3)
    A[0] = A[1] * A[0]
    y[5] = y[0]
    B = A.T
    B[2, 1] *= 3
    return np.sum(y**3) + np.sum(A)


def aliases(x):
    y = x * 1
    z = y
    z += 1
    z *= y
    z -= x
    number = np.sum(y)
    same = number
    number += 1.0  # a number is no place
    return np.sum(y * z) + number * same


def swapped(x):
    y = x * 1
    a, b = y[:3], y[3:]
    kept = a.copy()
    a[:] = b
    b[:] = kept
    return np.sum(y * np.arange(6.0)) + np.sum(a**2)


def copies(x):
    """What NumPy copies is no view."""
    y = x * 1
    for z in (y.astype(float), np.pad(y, 0), y[[0, 1]], y.copy(), +y, np.tile(y, 1)):
        z[0] = 100.0
    return np.sum(y**2)


@pytest.mark.parametrize(
    "f", [heat, rows, written_through, reshaped, aliases, swapped, copies], ids=lambda f: f.__name__
)
def test_views_are_numpys(f):
    """In every mode the value is NumPy's and the derivative that of NumPy's program."""
    x, d = np.random.default_rng(0).random(6) + 0.5, np.cos(np.arange(6.0))
    expected, slope = f(x.copy()), central_difference(lambda t: f(x + t * d))
    value, gradient = cr.value_and_grad(f)(x)
    assert value == pytest.approx(expected, rel=1e-14)
    assert gradient @ d == pytest.approx(slope, rel=1e-8)
    assert cr.jvp(f, (x,), (d,)) == pytest.approx((expected, slope), rel=1e-8)
    curvature = central_difference(lambda t: cr.grad(f)(x + t * d))
    assert np.allclose(cr.hvp(f, x, d), curvature, atol=1e-6)
    assert np.allclose(cr.hessian(f)(x) @ d, curvature, atol=1e-6)


def test_assignment_in_place_keeps_shape_and_dtype():
    y = cr.Tensor(np.ones(3, np.float32)) * 1
    y += np.ones(3)
    assert y.dtype == np.float32
    with pytest.raises(ValueError, match="does not fit into"):
        y += np.ones((2, 3))
    w = cr.Tensor(np.ones(3))
    v = w
    v -= 0.1  # a leaf stays what it is
    assert w.data.tolist() == [1, 1, 1]


def test_under_no_grad_a_leaf_is_changed_and_a_graph_refused():
    x = cr.Tensor([1.0, 2.0])
    y = x * x
    with cr.no_grad():
        x[0] = 7.0
        with pytest.raises(TypeError, match="carries a graph"):
            y[0] = 1.0
    assert x.data.tolist() == [7, 2]
    with pytest.raises(cr.ChangedDataError):
        y.sum().backward()


def test_shapes_and_dtypes_of_an_assignment():
    y = cr.Tensor(np.ones((2, 3), np.float32)) * 1
    v = cr.Tensor([1.0, 2.0, 3.0])
    y[0] = v
    assert y.dtype == np.float32
    y.sum().backward()
    assert v.grad.dtype == np.float64
    with pytest.raises(ValueError, match=r"shape \(2,\) do not fit"):
        y[0] = np.ones(2)
    with pytest.raises(TypeError, match="complex numbers do not fit"):
        y[0] = 1j
    with pytest.raises(IndexError):
        y[5] = 1.0
    y[:, :0] = np.zeros((2, 0))
    assert y.shape == (2, 3)


def test_an_inner_derivative_cannot_be_smuggled_out():
    y = cr.Tensor([1.0, 2.0]) * 1

    def f(x):
        y[0] = x
        return y.sum()

    with pytest.raises(TypeError, match="outside"):
        cr.jvp(f, (3.0,), (1.0,))


def test_all_orders_of_assignment_and_use():
    """Reads and writes in every order give what a functional program gives."""
    for order in itertools.permutations("rwrw"):
        x = cr.Tensor([1.0, 2.0])
        y, total, k = x * 1, 0.0, 2.0
        data, jacobian = np.array([1.0, 2.0]), np.eye(2)
        expected = np.zeros(2)
        for step in order:
            k += 1
            if step == "r":
                total = total + k * (y * y).sum()
                expected += k * 2 * data @ jacobian
            else:
                y[0] = y[0] * y[1]
                row = jacobian[0] * data[1] + jacobian[1] * data[0]
                data[0], jacobian[0] = data[0] * data[1], row
        total.backward()
        assert np.allclose(x.grad, expected)
