"""chainrule's compiled side of the comparison with its peers; see the README beside this file.

The workloads are those of `adapter.py`, with `cr.compile` around the gradient or the training step.
"""

import importlib.util
from pathlib import Path

import common as C
import numpy as np

import chainrule as cr

_spec = importlib.util.spec_from_file_location("eager", Path(__file__).with_name("adapter.py"))
eager = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(eager)


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


eager._gradients, eager._training = _gradients, _training
W2v, W3, W4, W6, W7, W10 = eager.W2v, eager.W3, eager.W4, eager.W6, eager.W7, eager.W10


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


def W2():
    step, out = eager.W2()
    return cr.compile(step), out


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
