"""Where is it wrong? The adjoint that would explain all claims if it alone were another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import ops
from chainrule.verification.claims import index_text, number_text, short
from chainrule.verification.tape import RIGHT
from chainrule.verification.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.verification.explaining.setting import Setting
    from chainrule.verification.findings import Finding

#: Adjoints of more entries than this are not solved for.
MOST_UNKNOWNS = 400
#: The axes of an adjoint whose rows are samples.
BATCH = 2
#: Ops that a layer begins with, a weight beside its input.
PRODUCTS = (ops.matmul, ops.multiply)
#: Claims of more entries than this are not solved from.
MOST_EQUATIONS = 4000
#: Adjoints are tried with no more steps than this in all.
MOST_TRIES = 100_000
#: So small a part of the right numbers is rounding.
NOTHING = 1e-12


@dataclass(frozen=True)
class Site:
    """A node whose adjoint alone, if it were another, would explain every claim.

    Attributes:
        root: what is differentiated.
        name: of the node.
        adjoint: what it would have to be.
        right: what it is.
        known: whether the claims fix every entry of it.
        row: the row of it that is enough, one sample; None for all of it.
    """

    root: str
    name: str
    adjoint: np.ndarray
    right: np.ndarray
    known: bool
    row: int | None = None

    def __str__(self) -> str:
        start = f"∂{self.root}/∂{self.name}"
        if self.row is not None:
            start = f"row {self.row} of {start}, one sample,"
        if not self.known:
            return f"{start} may be wrong: the claims do not fix all of its entries"
        adjoint = self._rounded()
        return (
            f"{start} would have to be {number_text(adjoint, 4)} instead of"
            f" {number_text(self.right, 4)}{self._ratio()}; all after it is right"
        )

    def _rounded(self) -> np.ndarray:
        """What it would have to be, without what is rounding."""
        largest = float(np.max(np.abs(self.right), initial=0.0))
        return np.where(np.abs(self.adjoint) <= NOTHING * largest, 0.0, self.adjoint)

    def _ratio(self) -> str:
        """How the two are related, where that is simple."""
        with np.errstate(all="ignore"):
            ratio = (self._rounded() / self.right).ravel()
        if not np.any(ratio):
            return ""
        ratio = ratio[np.isfinite(ratio)]
        if ratio.size and np.allclose(ratio, ratio[0], rtol=1e-3) and abs(ratio[0] - 1) > 1e-3:
            if abs(ratio[0] + 1) < 1e-3:
                return ", with the other sign"
            return f" ({short(float(ratio[0]), 3)} times as much)"
        return ""


def sites(setting: Setting, evidence: Sequence[Finding]) -> list[Site]:
    """The adjoints that explain all claims, those nearest to the leaves first.

    With all else right, what is claimed is linear in the adjoint of a node: a small problem of
    least squares for each node.
    """
    wrong = [f for f in evidence if f.verdict is Verdict.WRONG]
    claimed = [f for f in evidence if f.target.kind == "gradient"]
    entries = sum(f.reference.value.size for f in claimed)
    if not wrong or len(claimed) < len(evidence) or entries > MOST_EQUATIONS:
        return []
    found: list[Site] = []
    tries = MOST_TRIES // len(setting.tape.nodes)
    for i in range(setting.tape.last):
        if tries <= 0:
            break
        size = int(np.prod(setting.shape(i), dtype=int))
        inner = setting.tape.nodes[i].op is not None and i in setting.names
        if inner and setting.reached[i] and size <= MOST_UNKNOWNS:
            tries -= size
            site = _solved(setting, i, claimed, wrong)
            if site is not None:
                found.append(site)
    return found


def _solved(
    setting: Setting, i: int, claimed: Sequence[Finding], wrong: Sequence[Finding]
) -> Site | None:
    """What the adjoint of one node would have to be; None if no value explains the claims."""
    right = np.asarray(setting.bars[i], float)
    size = right.size
    columns = [_influence(setting, i, k, claimed) for k in range(size)]
    missing, widths = [], []
    matrix = np.stack(columns, axis=1)
    for f in claimed:
        assert f.claim is not None
        assert f.judgement is not None
        missing.append(np.ravel(f.claim.value - f.target.entry(setting.value(f.target.place))))
        width = np.maximum(f.judgement.smallest, f.claim.half_unit) + f.slack
        widths.append(np.broadcast_to(width, f.claim.value.shape).ravel())
    off, width = np.concatenate(missing), np.concatenate(widths)
    touched = np.any(matrix != 0, axis=1)
    if any(not np.any(rows) for rows in _rows_of(touched, claimed, wrong)):
        return None
    root, name = setting.subject.root_name, setting.subject.name(i)
    if right.ndim == BATCH and len(right) > 1:
        rows = [
            np.ravel_multi_index((r, range(right.shape[1])), right.shape) for r in range(len(right))
        ]
        fits = {r: fit for r, at in enumerate(rows) if (fit := _fitted(matrix[:, at], off, width))}
        if len(fits) == 1:
            ((r, (change, rank)),) = fits.items()
            known = rank == len(change)
            return Site(root, name, right[r] + change, right[r], known, r)
    whole = _fitted(matrix, off, width)
    if whole is None:
        return None
    change, rank = whole
    return Site(root, name, right + change.reshape(right.shape), right, rank == size)


def _fitted(
    matrix: np.ndarray, off: np.ndarray, width: np.ndarray
) -> tuple[np.ndarray, int] | None:
    """The change of an adjoint that explains what the claims are off by, and the rank it has.

    None where no change does, or where anything would fit.
    """
    weight = 1 / np.maximum(width, 1e-300)
    change, _, rank, _ = np.linalg.lstsq(matrix * weight[:, None], off * weight, rcond=1e-12)
    rest = np.abs(matrix @ change - off)
    if np.any(rest > 1.5 * width + 1e-12 * np.max(np.abs(off))):
        return None
    equations = int(np.count_nonzero(np.any(matrix != 0, axis=1)))
    return None if equations <= rank else (change, int(rank))


def _influence(setting: Setting, i: int, k: int, claimed: Sequence[Finding]) -> np.ndarray:
    """What one entry of an adjoint adds to everything that is claimed."""
    seed: Any = np.zeros(setting.shape(i))
    seed.reshape(-1)[k] = 1.0
    if setting.data[i].__class__ is float:
        seed = 1.0
    bars = setting.tape.backward(setting.data, RIGHT, seeds={i: seed})
    parts = []
    for f in claimed:
        j = f.target.place
        bar = bars[j]
        whole = np.zeros(setting.shape(j)) if bar is None else np.asarray(bar, float)
        parts.append(np.ravel(f.target.entry(whole)))
    return np.concatenate(parts)


def _rows_of(
    touched: np.ndarray, claimed: Sequence[Finding], wrong: Sequence[Finding]
) -> list[np.ndarray]:
    """For each wrong claim which of its entries the node has an influence on."""
    found, at = [], 0
    for f in claimed:
        size = f.reference.value.size
        if f in wrong:
            found.append(touched[at : at + size])
        at += size
    return found


def layer_text(setting: Setting, findings: Sequence[Finding]) -> str:
    """The layer that all wrong gradients are of, where those of another are right."""
    layers: dict[int, list[Finding]] = {}
    for f in findings:
        if f.target.kind == "gradient" and setting.tape.nodes[f.target.place].op is None:
            layers.setdefault(_layer_of(setting, f.target.place), []).append(f)
    faulty = [i for i, fs in layers.items() if any(f.verdict is Verdict.WRONG for f in fs)]
    if len(faulty) != 1 or len(layers) == 1:
        return ""
    wrong = [f.name for f in layers[faulty[0]] if f.verdict is Verdict.WRONG]
    if len(wrong) == 1:
        return ""
    layer = setting.subject.name(faulty[0])
    return f"the layer that gives {layer}: {', '.join(wrong)}; no other layer"


def _layer_of(setting: Setting, i: int) -> int:
    """What a layer gives before its activation: weights times inputs plus a bias."""
    product = bias = False
    while True:
        after = setting.tape.consumers[i]
        if not after:
            return i
        consumer = after[0][0]
        op: Any = setting.tape.nodes[consumer].op
        if op is ops.add:
            bias = True
        elif op in PRODUCTS and not product and not bias:
            product = True
        elif op is not ops.transpose or product or bias:
            return i
        i = consumer


def entries_text(finding: Finding) -> str:
    """Which entries of a claim are wrong: one, a row, a column, or so many."""
    judgement = finding.judgement
    if judgement is None or judgement.ranks.ndim == 0 or not judgement.wrong:
        return ""
    wrong = np.zeros(judgement.ranks.shape, dtype=bool)
    for index in judgement.wrong:
        wrong[index] = True
    if wrong.all():
        return ""
    for axis in range(wrong.ndim):
        lines = np.moveaxis(wrong, axis, 0).reshape(wrong.shape[axis], -1)
        whole = lines.all(axis=1)
        if wrong.ndim > 1 and whole.any() and not lines[~whole].any():
            what = ("row", "column")[axis] if wrong.ndim == 2 else f"slice of axis {axis}"
            places = [*map(str, np.flatnonzero(whole))]
            numbers = ", ".join(places[:8]) + (f" and {len(places) - 8} more" if places[8:] else "")
            return f"{finding.name}: {what} {numbers} and no other entry"
    if len(judgement.wrong) <= 4:
        entries = ", ".join(map(index_text, judgement.wrong))
        return f"{finding.name}: only {entries}"
    return f"{finding.name}: {len(judgement.wrong)} of {wrong.size} entries"
