"""The one idea, proved on every op: one rule, read as reverse, forward, second order and text."""

import operator

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.batch import Batch
from chainrule.formulas import Symbol
from chainrule.ops import TABLE
from chainrule.ops.base import constant
from chainrule.ops.checking import OpCheckError, central_difference
from chainrule.ops.kinds import General, Linear, Multilinear
from samples import SAMPLES

ROWS = [
    pytest.param(name, row, id=f"{name}-{i}")
    for name, rows in SAMPLES.items()
    for i, row in enumerate(rows)
]
DIFFERENTIABLE = [p for p in ROWS if TABLE[p.values[0]].differentiable]
#: Its derivative is zero by intent, not the derivative of its forward.
SMOOTH = [p for p in DIFFERENTIABLE if p.values[0] != "stop_gradient"]
NAMES = sorted(name for name, op in TABLE.items() if op.differentiable and name != "stop_gradient")


def call(op, inputs, params):
    return op.apply(tuple(inputs), params)


def moving(op, inputs):
    """Positions of the inputs to differentiate by."""
    rules = [op.rules[0]] * len(inputs) if op.sequence or isinstance(op, General) else op.rules
    return [
        i
        for i, x in enumerate(inputs)
        if isinstance(x, np.ndarray) and x.dtype.kind in "fc" and rules[i] is not None
    ]


def weighted(op, inputs, params, weights):
    """A number computed from a number of any shape, with all entries counting differently."""
    return ops.sum(ops.real(call(op, inputs, params) * weights))


def split(op, row):
    """The op as a function of its floating-point inputs only, and these."""
    positions = moving(op, row.inputs)

    def f(*variables):
        inputs = list(row.inputs)
        for i, variable in zip(positions, variables, strict=True):
            inputs[i] = (variable + variable.mT) * 0.5 if op.hermitian else variable
        weights = np.cos(np.arange(np.size(y)).reshape(np.shape(y)) + 1.0)
        return weighted(op, inputs, row.params, weights)

    y = op.evaluate(row.inputs, row.params)
    return f, [row.inputs[i] for i in positions]


def test_every_op_has_samples_and_a_description():
    assert sorted(SAMPLES) == sorted(TABLE)
    for name, op in TABLE.items():
        assert op.differentiable is False or op.__doc__, f"{name} has no doc"


@pytest.mark.parametrize(("name", "row"), SMOOTH)
def test_check(name, row):
    """Differences, vjp against jvp, floats against arrays, unread arguments: on plain arrays."""
    op = TABLE[name]
    inputs = (row.inputs,) if op.sequence else row.inputs
    op.check(*inputs, **row.params)


def waves(like):
    """A direction of the shape and dtype of an array."""
    direction = np.sin(np.arange(like.size).reshape(like.shape) + 2.0)
    return direction * (1 - 0.5j) if like.dtype.kind == "c" else direction


def inner(cotangent, tangent):
    """The derivative along a tangent: the real part of the sum of products."""
    return ops.sum(ops.real(cotangent * tangent))


@pytest.mark.parametrize(("name", "row"), SMOOTH)
def test_reverse_on_tensors(name, row):
    op = TABLE[name]
    f, x = split(op, row)
    leaves = [cr.Tensor(value) for value in x]
    f(*leaves).backward()
    for i, leaf in enumerate(leaves):
        direction = np.cos(np.arange(leaf.size).reshape(leaf.shape))
        if leaf.dtype.kind == "c":
            direction = direction * (0.5 + 1j)

        def moved(t, i=i, direction=direction):
            return f(*[v + t * direction if j == i else v for j, v in enumerate(x)])

        slope = central_difference(moved)
        assert leaf.grad.shape == leaf.shape
        assert np.sum(leaf.grad * direction).real == pytest.approx(slope, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("name", "row"), SMOOTH)
def test_forward_mode(name, row):
    f, x = split(TABLE[name], row)
    tangents = [waves(v) for v in x]
    _, y_dot = cr.jvp(f, x, tangents)
    _, pullback = cr.vjp(f, *x)
    expected = sum(inner(x_bar, t) for x_bar, t in zip(pullback(1.0), tangents, strict=True))
    assert y_dot == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("name", "row"), SMOOTH)
