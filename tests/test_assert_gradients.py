"""`assert_gradients`, black-box functions, and the search for wrong entries."""

import numpy as np
import pytest

import chainrule as cr

random = np.random.default_rng(0)
X = random.normal(size=(3, 2))


def loss(x):
    return np.sum(np.sin(x) * x)


def gradient(x):
    return np.cos(x) * x + np.sin(x)


def test_functions():
    cr.assert_gradients(gradient, loss, at=X)
    cr.assert_gradients(gradient(X), loss, at=X)
    with pytest.raises(AssertionError, match=r"✗ wrong: every entry; \[\d, \d\] is"):
        cr.assert_gradients(lambda x: -gradient(x), loss, at=X)
    wrong = gradient(X)
    wrong[1, 0] *= 1 + 1e-6
    with pytest.raises(AssertionError, match=r"wrong at \[1, 0\]"):
        cr.assert_gradients(wrong, loss, at=X)


def test_several_arguments_in_any_container():
    def f(a, b):
        return np.sum(a @ b)

    a, b = random.normal(size=(2, 3)), random.normal(size=(3, 2))
    ones = np.ones((2, 2))
    cr.assert_gradients((ones @ b.T, a.T @ ones), f, at=(a, b))
    cr.assert_gradients(lambda a, b: (ones @ b.T, a.T @ ones), f, at=(a, b))
    cr.assert_gradients({"b": a.T @ ones, "a": ones @ b.T}, f, at={"a": a, "b": b})
    with pytest.raises(AssertionError, match="∂f/∂b"):
        cr.assert_gradients({"b": a.T @ ones * 2, "a": ones @ b.T}, f, at={"a": a, "b": b})
    with pytest.raises(ValueError, match="nothing is claimed for b"):
        cr.assert_gradients({"a": ones @ b.T}, f, at={"a": a, "b": b})
    with pytest.raises(ValueError, match="1 gradients for 2 arguments"):
        cr.assert_gradients([ones], f, at=(a, b))


def test_backward_functions_with_a_cotangent():
    y_bar = random.normal(size=(3, 2))
    cr.assert_gradients(lambda y_bar, x: y_bar * np.cos(x), np.sin, at=X, cotangent=y_bar)
    cr.assert_gradients(y_bar * np.cos(X), np.sin, at=X, cotangent=y_bar)
    with pytest.raises(AssertionError):
        cr.assert_gradients(lambda y_bar, x: np.cos(x), np.sin, at=X, cotangent=y_bar)
    with pytest.raises(ValueError, match=r"the cotangent has the shape \(2,\)"):
        cr.assert_gradients(X, np.sin, at=X, cotangent=np.ones(2))


def test_ops():
    cr.assert_gradients(cr.tanh, at=X)
    cr.assert_gradients(cr.matmul, at=(X, X.T))
    good = cr.op(lambda x: x**3, lambda y_bar, _y, x: y_bar * 3 * x**2, name="good_cube")
    bad = cr.op(lambda x: x**3, lambda y_bar, _y, x: y_bar * 2 * x**2, name="bad_cube")
    cr.assert_gradients(good, at=X)
    with pytest.raises(AssertionError):
        cr.assert_gradients(bad, at=X)
    with pytest.raises(ValueError, match="give its inputs"):
        cr.assert_gradients(cr.tanh)


def test_graphs():
    w = cr.Tensor(X, label="w")
    y = np.sum(np.sin(w) * w)
    cr.assert_gradients({"w": gradient(X)}, y)
    with pytest.raises(AssertionError, match="∂y/∂w"):
        cr.assert_gradients({"w": gradient(X) + 1e-6}, y)


def test_arrays_beside_the_right_ones():
    right = {"a": np.array([1.0, 2.0]), "b": [np.eye(2), 3.0]}
    cr.assert_gradients({"b": [np.eye(2), 3.0], "a": right["a"] * (1 + 1e-15)}, right)
    with pytest.raises(AssertionError, match="gradient"):
        cr.assert_gradients({"b": [np.eye(2), 3.0], "a": right["a"] * (1 + 1e-12)}, right)
    single = {"a": right["a"].astype(np.float32) * np.float32(1.00001), "b": right["b"]}
    cr.assert_gradients(single, right)
    with pytest.raises(ValueError, match="another structure"):
        cr.assert_gradients([1.0], right)
    with pytest.raises(AssertionError, match="has the shape"):
        cr.assert_gradients(np.ones(3), np.ones(2))
    with pytest.raises(AssertionError):
        cr.assert_gradients(np.array([np.nan, 2.0]), right["a"])


