"""One call of a NumPy function measured: are its derivatives those of NumPy's own function?"""

import warnings

import numpy as np

import chainrule as cr
from chainrule.ops.checking import central_difference


def is_number_array(x):
    return isinstance(x, np.ndarray) and x.dtype.kind in "fc"


def flatten(x):
    """The arrays in nested lists and tuples."""
    if isinstance(x, list | tuple):
        return [leaf for item in x for leaf in flatten(item)]
    return [x]


def variables_of(call):
    return [x for x in flatten(call.args) if is_number_array(x)]


def filled(args, values):
    """The arguments with other arrays in place of theirs."""
    if isinstance(args, list | tuple):
        return type(args)(filled(item, values) for item in args)
    return next(values) if is_number_array(args) else args


def run(call, values):
    return call.function(*filled(call.args, iter(values)), **call.kwargs)


def as_number(result):
    """A number from all results, every entry counting differently."""
    total = 0.0
    for i, y in enumerate(flatten(result)):
        if not hasattr(y, "dtype") or y.dtype.kind not in "fc":
            continue
        shape = y.shape
        weights = np.cos(np.arange(np.prod(shape, dtype=int)).reshape(shape) + 1.0 + i)
        if y.dtype.kind == "c":
            weights = weights * (1 - 0.3j)
        total = total + np.sum(np.real(y * weights))
    return total


def direction(like, phase):
    d = np.sin(np.arange(like.size).reshape(like.shape) * 1.7 + phase)
    return d * (0.6 + 0.8j) if like.dtype.kind == "c" else d


def inner(cotangents, tangents):
    return sum(np.sum(np.real(c * t)) for c, t in zip(cotangents, tangents, strict=True))


def complexified(call):
    """The call with complex numbers; None where NumPy has no such function."""
    values = [np.asarray(x + 1j * direction(x, 0.4) * 0.3) for x in variables_of(call)]
    call = call._replace(args=filled(call.args, iter(values)))
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            run(call, values)
    except (TypeError, ValueError, np.exceptions.ComplexWarning):
        return None
    return call


def close(a, b, tolerance, scale=None):
    scale = 1 + np.max(np.abs(b), initial=0) if scale is None else scale
    return np.shape(a) == np.shape(b) and bool(
        np.all(np.abs(np.asarray(a) - b) <= tolerance * scale)
    )


def check_value(call):
    """The result on Tensors has NumPy's values, shapes, dtypes and structure."""
    values = variables_of(call)
    expected = flatten(run(call, values))
    given = flatten(run(call, [cr.Tensor(x) for x in values]))
    elsewhere = flatten(run(call, [x * 1.01 for x in values]))
    assert len(expected) == len(given)
    for a, b, c in zip(given, expected, elsewhere, strict=True):
        if is_number_array(np.asarray(b)):
            assert isinstance(a, cr.Tensor) or np.array_equal(b, c), f"{type(a)} left the graph"
            data = a.data if isinstance(a, cr.Tensor) else a
            assert data.dtype == np.asarray(b).dtype, f"{data.dtype}, NumPy: {np.asarray(b).dtype}"
            assert data.shape == np.shape(b), f"{data.shape}, NumPy: {np.shape(b)}"
            assert np.allclose(data, b, rtol=1e-10, atol=1e-10, equal_nan=True)
        else:
            assert np.array_equal(a, b)


def scalar(call):
    """The call as a function of its arrays that returns one number."""
    return lambda *variables: as_number(run(call, variables))


def slope_of(call):
    """The derivative of NumPy's own function along a direction, by differences."""
    values = variables_of(call)
    tangents = [direction(x, 1.0) for x in values]
    f = scalar(call)
    slope = central_difference(
        lambda h: f(*[x + h * t for x, t in zip(values, tangents, strict=True)])
    )
    return values, tangents, slope


def check_reverse(call):
    """Reverse mode agrees with differences of NumPy's function itself."""
    values, tangents, slope = slope_of(call)
    gradients = cr.grad(scalar(call), tuple(range(len(values))))(*values)
    for g, x in zip(gradients, values, strict=True):
        assert g.shape == x.shape
        assert g.dtype == x.dtype
    given = inner(gradients, tangents)
    assert close(given, slope, 1e-6, 1 + abs(slope)), f"{given}, differences: {slope}"


