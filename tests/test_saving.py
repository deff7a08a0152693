"""Checkpoints: what comes back, what is refused, and what stays as it was."""

import os
import sys
import zipfile

import numpy as np
import pytest

import chainrule as cr


def run(seed=0):
    with cr.nn.seed(seed):
        net = cr.nn.Sequential(cr.nn.Linear(2, 3), cr.nn.BatchNorm(3), cr.nn.Dropout(0.5))
    return net, cr.optim.Adam(net.parameters(), 0.01), np.random.default_rng(seed)


def trained(net, optimizer, random, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        np.mean(net(random.normal(size=(6, 2))) ** 2).backward()
        optimizer.step()


def everything(net, optimizer, random):
    states = net.state() | {f"o{k}": x for k, x in optimizer.state().items()}
    return {**states, "r": random.normal(size=3)}


def test_a_training_goes_on_where_it_was(tmp_path):
    one, two = run(), run(1)
    trained(*one, 3)
    parts = dict(zip(("net", "optimizer", "random"), one, strict=True))
    cr.save(tmp_path / "a.npz", **parts, epoch=3, best=np.arange(3.0), note={"lr": [0.1, None]})
    trained(*one, 4)
    rest = cr.load(tmp_path / "a.npz", **dict(zip(parts, two, strict=True)))
    assert rest.pop("best").tolist() == [0.0, 1.0, 2.0]
    assert rest == {"epoch": 3, "note": {"lr": [0.1, None]}}
    trained(*two, 4)
    found, expected = everything(*two), everything(*one)
    for key, array in expected.items():
        assert found[key].tobytes() == array.tobytes(), key
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_every_cut_of_a_file_is_noticed_and_changes_nothing(tmp_path):
    parts = dict(zip(("net", "optimizer", "random"), run(), strict=True))
    path = tmp_path / "a.npz"
    cr.save(path, **parts)
    whole = path.read_bytes()
    before = everything(*run())
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(cr.CheckpointError, match=r"a\.npz is not a checkpoint .* or it is dam"):
            cr.load(path, **parts)
    noticed = 0
    for place in range(0, len(whole), 53):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            cr.load(path, **parts)
        except cr.CheckpointError:
            noticed += 1
    assert noticed > 0.6 * len(whole) / 53  # the others are dates and the like
    after = everything(*parts.values())
    assert all(np.array_equal(after[key], x) for key, x in before.items())


def test_foreign_files(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint .*a\.npz"):
        cr.load(path)
    np.savez(path, x=np.ones(2))
    with pytest.raises(cr.CheckpointError, match="is not a checkpoint that chainrule wrote"):
        cr.load(path)
    np.save(tmp_path / "b.npy", np.ones(2))
    with pytest.raises(cr.CheckpointError, match="is not a checkpoint that chainrule wrote"):
        cr.load(tmp_path / "b.npy")
    np.savez(path, x=np.array([object()]), allow_pickle=True)
    with pytest.raises(cr.CheckpointError, match="allow_pickle"):
        cr.load(path)
    cr.save(path, x=1)
    with zipfile.ZipFile(path) as old:
        head = np.load(old.open("chainrule.npy"))
    other = bytes(head).replace(b'"format": 1', b'"format": 9')
    np.savez(path, chainrule=np.frombuffer(other, np.uint8))
    with pytest.raises(cr.CheckpointError, match="has the format 9, this chainrule reads 1"):
        cr.load(path)


def test_what_does_not_fit_changes_nothing(tmp_path):
    path = tmp_path / "a.npz"
    net, optimizer, _ = run()
    cr.save(path, net=net, optimizer=optimizer)
    other, wide = run(5)[0], cr.nn.Linear(7, 7)
    before = other.state()
    for parts, message in (
        ({"net": other}, "optimizer is in the file and not given"),
        ({"net": other, "optimizer": cr.optim.SGD(other.parameters())}, "optimizer does not fit"),
        ({"net": other, "optimizer": cr.optim.Adam(wide.parameters())}, "optimizer does not fit"),
        ({"net": wide, "optimizer": optimizer}, "net does not fit: the state does not fit"),
        (
            {"net": other, "optimizer": optimizer, "more": wide},
            "more is given and not a state in the file",
        ),
    ):
        with pytest.raises(cr.CheckpointError, match=message):
            cr.load(path, **parts)
        assert all(np.array_equal(before[key], x) for key, x in other.state().items())


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    cr.save(path, x=1)
    for bad, message in (
        (cr.Tensor([1.0]), r"x is a Tensor, or holds .* of a Tensor its \.data"),
        (np.array([None]), "x is an array of objects"),
    ):
        with pytest.raises(TypeError, match=message):
            cr.save(path, x=bad)
    with pytest.raises(ValueError, match="'chainrule' cannot be the name of a part"):
        cr.save(path, chainrule=1)

    def full(*_args, **_kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space left"):
        cr.save(path, x=2)
    monkeypatch.undo()
    assert cr.load(path) == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_generators_of_all_kinds(tmp_path):
    for kind in ("PCG64", "MT19937", "Philox", "SFC64", "PCG64DXSM"):
        one, two = (np.random.Generator(getattr(np.random, kind)(s)) for s in (0, 1))
        one.random(5)
        cr.save(tmp_path / "r.npz", random=one)
        assert cr.load(tmp_path / "r.npz", random=two) == {}
        assert one.random() == two.random()
    with pytest.raises(cr.CheckpointError, match="of another kind: PCG64DXSM, not PCG64"):
        cr.load(tmp_path / "r.npz", random=np.random.default_rng(0))


def test_files_are_synced_before_they_take_the_place(tmp_path, monkeypatch):
    calls = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("sync"), real(fd)))
    replace = type(tmp_path).replace
    monkeypatch.setattr(
        type(tmp_path), "replace", lambda a, b: (calls.append("replace"), replace(a, b))
    )
    cr.save(tmp_path / "a.npz", x=1)
    assert calls[:2] == ["sync", "replace"]
    assert len(calls) == 3 or sys.platform == "win32"
