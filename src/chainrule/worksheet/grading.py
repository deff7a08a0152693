"""Many answers to one worksheet, judged in parallel."""

from __future__ import annotations

import csv
import io
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chainrule.training import progress_bar
from chainrule.verification.differences.reference import GraphReference
from chainrule.verification.explaining.causes import Why
from chainrule.verification.report import CARRIED_ON
from chainrule.verification.verdicts import ORDER, Verdict
from chainrule.worksheet.statements import WorksheetError
from chainrule.worksheet.worksheet import Worksheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainrule.verification.findings import Finding

#: So few answers are faster done than processes are started.
ALONE = 8
MISSING = "missing"
#: Marks that count as a point: right, or right from what was on paper before.
POINTS = {*(str(v) for v in Verdict if v.passes), CARRIED_ON}


@dataclass
class Grade:
    """One answer.

    Attributes:
        file: where it was read from.
        marks: for each question the verdict, "carried on" or "missing".
        fault: the first faulty step, in words.
        cause: what explains it, if anything does.
        problem: what could not be read, of the file or of a line of it.
        questions: what was asked; empty if nothing was, then every claim counts.
    """

    file: str
    marks: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    cause: str = ""
    problem: str = ""
    questions: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """How many questions were answered rightly, from what was on paper before."""
        asked = self.questions or self.marks
        return sum(self.marks.get(name) in POINTS for name in asked)


class Grader:
    """The computation of a worksheet, its questions and its references."""

    def __init__(self, sheet: Worksheet) -> None:
        self.sheet = sheet
        self.subject = sheet.subject()
        self.reference = GraphReference(self.subject)
        names = [sheet.target(self.subject, claim).name for claim in sheet.claims]
        self.questions = list(dict.fromkeys(names))

    def grade(self, path: str) -> Grade:
        """The marks of one answer; whatever is wrong with the file is told in `problem`."""
        found = Grade(path, dict.fromkeys(self.questions, MISSING))
        found.questions = tuple(self.questions)
        try:
            answer = Worksheet.read(path, self.sheet)
            report = answer.report(why=Why.SINGLE, reference=self.reference)
        except WorksheetError as problem:
            found.problem = _line(problem)
            return found
        except OSError as problem:
            found.problem = f"cannot be read: {problem.strerror}"
            return found
        except Exception as problem:  # noqa: BLE001 -- one broken answer stops no other
            found.problem = f"{type(problem).__name__}: {problem}"
            return found
        found.problem = " | ".join(map(_line, answer.problems))
        worst: dict[str, Finding] = {}
        for finding in report.findings:
            if finding.target.kind == "value" and finding.formula and finding.verdict.passes:
                continue  # the question gave that away
            known = worst.get(finding.name)
            if known is None or ORDER.index(finding.verdict) > ORDER.index(known.verdict):
                worst[finding.name] = finding
        for name, finding in worst.items():
            found.marks[name] = CARRIED_ON if finding.follows else str(finding.verdict)
        if report.faulty:
            first = min(report.faulty, key=lambda f: f.line or 0)
            found.fault = f"line {first.line}: {first.name}: {first.sentence()}"
        if report.causes and report.causes[0].convincing:
            found.cause = str(report.causes[0])
        return found


def graded(
    sheet: Worksheet, paths: Sequence[str], jobs: int | None = None, *, progress: bool = False
) -> list[Grade]:
    """The grades of many answers, in the order given.

    Args:
        sheet: the computation; what it claims or asks are the questions.
        paths: a file for each answer.
        jobs: processes at a time, by default one for each core.
        progress: show a bar (extra `progress`).

    Raises:
        WorksheetError: for a question about something that is not in the worksheet.
    """
    grader = Grader(sheet)
    jobs = min(jobs or os.cpu_count() or 1, len(paths))
    with progress_bar(len(paths), "answers", shown=progress) as advance:
        found = []
        for grade in _in_parallel(grader, sheet, paths, jobs):
            found.append(grade)
            advance()
    return found


def _in_parallel(
    grader: Grader, sheet: Worksheet, paths: Sequence[str], jobs: int
) -> Iterator[Grade]:
    if jobs == 1 or len(paths) <= ALONE:
        yield from map(grader.grade, paths)
        return
    chunk = max(1, min(16, len(paths) // (4 * jobs)))
    with ProcessPoolExecutor(jobs, initializer=_start, initargs=(sheet.source, sheet.path)) as pool:
        yield from pool.map(_grade, paths, chunksize=chunk)


_own: list[Grader] = []


def _start(source: str, path: str) -> None:
    _own[:] = [Grader(Worksheet(source, path))]


def _grade(path: str) -> Grade:
    return _own[0].grade(path)


def _line(problem: WorksheetError) -> str:
    return str(problem).split("\n", maxsplit=1)[0]


def columns(grades: Sequence[Grade]) -> list[str]:
    """The questions: those of the worksheet, else whatever was answered."""
    return list(dict.fromkeys(name for g in grades for name in (g.questions or g.marks)))


def table_csv(grades: Sequence[Grade]) -> str:
    """A table for a spreadsheet, a row for each answer."""
    names = columns(grades)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["answer", "points", "of", *names, "first fault", "cause", "problem"])
    for grade in grades:
        marks = [grade.marks.get(name, MISSING) for name in names]
        points = sum(mark in POINTS for mark in marks)
        row = [grade.file, points, len(names), *marks, grade.fault, grade.cause, grade.problem]
        writer.writerow([_harmless(cell) for cell in row])
    return out.getvalue().rstrip("\n")


#: What a spreadsheet takes for the beginning of a formula, or skips before one.
_LEADS = frozenset("=+-@\t\r\n")


def _harmless(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in _LEADS else cell


def table_text(grades: Sequence[Grade]) -> str:
    """A line for each answer, and its first fault."""
    names = columns(grades)
    width = max((len(grade.file) for grade in grades), default=0)
    lines = []
    for grade in grades:
        marks = {q: grade.marks.get(q, MISSING) for q in names}
        points = sum(mark in POINTS for mark in marks.values())
        told = [text for text in (grade.problem, grade.fault, grade.cause) if text]
        for lost in (str(Verdict.UNKNOWN), MISSING):
            lots = [q for q, mark in marks.items() if mark == lost]
            told += [f"{lost}: {', '.join(lots)}"] if lots else []
        lines.append(f"{grade.file:<{width}}  {points}/{len(names)}")
        lines += [f"    {text}" for text in told]
    full = sum(not g.problem and all(g.marks.get(q) in POINTS for q in names) for g in grades)
    lines += ["", f"{len(grades)} answers, {full} without a mistake"]
    return "\n".join(lines)