def test_second_order(name, row):
    """Reverse over reverse, forward over reverse and differences of the gradient agree."""
    f, x = split(TABLE[name], row)
    directions = [waves(v) for v in x]

    def squared(*variables):  # so that linear ops have a second derivative too
        y = f(*variables)
        return y * y

    gradient = cr.grad(squared, argnums=tuple(range(len(x))))

    def slope(*variables):
        return sum(
            (inner(g, d) for g, d in zip(gradient(*variables), directions, strict=True)), 0.0
        )

    reverse = cr.grad(slope, argnums=tuple(range(len(x))))(*x)
    _, forward = cr.jvp(lambda *v: list_as_one(gradient(*v)), x, directions)
    assert np.allclose(np.concatenate([h.ravel() for h in reverse]), forward, rtol=1e-9, atol=1e-9)
    difference = central_difference(
        lambda t: np.concatenate(
            [g.ravel() for g in gradient(*[v + t * d for v, d in zip(x, directions, strict=True)])]
        )
    )
    scale = 1 + np.max(np.abs(forward), initial=0)
    assert np.allclose(difference / scale, forward / scale, atol=1e-5)


def list_as_one(arrays):
    return ops.concatenate([ops.reshape(a, (-1,)) for a in arrays])


@pytest.mark.parametrize(("name", "row"), SMOOTH)
def test_batches(name, row):
    """The op on a stack of inputs, any of them stacked, is the op on one after the other."""
    op = TABLE[name]
    positions = moving(op, row.inputs)
    for chosen in {tuple(positions), tuple(positions[:1]), tuple(positions[-1:])}:
        rows = [
            [x * (1 + 0.1 * k) if i in chosen else x for i, x in enumerate(row.inputs)]
            for k in range(3)
        ]
        batched = [
            Batch(np.stack([inputs[i] for inputs in rows]), 1) if i in chosen else x
            for i, x in enumerate(row.inputs)
        ]
        with np.errstate(all="ignore"):
            y = call(op, batched, row.params)
            expected = np.stack([call(op, inputs, row.params) for inputs in rows])
        assert y.shape == expected.shape[1:]
        assert np.allclose(y.stacked, expected, rtol=1e-9, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize(("name", "row"), SMOOTH)
def test_jacobians_in_batches(name, row):
    """A batch of cotangents through the rule gives what each cotangent gives."""
    op = TABLE[name]
    f, x = split(op, row)
    full = cr.jacobian(lambda *v: f(*v) * np.array([1.0, -2.0]), tuple(range(len(x))))
    if any(v.dtype.kind == "c" for v in x):
        with pytest.raises(TypeError, match="complex"):
            full(*x)
        return
    gradients = cr.grad(f, tuple(range(len(x))))(*x)
    for block, g in zip(full(*x), gradients, strict=True):
        assert np.allclose(block, np.stack([g, -2 * g]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "row"), DIFFERENTIABLE)
def test_float32_stays(name, row):
    op = TABLE[name]
    params = {k: np.float32 if v is np.float64 else v for k, v in row.params.items()}
    narrow = [
        x.astype(np.complex64 if x.dtype.kind == "c" else np.float32)
        if i in moving(op, row.inputs) or getattr(x, "dtype", None) == np.float64
        else x
        for i, x in enumerate(row.inputs)
    ]
    leaves = [cr.Tensor(x) if i in moving(op, row.inputs) else x for i, x in enumerate(narrow)]
    y = call(op, leaves, params)
    expected = np.asarray(op.evaluate(narrow, params))  # SciPy widens whole numbers
    assert y.dtype == expected.dtype
    assert y.real.dtype == np.float32 or name.startswith("gammainc")
    inner(y, y).backward()
    wide = [cr.Tensor(x) if i in moving(op, row.inputs) else x for i, x in enumerate(row.inputs)]
    y = call(op, wide, row.params)
    inner(y, y).backward()
    for leaf, exact in zip(leaves, wide, strict=True):
        if isinstance(leaf, cr.Tensor):
            assert leaf.grad.dtype == leaf.dtype
            assert np.allclose(leaf.grad, exact.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "row"), DIFFERENTIABLE)
def test_mixed_dtypes_give_each_input_its_own(name, row):
    op = TABLE[name]
    if name == "astype":
        pytest.skip("its dtype is its argument")
    first, *_ = moving(op, row.inputs)
    leaves = [
        cr.Tensor(x.astype(NARROW[x.dtype.kind] if i == first else x.dtype))
        if i in moving(op, row.inputs)
        else x
        for i, x in enumerate(row.inputs)
    ]
    ops.sum(ops.real(call(op, leaves, row.params))).backward()
    assert leaves[first].grad.dtype == NARROW[row.inputs[first].dtype.kind]
    assert all(x.grad.dtype == x.dtype for x in leaves if isinstance(x, cr.Tensor))


