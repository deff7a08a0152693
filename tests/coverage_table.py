"""The table of docs/coverage.md: every function tried, its row is what the trial found."""

import warnings

import numpy as np

from chainrule.ops.base import Op
from chainrule.ops.dispatch import LATE, load
from chainrule.ops.registry import BY_NUMPY, PLAIN
from measuring import check_forward, check_reverse, check_second, check_value, complexified
from numpy_calls import CALLS, name_of

INTRODUCTION = """\
# Coverage

Made by `tests/coverage_table.py` from trials: every function below was called on Tensors in one or
several ways, and its derivatives were compared with differences of NumPy's own function (reverse
and forward mode, and second derivatives in three ways). ✓ means that all of this held; "–" that
NumPy or SciPy has no such function of complex numbers, and "refused" that chainrule raises a
TypeError there (an order of complex numbers has no derivative). The last column says what it
computes and what its derivative is at a kink, where several values would be correct.

`np.f(t)` works for all of them, and `t.f()` where an ndarray has the method. `out=` is refused.
"""

PLAIN_INTRODUCTION = """\
## Plain results

Their results are positions, truth values or counts: there is nothing to differentiate, so they
return plain arrays.
"""

SECTIONS = {
    "np": "NumPy",
    "np.linalg": "Linear algebra",
    "np.fft": "Fourier transforms",
    "scipy.special": "SciPy's special functions",
    "t": "Entries",
}
NOTES = {
    "t[index]": "Every kind of index: slices, integers, lists, masks, `None`, `...`.",
    "t.at": "`t.at[index].set(v)`, `add`, `multiply` … and `t[index] = v`.",
}


def outcome(check, call):
    """What a trial found."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(call)
    except (TypeError, NotImplementedError):
        return "refused"
    except (AssertionError, ValueError):
        return "wrong"
    return "✓"


def worst(outcomes):
    """One mark for all trials of a function."""
    return next((mark for mark in ("wrong", "refused", "✓") if mark in outcomes), "–")


def found(calls):
    """What the trials of one function found."""
    of_complex = [c for c in map(complexified, calls) if c is not None]
    if any(call.complex for call in calls):
        assert of_complex
        of_complex = [complexified(call) for call in calls if call.complex]
    return (
        worst([outcome(check, c) for c in calls for check in (check_value, check_reverse)]),
        worst([outcome(check_forward, c) for c in calls]),
        worst([outcome(check_second, c) for c in calls]),
        worst([outcome(check, c) for c in of_complex for check in (check_reverse, check_forward)]),
    )


def meaning(name):
    """The first line of the documentation of what answers for a function."""
    if name in NOTES:
        return NOTES[name]
    for function, answer in BY_NUMPY.items():
        if name_of(function) == name:
            text = answer.__doc__ or ""
            return " ".join(text.split("\n\n")[0].split())
    ufunc, _, method = name.rpartition(".")
    return f"`{method}` of `{ufunc}`."


def section_of(name):
    return max((s for s in SECTIONS if name.startswith((f"{s}.", f"{s}["))), key=len)


def lines():
    for family in LATE.values():
        load(family)
    names = {}
    for call in CALLS:
        names.setdefault(call.name, []).append(call)
    yield INTRODUCTION
    for section, title in SECTIONS.items():
        yield f"## {title}\n"
        yield "| function | reverse | forward | second order | complex | meaning and kinks |"
        yield "|---|---|---|---|---|---|"
        for name, calls in sorted(names.items()):
            if section_of(name) == section:
                cells = [f"`{name}`", *found(calls), meaning(name)]
                yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        yield ""
    yield PLAIN_INTRODUCTION
    yield ", ".join(f"`{name}`" for name in sorted(map(name_of, PLAIN))) + "."


def page():
    return "\n".join(lines()) + "\n"


def differentiable_functions():
    """Names of all functions that answer with something to differentiate."""
    return {
        name_of(function)
        for function, answer in BY_NUMPY.items()
        if function not in PLAIN and not (isinstance(answer, Op) and not answer.differentiable)
    }
