"""What people do to arrays: each has the right gradient or an error that says what and where."""

import threading

import numpy as np
import pytest

import chainrule as cr


def test_a_captured_array_changed_by_its_owner():
    c = np.ones(3)
    x = cr.Tensor(np.ones(3), label="x")
    for op in (
        lambda: np.where(c > 0, x, 0.0) * c,
        lambda: np.einsum("i,i->", x, c),
        lambda: np.linalg.norm(x * c),
        lambda: np.interp(x, [0.0, 2.0], c[:2]) * c,
        lambda: np.linalg.solve(np.diag(c), x) @ c,
    ):
        c[:] = 1.0
        y = np.sum(op())
        c[:] = 2.0
        with pytest.raises(cr.ChangedDataError, match=r"recorded at .*test_safety\.py"):
            y.backward()


def test_data_reassigned_between_forward_and_backward():
    x = cr.Tensor(np.ones(3), label="x")
    y = np.prod(np.exp(x))
    z = np.sum(x)
    x.data = np.zeros(3)
    z.backward()
    assert x.grad.tolist() == [1, 1, 1]
    y.backward()  # exp and products need their results only
    assert np.allclose(x.grad, 1 + np.exp(3))
    y = np.sum(np.sin(x))
    x.data = np.ones(3)
    with pytest.raises(cr.ChangedDataError, match="data of 'x' was changed after sin"):
        y.backward()


def test_views_of_views():
    x = cr.Tensor(np.arange(24.0).reshape(2, 3, 4))
    view = np.swapaxes(x[:, 1:], 0, 1)[..., ::2].reshape(4, 2).T[0]
    (view * view).sum().backward()
    expected = np.zeros((2, 3, 4))
    expected[:, 1:, 0] = 2 * x.data[:, 1:, 0]
    assert np.array_equal(x.grad, expected)
    view = np.swapaxes(x[:, 1:], 0, 1)[..., ::2][0].T
    y = (view * view).sum()
    x.data[0, 1, 0] = 100.0  # what the view looks at
    with pytest.raises(cr.ChangedDataError):
        y.backward()


def test_a_tensor_in_a_list_is_used_again_and_again():
    x = cr.Tensor([1.0, 2.0])
    kept = [x, x * 2, x]
    for _ in range(3):
        kept.append(kept[-1] * kept[1] + kept[0])
    sum(k.sum() for k in kept).backward()

    def f(x):
        kept = [x, x * 2, x]
        for _ in range(3):
            kept.append(kept[-1] * kept[1] + kept[0])
        return sum(k.sum() for k in kept)

    assert np.allclose(cr.jvp(f, (x.data,), (np.array([1.0, 0.0]),))[1], x.grad[0])


@pytest.mark.parametrize("shape", [(), (0,), (1,), (1, 1), (0, 3), (3, 0), (2, 0, 3)])
@pytest.mark.parametrize(
    "f",
    [
        np.sum, np.prod, np.cumsum, np.cumprod, np.exp, np.ravel, np.transpose, np.linalg.norm,
        lambda x: np.sort(x, axis=None), lambda x: np.concatenate([x.ravel(), x.ravel()]),
        lambda x: np.tile(x, 2), lambda x: np.repeat(x, 2), lambda x: np.pad(x, 1),
        lambda x: np.einsum("...->...", x), lambda x: np.where(x > 0, x, 0.0), np.square,
        lambda x: np.roll(x, 1), lambda x: np.diff(x.ravel()), lambda x: x[x > 0],
        lambda x: np.broadcast_to(x, (2, *x.shape)), lambda x: np.stack([x, x]), np.atleast_3d,
        lambda x: np.clip(x, 0, 1), lambda x: np.outer(x, x), lambda x: np.kron(x, np.ones(2)),
        lambda x: np.flip(x), lambda x: cr.logsumexp(x) if x.size else x, np.abs,
    ],
)  # fmt: skip
def test_small_and_empty_arrays(f, shape):
    """Derivatives, or the error that NumPy itself raises."""
    x = np.full(shape, 0.7) + np.arange(np.prod(shape, dtype=int)).reshape(shape)
    try:
        expected = np.asarray(f(x))
    except (ValueError, IndexError) as error:
        with pytest.raises(type(error)):
            f(cr.Tensor(x))
        return
    t = cr.Tensor(x)
    y = f(t)
    assert y.shape == expected.shape
    np.sum(y * y).backward()
    assert t.grad.shape == shape
    step = 1e-6 * np.cos(np.arange(x.size)).reshape(shape)
    slope = (np.sum(f(x + step) ** 2) - np.sum(f(x - step) ** 2)) / 2
    assert np.sum(t.grad * step) == pytest.approx(slope, rel=1e-5, abs=1e-12)


def test_nan_and_infinity_stay_where_they_are():
    x = np.array([1.0, np.nan, np.inf, 4.0])
    assert cr.grad(np.nansum)(x[:2]).tolist() == [1, 0]
    g = cr.grad(lambda x: np.sum(x * x))(x)
    assert g[0] == 2
    assert np.isnan(g[1])
    assert g[3] == 8
    assert cr.grad(lambda x: np.sum(np.where(np.isfinite(x), x, 0.0) ** 2))(x).tolist() == [
        2,
        0,
        0,
        8,
    ]
    assert cr.grad(lambda x: cr.logsumexp(x))(np.array([-np.inf, 0.0])).tolist() == [0, 1]
    assert cr.grad(lambda x: np.logaddexp(x[0], x[1]))(np.full(2, -np.inf)).tolist() == [0.5, 0.5]
    masked = cr.grad(lambda x: cr.softmax(np.where([True, False, True], x, -np.inf))[0])(np.ones(3))
    assert np.allclose(masked, [0.25, 0, -0.25])


