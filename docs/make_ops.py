"""Writes docs/ops.md from the op table; a test keeps the page current."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.ops import TABLE
from chainrule.ops.base import Op
from chainrule.ops.kinds import Linear, Multilinear
from chainrule.ops.notation import COMPARISON
from chainrule.ops.partials import Elementwise
from chainrule.ops.reductions import Reduction
from chainrule.symbol import Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """\
# All ops

Made from the op table by `docs/make_ops.py`: the formulas are the rules themselves, evaluated on
symbols. `y` is the result, `ȳ` its cotangent, and `[condition]` is 1 where the condition holds and
else 0. The last column states what happens at a kink, where several values would be correct.

They live in `chainrule.ops`; those with a name of NumPy's are in `chainrule` itself too (`cr.sin`).

Where a partial or a cotangent is infinite or NaN and the other factor is zero, the product counts
as zero: `where(x > 0, sqrt(x), 0)` has the derivative 0 at x = 0, not NaN. That is exact for a
branch not taken. Where one factor vanishes as the other blows up it is a convention: the norm
√(x·x) gets 0 at 0, and so does √x·√x, whose derivative is 1 everywhere else.
"""

KINDS = {
    "Elementwise": (
        Elementwise,
        "One partial for each input; broadcasting is undone by the library.",
    ),
    "Reductions": (
        Reduction,
        "The partial of the result in each entry x, with `axis` and `keepdims`.",
    ),
    "Products": (Multilinear, "Linear in each input: forward mode is the product rule."),
    "Linear": (Linear, "The rule is the transpose; forward mode is the op itself."),
    "Constants": (Op, "No derivative: on a Value or Tensor they return plain data."),
}


def derivative(op: Op) -> str:
    """The rule of an op as text, where it is a formula."""
    y = Symbol("y", (5, 1)) if isinstance(op, Reduction) else Symbol("y")
    if isinstance(op, Elementwise):
        shape = (5, 3) if isinstance(op, Reduction) else ()
        inputs = [Symbol(name, shape) for name in input_names(op)]
        params = {"axis": 1} if isinstance(op, Reduction) else {}
        partials = [op.partial(i, y, inputs, params) for i in range(len(inputs))]
        return ", ".join(
            f"`∂y/∂{x} = {formula(p)}`"
            for x, p in zip(inputs, partials, strict=True)
            if p is not None
        )
    if isinstance(op, Multilinear):
        inputs = [Symbol("A", (5, 3)), Symbol("B", (3, 2))]
        first, second = op.vjp([0, 1], Symbol("ȳ", (5, 2)), None, inputs, {})
        return f"`Ā = {first}`, `B̄ = {second}`"
    return "its transpose" if isinstance(op, Linear) else "none"


def formula(partial: object) -> str:
    """A condition that stands for a number is put in brackets."""
    if isinstance(partial, float):
        return "1/N"  # the mean's: y.size / x.size
    is_condition = (
        isinstance(partial, Symbol)
        and partial.op is not None
        and (not partial.op.differentiable and partial.op.notation.precedence == COMPARISON)
    )
    return f"[{partial}]" if is_condition else str(partial)


def input_names(op: Op) -> list[str]:
    """What a rule calls its inputs."""
    for rule in op.rules:
        if callable(rule):
            names = rule.__code__.co_varnames[1 : 1 + len(op.rules)]
            return [name.lstrip("_") for name in names]
    return ["x"] if len(op.rules) == 1 else ["a", "b"]


def lines() -> Iterator[str]:
    """The page, one kind after the other."""
    yield INTRODUCTION
    for title, (kind, meaning) in KINDS.items():
        own = [op for _, op in sorted(TABLE.items()) if type(op) is kind]
        yield f"## {title}\n\n{meaning}\n\n| op | derivative | meaning and kinks |\n|---|---|---|"
        for op in own:
            cells = [f"`{op.name}`", derivative(op), op.__doc__ or ""]
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        yield ""


def page() -> str:
    """The whole text."""
    return "\n".join(lines())
