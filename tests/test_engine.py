"""The graph and the sweep: sharing, size, memory, and data that changed in the meantime."""

import copy
import gc
import math
import pickle
import sys
import threading
import weakref

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.engine import newest_first


def leaf(kind, number=3.0, label=None):
    return cr.Value(number, label) if kind == "value" else cr.Tensor(number, label)


both = pytest.mark.parametrize("kind", ["value", "tensor"])


@both
def test_a_node_waits_for_all_its_consumers(kind):
    a = leaf(kind, 2.0)
    b = a + a
    c = b * b
    c.backward()
    assert c.item() == 16
    assert a.grad == 16


@both
def test_parallel_edges_are_kept(kind):
    h = leaf(kind, 6.0)
    o = h * h
    o.backward()
    assert h.grad == 12
    assert cr.count_paths(o, h) == 2


@both
def test_sixty_doublings_are_exact(kind):
    x = leaf(kind, 1.5)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad == 2.0**60
    assert cr.count_paths(y, x) == 2**60


def test_paths_are_counted_exactly_beyond_any_float():
    x = y = cr.Value(1.0)
    for _ in range(200):
        y = y + y
    assert cr.count_paths(y, x) == 2**200
    assert cr.count_paths(y, cr.Value(1.0)) == 0
    assert cr.count_paths(x, x) == 1


@both
def test_a_million_nodes_without_recursion(kind):
    count = 1_000_000
    gc.disable()  # the collector would walk the growing graph again and again
    try:
        x = y = leaf(kind, 0.0)
        for _ in range(count):
            y = y + 1.0
        y.backward()
        assert y.item() == count
        assert x.grad == 1
        del y
    finally:
        gc.enable()


def test_a_deep_graph_is_copied_without_recursion():
    x = cr.Value(1.0, "x")
    y = x
    for _ in range(20_000):
        y = y + x
    twin = copy.deepcopy(y)
    twin.backward()
    leaves = [node for node in newest_first(twin) if node.op is None]
    assert [node.grad for node in leaves] == [20_001]
    assert leaves[0] is not x
    assert x.grad is None


def test_copies_of_tensors_are_independent():
    t = cr.Tensor([1.0, 2.0], "t")
    twin = copy.deepcopy(t)
    twin.data[0] = 5
    assert t.data[0] == 1
    shallow = copy.copy(t * t)
    shallow.sum().backward()
    assert t.grad.tolist() == [2, 4]


def test_a_leaf_is_pickled_and_a_graph_is_refused():
    t = pickle.loads(pickle.dumps(cr.Tensor([1.0, 2.0], "t")))
    assert t.data.tolist() == [1, 2]
    assert t.label == "t"
    v = pickle.loads(pickle.dumps(cr.Value(2.0, "v")))
    assert (v.data, v.label) == (2.0, "v")
    with pytest.raises(TypeError, match=r"multiply.* pickle its \.data"):
        pickle.dumps(t * t)


@both
def test_backward_twice_accumulates_on_the_leaves_only(kind):
    x = leaf(kind, 6.0, "x")
    h = x * 1.0
    h.label = "h"
    y = h * h
    y.backward()
    assert (x.grad, h.grad) == (12, 12)
    y.backward()
    assert (x.grad, h.grad) == (24, 12)


def test_grad_is_on_every_value_and_on_labelled_tensors():
    x = cr.Value(2.0)
    h = x * 3
    (h + 1).backward()
    assert h.grad == 1.0
    t = cr.Tensor([2.0])
    plain = t * 3
    named = plain + 1
    named.label = "named"
    named.sum().backward()
    assert plain.grad is None
    assert named.grad.tolist() == [1.0]


def test_adjoints_do_not_touch_grad():
    x = cr.Tensor([1.0, 2.0])
    h = x * x
    y = h.sum()
    table = cr.adjoints(y)
    assert table[h].tolist() == [1, 1]
    assert table[x].tolist() == [2, 4]
    assert table[y] == 1
    assert x.grad is None
    with pytest.raises(KeyError, match="not in the graph"):
        table[cr.Tensor([1.0])]


