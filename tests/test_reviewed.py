"""What reviewers found wrong once, each with its right answer."""

import copy
import math

import numpy as np
import pytest
import scipy.special as sp

import chainrule as cr
from chainrule import engine, gradients

la = np.linalg
X = np.array([0.7, -0.4])


def value(f, *args):
    """The result of a function on Tensors as plain data."""
    return f(*[cr.Tensor(np.asarray(a, float)) for a in args]).data


# ------------------------------------------------------------------------ transformations


def test_a_pullback_of_several_outputs_under_no_grad():
    _, pullback = cr.vjp(lambda x: {"a": x**2, "b": x**3}, 2.0)
    with cr.no_grad():
        assert pullback({"a": 1.0, "b": 1.0}) == (16.0,)
    g = lambda x: np.sum(cr.vjp(lambda z: [z * z, z], x)[1]([x, x])[0])
    assert cr.jvp(cr.checkpoint(g), (X,), (np.ones(2),)) == pytest.approx(
        cr.jvp(g, (X,), (np.ones(2),))
    )
    assert np.allclose(cr.grad(cr.checkpoint(g))(X), cr.grad(g)(X))


def test_keys_of_dicts_in_another_order():
    f = lambda p: p["a"] ** 2 * p["b"]
    assert cr.jvp(f, ({"a": 2.0, "b": 3.0},), ({"b": 0.0, "a": 1.0},)) == (12.0, 12.0)
    assert cr.hvp(f, {"a": 2.0, "b": 3.0}, {"b": 0.0, "a": 1.0}) == {"a": 6.0, "b": 4.0}
    pullback = cr.vjp(lambda x: {"u": x, "v": x**2}, 3.0)[1]
    assert pullback({"v": 0.0, "u": 1.0}) == (1.0,)
    for wrong in ({"u": 1.0}, {"u": 1.0, "w": 1.0}, [1.0, 1.0], 1.0, {"u": {}, "v": 1.0}):
        with pytest.raises((ValueError, TypeError)):
            pullback(wrong)


def test_forward_jacobians_of_inner_gradients():
    f = lambda x: x * cr.grad(lambda z: np.sum(z**4))(x)
    G = cr.jacobian(f, mode="forward")
    assert np.allclose(cr.jvp(G, (X,), (np.ones(2),))[1], np.diag(48 * X**2))
    pen = lambda x: np.sum(f(x))
    twice = cr.jacobian(cr.jacobian(pen, mode="forward"), mode="forward")(X)
    assert np.allclose(twice, cr.hessian(pen)(X))


def test_a_pullback_whose_cotangent_moves_too():
    def g(t):
        _, pullback = cr.vjp(lambda x: x**2 * t, np.array([3.0]))
        return cr.jacobian(lambda v: pullback(v * t)[0], mode="forward")(np.array([1.0]))

    assert cr.jvp(g, (2.0,), (1.0,))[1].item() == 24.0
    for mode in ("forward", "reverse"):
        assert cr.jacobian(g, mode=mode)(2.0).item() == 24.0


def test_checkpoint_sees_tangents_it_would_lose():
    with pytest.raises(TypeError, match="uses a Dual that is not among its arguments"):
        cr.jvp(lambda t: cr.checkpoint(lambda x: x * t)(t), (3.0,), (1.0,))


@pytest.mark.parametrize(
    "inner",
    [
        lambda x: cr.jvp(lambda z: z**3, (x,), (1.0,))[1],
        lambda x: cr.grad(lambda z: z**3)(x),
        lambda x: cr.vjp(lambda z: 3 * z**2, x)[0],
        lambda x: cr.value_and_grad(lambda z: 3 * z**2)(x)[0],
        lambda x: cr.vjp(lambda z: z**3, x)[1](1.0)[0],
        lambda x: cr.grad(lambda z: 3 * x**2 * z)(1.0),
        lambda x: cr.jvp(lambda z: 3 * x**2 * z, (1.0,), (1.0,))[1],
    ],
)
def test_no_grad_around_a_transformation(inner):
    def f(x):
        with cr.no_grad():
            constant = inner(x)
        return constant * x

    assert cr.grad(f)(2.0) == cr.jvp(f, (2.0,), (1.0,))[1] == 12.0


