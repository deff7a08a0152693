"""Transformations of functions, inside one another, with perturbations kept apart."""

import dataclasses
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import pytest

import chainrule as cr
from chainrule import jacobians
from chainrule.ops.checking import central_difference


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


# ------------------------------------------------------------------ containers, names, aux


class Point(NamedTuple):
    x: object
    y: object


@dataclasses.dataclass
class Layer:
    W: object
    b: object
    name: str = dataclasses.field(default="layer", metadata={"static": True})


def test_containers_keep_their_structure():
    a, b = np.array([1.0, 2.0]), 3.0
    f = lambda t: (t["p"][0] * t["p"][1]).sum() + t["q"].x * t["q"].y
    g = cr.grad(f)({"p": [a, b], "q": Point(2.0, 5.0), "nothing": None})
    assert g["p"][0].tolist() == [3, 3]
    assert g["p"][1] == 3.0
    assert g["q"] == Point(5.0, 2.0)
    assert g["nothing"] is None
    ordered = cr.grad(lambda d: d["b"] ** 2 * d["a"])(OrderedDict(b=2.0, a=3.0))
    assert type(ordered) is OrderedDict
    assert list(ordered.items()) == [("b", 12.0), ("a", 4.0)]
    assert cr.grad(lambda t: t[0] * t[1])((2.0, 5.0)) == (5.0, 2.0)


def test_dataclasses():
    @dataclasses.dataclass(frozen=True)
    class Model:
        W: object
        b: object

    model = Model(np.ones((2, 2)), np.zeros(2))
    g = cr.grad(lambda m: np.sum((np.ones(2) @ m.W + m.b) ** 2))(model)
    assert isinstance(g, Model)
    assert g.W.tolist() == [[4, 4], [4, 4]]
    assert g.b.tolist() == [4, 4]
    with pytest.raises(TypeError, match="must be floating point"):
        cr.grad(lambda layer: layer.W.sum())(Layer(np.ones(2), 1.0))


def test_keywords_and_aux():
    def f(x, *, scale):
        return x * x * scale, {"twice": x * 2}

    assert cr.grad(f, "scale", has_aux=True)(3.0, scale=2.0) == (9.0, {"twice": 6.0})
    (value, aux), (dx, ds) = cr.value_and_grad(f, (0, "scale"), has_aux=True)(3.0, scale=2.0)
    assert (value, aux["twice"], dx, ds) == (18.0, 6.0, 12.0, 9.0)
    assert not isinstance(aux["twice"], cr.Tensor)
    y, pullback, aux = cr.vjp(lambda x: (x * x, x + 1), 3.0, has_aux=True)
    assert (y, pullback(1.0), aux) == (9.0, (6.0,), 4.0)
    assert cr.jvp(lambda x: (x * x, x + 1), (3.0,), (1.0,), has_aux=True) == (9.0, 6.0, 4.0)
    with pytest.raises(ValueError, match="asks for size=, the call has the keywords: scale"):
        cr.grad(f, "size", has_aux=True)(3.0, scale=2.0)
    with pytest.raises(TypeError, match="must return a pair"):
        cr.grad(lambda x: x, has_aux=True)(3.0)


def test_vjp_and_jvp_of_containers():
    f = lambda d: {"sum": d["a"] + d["b"], "product": [d["a"] * d["b"]]}
    y, pullback = cr.vjp(f, {"a": 2.0, "b": 5.0})
    assert y["product"][0] == 10.0
    assert pullback({"sum": 1.0, "product": [10.0]}) == ({"a": 51.0, "b": 21.0},)
    y, y_dot = cr.jvp(f, ({"a": 2.0, "b": 5.0},), ({"a": 1.0, "b": 0.0},))
    assert (y_dot["sum"], y_dot["product"]) == (1.0, [5.0])
    with pytest.raises(ValueError, match="structure of the primals"):
        cr.jvp(f, ({"a": 2.0, "b": 5.0},), ({"a": 1.0},))


# ----------------------------------------------------------------------- Jacobians and such


def wavy(x):
    return np.sin(x)[:2] * x[::-1][:2] + x[0] ** 2


@pytest.mark.parametrize("mode", ["auto", "reverse", "forward"])
def test_jacobian(mode):
    x = np.array([0.3, -0.7, 1.1])
    J = cr.jacobian(wavy, mode=mode)(x)
    columns = [central_difference(lambda h, e=e: wavy(x + h * e)) for e in np.eye(3)]
    assert np.allclose(J, np.stack(columns, axis=-1), atol=1e-9)
    assert J.shape == (2, 3)
    W = np.arange(6.0).reshape(2, 3)
    J = cr.jacobian(lambda W, x: np.tanh(W @ x), (0, 1), mode=mode)(W, x)
    assert J[0].shape == (2, 2, 3)
    assert np.allclose(J[1], (1 - np.tanh(W @ x) ** 2)[:, None] * W)
    assert cr.jacobian(lambda s: s**3, mode=mode)(2.0) == 12.0
    assert cr.jacobian(lambda x: x[:0], mode=mode)(x).shape == (0, 3)


