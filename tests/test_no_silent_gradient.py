"""Counter-examples that were once silently wrong, each with its right answer or its error."""

import array
import copy
import math
import tracemalloc

import numpy as np
import pytest

import chainrule as cr
from chainrule import fingerprint as fingerprints
from chainrule.fingerprint import fingerprint
from chainrule.ops.kinds import Multilinear


def noticed():
    return pytest.raises(cr.ChangedDataError)


# ---------------------------------------------------------------- data that changed


@pytest.mark.parametrize("size", [100, 128, 1024, 5000])
def test_sign_flips_are_noticed(size):
    w, c = cr.Tensor(np.ones(size)), np.arange(1.0, size + 1)
    y = (w * c).sum()
    c *= -1
    with noticed():
        y.backward()


def test_fingerprints_of_data_with_little_in_it(random):
    masks = [random.integers(0, 2, 128).astype(float) for _ in range(3000)]
    assert len({fingerprint(m) for m in masks}) == len({m.tobytes() for m in masks})
    ones = np.ones(5000)
    signs = [ones * random.choice([-1.0, 1.0], 5000) for _ in range(200)]
    assert len({fingerprint(s) for s in [ones, ones * 256, *signs]}) == 202
    halves = np.repeat([1.0, -1.0], 2000)
    assert fingerprint(halves) != fingerprint(halves[::-1])
    narrow = np.ones(4001, np.float32)
    flipped = narrow.copy()
    flipped[[1, 3, 4000]] *= -1
    assert fingerprint(narrow) != fingerprint(flipped)


@pytest.mark.parametrize("size", [3, 600, 5000])
@pytest.mark.parametrize("large", [2**24, 1000])
def test_each_use_of_an_array_is_guarded_as_it_was_then(size, large, monkeypatch):
    """Copies are shared by the nodes that met an array unchanged, and by no others."""
    monkeypatch.setattr(fingerprints, "LARGE", large)
    w, c = cr.Tensor(np.ones(size)), np.arange(1.0, size + 1)
    before = c.copy()
    first, again = (w * c).sum(), (w * c).sum()
    c[-1] = 0.5
    other = (w * c).sum()
    other.backward()
    assert w.grad[-1] == 0.5
    for y in (first, again):
        with noticed():
            y.backward()
    c[:] = before
    w.grad = None
    first.backward()
    again.backward()
    assert w.grad.tolist() == (2 * before).tolist()
    with noticed():
        other.backward()


def test_copies_for_guards_are_shared_and_gone_with_the_graph():
    w, c = cr.Tensor(np.ones(50_000)), np.ones(50_000)
    tracemalloc.start()
    start = tracemalloc.get_traced_memory()[0]
    ys = [cr.sin(w * c) for _ in range(4)]  # eight arrays of results
    used = (tracemalloc.get_traced_memory()[0] - start) / c.nbytes
    assert 9 <= used < 9.2  # and one copy of c
    del ys
    left = (tracemalloc.get_traced_memory()[0] - start) / c.nbytes
    tracemalloc.stop()
    assert left < 0.1


def test_a_leaf_that_was_handed_out_keeps_no_copy_of_its_data():
    w = cr.Tensor(np.ones(50_000))
    tracemalloc.start()
    start = tracemalloc.get_traced_memory()[0]
    assert w.data[0] == 1.0
    assert tracemalloc.get_traced_memory()[0] - start < 10_000
    tracemalloc.stop()


def test_memory_maps_are_guarded_and_owned(tmp_path):
    m = np.memmap(tmp_path / "m", dtype=float, shape=(3,), mode="w+")
    m[:] = [1, 2, 3]
    w = cr.Tensor(np.ones(3))
    y = (w * m).sum()
    leaf = cr.Tensor(m)
    z = (leaf * leaf).sum()
    m[:] = 100
    with noticed():
        y.backward()
    z.backward()
    assert type(leaf.data) is np.ndarray
    assert leaf.grad.tolist() == [2, 4, 6]


def test_an_array_that_was_frozen_again_is_still_known_outside():
    x = cr.Tensor([3.0])
    y = (x * x * x).sum()
    alias = x.data
    alias[:] = 5
    alias.flags.writeable = False
    with noticed():
        y.backward()


