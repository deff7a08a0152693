"""What searches for counter-examples found in cr.compile, each with its own test."""

import collections
import enum
import functools
import runpy
import sys
import threading
import warnings

import numpy as np
import pytest

import chainrule as cr


def same(f, *args):
    """The result of the function, which is that of the compiled one, in both calls."""
    compiled, expected = cr.compile(f), f(*args)
    for _ in range(2):
        found = compiled(*args)
        pairs = zip(flat(found), flat(expected), strict=True)
        for x, y in pairs:
            np.testing.assert_array_equal(x, getattr(y, "_held", y))
            assert np.asarray(x).dtype == np.asarray(getattr(y, "_held", y)).dtype
    return expected


def flat(x):
    return list(x) if isinstance(x, tuple | list) else [x]


#: Python reads the two of a pair as one name.
TWINS = [("\u00b5", "\u03bc"), ("\U0001d464", "w"), ("\ufb01", "fi"), ("\u00aa", "a")]


@pytest.mark.parametrize(
    "labels", [*TWINS, ("x\u2081", "w\u00b2"), ("x\u00bd", "\u0b67"), ("1", "if")]
)
def test_labels_that_python_reads_as_one_name_or_as_none(labels):
    w, b = (cr.Value(x, label=label) for x, label in zip((2.0, 5.0), labels, strict=True))
    same(lambda x: w * x + b * 3.0, 1.5)
    same(lambda d: d[labels[0]] * 2 + d[labels[1]], dict(zip(labels, (1.0, 2.0), strict=True)))
    a, c = (cr.Tensor(x, label=k) for x, k in zip(([1.0, 2.0], [5.0, 7.0]), labels, strict=True))
    for _ in range(200):  # the sweep is replayed from compiled code
        a.grad = c.grad = None
        np.sum(a * c).backward()
        assert a.grad.tolist() == [5.0, 7.0]
        assert c.grad.tolist() == [1.0, 2.0]


def test_a_tuple_inside_an_index_is_a_list_of_positions():
    x = np.arange(24.0).reshape(2, 3, 4)
    same(lambda x: x[:, (0, 1)], x)
    same(lambda x: x[(0, 1), (0, 1)], x)
    same(lambda x: x[(1,),], x)
    same(lambda x: x[[0, 1], (0, 1)], x)
    same(lambda x: x[(True, False),], x)
    same(cr.grad(lambda x: np.sum(np.sin(x[..., (0, 1)]))), x)

    def assigned(x):
        y = x.copy()
        y[(0, 1),] = 9.0
        return y

    same(assigned, x)
    P = collections.namedtuple("P", "a b")  # noqa: PYI024
    same(lambda x: x[P(0, 1)], x)
    same(lambda x: np.stack(P(x, x)), x)
    same(lambda x: np.sum(x, axis=P(0, 1)), x)


@pytest.mark.parametrize(
    "other",
    [
        lambda random, n: n,
        lambda random, n: float(n),
        lambda random, n: random.normal(size=2),
        lambda random, n: random.normal(),
        lambda random, n: str(n),
    ],
)
def test_results_that_no_argument_has_a_part_in_are_compared_too(other):
    random, count = np.random.default_rng(0), [0]

    def f(x):
        count[0] += 1
        return x * 2, other(random, count[0])

    with pytest.raises(
        cr.CompileError, match="something else in a second call|draws random numbers"
    ):
        cr.compile(f)(1.0)
    same(lambda x: (x * 2, 3, "text", np.arange(2.0), np.float32(2)), 1.0)


def test_containers_among_the_arguments_are_not_changed():
    def train(p, x):
        value, g = cr.value_and_grad(lambda p: np.mean((x @ p[0] + p[1]) ** 2))(p)
        for i in range(2):
            p[i] = p[i] - 0.1 * g[i]
        return value

    def adds(p, x):
        p.append(x)
        return x

    def shorter(p, x):
        return p.pop() + x[0, 0]

    start = [np.ones((3, 2)), np.zeros(2)]
    for f in (train, adds, shorter):
        p = list(start)
        with pytest.raises(cr.CompileError, match="changes a list, a dict or an object among"):
            cr.compile(f)(p, np.ones((4, 3)))
        assert all(a is b for a, b in zip(p, start, strict=True))
    with pytest.raises(cr.CompileError, match="changes a list, a dict"):
        cr.compile(lambda d: d.update(y=d["x"] * 2.0))({"x": 1.0})