def test_adjoints_are_released_as_soon_as_they_are_consumed():
    class Watched(np.ndarray):
        pass

    alive = []

    def watch(y_bar, _y, _x):
        fresh = y_bar.view(Watched).copy()
        alive.append(weakref.ref(fresh))
        return fresh

    step = cr.op(lambda x: x + 0, watch, name="step")
    most = []
    look = cr.op(
        lambda x: x + 0,
        lambda y_bar, _y, _x: most.append(sum(r() is not None for r in alive)) or y_bar,
        name="look",
    )
    y = cr.Tensor(np.ones(3))
    for _ in range(20):
        y = look(step(y))
    y.sum().backward()
    assert len(alive) == 20
    assert max(most) <= 2


@both
def test_no_reference_cycles(kind, no_garbage):
    x = leaf(kind, 0.5)
    y = ops.sigmoid(x * x + 1.0) * x
    y.backward()
    del x, y


def test_the_look_for_cycles_sees_one():
    from conftest import is_ours

    ring = [cr.Value(1.0)]
    ring.append(ring)
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    del ring
    gc.collect()
    gc.set_debug(0)
    seen = [x for x in gc.garbage if is_ours(x)]
    gc.garbage.clear()
    assert len(seen) == 1


def test_no_reference_cycles_after_a_training_step(no_garbage):
    net = cr.nn.MLP([3, 4, 2])
    optimizer = cr.optim.GradientDescent(net.parameters(), 0.1)
    cr.fit(
        lambda: cr.nn.mean_squared_error(net(np.ones((5, 3))), np.zeros((5, 2))),
        optimizer,
        epochs=3,
    )


def test_memory_goes_with_the_root():
    t = cr.Tensor(np.ones(3))
    mark = np.ones(3)
    watch = weakref.ref(mark)
    y = t * mark
    del mark
    assert watch() is not None
    del y
    assert watch() is None


# ------------------------------------------------------------------------- seeds


def test_backward_from_an_array_needs_a_seed():
    t = cr.Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match=r"shape \(2,\) needs a seed"):
        (t * t).backward()
    (t * t).backward([1.0, 10.0])
    assert t.grad.tolist() == [2.0, 40.0]
    with pytest.raises(ValueError, match=r"seed of shape \(2,\) expected, got \(3,\)"):
        (t * t).backward(np.ones(3))


def test_seeds_of_values():
    x = cr.Value(3.0)
    (x * x).backward(2.0)
    assert x.grad == 12.0


def test_backward_on_a_leaf():
    x = cr.Value(3.0)
    x.backward()
    assert x.grad == 1.0


def test_a_one_element_array_needs_no_seed():
    t = cr.Tensor([[2.0]])
    (t * t).backward()
    assert t.grad.tolist() == [[4.0]]


def test_the_seed_is_not_shared():
    seed = np.ones(2)
    t = cr.Tensor([1.0, 2.0])
    u = cr.Tensor([1.0, 2.0])
    (t + u).backward(seed)
    t.grad *= 5
    assert u.grad.tolist() == [1, 1]
    assert seed.tolist() == [1, 1]


# --------------------------------------------------------- rules that return nonsense


def test_a_wrong_shaped_rule_raises_with_the_name_of_the_op():
    bad = cr.op(lambda x: x * 2, lambda y_bar, _y, _x: y_bar.sum(), name="bad_double")
    t = cr.Tensor([1.0, 2.0])
    with pytest.raises(cr.RuleError, match=r"bad_double .*test_engine.py, line \d+") as error:
        bad(t).sum().backward()
    assert "shape ()" in str(error.value)
    assert "shape (2,)" in str(error.value)
    assert t.grad is None


def test_a_rule_with_a_wrong_dtype_raises():
    bad = cr.op(
        lambda x: x * 2, lambda y_bar, _y, _x: (2 * y_bar).astype(np.float64), name="bad_dtype"
    )
    with pytest.raises(cr.RuleError, match="bad_dtype .* dtype float64; .* dtype float32"):
        bad(cr.Tensor(np.ones(2, np.float32))).sum().backward()