def test_results_of_a_finished_transformation_are_plain():
    _, pullback = cr.vjp(np.sin, np.ones(2))
    g = cr.grad(lambda v: np.sum(pullback(v)[0]))(np.ones(2))
    assert type(g) is np.ndarray
    assert type(cr.jacobian(lambda v: pullback(v)[0], mode="reverse")(np.ones(2))) is np.ndarray
    w = cr.Tensor(np.ones(2))
    assert type(cr.grad(lambda v: np.sum(v * w))(np.ones(2))) is cr.Tensor  # w is alive


def test_results_may_be_written_into():
    y, pullback = cr.vjp(lambda a: (a, a**2), np.ones(2))
    y[0][:] = 100.0
    assert pullback((np.ones(2), np.ones(2)))[0].tolist() == [3, 3]


def test_jacobians_of_values_and_dtypes():
    assert cr.jacobian(lambda v: v * v)(cr.Value(2.0)) == 4.0
    assert cr.hessian(lambda v: v * v * v)(cr.Value(2.0)) == 12.0
    assert cr.jacobian(lambda x: x[:0])(np.ones(3, np.float32)).dtype == np.float32
    for mode in ("forward", "reverse"):
        J = cr.jacobian(lambda p: p[0] * p[1], mode=mode)([np.ones(2, np.float32), 2.0])
        assert J[0].dtype == np.float32
    _, pullback = cr.vjp(np.sin, np.ones(2, np.float32))
    assert cr.grad(lambda w: np.sum(pullback(w)[0]))(np.ones(2)).dtype == np.float64


def test_inner_gradients_do_not_walk_the_history(monkeypatch):
    """The cost of a gradient inside a differentiated loop does not grow with the loop."""
    visited = []
    original = engine.newest_first
    for module in (engine, gradients):
        monkeypatch.setattr(
            module, "newest_first", lambda *a, **k: visited.append(len(r := original(*a, **k))) or r
        )

    def outer(s):
        u = s
        for _ in range(30):
            u = u - 0.1 * cr.grad(lambda z: z**2 * s)(u)
        return u

    assert cr.grad(outer)(0.5) == pytest.approx(0.9**30 - 0.5 * 0.2 * 30 * 0.9**29)
    assert sum(count > 40 for count in visited) <= 4  # the outermost sweep


def test_integer_tangents_lists_and_further_arguments():
    f = lambda w, a: np.sum(w**3) * a
    assert cr.hvp(f, np.ones(2), np.array([1, 0], np.int8), 2.0).tolist() == [12, 0]
    assert cr.hvp(f, np.ones(2), [1.0, 0.0], a=2.0).tolist() == [12, 0]


# ---------------------------------------------------------------------- linear algebra


@pytest.mark.parametrize(
    ("f", "a"),
    [
        (lambda a: np.sum((la.eigh(a)[1] * np.exp(la.eigh(a)[0])) @ la.eigh(a)[1].T), np.eye(2)),
        (lambda a: np.sum((la.svd(a)[0] * la.svd(a)[1]) @ la.svd(a)[2]), np.eye(2)),
        (lambda a: np.sum(la.svd(a)[0] @ la.svd(a)[2]), np.diag([2.0, 0.0, 0.0])),
        (lambda a: np.sum(la.svd(a, full_matrices=False)[0]), np.diag([2.0, 1.0, 0.0])[:, [0, 2]]),
        (lambda a: np.sum(np.abs(la.eig(a)[1]) * la.eig(a)[0].real), np.eye(2)),
        (lambda a: np.sum(la.eigvals(a) ** 2).real, np.array([[1.0, 1.0], [0.0, 1.0]])),
    ],
)
def test_vectors_of_coinciding_values_raise(f, a):
    with pytest.raises(la.LinAlgError):
        cr.grad(f)(a)
    with pytest.raises(la.LinAlgError):
        cr.jvp(f, (a,), (np.cos(np.arange(a.size)).reshape(a.shape),))


