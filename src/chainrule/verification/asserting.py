"""Assertions for tests, in the manner of `numpy.testing`, and the catalogue of misconceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.ops import TABLE
from chainrule.ops.base import Op
from chainrule.ops.misconceptions import Misconception
from chainrule.traced import plain
from chainrule.trees import flatten, leaves_like
from chainrule.verification.checking import check
from chainrule.verification.claims import (
    as_numbers,
    computed_numbers,
    guarded,
    printed_numbers,
    unit_of,
)
from chainrule.verification.evaluation import PRINTED_RESOLUTION, resolution_of
from chainrule.verification.findings import Finding
from chainrule.verification.report import Report
from chainrule.verification.targets import Target
from chainrule.verification.verdicts import Reference, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Mapping


def assert_gradients(
    actual: Any,
    desired: Any = None,
    *,
    at: Any = None,
    cotangent: Any = None,
    params: Mapping[str, Any] | None = None,
    resolution: float | None = None,
    allow_unknown: bool = False,
) -> None:
    """Raise an AssertionError with the report if gradients are wrong, or cannot be told.

    Args:
        actual: the gradients under test: an array, a container of arrays, a dict by name, or a
            function that returns them, called with the arguments `at`. Or an op declared with
            `cr.op` or `cr.elementwise`, whose own rule is tested.
        desired: what they are the gradients of: a function of `at` (compared by differences), or
            the Value or Tensor that was computed. Or the right gradients, in the same container as
            `actual`, such as those of another framework. Not needed for an op.
        at: the arguments of the function or op: an array, a tuple or a dict of arrays.
        cotangent: for a function that returns an array, the cotangent ȳ of it. `actual`, if it is
            a function, is then called as `actual(cotangent, *at)`. An op has a random one.
        params: static arguments of the op.
        resolution: the relative error that has to be seen, by default 1e-6, in float32 1e-3.
        allow_unknown: let "cannot tell" pass.

    Gradients given as arrays are compared to 2¹⁰ units in the last place of the largest entry: so
    much another order of operations may make.

    Raises:
        AssertionError: with the report as its message.
        TypeError, ValueError: for arguments that do not fit.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.array([0.5, -1.0])
    >>> cr.assert_gradients(lambda x: 2 * x, lambda x: np.sum(x**2), at=x)
    >>> cr.assert_gradients(lambda y_bar, x: y_bar * np.cos(x), np.sin, at=x, cotangent=np.ones(2))
    >>> cr.assert_gradients(cr.tanh, at=x)
    """
    report = _report(actual, desired, at, cotangent, params or {}, resolution)
    verdicts = {Verdict.WRONG} if allow_unknown else {Verdict.WRONG, Verdict.UNKNOWN}
    if any(f.verdict in verdicts for f in report.findings):
        raise AssertionError(f"\n{report.text()}")


def _report(
    actual: Any, desired: Any, at: Any, cotangent: Any, params: Any, resolution: float | None
) -> Report:
    if isinstance(actual, Op) and desired is None:
        return _op_report(actual, at, cotangent, params, resolution)
    if params:
        raise ValueError("params= are the static arguments of an op: pass the op itself")
    if desired is None:
        raise TypeError("assert_gradients needs what the gradients are of, or the right ones")
    if isinstance(desired, Node):
        if at is not None or cotangent is not None:
            raise ValueError("at= and cotangent= are about functions, this is a graph")
        return check(desired, actual, resolution=resolution)
    if callable(desired):
        return _function_report(actual, desired, at, cotangent, resolution)
    if callable(actual):
        actual = _called(actual, at)
    elif at is not None or cotangent is not None:
        raise ValueError("at= and cotangent= are about functions, these are gradients")
    return compared(actual, desired, resolution)


def _function_report(
    actual: Any, desired: Any, at: Any, cotangent: Any, resolution: float | None
) -> Report:
    """Gradients of a function; with a cotangent of one that returns an array."""
    if cotangent is None:
        return check(desired, actual, at=at, resolution=resolution)
    y_bar = as_numbers(cotangent)
    claims = actual
    if callable(actual):
        claims = lambda *x, **named: actual(y_bar.copy(), *x, **named)
    weighed = lambda *x, **named: _weighed(y_bar, desired(*x, **named))
    return check(weighed, claims, at=at, resolution=resolution)


def _called(function: Any, at: Any) -> Any:
    """What a function of gradients returns."""
    if at is None:
        raise ValueError("a function of gradients is called somewhere: give at=")
    if isinstance(at, dict):
        return function(**{key: np.array(x) for key, x in at.items()})
    return function(*[np.array(x) for x in (at if isinstance(at, tuple) else (at,))])


def _weighed(y_bar: np.ndarray, y: Any) -> Any:
    y = np.asarray(plain(y))
    if y.shape != y_bar.shape:
        raise ValueError(f"the cotangent has the shape {y_bar.shape}, the result {y.shape}")
    return np.sum(y_bar * y)


def _op_report(op: Op, at: Any, cotangent: Any, params: Any, resolution: float | None) -> Report:
    """An op's own rule against differences of its own forward."""
    if at is None:
        raise ValueError(f"{op.name} is tested at a point: give its inputs, at=x or at=(x, y)")
    given = at if isinstance(at, tuple) else (at,)
    inputs = tuple(np.array(x, np.result_type(np.asarray(x), np.float32)) for x in given)
    if op.sequence:
        raise TypeError(f"{op.name} takes a list of inputs: use {op.name}.check([x, y])")
    if len(inputs) != len(op.rules):
        raise TypeError(f"{op.name} takes {len(op.rules)} input(s), at= gives {len(inputs)}")
    y = np.array(op.evaluate(tuple(x.copy() for x in inputs), params))
    if cotangent is None:
        cotangent = np.random.default_rng(0).uniform(0.5, 1.5, y.shape)
    y_bar = as_numbers(cotangent)
    moving = [i for i, rule in enumerate(op.rules) if rule is not None]
    with np.errstate(all="ignore"):
        gradients = op.vjp(moving, y_bar, y, inputs, params)

    def forward(*moved: Any) -> Any:
        filled = list(inputs)
        for i, x in zip(moving, moved, strict=True):
            filled[i] = x
        return _weighed(y_bar, op.evaluate(tuple(x.copy() for x in filled), params))

    claims = [np.zeros_like(inputs[i]) if g is None else g
              for i, g in zip(moving, gradients, strict=True)]  # fmt: skip
    at = tuple(inputs[i] for i in moving)
    return check(forward, tuple(claims), at=at, resolution=resolution)