def test_a_function_is_no_result():
    with pytest.raises(cr.CompileError, match="the result holds a function"):
        cr.compile(lambda x: (x, flat))(np.array([2.0]))
    with pytest.raises(cr.CompileError):
        cr.compile(lambda x: cr.vjp(lambda t: t**2, x))(np.array([2.0]))
    assert cr.compile(lambda x: (x, np.add))(1.0)[1] is np.add


class Net:
    def __init__(self):
        self.W = np.ones(2)
        self.cache = {}
        self.history = []

    def step(self, x):
        self.W = self.W - 0.1 * x
        return np.sum(self.W)

    def remember(self, x):
        self.cache["mean"] = np.mean(x)
        return x - self.cache["mean"]

    def note(self, x):
        self.history.append([x * 2])
        return x

    def __call__(self, x):
        self.mean = cr.sum(cr.Tensor(x))
        return x


HELD = np.ones(2)


def writes_a_global(x):
    global HELD  # noqa: PLW0603
    HELD = HELD - x
    return HELD


def test_what_was_traced_is_kept_nowhere():
    net, x = Net(), np.ones(2)
    W, cache, history = net.W, net.cache, net.history
    for f, place in (
        (net.step, r"self\.W"),
        (net.remember, r"self\.cache\['mean'\]|self\.cache\[mean\]"),
        (net.note, r"self\.history"),
        (net, r"self\.mean"),
        (functools.partial(net.step), r"self\.W"),
        (lambda x: net.step(x), r"net\.W"),
        (writes_a_global, "HELD"),
    ):
        with pytest.raises(cr.CompileError, match=f"keeps a result in ({place}), which"):
            cr.compile(f)(x)
        assert net.W is W
        assert net.cache is cache
        assert not cache
        assert net.history is history
        assert not history
        assert not hasattr(net, "mean")
        assert HELD.tolist() == [1.0, 1.0]
    held = np.ones(2)

    def closed(x):
        nonlocal held
        held = held - x
        if x.shape == (2,):
            raise KeyError("its own error")
        return held

    with pytest.raises(KeyError, match="its own"):
        cr.compile(closed)(x)
    assert held.tolist() == [1.0, 1.0]


def test_other_threads_print_while_one_compiles(capsys):
    real = sys.stdout
    go, stop = threading.Event(), threading.Event()

    def slow(x):
        go.set()
        stop.wait(5)
        return x * 2

    worker = threading.Thread(target=lambda: cr.compile(slow)(1.0))
    worker.start()
    go.wait(5)
    print("from outside")  # noqa: T201
    cr.compile(lambda x: x + 1)(1.0)  # ends while the other one goes on
    stop.set()
    worker.join()
    assert sys.stdout is real
    assert capsys.readouterr().out == "from outside\n"
    with pytest.raises(cr.CompileError, match="prints"):
        cr.compile(lambda x: print("inside"))(1.0)  # noqa: T201
    assert sys.stdout is real


def test_a_call_that_is_done_by_the_function_gives_data_too():
    w = cr.Tensor([1.0, 2.0])

    @cr.compile
    def f(x):
        w.grad = None
        y = np.sum(np.sqrt(w * x))
        y.backward()
        return y, w

    kinds = [type(r) for r in f(1.0)]
    result = f(0.0)
    assert [type(r) for r in result] == kinds == [np.float64, np.ndarray]
    assert not np.shares_memory(result[1], w.data)


def test_numbers_beside_an_array_that_is_read_compile_once():
    w, calls = cr.Tensor([0.1, 0.2, 0.3]), [0]

    def f(xs):
        calls[0] += 1
        return sum(np.tanh(x * w.data[i % 3]) for i, x in enumerate(xs))

    compiled = cr.compile(f)
    for k in range(3):
        xs = [0.01 * i + k for i in range(300)]
        assert compiled(xs) == pytest.approx(f(xs))
    assert calls[0] == 2 + 3