def test_a_rule_that_returns_no_number_raises():
    bad = cr.elementwise(np.exp, lambda _y, _x: 1j, scalar=float, name="bad_number")
    with pytest.raises(cr.RuleError, match="bad_number.*returned complex where a float"):
        bad(cr.Value(1.0)).backward()
    numpy_rule = cr.elementwise(np.sin, lambda _y, x: np.cos(x), scalar=math.sin, name="np_rule")
    x = cr.Value(0.0)
    numpy_rule(x).backward()
    assert type(x.grad) is float


def test_only_elementwise_ops_are_unbroadcast():
    stretch = cr.op(
        lambda x: np.broadcast_to(x, (4, *x.shape)), lambda y_bar, _y, _x: y_bar, name="stretch"
    )
    with pytest.raises(cr.RuleError, match=r"stretch.*shape \(4, 2\)"):
        stretch(cr.Tensor([1.0, 2.0])).sum().backward()


def test_an_exception_in_a_rule_leaves_every_grad_alone():
    def broken(y_bar, _y, _x):
        raise KeyError("inside the rule")

    bad = cr.op(lambda x: x * 2, broken, name="bad")
    t, u = cr.Tensor([1.0]), cr.Tensor([2.0])
    with pytest.raises(KeyError):
        (bad(t) * u).sum().backward()
    assert u.grad is None


# ------------------------------------------------------- data changed before backward


def changed(what):
    return pytest.raises(cr.ChangedDataError, match=what)


def test_a_leaf_written_into_is_noticed_with_op_label_and_line():
    w = cr.Tensor([1.0, 2.0], label="w")
    y = w * w
    y.label = "square"
    line = sys._getframe().f_lineno - 2
    w.data[0] = 5.0
    with changed(rf"'w' was changed after multiply 'square' recorded at .*, line {line}"):
        y.sum().backward()
    assert w.grad is None


