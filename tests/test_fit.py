"""cr.fit: where batches come from, when it ends, what it keeps, and how it goes on."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.training import stepping

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(30, 3))
Y = np.sin(X[:, :1]) + 0.1 * RANDOM.normal(size=(30, 1))


def network(seed=0, *, dropout=False, norm=False):
    with cr.nn.seed(seed):
        layers = [cr.nn.Linear(3, 8), cr.tanh]
        layers += [cr.nn.BatchNorm(8)] if norm else []
        layers += [cr.nn.Dropout(0.25)] if dropout else []
        return cr.nn.Sequential(*layers, cr.nn.Linear(8, 1))


def training(epochs=10, *, seed=0, dropout=False, norm=False, **options):
    net = network(seed, dropout=dropout, norm=norm)
    optimizer = cr.optim.Adam(net.parameters(), cr.optim.Cosine(0.05, 200))
    options = {"data": [X, Y], "batch_size": 7} | options
    history = cr.fit(lambda x, y: cr.nn.mean_squared_error(net(x), y), optimizer, epochs, **options)
    return net, history


def bits(net):
    return {name: array.tobytes() for name, array in net.state().items()}


# ----------------------------------------------------------------------------- the steps


@pytest.mark.parametrize("batch_size", [None, 7])
def test_compiled_steps_train_as_others_do(batch_size):
    expected, by_hand = training(60, compiled=False, batch_size=batch_size)
    for compiled in (None, True):
        net, history = training(60, compiled=compiled, batch_size=batch_size)
        np.testing.assert_allclose(history.errors, by_hand.errors, rtol=1e-9)
        assert history.gradients.keys() == by_hand.gradients.keys()
        for name, array in expected.state().items():
            np.testing.assert_allclose(net.state()[name], array, rtol=1e-7, atol=1e-10)


def test_what_cannot_be_compiled_runs_as_it_is():
    net, history = training(60, dropout=True)
    again, twin = training(60, dropout=True, compiled=False)
    assert history.errors == twin.errors
    assert bits(net) == bits(again)
    with pytest.raises(cr.CompileError):
        training(60, dropout=True, compiled=True)


def test_steps_are_compiled_where_it_pays(monkeypatch):
    made = []
    real = stepping.Step.__init__

    def noted(self, *args, **options):
        real(self, *args, **options)
        made.append(self)

    monkeypatch.setattr(stepping.Step, "__init__", noted)
    training(40)
    assert len(made[-1].compiled.programs) == 2  # one for the batches of seven, one for the last
    training(39)
    assert made[-1].compiled is None
    training(40, callbacks=[lambda history: None])
    assert made[-1].compiled is None
    sizes = [slice(0, n) for n in range(2, 30)]
    training(40, data=[(X[s], Y[s]) for s in sizes], batch_size=None)
    assert made[-1].compiled is None
    training(40, data=lambda epoch: iter([(X, Y)]), batch_size=None)
    assert len(made[-1].compiled.programs) == 1


def test_a_callback_may_change_what_the_loss_reads():
    w, factor = cr.Value(1.0), [1.0]

    def grow(history):
        factor[0] = history.epochs + 1.0

    history = cr.fit(lambda: w * 0.0 + factor[0], cr.optim.SGD([w], 0.1), 300, callbacks=[grow])
    assert history.errors[:4] == [1.0, 1.0, 2.0, 3.0]
    assert history.errors[-1] == 300.0


def test_the_same_seed_gives_the_same_bits_and_nothing_global_is_touched():
    before = np.random.get_state()[1].tobytes()  # noqa: NPY002 -- it must stay as it is
    one, other = training(50, dropout=True, norm=True), training(50, dropout=True, norm=True)
    assert bits(one[0]) == bits(other[0])
    assert one[1].errors == other[1].errors
    assert training(3, data=[X, Y], seed=1)[1].errors != one[1].errors[:4]
    assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002


# -------------------------------------------------------------------------------- data


def test_where_batches_come_from(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    mapped = [np.load(tmp_path / name, mmap_mode="r") for name in ("x.npy", "y.npy")]
    expected = training(5)[1].errors
    assert training(5, data=mapped)[1].errors == expected
    assert training(5, data=(X.tolist(), Y.tolist()))[1].errors == expected
    batches = cr.data.Batches([X, Y], 7)
    assert training(5, data=batches, batch_size=None)[1].errors == expected
    each_epoch = lambda epoch: batches.epoch(epoch)
    streamed = training(5, data=each_epoch, batch_size=None, compiled=False)[1].errors
    assert streamed[1:] == expected[1:]
    in_order = list(batches.epoch(None))
    listed = training(5, data=in_order, batch_size=None)[1].errors
    same_order = cr.data.Batches([X, Y], 7, shuffle=False)
    assert listed == training(5, data=same_order, batch_size=None)[1].errors


def test_batches_of_files(tmp_path):
    paths = []
    for i, rows in enumerate(np.array_split(np.arange(30), 4)):
        paths.append(tmp_path / f"{i}.npz")
        np.savez(paths[-1], x=X[rows], y=Y[rows])
    opened = []

    def load(path):
        opened.append(path)
        return cr.data.arrays_of(path)

    files = cr.data.FileBatches(paths, 3, load=load, seed=5)
    first, second = (list(files.epoch(k)) for k in (0, 1))
    assert len(opened) == 8
    for batches in (first, second):
        rows = np.concatenate([x for x, _ in batches])
        assert not np.array_equal(rows, X)
        assert sorted(map(tuple, rows)) == sorted(map(tuple, X))
        assert all(np.array_equal(y[0], Y[np.all(x[0] == X, axis=1)][0]) for x, y in batches)
    assert [x.tolist() for x, _ in first] != [x.tolist() for x, _ in second]
    for skip in range(len(first) + 1):
        rest = list(files.epoch(0, skip))
        assert [x.tolist() for x, _ in rest] == [x.tolist() for x, _ in first[skip:]]
    assert np.array_equal(np.concatenate([x for x, _ in files.epoch(None)]), X)
    assert training(3, data=files, batch_size=None)[1].epochs == 3
    np.save(tmp_path / "x.npy", X)
    (only,) = cr.data.FileBatches([tmp_path / "x.npy"], 99, shuffle=False).epoch(0)
    assert np.array_equal(only[0], X)


def test_data_that_gives_no_batches():
    for data, batch_size, kind, message in (
        (iter([(X, Y)]), None, TypeError, "an iterator, which is empty after one epoch"),
        (3, None, TypeError, "data is a list of arrays, or gives batches: .* got int"),
        ([(X, Y)], 5, ValueError, "batch_size is for arrays"),
        (lambda epoch: iter([]), None, ValueError, "the data has no batches"),
        ([X, Y], 0, ValueError, "batch_size must be at least 1"),
    ):
        with pytest.raises(kind, match=message):
            training(2, data=data, batch_size=batch_size)
    with pytest.raises(ValueError, match="no files"):
        cr.data.FileBatches([], 3)
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        cr.data.FileBatches(["a.npz"], 0)


# ------------------------------------------------------------------------ when it ends


def overfitting(**options):
    """Few samples: the training error falls, that of others rises after some epochs."""
    net = cr.nn.MLP([3, 50, 1], "tanh", seed=0)
    optimizer = cr.optim.Adam(net.parameters(), 0.05)
    history = cr.fit(
        lambda x, y: cr.nn.mean_squared_error(net(x), y),
        optimizer,
        400,
        **{"data": [X[:6], Y[:6]], "validation": [X[6:], Y[6:]], **options},
    )
    return net, history


@pytest.mark.parametrize("batch_size", [None, 4])
def test_the_weights_of_the_best_epoch_are_kept(batch_size):
    net, history = overfitting(patience=20, batch_size=batch_size)
    best = int(np.argmin(history.validation))
    assert history.stopped_by == "patience"
    assert history.best_epoch == best
    assert history.epochs == best + 20
    assert len(history.validation) == len(history.errors) == len(history.rates)
    error = cr.nn.mean_squared_error(net(X[6:]), Y[6:]).item()
    assert error == pytest.approx(history.validation[best], rel=1e-12)
    assert str(history).startswith(f"stopped at epoch {best + 20}, as validation gets no better")
    assert f"kept the weights of epoch {best}: validation error {error:.6g}" in str(history)
    figure = history.plot()
    assert list(figure.axes[0].lines[1].get_ydata()) == history.validation


def test_validation_by_a_function():
    calls = []

    def validation():
        calls.append(0)
        return abs(len(calls) - 4.0)

    _, history = overfitting(validation=validation, patience=2)
    assert history.validation == [3.0, 2.0, 1.0, 0.0, 1.0, 2.0]
    assert history.best_epoch == 3


def test_validation_is_computed_as_in_use():
    modes = []

    class Spy(cr.nn.Module):
        def __call__(self, x):
            modes.append(cr.recording.evaluating())
            return x

    net, spy = network(norm=True), Spy()
    optimizer = cr.optim.SGD(net.parameters(), 0.01)
    loss = lambda x, y: cr.nn.mean_squared_error(spy(net(x)), y)
    cr.fit(loss, optimizer, 1, data=[X, Y], batch_size=15, validation=[X, Y])
    # Before: two batches and two for validation; two of training; two for validation.
    assert modes == [True] * 4 + [False] * 2 + [True] * 2
    for p in net.parameters():
        assert p.grad is not None


def test_limits():
    start = time.perf_counter()
    history = training(10**6, seconds=0.3)[1]
    assert 0.3 <= time.perf_counter() - start < 10
    assert history.stopped_by == "seconds"
    assert "after 0.3" in str(history)
    seen = []
    history = training(50, callbacks=[seen.append, lambda history: history.epochs == 3])[1]
    assert (history.stopped_by, history.epochs) == ("callback", 3)
    assert seen == [history] * 4
    assert str(history).startswith("stopped by a callback at epoch 3")
    for options, message in (
        ({"patience": 0, "validation": [X, Y]}, "epochs and patience must be at least 1"),
        ({"patience": 3}, "patience needs validation"),
    ):
        with pytest.raises(ValueError, match=message):
            training(2, **options)


@pytest.fixture
def usual():
    """Python's own handler of Ctrl-C; a program in the background has none."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_after_the_step(usual):
    steps = []

    def data(epoch):
        for start in range(0, 30, 5):
            steps.append(epoch)
            if len(steps) == 6 + 6 * 3 + 2:  # the pass before training, three epochs, two steps
                signal.raise_signal(signal.SIGINT)
            yield X[start : start + 5], Y[start : start + 5]

    net, history = training(50, data=data, batch_size=None, validation=[X, Y])
    assert (history.stopped_by, history.epochs) == ("interrupt", 4)
    assert str(history).startswith("interrupted at epoch 4: error")
    best = history.validation[history.best_epoch]
    assert cr.nn.mean_squared_error(net(X), Y).item() == pytest.approx(best, rel=1e-9)
    assert signal.getsignal(signal.SIGINT) is usual

    def twice(epoch):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        yield X, Y

    with pytest.raises(KeyboardInterrupt):
        training(5, data=twice, batch_size=None)
    assert signal.getsignal(signal.SIGINT) is usual


