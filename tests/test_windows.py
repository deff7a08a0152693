"""The operations of neural networks against naive loops, their derivatives by differences."""

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule.ops.checking import central_difference

random = np.random.default_rng(5)


def normal(*shape):
    return random.normal(size=shape)


def naive_conv(x, w, stride, padding, dilation, groups):
    """By its definition, one output after the other."""
    axes = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0), *[(p, p) for p in padding]])
    size = w.shape[2:]
    lengths = [
        (x.shape[2 + a] - dilation[a] * (size[a] - 1) - 1) // stride[a] + 1 for a in range(axes)
    ]
    y = np.zeros((x.shape[0], w.shape[0], *lengths))
    own = x.shape[1] // groups
    for n, k in itertools.product(range(x.shape[0]), range(w.shape[0])):
        first = k // (w.shape[0] // groups) * own
        for at in np.ndindex(*lengths):
            for c, offset in itertools.product(range(own), np.ndindex(*size)):
                where = [at[a] * stride[a] + offset[a] * dilation[a] for a in range(axes)]
                y[(n, k, *at)] += x[(n, first + c, *where)] * w[(k, c, *offset)]
    return y


def check_derivatives(f, *values):
    """Reverse, forward and second order against differences."""

    def scalar(*v):
        y = f(*v)
        return np.sum(y * np.cos(np.arange(float(np.size(y))).reshape(np.shape(y))))

    numbers = tuple(range(len(values)))
    directions = [np.sin(np.arange(float(v.size)).reshape(v.shape) + 1) for v in values]
    along = lambda h: [v + h * d for v, d in zip(values, directions, strict=True)]
    slope = central_difference(lambda h: scalar(*along(h)))
    gradient = cr.grad(scalar, numbers)
    reverse = sum(np.sum(g * d) for g, d in zip(gradient(*values), directions, strict=True))
    assert reverse == pytest.approx(slope, rel=1e-6, abs=1e-7)
    assert cr.jvp(scalar, values, directions)[1] == pytest.approx(reverse, rel=1e-10, abs=1e-12)

    def directional(*v):
        return sum(np.sum(g * d) for g, d in zip(gradient(*v), directions, strict=True))

    curvature = central_difference(lambda h: directional(*along(h)))
    assert cr.jvp(directional, values, directions)[1] == pytest.approx(
        curvature, rel=1e-5, abs=1e-5
    )


@pytest.mark.parametrize(
    ("x", "w", "stride", "padding", "dilation", "groups"),
    [
        ((2, 3, 7), (4, 3, 3), (1,), (0,), (1,), 1),
        ((2, 3, 7), (4, 3, 3), (2,), (2,), (2,), 1),
        ((1, 4, 8), (6, 2, 2), (3,), (1,), (1,), 2),
        ((2, 2, 5, 6), (3, 2, 3, 2), (1, 1), (0, 0), (1, 1), 1),
        ((2, 2, 5, 6), (3, 2, 3, 2), (2, 1), (1, 0), (1, 2), 1),
        ((1, 4, 5, 5), (4, 1, 3, 3), (2, 2), (1, 1), (1, 1), 4),
        ((1, 2, 4, 4, 4), (2, 2, 2, 3, 1), (2, 1, 1), (0, 1, 0), (1, 1, 1), 1),
    ],
)
def test_convolution(x, w, stride, padding, dilation, groups):
    x, w, b = normal(*x), normal(*w), normal(w[0])
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    expected = naive_conv(x, w, **options) + b.reshape(-1, *[1] * (x.ndim - 2))
    assert np.allclose(cr.nn.conv(x, w, b, **options), expected)
    assert np.allclose(cr.nn.conv(cr.Tensor(x), w, b, **options).data, expected)
    check_derivatives(lambda x, w, b: cr.nn.conv(x, w, b, **options), x, w, b)


def test_convolution_keeps_lengths_and_precision():
    x, w = normal(1, 2, 6, 7), normal(3, 2, 3, 4)
    assert cr.nn.conv(x, w, padding="same").shape == (1, 3, 6, 7)
    assert np.allclose(cr.nn.conv(x, w, padding="valid"), cr.nn.conv(x, w))
    assert cr.nn.conv(cr.Tensor(x.astype(np.float32)), w.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.ones((2, 3)), np.ones((1, 3))), {}, "conv: x"),
        ((np.ones((1, 3, 5)), np.ones((2, 2, 3))), {}, "does not fit 3 channels in 1 group"),
        ((np.ones((1, 4, 5)), np.ones((3, 2, 3))), {"groups": 2}, "4 channels in 2 group"),
        ((np.ones((1, 1, 2)), np.ones((1, 1, 3))), {}, r"spans \(3,\) does not fit into \(2,\)"),
        ((np.ones((1, 1, 5)), np.ones((1, 1, 3))), {"stride": 0}, "stride=0: 1 whole number"),
        ((np.ones((1, 1, 5)), np.ones((1, 1, 3))), {"padding": -1}, "padding=-1"),
        ((np.ones((1, 1, 5)), np.ones((1, 1, 3))), {"padding": "same", "stride": 2}, "stride 1"),
    ],
)
def test_convolution_refuses(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        cr.nn.conv(*arguments, **options)


@pytest.mark.parametrize("stride", [None, 1, (2, 1)])
def test_pooling(stride):
    x = random.permutation(2 * 3 * 5 * 6).reshape(2, 3, 5, 6) * 0.1
    steps = (2, 3) if stride is None else (stride, stride) if stride == 1 else stride
    views = np.lib.stride_tricks.sliding_window_view(x, (2, 3), (2, 3))[
        :, :, :: steps[0], :: steps[1]
    ]
    assert np.array_equal(cr.nn.max_pool(x, (2, 3), stride), views.max(axis=(-2, -1)))
    assert np.allclose(cr.nn.average_pool(x, (2, 3), stride), views.mean(axis=(-2, -1)))
    check_derivatives(lambda x: cr.nn.max_pool(x, (2, 3), stride), x)
    check_derivatives(lambda x: cr.nn.average_pool(x, (2, 3), stride), x)


def test_pooling_with_padding():
    x = normal(1, 1, 4) - 5.0
    assert np.array_equal(
        cr.nn.max_pool(x, 2, padding=1)[0, 0], [x[0, 0, 0], x[0, 0, 1:3].max(), x[0, 0, 3]]
    )
    assert np.allclose(cr.nn.average_pool(x, 2, padding=1)[0, 0, 0], x[0, 0, 0] / 2)
    check_derivatives(lambda x: cr.nn.max_pool(x, 2, padding=1), x)
    with pytest.raises(ValueError, match="half of the window"):
        cr.nn.max_pool(x, 2, padding=2)
    with pytest.raises(ValueError, match="pooling takes"):
        cr.nn.max_pool(np.ones(3), 2)


def test_embedding():
    table = normal(4, 3)
    rows = [[1, 1], [3, 0]]
    assert np.array_equal(cr.nn.embedding(rows, table), table[rows])
    g = cr.grad(lambda t: np.sum(cr.nn.embedding(rows, t) * np.arange(12.0).reshape(2, 2, 3)))(
        table
    )
    assert g[1].tolist() == [3, 5, 7]
    assert g[2].tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="rows go from 0 to 3"):
        cr.nn.embedding([4], table)
    with pytest.raises(TypeError, match="whole numbers"):
        cr.nn.embedding([0.5], table)


