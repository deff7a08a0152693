"""Large programs on single numbers: the results of eager, a few calls on long arrays."""

import contextlib
import copy
import operator
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.nn import scalar
from chainrule.ops import TABLE
from samples import SAMPLES
from test_compile import moved, require_same

ON_FLOATS = [op for op in TABLE.values() if op.on_floats]
COUNT = 300
AT_ONCE = "at once"


def network(compiled, before):
    """A network of Values in the style of micrograd, its training step, and how often it is run."""
    random = np.random.default_rng(0)
    X = random.normal(size=(20, 2)).tolist()
    y = np.where(random.normal(size=20) > 0, 1.0, -1.0).tolist()
    model = scalar.MLP([2, 6, 6, 1], seed=3)
    optimizer = cr.optim.GradientDescent(model.parameters(), 0.05)
    calls = []

    def step():
        calls.append(1)
        if before:
            optimizer.zero_grad()
        scores = [model(row) for row in X]
        losses = [(1.0 + -yi * s).relu() for yi, s in zip(y, scores, strict=True)]
        squares = [p * p for p in model.parameters()]
        total = sum(losses[1:], losses[0]) * (1.0 / len(losses))
        total = total + 1e-2 * sum(squares[1:], squares[0])
        if not before:
            optimizer.zero_grad()
        total.backward()
        optimizer.step()
        return total.data

    return cr.compile(step) if compiled else step, model.parameters(), calls


@pytest.mark.parametrize("before", [True, False])
def test_a_network_of_values(before):
    step, parameters, calls = network(True, before)
    eager, expected, _ = network(False, before)
    for _ in range(4):
        assert step() == pytest.approx(eager(), rel=1e-12)
        for p, q in zip(parameters, expected, strict=True):
            assert type(p.data) is type(p.grad) is float
            assert (p.data, p.grad) == pytest.approx((q.data, q.grad), rel=1e-10, abs=1e-14)
    assert len(calls) == 2  # both while it was traced: it never went back to eager
    assert AT_ONCE in step.source
    assert len(step.source.splitlines()) < 400


@pytest.mark.parametrize("op", ON_FLOATS, ids=lambda op: op.name)
def test_every_op_on_many_values(op):
    """Compiled with some numbers, called with others; each op is done for all inputs at once."""
    xs = [float(np.ravel(x)[0]) for x in SAMPLES[op.name][0].inputs]
    random = np.random.default_rng(1)
    weights = random.uniform(0.5, 1.5, COUNT).tolist()

    def f(*columns):
        values = [[cr.Value(x) for x in column] for column in columns]
        terms = [op(*row) for row in zip(*values, strict=True)]
        total = sum(c * y * y for c, y in zip(weights, terms, strict=True))
        total.backward()
        return total.data, [v.grad for column in values for v in column]

    columns = [(x * random.uniform(0.9, 1.1, COUNT)).tolist() for x in xs]
    compiled = cr.compile(f)
    compiled(*columns)
    others = [[moved(x) for x in column] for column in columns]
    require_same(compiled(*others), f(*others), rtol=1e-10)
    assert AT_ONCE in compiled.source


def test_data_as_arguments():
    """A batch is a list of floats or an array; another batch takes the same program."""
    model = scalar.MLP([3, 4, 1], "tanh", seed=2)

    def loss(X, y):
        errors = [model(row) - target for row, target in zip(X, y, strict=True)]
        total = sum(e * e for e in errors)
        for p in model.parameters():
            p.grad = None
        total.backward()
        return total.data, [p.grad for p in model.parameters()]

    random = np.random.default_rng(4)
    batches = [(random.normal(size=(40, 3)), random.normal(size=40)) for _ in range(2)]
    of_lists, of_arrays = cr.compile(loss), cr.compile(loss)
    for X, y in batches:
        expected = loss(X.tolist(), y.tolist())
        require_same(of_lists(X.tolist(), y.tolist()), expected, rtol=1e-10)
        require_same(of_arrays(X, y), expected, rtol=1e-10)
        require_same(of_arrays(np.asfortranarray(X), y), expected, rtol=1e-10)
    assert len(of_lists.programs) == len(of_arrays.programs) == 1
    assert AT_ONCE in of_lists.source
    assert AT_ONCE in of_arrays.source


