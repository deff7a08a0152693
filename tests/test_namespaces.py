"""`chainrule.numpy` and `chainrule.special`: the namespaces to import in place of the originals."""

import subprocess
import sys

import numpy  # noqa: ICN001 -- np is the namespace under test
import pytest
import scipy.special

import chainrule as cr
import chainrule.numpy as np
from chainrule import special


def test_every_name_of_numpy_is_there():
    assert set(dir(numpy)) <= set(dir(np))
    assert np.sin is numpy.sin
    assert np.linalg is numpy.linalg
    assert cr.numpy is np
    with pytest.raises(AttributeError, match="nothing_such"):
        np.nothing_such  # noqa: B018


def test_arrays_from_nested_lists_of_traced_numbers():
    f = lambda x: np.array([[x[0], 2.0, x[1] ** 2], [1.0, np.sin(x[0]), 0.0]])
    x = np.array([0.5, 3.0])
    assert f(x).tolist() == numpy.array(f(x)).tolist()
    J = cr.jacobian(f)(x)
    assert J.shape == (2, 3, 2)
    assert J[0, 2].tolist() == [0, 6]
    assert J[1, 1, 0] == pytest.approx(np.cos(0.5))
    t = cr.Tensor([1.0, 2.0])
    assert np.array(t).op is not None
    assert np.asarray(t) is t
    assert np.asarray([t, t]).shape == (2, 2)
    assert np.array([1, 2]).dtype == numpy.array([1, 2]).dtype
    assert np.array([t[0], 1], dtype=np.float32).dtype == np.float32
    assert np.array(t[0], ndmin=2).shape == (1, 1)
    assert np.array((t, [3.0, 4.0])).data.tolist() == [[1, 2], [3, 4]]
    assert np.asarray(t, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="stack"):
        np.array([t, t[0]])


def test_lists_of_traced_numbers():
    w = np.array([2.0, 3.0])
    for f, expected in (
        (lambda t: np.sum([t[0], t[1] ** 2]), [1, 4]),
        (lambda t: np.dot([t[0], t[1]], w), [2, 3]),
        (lambda t: np.max([a * 2 for a in t]), [0, 2]),
        (lambda t: np.prod([t[0], t[1]]), [2, 1]),
        (lambda t: np.sum(np.vstack([[t, t**2], [1.0, 2.0]])), [3, 5]),
        (lambda t: np.sum(np.concatenate([t, [t[0]], [1.0, 2.0]])), [2, 1]),
        (lambda t: np.sum(np.diag([t[0], t[1]])), [1, 1]),
        (lambda t: np.sum(np.outer([t[0], 1.0], w)), [5, 0]),
    ):
        assert cr.grad(f)(np.array([1.0, 2.0])).tolist() == expected
    assert np.sum([1.0, 2.0]) == 3
    assert np.mean.__doc__ == numpy.mean.__doc__


def test_other_creation():
    t = cr.Tensor(2.0)
    assert np.full((2, 2), t).op is not None
    assert np.full((2,), t, dtype=np.float32).dtype == np.float32
    assert np.full(2, 1.0).tolist() == [1, 1]
    assert np.arange(3).tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match="its length depends on it"):
        np.arange(t)
    assert np.isscalar(t)
    assert not np.isscalar(np.full(2, t))
    assert np.isscalar(1.0)


def test_arrays_after_a_model():
    t = cr.Tensor(numpy.ones((2, 3), np.float32))
    for like, value in ((np.zeros_like, 0), (np.ones_like, 1), (np.empty_like, 0)):
        y = like(t)
        assert isinstance(y, cr.Tensor)
        assert y.dtype == np.float32
        assert (y.data == value).all()
    assert type(np.zeros_like(t, dtype=int)) is numpy.ndarray
    assert np.full_like(t, t[0, 0], shape=(4,)).shape == (4,)
    y = np.zeros_like(t)
    y[0] = t[1] * 2
    y.sum().backward()
    assert t.grad.tolist() == [[0, 0, 0], [2, 2, 2]]


def test_special_functions_of_scipy():
    x = numpy.array([0.5, 1.5, 2.5])
    t = cr.Tensor(x)
    assert isinstance(scipy.special.gammaln(t), cr.Tensor)
    assert special.gammaln is scipy.special.gammaln
    for ours, theirs, arguments in (
        (special.logsumexp, scipy.special.logsumexp, ()),
        (special.softmax, scipy.special.softmax, ()),
        (special.log_softmax, scipy.special.log_softmax, ()),
        (special.multigammaln, scipy.special.multigammaln, (2,)),
    ):
        y = ours(t + 1, *arguments)
        assert numpy.allclose(y.data, theirs(x + 1, *arguments))
    assert numpy.allclose(special.polygamma(2, t).data, scipy.special.polygamma(2, x))
    assert numpy.allclose(special.polygamma(0, t).data, scipy.special.psi(x))
    slope = cr.grad(lambda x: np.sum(special.polygamma(1, x)))(x)
    assert numpy.allclose(slope, scipy.special.polygamma(2, x))
    slope = cr.grad(lambda x: np.sum(special.multigammaln(x + 1, 2)))(x)
    assert numpy.allclose(slope, scipy.special.psi(x + 1) + scipy.special.psi(x + 0.5))
    with pytest.raises(TypeError, match="logsumexp converts its arguments .chainrule.special has"):
        scipy.special.logsumexp(t)
    with pytest.raises(NotImplementedError, match="jv has no known derivative in its order"):
        scipy.special.jv(t, 1.0).sum().backward()
    with pytest.raises(TypeError, match="one whole number n"):
        special.polygamma(0.5, t)
    with pytest.raises(TypeError, match="no rule for scipy.special.airy"):
        scipy.special.airy(t)


def test_logsumexp_with_factors_and_signs():
    x, b = numpy.array([[0.1, -2.0], [3.0, 1.0]]), numpy.array([1.0, -0.5])
    expected = scipy.special.logsumexp(x, axis=1, b=b, return_sign=True)
    given = cr.logsumexp(cr.Tensor(x), axis=1, b=b, return_sign=True)
    assert numpy.allclose(given[0].data, expected[0])
    assert numpy.allclose(given[1], expected[1])
    assert cr.logsumexp(cr.Tensor(x), axis=0, keepdims=True).shape == (1, 2)


def test_without_scipy_the_extra_is_named():
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "import chainrule\n"
        "try:\n    import chainrule.special\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'special functions need SciPy: pip install "chainrule[scipy]"'


def test_a_program_written_for_autograd():
    """Logistic regression and a mixture, as autograd's users write them."""
    inputs = np.array([[0.52, 1.12, 0.77], [0.88, -1.08, 0.15], [0.52, 0.06, -1.30]])
    targets = np.array([True, True, False])

    def training_loss(weights):
        preds = 0.5 * (np.tanh(np.dot(inputs, weights)) + 1)
        label_probabilities = preds * targets + (1 - preds) * (1 - targets)
        return -np.sum(np.log(label_probabilities))

    weights = np.array([0.1, -0.2, 0.3])
    numerical = [
        (training_loss(weights + h) - training_loss(weights - h)) / 2e-6 for h in 1e-6 * np.eye(3)
    ]
    assert numpy.allclose(cr.grad(training_loss)(weights), numerical, atol=1e-8)
