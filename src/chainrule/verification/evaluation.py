"""From what people bring to findings: each claim read, evaluated and judged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.errors import FormulaError
from chainrule.formulas.handwritten import read_handwritten
from chainrule.formulas.styles import bar_name
from chainrule.tensor import Tensor
from chainrule.traced import plain
from chainrule.value import Value
from chainrule.verification.arithmetic import known_to, worked_out
from chainrule.verification.claims import (
    GUARD_BITS,
    Numbers,
    as_numbers,
    computed_numbers,
    number_text,
    printed_numbers,
)
from chainrule.verification.findings import Finding, Point
from chainrule.verification.reference import UNIT, GraphReference
from chainrule.verification.rounding import adjoint_steps, bound_of
from chainrule.verification.tape import ones
from chainrule.verification.targets import Target
from chainrule.verification.verdicts import Reference, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.verification.claims import Rounding
    from chainrule.verification.subject import Subject

#: The relative error that has to be seen, for printed numbers and for computed ones.
PRINTED_RESOLUTION, FLOAT64_RESOLUTION, FLOAT32_RESOLUTION = 0.1, 1e-6, 1e-3
#: At so many other points a formula has to hold.
POINTS = 2
_LITERAL = re.compile(r"(?<![\w.])\d+\.?\d*(?:[eE][+-]?\d+)?")
#: By how much a formula may be off elsewhere, relative to the size of what is computed.
ELSEWHERE = 1e-7


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
        #: Names that formulas may use beside those of the graph, with the formulas they stand for.
        self.helpers: dict[str, str] = {}
        single = any(getattr(node._held, "dtype", None) == np.float32 for node in self.tape.nodes)
        #: What a gradient may be off that was computed in float32.
        self.single = self.reference.spread_of(2.0**-24) if single else None
        self._steps: dict[int, Any] | None = None
        self._formulas: dict[tuple[str, Any], str] = {}
        self._numbers: dict[tuple[str, Any], Numbers] = {}
        #: The leaves that stand for printed numbers in formulas, with their half units.
        self._papers: dict[int, tuple[Node, np.ndarray]] = {}

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
            return Reference.of(value, 64 * UNIT * np.abs(value))
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
        value = self.partial(self.tape.data, y, x)
        return Reference.of(value, 256 * UNIT * np.abs(value))

    def rate(self, target: Target, rate: float | None) -> float:
        rate = self.lr if rate is None else rate
        if rate is None:
            raise ValueError(
                f"{target.name} is a weight after an update: give the learning rate, lr=0.4"
                f" (in a worksheet: `with rate 0.4`)"
            )
        return rate

    def partial(self, data: Sequence[Any], y: int, x: int, constants: Any = None) -> np.ndarray:
        """∂y/∂x through all paths, at some data; y is seeded with ones."""
        found = self.tape.backward(data, seeds={y: ones(data[y])}, constants=constants)[x]
        return np.zeros(np.shape(data[x])) if found is None else np.asarray(found)

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
        if found is None:
            return None
        return found if kind == "gradient" else found * abs(self.rate(target, rate))

    # ------------------------------------------------------------------ claims

    def finding(
        self,
        target: Target,
        given: Any,
        *,
        step: bool = False,
        rate: float | None = None,
        line: int | None = None,
    ) -> Finding:
        """A claim judged."""
        numbers, formula = self.numbers_of(target, given)
        reference = self.reference_of(target, rate)
        finding = Finding(target, numbers, reference, None, formula, step)
        finding.line, finding.rate = line, rate
        if reference.note:
            finding.notes.append(reference.note)
        if numbers.value.shape != reference.value.shape:
            finding.flaw = shape_flaw(numbers.value, reference.value, target.name)
            finding.claim = numbers
            return finding
        if target.at is None:
            self._numbers[target.kind, target.place] = numbers
        resolution = self.resolution_for(given, numbers, formula)
        computed = self.computed_error(target, given, numbers)
        propagated = self.propagated(target, rate)
        finding.slack = 0.0 if propagated is None else propagated
        finding.judgement = judge(numbers, reference, resolution, propagated, computed)
        if formula:
            if target.at is None:
                self._formulas[target.kind, target.place] = formula
            if target.kind in {"gradient", "partial", "value"}:
                finding.points = self.points(target, formula)
                if finding.verdict.passes:
                    finding.chance = self.chance(finding.points)
        return finding

    def numbers_of(self, target: Target, given: Any) -> tuple[Numbers, str]:
        """What is claimed, as numbers, and the formula if it is one.

        Raises:
            FormulaError: for a formula that cannot be read.
        """
        numbers = self.printed(given)
        if numbers is not None:
            return numbers, ""
        if not isinstance(given, str) and not _is_sympy(given):
            return computed_numbers(given, self.rounding), ""
        formula = str(given)
        worked = worked_out(formula, self.known_numbers())
        if worked is not None:
            return worked, ""
        return self.evaluated(target, formula), formula.strip()

    def known_numbers(self) -> set[float]:
        """The numbers that the graph starts from: on paper they are exact."""
        leaves = [self.tape.recorded[i] for i in self.tape.leaves]
        constants = [value for value, _ in self.subject.constants.values()]
        return {float(x) for x in [*leaves, *constants] if np.ndim(x) == 0}

    def printed(self, given: Any) -> Numbers | None:
        """Numbers given as text."""
        is_list = isinstance(given, list | tuple) and _is_text(given)
        return printed_numbers(given) if isinstance(given, str) or is_list else None

    def resolution_for(self, given: Any, numbers: Numbers, formula: str) -> float:
        if self.resolution is not None:
            return self.resolution
        if numbers.printed or (self.rounding is not None and not formula):
            return PRINTED_RESOLUTION
        single = self.single is not None or getattr(given, "dtype", None) == np.float32
        return FLOAT32_RESOLUTION if single else FLOAT64_RESOLUTION

    def computed_error(self, target: Target, given: Any, numbers: Numbers) -> Any:
        """What a claim may be off that was computed in another order of operations."""
        if numbers.printed:
            return 0.0
        kind, place, *_ = target
        size = np.abs(target.entry(self._whole(target, 0.0).value))
        error = 2**GUARD_BITS * UNIT * size
        if kind in {"gradient", "updated"}:
            error = error + 4 * target.entry(self.reference.bound(place))
            if self.single is not None or getattr(given, "dtype", None) == np.float32:
                if self.single is None:
                    self.single = self.reference.spread_of(2.0**-24)
                spread = self.single[place]
                spread = 0.0 if spread is None else target.entry(spread)
                error = error + spread + 64 * 2.0**-24 * size
        return error

    # ------------------------------------------------------------------ formulas

    def evaluated(self, target: Target, formula: str) -> Numbers:
        """What a formula gives at the numbers of the graph.

        Printed numbers of earlier claims in it are known to half of their last digit only.
        """
        result = self.value_of(target, formula, self.tape.data, None)
        value = as_numbers(plain(result))
        half = 8 * UNIT * np.abs(value)
        if isinstance(result, Node):
            half = half + known_to(result, self._papers)
        whole = target.kind == "gradient" and target.at is None
        shape = np.shape(self.tape.data[target.place]) if whole else ()
        if not value.shape and shape:
            value, half = (np.broadcast_to(x, shape) for x in (value, half))
        return Numbers(value, half, number_text(value), printed=isinstance(result, Node))

    def value_of(self, target: Target, formula: str, data: Sequence[Any], constants: Any) -> Any:
        """A formula at some data of the graph.

        A derivative in it is what was claimed of that before, else the right one.

        Raises:
            FormulaError: with the place in the formula.
        """

        def derivative(y: str, x: str) -> Any:
            i, j = self.subject.positions.get(y), self.subject.positions.get(x)
            if i is None or j is None:
                missing = y if i is None else x
                raise FormulaError(f"'{missing}' in ∂{y}/∂{x} is a constant of this graph")
            key = ("gradient", j) if i == self.tape.last else ("partial", (i, j))
            if key == target[:2] and target.at is None:
                raise FormulaError(f"{target.name} is explained by itself")
            if key in self._formulas:
                claim = Target(key[0], key[1], bar_name(y, x, bars=False))
                return self.value_of(claim, self._formulas[key], data, constants)
            if key not in self._numbers:
                return _scalar(self.partial(data, i, j, constants))
            if data is not self.tape.data:
                raise _OnPaperOnlyError
            return self.on_paper(self._numbers[key])

        names = self.subject.names
        claimed = {names[i] for kind, i in self._numbers if kind == "gradient" and i in names}
        vocabulary = self.subject.vocabulary(data, constants, derivative, claimed)
        try:
            for name, meaning in self.helpers.items():
                vocabulary = vocabulary.extended(name, read_handwritten(meaning, vocabulary))
            return read_handwritten(formula, vocabulary)
        except FormulaError as problem:
            problem.text = problem.text or formula
            raise

    def on_paper(self, numbers: Numbers) -> Node:
        """A claimed number as a leaf of a formula."""
        value = numbers.value
        single = self.tape.data[self.tape.last].__class__ is float
        leaf = Value(float(value)) if single else Tensor(value.astype(float))
        self._papers[id(leaf)] = leaf, numbers.half_unit
        return leaf

    def points(self, target: Target, formula: str) -> list[Point]:
        """What a formula gives where the numbers of the graph are others."""
        fixed = self._literals(formula)
        random = np.random.default_rng(7)
        found: list[Point] = []
        for _ in range(POINTS):
            moved = self.subject.moved(random, fixed)
            if moved is None:
                break
            data, constants = moved
            try:
                given = as_numbers(plain(self.value_of(target, formula, data, constants)))
            except _OnPaperOnlyError:
                return []
            right = self._right(target, data, constants)
            if np.all(np.isfinite(right)) and np.all(np.isfinite(given)):
                found.append(Point(data, constants, np.broadcast_to(given, right.shape), right))
        return found

    def chance(self, points: Sequence[Point]) -> tuple[float, float] | None:
        """Where a formula is wrong at other numbers: its value and the right one."""
        for point in points:
            off = np.abs(point.given - point.right)
            if np.any(off > ELSEWHERE * np.max(np.abs(point.right), initial=0.0) + 1e-300):
                index = np.unravel_index(np.argmax(off), off.shape)
                return float(point.given[index]), float(point.right[index])
        return None

    def _literals(self, formula: str) -> set[float]:
        """Numbers in a formula: a name that has such a value may be meant by it."""
        return {float(text) for text in _LITERAL.findall(formula)}

    def _right(self, target: Target, data: Sequence[Any], constants: Any) -> np.ndarray:
        return np.asarray(target.entry(self._all_right(target, data, constants)))

    def _all_right(self, target: Target, data: Sequence[Any], constants: Any) -> np.ndarray:
        kind, place, *_ = target
        if kind == "value":
            return np.asarray(data[place])
        y, x = (self.tape.last, place) if kind == "gradient" else place
        return self.partial(data, y, x, constants)


class _OnPaperOnlyError(Exception):
    """A number on paper has no value at another point."""


def _scalar(x: Any) -> Any:
    array = np.asarray(x)
    return float(array) if not array.ndim else array


def _is_text(given: Any) -> bool:
    return isinstance(given, str) or (
        isinstance(given, list | tuple) and bool(given) and all(_is_text(item) for item in given)
    )


def _is_sympy(given: Any) -> bool:
    return hasattr(given, "free_symbols") and type(given).__module__.startswith("sympy")


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