NARROW = {"f": np.float32, "c": np.complex64}


def evaluated(formula, bindings):
    """The number that a formula stands for."""
    if not isinstance(formula, Symbol):
        return formula
    if formula.op is None:
        return bindings[formula.name]
    return formula.op.compute([evaluated(x, bindings) for x in formula.inputs], formula.params)


@pytest.mark.parametrize(("name", "row"), DIFFERENTIABLE)
def test_the_rule_written_as_a_formula_is_the_rule(name, row):
    """Fed with symbols a rule gives a text, and the formula behind the text has the right value."""
    op = TABLE[name]
    positions = moving(op, row.inputs)
    y = np.asarray(op.evaluate(row.inputs, row.params))
    y_bar = np.sin(np.arange(y.size, dtype=float).reshape(y.shape) + 1)
    names = [f"x{i}" for i in range(len(row.inputs))]
    bindings = dict(zip(names, row.inputs, strict=True)) | {"y": y, "ȳ": y_bar}
    symbols = [
        Symbol(n, np.shape(x), np.asarray(x).dtype) for n, x in zip(names, row.inputs, strict=True)
    ]
    formulas = op.vjp(
        positions, Symbol("ȳ", y.shape), Symbol("y", y.shape, y.dtype), symbols, row.params
    )
    numbers = op.vjp(positions, y_bar, y, row.inputs, row.params)
    for formula, number in zip(formulas, numbers, strict=True):
        assert formula.shape == number.shape
        assert "object" not in str(formula)
        assert np.allclose(evaluated(formula, bindings), number, rtol=1e-10, atol=1e-10)


def test_formulas_read_like_the_textbook():
    def partials(name):
        op = TABLE[name]
        inputs = [Symbol(letter) for letter in "abc"[: len(op.rules)]]
        return [str(op.partial(i, Symbol("y"), inputs, {})) for i in range(len(op.rules))]

    assert partials("add") == ["1", "1"]
    assert partials("subtract") == ["1", "-1"]
    assert partials("multiply") == ["b", "a"]
    assert partials("divide") == ["1/b", "-y/b"]
    assert partials("exp") == ["y"]
    assert partials("log") == ["1/a"]
    assert partials("sqrt") == ["0.5/y"]
    assert partials("sin") == ["cos(a)"]
    assert partials("cos") == ["-sin(a)"]
    assert partials("tanh") == ["1 - y·y"]
    assert partials("sigmoid") == ["y·(1 - y)"]
    assert partials("relu") == ["[y > 0]"]
    assert partials("absolute") == ["sign(a)"]
    assert partials("maximum") == ["[a > b] + 0.5·[a = b]", "[b > a] + 0.5·[a = b]"]
    assert partials("where") == ["None", "[a ≠ 0]", "[a = 0]"]
    x, w = Symbol("X", (5, 3)), Symbol("W", (3, 2))
    assert [str(f) for f in ops.matmul.vjp([0, 1], Symbol("δ", (5, 2)), None, (x, w), {})] == [
        "δ Wᵀ",
        "Xᵀ δ",
    ]


# -------------------------------------------------------------------- the checker is checked


def rebuilt(op, rules):
    """The same op with other rules."""
    twin = object.__new__(type(op))
    twin.__dict__.update(op.__dict__, rules=tuple(rules), name=op.name)
    return twin


def mutated(rule, change):
    """A rule with its result changed; tuples and lists entry by entry."""
    if not callable(rule):
        return change(rule) if rule is not None else None

    def mutant(*args, **params):
        result = rule(*args, **params)
        if isinstance(result, list | tuple):
            return type(result)(change(x) for x in result)
        return change(result)

    return mutant


