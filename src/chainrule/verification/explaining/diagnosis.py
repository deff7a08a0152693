"""Why is it wrong? Each mistake replayed on the user's own graph, alone and in pairs."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.verification.claims import index_text, short
from chainrule.verification.explaining.causes import Cause, Replay, Why
from chainrule.verification.explaining.mistakes import mistakes
from chainrule.verification.explaining.setting import Setting
from chainrule.verification.tape import RIGHT, InapplicableError, ones
from chainrule.verification.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.verification.explaining.causes import Match
    from chainrule.verification.explaining.mistake import Mistake
    from chainrule.verification.findings import Finding, Point
    from chainrule.verification.subject import Subject
    from chainrule.verification.tape import Edit

#: So many coincidences that a guess would be no help.
HOPELESS = 2.0
#: So many causes are told.
MOST_CAUSES = 4
#: Two computations of the same numbers differ by no more than this, relative to the largest.
SAME = 1e-9
#: How far a formula may be off elsewhere, relative.
ELSEWHERE = 1e-7
#: Graphs of more nodes are not searched for causes, and no search makes more steps than this.
MOST_NODES, MOST_STEPS = 2_000, 300_000
#: For so many wrong claims each is explained apart.
MOST_APART = 6
#: Pairs are not tried beyond this number.
MOST_PAIRS = 8_000


class Diagnosis:
    """The search for the mistakes behind wrong claims.

    Args:
        subject: the graph.
        findings: all claims on it.
        lr: the learning rate, where one is known.
    """

    def __init__(self, subject: Subject, findings: Sequence[Finding], lr: float | None) -> None:
        self.subject, self.tape = subject, subject.tape
        usable = [f for f in findings if _is_evidence(f) and f.chance is None]
        faulty = [f for f in findings if f.verdict is Verdict.WRONG and not f.follows]
        if any(f.target.kind == "value" for f in faulty):  # that explains what follows
            usable = [f for f in usable if not f.follows]
        again = {f.target[1:] for f in usable if f.verdict is Verdict.WRONG}
        self.evidence = [
            f for f in usable if f.verdict is Verdict.WRONG or f.target[1:] not in again
        ]
        asked = frozenset(f.target.place for f in self.evidence if f.target.kind != "partial")
        updates = frozenset(f.target.place for f in self.evidence if f.target.kind == "updated")
        self.setting = Setting(subject, lr, asked, updates)
        self.lr = lr
        self.claimed_partials = {
            f.target.place for f in self.evidence if f.target.kind == "partial"
        }
        right = self.run(RIGHT)
        assert right is not None
        self.right = right
        #: What is to be said where no cause can be named.
        self.note = ""
        self.wrong = [f for f in self.evidence if f.verdict is Verdict.WRONG]

    def causes(self, why: Why) -> list[Cause]:
        """The mistakes that explain every claim, the most likely first."""
        if not self.wrong or why is Why.NOT:
            return []
        if self.matches(self.right, RIGHT):  # wrong by rounding: nothing was done wrongly
            return []
        possible = mistakes(self.setting) if len(self.tape.nodes) <= MOST_NODES else []
        if not possible or len(possible) * len(self.tape.nodes) > MOST_STEPS:
            self.note = "the graph is too large to search for causes"
            return []
        tried = self.replayed(possible)
        matches = [(m, replay) for m, replay in tried if self.matches(replay, m[0].edit)]
        found = self.grouped(matches, len(tried), self.by_chance(tried))
        if why is Why.PAIRS and not any(cause.convincing for cause in found):
            found += self.pairs(tried)
            apart = self.apart()
            likelier = apart and apart.rarity <= min((c.rarity for c in found), default=np.inf)
            if apart and (likelier or not any(cause.convincing for cause in found)):
                return [apart]
        found.sort(key=lambda cause: (not cause.convincing, len(cause.mistakes)))
        if found and found[0].by_chance > HOPELESS:
            self.note = (
                f"no cause is named: of {found[0].tried:,} mistakes tried about"
                f" {short(found[0].by_chance, 2)} would give such numbers by chance; more digits or"
                f" more gradients would tell"
            )
            return []
        return found[:MOST_CAUSES]

    def apart(self) -> Cause | None:
        """A mistake for each wrong claim, where nothing explains them all; None if one has none."""
        if not 1 < len(self.wrong) <= MOST_APART:
            return None
        made: list[Mistake] = []
        found: list[Cause] = []
        for finding in self.wrong:
            causes = Diagnosis(self.subject, [finding], self.lr).causes(Why.SINGLE)
            if not causes or not causes[0].convincing:
                return None
            (mistake,) = causes[0].mistakes
            line = f"line {finding.line}, " if finding.line is not None else ""
            place = f"in {line}{finding.name}"
            made.append(replace(mistake, place=place, sentence=str(mistake)))
            found.append(causes[0])
        by_chance = max(cause.by_chance for cause in found)
        return Cause(tuple(made), by_chance, sum(cause.tried for cause in found))

    def replayed(self, given: Sequence[Mistake]) -> list[Match]:
        """Each mistake with the adjoints that it gives; those that change nothing are left out."""
        found: list[Match] = []
        for mistake in given:
            replay = self.run(mistake.edit)
            if replay is not None and self.changed(replay):
                found.append(((mistake,), replay))
        return found

    def run(self, edit: Edit, point: Point | None = None) -> Replay | None:
        """A backward pass with a mistake; None where it cannot be made.

        At another point, if one is given, than at the numbers of the graph.
        """
        data = self.setting.data if point is None else point.data
        try:
            bars = self.tape.backward(data, edit)
            partials = {}
            for y, x in self.claimed_partials:
                seeds = {y: ones(data[y])}
                through = self.tape.backward(data, edit, seeds=seeds)
                partials[y, x] = through[x]
        except InapplicableError:
            return None
        return Replay(bars, partials)

    # ------------------------------------------------------------------ comparing

    def prediction(
        self, finding: Finding, replay: Replay, point: Point | None = None
    ) -> np.ndarray:
        """What a claim would be, at the numbers of the graph or at another point."""
        data = self.setting.data if point is None else point.data
        i = finding.target.place
        if finding.target.kind == "partial":
            bar, i = replay.partials[i], i[1]
        else:
            bar = replay.bars[i]
        shape = np.shape(self.setting.data[i])
        value = np.zeros(shape) if bar is None else np.broadcast_to(np.asarray(bar), shape)
        if finding.target.kind == "updated":
            rate = finding.rate if finding.rate is not None else self.lr
            value = np.asarray(data[i]) - (rate or 0.0) * value
        return np.asarray(finding.target.entry(value))

    def fits(self, finding: Finding, replay: Replay) -> bool:
        """Whether a claim is what the mistake gives, within its rounding."""
        claim = finding.claim
        assert claim is not None
        predicted = self.prediction(finding, replay)
        with np.errstate(invalid="ignore"):
            close = np.abs(claim.value - predicted) <= self.width(finding, predicted)
        return bool(np.all(close))

    def width(self, finding: Finding, predicted: np.ndarray) -> Any:
        """How far a claim may be from what a mistake gives."""
        claim, judgement = finding.claim, finding.judgement
        assert claim is not None
        assert judgement is not None
        slack = np.maximum(judgement.smallest, claim.half_unit)
        largest = np.max(np.abs(predicted[np.isfinite(predicted)]), initial=0.0)
        return slack * (1 + 1e-6) + finding.slack + SAME * largest

    def matches(self, replay: Replay, edit: Edit) -> bool:
        """Whether a mistake explains every claim, and formulas at other numbers, too."""
        return all(self.fits(f, replay) for f in self.evidence) and all(
            self.fits_elsewhere(f, edit) for f in self.evidence
        )

    def fits_elsewhere(self, finding: Finding, edit: Edit) -> bool:
        """Whether a claimed formula is what the mistake gives where the numbers are others."""
        for point in finding.points:
            replay = self.run(edit, point)
            if replay is None:
                return False
            predicted = self.prediction(finding, replay, point)
            largest = np.max(np.abs(point.given), initial=0.0)
            if not np.all(np.abs(predicted - point.given) <= ELSEWHERE * largest):
                return False
        return True

    def changed(self, replay: Replay) -> bool:
        """Whether a mistake moves anything that was claimed."""
        return any(
            not np.allclose(
                self.prediction(f, replay), self.prediction(f, self.right), rtol=1e-9, atol=0,
                equal_nan=True,
            )
            for f in self.evidence
        )  # fmt: skip

    def moved(self, replay: Replay) -> set[int]:
        """The claims that a mistake moves by more than they are rounded."""
        found = set()
        for k, f in enumerate(self.evidence):
            right = self.prediction(f, self.right)
            off = np.abs(self.prediction(f, replay) - right)
            if not np.all(off <= 2 * self.width(f, right)):
                found.add(k)
        return found

    # ------------------------------------------------------------------ pairs

    def pairs(self, tried: Sequence[Match]) -> list[Cause]:
        """Two mistakes at once: only such as move no claim that is right."""
        wrong = {k for k, f in enumerate(self.evidence) if f.verdict is Verdict.WRONG}
        usable = [(m[0], moved) for m, replay in tried if (moved := self.moved(replay)) <= wrong]
        usable.sort(key=lambda pair: pair[0].rarity)
        matches: list[Match] = []
        runs: list[Replay] = []
        count = 0
        for (a, moved_a), (b, moved_b) in combinations(usable, 2):
            alike = a.family == b.family is not None or str(a) == str(b)
            if moved_a | moved_b != wrong or alike:
                continue
            count += 1
            if count > MOST_PAIRS or count * len(self.tape.nodes) > MOST_STEPS:
                break
            edit = a.edit | b.edit
            replay = None if edit is None else self.run(edit)
            if replay is None:
                continue
            if len(runs) < 300:
                runs.append(replay)
            if edit is not None and self.changed(replay) and self.matches(replay, edit):
                matches.append(((a, b), replay))
        by_chance = self.by_chance(runs) * max(count, 1) / max(len(runs), 1)
        return self.grouped(matches, count, by_chance)

    # ------------------------------------------------------------------ coincidence

    def by_chance(self, tried: Sequence[Any]) -> float:
        """How many of the mistakes tried would give the claimed numbers by coincidence.

        A claim of width w falls on a prediction with a probability of about w over the range of
        what mistakes give. Entries whose ratio to the right value is one and the same count once:
        a factor explains them all.
        """
        ratios: list[tuple[float, float]] = []
        for f in self.wrong:
            assert f.claim is not None
            right = f.reference.value
            width = np.broadcast_to(self.width(f, right), right.shape)
            for index in np.ndindex(right.shape):
                given, exact = float(f.claim.value[index]), float(right[index])
                span = 2 * max(abs(given), abs(exact), 1e-300)
                chance = min(1.0, 2 * float(width[index]) / span)
                ratio = given / exact if exact else np.inf
                ratios.append((ratio, chance))
        if not ratios:
            return float(len(tried))
        ratios.sort()
        probability, cluster, last = 1.0, 1.0, ratios[0][0]
        for ratio, chance in ratios:
            if abs(ratio - last) > (2 * chance + 1e-9) * max(abs(ratio), abs(last), 1.0):
                probability *= cluster
                cluster = 1.0
            cluster, last = min(cluster, chance), ratio
        return len(tried) * probability * cluster

    # ------------------------------------------------------------------ ties

    def grouped(self, matches: Sequence[Match], tried: int, chance: float) -> list[Cause]:
        """Causes, those merged that give the same numbers for every derivative."""
        order = sorted(matches, key=lambda match: (sum(m.rarity for m in match[0]), len(match[0])))
        found: list[Cause] = []
        for made, replay in order:
            twin = next((c for c in found if c.replay and self.same(c.replay, replay)), None)
            if twin is None:
                found.append(Cause(made, chance, tried, replay=replay))
            elif len(made) <= len(twin.mistakes):
                said = {tuple(map(str, other)) for other in [twin.mistakes, *twin.alternatives]}
                if tuple(map(str, made)) not in said:
                    twin.alternatives.append(made)
        return found

    def same(self, a: Replay, b: Replay) -> bool:
        """Whether two backward passes give the same numbers, for leaves and named nodes."""
        for i in self.telling:
            x, y = a.bars[i], b.bars[i]
            if x is None or y is None:
                if x is not y:
                    return False
                continue
            largest = max(np.max(np.abs(x), initial=0.0), np.max(np.abs(y), initial=0.0))
            if not np.allclose(x, y, rtol=0, atol=SAME * largest, equal_nan=True):
                return False
        return True

    @cached_property
    def telling(self) -> list[int]:
        """The nodes whose derivative tells something: weights first, then named results."""
        leaves = set(self.tape.leaves)
        results = [i for i in sorted(self.subject.names, reverse=True) if i not in leaves]
        return [*self.setting.weights, *results]

    def next_question(self, causes: Sequence[Cause]) -> str | None:
        """The number to ask for that tells the first causes apart best."""
        if len(causes) < 2:
            return None
        asked = {f.target.place for f in self.evidence}
        best: tuple[int, str] | None = None
        for i in self.telling:
            name = self.subject.name(i)
            if i in asked or i == self.tape.last or not self.setting.reached[i]:
                continue
            for index in list(np.ndindex(np.shape(self.setting.data[i])))[:4]:
                values = [_entry(cause.replay.bars[i], index) for cause in causes if cause.replay]
                least = SAME * max(map(abs, values), default=0.0)
                values = [0.0 if abs(v) <= least else v for v in values]
                groups = len({short(v, 4) for v in values})
                if groups > 1 and (best is None or groups > best[0]):
                    place = index_text(index) if index else ""
                    meaning = ", ".join(
                        f"{short(v, 4)} would mean {k}" for k, v in enumerate(values, start=1)
                    )
                    root = self.subject.root_name
                    best = groups, f"what is ∂{root}/∂{name}{place}? {meaning}"
        return best[1] if best else None


def _entry(bar: Any, index: tuple[int, ...]) -> float:
    return 0.0 if bar is None else float(np.asarray(bar)[index])


def _is_evidence(finding: Finding) -> bool:
    """Whether a claim says something about the backward pass."""
    usable = finding.claim is not None and not finding.flaw and finding.judgement is not None
    return (
        usable
        and finding.target.kind in {"gradient", "partial", "updated"}
        and not np.iscomplexobj(finding.reference.value)
        and bool(np.all(np.isfinite(finding.claim.value)))  # type: ignore[union-attr]
    )