def test_values_that_coincide():
    assert cr.grad(lambda a: np.sum(la.eigvalsh(a)))(np.eye(3)).tolist() == np.eye(3).tolist()
    assert cr.grad(lambda a: np.sum(la.svdvals(a) ** 2))(np.eye(2)).tolist() == [[2, 0], [0, 2]]
    assert cr.grad(lambda a: np.sum(la.eigvals(a)).real)(np.eye(2)).tolist() == [[1, 0], [0, 1]]
    for f in (la.eigvalsh, la.svdvals):
        with pytest.raises(la.LinAlgError):
            cr.hvp(lambda a, f=f: np.sum(f(a) ** 2), np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]]))
    a = np.array([[1.0, 2.0], [2.0, 5.0]])
    assert np.allclose(cr.hvp(lambda a: np.sum(la.eigvalsh(a) ** 2), a, np.eye(2)), 2 * np.eye(2))


def test_least_squares_cut_off_as_numpy_does():
    a, b = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]), np.array([1.0, 2.0, 1.0])
    for rcond in (None, 1e-10):
        given = value(lambda b, r=rcond: la.lstsq(a, b, r)[0], b)
        assert np.allclose(given, la.lstsq(a, b, rcond)[0])
    assert value(la.cond, np.zeros((2, 2))) == la.cond(np.zeros((2, 2)))
    assert value(lambda a: la.pinv(a, rtol=None), a) == pytest.approx(la.pinv(a, rtol=None))


def test_contractions_over_nothing_stay_in_the_graph():
    y = np.tensordot(cr.Tensor(np.ones((2, 0), np.float32)), np.ones((0, 3), np.float32), 1)
    assert isinstance(y, cr.Tensor)
    assert (y.shape, y.dtype) == ((2, 3), np.float32)


# ------------------------------------------------------------------- special functions


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (lambda x: sp.xlogy(x, 2.0), 0.0, math.log(2)),
        (lambda x: sp.xlog1py(x, 2.0), 0.0, math.log(3)),
        (lambda y: sp.xlogy(0.0, y), 0.0, 0.0),
        (lambda x: sp.gammainc(1.0, x), 0.0, 1.0),
        (lambda x: sp.gammainc(3.0, x), np.inf, 0.0),
        (lambda x: sp.betainc(1.0, 3.0, x), 0.0, 3.0),
        (lambda x: sp.betainc(3.0, 1.0, x), 1.0, 3.0),
        (sp.rgamma, 0.0, 1.0),
        (sp.rgamma, -1.0, -1.0),
        (sp.rgamma, 2.5, -sp.psi(2.5) / sp.gamma(2.5)),
    ],
)
def test_special_functions_at_their_borders(f, x, expected):
    assert cr.grad(f)(x) == pytest.approx(expected, abs=1e-12)


# --------------------------------------------------------------- NumPy's corner cases


def test_methods_with_their_arguments_in_order():
    t = cr.Tensor([1.0, 2.0, 3.0])
    assert t.take(np.array([0, 1])).data.tolist() == [1, 2]
    assert t.data.tolist() == [1, 2, 3]
    assert t.compress([True, False, True]).data.tolist() == [1, 3]
    assert cr.grad(lambda t: t.compress([True, False, True]).sum())(np.ones(3)).tolist() == [
        1,
        0,
        1,
    ]
    assert np.concatenate([t, t], 0).shape == (6,)
    assert np.nanmean(a=t).data == 2
    assert np.tile(A=t, reps=2).shape == (6,)
    assert np.round(t, 1, None).data.tolist() == [1, 2, 3]


def test_what_depends_on_the_data_is_not_plain():
    with pytest.raises(TypeError, match="no rule for np.histogram"):
        np.histogram([0.0, 1.0], 2, weights=cr.Tensor([1.0, 1.0]))


