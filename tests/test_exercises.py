"""Exercise sheets: made from any graph, answered by their key, graded by `chainrule grade`."""

from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import cli
from chainrule.worksheet import Worksheet
from chainrule.worksheet.grading import Grader

SHEETS = sorted((Path(__file__).parent.parent / "examples" / "worksheets").glob("*.chain"))


def network():
    x, T = 0.1, 0.25
    w1, b1, w2, b2 = cr.Value(0.15), cr.Value(0.40), cr.Value(0.45), cr.Value(0.65)
    a1 = cr.sigmoid(w1 * x + b1)
    z2 = w2 * a1 + b2
    a2 = cr.sigmoid(z2)
    E = 0.5 * (T - a2) ** 2
    return cr.exercise(E), cr.exercise(E, ["a1", "dE/dz2", "dE/dw1"], seed=3, digits=5)


def full_marks(exercise, folder):
    """The key is right, answers every question, and an empty answer does not."""
    report = Worksheet(exercise.key).report()
    assert report.ok, report
    grader = Grader(Worksheet(exercise.sheet))
    key, empty = folder / "key.chain", folder / "empty.chain"
    key.write_text(exercise.key, encoding="utf-8")
    empty.write_text("# nothing\n", encoding="utf-8")
    grade = grader.grade(str(key))
    assert not grade.problem
    assert grade.points == len(grader.questions) > 0
    assert grader.grade(str(empty)).points == 0
    return grader


def test_a_network(tmp_path):
    first, second = network()
    assert first.sheet == (
        "w1 = 0.15;  x = 0.1;  b1 = 0.4;  w2 = 0.45;  b2 = 0.65;  T = 0.25\n"
        "a1 = σ(w1·x + b1)\n"
        "z2 = w2·a1 + b2\n"
        "a2 = σ(z2)\n"
        "E = 0.5·(T - a2)²\n\n"
        "dE/dw1 = ?\ndE/db1 = ?\ndE/dw2 = ?\ndE/db2 = ?"
    )
    assert "dE/dz2 = dE/da2·a2·(1 - a2) ≈ 0.09476\n" in first.key
    assert "dE/dw1 = dE/da1·a1·(1 - a1)·x ≈ 0.001021" in first.key
    full_marks(first, tmp_path)
    assert second.sheet.endswith("a1 ≈ ?\ndE/dz2 = ?\ndE/dw1 = ?")
    assert "dE/dw2" not in second.key  # nobody asked
    full_marks(second, tmp_path)
    assert network()[1] == second


@pytest.mark.parametrize("path", SHEETS, ids=lambda p: p.stem)
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_every_worksheet_becomes_an_exercise(path, seed, tmp_path):
    exercise = cr.exercise(Worksheet.read(path), seed=seed, digits=6)
    full_marks(exercise, tmp_path)
    if seed is not None:
        assert exercise.sheet != cr.exercise(Worksheet.read(path), digits=6).sheet


def test_sums_over_paths(tmp_path):
    x = cr.Value(1.5, label="x")
    u = x * x
    v = cr.sin(x)
    y = u * v - x
    exercise = cr.exercise(y, ["dy/dx", "u"])
    assert "dy/dx = " in exercise.key
    full_marks(exercise, tmp_path)


def test_arrays(tmp_path):
    X = np.array([[1, 0.5], [-1, 2.0], [0.3, 0.7]])
    W = cr.Tensor([[0.2, 1.0], [-0.4, 0.3]], label="W")
    b = cr.Tensor([0.11, 0.2], label="b")
    Y = np.array([[1.0, 0], [0, 1], [1, 1]])
    H = np.tanh(X @ W + b)
    L = np.mean((H - Y) ** 2)
    exercise = cr.exercise(L, digits=6)
    assert "H = tanh(X W + b)" in exercise.sheet
    assert "dL/dW = Xᵀ (dL/dH ⊙ (1 - H²)) ≈ [[" in exercise.key
    full_marks(exercise, tmp_path)
    full_marks(cr.exercise(L, seed=4, digits=6), tmp_path)


def test_a_wrong_answer_is_found(tmp_path):
    exercise, _ = network()
    answer = tmp_path / "answer.chain"
    answer.write_text(exercise.key.replace("0.001021", "0.002270"), encoding="utf-8")
    grade = Grader(Worksheet(exercise.sheet)).grade(str(answer))
    assert grade.points == 3
    assert "2.22 times as much" in grade.fault


def test_names_that_a_worksheet_lacks(tmp_path):
    h = [cr.Value(0.5), cr.Value(-1.5)]
    E = h[0] * h[1] + cr.exp(h[0])
    exercise = cr.exercise(E)
    assert "h_0 = 0.5" in exercise.sheet
    full_marks(exercise, tmp_path)


