"""chainrule's compiled side of the comparison with its peers; see the README beside this file."""

import common as C
import numpy as np

import chainrule as cr


def _gradients(start, loss):
    step_ = cr.compile(cr.value_and_grad(loss))
    result = []

    def step():
        result[:] = step_(start)

    return step, lambda: [result[0], *result[1]]


def _training(start, loss, rate):
    parameters = [cr.Tensor(p) for p in start]
    optimizer = cr.optim.GradientDescent(parameters, rate)

    @cr.compile
    def step():
        loss(parameters).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step, lambda: [p.data for p in parameters]


def W1():
    d = C.w1()
    x, t = d["x"], d["t"]

    def loss(w1, b1, w2, b2):
        h = cr.sigmoid(w1 * x + b1)
        y = cr.sigmoid(w2 * h + b2)
        e = y - t
        return e * e

    compiled = cr.compile(cr.value_and_grad(loss, argnums=(0, 1, 2, 3)))
    p = d["p"]
    result = []

    def step():
        result[:] = compiled(*p)

    return step, lambda: [np.asarray(v) for v in (result[0], *result[1])]


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

    @cr.compile
    def step():
        W1, b1, W2, b2, W3, b3 = parameters
        h = cr.relu(cr.relu(x @ W1 + b1) @ W2 + b2)
        cr.nn.cross_entropy(h @ W3 + b3, y).backward()
        optimizer.step()
        optimizer.zero_grad()

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


def W9h():
    x, y, start, directions = C.w9()

    def loss(parameters):
        W1, b1, W2, b2, W3, b3 = parameters
        h = cr.relu(cr.relu(x @ W1 + b1) @ W2 + b2)
        return cr.nn.cross_entropy(h @ W3 + b3, y)

    compiled = cr.compile(lambda p, v: cr.hvp(loss, p, v))
    start, directions, result = list(start), list(directions), []

    def step():
        result[:] = compiled(start, directions)

    return step, lambda: result


def W9j():
    x, A, B = C.w9j()
    compiled = cr.compile(cr.jacobian(lambda x: np.tanh(B @ np.tanh(A @ x))))
    result = []

    def step():
        result[:] = [compiled(x)]

    return step, lambda: result


def W10():
    tokens, targets, start = C.w10()

    def loss(parameters):
        E, Wq, Wk, Wv, Wo = parameters
        x = cr.nn.embedding(tokens, E)
        q, k, v = (np.einsum("btd,dhk->bhtk", x, W) for W in (Wq, Wk, Wv))
        scores = np.einsum("bhtk,bhsk->bhts", q, k) * np.float32(1 / np.sqrt(8))
        o = np.einsum("bhts,bhsk->bthk", cr.softmax(scores), v)
        return np.mean((np.einsum("bthk,hkd->btd", o, Wo) - targets) ** 2)

    return _gradients(start, loss)
