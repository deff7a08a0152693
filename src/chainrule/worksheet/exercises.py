"""Exercise sheets from any graph: a worksheet with blanks, and its answer key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.errors import RuleError
from chainrule.formulas.naming import Caller, names_of
from chainrule.formulas.steps import Steps
from chainrule.formulas.styles import Style
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.writing import written
from chainrule.ops.exponentials import softmax_cross_entropy
from chainrule.paths import adjoints
from chainrule.sites import user_frame
from chainrule.verification.explaining.causes import Why
from chainrule.verification.subject import is_data_name
from chainrule.verification.targets import fraction
from chainrule.worksheet.statements import WorksheetError
from chainrule.worksheet.worksheet import Worksheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Numbers in a row of a sheet.
IN_A_ROW = 6
#: What stands for d in front of a name while a formula is written.
ADJOINT = "adjointof"
#: How near the sheet's own result has to be to that of the graph.
EXACT = 1e-9


class InSheets(Style):
    """The text style, but for what a worksheet has no room for."""

    def around(self, left: str, text: str, right: str) -> str:
        if left == "|":  # in a worksheet the bars are of numbers alone
            return f"abs({text})"
        return super().around(left, text, right)


IN_SHEETS = InSheets()


@dataclass(frozen=True)
class Exercise:
    """A sheet with questions and the sheet with their answers, both worksheets.

    `chainrule check` judges the key, `chainrule grade` the answers to the sheet.
    """

    sheet: str
    key: str


def exercise(
    root: Any,
    ask: Iterable[str] | None = None,
    *,
    seed: int | None = None,
    digits: int = 4,
    title: str = "",
    names: Mapping[Any, Any] | None = None,
) -> Exercise:
    """A worksheet with blanks from a graph, and its answer key.

    The computation is written with your names. The key goes backward, from one adjoint to the next
    (`dE/dz2 = dE/da2 · a2·(1 - a2)`), with the numbers, as far as the questions need.

    Args:
        root: a Value, or a Tensor of one element; or a `Worksheet`.
        ask: what is asked: `dE/dw1` for a derivative, `a1` for a value. By default the derivatives
            in all leaves that are not called like data; of a worksheet what it asks or claims.
        seed: draw other numbers of the same size and sign, for a sheet of its own for everybody.
        digits: significant digits of the answers.
        title: the first line, as a comment.
        names: name -> node or constant, as in `cr.explain`.

    Raises:
        TypeError: for anything but a graph.
        ValueError: for a question about something that is not there, or a graph that cannot be
            written as a worksheet.

    >>> import chainrule as cr
    >>> x, w, b = 2.0, cr.Value(0.5), cr.Value(-1.0)
    >>> a = cr.tanh(w * x + b)
    >>> E = (a - 0.5) ** 2
    >>> print(cr.exercise(E, title="One neuron").sheet)
    # One neuron
    w = 0.5;  x = 2;  b = -1
    a = tanh(w·x + b)
    E = (a - 0.5)²
    <BLANKLINE>
    dE/dw = ?
    dE/db = ?
    """
    return exercise_of(root, ask, Caller.of(user_frame(2)), seed, digits, title, names)


def exercise_of(
    root: Any,
    ask: Iterable[str] | None,
    caller: Caller,
    seed: int | None,
    digits: int,
    title: str,
    names: Mapping[Any, Any] | None,
) -> Exercise:
    """`exercise` for somebody else, whose variables give names."""
    if type(digits) is not int or digits < 1:
        raise ValueError(f"digits={digits!r}: a whole number from 1 on")
    if isinstance(root, Worksheet):
        names = {name: node for name, node in root.nodes.items() if isinstance(node, Node)}
        known = [claim.left.text for claim in root.claims] if ask is None else []
        root = root.root
        ask = list(dict.fromkeys(q for q in known if _is_plain(q, names, root))) or ask
    if not isinstance(root, Node):
        raise TypeError(
            f"an exercise is made of the Value or Tensor that was computed, or of a Worksheet, got"
            f" {type(root).__name__}"
        )
    lines, variables = _computation(root, caller, names, seed)
    head = [f"# {title}"] if title else []
    text = "\n".join([*head, *lines])
    try:
        sheet = Worksheet(text, "the exercise")
        if seed is None:
            _require_same(sheet.root, root)
    except (WorksheetError, ValueError, TypeError, ArithmeticError) as problem:
        raise ValueError(f"this graph cannot be written as a worksheet: {problem}") from None
    steps = _steps_of(sheet)
    top = steps.name(sheet.root)
    questions = _questions(steps, top, variables) if ask is None else [_asked(q, top) for q in ask]
    blanks = [f"{q} {'=' if fraction(q) else '≈'} ?" for q in questions]
    try:
        answers = _answers(sheet, steps, top, questions, digits)
    except RuleError as problem:
        raise ValueError(f"this graph cannot be written as a worksheet: {problem}") from None
    return Exercise("\n".join([text, "", *blanks]), "\n".join([text, "", *answers]))


def _is_plain(question: str, names: Mapping[str, Any], root: Any) -> bool:
    """Whether a claim of a worksheet is about a whole value, or a derivative of its root."""
    parts = fraction(question)
    if parts is None:
        return question in names
    return parts[1] in names and names.get(parts[0] or "") is root


def _computation(
    root: Node, caller: Caller, names: Mapping[Any, Any] | None, seed: int | None
) -> tuple[list[str], set[str]]:
    """The givens, several in a line, and a line for each result; and the names of the leaves."""
    first = Steps(root, (), names, caller)
    named, constants = names_of(first.nodes, names, caller)
    plain = {name: _plain(name) for name in (*named.values(), *constants.values())}
    if len(set(plain.values())) < len(plain):
        raise ValueError(f"names are too much alike for a worksheet: {', '.join(plain)}")
    pinned = tuple({i: plain[name] for i, name in found.items()} for found in (named, constants))
    steps = Steps(root, (), None, caller, pinned)  # type: ignore[arg-type]
    computed = [node for node in steps.steps if node.op is not None]
    formulas = {steps.name(node): steps.formula(node) for node in computed}
    leaves = [name for name in steps.used(formulas.values()) if name not in formulas]
    for name in leaves:
        if seed is not None and np.asarray(steps.values[name]).dtype == bool:
            raise ValueError(f"{name} is a condition, which could be another for other numbers")
    labels = _one_hot(formulas.values(), steps.values)
    random = None if seed is None else np.random.default_rng(seed)
    variables = {steps.name(node) for node in steps.steps if node.op is None}
    weights = {name for name in variables if not is_data_name(name)}
    givens = []
    for name in leaves:
        value = labels.get(name, np.asarray(steps.values[name], dtype=float))
        # 0 and ±1 among the data are labels, one-hot rows, masks.
        kept = random is None or (name not in weights and bool(np.isin(value, (-1, 0, 1)).all()))
        givens.append(f"{name} = {_number_text(value, None if kept else random)}")
    rows = [";  ".join(givens[i : i + IN_A_ROW]) for i in range(0, len(givens), IN_A_ROW)]
    results = [f"{name} = {written(formula, IN_SHEETS)}" for name, formula in formulas.items()]
    return [*rows, *results], variables


def _one_hot(formulas: Iterable[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The classes in a cross entropy as rows with a one: all numbers of a sheet are real."""
    found, pending = {}, list(formulas)
    while pending:
        x = pending.pop()
        if getattr(x, "op", None) is None:
            continue
        pending += x.inputs
        if x.op is softmax_cross_entropy and x.inputs[1].dtype.kind in "iu":
            logits, targets = x.inputs
            found[targets.name] = np.eye(logits.shape[-1])[np.asarray(values[targets.name])]
    return found


