"""`explain`: the chain-rule derivation of a gradient, printed from the rules that compute it."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.derivation.array_case import ArrayCase
from chainrule.derivation.case import Case
from chainrule.derivation.entries import Entries, is_entry
from chainrule.derivation.numbers import rounded
from chainrule.derivation.telling import array_derivation, no_path, of_itself, scalar_derivation
from chainrule.engine import Node, newest_first
from chainrule.formulas.naming import Caller
from chainrule.formulas.steps import Steps
from chainrule.paths import adjoints
from chainrule.sites import user_frame
from chainrule.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from chainrule.derivation.result import Derivation

#: Numbers that were rounded are printed as they are, with up to so many digits.
ROUNDED_DIGITS = 12
FORMS = ("auto", "paths", "adjoints", "table", "matrix")


def explain(
    root: Any,
    wrt: Any = None,
    *,
    form: str = "auto",
    digits: int = 4,
    rounding: str = "exact",
    names: Mapping[Any, Any] | None = None,
    max_paths: int = 8,
    top: int | None = None,
    hide: Sequence[str] | str = (),
    group_by: str | None = None,
) -> Derivation:
    """The chain-rule derivation of a gradient: formulas, numbers in them, and the result.

    Steps run between named nodes. A name is a `label=`, else comes from `names`, else from your
    variables at the moment of the call, else it is v1, v2, … The formulas are the rules that
    `backward()` uses, evaluated on symbols; before anything is returned they are read back from
    their own text and compared with the gradient.

    Args:
        root: a Value, or a Tensor of one element.
        wrt: a node of its graph, one entry of one (`W[2, 0]`), or a name. None prints the whole
            backward pass.
        form: "paths", "adjoints" (each node once), "table" (forward and reverse trace side by
            side), "matrix" (for arrays), or "auto": paths while there are at most `max_paths`.
        digits: significant digits of what is printed. Factors get one more where their printed
            product would otherwise not give the printed result.
        rounding: "exact"; or "step", which rounds to `digits` after every step as hand work does
            and shows how far that leads; or "4dp", "6sf".
        names: name -> node, or constant.
        max_paths: more paths than this are printed as adjoints.
        top: the so many largest contributions instead of all.
        hide: steps to leave blank, such as "a2/z2"; `reveal()` fills them in.
        group_by: "layer" takes the paths through the same layers together.

    Raises:
        TypeError: for a root or a `wrt` that is no node.
        ValueError: for a `wrt` that is not in the graph, names that clash, an unknown form.
        ChangedDataError: if data was changed since the graph was recorded.

    >>> import chainrule as cr
    >>> T, a = 0.25, cr.Value(0.75, label="a")
    >>> E = 0.5 * (T - a) ** 2
    >>> print(cr.explain(E, wrt=a))
    ∂E/∂a = -(T - a)
          = -(0.25 - 0.75)
          = 0.5
    """
    options = Options(form, digits, rounding, max_paths, top, group_by, hide)
    return explained(root, wrt, Caller.of(user_frame(2)), names, options)


class Options(NamedTuple):
    """How a derivation is printed, see `explain`."""

    form: str
    digits: int
    rounding: str
    max_paths: int
    top: int | None
    group_by: str | None
    hide: Sequence[str] | str


def explained(
    root: Any, wrt: Any, caller: Caller, names: Mapping[Any, Any] | None, options: Options
) -> Derivation:
    """`explain` for somebody else, whose variables give names."""
    form, digits, rounding, max_paths, top, group_by, hide = options
    if not isinstance(root, Node):
        raise TypeError(
            f"explain takes the Value or Tensor that was computed, got {type(root).__name__}"
        )
    _checked(form, digits, max_paths, top, group_by)
    to_step = rounded(rounding, digits)
    if to_step is not None:
        digits = ROUNDED_DIGITS
    steps = Steps(root, [wrt] if isinstance(wrt, Node) else [], names, caller)
    wrt = _entry_by_name(steps, wrt)
    entry = is_entry(wrt, steps.nodes) and id(wrt) not in steps.names
    target = wrt if entry else _found(steps, wrt)
    if target is root:
        return of_itself(steps.name(root), digits)
    _check_arrays(steps, form, entry=entry, rounding=to_step is not None)
    if isinstance(root, Tensor):
        if _wants_arrays(steps, target, entry=entry, form=form):
            if top is not None or group_by is not None:
                raise ValueError(
                    "top= and group_by= are about single numbers: ask for one entry, wrt=W[0, 1]"
                )
            return _array_told(steps, target, (form, digits, max_paths), to_step, hide)
        entries = Entries(steps, target)
        steps, root, target = entries.steps, entries.root, entries.target
        if target is not None and id(target) not in steps.names and target is not root:
            return no_path(steps.name(root), entries.target_name, digits)

    def told(hidden: Sequence[str] | str) -> Derivation:
        case = Case(steps, _numbers(root), digits, to_step, _hidden(steps, hidden))
        reveal = (lambda: told(())) if hidden else None
        return scalar_derivation(case, target, (form, max_paths, top, group_by), reveal)

    return told(hide)


def _check_arrays(steps: Steps, form: str, *, entry: bool, rounding: bool) -> None:
    """Refuse what cannot be explained of arrays."""
    if np.size(steps.root._held) != 1:
        name, shape = steps.name(steps.root), np.shape(steps.root._held)
        raise ValueError(
            f"explain takes one number, {name} has the shape {shape}: reduce it (np.sum, np.mean)"
            f" or take one entry of it"
        )
    if entry and form == "matrix":
        raise ValueError('form="matrix" explains whole arrays: leave the index of wrt out')
    if rounding and any(np.iscomplexobj(node._held) for node in steps.nodes):
        raise ValueError("rounding= is about real numbers, this graph has complex ones")


def _checked(form: str, digits: int, max_paths: int, top: int | None, group_by: str | None) -> None:
    if form not in FORMS:
        raise ValueError(f"form={form!r}: one of {', '.join(FORMS)}")
    for name, count in (("digits", digits), ("max_paths", max_paths), ("top", top)):
        given = count is not None or name != "top"
        if given and (type(count) is not int or count < 1):
            raise ValueError(f"{name}={count!r}: a whole number from 1 on")
    if top is not None and form not in {"auto", "paths"}:
        raise ValueError(f'top= is about paths, form={form!r} has none: form="paths"')
    if group_by is not None and (form != "auto" or top is not None):
        raise ValueError("group_by= is a form of its own: it takes no form= and no top=")
    if group_by not in {None, "layer"}:
        raise ValueError(f'group_by={group_by!r}: "layer" or None')


def _entry_by_name(steps: Steps, wrt: Any) -> Any:
    """`W[2, 0]` given as text; anything else as it is."""
    match = re.fullmatch(r"(.+)\[([-\d, ]+)\]", wrt) if isinstance(wrt, str) else None
    if match is None or wrt in steps.names.values():
        return wrt
    node = next((x for x in steps.steps if steps.name(x) == match[1]), None)
    if node is None or not np.ndim(node._held):
        return wrt
    index = tuple(int(part) for part in match[2].split(",") if part.strip())
    try:
        return node[index]  # type: ignore[index]
    except IndexError:
        shape = np.shape(node._held)
        raise ValueError(f"'{wrt}' is no entry of {match[1]}, whose shape is {shape}") from None


def _found(steps: Steps, wrt: Any) -> Node | None:
    """The step meant by `wrt`; ValueError if it is not in the graph."""
    if wrt is None:
        return None
    root = steps.name(steps.root)
    if isinstance(wrt, str):
        for node in steps.steps:
            if steps.name(node) == wrt:
                return node
        near = difflib.get_close_matches(wrt, steps.names.values(), 3, 0.4)
        some = [steps.name(node) for node in steps.steps[:8]]
        hint = f"; near it: {', '.join(near)}" if near else f"; there are {', '.join(some)}"
        raise ValueError(f"'{wrt}' is no named node in the graph of {root}{hint}")
    if isinstance(wrt, list | tuple | dict):
        raise TypeError("wrt is one node at a time; without wrt all of them are explained")
    if not isinstance(wrt, Node):
        raise TypeError(
            f"wrt is a plain {type(wrt).__name__}, a constant: no derivative exists in it; make it"
            f" a Value or Tensor before computing {root}"
        )
    if id(wrt) in steps.names:
        return wrt
    what = f"'{wrt.label}'" if wrt.label else f"wrt ({wrt.describe()})"
    if any(node is steps.root for node in newest_first(wrt)):
        raise ValueError(f"{what} was computed from {root}, not the other way round")
    raise ValueError(
        f"{what} is not in the graph of {root}, which was not computed from it, or only through"
        f" detach(), no_grad() or .data"
    )


def _numbers(root: Node) -> dict[int, float]:
    return {id(node): float(np.asarray(y)) for node, y in adjoints(root).items()}


def _hidden(
    steps: Steps, hide: Sequence[str] | str, *, arrays: bool = False
) -> frozenset[tuple[str, str]]:
    """Pairs of names; ValueError for what is no step. Between arrays only J/x has a formula."""
    known = (
        set()
        if arrays
        else {(steps.name(node), steps.name(x)) for node in steps.steps for x in steps.inputs(node)}
    )
    known |= {(steps.name(steps.root), steps.name(node)) for node in steps.steps}
    found = set()
    if not isinstance(hide, str | list | tuple | set | frozenset):
        raise TypeError(f'hide= takes steps such as "a2/z2", got {hide!r}')
    for text in map(str, [hide] if isinstance(hide, str) else hide):
        y, _, x = text.replace("∂", "").partition("/")
        if (y, x) not in known:
            pairs = [f"{a}/{b}" for a, b in sorted(known)]
            near = difflib.get_close_matches(text, pairs, 4, 0.0)
            raise ValueError(f"hide={text!r} is no step of this graph: try {', '.join(near)}")
        found.add((y, x))
    return frozenset(found)


def _wants_arrays(steps: Steps, target: Node | None, *, entry: bool, form: str) -> bool:
    """Whether the language of matrices is asked for: by the form, or by arrays in the graph."""
    if form == "matrix":
        return True
    single = all(np.ndim(node._held) == 0 for node in steps.nodes)
    if entry or single:
        return False
    single_target = target is not None and np.size(target._held) == 1
    return not (form in {"paths", "table"} and single_target)


def _array_told(
    steps: Steps,
    target: Node | None,
    options: tuple[str, int, int],
    to_step: Callable[[float], float] | None,
    hide: Sequence[str] | str,
) -> Derivation:
    """The derivation for arrays."""
    form, digits, max_paths = options

    def told(hidden: Sequence[str] | str) -> Derivation:
        steps.cotangent_values.clear()
        table = {id(node): np.asarray(y) for node, y in adjoints(steps.root).items()}
        case = ArrayCase(steps, table, digits, to_step, _hidden(steps, hidden, arrays=True))
        reveal = (lambda: told(())) if hidden else None
        return array_derivation(case, target, form, max_paths, reveal)

    return told(hide)