@pytest.mark.parametrize("size", [1, 3, 64, 65, 1000, 1024, 1025, 70_001])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_single_entry_counts(size, dtype, random):
    t = cr.Tensor(random.standard_normal(size).astype(dtype))
    y = ops.sum(t * t)
    for place in {0, size // 2, size - 1}:
        before = t.data[place]
        t.data[place] = np.nextafter(before, dtype(100))
        with changed("multiply"):
            y.backward()
        t.data[place] = before
    t.data[:] = t.data[::-1].copy()
    if size > 1:
        with changed("multiply"):
            y.backward()
        t.data[:] = t.data[::-1].copy()
    y.backward()
    assert np.array_equal(t.grad, 2 * t.data)


def test_in_place_update_between_forward_and_backward():
    w = cr.Tensor([1.0, 2.0], label="w")
    y = (w * w).sum()
    w.data -= 0.1
    with changed("'w' was changed"):
        y.backward()


def test_data_assigned_between_forward_and_backward():
    w = cr.Tensor([1.0, 2.0], label="w")
    y = (w * w).sum()
    w.data = [3.0, 4.0]
    with changed("'w' was changed"):
        y.backward()


def test_a_value_knows_its_partials_since_forward():
    v = cr.Value(2.0, "v")
    y = v * v
    v.data = 3.0
    y.backward()
    assert v.grad == 4.0  # the derivative at 2, where y was computed
    with changed("'v' was changed after multiply, whose derivative needs it"):
        cr.adjoints(y, record=True)  # the rule itself would now be read at 3


def test_data_that_no_rule_needs_may_change():
    w, b = cr.Tensor([1.0, 2.0]), cr.Tensor([0.5, 0.5])
    y = (w + b).sum()
    b.data -= 1
    w.data = [7.0, 7.0]
    y.backward()
    assert w.grad.tolist() == b.grad.tolist() == [1, 1]
    v = cr.Value(2.0)
    y = v + 1.0
    v.data = 9.0
    y.backward()
    assert v.grad == 1.0


def test_a_captured_constant_that_its_owner_changes():
    x, w = np.array([1.0, 2.0]), cr.Tensor([3.0, 4.0])
    y = (w * x).sum()
    x[0] = 100.0
    with changed("input 1 was changed after multiply"):
        y.backward()


def test_the_array_a_tensor_was_made_from_may_change():
    x = np.array([1.0, 2.0])
    t = cr.Tensor(x)
    y = (t * t).sum()
    x[0] = 100.0
    y.backward()
    assert t.grad.tolist() == [2, 4]


@pytest.mark.parametrize(
    "view",
    [
        lambda t: t.reshape(3, 2),
        lambda t: t.T,
        lambda t: t[0],
        lambda t: t[:, ::2][1:],
        ops.stop_gradient,
        lambda t: ops.broadcast_to(t, (4, 2, 3)),
        lambda t: t.reshape(2, 3),
        lambda t: t.reshape(6).reshape(3, 2).T,
    ],
)
def test_a_view_of_a_changed_leaf_is_noticed(view):
    t = cr.Tensor(np.arange(6.0).reshape(2, 3))
    v = view(t)
    y = ops.sum(v * v)
    t.data += 1.0
    with changed("multiply"):
        y.backward()


def test_the_data_of_computed_tensors_is_read_only():
    h = cr.Tensor([1.0, 2.0]) * 2
    with pytest.raises(ValueError, match="read-only"):
        h.data[0] = 5
    with pytest.raises(TypeError, match="computed .multiply.*assign to a leaf"):
        h.data = [1.0, 2.0]
    v = cr.Value(1.0) * 2
    with pytest.raises(TypeError, match="computed .multiply.*assign to a leaf"):
        v.data = 3.0


def test_an_index_array_that_its_owner_changes():
    index, t = np.array([0, 0, 1]), cr.Tensor([1.0, 2.0])
    y = t[index].sum()
    index[:] = 1
    y.backward()
    assert t.grad.tolist() == [2, 1]


def test_training_after_backward_is_fine():
    w = cr.Tensor([1.0, 2.0])
    for _ in range(3):
        y = (w * w).sum()
        w.grad = None
        y.backward()
        w.data -= 0.1 * w.grad
    assert np.allclose(w.data, np.array([1.0, 2.0]) * 0.8**3)


# ------------------------------------------------------------------------- recording


def test_no_grad_computes_without_recording():
    t = cr.Tensor([1.0, 2.0])
    with cr.no_grad():
        y = t * t
        v = cr.Value(2.0) * 3
        view = t.reshape(2, 1)
    assert (y.op, y.inputs, v.op, v.inputs) == (None, (), None, ())
    view.data[0] = 9.0
    assert t.data[0] == 1.0

    @cr.no_grad()
    def double(x):
        return x * 2

    assert double(t).op is None
    assert (t * t).op is ops.multiply


def test_no_grad_ends_with_an_exception():
    with pytest.raises(KeyError), cr.no_grad():
        raise KeyError
    assert (cr.Value(1.0) * 2).op is ops.multiply


def test_no_grad_in_one_thread_leaves_others_alone():
    inside, done, recorded = threading.Event(), threading.Event(), []

    def quiet():
        with cr.no_grad():
            inside.set()
            done.wait(5)

    thread = threading.Thread(target=quiet)
    thread.start()
    inside.wait(5)
    recorded.append((cr.Value(1.0) * 2).op)
    done.set()
    thread.join()
    assert recorded == [ops.multiply]


def test_threads_share_a_leaf():
    w = cr.Tensor(np.ones(10))
    results = [None] * 8

    def work(i):
        for _ in range(50):
            results[i] = cr.adjoints((w * w * float(i)).sum())[w]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r[0] for r in results] == [2.0 * i for i in range(8)]


def test_detach_and_stop_gradient():
    x = cr.Value(3.0, "x")
    h = x * x
    (h.detach() * x).backward()
    assert x.grad == 9
    t = cr.Tensor([3.0], "t")
    loss = (cr.stop_gradient(t * t) * t).sum()
    loss.backward()
    assert t.grad.tolist() == [9]
    assert cr.count_paths(loss, t) == 3  # the path is there, its product is zero
    d = t.detach()
    d.data[0] = 7
    assert (t.data[0], d.label) == (3, "t")