# ---------------------------------------------------------------------- what goes wrong


def test_dead_units_are_told():
    net = cr.nn.MLP([3, 5, 1], "relu", seed=0)
    b = net.layers[0].b
    b.data = np.array([0.0, -100.0, 0.0, -100.0, 0.0])
    optimizer = cr.optim.SGD(net.parameters(), 0.01)
    loss = lambda x, y: cr.nn.mean_squared_error(net(x), y)
    message = "2 of 5 units of b1 had no gradient in epoch 1: they are dead"
    with pytest.warns(cr.TrainingWarning, match=message) as told:
        cr.fit(loss, optimizer, 70, data=[X, Y], batch_size=10)
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training(20)
        w = cr.Tensor(np.zeros(3))  # nothing has a gradient: all is done
        cr.fit(lambda: (w * 0.0).sum(), cr.optim.SGD([w], 0.1), 5)


def test_divergence_in_a_batch_is_noticed_at_once():
    steps = []

    def data(epoch):
        for k in range(100):
            steps.append(k)
            yield (np.full((1, 3), 1e200 if epoch == 0 and k == 3 else 1.0), np.ones((1, 1)))

    w = cr.Tensor(np.ones((3, 1)))
    source = lambda epoch: data(epoch) if steps else iter([*data(1)])
    loss = lambda x, y: cr.nn.mean_squared_error(x @ w, y)
    message = r"became (inf|nan)"
    with np.errstate(all="ignore"), pytest.raises(cr.DivergedError, match=message):
        cr.fit(loss, cr.optim.SGD([w], 0.1), 3, data=source)
    assert len(steps) == 104