def compared(actual: Any, desired: Any, resolution: float | None = None) -> Report:
    """The report on gradients beside the right ones, of the same structure."""
    rights, _ = flatten(desired)
    printed = printed_numbers(actual) if isinstance(actual, str | list) else None
    if printed is not None and len(rights) == 1:
        given = [actual]
    else:
        message = "the gradients have another structure than desired="
        given = leaves_like(desired, actual, message)
    if not rights:
        raise ValueError("there is nothing to compare: desired= is empty")
    names = _names(desired, len(rights))
    findings = []
    for name, mine, right in zip(names, given, rights, strict=True):
        claim, value = printed_numbers(mine), as_numbers(right)
        claim = claim or computed_numbers(mine, None)
        unit = max(unit_of(mine), unit_of(right))
        largest = float(np.max(np.abs(value[np.isfinite(value)]), initial=0.0))
        finding = Finding(
            Target("gradient", name, name), claim, Reference.of(value, unit * np.abs(value)), None
        )
        if claim.value.shape != value.shape:
            finding.flaw = (
                f"has the shape {claim.value.shape}, the right one has the shape {value.shape}"
            )
        else:
            infinite = ~np.isfinite(value) & ~(claim.value == value)
            if np.any(infinite & ~(np.isnan(value) & np.isnan(claim.value))):
                finding.flaw = "is not what the right one is where that is not finite"
            asked = resolution or resolution_of(unit)
            finding.judgement = judge(
                claim,
                finding.reference,
                PRINTED_RESOLUTION if claim.printed and resolution is None else asked,
                None,
                guarded(unit) * largest,
            )
        findings.append(finding)
    return Report(findings)


def _names(tree: Any, count: int) -> list[str]:
    if isinstance(tree, dict) and len(tree) == count:
        return [f"gradient by {key}" for key in tree]
    return ["gradient"] if count == 1 else [f"gradient {k}" for k in range(count)]


def misconception(op: Any, sentence: str, rule: Any, *, wrt: int = 0) -> Misconception:
    """Add a wrong rule to those that diagnosis tries wherever an op occurs.

    Args:
        op: an op, or the name of one of the library's.
        sentence: what a learner does, for people; `{y}` stands for the result, `{a}` and `{b}` for
            the inputs.
        rule: the wrong rule, written like the true one: for an elementwise op a number or
            `(y, *inputs)`, for a product `(y_bar, *inputs)`, for any other `(y_bar, y, *inputs)`.
        wrt: the position of the input whose rule it stands in for.

    Raises:
        ValueError: for an op that does not exist, or has no rule for that input.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> arctan = cr.elementwise(np.arctan, lambda _y, x: 1 / (1 + x * x), name="arctan")
    >>> made = cr.misconception(
    ...     arctan, "1/(1 + {a}) in place of 1/(1 + {a}²)", lambda _y, x: 1 / (1 + x)
    ... )
    >>> x = cr.Tensor(2.0, label="x")
    >>> print(cr.check(arctan(x), {"x": "0.3333"}).causes[0])
    at E = arctan(x): 1/(1 + x) in place of 1/(1 + x²)
    """
    found = TABLE.get(op) if isinstance(op, str) else op
    if found is None or not hasattr(found, "misconceptions"):
        raise ValueError(f"{op!r} is no op: give the op itself, or a name such as 'sigmoid'")
    if not callable(rule) and type(rule) not in {int, float}:
        raise TypeError(f"a rule is a function or a number, got {type(rule).__name__}")
    if type(wrt) is not int or not 0 <= wrt < len(found.rules) or found.rules[wrt] is None:
        raise ValueError(f"{found.name} has no rule for input {wrt}")
    made = Misconception(sentence, rule, wrt)
    found.misconceptions.append(made)
    return made
