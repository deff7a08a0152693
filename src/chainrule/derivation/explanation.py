"""`explain`: the chain-rule derivation of a gradient, printed from the rules that compute it."""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.derivation.blocks import (
    Equation,
    Heading,
    Note,
    to_html,
    to_latex,
    to_markdown,
    to_text,
)
from chainrule.derivation.entries import Entries, is_entry
from chainrule.derivation.matrix import (
    ArrayCase,
    array_adjoint_blocks,
    array_path_blocks,
    matrix_blocks,
    order_note,
    shape_text,
)
from chainrule.derivation.numbers import array, number, rounded
from chainrule.derivation.paths import Ways
from chainrule.derivation.scalar import (
    Case,
    adjoint_blocks,
    layer_blocks,
    path_blocks,
    table_blocks,
)
from chainrule.engine import Node, adjoints, newest_first
from chainrule.formulas.steps import Steps
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import Printed, Words, written
from chainrule.sites import user_frame
from chainrule.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FORMS = ("auto", "paths", "adjoints", "table", "matrix")


class Path:
    """One path from the root to a node.

    `nodes` are names, root first; `factors` the formulas of the partials along it, `values` their
    numbers, `contribution` the product.
    """

    def __init__(self, case: Case, nodes: Sequence[Node], contribution: float) -> None:
        pairs = list(zip(nodes, nodes[1:], strict=False))
        self.nodes = tuple(case.name(node) for node in nodes)
        self.factors = tuple(written(case.partial(y, x)) for y, x in pairs)
        self.values = tuple(case.evaluated(case.partial(y, x)) for y, x in pairs)
        self.contribution = contribution

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "nodes": list(self.nodes),
            "factors": [
                {"of": y, "by": x, "formula": formula, "value": value}
                for y, x, formula, value in zip(
                    self.nodes, self.nodes[1:], self.factors, self.values, strict=False
                )
            ],
            "contribution": self.contribution,
        }

    def __repr__(self) -> str:
        return f"<Path {' → '.join(self.nodes)}: {self.contribution:g}>"


class Derivation:
    """The derivation of a gradient. Printed, it is text; in a notebook, formulas.

    Attributes:
        value: the gradient, as `backward()` computes it; None for a whole backward pass.
        paths: the paths that are printed, or the largest of them.
        path_count: how many paths there are, exactly; None where nobody asked for paths.
        form: the form it is printed in.
    """

    def __init__(
        self,
        blocks: Sequence[Any],
        facts: dict[str, Any],
        paths: Sequence[Path] = (),
        reveal: Callable[[], Derivation] | None = None,
    ) -> None:
        self._blocks = list(blocks)
        self._facts = facts
        self._reveal = reveal
        self.value: Any = facts["value"]
        self.form: str = facts["form"]
        self.path_count: int | None = facts.get("path_count")
        self.paths = tuple(paths)

    def text(self) -> str:
        """For a terminal."""
        return to_text(self._blocks)

    def latex(self) -> str:
        """One `aligned` environment, to stand between `$$` and `$$`."""
        return to_latex(self._blocks)

    def markdown(self) -> str:
        """For a notebook or a README: sentences, tables, and formulas between `$$`."""
        return to_markdown(self._blocks)

    def html(self) -> str:
        """A page of its own, with MathML: it needs no script and no network."""
        return to_html(self._blocks, self._facts["title"])

    def to_dict(self) -> dict[str, Any]:
        """As plain data: numbers, names, and formulas as text."""
        value = self.value
        facts = {key: x for key, x in self._facts.items() if key != "title"}
        return facts | {
            "value": value.tolist() if isinstance(value, np.ndarray) else value,
            "paths": [path.to_dict() for path in self.paths],
            "text": self.text(),
        }

    def reveal(self) -> Derivation:
        """The same derivation with its blanks filled in."""
        return self if self._reveal is None else self._reveal()

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"


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
    if not isinstance(root, Node):
        raise TypeError(
            f"explain takes the Value or Tensor that was computed, got {type(root).__name__}"
        )
    _checked(form, digits, max_paths, top, group_by)
    to_step = rounded(rounding, digits)
    steps = Steps(root, [wrt] if isinstance(wrt, Node) else [], names, user_frame(2))
    entry = is_entry(wrt, steps.nodes) and id(wrt) not in steps.names
    target = wrt if entry else _found(steps, wrt)
    if isinstance(root, Tensor):
        if _wants_arrays(steps, target, entry=entry, form=form):
            return _array_told(steps, target, form, digits, max_paths, hide)
        entries = Entries(steps, target)
        steps, root, target = entries.steps, entries.root, entries.target

    def told(hidden: Sequence[str] | str) -> Derivation:
        case = Case(steps, _numbers(root), digits, to_step, _hidden(steps, hidden))
        options = (form, max_paths, top, group_by)
        reveal = (lambda: told(())) if hidden else None
        return _scalar_derivation(case, target, options, reveal)

    return told(hide)