def test_what_is_refused():
    w = cr.Value(0.5, label="w")
    E = w * w
    for root, options, kind, message in (
        (3.0, {}, TypeError, "an exercise is made of the Value or Tensor .* got float"),
        (E, {"ask": ["dE/dv"]}, ValueError, "'dE/dv' is not asked of this graph: there are deriv"),
        (E, {"ask": ["v"]}, ValueError, "'v' is not asked of this graph"),
        (E, {"digits": 0}, ValueError, "digits=0: a whole number from 1 on"),
    ):
        with pytest.raises(kind, match=message):
            cr.exercise(root, **options)
    t = cr.Tensor(np.ones(3), label="t")
    with pytest.raises(ValueError, match="cannot be written as a worksheet"):
        cr.exercise(np.einsum("i,i->", t, t))


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(
        "import chainrule as cr\nx = 2.0\nw = cr.Value(0.5)\na = cr.tanh(w * x)\nE = a ** 2\n",
        encoding="utf-8",
    )
    assert cli.main(["exercise", "model.py:E", "dE/dw", "a", "--title", "One neuron"]) == 0
    out = capsys.readouterr().out
    assert out == ("# One neuron\nw = 0.5;  x = 2\na = tanh(w·x)\nE = a²\n\ndE/dw = ?\na ≈ ?\n")
    command = ["exercise", "model.py:E", "-o", "exam.chain", "--key", "key.chain"]
    assert cli.main([*command, "--variants", "3", "--seed", "5"]) == 0
    assert sorted(p.name for p in tmp_path.glob("*.chain")) == [
        *(f"exam-{i}.chain" for i in (1, 2, 3)),
        *(f"key-{i}.chain" for i in (1, 2, 3)),
    ]
    capsys.readouterr()
    for i in (1, 2, 3):
        assert cli.main(["check", f"key-{i}.chain"]) == 0
        assert cli.main(["grade", f"exam-{i}.chain", f"key-{i}.chain"]) == 0
        assert f"key-{i}.chain  1/1" in capsys.readouterr().out
    answer = Path("key-2.chain").read_text(encoding="utf-8").splitlines()[-1]
    Path("other.chain").write_text(f"dE/dw ≈ {answer.partition('≈ ')[2]}\n", encoding="utf-8")
    assert cli.main(["grade", "exam-1.chain", "other.chain"]) == 0
    assert "other.chain  0/1" in capsys.readouterr().out
    for wrong in (["--variants", "0"], ["dE/dq"]):
        with pytest.raises(SystemExit):
            cli.main([*command, *wrong])
    with pytest.raises(SystemExit):
        cli.main(["exercise", "model.py:E", "--variants", "2"])


RNG = np.random.default_rng(3)
X, TARGETS = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 2))
ROWS, IMAGES = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 1, 4, 4))
nn = cr.nn
#: A network, its input, and the loss.
NETWORKS = {
    "squared error": (nn.Linear(3, 2, seed=0), X, lambda y: nn.mean_squared_error(y, TARGETS)),
    "Huber": (nn.Linear(3, 2, seed=0), X, lambda y: nn.huber(y, TARGETS)),
    "classes": (nn.Linear(3, 2, seed=0), X, lambda y: nn.cross_entropy(y, np.array([0, 1, 1, 0]))),
    "classes, summed": (
        nn.Linear(3, 2, seed=0),
        X,
        lambda y: nn.cross_entropy(y, np.array([0, 1, 1, 0]), reduction="sum"),
    ),
    "hinge": (nn.Linear(3, 2, seed=0), X, lambda y: nn.hinge(y, np.sign(TARGETS))),
    "a kink": (nn.Linear(3, 2, seed=0), X, lambda y: cr.mean(nn.leaky_relu(y) ** 2)),
    "log of a sum": (nn.Linear(3, 2, seed=0), X, lambda y: cr.mean(cr.logsumexp(y, axis=1))),
    "joined": (
        nn.Linear(3, 2, seed=0),
        X,
        lambda y: cr.mean(np.concatenate([y, X], axis=1) ** 2),
    ),
    "layer norm": (nn.LayerNorm(3), X, lambda y: cr.mean(y**2)),
    "embedding": (nn.Embedding(3, 2, seed=0), np.array([0, 2, 2]), lambda y: cr.mean(y**2)),
    "recurrent": (nn.RNN(4, 2, seed=0), ROWS, lambda y: cr.mean(y[0] ** 2)),
    "attention": (nn.MultiHeadAttention(4, 2, seed=0), ROWS, lambda y: cr.mean(y**2)),
    "convolution": (nn.Conv(1, 2, 3, seed=0), IMAGES, lambda y: cr.mean(y**2)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_on_paper(tmp_path, name):
    net, x, loss = NETWORKS[name]
    E = loss(net(x))
    exercise = cr.exercise(E, digits=6)
    full_marks(exercise, tmp_path)
    net.zero_grad()
    E.backward()
    sheet = Worksheet(exercise.sheet)
    sheet.root.backward()
    for p in net.parameters():
        same = [
            node.grad
            for node in sheet.nodes.values()
            if node.shape == p.shape and np.allclose(node.data, p.data, rtol=1e-11, atol=1e-12)
        ]
        assert any(np.allclose(p.grad, grad, rtol=1e-8, atol=1e-10) for grad in same)


def test_labels_are_rows_with_a_one():
    net = nn.Linear(3, 2, seed=0)
    K = np.array([0, 1, 1, 0])
    L = nn.cross_entropy(net(X), K)
    for seed in (None, 4):
        exercise = cr.exercise(L, seed=seed)
        assert "K = [[1, 0], [0, 1], [0, 1], [1, 0]]" in exercise.sheet
        assert "softmax(X W + b) - K)/4" in exercise.key
