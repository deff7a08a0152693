"""`check`: is this hand-derived gradient right, and if not, where and why is it wrong?"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.formulas.naming import Caller
from chainrule.recording import record_graph
from chainrule.sites import user_frame
from chainrule.verification.claims import Rounding
from chainrule.verification.evaluation import Asked, Evaluation
from chainrule.verification.explaining.causes import Why
from chainrule.verification.explaining.diagnosis import Diagnosis
from chainrule.verification.explaining.localisation import entries_text, layer_text, sites
from chainrule.verification.functions import check_function
from chainrule.verification.marking import mark
from chainrule.verification.report import Report
from chainrule.verification.subject import Subject
from chainrule.verification.targets import target_of
from chainrule.verification.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.verification.findings import Finding


def is_result(search: Diagnosis, finding: Finding) -> bool:
    """Whether nothing else is computed from a claim: the gradient by a leaf, an update."""
    place = finding.target.place
    leaf = not isinstance(place, tuple) and search.tape.nodes[place].op is None
    return finding.target.kind == "updated" or (leaf and finding.target.kind == "gradient")


#: So many adjoints are told that would explain the claims, those nearest to the leaves.
MOST_SITES = 3


def check(
    root: Any,
    claims: Any,
    *,
    steps: Mapping[Any, Any] | None = None,
    at: Any = None,
    rounding: str | None = None,
    lr: float | None = None,
    names: Mapping[Any, Any] | None = None,
    resolution: float | None = None,
) -> Report:
    """Check a gradient that somebody derived: is it right, and if not, where and why?

    The verdict on a claim needs no tolerance. With the error bound E of the reference and half of
    the claim's own last digit r it *agrees* within E + r; it is *consistent with rounding* where
    rounding every step to the stated digits leads so far; *at a kink* any subgradient is right;
    it *cannot be told* where E + r hides errors larger than `resolution`; else it is *wrong*.

    Args:
        root: the Value or one-element Tensor whose gradient is claimed; or a function of arrays
            that returns one number, NumPy's or anybody's, then `at` gives its arguments.
        claims: by name or node, what is claimed of the gradient: a formula as text, plain or LaTeX,
            in the names of the graph; a number as text with its printed digits ("0.05706"); a
            number or array; a SymPy expression. `"dE/dw"`, `"w"` and the node mean the gradient,
            `"da2/dz2"` and `(a2, z2)` a partial, `"w'"` the weight after an update with `lr`. Or a
            function that returns gradients, of the arguments `at`, or of the leaves it names.
        steps: intermediate results in the same way: `"da2"` an adjoint, `"a2"` a value. With
            steps each is judged from those on paper before it, so that the faulty one is found.
        at: the arguments of a function, an array or a tuple or dict of them.
        rounding: "4dp" or "4sf" where every step was rounded so.
        lr: the learning rate.
        names: name -> node or constant, beside labels and your variables.
        resolution: the relative error that has to be seen. By default 0.1 for printed digits,
            1e-6 for arrays, 1e-3 in float32.

    Raises:
        FormulaError: for a formula that cannot be read, with the place in it.
        ValueError: for names that are not in the graph, with the nearest ones.
        TypeError: for a root or a claim of another kind.
        ChangedDataError: if data was changed since the graph was recorded.

    The graph, its gradients and NumPy's random state stay as they are.

    >>> import chainrule as cr
    >>> T, a = 0.25, cr.Value(0.75, label="a")
    >>> E = 0.5 * (T - a) ** 2
    >>> print(cr.check(E, {"a": "T - a"}, names={"T": T}))
    ∂E/∂a = T - a  ✗ wrong: it is 0.5: the sign is wrong
    <BLANKLINE>
    Why:
      1. at T - a: the inner derivative -1 of T - a by a was forgotten
         or, with the same numbers: the sign of every derivative of E is wrong
         or, with the same numbers: in the gradient by a: the sign is wrong
         (of 12 mistakes tried, 1e-8 would match by chance)
    <BLANKLINE>
    1 wrong; relative errors above 1e-13 would have been seen.
    """
    for name, number in (("lr", lr), ("resolution", resolution)):
        if number is not None and not isinstance(number, int | float | np.number):
            raise TypeError(f"{name}= is a number, got {number!r}")
    state = np.random.get_state()  # noqa: NPY002 -- of whatever a function draws
    try:
        return _checked(root, claims, steps, at, names, (rounding, lr, resolution))
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _checked(
    root: Any,
    claims: Any,
    steps: Mapping[Any, Any] | None,
    at: Any,
    names: Mapping[Any, Any] | None,
    options: tuple[str | None, float | None, float | None],
) -> Report:
    rounding, lr, resolution = options
    if not isinstance(root, Node):
        if not callable(root):
            raise TypeError(
                f"check takes the Value or Tensor that was computed, or a function with at=...,"
                f" got {type(root).__name__}"
            )
        for name, given in (("steps", steps), ("lr", lr), ("names", names)):
            if given is not None:
                raise ValueError(f"{name}= is about a graph, this is a function: leave it out")
        return check_function(root, claims, at, rounding, resolution)
    if at is not None:
        raise ValueError("at= is about a function, this is a graph with its own numbers")
    caller = Caller.of(user_frame(3))
    with record_graph():  # a hand calculation is a graph, under no_grad(), too
        return _check_graph(root, claims, steps or {}, names, caller, options)


def _check_graph(
    root: Node,
    claims: Any,
    steps: Mapping[Any, Any],
    names: Mapping[Any, Any] | None,
    caller: Caller,
    options: tuple[str | None, float | None, float | None],
) -> Report:
    subject = Subject(root, names, caller)
    asked = [
        Asked(target_of(subject, key, step=True), given, step=True) for key, given in steps.items()
    ]
    asked += [
        Asked(target_of(subject, key, step=False), given)
        for key, given in by_name(subject, claims).items()
    ]
    if not asked:
        raise ValueError("there is nothing to check: claims= is empty")
    rounding, lr, resolution = options
    evaluation = Evaluation(subject, Rounding.of(rounding), lr, resolution)
    evaluation.ask(a.target for a in asked if a.target.kind != "value")
    return concluded(evaluation, [evaluation.judged(a) for a in asked])


def by_name(subject: Subject, claims: Any) -> Mapping[Any, Any]:
    """Claims as a mapping; a function is called with the leaves that its arguments name."""
    if callable(claims) and not isinstance(claims, Mapping):
        wanted = list(inspect.signature(claims).parameters)
        data = [_copied(subject.tape.recorded[subject.find(name)]) for name in wanted]
        claims = claims(*data)
        if not isinstance(claims, Mapping):
            results = claims if isinstance(claims, list | tuple) else [claims]
            if len(results) != len(wanted):
                raise ValueError(
                    f"the function takes {', '.join(wanted)} and returns {len(results)} results:"
                    f" a gradient for each is expected, or a dict"
                )
            claims = dict(zip(wanted, results, strict=True))
    if not isinstance(claims, Mapping):
        leaves = [subject.names.get(i) for i in subject.tape.leaves]
        if len(leaves) == 1 and leaves[0] is not None:
            return {leaves[0]: claims}
        raise TypeError(
            f"claims= maps names to what is claimed, {{'w': …}}, got {type(claims).__name__}"
        )
    return claims


def _copied(x: Any) -> Any:
    return x if x.__class__ is float else x.copy()


def concluded(
    evaluation: Evaluation,
    findings: Sequence[Finding],
    *,
    why: Why = Why.PAIRS,
    lenient: bool = False,
) -> Report:
    """The report on judged claims about a graph.

    Args:
        evaluation: what judged them.
        findings: the claims.
        why: how far causes are searched for.
        lenient: whether numbers that follow from rounded ones on paper count as carried on.
    """
    subject, lr = evaluation.subject, evaluation.lr
    mark(subject, findings, evaluation.rounding, lr, lenient=lenient)
    report = Report(findings)
    if any(f.verdict is Verdict.WRONG for f in findings):
        search = Diagnosis(subject, findings, lr)
        if why is Why.PAIRS and any(f.step for f in findings):
            why = Why.SINGLE  # with steps on paper the faulty one is known
        report.causes = search.causes(why)
        report.next_question = search.next_question(report.causes)
        report.notes += [search.note] if search.note else []
        report.where = places(search, findings)
    return report


def places(search: Diagnosis, findings: Sequence[Finding]) -> list[str]:
    """Where the mistake can be: the faulty step, the entries, the adjoint."""
    found = []
    stepwise = any(f.step for f in findings)
    wrong = [f for f in findings if f.verdict is Verdict.WRONG]
    faulty = [f for f in wrong if not f.follows]
    later = faulty[:1] and not is_result(search, faulty[0])
    if stepwise and len(faulty) == 1 and len(wrong) > 1 and later:
        found.append(f"{faulty[0].name}: this step is wrong, the others only carry it on")
    found += [text for f in findings if (text := entries_text(f))]
    layer = "" if stepwise else layer_text(search.setting, findings)
    found += [layer] if layer else []
    if search.wrong and not stepwise:
        found += [str(site) for site in sites(search.setting, search.evidence)[:MOST_SITES]]
    return found
