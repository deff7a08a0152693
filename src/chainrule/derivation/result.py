"""What `explain` returns."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.derivation.blocks import Equation, to_html, to_latex, to_markdown, to_text
from chainrule.formulas.writing import written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainrule.derivation.case import Case
    from chainrule.engine import Node


class Path:
    """One path from the root to a node.

    `nodes` are names, root first; `factors` the formulas of the partials along it, `values` their
    numbers, `contribution` the product.
    """

    def __init__(self, case: Case, nodes: Sequence[Node], contribution: float) -> None:
        self._case, self._pairs = case, list(pairwise(nodes))
        self.nodes = tuple(case.name(node) for node in nodes)
        self.contribution = contribution

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """The formula of each partial on the way."""
        return tuple(written(self._case.partial(y, x)) for y, x in self._pairs)

    @cached_property
    def values(self) -> tuple[float, ...]:
        """The number of each partial on the way."""
        return tuple(self._case.evaluated(self._case.partial(y, x)) for y, x in self._pairs)

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


def _listed(x: Any) -> Any:
    return x.tolist() if isinstance(x, np.ndarray | np.generic) else x


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
        """As plain data: `equations` as text, the numbers of the `names` in them, the paths."""
        facts = {key: x for key, x in self._facts.items() if key != "title"}
        return facts | {
            "value": _listed(self.value),
            "names": {name: _listed(x) for name, x in facts["names"].items()},
            "equations": [
                {
                    "left": None if block.left is None else written(block.left),
                    "rows": [[written(formula) for formula in row] for row in block.rows],
                    "shape": block.aside.rpartition("→")[2] or "()",
                }
                for block in self._blocks
                if isinstance(block, Equation)
            ],
            "paths": [path.to_dict() for path in self.paths],
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