CHANGES = {
    "times 1.001": lambda x: x * 1.001,
    "sign": lambda x: -x if np.asarray(x).dtype != bool else -(x * 1.0),
    "dropped": lambda x: x * 0.0,
    "term added": lambda x: x + 0.01,
    "wrong shape": lambda x: np.asarray(x)[None, None, None, None, None],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_mutant_of_a_rule_is_caught(name, change):
    op = TABLE[name]
    scaling = change in {"times 1.001", "sign", "dropped"}
    if name in {"sign_of_det", "heaviside"} and scaling:
        pytest.skip("zero stays zero under these")
    for position, rule in enumerate(op.rules):
        if rule is None or getattr(rule, "__name__", "") == "unknown":
            continue
        if (rule == 0 and scaling) or (position and isinstance(op, General)):
            continue
        rules = list(op.rules)
        rules[position] = mutated(rule, CHANGES[change])
        mutant = rebuilt(op, rules)
        caught = []
        for row in SAMPLES[name]:
            inputs = (row.inputs,) if op.sequence else row.inputs
            try:
                with np.errstate(all="ignore"):
                    mutant.check(*inputs, **row.params)
            except (OpCheckError, ValueError, AttributeError, IndexError):
                caught.append(row)
        assert caught, f"{name}: '{change}' of rule {position} goes unnoticed"


@pytest.mark.parametrize("name", ["divide", "matmul", "maximum", "power", "subtract", "where"])
def test_swapped_inputs_are_caught(name):
    op = TABLE[name]
    rules = list(op.rules)
    rules[-2], rules[-1] = rules[-1], rules[-2]
    mutant = rebuilt(op, rules)
    row = SAMPLES[name][0]
    with pytest.raises((OpCheckError, ValueError)):
        mutant.check(*row.inputs, **row.params)


def test_a_rule_that_reads_what_it_says_it_does_not_is_caught():
    for lying in (
        cr.elementwise(np.exp, lambda _y, _x: _y, name="lying_exp"),
        cr.elementwise(np.sin, lambda _y, _x: ops.cos(_x), name="lying_sin"),
        cr.op(np.exp, lambda y_bar, _y, _x: y_bar * _y, lambda t, y, _x: t[0] * y, name="lying_op"),
    ):
        with pytest.raises(OpCheckError, match="underscore"):
            lying.check(np.array([0.5, -1.0]))


def test_a_rule_wrong_on_one_side_is_caught():
    for wrong in (
        cr.elementwise(lambda x: np.maximum(x, 0), 1, name="relu_without_its_left_side"),
        cr.elementwise(np.abs, 1, name="abs_without_its_left_side"),
    ):
        with pytest.raises(OpCheckError, match="off by"):
            wrong.check()
    cr.elementwise(np.arccosh, lambda _y, x: 1 / ops.sqrt(x * x - 1), name="arccosh").check()
    nowhere = cr.elementwise(lambda x: x * np.nan, 1, name="nowhere")
    with pytest.raises(TypeError, match="found no numbers its forward is defined for"):
        nowhere.check()


def test_complex_is_checked_where_it_is_claimed():
    size = cr.elementwise(lambda x: (x * np.conj(x)).real, lambda _y, x: 2 * x, name="size")
    size.check()
    claimed = cr.elementwise(
        lambda x: (x * np.conj(x)).real, lambda _y, x: 2 * x, name="size", complex=True
    )
    with pytest.raises(OpCheckError, match="off by"):
        claimed.check()
    cr.elementwise(
        lambda x: (x * np.conj(x)).real, lambda _y, x: 2 * np.conj(x), name="size", complex=True
    ).check()


def test_a_check_that_would_check_nothing_is_refused():
    tanh = cr.elementwise(np.tanh, lambda _y, x: 1 - x * x, name="wrong_tanh")
    with pytest.raises(OpCheckError):
        tanh.check(0.3)
    for nothing in (1, np.array([1, 2])):
        with pytest.raises(TypeError, match="needs floating-point inputs"):
            tanh.check(nothing)


def test_a_rule_that_converts_is_caught():
    converting = cr.elementwise(np.tan, lambda y, _x: 1 + np.asarray(y) ** 2, name="converting")
    with pytest.raises(OpCheckError, match="converting: the rule converts"):
        converting.check()


def test_an_op_without_jvp_is_checked_against_differences():
    square = cr.op(lambda x: np.sum(x * x), lambda y_bar, _y, x: 2 * y_bar * x, name="square")
    square.check(np.array([1.0, 2.0]))
    wrong = cr.op(lambda x: np.sum(x * x), lambda y_bar, _y, x: y_bar * x, name="wrong")
    with pytest.raises(OpCheckError, match="vjp and differences of input 0 disagree"):
        wrong.check(np.array([1.0, 2.0]))


def test_the_arguments_of_a_partial_are_checked_at_once():
    with pytest.raises(
        TypeError, match=r"bad is called with \(y, 1 input\(s\)\), this one takes 1"
    ):
        cr.elementwise(np.sin, lambda x: ops.cos(x), name="bad")
    with pytest.raises(TypeError, match="one partial for each input"):
        cr.elementwise(np.hypot, lambda y, a, _b: a / y, name="bad")


def test_a_scalar_forward_that_differs_is_caught():
    wrong = cr.elementwise(np.tanh, lambda y, _x: 1 - y * y, scalar=operator.neg, name="wrong_tanh")
    with pytest.raises(OpCheckError, match="floats give"):
        wrong.check()


def test_wrong_jvp_is_caught():
    square = cr.op(
        lambda x: x * x,
        lambda y_bar, _y, x: 2 * x * y_bar,
        lambda tangents, _y, x: 3 * x * tangents[0],
        name="square",
    )
    with pytest.raises(OpCheckError, match="off by"):
        square.check(np.array([1.0, 2.0]))


def test_wrong_dtype_is_caught():
    widening = cr.elementwise(np.sin, lambda _y, x: np.cos(x.astype(np.float64)), name="widening")
    with pytest.raises(OpCheckError, match="partial 0 has dtype float64, expected float32"):
        widening.check(np.ones(3, np.float32))


# ------------------------------------------------------------------------------- kinks


@pytest.mark.parametrize(
    ("f", "at", "expected"),
    [
        (ops.relu, 0.0, 0.0),
        (ops.absolute, 0.0, 0.0),
        (ops.sign, 0.0, 0.0),
        (lambda x: ops.maximum(x, 1.0), 1.0, 0.5),
        (lambda x: ops.minimum(1.0, x), 1.0, 0.5),
        (lambda x: x**0, 0.0, 0.0),
        (lambda x: x**1, 0.0, 1.0),
        (lambda x: x**2, 0.0, 0.0),
        (lambda x: 0.0**x, 2.0, 0.0),
    ],
)
def test_kink_conventions_on_values_and_tensors(f, at, expected):
    x = cr.Value(at)
    f(x).backward()
    assert x.grad == expected
    assert cr.grad(f)(np.asarray(at)) == expected


def test_ties_share():
    t = cr.Tensor([3.0, 1.0, 3.0])
    t.max().backward()
    assert t.grad.tolist() == [0.5, 0.0, 0.5]
    t = cr.Tensor([[1.0, 1.0], [0.0, 2.0]])
    t.min(axis=1).sum().backward()
    assert t.grad.tolist() == [[0.5, 0.5], [1.0, 0.0]]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: ops.where(x > 0, ops.sqrt(x), 0.0),
        lambda x: ops.where(x > 0, ops.log(x), 0.0),
        lambda x: ops.where(x > 0, 1 / x, 0.0),
        lambda x: ops.where(x > 0, x**-0.5, 0.0),
    ],
)
def test_where_hides_infinite_partials(f):
    """The finite gradient that is meant, not 0 · ∞ = NaN; in both modes, to second order."""
    x = np.array([4.0, 0.0])
    with np.errstate(all="ignore"):
        gradient = cr.grad(lambda x: ops.sum(f(x)))
        first = gradient(x)
        _, forward = cr.jvp(f, (x,), (np.ones(2),))
        second = cr.grad(lambda x: ops.sum(gradient(x)))(x)
    assert np.isfinite(first).all()
    assert first[1] == 0
    assert np.allclose(first, forward)
    assert second[1] == 0
    assert np.isfinite(second[0])


