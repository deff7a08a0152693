"""Writes docs/ops.md from the op table; a test keeps the page current."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.formulas import Symbol
from chainrule.formulas.rewriting import simplified
from chainrule.formulas.writing import written
from chainrule.ops import TABLE
from chainrule.ops.base import Op
from chainrule.ops.dispatch import LATE, load
from chainrule.ops.kinds import General, Linear, Multilinear
from chainrule.ops.partials import Elementwise
from chainrule.ops.products import Contraction
from chainrule.ops.rearranging import Rearrangement
from chainrule.ops.reductions import Reduction
from chainrule.ops.spectra import Decomposition

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """\
# All ops

Made from the op table by `docs/make_ops.py`: the formulas are the rules themselves, evaluated on
symbols. `y` is the result, `ȳ` its cotangent, and `[condition]` is 1 where the condition holds and
else 0. The last column states what happens at a kink, where several values would be correct.

Functions of NumPy's that are not here are composed of these; [coverage](coverage.md) lists them.

## Complex numbers

For a real loss L of z = a + ib the cotangent is z̄ = ∂L/∂a - i·∂L/∂b, as in autograd and JAX (in
PyTorch it is the conjugate): dL = Re(z̄·dz). A rule is then the same formula for real and complex
numbers, `x̄ = ȳ·∂y/∂x`, and for a holomorphic function with the seed 1 it is the complex derivative.
Steepest ascent is along the conjugate of the gradient. An op that is not holomorphic (|z|, real,
imag, angle) has the partial p with dy = Re(p·dz).

## Decompositions

Of a Hermitian matrix NumPy reads one triangle (`eigh`, `eigvalsh`, `cholesky`); here it stands for
the whole matrix and the gradient is Hermitian. Eigenvectors and singular vectors are determined up
to a phase. Where values coincide, or singular values are zero, vectors are a matter of choice,
and a function of them gets a `LinAlgError`: its derivative, where it has one, is not in the
cotangents of the vectors. Second derivatives raise there too. Functions of values alone
(`eigvalsh`, `svdvals`, `norm`) get their first derivative for one choice of vectors, which is
right for symmetric functions such as sums. A defective matrix has no derivatives of its
eigenvalues, and `eigvals` says so. `det` needs the inverse in its derivative and raises on a
singular matrix. Nothing is NaN.

## Zero times infinity

Where a partial or a cotangent is infinite or NaN and the other factor is zero, the product counts
as zero: `where(x > 0, sqrt(x), 0)` has the derivative 0 at x = 0, not NaN. That is exact for a
branch not taken. Where one factor vanishes as the other blows up it is a convention: the norm
√(x·x) gets 0 at 0, and so does √x·√x, whose derivative is 1 everywhere else.
"""

KINDS = {
    "Reductions": (
        (Reduction,),
        "The partial of the result in each entry x, with `axis` and `keepdims`.",
    ),
    "Elementwise": (
        (Elementwise,),
        "One partial for each input; broadcasting is undone by the library.",
    ),
    "Products": (
        (Multilinear, Contraction),
        "Linear in each input: forward mode is the product rule.",
    ),
    "Linear": ((Linear,), "The rule is the transpose; forward mode is the op itself."),
    "General": ((General, Decomposition), "A rule for each mode, in the words of the code."),
    "Constants": ((Op,), "No derivative: on a Value or Tensor they return plain data."),
}


class _Nowhere:
    """A point at which no guard holds."""

    def holds(self, _condition: Symbol) -> bool:
        return False

    def constant_number(self, _x: Symbol) -> None:
        return None


NOWHERE = _Nowhere()


def kind_of(op: Op) -> str:
    """The heading an op belongs under."""
    return next(title for title, (classes, _) in KINDS.items() if isinstance(op, classes))


def derivative(op: Op) -> str:
    """The rule of an op as text, where it is a formula."""
    y = Symbol("y", (5, 1)) if isinstance(op, Reduction) else Symbol("y")
    if isinstance(op, Elementwise):
        shape = (5, 3) if isinstance(op, Reduction) else ()
        inputs = [Symbol(name, shape) for name in input_names(op)]
        params = {"axis": 1} if isinstance(op, Reduction) else dict.fromkeys(op.params, 1)
        partials = [
            simplified(op.partial(i, y, inputs, params), NOWHERE) for i in range(len(inputs))
        ]
        return ", ".join(
            f"`∂y/∂{x} = {written(p).replace('entry_count(x, axis=1)', 'N')}`"
            for x, p in zip(inputs, partials, strict=True)
            if p is not None
        )
    if op.name == "matmul":
        inputs = [Symbol("A", (5, 3)), Symbol("B", (3, 2))]
        first, second = op.vjp([0, 1], Symbol("ȳ", (5, 2)), None, inputs, {})
        return f"`Ā = {first}`, `B̄ = {second}`"
    if isinstance(op, Rearrangement):
        return "each entry goes back to where it came from"
    return {"Linear": "its transpose", "Constants": "none"}.get(kind_of(op), "see the code")


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
    for family in LATE.values():
        load(family)
    for title, (_, meaning) in KINDS.items():
        own = [op for _, op in sorted(TABLE.items()) if kind_of(op) == title]
        yield f"## {title}\n\n{meaning}\n\n| op | derivative | meaning and kinks |\n|---|---|---|"
        for op in own:
            cells = [f"`{op.name}`", derivative(op), op.__doc__ or ""]
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        yield ""


def page() -> str:
    """The whole text."""
    return "\n".join(lines())