def test_a_graph_used_from_two_threads():
    x = cr.Tensor(np.linspace(0, 1, 50))
    h = np.tanh(x * 2)
    results, errors = {}, []

    def work(k):
        try:
            for _ in range(50):
                y = np.sum(np.sin(h) * k)
                results[k] = cr.adjoints(y)[x]
        except Exception as error:  # noqa: BLE001 -- whatever it is, the test shall see it
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in (1.0, 3.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert np.allclose(results[1.0] * 3, results[3.0], rtol=1e-15)


def test_an_exception_in_the_middle_of_a_forward_pass():
    x = cr.Tensor(np.ones(3))

    def f(t):
        y = t * 2
        raise RuntimeError(str(y.shape))

    for transform in (lambda: f(x), lambda: cr.grad(f)(np.ones(3)), lambda: cr.checkpoint(f)(x)):
        with pytest.raises(RuntimeError, match=r"\(3,\)"):
            transform()
        assert (x * x).op is not None  # recording goes on
        assert x.grad is None
    np.sum(x * x).backward()
    assert x.grad.tolist() == [2, 2, 2]


def test_backward_where_there_is_nothing_to_do():
    x = cr.Tensor(np.ones(3))
    with pytest.raises(ValueError, match="needs a seed of that shape"):
        (x * 2).backward()
    constant = cr.Tensor(2.0)
    constant.backward()
    assert constant.grad == 1
    y = np.sum(x * x)
    y.backward()
    y.backward()  # a graph is not freed by backward
    assert x.grad.tolist() == [4, 4, 4]
    with pytest.raises(AttributeError):
        np.sum(x.data).backward()


def test_boolean_masks_and_integers_are_constants():
    x, mask, n = cr.Tensor([1.0, 2.0, 3.0]), np.array([True, False, True]), np.array([1, 2, 3])
    y = np.sum(x * mask * n) + np.sum(x[mask] ** n[mask])
    y.backward()
    assert x.grad.tolist() == [2, 0, 3 + 27]
    with pytest.raises(TypeError, match="floating point"):
        cr.Tensor(n)
    with pytest.raises(TypeError, match="floating point"):
        cr.grad(np.sum)(mask)


def test_dead_ends_are_zero_and_not_none():
    """Piecewise constant functions stay in the graph, with the derivative zero."""
    for f in (np.floor, np.sign, np.rint, lambda x: x // 2, lambda x: np.heaviside(x, 0.5)):
        x = cr.Tensor([0.3, 1.7])
        np.sum(f(x)).backward()
        assert x.grad.tolist() == [0, 0]


# --------------------------------------------------------------------- detect_anomaly


def test_the_first_op_that_makes_nan_is_named():
    x = cr.Tensor([1.0, 0.0], label="x")
    with cr.detect_anomaly():
        y = x * 2
        with pytest.raises(FloatingPointError, match=r"log recorded at .*test_safety.*made inf"):
            np.sum(np.log(y))
        with pytest.raises(FloatingPointError, match="divide recorded .* made NaN"):
            y / y
        root = np.sqrt(x)
        with pytest.raises(
            FloatingPointError, match="derivative of sqrt .* inf .* of 'x' of shape"
        ):
            np.sum(root).backward()
        assert x.grad is None
    with np.errstate(divide="ignore"):
        np.sum(np.log(y))  # outside nobody looks


def test_anomalies_in_every_mode_and_kind():
    with cr.detect_anomaly():
        with pytest.raises(FloatingPointError, match="derivative of sqrt"):
            cr.grad(lambda x: np.sqrt(x))(0.0)
        with pytest.raises(FloatingPointError, match="derivative of sqrt at .*test_safety"):
            cr.jvp(lambda x: np.sqrt(x), (0.0,), (1.0,))
        with pytest.raises(FloatingPointError, match="log at .*test_safety"):
            cr.jvp(lambda x: np.log(x), (0.0,), (1.0,))
        with pytest.raises(FloatingPointError, match="multiply recorded at .*made inf"):
            cr.Value(1e200) * cr.Value(1e200)
        with pytest.raises(FloatingPointError, match="derivative of power"):
            cr.grad(cr.grad(lambda x: x**1.5))(0.0)
    assert cr.Value(1e200) * cr.Value(1e200) == np.inf


def test_an_infinity_that_was_put_in_is_no_anomaly():
    mask = np.array([0.0, -np.inf])
    with cr.detect_anomaly():
        g = cr.grad(lambda x: cr.softmax(x + mask)[0])(np.array([1.0, 2.0]))
        assert np.allclose(g, 0)
        with pytest.raises(FloatingPointError, match="subtract .* made NaN"):
            cr.grad(lambda x: np.sum((x + mask) - (x + mask)))(np.array([1.0, 2.0]))
        with cr.no_grad():
            np.log(cr.Tensor(0.0))