def test_a_zero_cotangent_does_not_hide_the_mixed_derivative():
    # d/dc of d/dx (c·√x) at c = 0 is 1/(2√x), although the cotangent of √x is c = 0.
    mixed = cr.grad(lambda c: cr.grad(lambda x: c * ops.sqrt(x))(4.0))
    assert mixed(0.0) == 0.25


def test_comparisons_are_plain():
    v, t = cr.Value(2.0), cr.Tensor([1.0, 3.0])
    assert (v > 1) is True
    assert (v < 1) is False
    assert (v == 2.0) is True
    assert (v != cr.Value(2.0)) is False
    assert type(t >= 2) is np.ndarray
    assert (t <= 1).tolist() == [True, False]
    assert (np.array([2.0, 2.0]) < t).tolist() == [False, True]
    assert (t == t).all()  # noqa: PLR0124
    for node in (v, t):
        assert (node == None) is False  # noqa: E711
        assert (node != "a") is True
        assert None not in [node, 1.0]
    assert not (t != t).any()  # noqa: PLR0124


# ---------------------------------------------------------------------------- declaring


def test_declare_an_elementwise_op_in_two_lines():
    softplus = cr.elementwise(
        lambda x: np.log1p(np.exp(x)), lambda _y, x: cr.sigmoid(x), name="softplus"
    )
    softplus.check()
    x = np.array([-1.0, 0.5])
    assert np.allclose(cr.grad(lambda t: softplus(t).sum())(x), 1 / (1 + np.exp(-x)))
    assert np.allclose(
        cr.jvp(cr.grad(lambda t: softplus(t).sum()), (x,), (np.ones(2),))[1],
        np.exp(-x) / (1 + np.exp(-x)) ** 2,
    )


