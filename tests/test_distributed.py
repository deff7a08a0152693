"""Gradients and trainings on a cluster of two worker processes, which may die."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

distributed = pytest.importorskip("distributed")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(64, 5))
Y = np.tanh(X @ RANDOM.normal(size=(5, 1))) + 0.1 * RANDOM.normal(size=(64, 1))
PARAMS = {"W": RANDOM.normal(size=(5, 7)), "b": np.zeros(7), "V": RANDOM.normal(size=(7, 1))}


def chunk(i, n=8):
    """Part i of the data, of unequal lengths."""
    ends = np.linspace(0, 64, n + 1).astype(int) + np.array([0, *[1] * (n - 1), 0])
    rows = slice(ends[i], ends[i + 1])
    return X[rows], Y[rows]


def loss(params, chunk):
    x, y = chunk
    h = np.tanh(x @ params["W"] + params["b"])
    return np.sum((h @ params["V"] - y) ** 2), len(x)


def mean_loss(params):
    total, count = loss(params, (X, Y))
    return total / count


@pytest.fixture(scope="module")
def client():
    """Two processes of one thread; the code of this file travels with the tasks."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit="350MB"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pickle_by_value()
        yield client


def pickle_by_value():
    """Workers do not import the tests."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])


def flat(result):
    value, gradients = result
    return b"".join([np.float64(value).tobytes(), *[g.tobytes() for g in gradients.values()]])


@pytest.mark.parametrize("tree", [False, True])
def test_gradients_are_those_of_one_process(client, tree):
    f = cr.distributed.value_and_grad(loss, client, 8, load=chunk, tree=tree)
    value, gradients = f(PARAMS)
    expected, wanted = cr.value_and_grad(mean_loss)(PARAMS)
    assert value == pytest.approx(expected, rel=1e-12)
    for key, g in wanted.items():
        np.testing.assert_allclose(gradients[key], g, rtol=1e-12, atol=1e-14)
    here = cr.distributed.value_and_grad(loss, None, 8, load=chunk, tree=tree)
    assert flat(here(PARAMS)) == flat((value, gradients)) == flat(f(PARAMS))


def test_a_sum_in_pairs_is_of_one_order():
    for n in range(1, 12):
        f = cr.distributed.value_and_grad(loss, None, n, load=lambda i, n=n: chunk(i, n), tree=True)
        value, gradients = f(PARAMS)
        assert value == pytest.approx(float(mean_loss(PARAMS)), rel=1e-12)
        np.testing.assert_allclose(gradients["W"], cr.grad(mean_loss)(PARAMS)["W"], rtol=1e-10)


@pytest.mark.parametrize("tree", [False, True])
def test_a_worker_that_dies_changes_nothing(client, tree):
    expected = flat(cr.distributed.value_and_grad(loss, None, 8, load=chunk, tree=tree)(PARAMS))

    def slow(i):
        time.sleep(0.15)
        return chunk(i)

    f = cr.distributed.value_and_grad(loss, client, 8, load=slow, tree=tree)
    from threading import Timer

    for after in (0.1, 0.35, 0.6):
        victims = client.run(os.getpid)
        killer = Timer(after, os.kill, (next(iter(victims.values())), signal.SIGKILL))
        killer.start()
        assert flat(f(PARAMS)) == expected
        killer.join()
        client.wait_for_workers(2, timeout=30)
        assert set(client.run(os.getpid).values()) != set(victims.values())


def test_what_fails_now_and_then_is_tried_again(client, tmp_path):
    def load(i):
        mark = tmp_path / str(i)
        if not mark.exists():
            mark.touch()
            raise OSError("the disk was busy")
        return chunk(i)

    f = cr.distributed.value_and_grad(loss, client, 8, load=load)
    assert flat(f(PARAMS)) == flat(cr.distributed.value_and_grad(loss, None, 8, load=chunk)(PARAMS))
    for mark in tmp_path.iterdir():
        mark.unlink()
    f = cr.distributed.value_and_grad(loss, client, 8, load=load, retries=0)
    with pytest.raises(OSError, match="the disk was busy"):
        f(PARAMS)


def test_arguments():
    value_and_grad = cr.distributed.value_and_grad
    with pytest.raises(TypeError, match=r"client is a dask.distributed.Client, got int: pip inst"):
        value_and_grad(loss, 3, 8, load=chunk)
    with pytest.raises(ValueError, match="n_chunks=0: at least 1"):
        value_and_grad(loss, None, 0, load=chunk)
    with pytest.raises(ValueError, match="no part of the data has a sample"):
        value_and_grad(lambda p, c: (p * 0.0, 0), None, 2, load=chunk)(1.0)
    with pytest.raises(TypeError, match=r"returns \(the sum of the losses, the number of samples"):
        value_and_grad(lambda p, c: p * 1.0, None, 2, load=chunk)(1.0)
    for options, message in (
        ({"n_chunks": 0}, "n_chunks=0: a whole number from 1 on"),
        ({"n_chunks": 4, "per_step": 0}, "per_step=0: a whole number"),
        ({}, "n_chunks=None: a whole number"),
    ):
        with pytest.raises(ValueError, match=message):
            cr.distributed.Chunks(chunk, **options)
    with pytest.raises(TypeError, match="gives part i of the data, got int"):
        cr.distributed.Chunks(3, 4)


def test_slices_of_files(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    slices = cr.distributed.Slices(tmp_path / "x.npy", tmp_path / "y.npy", n_chunks=5)
    parts = [slices(i) for i in range(5)]
    assert np.array_equal(np.concatenate([x for x, _ in parts]), X)
    assert np.array_equal(np.concatenate([y for _, y in parts]), Y)
    assert type(parts[0][0]) is np.ndarray
    again = pickle.loads(pickle.dumps(slices))
    assert np.array_equal(again(3)[0], parts[3][0])
    np.save(tmp_path / "z.npy", Y[:-1])
    with pytest.raises(ValueError, match=r"different lengths: \[64, 63\]"):
        cr.distributed.Slices(tmp_path / "x.npy", tmp_path / "z.npy", n_chunks=5)
    with pytest.raises(ValueError, match="n_chunks=65: from 1 to the 64 rows"):
        cr.distributed.Slices(tmp_path / "x.npy", n_chunks=65)


# ---------------------------------------------------------------------------- trainings


def trained(client, *, load=chunk, epochs=4, per_step=3, **options):
    net = cr.nn.MLP([5, 7, 1], "tanh", seed=0)
    optimizer = cr.optim.Adam(net.parameters(), 0.02)
    history = cr.fit(
        lambda x, y: cr.nn.mean_squared_error(net(x), y),
        optimizer,
        epochs,
        data=cr.distributed.Chunks(load, 8, per_step=per_step),
        client=client,
        **options,
    )
    return {k: x.tobytes() for k, x in net.state().items()}, history


def test_training_on_workers_gives_the_bits_of_one_process(client):
    bits, history = trained(client, validation=[X, Y])
    again, expected = trained(None, validation=[X, Y])
    assert bits == again
    assert history.errors == expected.errors
    assert history.validation == expected.validation
    assert history.errors[-1] < history.errors[0]
    parts = cr.distributed.Chunks(chunk, 8)
    by_parts = trained(client, validation=parts)[1].validation
    assert by_parts == pytest.approx(history.validation, rel=1e-12)
    # All parts at once are a batch of all samples.
    net = cr.nn.MLP([5, 7, 1], "tanh", seed=0)
    optimizer = cr.optim.Adam(net.parameters(), 0.02)
    loss = lambda x, y: cr.nn.mean_squared_error(net(x), y)
    whole = cr.fit(loss, optimizer, 4, data=[X, Y])
    parts = trained(client, per_step=8)[1]
    assert parts.errors[0] == pytest.approx(whole.errors[0], rel=1e-12)
    assert parts.errors[1:] == pytest.approx(whole.errors[:-1], rel=1e-9)


def test_a_worker_killed_in_the_middle_of_an_epoch(client):
    expected, _ = trained(None)
    killed = []

    def load(i):
        time.sleep(0.03)
        return chunk(i)

    def kill(history):
        if history.epochs == 1:
            from threading import Timer

            victim = next(iter(client.run(os.getpid).values()))
            killed.append(victim)
            Timer(0.1, os.kill, (victim, signal.SIGKILL)).start()

    bits, history = trained(client, load=load, callbacks=[kill])
    assert len(killed) == 1
    assert history.epochs == 4
    assert bits == expected
    client.wait_for_workers(2, timeout=30)
    assert killed[0] not in client.run(os.getpid).values()


def test_a_data_set_of_twice_the_memory_of_the_workers_trains(client, tmp_path):
    rows, width = 44_000, 4_000  # 1.4 GB, by two workers of 0.35
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float64, (rows, width))
    x[::100, :3] = RANDOM.normal(size=(rows // 100, 3))  # the rest is a hole in the file
    y = np.lib.format.open_memmap(tmp_path / "y.npy", "w+", np.float64, (rows, 1))
    y[:] = np.sum(x[:, :3], axis=1, keepdims=True)
    x.flush(), y.flush()
    workers = client.scheduler_info()["workers"].values()
    assert x.nbytes >= 2 * sum(worker["memory_limit"] for worker in workers)
    del x, y
    net = cr.nn.Linear(width, 1, seed=0, bias=False)
    net.W.data = np.zeros((width, 1))
    load = cr.distributed.Slices(tmp_path / "x.npy", tmp_path / "y.npy", n_chunks=40)
    history = cr.fit(
        lambda x, y: cr.nn.mean_squared_error(net(x), y),
        cr.optim.SGD(net.parameters(), 10.0),
        2,
        data=cr.distributed.Chunks(load, per_step=20),
        client=client,
    )
    assert history.errors[-1] < 0.9 * history.errors[0]
    assert net.W.data[:3].min() > 0.1
    assert not net.W.data[3:].any()


def test_what_workers_cannot_have_in_common():
    for layer, name in ((cr.nn.BatchNorm(1), "net.layers.1.mean"), (cr.nn.Dropout(0.5), "random")):
        net = cr.nn.Sequential(cr.nn.Linear(5, 1), layer)
        loss = lambda x, y: cr.nn.mean_squared_error(net(x), y)  # noqa: B023
        optimizer = cr.optim.SGD(net.parameters(), 0.1)
        with pytest.raises(ValueError, match=f"{name} changes in every forward pass"):
            cr.fit(loss, optimizer, 1, data=cr.distributed.Chunks(chunk, 8))
    with pytest.raises(TypeError, match="with a client the data is loaded by its workers"):
        cr.fit(loss, optimizer, 1, data=[X, Y], client=object())


SCRIPT = """
import sys, time
import numpy as np
import chainrule as cr
from distributed import Client, LocalCluster

