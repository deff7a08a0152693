"""From what people bring to findings: each claim read, evaluated and judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.formulas.handwritten import exponent_name
from chainrule.formulas.sympy_text import is_sympy, sympy_text
from chainrule.verification.arithmetic import worked_out
from chainrule.verification.claims import (
    SHORT,
    Numbers,
    computed_numbers,
    guarded,
    printed_numbers,
    unit_of,
)
from chainrule.verification.differences.reference import FIRST, UNIT, GraphReference
from chainrule.verification.findings import Finding
from chainrule.verification.formula_claims import ClaimedFormulas, chance
from chainrule.verification.rounding import adjoint_steps, bound_of
from chainrule.verification.verdicts import SMALL, Reference, judge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainrule.verification.claims import Rounding
    from chainrule.verification.subject import Subject
    from chainrule.verification.targets import Target

#: The relative error that has to be seen, for printed numbers and for computed ones.
PRINTED_RESOLUTION, FLOAT64_RESOLUTION, FLOAT32_RESOLUTION = 0.1, 1e-6, 1e-3
HALF_RESOLUTION = 0.1


class Asked(NamedTuple):
    """A claim before it is judged."""

    target: Target
    given: Any
    step: bool = False
    rate: float | None = None
    line: int | None = None


class Evaluation:
    """The claims on one graph."""

    def __init__(
        self,
        subject: Subject,
        rounding: Rounding | None,
        lr: float | None,
        resolution: float | None,
        reference: GraphReference | None = None,
    ) -> None:
        self.subject, self.tape = subject, subject.tape
        self.rounding, self.lr, self.resolution = rounding, lr, resolution
        self.reference = reference or GraphReference(subject)
        #: The formulas among the claims.
        self.formulas = ClaimedFormulas(subject, self.reference.rounded)
        #: The unit of rounding of the least precise array, and what that does to gradients.
        self.unit = max((unit_of(node._held) for node in self.tape.nodes), default=UNIT)
        self._spreads: dict[float, list[Any]] = {UNIT: self.reference.spread}
        self._steps: dict[int, Any] | None = None

    # ------------------------------------------------------------------ references

    def reference_of(self, target: Target, rate: float | None = None) -> Reference:
        """What a claim is compared with."""
        return self._whole(target, rate).part(target.entry)

    def _whole(self, target: Target, rate: float | None) -> Reference:
        kind, place, *_ = target
        if kind == "gradient":
            return self.reference.of(place)
        if kind == "value":
            value = np.asarray(self.tape.data[place])
            return Reference.of(value, 64 * UNIT * np.abs(value) + self.reference.noise(place))
        if kind == "updated":
            rate = self.rate(target, rate)
            found = self.reference.of(place)
            data = np.asarray(self.tape.data[place])
            ends = [data - rate * found.low, data - rate * found.high]
            bound = abs(rate) * found.bound + 4 * UNIT * np.abs(data)
            return Reference(
                data - rate * found.value, bound, np.minimum(*ends), np.maximum(*ends), found.note
            )
        y, x = place
        return self.reference.partial(y, x)

    def rate_for(self, target: Target, rate: float | None) -> float | None:
        """The learning rate of a claim about an updated weight, where one is known."""
        return (self.lr if rate is None else rate) if target.kind == "updated" else None

    def rate(self, target: Target, rate: float | None) -> float:
        rate = self.rate_for(target, rate)
        if rate is None:
            raise ValueError(
                f"{target.name} is a weight after an update: give the learning rate, lr=0.4"
                f" (in a worksheet: `with rate 0.4`)"
            )
        return rate

    def propagated(self, target: Target, rate: float | None) -> Any:
        """How far rounding every step may lead."""
        return target.entry(self._propagated(target, rate))

    def _propagated(self, target: Target, rate: float | None) -> Any:
        if self.rounding is None:
            return None
        if self._steps is None:
            self._steps = adjoint_steps(self.subject.root)
        kind, place, *_ = target
        node = None if isinstance(place, tuple) else self.tape.nodes[place]
        if kind == "value":
            return bound_of(node, self.rounding)
        if kind == "partial":
            return self.rounding.half_unit(self._whole(target, None).value) * 4
        found = bound_of(self._steps.get(id(node), 0.0), self.rounding)
        return found if kind == "gradient" else found * abs(self.rate(target, rate))

    # ------------------------------------------------------------------ claims

    def ask(self, targets: Iterable[Target]) -> None:
        """Tell beforehand what is claimed: a formula may not count on the numbers asked about."""
        for kind, place, *_ in targets:
            self.formulas.asked |= {place[1] if kind == "partial" else place}

    def judged(self, asked: Asked) -> Finding:
        """A claim judged."""
        target, given, step, rate, line = asked
        if (known := self.rate_for(target, rate)) is not None:
            self.formulas.exact.add(known)
        numbers, formula = self.numbers_of(target, given)
        reference = self.reference_of(target, rate)
        finding = Finding(target, numbers, reference, None, formula, step)
        finding.line, finding.rate = line, rate
        if reference.note:
            finding.notes.append(reference.note)
        if not numbers.value.shape and reference.value.size == 1:
            numbers = numbers.reshaped(reference.value.shape)
        if numbers.value.shape != reference.value.shape:
            finding.flaw = shape_flaw(numbers.value, reference.value, target.name)
            finding.claim = numbers
            return finding
        if target.at is None:
            self.formulas.numbers[target.kind, target.place] = numbers
        resolution = self.resolution_for(given, numbers, formula)
        computed = self.computed_error(target, given, numbers, reference)
        propagated = self.propagated(target, rate)
        finding.slack = 0.0 if propagated is None else propagated
        floor = SMALL if max(self.unit, unit_of(given)) > UNIT else 0.0
        scale = self._step(target, reference)
        finding.judgement = judge(
            numbers, reference, resolution, propagated, computed, floor, scale
        )
        wrong = finding.judgement.wrong
        if target.kind == "gradient" and wrong and target.at is None and wrong[0]:
            finding.reference = self.reference.searched(target.place, reference, wrong, first=FIRST)
            finding.judgement = judge(
                numbers, finding.reference, resolution, propagated, computed, floor
            )
        if formula:
            if target.at is None:
                self.formulas.formulas[target.kind, target.place] = formula
            self._look_elsewhere(finding, self.rate_for(target, rate))
        return finding

    def _step(self, target: Target, reference: Reference) -> Any:
        """The step of an update: what can be seen of it counts, not of the weight."""
        if target.kind != "updated":
            return None
        return reference.value - target.entry(np.asarray(self.tape.data[target.place]))

    def _look_elsewhere(self, finding: Finding, rate: float | None) -> None:
        """Whether a formula holds at other numbers, too."""
        about = (finding.target, finding.formula, float(np.max(finding.reference.bound)), rate)
        finding.points = self.formulas.points(*about)
        if finding.verdict.passes:
            finding.chance = chance(finding.points, about[2])
        if not finding.verdict.passes:
            finding.points += self.formulas.further(finding.target, finding.formula, rate)
        elif given := self.formulas.counted_on(*about):
            finding.notes.append(f"this counts on {' and '.join(given)}")

    def numbers_of(self, target: Target, given: Any) -> tuple[Numbers, str]:
        """What is claimed, as numbers, and the formula if it is one.

        Raises:
            FormulaError: for a formula that cannot be read.
        """
        numbers = self.printed(given)
        if numbers is not None:
            return numbers, ""
        if not isinstance(given, str) and not is_sympy(given):
            return computed_numbers(given, self.rounding), ""
        formula = given if isinstance(given, str) else sympy_text(given)
        worked = (
            None
            if self.formulas.reads_names(formula)
            else worked_out(formula, self.formulas.known_numbers())
        )
        if worked is None:
            return self.formulas.evaluated(target, formula), formula.strip()
        shape = np.shape(self.tape.data[target.place]) if target.kind == "gradient" else ()
        if shape and target.at is None and not worked.value.shape:  # 1/3 for every entry
            value, half = (np.broadcast_to(x, shape) for x in (worked.value, worked.half_unit))
            return Numbers(value, half, worked.text, worked.printed), ""
        return worked, ""

    def printed(self, given: Any) -> Numbers | None:
        """Numbers given as text."""
        if isinstance(given, str) and exponent_name(
            given.strip(), self.subject.vocabulary(self.tape.data)
        ):
            return None
        is_list = isinstance(given, list | tuple) and _is_text(given)
        return printed_numbers(given) if isinstance(given, str) or is_list else None

    def resolution_for(self, given: Any, numbers: Numbers, formula: str) -> float:
        if self.resolution is not None:
            return self.resolution
        if numbers.printed or (self.rounding is not None and not formula):
            return PRINTED_RESOLUTION
        return resolution_of(max(self.unit, unit_of(given)))

    def computed_error(
        self, target: Target, given: Any, numbers: Numbers, reference: Reference
    ) -> Any:
        """What a claim may be off that was computed in another order of operations."""
        if numbers.printed:
            return 0.0
        kind, place, *_ = target
        size = np.abs(target.entry(self._whole(target, 0.0).value))
        error = guarded(UNIT) * size
        if kind in {"gradient", "updated"}:
            error = error + 4 * reference.bound  # at a kink that of one side
            unit = max(self.unit, unit_of(given))
            if unit > UNIT:
                if unit not in self._spreads:
                    self._spreads[unit] = self.reference.spread_of(unit)
                spread = self._spreads[unit][place]
                spread = 0.0 if spread is None else target.entry(spread)
                error = error + np.where(reference.kinks, 0.0, spread) + 64 * unit * size
        return error


def resolution_of(unit: float) -> float:
    """The relative error that has to be seen in arrays of a precision."""
    if unit > SHORT:
        return HALF_RESOLUTION
    return FLOAT32_RESOLUTION if unit > UNIT else FLOAT64_RESOLUTION


def _is_text(given: Any) -> bool:
    return isinstance(given, str) or (
        isinstance(given, list | tuple) and bool(given) and all(_is_text(item) for item in given)
    )


def shape_flaw(claim: np.ndarray, right: np.ndarray, name: str) -> str:
    """What is wrong with the shape of a claim."""
    given, expected = (str(x.shape).replace(" ", "") for x in (claim, right))
    text = f"has the shape {given}, {name} has the shape {expected}"
    if claim.shape == right.shape[::-1]:
        same = np.allclose(claim.T, right, rtol=1e-3, atol=0)
        return f"{text}: transposed" + (", the numbers are right" if same else "")
    if claim.ndim == right.ndim + 1 and claim.shape[1:] == right.shape:
        same = np.allclose(claim.sum(axis=0), right, rtol=1e-3, atol=1e-12)
        return text + (": the sum over the samples is missing" if same else "")
    return text