def test_jacobian_of_containers():
    J = cr.jacobian(lambda d: [d["a"] * d["b"], d["b"] ** 2])({"a": np.ones(2), "b": 3.0})
    assert J[0]["a"].tolist() == [[3, 0], [0, 3]]
    assert J[0]["b"].tolist() == [1, 1]
    assert J[1]["b"] == 6.0
    with pytest.raises(ValueError, match='mode is "auto"'):
        cr.jacobian(wavy, mode="fast")
    with pytest.raises(TypeError, match="complex"):
        cr.jacobian(lambda x: x * 1j)(np.ones(2))


def test_a_jacobian_in_chunks(monkeypatch):
    x = np.linspace(0.1, 1.0, 7)
    f = lambda x: np.cumprod(x) * x.sum()
    whole = cr.jacobian(f)(x), cr.jacobian(f, mode="forward")(x)
    monkeypatch.setattr(jacobians, "LARGEST_BATCH", 40)
    assert np.allclose(cr.jacobian(f)(x), whole[0], rtol=1e-14)
    assert np.allclose(cr.jacobian(f, mode="forward")(x), whole[1], rtol=1e-14)
    assert np.allclose(*whole, rtol=1e-13)


def bumpy(x):
    return (np.sin(x) * x[::-1] * x[0]).sum() + np.linalg.norm(x) ** 3


@pytest.mark.parametrize("outer", ["forward", "reverse"])
@pytest.mark.parametrize("inner", ["forward", "reverse"])
def test_transformations_inside_one_another(outer, inner):
    x, v, h = np.array([0.3, 0.7, 1.1]), np.array([1.0, -2.0, 0.5]), 1e-4
    H = cr.hessian(bumpy)(x)
    slopes = [(cr.grad(bumpy)(x + h * e) - cr.grad(bumpy)(x - h * e)) / (2 * h) for e in np.eye(3)]
    assert np.allclose(H, np.stack(slopes, -1), atol=1e-6)
    third = np.stack(
        [
            (cr.hessian(bumpy)(x + h * e) - cr.hessian(bumpy)(x - h * e)) / (2 * h)
            for e in np.eye(3)
        ],
        axis=-1,
    )
    twice = cr.jacobian(cr.jacobian(bumpy, mode=inner), mode=outer)
    assert np.allclose(twice(x), H)
    assert np.allclose(cr.jacobian(cr.grad(bumpy), mode=outer)(x), H)
    for last in ("forward", "reverse"):
        assert np.allclose(cr.jacobian(twice, mode=last)(x), third, atol=1e-5)
    along = third @ v
    assert np.allclose(cr.jvp(twice, (x,), (v,))[1], along, atol=1e-5)
    assert np.allclose(
        cr.jacobian(lambda x: cr.jvp(cr.jacobian(bumpy, mode=inner), (x,), (v,))[1], mode=outer)(x),
        along,
        atol=1e-5,
    )
    directional = lambda x: cr.jvp(bumpy, (x,), (v,))[1]
    assert np.allclose(
        cr.jacobian(cr.jacobian(directional, mode=inner), mode=outer)(x), along, atol=1e-5
    )
    assert np.allclose(
        cr.grad(lambda x: (twice(x) * v[:, None]).sum())(x),
        np.einsum("ijk,i->k", third, v),
        atol=1e-5,
    )
    assert np.allclose(cr.hvp(bumpy, x, v), H @ v)
    checkpointed = cr.checkpoint(bumpy)
    assert np.allclose(cr.jacobian(cr.jacobian(checkpointed, mode=inner), mode=outer)(x), H)


def test_hvp_of_containers():
    f = lambda d: (d["a"] ** 2).sum() * d["b"]
    product = cr.hvp(f, {"a": np.array([1.0, 2.0]), "b": 3.0}, {"a": np.ones(2), "b": 10.0})
    assert product["a"].tolist() == [26, 46]
    assert product["b"] == 6.0
    H = cr.hessian(f)({"a": np.array([1.0, 2.0]), "b": 3.0})
    assert H["a"]["a"].tolist() == [[6, 0], [0, 6]]
    assert H["b"]["a"].tolist() == [2, 4]


