"""Transformations of functions, inside one another, with perturbations kept apart."""

import numpy as np
import pytest

import chainrule as cr


def cube(x):
    return x**3


def test_higher_derivatives():
    f = cube
    for expected in (12.0, 12.0, 6.0, 0.0):
        f = cr.grad(f)
        assert f(2.0) == expected


def test_argnums_and_values():
    def f(a, b):
        return a * a * b

    assert cr.grad(f, argnums=(0, 1))(2.0, 5.0) == (20.0, 4.0)
    assert cr.grad(f, argnums=-1)(2.0, 5.0) == 4.0
    assert cr.value_and_grad(f, argnums=1)(2.0, 5.0) == (20.0, 4.0)
    assert cr.grad(lambda x, scale=1.0: x * scale)(2.0, scale=3.0) == 3.0
    with pytest.raises(ValueError, match="asks for argument 2, the call has 2"):
        cr.grad(f, argnums=2)(1.0, 2.0)


def test_kind_of_result_follows_the_argument():
    assert type(cr.grad(cube)(2.0)) is float
    assert type(cr.grad(cube)(3)) is float
    gradient = cr.grad(lambda x: (x * np.arange(3.0)).sum())(np.ones(3, np.float32))
    assert gradient.dtype == np.float32
    assert cr.grad(lambda a: np.sum(a * np.ones(4)))(2.0) == 4.0
    with pytest.raises(TypeError, match="floating point"):
        cr.grad(lambda x: x.sum())(np.arange(3))


def test_a_function_must_return_one_number():
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        cr.grad(lambda x: x * 2)(np.ones(3))
    with pytest.raises(TypeError, match="returned tuple"):
        cr.grad(lambda x: (x, x))(1.0)


def test_a_constant_function_has_the_gradient_zero():
    assert cr.grad(lambda _x: 3.0)(2.0) == 0.0
    assert cr.grad(lambda _x: 3.0)(np.ones(2)).tolist() == [0, 0]
    assert cr.jvp(lambda _x: 3.0, (2.0,), (1.0,)) == (3.0, 0.0)


def test_perturbations_are_kept_apart():
    """d/dx (x · d/dy (x·y)) = 2x: confusing the two derivatives gives x."""

    def forward(f):
        return lambda x: cr.jvp(f, (x,), (1.0,))[1]

    for outer in (cr.grad, forward):
        for inner in (cr.grad, forward):
            f = outer(lambda x, inner=inner: x * inner(lambda y: x * y)(1.0))
            assert f(3.0) == 6.0
            f = outer(lambda x, inner=inner: x * inner(lambda y: x + y)(1.0))
            assert f(3.0) == 1.0
            f = outer(lambda x, inner=inner: inner(lambda y: x * y * y * x)(x))
            assert f(3.0) == 54.0


@pytest.mark.parametrize("order", ["ff", "fr", "rf", "rr"])
def test_all_orders_of_forward_and_reverse_agree(order):
    def transform(letter, f, direction):
        if letter == "r":
            return lambda x: (cr.grad(f)(x) * direction).sum()
        return lambda x: cr.jvp(f, (x,), (direction,))[1]

    def f(x):
        return (cr.sin(x) * x[::-1] ** 2).sum() + x.max()

    u, v = np.array([1.0, -2.0, 0.5]), np.array([0.3, 1.0, 2.0])
    x = np.array([0.5, 1.5, -1.0])
    result = transform(order[0], transform(order[1], f, u), v)(x)
    h = 1e-5
    gradient = cr.grad(f)
    expected = ((gradient(x + h * v) - gradient(x - h * v)) * u).sum() / (2 * h)
    assert result == pytest.approx(expected, rel=1e-8)


def test_vjp_and_jvp():
    x = np.array([1.0, 2.0])
    y, pullback = cr.vjp(lambda a, b: a * b, x, 3.0)
    assert y.tolist() == [3, 6]
    assert [g.tolist() if hasattr(g, "tolist") else g for g in pullback([1.0, 10.0])] == [
        [3, 30],
        21.0,
    ]
    y, y_dot = cr.jvp(lambda a: a.sum() * a, (x,), (np.array([1.0, 0.0]),))
    assert y.tolist() == [3, 6]
    assert y_dot.tolist() == [4, 2]
    with pytest.raises(ValueError, match=r"tangent of shape \(2,\) expected, got \(3,\)"):
        cr.jvp(lambda a: a, (x,), (np.ones(3),))
    with pytest.raises(ValueError, match="2 primals and 1 tangents"):
        cr.jvp(lambda a, b: a * b, (x, x), (x,))


def test_pullback_of_a_pullback():
    assert cr.grad(lambda s: cr.vjp(cube, s)[1](1.0)[0])(2.0) == 12.0
    # linear in its cotangent: the derivative of ȳ -> Jᵀȳ is Jᵀ itself
    y, y_dot = cr.jvp(lambda c: cr.vjp(cube, 2.0)[1](c)[0], (1.0,), (1.0,))
    assert (y, y_dot) == (12.0, 12.0)


def test_variables_of_an_outer_computation_stay_in_its_graph():
    w = cr.Tensor([2.0, 3.0], label="w")
    gradient = cr.grad(lambda x: (w * x * x).sum())(np.array([1.0, 10.0]))
    assert gradient.data.tolist() == [4, 60]
    gradient.sum().backward()
    assert w.grad.tolist() == [2, 20]


def test_under_no_grad_the_result_is_plain():
    w = cr.Tensor([2.0])
    with cr.no_grad():
        gradient = cr.grad(lambda x: (w * x).sum())(np.array([1.0]))
    assert type(gradient) is np.ndarray


def test_a_dual_does_not_leave_silently():
    with pytest.raises(TypeError, match="out of the graph"):
        cr.jvp(lambda x: float(x) * x, (2.0,), (1.0,))
    with pytest.raises(TypeError, match="out of the graph"):
        cr.jvp(lambda x: np.asarray(x) * x, (np.ones(2),), (np.ones(2),))


def test_values_inside_grad():
    x = cr.Value(2.0)
    y = cr.grad(lambda s: s * s * 3.0)(x)
    assert y == 12.0
    y.backward()
    assert x.grad == 6.0


def test_hessian_vector_product_of_a_network():
    random = np.random.default_rng(3)
    net = cr.nn.MLP([3, 4, 2], "tanh")
    x, t = random.normal(size=(5, 3)), random.normal(size=(5, 2))

    def loss(W):
        h = np.tanh(x @ W + net.layers[0].b.data)
        return cr.nn.mean_squared_error(h @ net.layers[1].W.data, t)

    W, V = net.layers[0].W.data, random.normal(size=(3, 4))
    gradient = cr.grad(loss)
    _, product = cr.jvp(gradient, (W,), (V,))
    h = 1e-5
    assert np.allclose(product, (gradient(W + h * V) - gradient(W - h * V)) / (2 * h), rtol=1e-7)