def summed(term):
    """The sum of a term of many Values and its gradient, compiled and eagerly."""

    def f(xs):
        values = [cr.Value(x) for x in xs]
        total = sum(map(term, values))
        total.backward()
        return total.data, [v.grad for v in values]

    return cr.compile(f), f


def test_errors_are_those_of_floats():
    compiled, eager = summed(lambda x: cr.exp(x) / x)
    compiled([1.0 + i / COUNT for i in range(COUNT)])
    assert AT_ONCE in compiled.source
    for xs in ([1.0] * (COUNT - 1) + [1000.0], [1.0] * (COUNT - 1) + [0.0]):
        with pytest.raises(ArithmeticError) as expected:
            eager(xs)
        with pytest.raises(ArithmeticError) as raised:
            compiled(xs)
        assert type(raised.value) is type(expected.value)
        assert str(raised.value) == str(expected.value)


def test_infinity_is_no_error_where_pythons_is_none():
    compiled, eager = summed(lambda x: x * 1e308 * 2.0)
    xs = [1e-3 * i for i in range(COUNT)]
    compiled(xs)
    xs[7] = 10.0
    require_same(compiled(xs), eager(xs))
    assert eager(xs)[0] == np.inf


def test_zero_wins_over_infinity():
    compiled, eager = summed(lambda x: cr.sqrt(x) * 0.0 + x)
    xs = [1.0 + i for i in range(COUNT)]
    compiled(xs)
    assert AT_ONCE in compiled.source
    xs[3] = 0.0
    require_same(compiled(xs), eager(xs))
    assert eager(xs)[1][3] == 1.0


def test_an_exponential_that_vanishes():
    compiled, eager = summed(cr.sigmoid)
    xs = [i / 10 for i in range(COUNT)]
    compiled(xs)
    xs[5] = -800.0  # exp(800) is infinite, and the result is zero all the same
    require_same(compiled(xs), eager(xs))


def test_plain_numbers_among_terms_and_results():
    def f(xs):
        terms = [x * x + 1.0 + -0.0 for x in xs]
        return sum(terms, 2.0) + 2.0 + 1.0 + 1e-3

    compiled, eager = cr.compile(cr.value_and_grad(f)), cr.value_and_grad(f)
    linear = cr.compile(cr.value_and_grad(lambda xs: sum(x * 1.0 for x in xs) + sum(xs)))
    for start in (0.0, 5.0):
        xs = [start + i / 7 for i in range(COUNT)]
        require_same(compiled(xs), eager(xs), rtol=1e-13)
        require_same(linear(xs), (2 * sum(xs), [2.0] * COUNT), rtol=1e-13)
    assert AT_ONCE in compiled.source


def test_results_of_every_kind():
    def f(xs, y):
        total = sum(x * y for x in xs)
        return {"total": total, "large": total > 1.0, "number": np.float64(3.0) * total, "y": y}

    compiled = cr.compile(f)
    for scale in (1.0, -1.0):
        xs = [scale * i / 10 for i in range(COUNT)]
        require_same(compiled(xs, 2.0), f(xs, 2.0))
    assert AT_ONCE in compiled.source
    assert f(xs, 2.0)["large"] is compiled(xs, 2.0)["large"] is False


def test_second_derivatives():
    def f(xs):
        return sum(cr.sin(x) * x for x in xs)

    def directional(xs, vs):
        return cr.hvp(f, xs, vs)

    xs, vs = [i / 9 for i in range(COUNT)], [1 / (1 + i) for i in range(COUNT)]
    compiled = cr.compile(directional)
    compiled(vs, xs)
    require_same(compiled(xs, vs), directional(xs, vs), rtol=1e-10)
    assert AT_ONCE in compiled.source