@pytest.mark.parametrize(
    "f",
    [
        lambda t: np.correlate(t[:2], np.array([1.0, 2.0, 3.0, 4.0, 5.0, 7.0]), "same"),
        lambda t: np.correlate(t[:4], np.array([1.0, 2.0, 3.0, 4.0, 5.0]), "same"),
        lambda t: np.subtract.reduce(t, initial=10.0),
        lambda t: np.piecewise(t, [t > 2], [lambda v: v - np.mean(v), lambda v: v * 10]),
        lambda t: np.take(t, [True, False, True]),
        lambda t: np.take(t, []),
        lambda t: np.linspace(-t[0], 1, 4, dtype=int),
        lambda t: np.median(np.where([True, True, False, False, False], -np.inf, t)[:4]),
        lambda t: np.interp(t[:1], [0, 1.0, 1.0], [0, 5.0, 7.0]),
        lambda t: np.interp(t[:1] - 1, [0.0, 1.0], [-np.inf, 1.0]),
        lambda t: np.cov(t[None, :3], rowvar=False),
        lambda t: np.float_power([1, 2], t[:2]),
        lambda t: np.insert(t[None, :2], [1], [[5.0, 6.0, 7.0]], axis=1),
        lambda t: np.trace(np.outer(t, t), dtype=np.float32),
        lambda t: np.choose([0, 1], [t[:2], 2.0]),
        lambda t: np.logical_and.reduce(t),
        lambda t: np.full_like(t, np.float64(2.5)),
        lambda t: np.sum(t, initial=np.float64(2.0)),
        lambda t: np.gradient(t, [0, 1, 3, 4, 6]),
        lambda t: np.subtract.accumulate(t, dtype=np.float32),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("ignore")
def test_values_and_dtypes_are_numpys(f, dtype):
    x = np.array([1.0, 2.0, 3.0, 5.0, 4.0], dtype)
    expected, given = f(x), f(cr.Tensor(x))
    data = given.data if isinstance(given, cr.Tensor) else np.asarray(given)
    assert data.dtype == np.asarray(expected).dtype
    assert np.allclose(data, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("f", "error"),
    [
        (lambda t: np.add.reduceat(t, [0, 9]), IndexError),
        (lambda t: np.ravel(np.outer(t, t), order="A"), ValueError),
        (lambda t: np.pad(t, 1.5), TypeError),
        (lambda t: np.bincount([0, 1, 2], t * 1j), TypeError),
        (lambda t: np.var(t * 1j, dtype=float), TypeError),
        (lambda t: np.interp(t * 1j, [0, 1.0], [0, 1.0]), TypeError),
        (lambda t: np.subtract.reduce(np.outer(t, t), axis=None), ValueError),
        (lambda t: np.concatenate([t, t], dtype=int), TypeError),
        (lambda t: np.convolve(t, t, "foo"), ValueError),
        (lambda t: np.logspace(t, 2.0, 2, base=np.array([2.0, 3.0])), TypeError),
        (lambda t: cr.nn.conv(t[None, None], np.ones((1, 1, 3)), padding=1.5), ValueError),
    ],
)
def test_what_is_refused(f, error):
    with pytest.raises(error):
        f(cr.Tensor([1.0, 2.0, 3.0]))


def test_kinks_and_small_numbers():
    for small in (np.float16(1e-4), np.float32(1e-25), 1e160):
        exact = 0.5 / float(small)
        slope = cr.grad(lambda a, b=small: np.arctan2(a, b))(np.asarray(small))
        assert float(slope) == pytest.approx(exact, rel=1e-2)
    assert cr.grad(lambda z: np.real(np.sign(z)))(0j) == 0
    assert cr.hessian(lambda x: np.hypot(x, x))(0.0) == 0
    assert cr.logsumexp(cr.Tensor([1000.0, 0.0]), b=np.array([0.0, 1.0])).data == 0
    assert np.isnan(np.nanvar(cr.Tensor([1.0, 2.0, np.nan]), ddof=3).data)


def test_the_mean_needs_no_data():
    x = cr.Tensor([1.0, 2.0])
    y = np.mean(x)
    x.data[0] = 7.0
    y.backward()
    assert x.grad.tolist() == [0.5, 0.5]


def test_an_op_says_what_is_wrong_with_it():
    two = cr.op(lambda x: (x, x), lambda y_bar, _y, _x: y_bar, name="two")
    with pytest.raises(TypeError, match="two must return one array, it returned"):
        two(cr.Tensor([1.0]))
    whole = cr.op(lambda _x: 3, lambda y_bar, _y, x: y_bar * 0 * x, name="whole")
    assert whole(cr.Tensor(1.0)).data == 3
    bad = cr.elementwise(np.sin, lambda _y, x: math.cos(x), name="bad")
    with pytest.raises(cr.OpCheckError, match="bad: its rule does not work on arrays"):
        bad.check()


# ------------------------------------------------------------- views at the boundaries


def check_outer(f, w, expected):
    """Value and derivative, in both modes."""
    assert f(w) == pytest.approx(expected[0])
    assert cr.value_and_grad(f)(w) == pytest.approx(expected)
    assert cr.jvp(f, (w,), (1.0,)) == pytest.approx(expected)


def test_results_are_objects_of_their_own():
    def shared(w):
        ga, gb = cr.grad(lambda a, b: np.sum((a + b) ** 2 * w), (0, 1))(np.ones(2), np.ones(2))
        ga *= 0.1
        return np.sum(ga) + np.sum(gb)

    check_outer(shared, 3.0, (26.4, 8.8))

    def cotangent(s):
        c = s * np.ones(2)
        g = cr.vjp(lambda x: x + 1.0, np.ones(2))[1](c)[0]
        g *= 10.0
        y, d = cr.jvp(lambda x: x, (c,), (c,))
        y *= 10.0
        d *= 100.0
        return np.sum(c) + np.sum(g)

    check_outer(cotangent, 1.0, (22.0, 22.0))

    def value_of_vjp(w):
        y, pullback = cr.vjp(lambda x: x * x * w, np.array([1.0, 2.0]))
        y *= 0.5
        return np.sum(pullback(np.ones(2))[0])

    check_outer(value_of_vjp, 3.0, (18.0, 6.0))
    t = {"a": cr.Tensor(np.ones(2)), "b": cr.Tensor(np.ones(2))}
    g = cr.grad(lambda p: np.sum((p["a"] + p["b"]) ** 2))(t)
    g["a"] -= 1.0
    assert g["b"].data.tolist() == [4, 4]


def test_a_pullback_of_containers_is_linear_in_its_cotangent():
    _, pullback = cr.vjp(lambda x: [x * x, x**3], np.array([1.0, 2.0]))
    f = lambda c: np.sum(pullback([c, c * c])[0])
    assert cr.grad(f)(np.array([1.0, 3.0])).tolist() == [8, 76]
    c = cr.Tensor([1.0, 3.0])
    f(c).backward()
    assert c.grad.tolist() == [8, 76]


def returned_view(x):
    a = +x
    v = a[:2]
    a[0] = x[1] * 7
    return v


def test_a_view_as_a_result():
    x = np.array([1.0, 2.0, 3.0])
    y, pullback = cr.vjp(returned_view, x)
    assert y.tolist() == [14, 2]
    assert pullback(np.ones(2))[0].tolist() == [0, 8, 0]
    y, y_dot = cr.jvp(returned_view, (x,), (np.ones(3),))
    assert (y.tolist(), y_dot.tolist()) == ([14, 2], [7, 1])
    for mode in ("forward", "reverse"):
        assert cr.jacobian(returned_view, mode=mode)(x).tolist() == [[0, 7, 0], [0, 1, 0]]

    def with_aux(x):
        a = +x
        v = a[:1]
        a[0] = x[1] * 7
        return np.sum(a), v

    assert cr.grad(with_aux, has_aux=True)(x)[1].tolist() == [14]
    assert cr.jvp(with_aux, (x,), (np.ones(3),), has_aux=True)[2].tolist() == [14]

    def inner_gradient(w):
        def inner(x):
            a = +x
            v = a[:1]
            a[0] = x[0] ** 2 * w
            return np.sum(v)

        return cr.grad(inner)(np.array([1.0, 2.0, 3.0]))[0]

    assert cr.value_and_grad(inner_gradient)(3.0) == (6.0, 2.0)
    with pytest.raises(TypeError, match="a Dual cannot be assigned"):
        cr.jvp(inner_gradient, (3.0,), (1.0,))


def test_a_sweep_leaves_views_alone():
    x = cr.Tensor([1.0, 2.0])
    a = +x
    v = a[:1]
    y = np.sum(v * v)
    a[0] = 10.0
    y.backward()
    assert x.grad.tolist() == [2, 0]
    assert np.sum(v * v).data == 100
    assert (v.item(), bool(v), v.detach().data.tolist(), f"{v:.1f}") == (10.0, True, [10], "10.0")


def test_copies_are_copies():
    a = +cr.Tensor([1.0, 2.0, 3.0])
    w, f = copy.copy(a[1:]), a.flatten()
    v = a[1:]
    a[1] = 5.0
    assert copy.copy(v).data.tolist() == copy.deepcopy(v).data.tolist() == [5, 3]
    w[0], f[0] = 9.0, 9.0
    assert a.data.tolist() == [1, 5, 3]
    for copied in (copy.copy, copy.deepcopy):
        assert cr.grad(lambda x, c=copied: np.sum(c(x) ** 2))(np.ones(3)).tolist() == [2, 2, 2]
        assert cr.jvp(lambda x, c=copied: np.sum(c(x) ** 2), (np.ones(3),), (np.ones(3),))[1] == 6
    B = +cr.Tensor([[1.0, 2.0], [3.0, 4.0]])
    np.einsum("ii->i", B)[...] = 9.0
    np.rot90(B)[0, 0] = 7.0
    assert B.data.tolist() == [[9, 7], [3, 9]]


def test_under_no_grad():
    w = cr.Tensor(np.ones(2))
    with cr.no_grad():
        alias = w
        w -= 0.25  # as PyTorch's users write a step
        assert alias is w
        with pytest.raises(TypeError, match="what would be a view is a copy"):
            w[:1][0] = 1.0
    assert w.data.tolist() == [0.75, 0.75]


def test_long_chains_of_views():
    def f(x):
        v = +x
        for _ in range(3000):
            v = v[:]
        v[0] = 2.0 * v[1]
        return np.sum(v)

    assert cr.jvp(f, (np.ones(2),), (np.ones(2),)) == (3.0, 3.0)
    assert cr.grad(f)(np.ones(2)).tolist() == [0, 3]


# ------------------------------------------------------------------------ short ways


def test_zero_reaches_values_that_an_op_is_constant_in():
    first = cr.elementwise(lambda a, _b: a * 1.0, 1, None, name="first", scalar=lambda a, _b: a)
    x, y = cr.Value(2.0), cr.Value(3.0)
    z = first(x, y) * 0.0
    z.backward()
    assert (x.grad, y.grad) == (0.0, 0.0)
    assert cr.adjoints(z)[y] == 0.0


def test_masks_are_not_looked_through():
    masked = np.ma.array([1.0, 2.0, 6.0], mask=[0, 0, 1])
    assert cr.mean(masked) == 1.5
    assert cr.sum(masked) == 3.0
    for softmax in (cr.softmax, cr.log_softmax):
        with pytest.raises(TypeError):
            softmax(masked)


@pytest.mark.filterwarnings("error")
def test_divisions_by_zero_in_rules_of_values_do_not_warn():
    odd = cr.op(
        lambda x: x,
        lambda y_bar, _y, x: y_bar * np.float64(1.0) / np.float64(x),
        name="odd",
        scalar=lambda x: x,
    )
    x = cr.Value(0.0)
    odd(x).backward()
    assert x.grad == math.inf


def test_short_ways_take_what_numpy_takes_and_refuse_what_it_refuses():
    with pytest.raises(IndexError):
        np.mean(cr.Tensor(1.0), axis=0)
    table = cr.ops.TABLE
    assert table["one_hot"](3, 5).tolist() == [0, 0, 0, 1, 0]
    assert table["one_hot"]([1, 0], 2).tolist() == [[0, 1], [1, 0]]
    assert table["einsum"]([[[1.0, 2.0]], [[3.0], [4.0]]], "ij,jk->ik").tolist() == [[11.0]]
    with pytest.raises(ValueError, match="'?1'?"):
        np.einsum("i1,1k->ik", cr.Tensor(np.ones((2, 2))), cr.Tensor(np.ones((2, 2))))
    assert cr.Value(1.0).partials is None
