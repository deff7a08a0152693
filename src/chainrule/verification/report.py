"""What `check` returns: the verdict, the place, the cause, as text, HTML and plain data."""

from __future__ import annotations

import html
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.verification.claims import short
from chainrule.verification.verdicts import ORDER, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.verification.findings import Finding

#: Signs that stand before a claim, so that colour is never alone.
SIGNS = {
    Verdict.AGREES: "✓",
    Verdict.ROUNDED: "≈",
    Verdict.KINK: "∠",
    Verdict.UNKNOWN: "?",
    Verdict.WRONG: "✗",
}
#: What is said of a claim that is right, but for an earlier mistake.
CARRIED_ON = "carried on"
#: A resolution below this is told with one digit.
ROUGHLY = 1e-6
PLURALS = {Verdict.AGREES: "agree"}
#: A terminal's colours for them.
_ANSI = {
    Verdict.AGREES: "32",
    Verdict.ROUNDED: "32",
    Verdict.KINK: "36",
    Verdict.UNKNOWN: "33",
    Verdict.WRONG: "31",
}


@dataclass
class Report:
    """The outcome of a check. Printed, it is text; in a notebook, a table.

    Attributes:
        findings: one for each claim, in the order given.
        where: the places that the mistake can be at, in words, the most likely first.
        causes: the mistakes that explain the claims, the most likely first.
        next_question: the number to ask for that would tell the first causes apart, else None.
        notes: what else there is to say.
    """

    findings: Sequence[Finding]
    where: Sequence[Any] = ()
    causes: Sequence[Any] = ()
    next_question: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """That of the worst claim."""
        return max((f.verdict for f in self.findings), key=ORDER.index, default=Verdict.UNKNOWN)

    @property
    def ok(self) -> bool:
        """Whether every claim was found right; what cannot be told is not."""
        return bool(self.findings) and all(f.verdict.passes for f in self.findings)

    @property
    def resolution(self) -> float:
        """The smallest relative error that every one of the checks would have seen."""
        return max((f.resolution for f in self.findings), default=math.inf)

    @property
    def faulty(self) -> list[Finding]:
        """The wrong claims that do not follow from earlier wrong ones."""
        return [f for f in self.findings if f.verdict is Verdict.WRONG and not f.follows]

    def __getitem__(self, name: str) -> Finding:
        for finding in self.findings:
            if name in {finding.name, finding.name.replace("∂", "d"), finding.key}:
                return finding
        raise KeyError(f"no claim about {name!r}: {', '.join(f.name for f in self.findings)}")

    # ------------------------------------------------------------------ text

    def text(self, *, color: bool = False, digits: int = 6) -> str:
        """For a terminal: a line for each claim, then where and why."""
        rows = []
        for f in self.findings:
            mark = f"{SIGNS[f.verdict]} {f.verdict}"
            if f.follows:
                mark = f"↪ {CARRIED_ON}"
            line = f"line {f.line}: " if f.line is not None else ""
            rows.append((f, f"{line}{f.name} {relation(f)} {f.text}", mark))
        width = min(max((len(row[1]) for row in rows), default=0), 60)
        lines = []
        for f, claim, mark in rows:
            shown = f"\x1b[{_ANSI[f.verdict]}m{mark}\x1b[0m" if color else mark
            sentence = said(f, digits)
            lines.append(f"{claim:<{width}}  {shown}" + (f": {sentence}" if sentence else ""))
            lines += [f"    {note}" for note in f.notes]
        return "\n".join([*lines, *self.explanation()])

    def explanation(self) -> list[str]:
        """Where and why, in lines of text."""
        lines: list[str] = []
        if self.causes:
            lines += ["", self.causes_heading()]
            for k, cause in enumerate(self.causes, start=1):
                lines += [f"  {k}. {line}" if not i else f"     {line}"
                          for i, line in enumerate(cause.lines())]  # fmt: skip
        if self.where:
            lines += ["", "Where:"]
            lines += [f"  - {place}" for place in self.where]
        if self.next_question:
            lines += ["", f"To tell them apart: {self.next_question}"]
        lines += [f"Note: {note}" for note in self.notes]
        return [*lines, "", self.summary()]

    def causes_heading(self) -> str:
        """What stands over the causes."""
        return "Why:" if self.causes[0].convincing else "Why (no more than a guess):"

    def summary(self) -> str:
        """One line: the verdict and what could have been seen."""
        if not self.findings:
            return "Nothing was compared."
        told: list[Any] = [CARRIED_ON if f.follows else f.verdict for f in self.findings]
        counts = [
            f"{n} {PLURALS.get(kind, kind) if n > 1 else kind}"
            for kind in [Verdict.WRONG, CARRIED_ON, *reversed(ORDER[:-1])]
            if (n := told.count(kind))
        ]
        vacuous = [
            f"the step to {f.name}" if f.target.kind == "updated" else f.name
            for f in self.findings
            if f.judgement and f.judgement.vacuous
        ]
        resolution = max(
            (f.resolution for f in self.findings if not (f.judgement and f.judgement.vacuous)),
            default=math.inf,
        )
        if not math.isfinite(resolution):
            seen = "nothing is known of relative errors"
        elif not resolution:
            seen = "any error would have been seen"
        else:
            digits = 1 if resolution < ROUGHLY else 2
            seen = f"relative errors above {short(resolution, digits)} would have been seen"
        text = f"{', '.join(counts)}; {seen}."
        if vacuous:
            text += (
                f" {', '.join(vacuous)} is about zero here: a wrong factor would not show, check at"
                f" other numbers."
            )
        return text

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    # ------------------------------------------------------------------ data and pages

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "verdict": str(self.verdict),
            "ok": self.ok,
            "resolution": _finite(self.resolution),
            "claims": [_finding_dict(f) for f in self.findings],
            "where": [str(place) for place in self.where],
            "causes": [cause.to_dict() for cause in self.causes],
            "next_question": self.next_question,
            "notes": list(self.notes),
        }

    def json(self) -> str:
        """As JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2)

    def html(self) -> str:
        """A page of its own: no script, no network."""
        return (
            "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
            "<meta name=viewport content='width=device-width, initial-scale=1'>"
            f"<title>chainrule check: {html.escape(str(self.verdict))}</title>"
            f"<style>{_STYLE}</style></head><body><main>{self._repr_html_()}</main></body></html>\n"
        )

    def _repr_html_(self) -> str:
        rows = "".join(_row(f) for f in self.findings)
        table = (
            "<table class=chainrule-check><thead><tr><th>claim<th>verdict<th>exactly"
            f"</tr></thead><tbody>{rows}</tbody></table>"
        )
        parts = [table]
        if self.causes:
            items = "".join(
                f"<li>{'<br>'.join(map(html.escape, cause.lines()))}</li>" for cause in self.causes
            )
            heading = html.escape(self.causes_heading().rstrip(":"))
            parts.append(f"<h2>{heading}</h2><ol>{items}</ol>")
        if self.where:
            items = "".join(f"<li>{html.escape(str(place))}</li>" for place in self.where)
            parts.append(f"<h2>Where</h2><ul>{items}</ul>")
        if self.next_question:
            parts.append(f"<p>To tell them apart: {html.escape(self.next_question)}</p>")
        parts += [f"<p>Note: {html.escape(note)}</p>" for note in self.notes]
        return "".join([*parts, f"<p>{html.escape(self.summary())}</p>"])


_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:2rem}"
    "main{max-width:60rem;margin:auto}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.35rem .7rem;border-bottom:1px solid #8886;"
    "vertical-align:top}td:first-child{font-family:ui-monospace,monospace}"
    ".wrong{border-left:4px solid #d55e00}.unsure{border-left:4px solid #e69f00}"
    ".right{border-left:4px solid #009e73}h2{font-size:1.1rem}"
)


def relation(finding: Finding) -> str:
    """= for a formula, ≈ for printed digits."""
    rounded = finding.claim is not None and finding.claim.printed and not finding.formula
    return "≈" if rounded else "="


def said(finding: Finding, digits: int) -> str:
    """The sentence on a finding."""
    sentence = finding.sentence(digits)
    if finding.follows:
        return f"follows from your own earlier numbers; {sentence}"
    wrong = finding.wrong
    if finding.expected is None or finding.flaw or not (finding.step or wrong):
        return sentence
    index = wrong[0] if wrong else ()
    own, right = finding.expected[index], finding.reference.value[index]
    if np.ndim(own) or np.allclose(own, right, rtol=1e-4, atol=0):
        return sentence
    return f"{sentence}; from your own earlier numbers it would be {short(float(own), digits)}"


def _row(finding: Finding) -> str:
    verdict = finding.verdict
    kind = "wrong" if verdict is Verdict.WRONG else "right" if verdict.passes else "unsure"
    line = f"line {finding.line}: " if finding.line is not None else ""
    claim = html.escape(f"{line}{finding.name} {relation(finding)} {finding.text}")
    mark = f"↪ {CARRIED_ON}" if finding.follows else f"{SIGNS[verdict]} {verdict}"
    sentence = "".join(
        f"<br>{html.escape(text)}" for text in [said(finding, 6), *finding.notes] if text
    )
    from_reference = html.escape(finding.right_text())
    return f"<tr class={kind}><td>{claim}<td>{mark}{sentence}<td>{from_reference}</tr>"


def _finding_dict(finding: Finding) -> dict[str, Any]:
    judgement = finding.judgement
    facts: dict[str, Any] = {
        "about": finding.name,
        "kind": finding.target.kind,
        "claimed": finding.text,
        "verdict": str(finding.verdict),
        "sentence": said(finding, 6),
        "reference": _listed(finding.reference.value),
        "bound": _listed(finding.reference.bound),
        "resolution": _finite(finding.resolution),
        "wrong_entries": [list(index) for index in judgement.wrong] if judgement else [],
        "carried_on": finding.follows,
    }
    if finding.line is not None:
        facts["line"] = finding.line
    if np.any(finding.reference.kinks):
        facts["subgradients"] = [_listed(finding.reference.low), _listed(finding.reference.high)]
    return facts


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None


def _listed(x: np.ndarray) -> Any:
    """Numbers for JSON, which knows no NaN."""
    if np.iscomplexobj(x):
        return np.array2string(x)
    return [_listed(row) for row in x] if x.ndim else _finite(float(x))