random = np.random.default_rng(0)
X, Y = random.normal(size=(40, 3)), random.normal(size=(40, 1))


def load(i):
    time.sleep(float(sys.argv[2]))
    return X[5 * i : 5 * i + 5], Y[5 * i : 5 * i + 5]


if __name__ == "__main__":
    net = cr.nn.MLP([3, 4, 1], "tanh", seed=0)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        with Client(cluster) as client:
            history = cr.fit(
                lambda x, y: cr.nn.mean_squared_error(net(x), y),
                cr.optim.Adam(net.parameters(), 0.05), 5,
                data=cr.distributed.Chunks(load, 8, per_step=2), client=client,
                checkpoint=sys.argv[1], checkpoint_seconds=0.0,
            )
    print(history.stopped_by, repr(history.errors))
    print([p.data.tobytes().hex() for p in net.parameters()])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_driver_that_is_killed_and_started_again(tmp_path):
    (tmp_path / "drive.py").write_text(SCRIPT, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(cr.__file__).parent.parent)}

    def start(path, pause):
        return subprocess.Popen(
            [sys.executable, str(tmp_path / "drive.py"), str(path), str(pause)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )

    expected, problems = start(tmp_path / "whole.npz", 0.0).communicate(timeout=120)
    assert b"epochs" in expected, problems
    path = tmp_path / "killed.npz"
    process = start(path, 0.05)
    while process.poll() is None and not path.exists():
        time.sleep(0.01)
    time.sleep(0.3)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    found, problems = start(path, 0.0).communicate(timeout=120)
    assert found == expected, problems


# ------------------------------------------------------------------------------- sweeps


def train(setting):
    w = cr.Value(3.0)
    optimizer = cr.optim.SGD([w], setting["rate"])
    return cr.fit(lambda: w * w, optimizer, 30).errors[-1]


@pytest.mark.parametrize("where", ["client", "joblib", "here"])
def test_sweeps(client, where, capsys):
    settings = [{"rate": rate} for rate in (0.1, 0.2, 5.0, 0.3)]
    options = {"client": {"client": client}, "joblib": {"n_jobs": 2}, "here": {}}[where]
    outcomes = cr.distributed.sweep(train, settings, progress=True, **options)
    assert [outcome.setting for outcome in outcomes] == settings
    for outcome in (outcomes[0], outcomes[1], outcomes[3]):
        assert outcome.result == train(outcome.setting)
        assert not outcome.error
    assert outcomes[2].result is None
    assert outcomes[2].error.startswith("DivergedError: training diverged: the error grew")
    assert "4/4" in capsys.readouterr().err


def test_a_divergence_comes_back_whole():
    with pytest.raises(cr.DivergedError) as raised:
        train({"rate": 5.0})
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value)
    assert again.history == raised.value.history


def test_without_joblib_the_install_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'chainrule\[dask\]'"):
        cr.distributed.sweep(train, [{"rate": 0.1}], n_jobs=2)
