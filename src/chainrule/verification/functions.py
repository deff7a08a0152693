"""Claims on a function known by its numbers only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.traced import plain
from chainrule.trees import flatten
from chainrule.verification.claims import (
    Numbers,
    Rounding,
    computed_numbers,
    index_text,
    printed_numbers,
    unit_of,
)
from chainrule.verification.differences.reference import UNIT, FunctionReference
from chainrule.verification.differences.search import MOST_SINGLE, search_entries
from chainrule.verification.evaluation import PRINTED_RESOLUTION, resolution_of, shape_flaw
from chainrule.verification.findings import Finding
from chainrule.verification.report import Report
from chainrule.verification.targets import Target
from chainrule.verification.verdicts import SMALL, Reference, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Up to so many entries are measured alone if they are rounded: directions add the roundings up.
MOST_ROUNDED = 4096
#: The relative error that directions have to see of an entry, by default.
SEARCH_RESOLUTION = 1e-4


def check_function(
    function: Callable[..., Any],
    claims: Any,
    at: Any,
    rounding: str | None = None,
    resolution: float | None = None,
) -> Report:
    """The report on the claimed gradient of a black-box function."""
    names, arguments, keyed = _arguments(at)
    called = _called(function, names, keyed=keyed)
    value = np.asarray(plain(called(*[x.copy() for x in arguments])))
    if value.size != 1 or value.dtype.kind not in "fiu":
        raise ValueError(
            f"the function has to return one real number, it returns {value.dtype} of shape"
            f" {value.shape}: take np.sum(y_bar * f(x)) for a cotangent y_bar"
        )
    if callable(claims):
        own = [x.copy() for x in arguments]
        claims = claims(**dict(zip(names, own, strict=True))) if keyed else claims(*own)
    given = _aligned(claims, names, arguments[0].shape, keyed=keyed)
    rounds = Rounding.of(rounding)
    numbers = [_numbers(g, x, rounds) for g, x in zip(given, arguments, strict=True)]
    targets = [Target("gradient", name, f"∂f/∂{name}") for name in names]
    reference = FunctionReference(called, arguments)
    unit = max(unit_of(x) for x in [*arguments, *given])
    fits = all(n.value.shape == x.shape for n, x in zip(numbers, arguments, strict=True))
    total = sum(x.size for x in arguments)
    rounded = fits and any(np.any(n.half_unit > 1e-9 * np.abs(n.value)) for n in numbers)
    many = total > (MOST_ROUNDED if rounded else MOST_SINGLE)
    if many and fits and resolution is None:
        return _searched(targets, numbers, reference, unit=unit)
    findings = [
        _judged(target, n, reference.of(k), resolution, unit=unit)
        for k, (target, n) in enumerate(zip(targets, numbers, strict=True))
    ]
    return Report(findings, [text for f in findings if (text := _entries(f))])


def _searched(
    targets: Sequence[Target],
    numbers: Sequence[Numbers],
    reference: FunctionReference,
    *,
    unit: float,
) -> Report:
    """The report on a gradient of many entries."""
    found = search_entries(reference, numbers)
    resolution = None if unit > UNIT else SEARCH_RESOLUTION
    findings = []
    for target, n, right in zip(targets, numbers, found.references, strict=True):
        asked = None if n.printed else resolution
        finding = _judged(target, n, right, asked, SMALL, unit=unit)
        if found.contradicted and finding.judgement is not None and not finding.judgement.wrong:
            finding.notes.append("along random directions the slopes are others")
        findings.append(finding)
    return Report(findings, [text for f in findings if (text := _entries(f))], notes=[found.note])


def _judged(
    target: Target,
    n: Numbers,
    right: Reference,
    resolution: float | None,
    floor: float = 0.0,
    *,
    unit: float,
) -> Finding:
    finding = Finding(target, n, right, None)
    if n.value.shape != right.value.shape:
        finding.flaw = shape_flaw(n.value, right.value, target.name)
        return finding
    if resolution is None:
        resolution = PRINTED_RESOLUTION if n.printed or n.rounded else resolution_of(unit)
    size = np.where(np.isfinite(right.value), np.abs(right.value), 0.0)
    computed = 0.0 if n.printed else 8 * unit * size + unit * np.max(size, initial=0.0)
    finding.judgement = judge(n, right, resolution, None, computed, floor)
    return finding


def _entries(finding: Finding) -> str:
    judgement = finding.judgement
    if judgement is None or not judgement.ranks.ndim or not judgement.wrong:
        return ""
    some = ", ".join(map(index_text, judgement.wrong[:8]))
    more = len(judgement.wrong) - 8
    return f"{finding.name}: wrong at {some}" + (f" and {more} more" if more > 0 else "")


def _arguments(at: Any) -> tuple[list[str], list[np.ndarray], bool]:
    """The names and arrays of the arguments, and whether they go by their names."""
    if at is None:
        raise ValueError("a function is checked at a point: give its arguments, at=x or at=(x, y)")
    keyed = isinstance(at, Mapping)
    items = at.values() if keyed else at if isinstance(at, tuple) else (at,)
    arrays = []
    for item in items:
        x = np.array(item)
        if x.dtype.kind in "iu":
            x = x.astype(float)
        if x.dtype.kind != "f":
            raise TypeError(f"at= takes arrays of real numbers, got {x.dtype}")
        arrays.append(x)
    names = list(map(str, at)) if keyed else ["x"] if len(arrays) == 1 else []
    names = names or [f"x{k}" for k in range(len(arrays))]
    return names, arrays, keyed


def _called(
    function: Callable[..., Any], names: Sequence[str], *, keyed: bool
) -> Callable[..., Any]:
    if not keyed:
        return function
    return lambda *arrays: function(**dict(zip(names, arrays, strict=True)))


def _aligned(
    claims: Any, names: Sequence[str], shape: tuple[int, ...], *, keyed: bool
) -> list[Any]:
    """What is claimed for each argument, the first of some shape."""
    if isinstance(claims, Mapping):
        missing = [name for name in names if name not in claims]
        if missing:
            raise ValueError(f"nothing is claimed for {', '.join(missing)}")
        return [claims[name] for name in names]
    if len(names) == 1 and not keyed:
        alone = isinstance(claims, tuple | list) and len(claims) == 1
        single = alone and (isinstance(claims, tuple) or np.shape(claims[0]) == shape)
        return [claims[0] if single else claims]
    leaves = list(claims) if isinstance(claims, list | tuple) else flatten(claims)[0]
    if len(leaves) != len(names):
        raise ValueError(f"{len(leaves)} gradients for {len(names)} arguments")
    return leaves


def _numbers(given: Any, x: np.ndarray, rounds: Rounding | None) -> Numbers:
    printed = printed_numbers(given) if isinstance(given, str | list) else None
    if printed is not None:
        return printed
    if isinstance(given, str):
        raise TypeError(
            f"{given!r} is no number: a formula needs a graph, compute with Values or Tensors"
        )
    numbers = computed_numbers(given, rounds)
    unit = max(unit_of(x), unit_of(given))
    if unit > UNIT and rounds is None:
        return Numbers(numbers.value, unit * np.abs(numbers.value), numbers.text)
    return numbers
