"""Random programs with sharing: reverse, forward and differences must agree, to second order.

CHAINRULE_PROGRAMS=20000 tries more of them.
"""

import os

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.engine import sweep
from chainrule.float_sweep import float_sweep
from chainrule.ops.checking import central_difference

#: Smooth wherever a program can go, and bounded, so that differences stay meaningful.
UNARY = {
    "tanh": cr.tanh,
    "sin": cr.sin,
    "cos": cr.cos,
    "sigmoid": cr.sigmoid,
    "exp": lambda a: cr.exp(cr.tanh(a)),
    "log": lambda a: cr.log(a * a + 1.0),
    "sqrt": lambda a: cr.sqrt(a * a + 0.5),
    "negative": lambda a: -a,
    "square": lambda a: a**2,
    "inverse": lambda a: 1.0 / (a * a + 1.0),
    "arctan": cr.ops.TABLE["arctan"],
    "arcsinh": cr.ops.TABLE["arcsinh"],
    "log1p": lambda a: cr.ops.TABLE["log1p"](a * a),
    "sinc": cr.ops.TABLE["sinc"],
}
BINARY = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / (b * b + 1.0),
    "power": lambda a, b: (a * a + 0.5) ** cr.tanh(b),
    "where": lambda a, b: cr.where(np.array([True, False, True]), a, b),
}
ARRAYS = {
    "sum": lambda a: a.sum(axis=0, keepdims=True) * 0.3,
    "mean": lambda a: a.mean(),
    "transpose": lambda a: a.reshape(1, 3).T.reshape(3),
    "index": lambda a: a[np.array([2, 0, 0])],
    "slice": lambda a: a[::-1],
    "matmul": lambda a: np.array([[0.5, 0.0, 1.0], [0.2, -0.3, 0.1], [0.0, 1.0, 0.4]]) @ a,
    "concatenate": lambda a: np.concatenate([a[1:], a[:1]]),
    "stack": lambda a: np.stack([a, a * 0.5]).sum(axis=0),
    "outer": lambda a: (a[:, None] * a[None, :]).mean(axis=1),
    "cumsum": lambda a: np.cumsum(a) * 0.5,
    "cumprod": lambda a: np.cumprod(a),
    "prod": lambda a: np.prod(a) + a,
    "var": lambda a: np.var(a, ddof=1) - a,
    "norm": lambda a: np.linalg.norm(a + 2.0) * a,
    "softmax": cr.softmax,
    "logsumexp": lambda a: a - cr.logsumexp(a),
    "roll": lambda a: np.roll(a, 1) * np.flip(a),
    "tile": lambda a: np.tile(a, 2)[1:4],
    "pad": lambda a: np.pad(a, 1, "reflect")[:3],
    "convolve": lambda a: np.convolve(a, a * 0.5, "same"),
    "einsum": lambda a: np.einsum("i,j,j->i", a, a, a) * 0.2,
    "fft": lambda a: np.real(np.fft.ifft(np.fft.fft(a) * np.array([1.0, 0.5j, -0.5j]))),
    "complex": lambda a: np.abs(np.exp(1j * a) + 2.5),
    "angle": lambda a: np.angle(2.0 + 1j * a),
    "solve": lambda a: np.linalg.solve(np.eye(3) * 3 + np.outer(np.tanh(a), [0.5, 1.0, -0.5]), a),
    "eigvalsh": lambda a: np.linalg.eigvalsh(np.diag([0.0, 3.0, 7.0]) + np.diag(np.tanh(a))),
    "trapezoid": lambda a: np.trapezoid(a) * a,
    "gradient": lambda a: np.gradient(a),
    "at": lambda a: a.at[1].set(a[0] * a[2]) if hasattr(a, "at") else _set(a),
    "assign": lambda a: _assigned(a),
    "windows": lambda a: np.lib.stride_tricks.sliding_window_view(a, 2).sum(axis=1)[[0, 1, 0]],
    "checkpoint": cr.checkpoint(lambda a: np.tanh(a) * a[::-1]),
    "broadcast": lambda a: cr.broadcast_to(a, (2, 3)).mean(axis=0),
}


def _set(a):
    y = a.copy()
    y[1] = a[0] * a[2]
    return y


def _assigned(a):
    y = a * 1.0
    before = y * y
    y[1:] = y[:2] * 0.7
    y[0] += y[2]
    return y + before


SHAPES = [(3,), (1,), ()]
PROGRAMS = settings(max_examples=int(os.environ.get("CHAINRULE_PROGRAMS", "150")), deadline=None)