def test_a_saved_module_needs_nothing_but_numpy(tmp_path):
    compiled, eager = summed(lambda x: cr.tanh(x) * x + 1.0)
    xs = [i / 50 for i in range(COUNT)]
    compiled([2 * x for x in xs])
    compiled.save(tmp_path / "terms.py")
    program = (
        "import sys; sys.modules['chainrule'] = None\n"
        "import terms\n"
        f"print(repr(terms.f([i / 50 for i in range({COUNT})])))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    require_same(eval(done.stdout), eager(xs), rtol=1e-12)  # noqa: S307


def test_a_long_chain_stays_straight():
    """Nothing of it can be done at once."""

    def f(x):
        y = x
        for _ in range(1500):
            y = cr.sin(y) + x
        return y

    compiled = cr.compile(cr.value_and_grad(f))
    compiled(0.5)
    assert AT_ONCE not in compiled.source
    require_same(compiled(0.25), cr.value_and_grad(f)(0.25), rtol=1e-10)


def test_small_programs_are_to_be_read():
    compiled, _ = summed(lambda x: x * x)
    compiled([1.0, 2.0, 3.0])
    assert AT_ONCE not in compiled.source
    assert "import math" not in compiled.source


def test_the_gradient_of_the_call_before_may_only_be_forgotten():
    w, b = cr.Value(2.0, label="w"), cr.Value(1.0, label="b")

    def reads():
        w.data = w.data - 0.1 * w.grad
        (w * w * b).backward()

    (w * w).backward()
    with pytest.raises(cr.CompileError, match="reads the gradient of w from the call before"):
        cr.compile(reads)()
    assert (w.data, w.grad, b.grad) == (2.0, 4.0, None)

    def forgets():
        (w * b).backward()
        w.data = w.data - 0.5 * b.data
        w.grad = b.grad = None

    w.grad = None
    step = cr.compile(forgets)
    step()
    w.grad, b.grad = 7.0, 8.0
    step()
    assert (w.data, w.grad, b.grad) == (1.0, None, None)

    def adds():
        (w * b).backward()

    w.grad = 1.0
    with pytest.raises(cr.CompileError, match="adds to the gradient of w from the call before"):
        cr.compile(adds)()
    assert w.grad == 1.0


# --------------------------------------------- what a search for counter-examples has found


def test_a_sum_of_one_number_many_times():
    def many(x):
        s = x
        for _ in range(COUNT):
            s = s + x
        return s

    require_same(cr.compile(many)(2.0), 2.0 * (COUNT + 1))
    require_same(cr.compile(cr.value_and_grad(many))(1.0), (COUNT + 1.0, COUNT + 1.0))

    def three(xs, b):
        t = b * 2.0
        return [x * t for x in xs], t + t + t

    compiled = cr.compile(three)
    compiled([1.0] * COUNT, 1.0)
    require_same(compiled([3.0] * COUNT, 2.0), ([12.0] * COUNT, 12.0))
    assert AT_ONCE in compiled.source

    b = cr.Value(0.5)

    def shared():
        b.grad = None
        total = sum(b for _ in range(COUNT))
        (total * total).backward()

    cr.compile(shared)()
    assert b.grad == 2 * 0.5 * COUNT**2


def test_plain_numbers_are_told_apart_by_their_bits():
    xs = [float(i) for i in range(COUNT)]
    squares = sum(x * x for x in xs)
    for extra in ((-0.0,), (0.0, -0.0), (float("nan"), float("nan"))):

        def f(xs, extra=extra):
            return sum(extra, sum(x * x for x in xs))

        require_same(cr.compile(f)(xs), f(xs), rtol=1e-12)
    assert squares > 0
    large = cr.compile(lambda xs: [x < 2**53 + 1 for x in xs])
    assert large([2.0**53] * COUNT) == [True] * COUNT


def test_arguments_by_name_do_not_take_the_short_way():
    def f(a, b=2.0, c=3.0):
        return a + 10 * b + 100 * c

    compiled = cr.compile(f)
    assert compiled(b=1.0, a=5.0) == f(5.0, 1.0)
    assert compiled(5.0, 1.0) == f(5.0, 1.0)
    assert compiled(1.0, c=5.0) == f(1.0, c=5.0)
    assert compiled(1.0, 5.0) == f(1.0, 5.0)
    only = cr.compile(lambda *, x: 2 * x)
    assert only(x=2.0) == 4.0
    with pytest.raises(TypeError):
        only(2.0)


@pytest.mark.parametrize("count", [1, COUNT])
def test_constant_gradients_and_data(count):
    leaves = [cr.Value(float(i)) for i in range(count)]
    optimizer = cr.optim.GradientDescent(leaves, 0.5)

    @cr.compile
    def step():
        optimizer.zero_grad()
        error = sum(b * 2.0 + 1.0 for b in leaves)
        error.backward()
        optimizer.step()
        return error.data

    assert step() == sum(2.0 * i + 1.0 for i in range(count))
    assert [b.grad for b in leaves] == [2.0] * count
    leaves[0].grad = 77.0
    step()
    assert [(type(b.data), b.data, b.grad) for b in leaves] == [
        (float, i - 2.0, 2.0) for i in range(count)
    ]

    @cr.compile
    def reset():
        leaves[0].data = 0.25
        return leaves[0].data

    assert reset() == 0.25
    assert repr(leaves[0]) == "Value(0.25, grad=2.0)"


def test_a_gradient_from_before_is_added_to():
    """The function adds to it and forgets it in the end: where there is one it is done eagerly."""

    def trained(compiled):
        p, q = cr.Value(2.0, label="p"), cr.Value(3.0, label="q")
        unused = cr.Value(1.0)
        optimizer = cr.optim.GradientDescent([p, q], 0.1)
        cleaner = cr.optim.GradientDescent([unused], 0.1)

        def step():
            cleaner.zero_grad()
            error = (p * q - 1.0) ** 2
            error.backward()
            optimizer.step()
            optimizer.zero_grad()

        step = cr.compile(step) if compiled else step
        step()
        for gradient in (5.0, None):
            p.grad, unused.grad = gradient, 7.0
            step()
        return p.data, q.data, p.grad, q.grad, unused.grad

    require_same(trained(True), trained(False), rtol=1e-14)


def outcome(f, args):
    try:
        return f(*args)
    except (ArithmeticError, TypeError, ValueError) as error:
        return error


def require_same_outcome(compiled, f, args, **tolerance):
    """The same results, or the same error with the same message."""
    expected, found = outcome(f, args), outcome(compiled, args)
    if isinstance(expected, Exception):
        assert (type(found), str(found)) == (type(expected), str(expected))
    else:
        require_same(found, expected, **tolerance)


def same_behaviour(f, *calls):
    """Compiled with the first arguments; then the same results or the same errors."""
    compiled = cr.compile(f)
    for args in calls:
        require_same_outcome(compiled, f, args)


def test_powers_are_those_of_values():
    w = cr.Value(2.0)

    def of_value(x, n):
        return (cr.Value(x) ** n).data

    for n in (0.5, 1.5, 2.0, -1.0, 3.0):
        same_behaviour(of_value, (2.0, n), (-2.0, n), (0.0, n), (1e200, n))
        same_behaviour(of_value, (-2.0, n), (2.0, n))
        same_behaviour(lambda x, n: x**n, (2.0, n), (-2.0, n))

    def with_gradient(x, y):
        a, b = cr.Value(x), cr.Value(y)
        (a**b).backward()
        return a.grad, b.grad

    same_behaviour(with_gradient, (2.0, 0.5), (0.0, 0.5), (3.0, 2.0))

    @cr.compile
    def step():
        w.grad = None
        error = (w**1.5 - 1.0) ** 2
        error.backward()
        w.data = w.data - 0.1 * w.grad

    step()
    w.data = -1.0
    with pytest.raises(ValueError, match="math domain error"):
        step()
    assert w.data == -1.0


@pytest.mark.parametrize("op", ON_FLOATS, ids=lambda op: op.name)
@pytest.mark.parametrize("count", [1, COUNT])
def test_errors_of_every_op_are_those_of_values(op, count):
    """Also at zeros, infinities, NaN and out of the domain; alone and for many at once."""
    xs = [float(np.ravel(x)[0]) for x in SAMPLES[op.name][0].inputs]

    def f(rows):
        values = [[cr.Value(x) for x in row] for row in rows]
        total = sum(op(*row) for row in values)
        total.backward()
        return total.data, [v.grad for row in values for v in row]

    calls = [(([xs] * count),)]
    for special in (-1.0, 0.0, 2.0, 800.0, np.inf, -np.inf, np.nan):
        for place in range(len(xs)):
            row = [special if i == place else x for i, x in enumerate(xs)]
            calls.append(([xs] * (count - 1) + [row],))
    with np.errstate(all="ignore"):
        same_behaviour(f, *calls)


def test_numbers_of_numpy_beside_values():
    w = cr.Value(1.0)
    factor = np.float64(2.0)

    def inverse():
        w.grad = None
        y = 1.0 / (factor * w)
        y.backward()
        return y.data

    compiled = cr.compile(inverse)
    assert type(compiled()) is type(w.grad) is float
    w.data = 0.0
    with pytest.raises(ZeroDivisionError, match=r"divide\(1, 0\)"):
        compiled()


def test_kinds_of_numbers():
    def f(x, y):
        s = np.sin(x)
        v = cr.Value(s)
        compared = (
            x == y,
            x != y,
            cr.Value(x) == cr.Value(y),
            (x > 1) & (y < 1),
            (x > 1) | (y < 1),
        )
        return s, v.data, cr.relu(x), cr.exp(x), cr.tanh(x), compared

    same_behaviour(f, (0.5, 0.5), (1.5, 0.5), (-1.0, 2.0))

    def chosen(x):
        v = cr.Value(x)
        np.where(v > 0, v, v * 2.0).backward()
        return v.grad

    same_behaviour(chosen, (0.5,), (-1.0,))


def test_a_program_that_fails_its_check_is_not_kept(monkeypatch):
    from chainrule.compiler import compiled as module

    def wrong(*_args):
        raise cr.CompileError("not the same")

    monkeypatch.setattr(module, "require_equal", wrong)
    compiled = cr.compile(lambda x: x * 2.0, check=True)
    for _ in range(2):
        with pytest.raises(cr.CompileError, match="not the same"):
            compiled(2.0)


def test_a_gradient_that_is_set_before_backward():
    def f(x):
        v = cr.Value(x)
        for start in (None, 0.0, 1.0):
            w.grad = start
            (w * v * v).backward()
        return w.grad, v.grad

    w = cr.Value(3.0)
    expected = f(2.0)
    found = cr.compile(f)(2.0)
    assert found == expected == (5.0, 36.0)
    assert w.grad == 5.0


def test_leaves_come_as_they_are_after_the_call():
    for leaf in (cr.Value(0.5), cr.Tensor([0.5, 1.0])):
        other = type(leaf)(leaf.data)

        def step(x, w):
            w.grad = None
            np.sum(w * w * x).backward() if w.shape else (w * w * x).backward()
            w.data = w.data - 0.1 * w.grad
            return {"w": w, "twice": 2.0 * w}

        compiled = cr.compile(lambda x, w=leaf, step=step: step(x, w))
        for x in (1.0, 1.0, 2.0):
            expected = {key: y.data for key, y in step(x, other).items()}
            require_same(compiled(x), expected, rtol=1e-14)
    w = cr.Value(2.0)
    returned = cr.compile(lambda x: (w, x))
    returned(1.0)
    w.data = 5.0
    assert returned(3.0) == (5.0, 3.0)


@pytest.mark.parametrize(
    "look",
    [
        lambda w, x: w.detach() * x,
        lambda w, x: copy.copy(w) * x,
        lambda w, x: copy.deepcopy(w) * x,
        lambda w, x: w.item() * x,
        lambda w, x: x if w else -x,
        lambda w, x: w.data * x,
    ],
)
@pytest.mark.parametrize("kind", [cr.Value, cr.Tensor])
def test_however_a_leaf_is_read_it_is_read_anew(look, kind):
    w = kind(2.0)

    def f(x):
        return look(w, x)

    compiled = cr.compile(f)
    try:
        compiled(3.0)
    except cr.CompileError:
        return
    for number in (10.0, 0.0):
        w.data = number
        assert compiled(3.0) == getattr(f(3.0), "data", f(3.0))


def test_gradients_of_leaves_that_nothing_is_computed_from():
    w = cr.Value(1.0, label="w")
    w.grad = 2.0
    with pytest.raises(cr.CompileError, match="reads the gradient of w"):
        cr.compile(lambda x: w.grad * x)(3.0)
    assert w.grad == 2.0

    @cr.compile
    def forgets(x):
        w.grad = None
        return 2.0 * x

    for _ in range(2):
        w.grad = 2.0
        assert forgets(3.0) == 6.0
        assert w.grad is None

    @cr.compile
    def sets(x):
        w.grad = x * 2.0

    for x in (1.0, 4.0):
        sets(x)
        assert w.grad == 2.0 * x


def test_numbers_of_arrays_are_pythons_in_values():
    def conditions(a):
        u, v = cr.Value(a[0]), cr.Value(a[1])
        return ((u > 0.5) + (v > 0.5)) * 2.0, v > 0.1

    same_behaviour(conditions, (np.array([0.6, 0.7]),), (np.array([0.1, 0.7]),))

    def of_relu(x, y):
        return (cr.relu(x) > 0) + (cr.relu(y) > 0), cr.relu(x) // cr.relu(y)

    same_behaviour(of_relu, (1.5, 2.5), (0.5, -3.0))
    same_behaviour(lambda x: cr.log(cr.relu(x)), (1.0,), (-1.0,))
    same_behaviour(
        lambda a: cr.log(cr.Value(np.sum(a))).data, (np.array([1.0, 2.0]),), (np.array([-1.0, -2]),)
    )

    def powers(a):
        v = cr.Value(a)
        y = v**3.0 + v * v
        y.backward()
        return y.data, v.grad

    same_behaviour(powers, (np.float64(2.0),), (np.float64(1e200),))


def test_values_are_float64_whatever_they_meet():
    def product(x):
        v = cr.Value(1.1)
        y = v * x
        y.backward()
        return y.data, v.grad

    for kind in (np.float32, np.float16, np.float64):
        same_behaviour(product, (kind(0.1),), (kind(60000),))
    k = np.float32(0.1)
    same_behaviour(lambda x: (cr.Value(x) * k).data, (1.0,), (1e39,))
    with pytest.raises(TypeError, match="Value takes floats and Values"):
        cr.compile(lambda x: cr.Value(np.where(x > 0, x, 0.5)))(1.0)


def test_a_caught_error_is_no_decision():
    def f(x):
        try:
            return 1.0 / x
        except ZeroDivisionError:
            return 0.0 * x

    compiled = cr.compile(f)
    with pytest.raises(cr.CompileError, match="catches an error that numbers made"):
        compiled(0.0)
    assert [compiled(x) for x in (2.0, 0.0, 4.0)] == [0.5, 0.0, 0.25]

    def root(x):
        v = cr.Value(x)
        try:
            return (v**0.5).data
        except ValueError:
            return 7.0 * x

    compiled = cr.compile(root)
    with pytest.raises(cr.CompileError, match="catches an error that numbers made"):
        compiled(-1.0)
    assert [compiled(x) for x in (4.0, -1.0)] == [2.0, -7.0]


def test_functions_of_numpy_give_numbers_of_numpy():
    same_behaviour(lambda x, y: (np.less(x, 1) + np.less(y, 1)) * x, (-1.0, 0.5), (2.0, 3.0))
    same_behaviour(lambda x, y: ((np.add(x, y) > 0) + (x > 0)) * 1.0, (1.5, 2.5), (-1.0, 0.5))
    same_behaviour(lambda x, a: np.add(x, 1) * a, (1.5, np.ones(3, np.float32)))
    for f in (np.add, np.multiply, np.equal, np.less):
        same_behaviour(lambda x, y, f=f: f(x, y), (1.5, 2.5), (2.0, 2.0))
    same_behaviour(lambda x: (np.negative(x), np.abs(x), -x, abs(x)), (1.5,), (-2.0,))
    same_behaviour(lambda x: (x.real * 2, np.real(x), x.imag, np.imag(x)), (1.5,), (-2.0,))
    same_behaviour(lambda x: (x.real, x.imag), (np.float64(1.5),))
    same_behaviour(lambda x, y: np.where(x > 1, True, y), (0.5, 1.5), (2.0, 1.5))


# ------------------------------------------------------------------------- random programs

UNARY = [
    *(cr.exp, cr.log, cr.tanh, cr.sigmoid, cr.relu, np.sin, np.sqrt, np.floor, abs, operator.neg),
    *(np.square, np.arctan, np.cosh, lambda x: x**2, lambda x: x**-1, lambda x: x**0.5),
]
BINARY = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, np.maximum),
    *(operator.mod, operator.floordiv, np.hypot, np.arctan2),
    lambda x, y: np.where(x > y, x, y * 2.0),
    lambda x, y: x * (y > 0.5),
    lambda x, y: x * ((x == y) + (y <= 1.0)),
]
NUMBERS = st.sampled_from(
    [0.0, -0.0, 0.5, 1.0, -1.0, 2.0, 3.0, -2.5, 800.0, -700.0, np.inf, np.nan]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(UNARY), st.integers(0, 9)),
        st.tuples(st.sampled_from(BINARY), st.integers(0, 9), st.integers(0, 9)),
        st.tuples(st.sampled_from(BINARY), st.integers(0, 9), NUMBERS),
        st.tuples(st.sampled_from(BINARY), NUMBERS, st.integers(0, 9)),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("count", [1, 150])