# ------------------------------------------------------------------------- checkpoints


class Stopped(Exception):  # noqa: N818
    """A program that ends."""


class Stopping(cr.data.Batches):
    """Batches that come to an end again and again."""

    def __init__(self, arrays, batch_size, stop):
        super().__init__(arrays, batch_size)
        self.stop, self.count = stop, 0

    def epoch(self, number, skip=0):
        for batch in super().epoch(number, skip):
            self.count += 1
            if self.count > 10 and self.count % self.stop == 0 and self.count < 12 * self.stop:
                raise Stopped
            yield batch


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("compiled", [False, None])
def test_a_stopped_training_goes_on_with_the_same_bits(tmp_path, batch_size, compiled):
    options = {
        "epochs": 50,
        "dropout": compiled is False,
        "norm": True,
        "compiled": compiled,
        "validation": [X[:9], Y[:9]],
        "batch_size": batch_size,
    }
    whole, history = training(**options)
    path = tmp_path / "run.npz"
    for stop in (3, 7, 23):
        path.unlink(missing_ok=True)
        source, stops = Stopping([X, Y], batch_size, stop), 0
        while True:
            try:
                net, again = training(
                    **{**options, "data": source, "batch_size": None},
                    checkpoint=path,
                    checkpoint_seconds=0.0,
                )
                break
            except Stopped:
                stops += 1
        assert stops > 1
        assert bits(net) == bits(whole)
        assert again.errors == history.errors
        assert again.validation == history.validation
        assert again.best_epoch == history.best_epoch
        assert again.rates == history.rates