def _checked(form: str, digits: int, max_paths: int, top: int | None, group_by: str | None) -> None:
    if form not in FORMS:
        raise ValueError(f"form={form!r}: one of {', '.join(FORMS)}")
    for name, count, least in (("digits", digits, 1), ("max_paths", max_paths, 0)):
        if not isinstance(count, int) or count < least:
            raise ValueError(f"{name}={count!r}: a whole number from {least} on")
    if top is not None and (not isinstance(top, int) or top < 1):
        raise ValueError(f"top={top!r}: a whole number from 1 on")
    if group_by not in {None, "layer"}:
        raise ValueError(f'group_by={group_by!r}: "layer" or None')


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
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise ValueError(f"'{wrt}' is no named node in the graph of {root}{hint}")
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


def _hidden(steps: Steps, hide: Sequence[str] | str) -> frozenset[tuple[str, str]]:
    """Pairs of names; ValueError for what is no step."""
    known = {(steps.name(node), steps.name(x)) for node in steps.steps for x in steps.inputs(node)}
    known |= {(steps.name(steps.root), steps.name(node)) for node in steps.steps}
    found = set()
    for text in [hide] if isinstance(hide, str) else hide:
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
    if form in {"paths", "table"} and target is not None and np.size(target._held) == 1:
        return False
    return form != "table"


def _array_told(
    steps: Steps,
    target: Node | None,
    form: str,
    digits: int,
    max_paths: int,
    hide: Sequence[str] | str,
) -> Derivation:
    """The derivation for arrays."""

    def told(hidden: Sequence[str] | str) -> Derivation:
        table = {id(node): np.asarray(y) for node, y in adjoints(steps.root).items()}
        case = ArrayCase(steps, table, digits, _hidden(steps, hidden))
        reveal = (lambda: told(())) if hidden else None
        return _array_derivation(case, target, form, max_paths, reveal)

    return told(hide)


def _array_derivation(
    case: ArrayCase,
    target: Node | None,
    form: str,
    max_paths: int,
    reveal: Callable[[], Derivation] | None,
) -> Derivation:
    steps, root = case.steps, case.name(case.root)
    form = "matrix" if form == "auto" else form
    facts: dict[str, Any] = {
        "title": f"Derivation of {root}",
        "root": root,
        "wrt": None,
        "value": None,
        "digits": case.digits,
        "form": form,
    }
    lead: list[Any] = []
    if target is None:
        lead = [Heading(f"The backward pass of {root} = {array(case.root._held, case.digits)}")]
        targets = [node for node in steps.steps if node.op is None]
        nodes = steps.steps[::-1]
        edges = {id(node): steps.inputs(node) for node in nodes}
    else:
        ways = Ways(steps, target, numbers=False)
        targets, nodes = [target], ways.nodes
        edges = {i: [x for x, _ in pairs] for i, pairs in ways.edges.items()}
        facts |= {
            "title": f"∂{root}/∂{case.name(target)}",
            "wrt": case.name(target),
            "value": case.adjoints[id(target)],
            "path_count": ways.count(),
        }
    if form == "paths" and target is not None:
        count = ways.count()
        if count > max_paths:
            raise ValueError(
                f"{count:,} paths of arrays lead from {root} to {case.name(target)}, max_paths is"
                f' {max_paths}: raise it, or use form="adjoints"'
            )
        routes = [route.nodes for route in ways.every()]
        blocks = list(array_path_blocks(case, routes, count))
    elif form == "adjoints":
        blocks = list(array_adjoint_blocks(case, nodes, edges))
    else:
        blocks = list(matrix_blocks(case, targets))
    if target is None:
        blocks += order_note(case, nodes)
    return Derivation([*lead, *_where(case, blocks)], facts, (), reveal)