def test_a_buffer_as_index_is_copied():
    i, x = array.array("l", [0, 1]), cr.Tensor([1.0, 2.0, 3.0])
    y = (x[i] * [1.0, 10.0]).sum()
    i[0] = 2
    y.backward()
    assert x.grad.tolist() == [1, 10, 0]


def test_looking_at_a_leaf_by_the_library_is_not_handing_it_out():
    w = cr.Tensor([[1.0, 2.0]])
    cr.nn.cross_entropy(w, np.array([0])).backward()
    cr.graph(w.sum()).to_svg()
    assert w.first_seen is None


def test_copies_of_graphs():
    x = cr.Tensor([1.0, 2.0])
    y = (x * x).sum()
    twin = copy.deepcopy(y)
    twin.backward()
    v = cr.Value(3.0)
    cube = v * v * v
    v.data = 5.0
    with noticed():
        copy.deepcopy(cube)
    (x * x).sum().backward()
    other = copy.deepcopy(x)
    other.grad *= 0
    assert x.grad.tolist() == [2, 4]
    shallow = copy.copy(x)
    shallow.data[0] = 9
    assert x.data[0] == 1


# -------------------------------------------------------------------- transformations


def test_a_traced_cotangent_stays_in_its_graph():
    y, pullback = cr.vjp(lambda z: z**3, 2.0)
    assert y == 8.0
    assert cr.grad(lambda c: pullback(c)[0] * c)(3.0) == 72.0
    w = cr.Tensor(3.0)
    pullback(w * w)[0].backward()
    assert w.grad == 72.0


def test_a_pullback_of_an_outer_level_inside_an_inner_one():
    def g(x):
        _, pullback = cr.vjp(lambda z: z**3, x)
        return cr.jvp(lambda c: pullback(c)[0] * c, (2.0,), (1.0,))[1]

    assert cr.jvp(g, (3.0,), (1.0,)) == (108.0, 72.0)


def test_lists_are_arrays_in_every_mode():
    x = np.ones(2)
    for f, expected in [
        (lambda x: cr.where([True, False], x, 0.0), [1, 0]),
        (lambda x: x / [2.0, 4.0], [0.5, 0.25]),
        (lambda x: x ** [2.0, 3.0], [2, 3]),
        (lambda x: np.concatenate([x, [1.0, 2.0]])[:2], [1, 1]),
        (lambda x: np.stack([x, [1.0, 2.0]])[0], [1, 1]),
    ]:
        assert cr.jvp(f, (x,), (np.ones(2),))[1].tolist() == expected
        assert cr.grad(lambda x, f=f: f(x).sum())(x).tolist() == expected


def test_several_results():
    def two(x):
        return x * 2, {"three": x * 3}

    y, pullback = cr.vjp(two, np.ones(2))
    assert y[1]["three"].tolist() == [3, 3]
    assert pullback((np.ones(2), {"three": np.array([1.0, 0.0])}))[0].tolist() == [5, 2]
    with pytest.raises(ValueError, match="structure of the output"):
        pullback((np.ones(2), np.ones(2)))
    _, y_dot = cr.jvp(two, (np.ones(2),), (np.array([1.0, 0.0]),))
    assert y_dot[1]["three"].tolist() == [3, 0]
    with pytest.raises(TypeError, match="must return one number, it returned tuple"):
        cr.grad(two)(1.0)
    with pytest.raises(TypeError, match="numbers or arrays, not str"):
        cr.vjp(lambda x: (x, "a"), 1.0)


def test_gradients_are_arrays_of_their_own():
    a, b = cr.grad(lambda a, b: np.sum((a + b) ** 2), (0, 1))(np.ones(2), np.ones(2))
    a *= 0
    assert b.tolist() == [4, 4]
    g = cr.grad(lambda x: np.sum(x))(np.ones(3))
    g -= 1
    x, y = cr.Tensor([1.0]), cr.Tensor([2.0])
    table = cr.adjoints((x + y).sum())
    table[x][0] = 5
    assert table[y].tolist() == [1]


