"""Names and functions in a formula that a person wrote."""

from __future__ import annotations

import difflib
import math
import re
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import ops
from chainrule.errors import FormulaError, UndefinedError
from chainrule.formulas.latex import Latex, is_latex
from chainrule.formulas.tokens import Token, plain_tokens
from chainrule.formulas.vocabulary import adjoint_of
from chainrule.ops import arithmetic as ar
from chainrule.ops.base import shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.formulas.vocabulary import Vocabulary

_CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e}
_SUMS = {"Σ", "sum", "Sigma"}
#: A sum over some axes, as derivations print it.
_SUM_OVER = re.compile(r"Σ_(batch|axis\d|axes\d(?:_\d)+)")


def tokens_of(text: str) -> list[Token]:
    """The tokens of a formula, in plain text or LaTeX."""
    try:
        return list(Latex(text).tokens() if is_latex(text) else plain_tokens(text))
    except RecursionError:
        raise FormulaError("brackets are nested too deeply", 0) from None


class Names:
    """The walk over the tokens, and the names and functions met on it.

    What they stand in, sums and products, is the business of the subclass.
    """

    def __init__(
        self, text: str, vocabulary: Vocabulary, tokens: Sequence[Token] | None = None
    ) -> None:
        self.text = text
        self.tokens = [*(tokens_of(text) if tokens is None else tokens)]
        self.tokens.append(Token("end", "", len(text)))
        self.vocabulary = vocabulary
        self.at = 0
        self.bars = self.depth = self.below = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def ahead(self, count: int = 1) -> Token:
        return self.tokens[min(self.at + count, len(self.tokens) - 1)]

    def is_sign(self, *signs: str) -> bool:
        return self.token.kind == "sign" and self.token.text in signs

    def take(self, sign: str) -> None:
        if not self.is_sign(sign):
            found = self.token.text or "the end"
            raise FormulaError(f"'{sign}' expected, found {found}", self.token.position)
        self.at += 1

    def applied(self, op: Any, *inputs: Any, at: int, **params: Any) -> Any:
        """An op on values, with the place in the formula where it fails."""
        try:
            return op(*inputs, **params)
        except (TypeError, ValueError, ArithmeticError, IndexError) as problem:
            if isinstance(problem, FormulaError):
                raise
            shapes = [shape_of(x) for x in inputs if not isinstance(x, list)]
            name = getattr(op, "name", "this")
            if any(shapes):
                listed = " and ".join(str(s).replace(" ", "") for s in shapes)
                raise FormulaError(f"{name} does not go with the shapes {listed}", at) from None
            raise UndefinedError(str(problem), at) from None

    def sum(self) -> Any:
        raise NotImplementedError

    def power(self) -> Any:
        raise NotImplementedError

    def atom(self) -> Any:
        raise NotImplementedError

    def summed(self, at: int) -> Any:
        raise NotImplementedError

    def summed_along(self, axes: str, at: int) -> Any:
        raise NotImplementedError

    def transposed(self, base: Any, at: int) -> Any:
        raise NotImplementedError

    def multiplied(self, sign: str, a: Any, b: Any, at: int) -> Any:
        raise NotImplementedError

    def leading_sign(self) -> bool:
        negative = False
        while self.is_sign("-", "+"):
            negative ^= self.token.text == "-"
            self.at += 1
        return negative

    def begins_factor(self) -> bool:
        if self.token.kind == "number":
            raise FormulaError(
                f"{self.token.text} behind what it multiplies: is a sign or a comma missing?",
                self.token.position,
            )
        if self.token.kind in {"name", "derivative"}:
            return True
        if self.is_sign("[") and self.token.spaced:  # without a space it is an index
            return True
        if self.is_sign("|"):  # inside of bars one opens if it stands off what is before it
            return not self.bars or (self.token.spaced and not self.ahead().spaced)
        return self.is_sign("(", "√", "Σ", "∂", "‖", "|<", "‖<")

    # ---------------------------------------------------------------- names

    def name(self) -> Any:
        token = self.token
        text = token.text
        if self.at and text.startswith("_") and text not in self.vocabulary.names:
            raise FormulaError("an index stands right behind a name: x_k^2", token.position)
        if self.starts_ordinary():
            return self.ordinary()
        self.with_index_or_prime()
        token, text = self.token, self.token.text
        known = self.vocabulary.find(text)
        opens = self.ahead().text == "(" and not self.ahead().spaced
        function = self.vocabulary.functions.get(text)
        if text in _SUMS:
            function = ops.sum
        if function is not None and (known is None or opens):
            if known is not None:
                raise FormulaError(
                    f"'{text}' is a name here and a function: write {text} (…) or {text}·(…) for"
                    f" the product, or rename it",
                    token.position,
                )
            self.at += 1
            return self.function(function, text, token.position)
        parts = [text] if known is not None else []
        if not parts and token.tex:  # in LaTeX letters side by side are a product
            parts = self.vocabulary.product_of_names(text)
        if len(parts) > 1:
            self.tokens[self.at : self.at + 1] = [token._replace(text=part) for part in parts]
            return self.name()
        if parts:
            self.at += 1
            return self.valued(parts[0])
        return self.other(token)

    def with_index_or_prime(self) -> None:
        """Take w[0] and y′ for one name, where they are names of the graph and w and y are not."""
        end = self.at + 1
        if self.tokens[end].text == "[" and not self.tokens[end].spaced:
            while end < len(self.tokens) - 1 and self.tokens[end].text != "]":
                end += 1
            end += 1
        else:
            while self.tokens[end].text == "'":
                end += 1
        pieces = "".join(token.text for token in self.tokens[self.at : end]).replace("'", "′")
        whole = pieces.replace("′′′", "‴").replace("′′", "″")
        if end > self.at + 1 and whole in self.vocabulary.names:
            self.tokens[self.at : end] = [self.token._replace(text=whole)]

    def other(self, token: Token) -> Any:
        """W.T, da2 for ∂E/∂a2, and π and e where they are no names."""
        by = adjoint_of(token.text)
        if by and self.vocabulary.root and self.vocabulary.find(by) is not None:
            self.at += 1
            return self.derivative(self.vocabulary.root, by, token.position)
        base, dot, transposed = token.text.rpartition(".")
        if dot and transposed == "T" and self.vocabulary.find(base) is not None:
            self.at += 1
            return self.transposed(self.valued(base), token.position)
        if token.text in _CONSTANTS:
            self.at += 1
            return _CONSTANTS[token.text]
        if axes := _SUM_OVER.fullmatch(token.text):
            self.at += 1
            return self.summed_along(axes[1], token.position)
        raise self.unknown(token)

    def function(self, function: Any, text: str, at: int) -> Any:
        if self.is_sign("'"):
            self.at += 1
            return self.function_slope(function, text, at)
        if function is ops.sum and (text != "sum" or not self.is_sign("(")):
            return self.summed(at)
        result = self.called(function, text, at)
        if function in {ops.sum, ops.mean} and self.is_sign("^"):
            raise FormulaError(
                f"{text}(…)^ can mean ({text}(…))^ or {text}((…)^): write the brackets",
                self.token.position,
            )
        return result

    def valued(self, text: str) -> Any:
        value = self.vocabulary.names[str(self.vocabulary.find(text))]
        return float(value) if isinstance(value, int | np.bool_) else value

    def unknown(self, token: Token) -> FormulaError:
        text = token.text
        opens = self.ahead().kind == "sign" and self.ahead().text == "("
        if opens and not self.ahead().spaced:
            near = difflib.get_close_matches(text, self.vocabulary.functions, 2, 0.6)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            return FormulaError(
                f"'{text}' is neither a name nor a function: {self.vocabulary.nearest(text)}{hint}",
                token.position,
            )
        parts = self.vocabulary.product_of_names(text)
        hint = f"; a product is written {' '.join(parts)} or {'*'.join(parts)}" if parts else ""
        return FormulaError(
            f"unknown symbol '{text}': {self.vocabulary.nearest(text)}{hint}", token.position
        )

    def starts_ordinary(self) -> bool:
        """Whether dE/da2 begins here: neither dE nor da2 is a name of its own."""
        names = [self.token, self.ahead(), self.ahead(2)]
        if [token.kind for token in names] != ["name", "sign", "name"] or names[1].text != "/":
            return False
        return all(
            token.text.startswith("d")
            and self.vocabulary.find(token.text) is None
            and self.vocabulary.find(token.text[1:]) is not None
            for token in (names[0], names[2])
        )

    def ordinary(self) -> Any:
        """The derivative dE/da2."""
        y, x, at = self.token.text[1:], self.ahead(2).text[1:], self.token.position
        self.at += 3
        return self.derivative(y, x, at)

    def partial(self, at: int) -> Any:
        """∂E/∂a2, of which the first ∂ is read."""
        y, x = self.token, self.ahead(3)
        signs = self.ahead().text, self.ahead(2).text
        if (y.kind, x.kind) != ("name", "name") or signs != ("/", "∂"):
            raise FormulaError("a derivative is written ∂E/∂w", at)
        self.at += 4
        return self.derivative(y.text, x.text, at)

    def derivative(self, y: str, x: str, at: int) -> Any:
        found = [self.vocabulary.find(part) for part in (y, x)]
        for part, known in zip((y, x), found, strict=True):
            if known is None:
                raise FormulaError(
                    f"unknown symbol '{part}' in ∂{y}/∂{x}: {self.vocabulary.nearest(part)}", at
                )
        if self.vocabulary.derivative is None:
            raise FormulaError("a derivative is not allowed in this formula", at)
        return self.vocabulary.derivative(str(found[0]), str(found[1]))

    # ---------------------------------------------------------------- functions

    def called(self, function: Any, text: str, at: int) -> Any:
        """A function of what stands in brackets, or of the one factor behind it: sin x, log a."""
        if self.is_sign("^"):  # sin^2 x
            self.at += 1
            if self.leading_sign() or self.tokens[self.at + 1].text == "-":
                raise FormulaError(
                    f"{text}^-1 can mean the inverse function or 1/{text}: write arc{text} or"
                    f" 1/{text}(…)",
                    at,
                )
            exponent = self.power()
            return self.applied(ar.power, self.called(function, text, at), exponent, at=at)
        if not self.is_sign("("):
            argument = self.argument(text)
            another = self.token.kind == "name" and self.token.text in self.vocabulary.functions
            if self.token.kind in {"name", "number"} and not another:
                raise FormulaError(
                    f"{text} of several factors: write {text}(…) around what it is taken of", at
                )
            return self.applied(function, argument, at=at)
        arguments, params = self.arguments(function, text)
        if function in {ops.max, ops.min} and len(arguments) > 1:
            of_two = ops.maximum if function is ops.max else ops.minimum
            return reduce(lambda a, b: self.applied(of_two, a, b, at=at), arguments)
        if function is ops.sum and len(arguments) == 1 and not shape_of(arguments[0]):
            return arguments[0]
        return self.applied(function, *arguments, at=at, **params)

    def argument(self, text: str) -> Any:
        """What a function without brackets is taken of: sin x, ln 2, sin 2x."""
        at = self.token.position
        if self.token.kind == "number":
            end = at + len(self.token.text)
            times = self.atom()
            touches = self.token.position == end or (self.token.tex and self.token.kind == "name")
            if touches and self.is_sign("(", "√", "|", "‖"):
                raise FormulaError(
                    f"{text} of several factors: write {text}(…) around what it is taken of", at
                )
            if self.token.kind != "name" or not touches:
                return times
            return self.applied(ar.multiply, times, self.power(), at=at)
        if not self.begins_factor():
            raise FormulaError(f"what {text} is taken of is missing", at)
        return self.power()

    def arguments(self, function: Any, text: str) -> tuple[list[Any], dict[str, Any]]:
        """What stands in the brackets of a call."""
        self.take("(")
        arguments: list[Any] = []
        params: dict[str, Any] = {}
        bars, self.bars = self.bars, 0
        while not self.is_sign(")"):
            if getattr(function, "sequence", False) and not arguments and self.is_sign("["):
                arguments.append(self.several("[", "]", self.sum))
            elif self.token.kind == "name" and self.ahead().text == "=":
                key = self.token.text
                if key not in getattr(function, "params", ()):
                    raise FormulaError(f"{text} takes no {key}=", self.token.position)
                self.at += 2
                params[key] = self.literal()
            else:
                arguments.append(self.sum())
            if self.is_sign(","):
                self.at += 1
            elif not self.is_sign(")"):
                self.take(")")
        self.bars = bars
        self.take(")")
        return arguments, params

    def several(self, opening: str, closing: str, item: Any) -> list[Any]:
        """What stands between brackets, with commas; one behind the last may be there."""
        self.take(opening)
        items = []
        while not self.is_sign(closing):
            items.append(item())
            if not self.is_sign(closing):
                self.take(",")
        self.take(closing)
        return items

    def literal(self) -> Any:
        """A static argument: True, a whole number, or (2, 3)."""
        if self.is_sign("("):
            return tuple(self.several("(", ")", self.literal))
        token = self.token
        negative = self.leading_sign()
        self.at += 1
        text = self.tokens[self.at - 1].text
        if text in {"True", "False"}:
            return text == "True"
        if not text.isdigit():
            raise FormulaError("a whole number expected", token.position)
        return -int(text) if negative else int(text)

    def function_slope(self, function: Any, text: str, at: int) -> Any:
        """σ'(z): the partial of a function of one number, by its own rule."""
        if (
            not getattr(function, "gives_partials", False)
            or len(function.rules) != 1
            or (function.params)
        ):
            raise FormulaError(f"{text}' is read for functions of one number only", at)
        if not self.is_sign("("):
            raise FormulaError(f"write {text}'(…)", self.token.position)
        x = self.atom()
        y = self.applied(function, x, at=at)
        return function.partial(0, y, [x], {})