def test_cross_entropies_are_stable():
    logits, labels = np.array([[1000.0, 0.0], [0.0, -1000.0], [2.0, 1.0]]), np.array([0, 0, 1])
    assert cr.nn.cross_entropy(logits, labels) == pytest.approx((1 + np.log1p(np.exp(-1))) / 3)
    assert np.isfinite(cr.grad(lambda z: cr.nn.cross_entropy(z, labels))(logits)).all()
    check_derivatives(lambda z: cr.nn.cross_entropy(z, labels), normal(3, 2))
    z, t = np.array([1000.0, -1000.0, 0.3]), np.array([1.0, 0.0, 0.7])
    p = 1 / (1 + np.exp(-0.3))
    expected = -(0.7 * np.log(p) + 0.3 * np.log(1 - p)) / 3
    assert cr.nn.binary_cross_entropy(z, t) == pytest.approx(expected)
    gradient = cr.grad(lambda z: cr.nn.binary_cross_entropy(z, t))
    assert np.allclose(gradient(z), [0, 0, (p - 0.7) / 3])
    second = cr.hessian(lambda z: cr.nn.binary_cross_entropy(z, np.array([1.0])))(np.zeros(1))
    assert second[0, 0] == 0.25
    with pytest.raises(ValueError, match="must agree"):
        cr.nn.binary_cross_entropy(z, t[:2])


def test_normalisation():
    x, scale, shift = normal(6, 4), normal(4), normal(4)
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    assert np.allclose(cr.nn.layer_norm(x, scale, shift), expected * scale + shift)
    check_derivatives(cr.nn.layer_norm, x, scale, shift)
    expected = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
    assert np.allclose(cr.nn.batch_norm(x, scale, shift), expected * scale + shift)
    check_derivatives(cr.nn.batch_norm, x, scale, shift)
    pictures = normal(3, 2, 4, 4)
    y = cr.nn.batch_norm(pictures)
    assert np.allclose(y.mean(axis=(0, 2, 3)), 0)
    assert np.allclose(y.var(axis=(0, 2, 3)), 1, atol=1e-4)
    with pytest.raises(ValueError, match="batch_norm takes"):
        cr.nn.batch_norm(np.ones(3))


def test_dropout():
    x = np.ones(10000)
    y = cr.nn.dropout(x, 0.25, seed=3)
    assert np.array_equal(y, cr.nn.dropout(x, 0.25, seed=3))
    assert not np.array_equal(y, cr.nn.dropout(x, 0.25, seed=4))
    assert set(np.unique(y)) == {0, 1 / 0.75}
    assert y.mean() == pytest.approx(1, abs=0.03)
    assert np.array_equal(cr.grad(lambda x: np.sum(cr.nn.dropout(x, 0.25, seed=3)))(x), y)
    assert cr.nn.dropout(cr.Tensor(np.ones(3, np.float32)), 0.5, 1).dtype == np.float32
    with pytest.raises(ValueError, match="rate=1"):
        cr.nn.dropout(x, 1, seed=0)


def test_a_convolutional_network_learns():
    """Stripes across or along: a small network tells them apart."""
    source = np.random.default_rng(0)
    labels = source.integers(0, 2, 40)
    stripes = np.tile([1.0, 1.0, -1.0, -1.0], 2)[None, :] * np.ones((8, 1))
    x = np.stack([(stripes if k else stripes.T) for k in labels])[:, None]
    x += 0.5 * source.normal(size=x.shape)
    params = {"K": 0.3 * source.normal(size=(4, 1, 3, 3)), "W": 0.3 * source.normal(size=(36, 2))}

    def loss(params):
        h = cr.relu(cr.nn.conv(x, params["K"]))
        h = cr.nn.average_pool(h, 2)
        return cr.nn.cross_entropy(h.reshape(40, -1) @ params["W"], labels)

    start = loss(params)
    for _ in range(40):
        g = cr.grad(loss)(params)
        params = {name: p - 0.5 * g[name] for name, p in params.items()}
    assert loss(params) < 0.1 * start
