"""A worksheet: a computation and claims about it, in a file of plain text."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node, newest_first
from chainrule.errors import FormulaError
from chainrule.formulas.handwritten import read_handwritten
from chainrule.formulas.vocabulary import Vocabulary, adjoint_of, normal
from chainrule.recording import record_graph
from chainrule.tensor import Tensor
from chainrule.traced import Traced
from chainrule.value import Value
from chainrule.verification.checking import concluded
from chainrule.verification.claims import Rounding, printed_numbers
from chainrule.verification.evaluation import Asked, Evaluation
from chainrule.verification.explaining.causes import Why
from chainrule.verification.report import Report
from chainrule.verification.subject import Subject
from chainrule.verification.targets import Target, fraction, target_of
from chainrule.worksheet.statements import (
    OPEN,
    Claimed,
    Piece,
    Statement,
    WorksheetError,
    base_name,
    decoded,
    directive,
    line_and_column,
    pieces,
    plain_name,
    statement_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from chainrule.verification.differences.reference import GraphReference
    from chainrule.verification.findings import Finding


class Worksheet:
    """A computation, given line by line, and claims about its derivatives.

    Args:
        source: the text.
        path: what error messages call it.
        given: a worksheet whose computation this one answers: then a name that is defined there
            is a claim about its value, rounding and rates are those given, and statements that
            cannot be read are told in `problems` and left out.

    Attributes:
        nodes: the results by name.
        claims: what is claimed.
        rounding, rate, resolution: what the directives say.
        problems: what could not be read of an answer.

    Raises:
        WorksheetError: for what cannot be read, with line, column and a caret.
    """

    def __init__(
        self, source: str, path: str = "worksheet", given: Worksheet | None = None
    ) -> None:
        self.source, self.path, self.given = source, path, given
        self.nodes: dict[str, Any] = dict(given.nodes) if given else {}
        self.claims: list[Claimed] = []
        self.rounding: str | None = given.rounding if given else None
        self.rate: float | None = given.rate if given else None
        self.resolution: float | None = given.resolution if given else None
        self.lines: dict[str, int] = {}
        #: The formulas of names: of all that are computed, and of those that an answer made up.
        self.formulas: dict[str, str] = dict(given.formulas) if given else {}
        self.problems: list[WorksheetError] = []
        self.single: bool = given.single if given else "[" not in _without_comments(source)
        for piece in pieces(source, path, self._tell):
            with self._tolerant():
                self._take(statement_of(piece, source, path))
        if given is None and not self.nodes:
            raise WorksheetError("nothing is computed here", path, source, 0)
        self.root: Node = given.root if given else self._root()

    @classmethod
    def read(cls, path: str | Path, given: Worksheet | None = None) -> Worksheet:
        """A worksheet from a file.

        Raises:
            OSError: if it cannot be read.
            WorksheetError: if it is no text, or no worksheet.
        """
        source = decoded(Path(path).read_bytes(), str(path))
        return cls(source, str(path), given)

    @contextlib.contextmanager
    def _tolerant(self) -> Iterator[None]:
        """Errors in an answer are collected."""
        try:
            yield
        except WorksheetError as problem:
            self._tell(problem)

    def _tell(self, problem: WorksheetError) -> None:
        if self.given is None:
            raise problem
        self.problems.append(problem)

    def fail(self, why: str, position: int) -> WorksheetError:
        """An error at a place of the source."""
        return WorksheetError(why, self.path, self.source, position)

    def line(self, position: int) -> int:
        """The number of the line that a position is in."""
        return line_and_column(self.source, position)[0]

    # ------------------------------------------------------------------ reading it

    def _take(self, statement: Statement) -> None:
        if statement.kind == "directive":
            self._directive(statement)
        elif statement.kind == "claim" or self._is_claim(statement):
            self._claim(statement)
        else:
            self._assign(statement)

    def _directive(self, statement: Statement) -> None:
        word, value = statement.left.text, statement.parts[0]
        try:
            said = directive(word, value.text)
        except ValueError as problem:
            raise self.fail(str(problem), value.position) from None
        if self.given is None:
            setattr(self, word, said)

    def _is_claim(self, statement: Statement) -> bool:
        """Whether `name = …` claims something: a known value with ≈, or an adjoint dz2, δ2."""
        name = base_name(statement.left.text)
        if self._known(name):
            asked = statement.parts[0].text in OPEN
            if not statement.rounded[0] and not asked and not self._is_given(name):
                raise self.fail(
                    f"{name} is computed in line {self.lines.get(name, 1)} already; to claim its"
                    f" value write {name} ≈ …",
                    statement.left.position,
                )
            return True
        if self._is_adjoint(name):
            return True
        if statement.rounded[0]:
            raise self.fail(
                f"{name} is not computed yet: its value cannot be claimed", statement.left.position
            )
        return False

    def _known(self, name: str) -> str | None:
        """The name that is computed already; in an answer z_1 is z1."""
        return Vocabulary(self.nodes).find(name) if self.given else name * (name in self.nodes)

    def _is_given(self, name: str) -> bool:
        return self.given is not None and self._known(name) in self.given.nodes

    def _is_adjoint(self, name: str) -> bool:
        """Whether dz is the derivative by a z that something is computed from already."""
        vocabulary = Vocabulary(self.nodes)
        if vocabulary.find(name) is not None or not adjoint_of(name):
            return False
        found = vocabulary.find(adjoint_of(name))
        if found is None:
            return False
        return self.given is not None or id(self.nodes[found]) in self._consumed()

    def _consumed(self) -> set[int]:
        """The nodes that something is computed from."""
        return {
            id(x)
            for named in self.nodes.values()
            for node in newest_first(named)
            for x in node.inputs
        }

    def _claim(self, statement: Statement) -> None:
        named = bool(self._known(base_name(statement.left.text)))
        for part in statement.parts:
            line = self.line(part.position)
            self.claims.append(Claimed(statement.left, part, line, statement.rate, named))

    def _assign(self, statement: Statement) -> None:
        name = plain_name(statement.left.text)
        if len(statement.parts) > 1 and not all(statement.rounded[1:]):
            raise self.fail(
                "one formula for each name: a second = is read as a claim about its value only"
                " after ≈",
                statement.parts[1].position,
            )
        if self.given is not None:
            self._value(statement.parts[0], self.formulas)
            self.formulas[name] = statement.parts[0].text
            return
        if base_name(statement.left.text) != name:
            raise self.fail(f"{name} is not computed yet", statement.left.position)
        value = self._value(statement.parts[0])
        if not isinstance(value, Traced):
            array = np.asarray(value, dtype=float)
            self.single = self.single and not array.ndim
            value = Value(float(array)) if self.single else Tensor(array)
        if value.label is None:
            value.label = name
        self.nodes[name] = value
        self.formulas[name] = statement.parts[0].text
        self.lines[name] = self.line(statement.left.position)
        for part in statement.parts[1:]:
            line = self.line(part.position)
            self.claims.append(Claimed(statement.left, part, line, named=True))

    def _value(self, piece: Piece, helpers: Mapping[str, str] | None = None) -> Any:
        vocabulary = Vocabulary(self.nodes)
        try:
            for name, meaning in (helpers or {}).items():
                if name in self.nodes:
                    continue
                vocabulary = vocabulary.extended(name, read_handwritten(meaning, vocabulary))
            value = read_handwritten(piece.text, vocabulary)
        except FormulaError as problem:
            raise self.fail(problem.why, piece.position + (problem.position or 0)) from None
        except (ArithmeticError, ValueError, TypeError) as problem:
            raise self.fail(str(problem), piece.position) from None
        except MemoryError:
            raise self.fail("this does not fit into the memory", piece.position) from None
        data = value._held if isinstance(value, Node) else value
        if not np.all(np.isfinite(np.asarray(data, dtype=float))):
            raise self.fail("this is not finite", piece.position)
        return value

    def _root(self) -> Node:
        """What is differentiated: what the claims name, else the last single number computed."""
        vocabulary = Vocabulary(self.nodes)
        used = self._consumed()
        tops = [
            x
            for x in self.nodes.values()
            if x.op is not None and np.size(x._held) == 1 and id(x) not in used
        ]
        for claim in self.claims:
            parts = fraction(claim.left.text)
            found = vocabulary.find(parts[0]) if parts else None
            if found is not None and any(self.nodes[found] is top for top in tops):
                top: Node = self.nodes[found]
                return top
        if tops:
            last: Node = tops[-1]
            return last
        raise WorksheetError(
            "no single number is computed here that could be differentiated",
            self.path, self.source, 0,
        )  # fmt: skip

    # ------------------------------------------------------------------ checking it

    def subject(self) -> Subject:
        """The graph under check."""
        subject = Subject(self.root)
        subject.on_sheet = True
        for name, node in self.nodes.items():  # a name for what has one already
            if id(node) in subject.tape.place:
                subject.positions.setdefault(name, subject.tape.place[id(node)])
        return subject

    def _judged(self, evaluation: Evaluation, claim: Claimed) -> Finding | None:
        """A claim judged; None for one that says nothing.

        Raises:
            WorksheetError: at the place of what cannot be read.
        """
        subject = evaluation.subject
        target = self.target(subject, claim)
        if self._is_restated(subject, target, claim):
            return None
        step = target.kind != "updated" and not self._is_leaf(subject, target)
        rate = self.rate if claim.rate is None else claim.rate
        if self.given is not None:
            rate = self.given.rate_of(subject, target) or rate
        asked = Asked(target, claim.given.text, step, rate, claim.line)
        try:
            return evaluation.judged(asked)
        except FormulaError as problem:
            known = problem.text in {None, claim.given.text}
            place = (problem.position or 0) if known else 0
            raise self.fail(problem.why, claim.given.position + place) from None
        except (ValueError, TypeError, ArithmeticError) as problem:
            raise self.fail(str(problem), claim.left.position) from None

    def rate_of(self, subject: Subject, target: Target) -> float | None:
        """The learning rate that a question about an updated weight gives."""
        if target.kind != "updated":
            return None
        rates = [c.rate for c in self.claims if c.rate and self.target(subject, c) == target]
        return rates[0] if rates else self.rate

    def _is_restated(self, subject: Subject, target: Target, claim: Claimed) -> bool:
        """Whether an answer only repeats a number that is given."""
        if target.kind != "value" or subject.tape.nodes[target.place].op is not None:
            return False
        numbers = printed_numbers(claim.given.text)
        return numbers is not None and np.array_equal(
            numbers.value, target.entry(subject.tape.data[target.place])
        )

    def _is_leaf(self, subject: Subject, target: Target) -> bool:
        return target.kind == "gradient" and subject.tape.nodes[target.place].op is None

    def target(self, subject: Subject, claim: Claimed) -> Target:
        """What a claim is about."""
        text = claim.left.text.strip("`")
        if claim.named:
            text = plain_name(text)
            place = subject.find_name(base_name(text))
            if place is None:
                raise self.fail(f"{text} does not go into {subject.root_name}", claim.left.position)
        try:
            return target_of(subject, text, step=True)
        except ValueError as problem:
            why = str(problem)
            parts = fraction(text)
            known = Vocabulary(self.nodes).find(parts[0]) if parts else None
            if known and subject.find_name(known) is None:
                why = (
                    f"{known} does not go into {subject.root_name}, which is differentiated here:"
                    f" a worksheet has one function, write another for {known}"
                )
            raise self.fail(why, claim.left.position) from None

    def report(self, *, why: Why = Why.PAIRS, reference: GraphReference | None = None) -> Report:
        """The verdicts on all claims; open questions are left out.

        Args:
            why: how far causes are searched for.
            reference: of the same graph, where it is known already.

        Raises:
            WorksheetError: for a formula that cannot be read, and a name that is not there.
        """
        subject = self.subject() if reference is None else reference.subject
        evaluation = Evaluation(
            subject, Rounding.of(self.rounding), self.rate, self.resolution, reference
        )
        evaluation.formulas.helpers = {
            name: formula
            for name, formula in self.formulas.items()
            if name not in subject.positions
        }
        findings = []
        with contextlib.suppress(WorksheetError):  # told where the claim is judged
            evaluation.ask(self.target(subject, claim) for claim in self.claims if not claim.named)
        with record_graph():
            for claim in self.claims:
                with self._tolerant():
                    found = None if claim.is_question else self._judged(evaluation, claim)
                    findings += [] if found is None else [found]
            if not findings:
                return Report([], notes=["nothing is claimed here", *self._unused(subject)])
            report = concluded(evaluation, findings, why=why, lenient=self.given is not None)
        report.notes += self._unused(subject)
        return report

    def _unused(self, subject: Subject) -> list[str]:
        """Notes on names that look like claims and are none."""
        if self.given is not None:
            return []
        used = self._consumed()
        texts = [*self.formulas.values(), *(claim.given.text for claim in self.claims)]
        said = normal(" ".join(texts))
        return [
            f"line {self.lines[name]}: {name} is a new name that nothing is computed from; a"
            f" derivative is claimed as d{subject.root_name}/dw = …"
            for name, node in self.nodes.items()
            if id(node) not in used
            and id(node) not in subject.tape.place
            and said.count(normal(name)) == 0
            and not any(claim.named and base_name(claim.left.text) == name for claim in self.claims)
        ]


def _without_comments(source: str) -> str:
    return "\n".join(line.partition("#")[0] for line in source.split("\n"))