def test_a_finished_training_is_not_done_again_and_may_be_prolonged(tmp_path):
    path = tmp_path / "run.npz"
    training(8, checkpoint=path, compiled=False)

    class Empty(cr.data.Batches):
        def epoch(self, number, skip=0):
            raise AssertionError(f"nothing is to be done, not {number}, {skip}")

    net, history = training(8, checkpoint=path, data=Empty([X, Y], 7), batch_size=None)
    assert history.stopped_by == "epochs"
    longer, _ = training(12, checkpoint=path, compiled=False)
    assert bits(longer) == bits(training(12, compiled=False)[0])
    assert bits(net) == bits(training(8, compiled=False)[0])


def test_an_interrupted_training_goes_on_in_the_middle_of_its_epoch(tmp_path, usual):
    path, count = tmp_path / "run.npz", [0]

    class Source(cr.data.Batches):
        def epoch(self, number, skip=0):
            for batch in super().epoch(number, skip):
                count[0] += 1
                if count[0] == 18:
                    signal.raise_signal(signal.SIGINT)
                yield batch

    options = {"compiled": False, "checkpoint": path, "batch_size": None}
    _, history = training(6, data=Source([X, Y], 7), **options)
    assert history.stopped_by == "interrupt"
    net, history = training(6, data=Source([X, Y], 7), **options)
    assert history.stopped_by == "epochs"
    whole, expected = training(6, compiled=False)
    assert history.errors == expected.errors
    assert bits(net) == bits(whole)


def test_files_of_other_trainings(tmp_path):
    path = tmp_path / "run.npz"
    training(2, checkpoint=path)
    held = path.read_bytes()
    for options, message in (
        ({"norm": True}, "everything does not fit: the state does not fit"),
        ({"dropout": True}, "everything does not fit: the state does not fit"),
    ):
        with pytest.raises(cr.CheckpointError, match=message):
            training(2, checkpoint=path, **options)
        assert path.read_bytes() == held
    path.write_bytes(held[:500])
    with pytest.raises(cr.CheckpointError, match="or it is damaged"):
        training(2, checkpoint=path)
    assert path.read_bytes() == held[:500]
    cr.save(path, x=1)
    with pytest.raises(cr.CheckpointError, match="is no checkpoint of cr.fit"):
        training(2, checkpoint=path)


SCRIPT = """
import sys, time
import numpy as np
import chainrule as cr

path, pause = sys.argv[1], float(sys.argv[2])
random = np.random.default_rng(0)
x = random.normal(size=(40, 3))
y = np.sin(x[:, :1])
with cr.nn.seed(0):
    net = cr.nn.Sequential(
        cr.nn.Linear(3, 8), cr.nn.BatchNorm(8), cr.relu, cr.nn.Dropout(0.2), cr.nn.Linear(8, 1)
    )
noise = np.random.default_rng(5)


def loss(a, b):
    time.sleep(pause)
    return cr.nn.mean_squared_error(net(a + 0.01 * noise.normal(size=a.shape)), b)


optimizer = cr.optim.Adam(net.parameters(), cr.optim.Cosine(0.05, 60))
history = cr.fit(
    loss, optimizer, 6, data=[x, y], batch_size=5, validation=[x, y], checkpoint=path,
    checkpoint_seconds=0.0, compiled=False, progress=False,
)
print(history.stopped_by, repr(history.errors))
for name, array in net.state().items():
    print(name, array.tobytes().hex())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_training_killed_at_any_moment_ends_with_the_same_bits(tmp_path):
    source = str(Path(cr.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": source}
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")

    def start(path, pause):
        return subprocess.Popen(
            [sys.executable, str(tmp_path / "train.py"), str(path), str(pause)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )

    expected, problems = start(tmp_path / "whole.npz", 0.0).communicate(timeout=120)
    assert expected, problems
    path, random, kills = tmp_path / "killed.npz", np.random.default_rng(1), 0
    for _ in range(40):
        process = start(path, 0.01)
        before = path.stat().st_mtime_ns if path.exists() else 0
        while process.poll() is None:  # until it has saved anew, and a moment of chance longer
            if path.exists() and path.stat().st_mtime_ns != before:
                break
            time.sleep(0.001)
        time.sleep(random.uniform(0.0, 0.15))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        found, problems = process.communicate(timeout=60)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, problems
    assert found == expected
    assert kills >= 3
