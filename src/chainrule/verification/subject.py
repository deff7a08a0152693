"""What is checked: a graph, and what its nodes and constants are called."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine import Node
from chainrule.formulas.naming import names_of
from chainrule.formulas.symbol import Symbol
from chainrule.formulas.vocabulary import COUNTS, Vocabulary, normal
from chainrule.formulas.writing import written
from chainrule.ops.base import shape_of
from chainrule.verification.tape import Edge, Tape

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from chainrule.formulas.naming import Caller

#: A formula that stands for a node without a name is no longer than this.
LONGEST = 48
#: How far from its numbers a graph is looked at again, relative; nearer if a kink is between.
DISTANCES = (0.25, 0.05, 0.01, 0.001)
#: So many entries of an array are compared with the numbers in a formula.
MOST_COMPARED = 1000
#: How far a formula goes down for that.
DEEPEST = 4

#: Names of inputs, targets and rates in worksheets, where numbers and weights look alike.
_DATA = re.compile(r"[xXtTyYi][\d_]*|x_\w+|[hac]0|inputs?\w*|targets?\w*|labels?\w*|lam\w*|λ\w*")
#: Names of weights: their numbers are nothing to count on.
_WEIGHT = re.compile(r"[wWvVbBθ]\w*")
#: Names of targets, which may be one-hot.
_TARGET = re.compile(r"[tTyYpPqQ][\d_]*|[typ]_\w+|targets?\w*|labels?\w*")


def is_data_name(name: str) -> bool:
    """Whether a leaf is called like an input or a target, not like a weight."""
    return _DATA.fullmatch(name) is not None


class Subject:
    """A graph under check.

    Args:
        root: the node whose gradient is claimed.
        names: name -> node or constant, beside labels.
        caller: whose variables give names.

    `positions` maps each name to the place of its node on the tape, `constants` each name of a
    constant to its value and the edges it is used on.
    """

    def __init__(
        self,
        root: Node,
        names: Mapping[Any, Any] | None = None,
        caller: Caller | None = None,
    ) -> None:
        self.tape = Tape(root)
        self.root = root
        named, constants = names_of(self.tape.nodes, names, caller)
        self.names: dict[int, str] = {self.tape.place[i]: name for i, name in named.items()}
        self.positions: dict[str, int] = {name: i for i, name in self.names.items()}
        self.names.setdefault(self.tape.last, self._fresh("E"))
        self.positions.setdefault(self.names[self.tape.last], self.tape.last)
        #: Whether the graph comes from a worksheet, where constants are leaves, too.
        self.on_sheet = False
        self.constants: dict[str, tuple[Any, list[Edge]]] = {}
        for i, node in enumerate(self.tape.nodes):
            for slot, x in enumerate(node.inputs_then()):
                name = None if isinstance(x, Node) else constants.get(id(x))
                if name is not None:
                    value = self.tape.constants[i][slot]
                    self.constants.setdefault(name, (value, []))[1].append((i, slot))
                base = getattr(x, "base", None)  # X, where X.T is used
                if name is None and isinstance(base, np.ndarray) and id(base) in constants:
                    self.constants.setdefault(constants[id(base)], (base, []))

    def _fresh(self, name: str) -> str:
        while name in self.positions:
            name += "′"
        return name

    @property
    def root_name(self) -> str:
        """What the root is called."""
        return self.names[self.tape.last]

    def name(self, i: int) -> str:
        """The name of a node, or the formula that stands for it."""
        return self.names.get(i) or self.formula(i)

    def formula(self, i: int) -> str:
        """How a node is computed, from named nodes, in short."""
        text = written(self._symbol(i, DEEPEST))
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"

    def _symbol(self, i: int, depth: int) -> Any:
        node = self.tape.nodes[i]
        held = np.asarray(node._held)
        inner = depth < DEEPEST and i in self.names
        if inner or node.op is None or not depth:
            return Symbol(self.names.get(i, "…"), held.shape, held.dtype)
        parts = []
        for slot, j in enumerate(self.tape.sources[i]):
            x = self.tape.constants[i][slot]
            if j is not None:
                parts.append(self._symbol(j, depth - 1))
            elif np.ndim(x):
                parts.append(Symbol(self.constant_name((i, slot)) or "…", np.shape(x)))
            else:
                name = self.constant_name((i, slot))
                parts.append(x if name is None else Symbol(name))
        return Symbol.made(node.op, tuple(parts), node.params, held.shape, held.dtype)

    def constant_name(self, edge: Edge) -> str | None:
        """What the constant on an edge is called."""
        return next((name for name, (_, edges) in self.constants.items() if edge in edges), None)

    def vocabulary(
        self,
        data: Sequence[Any],
        derivative: Callable[[str, str], Any] | None = None,
        claimed: Container[str] = (),
    ) -> Vocabulary:
        """The names of the graph with their numbers, for a formula."""
        values = {name: data[i] for name, i in self.positions.items()}
        for name, (value, _) in self.constants.items():
            values.setdefault(name, value)
        functions = {node.op.name: node.op for node in self.tape.nodes if node.op is not None}
        return Vocabulary(values, functions, derivative, self.root_name, claimed)

    def find(self, given: Any) -> int:
        """The place of a node given as itself or by its name.

        Raises:
            ValueError: with the nearest names, if there is none.
        """
        if isinstance(given, Node):
            if id(given) not in self.tape.place:
                what = f"'{given.label}'" if given.label else given.describe()
                raise ValueError(f"{what} is not in the graph of {self.root_name}")
            return self.tape.place[id(given)]
        found = self.find_name(str(given))
        if found is None:
            near = difflib.get_close_matches(str(given), self.positions, 3, 0.4)
            some = near or list(self.positions)[:10]
            word = "near it" if near else "there are"
            raise ValueError(
                f"'{given}' is no named node in the graph of {self.root_name}; {word}:"
                f" {', '.join(some)}"
            )
        return found

    def find_name(self, text: str) -> int | None:
        """The place of a node by its name, None where there is none."""
        if text in self.positions:
            return self.positions[text]
        same = [i for name, i in self.positions.items() if normal(name) == normal(text)]
        return same[0] if len(same) == 1 else None

    def moved(
        self,
        random: np.random.Generator,
        asked: Container[int] = (),
        freely: Container[int] = (),
    ) -> list[Any] | None:
        """The data of every node at another point: with weights a little elsewhere.

        A formula that is right holds there, too; one that is right by chance does not. It may
        count on what is given, so data and the structure of matrices stay, but for leaves that
        are `asked` of and those that are to move `freely`. None where every other point is on
        another side of a kink or beyond the range of numbers.
        """
        for distance in DISTANCES:
            leaves = {
                i: self._elsewhere(i, asked, freely, random, distance) for i in self.tape.leaves
            }
            data = self.tape.forward(leaves)
            if self._same_side(data) and self._as_finite(data):
                return data
        return None

    def held(self, asked: Container[int]) -> list[int]:
        """The leaves that a formula may count on: data that is not asked of, symmetric matrices."""
        return [
            i
            for i in self.tape.leaves
            if i not in asked
            and not self._is_told(i)
            and (self._is_given(i) or is_symmetric(self.tape.recorded[i]))
        ]

    def _is_told(self, i: int) -> bool:
        """Whether the numbers of a leaf are part of the question: one-hot targets, a count."""
        x, name = self.tape.recorded[i], self.names.get(i, "")
        if x.__class__ is float:
            return name in COUNTS and x.is_integer()
        return _adds_up(x) and _TARGET.fullmatch(name) is not None

    def _is_given(self, i: int) -> bool:
        """Whether a leaf is data; on a worksheet everything is that is not called like a weight."""
        name = self.names.get(i, "")
        return is_data_name(name) or (self.on_sheet and _WEIGHT.fullmatch(name) is None)

    def _elsewhere(
        self,
        i: int,
        asked: Container[int],
        freely: Container[int],
        random: np.random.Generator,
        far: float,
    ) -> Any:
        x = self.tape.recorded[i]
        if i in asked or i in freely:
            return _moved(x, random, far)
        if self._is_given(i) or self._is_told(i):
            return x
        there = _moved(x, random, far)
        return (there + there.T) / 2 if is_symmetric(x) else there

    def _as_finite(self, data: Sequence[Any]) -> bool:
        """Whether everything that is finite here is so at some data."""
        with np.errstate(all="ignore"):
            return all(
                bool(np.all(np.isfinite(there) | ~np.isfinite(here)))
                for here, there in zip(self.tape.data, data, strict=True)
            )

    def _same_side(self, data: Sequence[Any]) -> bool:
        """Whether masks such as that of relu are what they are at the numbers of the graph."""
        for i, node in enumerate(self.tape.nodes):
            op: Any = node.op
            if op is None or not op.gives_partials or not op.reads_data:
                continue
            here = self._mask(i, op, self.tape.data)
            there = None if here is None else self._mask(i, op, data)
            if there is not None and not np.array_equal(here, there):
                return False
        return True

    def _mask(self, i: int, op: Any, data: Sequence[Any]) -> Any:
        """The partials of an op, if they are ones and zeros; None for any other."""
        inputs = [self.tape.input(edge, data) for edge in self.tape.edges(i)]
        try:
            with np.errstate(all="ignore"):
                partials = [
                    np.asarray(op.partial(k, data[i], inputs, self.tape.nodes[i].params)).real
                    for k, rule in enumerate(op.rules)
                    if callable(rule)
                ]
        except (ArithmeticError, TypeError, ValueError):
            return None
        masks = [np.ravel(p) for p in partials if np.all(np.isin(p, (-1.0, 0.0, 0.5, 1.0)))]
        return np.concatenate(masks) if len(masks) == len(partials) and masks else None


def _adds_up(x: Any) -> bool:
    """Whether these are probabilities, or ones and zeros."""
    array = np.asarray(x)
    if array.ndim == 0 or array.dtype.kind != "f" or not array.size:
        return False
    total = np.allclose(array.sum(axis=-1), 1) or np.allclose(array.sum(axis=0), 1)
    return bool(np.all((array == 0) | (array == 1)) or (total and np.all(array >= 0)))


def is_symmetric(x: Any) -> bool:
    """Whether this is a symmetric matrix."""
    shape = shape_of(x)
    return len(shape) == 2 and shape[0] == shape[1] > 1 and bool(np.array_equal(x, x.T))


def _moved(x: Any, random: np.random.Generator, far: float) -> Any:
    """Numbers changed by up to so much of their size; integers stay."""
    added = far / 5
    if x.__class__ is float:
        return float(x * random.uniform(1 - far, 1 + far) + random.uniform(-added, added))
    if getattr(x, "dtype", np.dtype(bool)).kind == "f":
        shape = shape_of(x)
        return x * random.uniform(1 - far, 1 + far, shape) + random.uniform(-added, added, shape)
    return x