def test_argnums_name_each_argument_once():
    f = lambda x, y: x * x * y
    assert cr.grad(f, np.int64(0))(3.0, 1.0) == 6.0
    for bad in ((0, 0), (1, -1)):
        with pytest.raises(ValueError, match="each argument once"):
            cr.grad(f, bad)(3.0, 1.0)
    with pytest.raises(ValueError, match="one argument or more"):
        cr.grad(f, ())(3.0, 1.0)


def test_no_grad_in_forward_mode_too():
    def f(x):
        with cr.no_grad():
            constant = x * x
        return constant * x

    assert cr.grad(f)(2.0) == cr.jvp(f, (2.0,), (1.0,))[1] == 4.0


def test_detach_item_and_truth_in_forward_mode():
    for f, expected in [
        (lambda x: x.detach() * x, 3.0),
        (lambda x: x.item() * x, 3.0),
        (lambda x: x * 2 if x else x * 3, 2.0),
        (lambda x: x * 2 if x - 3.0 else x * 3, 3.0),
    ]:
        assert cr.jvp(f, (3.0,), (1.0,))[1] == cr.grad(f)(3.0) == expected


def test_leaves_made_inside_are_no_outer_variables():
    for f in (lambda x: x * x.detach(), lambda x: x * cr.Tensor(3.0)):
        assert type(cr.grad(f)(3.0)) is float
    value, tangent = cr.jvp(lambda x: cr.value_and_grad(cr.sin)(x)[0], (2.0,), (1.0,))
    assert (value, tangent) == (math.sin(2.0), math.cos(2.0))


def test_a_value_as_primal():
    y, y_dot = cr.jvp(lambda x: x * x, (cr.Value(3.0),), (1.0,))
    assert (y, y_dot) == (9.0, 6.0)


def test_only_wanted_adjoints_are_kept():
    def chain(x):
        for _ in range(100):
            x = cr.sin(x)
        return x.sum()

    x = np.ones(50_000)
    _, pullback = cr.vjp(chain, x)
    tracemalloc.start()
    pullback(1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * x.nbytes


# ----------------------------------------------------------------------------- rules


def test_mixed_derivatives_of_power_in_the_exponent():
    assert cr.grad(lambda b: cr.grad(lambda a: a**b)(2.0))(0.0) == 0.5
    assert cr.grad(lambda a: cr.grad(lambda b: a**b)(0.0))(2.0) == 0.5
    third = cr.grad(lambda b: cr.grad(lambda a: cr.grad(lambda z: z**b)(a))(3.0))(1.0)
    assert third == pytest.approx(1 / 3)
    a, b = cr.Value(2.0), cr.Value(0.0)
    first = cr.adjoints(a**b, record=True)[a]
    assert cr.adjoints(first)[b] == 0.5
    x = np.array([1.01])
    gradient = cr.grad(lambda x: (x ** np.array([-128], np.int8)).sum())(x)
    assert gradient == pytest.approx(-128 * 1.01**-129)


def test_general_and_multilinear_ops_on_values():
    exp = cr.op(
        np.exp,
        lambda y_bar, y, _x: y_bar * y,
        lambda t, y, _x: t[0] * y,
        name="exp_again",
        scalar=math.exp,
    )
    v = cr.Value(2.0)
    exp(v).backward()
    assert v.grad == math.exp(2.0)
    times = Multilinear(
        np.multiply,
        (lambda y_bar, _a, b: y_bar * b, lambda y_bar, a, _b: y_bar * a),
        name="times",
        scalar=lambda a, b: a * b,
    )
    a, b = cr.Value(2.0), cr.Value(5.0)
    times(a, b).backward()
    assert (a.grad, b.grad) == (5.0, 2.0)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, bool])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_narrow_integers_beside_narrow_floats(kind, dtype):
    x, k = np.array([2.0, 4.0], dtype), np.array([1, 1], kind)
    for f in (lambda t: t / k, lambda t: k / t, lambda t: t**k, lambda t: k - t * k):
        if kind is bool and f(np.ones(2)).dtype == bool:
            continue
        gradient = cr.grad(lambda t, f=f: (f(t) if kind is not bool else f(t) * 1).sum())(x)
        assert gradient.dtype == dtype


