"""chainrule's side of the comparison with its peers: the workloads of the shared yardstick.

Each function returns `(step, out)`: one step, and the arrays to verify against NumPy by hand.
`common` is the yardstick's module with data and sizes; see the README beside this file.
"""

import common as C
import numpy as np

import chainrule as cr
from chainrule.nn import scalar


def W1():
    d = C.w1()
    x, t = d["x"], d["t"]
    parameters = [cr.Value(v) for v in d["p"]]
    loss = None

    def step():
        nonlocal loss
        for p in parameters:
            p.grad = None
        w1, b1, w2, b2 = parameters
        h = cr.sigmoid(w1 * x + b1)
        y = cr.sigmoid(w2 * h + b2)
        e = y - t
        loss = e * e
        loss.backward()

    return step, lambda: [np.asarray(v) for v in (loss.data, *[p.grad for p in parameters])]


def W2():
    X, y, start = C.w2()
    X, y = X.tolist(), y.tolist()
    model = scalar.MLP([2, 16, 16, 1])
    for layer, w, b in zip(model.layers, start[::2], start[1::2], strict=True):
        for j, neuron in enumerate(layer.neurons):
            for v, number in zip(neuron.w, w[:, j], strict=True):
                v.data = float(number)
            neuron.b.data = float(b[j])
    optimizer = cr.optim.GradientDescent(model.parameters(), C.W2_LR)

    def step():
        scores = [model(row) for row in X]
        losses = [(1.0 + -yi * s).relu() for yi, s in zip(y, scores, strict=True)]
        data_loss = sum(losses[1:], losses[0]) * (1.0 / len(losses))
        squares = [p * p for p in model.parameters()]
        total = data_loss + C.W2_ALPHA * sum(squares[1:], squares[0])
        optimizer.zero_grad()
        total.backward()
        optimizer.step()

    def out():
        result = []
        for layer in model.layers:
            result.append(np.array([[v.data for v in n.w] for n in layer.neurons]).T)
            result.append(np.array([n.b.data for n in layer.neurons]))
        return result

    return step, out


def _training(start, loss, rate):
    parameters = [cr.Tensor(p) for p in start]
    optimizer = cr.optim.GradientDescent(parameters, rate)

    def step():
        optimizer.zero_grad()
        loss(parameters).backward()
        optimizer.step()

    return step, lambda: [p.data for p in parameters]


def _gradients(start, loss):
    parameters = [cr.Tensor(p) for p in start]
    result = []

    def step():
        for p in parameters:
            p.grad = None
        error = loss(parameters)
        error.backward()
        result[:] = [error.data, *[p.grad for p in parameters]]

    return step, lambda: result


def W2v():
    X, y, start = C.w2()
    y = y[:, None]

    def loss(parameters):
        W1, b1, W2, b2, W3, b3 = parameters
        h = cr.relu(cr.relu(X @ W1 + b1) @ W2 + b2)
        data_loss = cr.mean(cr.relu(1 - y * (h @ W3 + b3)))
        squares = [cr.sum(p * p) for p in parameters]
        return data_loss + C.W2_ALPHA * sum(squares[1:], squares[0])

    return _training(start, loss, C.W2_LR)


def W3():
    d = C.w3()
    x, t = d["x"], d["t"]

    def loss(parameters):
        W1, b1, W2, b2 = parameters
        e = cr.sigmoid(x @ W1 + b1) @ W2 + b2 - t
        return cr.mean(e * e)

    return _gradients(d["P"], loss)


def W4(dtype):
    x, y, start = C.w4(dtype)

    def loss(parameters):
        W1, b1, W2, b2, W3, b3 = parameters
        h = cr.relu(cr.relu(x @ W1 + b1) @ W2 + b2)
        return cr.nn.cross_entropy(h @ W3 + b3, y)

    return _training(start, loss, C.W4_LR)


def W5():
    x, y, start = C.w5()
    parameters = [cr.Tensor(p) for p in start]
    optimizer = cr.optim.Adam(parameters, C.W5_LR, betas=(C.B1, C.B2), eps=C.EPS)

    def step():
        W1, b1, W2, b2, W3, b3 = parameters
        h = cr.relu(cr.relu(x @ W1 + b1) @ W2 + b2)
        optimizer.zero_grad()
        cr.nn.cross_entropy(h @ W3 + b3, y).backward()
        optimizer.step()

    return step, lambda: [p.data for p in parameters]


def W6():
    x, t, start = C.w6()

    def loss(parameters):
        W1, b1, W2, b2 = parameters
        e = cr.relu(x @ W1 + b1) @ W2 + b2 - t
        return cr.mean(e * e)

    return _gradients(start, loss)


def W7(dtype):
    x, a, b = C.w7(dtype)

    def loss(parameters):
        (y,) = parameters
        for name in C.W7_OPS:
            if name == "tanh":
                y = cr.tanh(y)
            elif name == "sigmoid":
                y = cr.sigmoid(y)
            else:
                y = y * a if name == "mul" else y + b
        return cr.sum(y)

    return _gradients([x], loss)


def W8(n):
    x, A, B, n = C.w8(n)
    result = []

    def step():
        leaves = [cr.Value(v) for v in (x, A, B)]
        y, a, b = leaves
        for _ in range(n // 2):
            y = y * a
            y = y + b
        y.backward()
        result[:] = [np.asarray(v) for v in (y.data, *[p.grad for p in leaves])]

    return step, lambda: result


def W8t(n):
    x, A, B, n = C.w8(n)

    def loss(parameters):
        y, a, b = parameters
        for _ in range(n // 2):
            y = y * a
            y = y + b
        return y

    return _gradients([np.float64(v) for v in (x, A, B)], loss)


def W9h():
    x, y, start, directions = C.w9()

    def loss(*parameters):
        W1, b1, W2, b2, W3, b3 = parameters
        h = cr.relu(cr.relu(x @ W1 + b1) @ W2 + b2)
        return cr.nn.cross_entropy(h @ W3 + b3, y)

    start, directions, result = list(start), list(directions), []

    def step():
        result[:] = cr.hvp(lambda parameters: loss(*parameters), start, directions)

    return step, lambda: result


def W9j():
    x, A, B = (np.float64(v) for v in C.w9j())
    jacobian = cr.jacobian(lambda x: np.tanh(B @ np.tanh(A @ x)))
    result = []

    def step():
        result[:] = [jacobian(x)]

    return step, lambda: result


def W10():
    tokens, targets, parameters = C.w10()

    def loss(parameters):
        E, Wq, Wk, Wv, Wo = parameters
        x = cr.nn.embedding(tokens, E)
        q, k, v = (np.einsum("btd,dhk->bhtk", x, W) for W in (Wq, Wk, Wv))
        scores = np.einsum("bhtk,bhsk->bhts", q, k) * np.float32(1 / np.sqrt(8))
        o = np.einsum("bhts,bhsk->bthk", cr.softmax(scores), v)
        return np.mean((np.einsum("bthk,hkd->btd", o, Wo) - targets) ** 2)

    return _gradients(parameters, loss)