def test_elementwise_grad():
    x = np.linspace(-2, 2, 5)
    assert np.allclose(cr.elementwise_grad(np.tanh)(x), 1 - np.tanh(x) ** 2)
    second = cr.elementwise_grad(cr.elementwise_grad(np.tanh))(x)
    assert np.allclose(second, -2 * np.tanh(x) * (1 - np.tanh(x) ** 2))
    z = np.array([1 + 1j, 2 - 0.5j])
    assert np.allclose(cr.elementwise_grad(np.sin)(z), np.cos(z))
    assert cr.elementwise_grad(lambda a, b: a * b, (0, 1))(2.0, 5.0) == (5.0, 2.0)


def test_checkpoint_keeps_nothing_in_between():
    calls = []

    def f(x, p, power=2):
        calls.append(type(x))
        return np.sum(np.tanh(x @ p["W"]) ** power)

    x, p = np.ones((2, 3)), {"W": np.full((3, 2), 0.1)}
    expected = cr.grad(f, 1)(x, p, power=3)
    calls.clear()
    checkpointed = cr.checkpoint(f)
    given = cr.grad(checkpointed, 1)(x, p, power=3)
    assert np.allclose(given["W"], expected["W"], rtol=1e-15)
    assert len(calls) == 2
    W = cr.Tensor(p["W"])
    assert [type(i) for i in checkpointed(x, {"W": W}).inputs] == [np.ndarray, cr.Tensor]
    assert np.allclose(cr.hessian(lambda W: checkpointed(x, {"W": W}))(p["W"]),
                       cr.hessian(lambda W: f(x, {"W": W}))(p["W"]))  # fmt: skip
    v = np.ones((3, 2))
    assert cr.jvp(lambda W: checkpointed(x, {"W": W}), (p["W"],), (v,)) == pytest.approx(
        cr.jvp(lambda W: f(x, {"W": W}), (p["W"],), (v,))
    )


def test_checkpoint_refuses_what_it_would_lose():
    w = cr.Tensor([2.0])
    with pytest.raises(TypeError, match="uses a Tensor that is not among its arguments"):
        cr.grad(lambda x: cr.checkpoint(lambda x: (x * w).sum())(x))(np.ones(1))
    with pytest.raises(TypeError, match="must return one array"):
        cr.grad(lambda x: cr.checkpoint(lambda x: (x, x))(x))(np.ones(1))
    assert cr.checkpoint(lambda x: x + 1)(2.0) == 3.0


def test_complex_gradients():
    """∂L/∂a - i·∂L/∂b, as in autograd and JAX."""
    z = np.array([1.0 + 2.0j, -0.5 + 0.3j])
    assert np.allclose(cr.grad(lambda z: np.sum(np.abs(z) ** 2))(z), 2 * np.conj(z))
    assert np.allclose(cr.grad(lambda z: np.sum(np.real(z**3)))(z), 3 * z**2)
    assert cr.grad(lambda x: np.abs(x * (3 + 4j)))(2.0) == pytest.approx(5.0)
    assert type(cr.grad(lambda x: np.abs(x * 1j))(2.0)) is float
    assert type(cr.grad(np.abs)(3 + 4j)) is complex
    with pytest.raises(TypeError, match="needs a seed"):
        cr.grad(lambda z: z * 1j)(2.0)
    with pytest.raises(TypeError, match="maximum has no derivative for complex numbers"):
        cr.grad(lambda z: np.sum(np.abs(np.maximum(z, 0))))(z)
    mine = cr.elementwise(lambda x: np.maximum(x.real, 0), lambda _y, x: x.real > 0, name="mine")
    with pytest.raises(TypeError, match="mine has no derivative for complex"):
        mine(cr.Tensor(z))
    with pytest.raises(TypeError, match="mine has no derivative for complex"):
        cr.jvp(mine, (z,), (z,))
    assert np.abs(cr.grad(lambda z: np.sum(np.abs(z)))(np.zeros(2, complex))).max() == 0


def test_complex_parameters_go_downhill():
    z = cr.Tensor(np.array([1.0 + 2.0j]), label="z")
    optimiser = cr.optim.GradientDescent([z], 0.1)
    for _ in range(60):
        z.grad = None
        loss = np.sum(np.abs(z - (3 - 1j)) ** 2)
        loss.backward()
        optimiser.step()
    assert np.allclose(z.data, 3 - 1j, atol=1e-5)


def test_a_checkpoint_that_gives_another_result_is_noticed():
    random, x, c = np.random.default_rng(0), cr.Tensor(np.ones(3)), np.ones(3)
    y = cr.checkpoint(lambda x: (x * random.random(3)).sum())(x)
    with pytest.raises(cr.ChangedDataError, match="another result when it ran again"):
        y.backward()
    y = cr.checkpoint(lambda x, *, c: (x * c).sum())(x, c=c)
    c *= 2
    with pytest.raises(cr.ChangedDataError):
        y.backward()