@st.composite
def programs(draw, *, arrays):
    """Steps (operation, indices of earlier values); later steps may share any earlier value."""
    steps, count = [], 3
    kinds = ["unary", "binary"] + (["arrays"] if arrays else [])
    for _ in range(draw(st.integers(1, 10))):
        kind = draw(st.sampled_from(kinds))
        table = {"unary": UNARY, "binary": BINARY, "arrays": ARRAYS}[kind]
        names = sorted(name for name in table if arrays or name != "where")
        name = draw(st.sampled_from(names))
        arity = 2 if kind == "binary" else 1
        sources = [draw(st.integers(0, count - 1)) for _ in range(arity)]
        steps.append((kind, name, sources))
        count += 1
    return steps


def run(steps, inputs):
    values = list(inputs)
    for kind, name, sources in steps:
        chosen = [values[i] for i in sources]
        if kind == "arrays":
            result = ARRAYS[name](chosen[0] + np.zeros(3))
        else:
            result = (UNARY if kind == "unary" else BINARY)[name](*chosen)
        values.append(result)
    return values[-1] * values[0] + values[-1]  # the last value, shared once more


def shaped(data, shapes):
    """Rows of numbers as arrays of some shapes, which may need only the first numbers."""
    return [
        np.array(row)[: max(1, int(np.prod(s)))].reshape(s)
        for row, s in zip(data, shapes, strict=True)
    ]


numbers = st.floats(-1.5, 1.5, allow_subnormal=False)


@given(
    programs(arrays=True),
    st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=3, max_size=3),
    st.lists(st.sampled_from(SHAPES), min_size=3, max_size=3),
)
@PROGRAMS
def test_tensor_programs(steps, data, shapes):
    x = shaped(data, shapes)

    def f(*inputs):
        return cr.sum(run(steps, inputs))

    directions = [np.cos(np.arange(v.size) + 1.0 + i).reshape(v.shape) for i, v in enumerate(x)]
    gradient = cr.grad(f, (0, 1, 2))
    reverse = sum(np.sum(g * d) for g, d in zip(gradient(*x), directions, strict=True))
    value, forward = cr.jvp(f, x, directions)
    scale = 1 + abs(value) + abs(forward)
    assert abs(reverse - forward) <= 1e-11 * scale

    def moved(t):
        return [v + t * d for v, d in zip(x, directions, strict=True)]

    slope = central_difference(lambda t: f(*moved(t)))
    assert abs(slope - forward) <= 1e-5 * scale

    def slope_of(*inputs):
        return sum((cr.sum(g * d) for g, d in zip(gradient(*inputs), directions, strict=True)), 0.0)

    _, second = cr.jvp(slope_of, x, directions)
    twice = cr.grad(slope_of, (0, 1, 2))(*x)
    reverse_twice = sum(np.sum(g * d) for g, d in zip(twice, directions, strict=True))
    scale += abs(second)
    assert abs(reverse_twice - second) <= 1e-10 * scale
    curvature = central_difference(lambda t: slope_of(*moved(t)))
    assert abs(curvature - second) <= 1e-4 * scale


def choice(a, b):
    return cr.where(a, b, a * b)  # an op of three inputs


@given(programs(arrays=False), st.lists(numbers, min_size=3, max_size=3))
@PROGRAMS
def test_both_sweeps_over_values_give_the_same_bits(steps, data):
    """The loop over single floats, and the sweep that serves every node."""
    values = [cr.Value(number) for number in data]
    y = run(steps, values) + choice(values[0], values[1]) * 0.7
    loop = {node.index: y_bar.hex() for node, y_bar in float_sweep(y, 1.3)}
    swept = {node.index: y_bar.hex() for node, y_bar in sweep(y, 1.3)}
    assert loop == swept
    assert len(loop) > 3


@given(programs(arrays=False), st.lists(numbers, min_size=3, max_size=3))
@PROGRAMS
def test_value_programs_equal_tensor_programs(steps, data):
    values = [cr.Value(number) for number in data]
    tensors = [cr.Tensor(number) for number in data]
    y, t = run(steps, values), run(steps, tensors)
    y.backward()
    t.backward()
    scale = 1 + max(abs(v.grad or 0.0) for v in values)
    assert abs(y.data - t.item()) <= 1e-12 * (1 + abs(y.data))
    for v, u in zip(values, tensors, strict=True):
        assert (v.grad is None) == (u.grad is None)
        assert abs((v.grad or 0.0) - (0.0 if u.grad is None else u.grad)) <= 1e-11 * scale
    second = cr.adjoints(cr.adjoints(y, record=True)[values[0]], record=True)
    again = cr.adjoints(cr.adjoints(t, record=True)[tensors[0]], record=True)
    if values[0] in second:
        a, b = second[values[0]], again[tensors[0]]
        a, b = (n.item() if hasattr(n, "item") else n for n in (a, b))
        assert abs(a - b) <= 1e-9 * (1 + abs(a))