def _plain(name: str) -> str:
    """A name as a worksheet has it: h[0] is h_0."""
    return re.sub(r"[^\w′']+", "_", name).strip("_")


def _number_text(value: Any, random: np.random.Generator | None) -> str:
    """A number, a vector or a matrix; with a generator other ones of the same size and sign."""
    array = np.asarray(value, dtype=float)
    if random is not None:
        array = array * random.uniform(0.4, 1.6, array.shape)
        array = np.vectorize(lambda x: float(f"{x:.2g}"), otypes=[float])(array)
    if not array.ndim:
        return f"{float(array):.12g}"
    return "[" + ", ".join(_number_text(row, None) for row in array) + "]"


def _require_same(found: Any, root: Any) -> None:
    """Raise ValueError if a sheet computes something else than the graph."""
    x, y = float(np.asarray(found._held).item()), float(np.asarray(root._held).item())
    if abs(x - y) > EXACT * max(1.0, abs(y)):
        raise ValueError(f"written down it gives {x:g}, not {y:g}")


def _steps_of(sheet: Worksheet) -> Steps:
    """The steps of a sheet, with its own names."""
    return Steps(sheet.root, (), None, Caller([], (lambda: None).__code__))


def _questions(steps: Steps, top: str, variables: set[str]) -> list[str]:
    """The derivatives in all weights; in all leaves of the graph if none is called like one."""
    leaves = [steps.name(node) for node in steps.steps if steps.name(node) in variables]
    weights = [name for name in leaves if not is_data_name(name)]
    return [f"d{top}/d{name}" for name in weights or leaves]