@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(steps=STEPS, calls=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=4))
def test_random_programs_on_values(count, steps, calls):
    """The same numbers or the same errors as eagerly, for one row of inputs and for many."""

    def term(x, y):
        known = [x, y]
        for function, *places in steps:
            operands = [known[p % len(known)] if type(p) is int else p for p in places]
            known.append(function(*operands))
        return sum(known[2:], known[0] * known[1])  # what nobody needs would not raise

    def f(xs, ys):
        values = [cr.Value(x) for x in xs], [cr.Value(y) for y in ys]
        total = sum(term(x, y) for x, y in zip(*values, strict=True))
        total.backward()
        return total.data, [v.grad for column in values for v in column]

    rows = [([0.7] * (count - 1) + [x], [1.3] * (count - 1) + [y]) for x, y in calls]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = cr.compile(f)
        for args in rows:
            require_same_outcome(compiled, f, args, rtol=1e-9, noise=1e-12)


def test_what_is_refused_counts_also_where_it_is_caught():
    def prints(x):
        with contextlib.suppress(TypeError):
            sys.stdout.write(f"the loss is {2.0}")
        return x * 2.0

    with pytest.raises(cr.CompileError, match="the function prints"):
        cr.compile(prints)(1.0)
    w = cr.Value(1.0, label="w")
    w.grad = 3.0

    def reads(x):
        try:
            return x * w.grad
        except TypeError:
            return x * 0.0

    with pytest.raises(cr.CompileError, match="reads the gradient of w"):
        cr.compile(reads)(1.0)
