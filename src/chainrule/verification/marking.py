"""Follow-through marking: each step judged from the steps on paper before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.verification.hand import HandCalculation, in_order
from chainrule.verification.verdicts import Reference, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.verification.claims import Rounding
    from chainrule.verification.findings import Finding
    from chainrule.verification.subject import Subject
    from chainrule.verification.targets import Target
    from chainrule.verification.verdicts import Judgement

#: Verdicts by the rounding of all steps; that of the steps since those on paper may say more.
_VAGUE = {Verdict.ROUNDED, Verdict.UNKNOWN}


def mark(
    subject: Subject,
    findings: Sequence[Finding],
    rounding: Rounding | None,
    lr: float | None,
    *,
    lenient: bool = False,
) -> None:
    """Tell the faulty steps from those that only carry an earlier fault on.

    Each step is computed from the numbers on paper before it, with their rounding carried along.
    A wrong number that follows from them gets `follows`; every wrong one gets `expected`. Where
    `lenient`, numbers that follow from rounded ones do so, too, not only after a fault.
    """
    paper = HandCalculation(subject, rounding)
    by_place: dict[tuple[str, Any], list[Finding]] = {}
    for finding in findings:
        real = finding.claim is not None and not np.iscomplexobj(finding.reference.value)
        if real and not finding.flaw and np.isrealobj(finding.claim.value):  # type: ignore[union-attr]
            by_place.setdefault((finding.target.kind, finding.target.place), []).append(finding)
    fault = False
    for kind, place in in_order(by_place):
        here = by_place[kind, place]
        for finding in here:
            if finding.verdict is Verdict.WRONG and (fault or lenient):
                _judge_follow_through(paper, finding, lr)
            elif rounding and finding.verdict in _VAGUE and _is_finite(finding):
                _judge_own(paper, finding, lr)
        fault |= any(finding.verdict is Verdict.WRONG for finding in here)
        whole = [finding.claim for finding in here if finding.target.at is None]
        if kind != "updated" and whole:
            assert whole[-1] is not None
            paper.write(kind, place, whole[-1])


def _is_finite(finding: Finding) -> bool:
    return bool(np.all(np.isfinite(finding.reference.value)))


def _judge_follow_through(paper: HandCalculation, finding: Finding, lr: float | None) -> None:
    judgement = _by_own_numbers(paper, finding, lr)
    if judgement is not None:
        finding.own = judgement
        finding.follows = judgement.verdict is not Verdict.WRONG and finding.chance is None


def _judge_own(paper: HandCalculation, finding: Finding, lr: float | None) -> None:
    """What rounding every step could have led to is wrong where the steps on paper do not."""
    judgement = _by_own_numbers(paper, finding, lr)
    if judgement is not None and judgement.verdict is Verdict.WRONG:
        finding.judgement = finding.own = judgement


def _by_own_numbers(paper: HandCalculation, finding: Finding, lr: float | None) -> Judgement | None:
    """The verdict on a step from the numbers on paper before it; None where they give none.

    A rule in terms of the result and one in terms of the inputs are both right.
    """
    first = _by_one_rule(paper, finding, lr, anew=False)
    if first is None or first.verdict is not Verdict.WRONG or finding.target.kind == "value":
        return first
    kept = finding.expected, finding.slack
    second = _by_one_rule(paper, finding, lr, anew=True)
    if second is None or second.verdict is Verdict.WRONG:
        finding.expected, finding.slack = kept
        return first
    return second


def _by_one_rule(
    paper: HandCalculation, finding: Finding, lr: float | None, *, anew: bool
) -> Judgement | None:
    target, claim = finding.target, finding.claim
    assert claim is not None
    try:
        rate = lr if finding.rate is None else finding.rate
        expected, slack = _expected(paper, target, rate, anew=anew)
    except (ArithmeticError, ValueError):
        return None
    expected, slack = np.asarray(target.entry(expected)), np.asarray(target.entry(slack))
    if expected.shape != claim.value.shape or not np.all(np.isfinite(expected)):
        return None
    finding.expected = expected
    finding.slack = np.maximum(finding.slack, slack)  # for diagnosis: steps carry rounding on
    bound = slack + finding.reference.bound + 1e-9 * np.abs(expected)
    return judge(claim, Reference.of(expected, bound), np.inf)


def _expected(
    paper: HandCalculation, target: Target, rate: float | None, *, anew: bool
) -> tuple[np.ndarray, Any]:
    """What a step should be from what is on paper, and how exactly that is known."""
    kind, place, *_ = target
    shape = np.shape(paper.tape.data[place if kind != "partial" else place[1]])
    if kind == "value" and paper.tape.nodes[place].op is None:
        node = paper.tape.data[place]
    elif kind == "value":
        node = paper.value(place)
    elif kind == "partial":
        node = paper.partial(*place, anew=anew)
    else:
        node = paper.adjoints.get(place) if kind == "updated" else None
        node = paper.adjoint(place, anew=anew) if node is None else node
    numbers, slack = paper.numbers(node), paper.slack(node)
    if kind == "updated":
        assert rate is not None
        numbers = np.asarray(paper.tape.data[place]) - rate * numbers
        own = paper.half_unit_of(node)
        slack = abs(rate) * (slack + own)
    return np.broadcast_to(numbers, shape), np.broadcast_to(slack, shape)