def _scalar_derivation(
    case: Case,
    target: Node | None,
    options: tuple[str, int, int | None, str | None],
    reveal: Callable[[], Derivation] | None,
) -> Derivation:
    form, max_paths, top, group_by = options
    steps = case.steps
    root = case.name(case.root)
    if form == "matrix":
        raise ValueError(f'form="matrix" is for arrays, {root} is computed from single numbers')
    facts: dict[str, Any] = {
        "title": f"Derivation of {root}",
        "root": root,
        "wrt": None,
        "value": None,
        "digits": case.digits,
    }
    if target is None:
        nodes = steps.steps[::-1]
        form = "table" if form == "table" else "adjoints"
        blocks = list((table_blocks if form == "table" else adjoint_blocks)(case, nodes, None))
        facts["form"] = form
        heading = [Heading(f"The backward pass of {root} = {_value(case, case.root)}")]
        return Derivation([*heading, *_where(case, blocks)], facts, (), reveal)
    ways = Ways(steps, target)
    count = ways.count()
    total = case.adjoints[id(target)]
    routes = []
    lead: list[Any] = []
    if form == "auto":
        form = "paths" if count <= max_paths or top is not None else "adjoints"
    if group_by is not None:
        form = "layers"
        blocks = list(layer_blocks(case, ways))
    elif form == "paths":
        most = max_paths if top is None else top
        routes = list(ways.every()) if count <= most else ways.largest(most)
        if top is not None:
            routes.sort(key=lambda route: -abs(route.contribution))
        blocks = list(path_blocks(case, ways, routes, count))
    else:
        made = table_blocks if form == "table" else adjoint_blocks
        blocks = list(made(case, ways.nodes, ways))
        what = f"∂{root}/∂{case.name(target)} = {number(total, case.digits)}"
        if form == "table" or (root, case.name(target)) in case.hidden:
            what = f"∂{root}/∂{case.name(target)}"
        words = "1 path" if count == 1 else f"the sum over {count:,} paths"
        lead = [Heading(f"{what}, {words}, each node once:")]
    notes = [Note(text) for text in (_remark(case, ways, total),) if text]
    paths = [Path(case, route.nodes, route.contribution) for route in routes]
    facts |= {
        "title": f"∂{root}/∂{case.name(target)}",
        "wrt": case.name(target),
        "value": total,
        "form": form,
        "path_count": count,
    }
    return Derivation([*lead, *_where(case, blocks), *notes], facts, paths, reveal)


def _value(case: Case, node: Node) -> str:
    return number(case.values[case.name(node)], case.digits)


def _where(case: Case | ArrayCase, blocks: Sequence[Any]) -> list[Any]:
    """The blocks, and what the automatic names in them stand for."""
    steps = case.steps
    automatic = {
        steps.name(node): node
        for node in steps.steps
        if id(node) not in steps.given and node.op is not None and node is not steps.root
    }
    pending = steps.used(_formulas(blocks))
    told: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    while pending:
        name = pending.pop(0)
        if name in automatic and name not in told:
            node = automatic[name]
            formula = steps.formula(node)
            shown = array(steps.values[name], case.digits)
            last = Words(shown) if np.ndim(node._held) else Printed(shown)
            aside = shape_text(np.shape(node._held)) if np.ndim(node._held) else ""
            told[name] = Equation(Symbol(name), [[formula, last]], (), aside)
            pending += steps.used([formula])
        elif steps.is_automatic_constant(name):
            shown = array(steps.values[name], case.digits)
            plain[name] = Equation(Symbol(name), [[Words(shown)]])
    if not told and not plain:
        return list(blocks)
    in_order = sorted(told, key=lambda name: automatic[name].index)
    return [*blocks, Note("where"), *plain.values(), *[told[name] for name in in_order]]


def _formulas(blocks: Sequence[Any]) -> list[Any]:
    """Every formula in blocks."""
    found: list[Any] = []
    pending: list[Any] = list(blocks)
    while pending:
        x = pending.pop()
        if isinstance(x, Symbol):
            found.append(x)
        elif isinstance(x, tuple | list):
            pending += x
    return found


def _remark(case: Case, ways: Ways, total: float) -> str:
    """Why a gradient is zero, or where NaN comes from."""
    bad = [n for n in case.steps.steps if not math.isfinite(float(np.asarray(n._held)))]
    if bad:
        first = min(bad, key=lambda node: node.index)
        name = case.name(first)
        made = f" = {written(case.steps.formula(first))}" if first.op is not None else ""
        return f"{name}{made} is {number(first._held, 4)}: nothing computed from it is a gradient."
    if total or not ways.nodes:
        return ""
    zero = [(y, x) for y in ways.nodes for x, partial in ways.edges.get(id(y), ()) if not partial]
    if not zero:
        return "The contributions cancel: the gradient is zero although no factor is."
    reasons = []
    for y, x in zero[:3]:
        formula = written(case.partial(y, x))
        shown = "0" if formula == "0.0" else f"{formula} = 0"
        reasons.append(f"∂{case.name(y)}/∂{case.name(x)} = {shown}{_why(case, y)}")
    more = f" and {len(zero) - 3:,} more" if len(zero) > 3 else ""
    return f"The gradient is zero because {', '.join(reasons)}{more}."


def _why(case: Case, y: Node) -> str:
    """What the op says of itself, for a step without derivative."""
    for inner in case.steps.region(y):
        op: Any = inner.op
        if op is not None and inner.op is not None and op.gives_partials:
            partials = [p for p in op.rules if not callable(p)]
            if partials and all(p == 0 for p in partials):
                return f" ({op.name}: {op.__doc__})"
    return ""