def test_what_cannot_be_told_fails_unless_it_is_allowed():
    noisy = np.array(1.0)

    def f(x):
        return 1e12 + x * x

    with pytest.raises(AssertionError, match="cannot tell"):
        cr.assert_gradients(np.array(2.0), f, at=noisy)
    cr.assert_gradients(np.array(2.0), f, at=noisy, allow_unknown=True)
    cr.assert_gradients(np.array(2.0), f, at=noisy, resolution=0.01)
    with pytest.raises(AssertionError, match="wrong"):
        cr.assert_gradients(np.array(3.0), f, at=noisy, allow_unknown=True)


def test_kinks_of_functions():
    x = np.array([1.0, 0.0, -2.0])
    for inside in (-1.0, 0.0, 0.3, 1.0):
        cr.assert_gradients(np.array([1.0, inside, -1.0]), lambda x: np.sum(np.abs(x)), at=x)
    with pytest.raises(AssertionError):
        cr.assert_gradients(np.array([1.0, 1.1, -1.0]), lambda x: np.sum(np.abs(x)), at=x)


def test_float32_functions():
    x = X.astype(np.float32)
    cr.assert_gradients(gradient(x), loss, at=x)
    with pytest.raises(AssertionError):
        cr.assert_gradients(gradient(x) * np.float32(1.001), loss, at=x)


def test_arguments_and_random_state_stay_as_they_are():
    x = X.copy()
    state = np.random.get_state()[1].copy()  # noqa: NPY002 -- just this is to stay

    def greedy(x):
        x *= 0.0
        return float(np.sum(x))

    cr.check(greedy, np.zeros((3, 2)), at=x)
    np.testing.assert_array_equal(x, X)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_what_is_refused():
    with pytest.raises(ValueError, match="give its arguments"):
        cr.check(loss, X)
    with pytest.raises(ValueError, match="has to return one real number"):
        cr.check(np.sin, X, at=X)
    with pytest.raises(TypeError, match="at= takes arrays of real numbers"):
        cr.check(loss, X, at=np.array(["a"]))
    with pytest.raises(TypeError, match="a formula needs a graph"):
        cr.check(loss, "2 x", at=X)
    with pytest.raises(TypeError, match="or the right ones"):
        cr.assert_gradients(X)
    with pytest.raises(ValueError, match="params= are the static arguments"):
        cr.assert_gradients(X, X, params={"axis": 0})
    with pytest.raises(ValueError, match="this is a graph"):
        cr.assert_gradients(X, cr.Value(1.0), at=X)


def test_shapes_of_claims_on_functions():
    report = cr.check(loss, np.ones(3), at=X)
    assert report.verdict is cr.Verdict.WRONG
    assert "has the shape (3,)" in str(report)


# ---------------------------------------------------------------- many entries


COUNT = 10_000
A = random.normal(size=COUNT)
AT = random.normal(size=COUNT)


class Counted:
    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return np.sum(np.sin(A * x)) + np.sum(x * x)


RIGHT = A * np.cos(A * AT) + 2 * AT


def test_a_right_gradient_of_ten_thousand_entries():
    f = Counted()
    report = cr.check(f, RIGHT, at=AT)
    assert report.ok
    assert f.calls < 300
    assert "10,000 entries were compared along random directions" in str(report)


@pytest.mark.parametrize("entry", [0, 17, 4999, 5000, 9999])
@pytest.mark.parametrize("error", [-2.0, 1e-3])
def test_one_wrong_entry_is_named_with_hundreds_of_evaluations(entry, error):
    f = Counted()
    wrong = RIGHT.copy()
    wrong[entry] *= 1 + error
    report = cr.check(f, wrong, at=AT)
    assert report.findings[0].judgement.wrong == [(entry,)]
    assert f.calls < 900


def test_several_wrong_entries_are_found():
    wrong = RIGHT.copy()
    places = [3, 2500, 2501, 7777]
    wrong[places] += 0.5
    report = cr.check(Counted(), wrong, at=AT)
    assert {index[0] for index in report.findings[0].judgement.wrong} == set(places)


def test_wrong_entries_in_two_arguments():
    def f(a, b):
        return np.sum(a * a) + np.sum(np.exp(b))

    a, b = random.normal(size=(20, 20)), random.normal(size=300)
    right = [2 * a, np.exp(b)]
    assert cr.check(f, right, at=(a, b)).ok
    right[0][3, 4] *= 2
    right[1][77] += 1
    report = cr.check(f, right, at=(a, b))
    assert [fd.judgement.wrong for fd in report.findings] == [[(3, 4)], [(77,)]]
