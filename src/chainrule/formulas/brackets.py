"""What stands in brackets and between bars in a formula that a person wrote."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import ops
from chainrule.errors import FormulaError
from chainrule.formulas.named import Names
from chainrule.formulas.reading import RELATIONS, summed_over
from chainrule.ops import arithmetic as ar
from chainrule.ops.base import shape_of
from chainrule.traced import Traced


class Brackets(Names):
    """Brackets of all kinds: (…), |…|, ‖…‖, √, Σ, vectors, conditions and indices."""

    def whole(self) -> Any:
        raise NotImplementedError

    def product(self) -> Any:
        raise NotImplementedError

    def bracketed(self) -> Any:
        token = self.token
        self.at += 1
        sign, at = token.text, token.position
        if sign == "(":
            bars, self.bars = self.bars, 0
            inside = self.sum()
            self.bars = bars
            self.take(")")
            return inside
        read = {
            "√": self.root,
            "|": self.size,
            "|<": self.size,
            "‖": self.length,
            "‖<": self.length,
            "Σ": self.summed,
            "∂": self.partial,
            "[": self.listed,
        }.get(sign)
        if read is not None:
            return read(at)
        raise FormulaError(f"a number or a name expected before '{sign}'", at)

    def root(self, at: int) -> Any:
        of = self.token
        inside = self.atom()
        glued = self.token.kind == "name" and not (self.token.spaced or self.token.tex)
        if of.kind == "number" and glued:
            raise FormulaError(
                f"√{of.text}{self.token.text} can mean (√{of.text})·{self.token.text} or"
                f" √({of.text}{self.token.text}): write the brackets",
                at,
            )
        return self.applied(ops.sqrt, inside, at=at)

    def size(self, at: int) -> Any:
        """What stands between | and |."""
        told = self.tokens[self.at - 1].text == "|<"  # LaTeX says which bar opens
        bars, self.bars = self.bars, 0 if told else self.bars + 1
        inside = self.sum()
        self.bars = bars
        self.take(">|" if told else "|")
        many = [token.text for token in self.tokens].count("|") > 2
        opens = self.is_sign("|") or self.token.spaced
        if not told and many and not opens and self.begins_factor():
            raise FormulaError(
                "with so many bars it cannot be told which opens and which closes: write abs(…)", at
            )
        if shape_of(inside):
            raise FormulaError(
                "|…| of an array can mean two things: write abs(…) entry by entry or ‖…‖ for the"
                " length",
                at,
            )
        return self.applied(ops.absolute, inside, at=at)

    def length(self, at: int) -> Any:
        """‖x‖, the root of the sum of squares."""
        closing = ">‖" if self.tokens[self.at - 1].text == "‖<" else "‖"
        depth, end = 0, 0
        for k in range(self.at, len(self.tokens)):
            text = self.tokens[k].text
            if text == closing and not depth:
                end = k
                break
            depth += (text == "‖<") - (text == ">‖")
        if not end:
            raise FormulaError("this ‖ is never closed", at)
        inside = type(self)(self.text, self.vocabulary, self.tokens[self.at : end]).whole()
        self.at = end + 1
        if self.token.text == "_F" or (self.token.text == "_2" and len(shape_of(inside)) < 2):
            self.at += 1
        return ops.sqrt(ops.sum(ar.multiply(inside, inside)))

    def summed(self, at: int) -> Any:
        """Σ and the whole product behind it: Σ (y - t)^2, Σ t ⊙ ln(p); below a slash one factor."""
        if self.is_sign("^") or (self.token.kind == "name" and self.token.text.startswith("_")):
            raise FormulaError("sums go over all entries of an array: write sum(…)", at)
        x = self.power() if self.below else self.product()
        return self.applied(lambda x: summed_over("", x), x, at=at) if shape_of(x) else x

    def summed_along(self, axes: str, at: int) -> Any:
        """Σ_batch δ and Σ_axis1 z: of the one factor behind it."""
        x = self.power()
        if not shape_of(x):
            raise FormulaError(f"Σ_{axes} is of an array, and this is one number", at)
        if self.begins_factor() or self.is_sign("⊙", "·", "*", "@", "/"):
            raise FormulaError(
                f"Σ_{axes} of several factors: write Σ_{axes} (…) around what is added", at
            )
        return self.applied(lambda x: summed_over(axes, x), x, at=at)

    def listed(self, at: int) -> Any:
        """A vector or a matrix, [1, 2] or [[1, 2], [3, 4]]; or a condition, [a > b]."""
        items: list[Any] = []
        start = self.at
        while not self.is_sign("]"):
            items.append(self.sum())
            if len(items) == 1 and self.token.text in RELATIONS:
                compare = RELATIONS[self.token.text]
                self.at += 1
                held = compare(items[0], self.sum())
                self.take("]")
                return held if isinstance(held, Traced) else np.multiply(held, 1.0)
            if self.is_sign(","):
                self.at += 1
            elif not self.is_sign("]"):
                self.take(",")
        self.take("]")
        inside = self.tokens[start : self.at]
        if len(items) == 1 and not shape_of(items[0]) and any(t.kind == "name" for t in inside):
            raise FormulaError("[…] is a vector or a condition: a product is written (…)", at)
        if len({shape_of(x) for x in items}) > 1:
            raise FormulaError("the rows of this matrix have different lengths", at)
        if any(isinstance(x, Traced) for x in items):
            if any(x.__class__.__name__ == "Value" for x in items):
                raise FormulaError("entries of an array are numbers here", at)
            return self.applied(ops.stack, items, at=at)
        return np.array(items, dtype=float)

    def indexed(self, base: Any, at: int) -> Any:
        self.take("[")
        index: list[Any] = []
        while not self.is_sign("]"):
            parts: list[Any] = [None]
            while not self.is_sign(",", "]"):
                if self.is_sign(":"):
                    parts.append(None)
                    self.at += 1
                elif self.is_sign("[") and parts == [None] and self.ahead().text != "]":
                    parts[-1] = self.several("[", "]", self.position)
                else:
                    parts[-1] = self.position()
            index.append(parts[0] if len(parts) == 1 else slice(*parts))
            if self.is_sign(","):
                self.at += 1
        self.take("]")
        try:
            return base[tuple(index)]
        except IndexError:
            raise FormulaError(
                f"there is no such entry in an array of shape {shape_of(base)}", at
            ) from None

    def position(self) -> int:
        negative = self.leading_sign()
        if self.token.kind != "number" or not self.token.text.isdigit():
            raise FormulaError("an index is a whole number", self.token.position)
        self.at += 1
        return int(self.tokens[self.at - 1].text) * (-1 if negative else 1)
