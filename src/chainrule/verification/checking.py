"""`check`: is this hand-derived gradient right, and if not, where and why is it wrong?"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.formulas.naming import Caller
from chainrule.sites import user_frame
from chainrule.verification.claims import Rounding
from chainrule.verification.diagnosis import Diagnosis
from chainrule.verification.evaluation import Evaluation
from chainrule.verification.marking import mark
from chainrule.verification.report import Report
from chainrule.verification.subject import Subject
from chainrule.verification.targets import Target, target_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chainrule.verification.findings import Finding


def check_graph(
    subject: Subject,
    claims: Sequence[Any],
    *,
    rounding: str | None = None,
    lr: float | None = None,
    resolution: float | None = None,
    diagnosis: bool = True,
) -> Report:
    """Check claims on a graph: tuples (target, what is claimed, whether a step, rate, line)."""
    rounds = Rounding.of(rounding)
    evaluation = Evaluation(subject, rounds, lr, resolution)
    findings: list[Finding] = []
    for target, given, step, rate, line in claims:
        findings.append(evaluation.finding(target, given, step=step, rate=rate, line=line))
    mark(subject, findings, rounds, lr)
    report = Report(findings)
    if diagnosis and not report.ok:
        search = Diagnosis(subject, findings, lr)
        report.causes = search.causes()
        report.next_question = search.next_question(report.causes)
    return report