def test_declare_a_general_op():
    def norm_vjp(y_bar, y, x):
        return y_bar / y * x

    norm = cr.op(
        lambda x: np.sqrt(np.sum(x * x)), norm_vjp, lambda t, y, x: (t[0] * x).sum() / y,
        name="norm",
    )  # fmt: skip
    norm.check(np.array([3.0, 4.0]))
    assert np.allclose(cr.grad(norm)(np.array([3.0, 4.0])), [0.6, 0.8], rtol=1e-15)
    with pytest.raises(TypeError, match="needs sample inputs"):
        norm.check()


def test_a_general_op_without_jvp_says_so():
    double = cr.op(lambda x: 2 * x, lambda y_bar, _y, _x: 2 * y_bar, name="double")
    with pytest.raises(NotImplementedError, match="double was declared without a jvp"):
        cr.jvp(double, (np.ones(2),), (np.ones(2),))


def test_a_vjp_of_two_inputs_must_return_two():
    bad = cr.op(np.add, lambda y_bar, _y, _a, _b: y_bar, name="bad", inputs=2)
    with pytest.raises(cr.RuleError, match="bad must return a tuple of 2"):
        bad(cr.Tensor([1.0]), 2.0).backward()


def test_an_op_as_a_decorator():
    @cr.op(vjp=lambda y_bar, _y, x: y_bar * 2 * x, jvp=lambda t, _y, x: t[0] * 2 * x)
    def own_square(x):
        """The square."""
        return x * x

    own_square.check(np.array([1.0, 2.0]))
    assert own_square.name == "own_square"
    assert own_square.__doc__ == "The square."
    assert cr.grad(own_square)(3.0) == 6.0
    with pytest.raises(TypeError, match="needs its vjp"):
        cr.op(np.exp)


def test_an_op_needs_a_name():
    with pytest.raises(ValueError, match="needs a name"):
        cr.elementwise(lambda x: x, 1)


def test_pullbacks_have_names():
    assert ops.tanh.rules[0].__name__ == "tanh_rule"
    assert ops.multiply.rules[1].__code__.co_name == "multiply_rule_1"


def test_arguments_are_bound_or_refused_by_name():
    with pytest.raises(TypeError, match=r"sum does not take where= \(it takes: axis, keepdims\)"):
        ops.sum(cr.Tensor([1.0]), where=True)
    with pytest.raises(TypeError, match="takes 2 input"):
        ops.maximum(cr.Tensor([1.0]))
    with pytest.raises(TypeError, match="takes at most 3 arguments"):
        ops.sum(cr.Tensor([1.0]), 0, True, 5)
    with pytest.raises(TypeError, match="got axis twice"):
        ops.sum(cr.Tensor([1.0]), 0, axis=0)
    with pytest.raises(TypeError, match="takes a list or tuple"):
        ops.stack(cr.Tensor([1.0]))
    with pytest.raises(ValueError, match="at least one input"):
        ops.stack([])


def test_constants_are_declared_too():
    larger = constant(np.greater, 2, name="larger")
    assert larger(cr.Tensor([1.0, 2.0]), 1.5).tolist() == [False, True]


def test_kinds_are_what_the_documentation_says():
    assert isinstance(ops.matmul, Multilinear)
    assert isinstance(ops.reshape, Linear)
    assert repr(ops.exp) == "<op exp>"