def test_what_cannot_be_traced_for_an_error_says_so():
    compiled = cr.compile(lambda x: np.nan_to_num(x * 2.0, copy=False))
    with pytest.warns(RuntimeWarning, match="runs as it is, not compiled: tracing it raised"):
        assert compiled(np.array([np.nan, 1.0])).tolist() == [0.0, 2.0]


def test_whole_numbers_of_other_kinds():
    class Axis(enum.IntEnum):
        ROW = 0
        COLUMN = 1

    class Special(float):
        def __repr__(self):
            return "special"

    x = np.arange(4.0).reshape(2, 2)
    same(lambda x: x[Axis.COLUMN] * 3.0, x)
    same(lambda x: np.sum(x, axis=Axis.COLUMN), x)
    same(lambda x: x * Special(2.5), x)
    for f in (lambda x, n: x * np.ones(n), cr.grad(lambda x, n: np.sum(np.sum(x, axis=n) ** 2))):
        with pytest.raises(cr.CompileError, match=r"number is (used as a length|taken out)"):
            cr.compile(f)(x, np.int64(1))


def test_methods_of_arrays():
    x = np.array([3.0, -1.0, 2.0])
    same(lambda x: x.clip(min=0.0), x)
    same(lambda x: x.clip(max=1.0), x)
    same(lambda x: x * x.itemsize, x)

    def filled(x):
        y, z = x * 2, x * 3
        y.fill(3.0)
        z.sort()
        return y, z

    same(filled, x)
    same(lambda x: np.zeros_like(x) + x, x.astype(">f8"))
    assert cr.compile(np.zeros_like)(x.astype(">f8")).dtype == np.dtype(">f8")


def test_a_learning_rate_may_shrink_inside_of_a_compiled_step():
    w = cr.Tensor([1.0])
    optimizer = cr.optim.SGD([w], 0.5)

    @cr.compile
    def step(x):
        optimizer.zero_grad()
        np.sum(w * x).backward()
        optimizer.step()
        optimizer.learning_rate = optimizer.learning_rate * 0.5

    for _ in range(3):
        step(np.ones(1))
    assert w.item() == 1.0 - 0.5 - 0.25 - 0.125
    assert optimizer.learning_rate == 0.0625


def test_a_compiled_method():
    class Scaled:
        def __init__(self, factor):
            self.factor = factor

        @cr.compile
        def gradient(self, x):
            return cr.grad(lambda x: np.sum(self.factor * x**2))(x)

    assert Scaled(2.0).gradient(np.ones(2)).tolist() == [4.0, 4.0]
    assert Scaled(3.0).gradient(np.ones(2)).tolist() == [6.0, 6.0]
    assert "x" in Scaled.gradient.source


def test_a_saved_module_has_the_name_of_its_function(tmp_path):
    def loss(loss):
        return loss * 2.0

    def make(x):
        return x * 3.0

    total = functools.wraps(sum)(lambda x: np.add.reduce(x))
    del total.__wrapped__
    for f, name in ((total, "sum"), (loss, "loss"), (make, "make_2")):
        compiled = cr.compile(f)
        expected = compiled(np.ones(3))
        compiled.save(tmp_path / "saved.py")
        found = runpy.run_path(str(tmp_path / "saved.py"))[name](np.ones(3))
        np.testing.assert_array_equal(found, expected)


def test_half_precision_is_left_as_it_is():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(lambda x: x / 2.0**-19, np.array([0.001, 0], np.float16))
        same(lambda x: x / 2.0**17, np.array([1000.0], np.float16))
        a, b = np.array([300, 300], np.float16), np.array([300, -299], np.float16)
        same(lambda a, b: np.sum(a * b), a, b)


def test_entries_of_a_constant_are_taken_as_the_message_says():
    constant, rows = np.arange(12.0).reshape(4, 3), np.array([0, 1, 3])
    for attempt in (lambda i: np.take(constant, i, axis=0), lambda i: constant[int(i[0])]):
        with pytest.raises(cr.CompileError, match=r"make C = cr\.Tensor\(constant\) outside"):
            cr.compile(attempt)(rows)
    C = cr.Tensor(constant)
    compiled = cr.compile(lambda i: C[i].data)
    for index in (rows, rows[::-1].copy()):
        np.testing.assert_array_equal(compiled(index), constant[index])