@given(
    programs(arrays=True),
    st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=3, max_size=3),
    st.lists(st.sampled_from([np.float32, np.float64]), min_size=3, max_size=3),
)
@PROGRAMS
def test_programs_of_mixed_precision(steps, data, dtypes):
    """Each gradient has the dtype of its input, and is that of double precision, rounded."""
    narrow = [np.array(row, dtype) for row, dtype in zip(data, dtypes, strict=True)]
    wide = [x.astype(np.float64) for x in narrow]
    f = cr.value_and_grad(lambda *inputs: cr.sum(run(steps, inputs)), (0, 1, 2))
    value, exact = f(*wide)
    given, gradients = f(*narrow)
    directions = [np.cos(np.arange(3) + 1.0 + i) for i in range(3)]
    slopes = cr.jvp(lambda *i: f(*i)[1], wide, directions)[1]
    scale = 1 + abs(value) + sum(np.abs(g).max() for g in exact)
    scale += sum(np.abs(s).max() for s in slopes)  # how far rounded inputs move a gradient
    assert abs(given - value) <= 1e-4 * scale
    for g, e, x in zip(gradients, exact, narrow, strict=True):
        assert g.dtype == x.dtype
        assert np.abs(g - e).max() <= 1e-3 * scale


#: Views of an array of shape (2, 3), or of (3, 2) after a transposition, or of (3,), (2,), (6,).
VIEWS = {
    "row": lambda a: a[-1],
    "column": lambda a: a[..., 0],
    "step": lambda a: a[::-1],
    "tail": lambda a: a[..., 1:],
    "transpose": lambda a: a.T,
    "flat": lambda a: a.reshape(-1),
    "itself": lambda a: a,
    "copy": lambda a: a.copy(),
    "computed": lambda a: np.tanh(a),
    "fancy": lambda a: a[[0]],
}
WRITES = ["entry", "fancy", "mask", "all", "add", "multiply", "subtract"]


@st.composite
def assigning_programs(draw):
    """Steps that take views, compute, and write, over a growing list of arrays."""
    steps, count = [], 2
    for _ in range(draw(st.integers(2, 9))):
        if draw(st.booleans()):
            steps.append(
                ("view", draw(st.sampled_from(sorted(VIEWS))), draw(st.integers(0, count - 1)))
            )
            count += 1
        else:
            steps.append(
                ("write", draw(st.sampled_from(WRITES)), draw(st.integers(0, count - 1)),
                 draw(st.integers(0, count - 1)))
            )  # fmt: skip
    return steps


def write(how, target, source):
    """One assignment; in-place operators go through the name, as in a program."""
    number = np.sum(source) * 0.3
    if how == "entry":
        target[..., 0] = number
    elif how == "fancy":
        target[[-1, 0]] = number + 0.5
    elif how == "mask":
        target[np.arange(np.size(target)).reshape(target.shape) % 2 == 0] = number - 0.5
    elif how == "all":
        target[...] = np.sin(target) * number
    elif how == "add":
        target += number
    elif how == "multiply":
        target *= np.cos(number)
    else:
        target -= target * number
    return target


def run_assignments(steps, x):
    arrays = [x * 1.0, np.sin(x)]
    for kind, how, *positions in steps:
        chosen = [arrays[i] for i in positions]
        if kind == "view":
            arrays.append(VIEWS[how](chosen[0]) if np.ndim(chosen[0]) else chosen[0] * 1.0)
        elif np.ndim(chosen[0]):
            arrays[positions[0]] = write(how, *chosen)
    return sum(np.sum(a * (i + 1.0)) + np.sum(a**2) for i, a in enumerate(arrays))


@given(assigning_programs(), st.lists(numbers, min_size=6, max_size=6))
@PROGRAMS
def test_programs_that_assign(steps, data):
    """Values and derivatives are those of the same program on ndarrays, views and all."""
    x = np.array(data).reshape(2, 3)
    d = np.cos(np.arange(6.0)).reshape(2, 3)
    f = lambda x: run_assignments(steps, x)
    try:
        expected = f(x)
    except (IndexError, ValueError):  # an entry of an empty array
        assume(False)
    slope = central_difference(lambda h: f(x + h * d))
    value, gradient = cr.value_and_grad(f)(x)
    scale = 1 + abs(expected) + abs(slope)
    assert abs(value - expected) <= 1e-12 * scale
    assert abs(np.sum(gradient * d) - slope) <= 1e-5 * scale
    primal, forward = cr.jvp(f, (x,), (d,))
    assert abs(primal - expected) <= 1e-12 * scale
    assert abs(forward - np.sum(gradient * d)) <= 1e-10 * scale
    curvature = central_difference(lambda h: cr.grad(f)(x + h * d))
    product = cr.hvp(f, x, d)
    assert np.abs(product - curvature).max() <= 1e-4 * (scale + np.abs(curvature).max())
    assert np.abs(cr.grad(lambda x: np.sum(cr.grad(f)(x) * d))(x) - product).max() <= 1e-9 * (
        scale + np.abs(product).max()
    )