def check_forward(call):
    """Forward mode agrees with differences, and to the last digits with reverse mode."""
    values, tangents, slope = slope_of(call)
    with np.errstate(all="ignore"):
        _, given = cr.jvp(scalar(call), values, tangents)
    assert close(given, slope, 1e-6, 1 + abs(slope)), f"{given}, differences: {slope}"
    reverse = inner(cr.grad(scalar(call), tuple(range(len(values))))(*values), tangents)
    assert close(given, reverse, 1e-9, 1 + abs(slope)), f"{given}, reverse: {reverse}"


def check_second(call):
    """Reverse over reverse, forward over reverse and differences of the gradient agree."""
    values = variables_of(call)
    numbers = tuple(range(len(values)))

    def f(*variables):
        y = as_number(run(call, variables))
        return y * y

    tangents = [direction(x, 1.0) for x in values]
    gradient = cr.grad(f, numbers)

    def slope(*variables):
        return inner(gradient(*variables), tangents)

    others = [direction(x, 2.0) for x in values]
    with np.errstate(all="ignore"):
        reverse = inner(cr.grad(slope, numbers)(*values), others)
        _, forward = cr.jvp(slope, values, others)
    difference = central_difference(
        lambda h: slope(*[x + h * t for x, t in zip(values, others, strict=True)]), 1e-3
    )
    scale = 1 + abs(forward) + np.max([np.max(np.abs(g), initial=0) for g in gradient(*values)])
    assert close(reverse, forward, 1e-8, scale), f"{reverse}, {forward}"
    assert close(difference, forward, 3e-5, scale), f"{difference}, {forward}"


def check_float32(call):
    """Single precision stays, and the gradients are those of double precision."""
    values = variables_of(call)
    narrow = [x.astype(np.float32) for x in values]
    expected = [np.asarray(y).dtype for y in flatten(run(call, narrow))]
    given = flatten(run(call, [cr.Tensor(x) for x in narrow]))
    for dtype, y in zip(expected, given, strict=True):
        assert not hasattr(y, "dtype") or y.dtype == dtype, f"{y.dtype}, NumPy: {dtype}"
    f = cr.grad(lambda *v: as_number(run(call, v)), tuple(range(len(values))))
    for a, b in zip(f(*narrow), f(*values), strict=True):
        assert a.dtype == np.float32
        assert close(a, b, 1e-3)


def layouts(x):
    """The same numbers in other places of memory."""
    if not x.ndim:
        return [x] * 4
    backwards = x[(slice(None, None, -1),) * x.ndim].copy()[(slice(None, None, -1),) * x.ndim]
    spread = np.zeros(tuple(2 * n for n in x.shape), x.dtype)[(slice(None, None, 2),) * x.ndim]
    spread[...] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    return [np.asfortranarray(x), backwards, spread, frozen]


def check_layouts(call):
    """The layout of memory changes no value and no derivative."""
    values = variables_of(call)
    f = cr.value_and_grad(scalar(call), tuple(range(len(values))))
    value, expected = f(*values)
    for others in zip(*map(layouts, values), strict=True):
        again, gradients = f(*others)
        assert close(again, value, 1e-12)
        for g, e in zip(gradients, expected, strict=True):
            assert close(g, e, 1e-11)


def check_changes(call):
    """Data changed after the forward pass: the right gradient all the same, or an error."""
    values = variables_of(call)
    expected = cr.grad(scalar(call), tuple(range(len(values))))(*values)
    for changed in range(len(values)):
        leaves = [cr.Tensor(x) for x in values]
        y = as_number(run(call, leaves))
        leaves[changed].data[...] *= 1.5
        try:
            y.backward()
        except cr.ChangedDataError:
            continue
        for leaf, e in zip(leaves, expected, strict=True):
            assert close(0 * e if leaf.grad is None else leaf.grad, e, 1e-11)
        constants = [x.copy() for x in values]
        leaf = cr.Tensor(values[changed])
        mixed = [leaf if i == changed else x for i, x in enumerate(constants)]
        if call.name in {"np.fill_diagonal", "np.put_along_axis", "t.at"} and changed:
            continue  # a plain array is not assigned a Tensor
        y = as_number(run(call, mixed))
        for i in set(range(len(constants))) - {changed}:
            constants[i] *= 1.5
        try:
            y.backward()
        except cr.ChangedDataError:
            continue
        assert close(leaf.grad, expected[changed], 1e-11)