def _asked(question: str, top: str) -> str:
    """A question in the way a sheet has it."""
    parts = fraction(question)
    return question.strip() if parts is None else f"d{parts[0] or top}/d{parts[1]}"


def _answers(
    sheet: Worksheet, steps: Steps, top: str, questions: list[str], digits: int
) -> list[str]:
    """The answers, backward from the root, each with its number."""
    table, known = adjoints(sheet.root), {steps.name(node): node for node in steps.steps}
    values, wanted = [], set()
    for question in questions:
        parts = fraction(question)
        name = question if parts is None else parts[1]
        if name not in known or (parts is not None and parts[0] != top):
            raise ValueError(
                f"{question!r} is not asked of this graph: there are derivatives d{top}/d… and"
                f" values of {', '.join(known)}"
            )
        if parts is None:
            values.append(f"{name} ≈ {_rounded(known[name]._held, digits)}")
        else:
            wanted.add(name)
    formulas = _backward(steps, sheet.root, top)
    needed, pending = set(), sorted(wanted)
    while pending:
        name = pending.pop()
        if name not in needed and name in formulas:
            needed.add(name)
            pending += formulas[name][1]
    lines = []
    for node in reversed(steps.steps):
        name = steps.name(node)
        if name in needed:
            number = _rounded(table[node], digits)
            line = f"d{top}/d{name} = {formulas[name][0]} ≈ {number}"
            # Some formulas of arrays are no worksheet's: then the numbers alone are the answer.
            lines.append(line if _agrees(sheet, line) else f"d{top}/d{name} ≈ {number}")
    return [*values, *lines]


def _agrees(sheet: Worksheet, line: str) -> bool:
    """Whether a line can be read as claims that are right."""
    try:
        report = Worksheet(f"{sheet.source}\n{line}").report(why=Why.NOT)
    except WorksheetError:
        return False
    return report.ok


def _backward(steps: Steps, root: Node, top: str) -> dict[str, tuple[str, list[str]]]:
    """For each name the formula of its adjoint, and the names whose adjoints that takes."""
    parts: dict[str, list[Any]] = {}
    sources: dict[str, list[str]] = {}
    for node in reversed(steps.steps):
        name = steps.name(node)
        if node.op is None or (node is not root and name not in parts):
            continue
        like = steps.symbol(node)
        seed = 1.0 if node is root else Symbol(f"{ADJOINT}{name}", like.shape, like.dtype)
        found = steps.cotangents(node, seed)
        for x in steps.inputs(node):
            if id(x) in found:
                inner = steps.name(x)
                parts.setdefault(inner, []).append(found[id(x)])
                sources.setdefault(inner, []).extend([] if node is root else [name])
    return {
        name: (
            " + ".join(_term(steps, x, len(terms)) for x in terms).replace(ADJOINT, f"d{top}/d"),
            sources[name],
        )
        for name, terms in parts.items()
    }


def _term(steps: Steps, formula: Any, count: int) -> str:
    text = written(formula, IN_SHEETS)
    for name in steps.used([formula]):
        if steps.is_automatic_constant(name) and np.unique(steps.values[name]).size == 1:
            number = f"{np.ravel(steps.values[name])[0]:.12g}"
            text = re.sub(rf"\b{name}\b", number, text)
    return f"({text})" if count > 1 and re.search(r"[+-]", text[1:]) else text


def _rounded(value: Any, digits: int) -> str:
    """A number with significant digits, or an array of them."""
    array = np.asarray(value, dtype=float)
    if array.ndim:
        return "[" + ", ".join(_rounded(row, digits) for row in array) + "]"
    text = f"{float(array):#.{digits}g}" if array else "0"
    return text.replace(".e", "e").rstrip(".")