def test_second_order_of_values_through_a_zero_partial():
    assert cr.grad(lambda x: cr.relu(x) * x)(cr.Value(-1.0)) == 0.0
    v = cr.Value(3.0)
    first = cr.adjoints(v * cr.stop_gradient(v), record=True)[v]
    assert first == 3.0
    cr.adjoints(cr.maximum(v, 1.0) * v, record=True)


def test_numpy_corner_arguments():
    t = cr.Tensor(2.0)
    np.sum(t * t, axis=0).backward()
    assert t.grad == 4.0
    x = cr.Tensor([[1.0, 2.0]])
    (np.concatenate([x, x * 3], axis=None) * np.arange(4.0)).sum().backward()
    assert x.grad.tolist() == [[6, 10]]
    v = cr.Tensor([1.0, 2.0])
    np.transpose(v, 0).sum().backward()
    v.transpose(-1).sum().backward()
    assert v.grad.tolist() == [2, 2]
    with pytest.raises(ValueError, match="transpose cannot take"):
        cr.Tensor(np.eye(2)).transpose(0)
    assert np.size(x, 0) == 1


def test_seeds_of_other_kinds():
    t = cr.Tensor([2.0])
    (t * t).backward(cr.Tensor([3.0]))
    assert t.grad.tolist() == [12]
    with pytest.raises(TypeError, match="seed of real numbers expected, got complex128"):
        (t * t).backward(np.array([1j]))
    with pytest.raises(TypeError, match="takes floats and Values, got complex128"):
        cr.Value(np.complex128(1 + 2j))


def test_an_undefined_derivative_of_a_value_says_where():
    a, b = cr.Value(-2.0), cr.Value(3.0)
    y = a**b
    with pytest.raises(ValueError, match=r"derivative of power recorded at .* is not finite"):
        y.backward()


# ------------------------------------------------------------------- zero and infinity


@pytest.mark.parametrize(
    ("f", "at"),
    [
        (lambda x: cr.where(x > 0, cr.sqrt(x), 0.0), -1.0),
        (lambda x: cr.where(x > 0, x**0.5, 0.0), -1.0),
        (lambda x: cr.where(x != 0, cr.sin(x) / x, 1.0), 0.0),
        (lambda x: cr.where(x > 0, x * cr.log(x), 0.0), 0.0),
        (lambda x: cr.where(x < 10, cr.exp(x), 0.0), 1000.0),
        (lambda x: cr.sqrt(x * x), 0.0),
        (lambda x: cr.sqrt(cr.sum(x * x)), 0.0),
    ],
)
def test_zero_where_zero_is_meant(f, at):
    x = np.array([at])
    with np.errstate(all="ignore"):
        assert cr.grad(lambda x: f(x).sum())(x).tolist() == [0]
        assert np.all(cr.jvp(f, (x,), (np.ones(1),))[1] == 0)


def test_backward_does_not_warn_where_zero_is_meant():
    t = cr.Tensor([4.0, 0.0])
    cr.where(t.data > 0, cr.sqrt(t), 0.0).sum().backward()  # warnings are errors here
    assert t.grad.tolist() == [0.25, 0.0]


def test_both_modes_agree_on_the_convention():
    f = lambda x: cr.sqrt(x) * cr.sqrt(x)
    assert cr.grad(f)(0.0) == cr.jvp(f, (0.0,), (1.0,))[1] == 0.0


# --------------------------------------------------------------------------- leaving


def test_masked_arrays_do_not_look_inside():
    for escape in (
        lambda: np.ma.array([1.0, 2.0]) * cr.Tensor([1.0, 2.0]),
        lambda: cr.Tensor([1.0, 2.0]) * np.ma.array([1.0, 2.0], mask=[0, 1]),
        lambda: np.ma.exp(cr.Value(2.0)),
        lambda: np.ma.getdata(cr.Tensor([1.0])),
        lambda: np.ma.concatenate([cr.Tensor([1.0])]),
        lambda: cr.Tensor(np.ma.array([1.0, 2.0], mask=[0, 1])),
    ):
        with pytest.raises(TypeError):
            escape()
