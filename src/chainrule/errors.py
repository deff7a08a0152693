"""The errors of the library: what keeps a gradient, or what is said of it, from being wrong."""

from __future__ import annotations

from typing import Any


class ChangedDataError(RuntimeError):
    """Data that a pending backward still needs was changed after it was recorded."""

    @classmethod
    def of(cls, node: Any, position: int) -> ChangedDataError:
        """The error for an input of a node."""
        label = getattr(node.inputs[position], "label", None)
        return cls(
            f"the data of {f'{label!r}' if label else f'input {position}'} was changed after"
            f" {node.describe()}, whose derivative needs it: run the forward pass again, or call"
            f" backward() before changing data"
        )


class RuleError(TypeError):
    """The rule of an op returned a cotangent of the wrong shape, dtype or number."""


class FormulaError(ValueError):
    """A text is no formula, or names something that is not in the graph.

    Attributes:
        why: what is wrong.
        text, position: the formula and the place in it, where they are known; then the message
            shows them with a caret.
    """

    def __init__(self, why: str, position: int | None = None, text: str = "") -> None:
        super().__init__(why)
        self.why, self.position, self.text = why, position, text

    def __str__(self) -> str:
        if not self.text or self.position is None:
            return self.why
        return f"{self.why}\n  {self.text}\n  {' ' * self.position}^"


class UndefinedError(FormulaError):
    """A formula that can be read, but has no value at these numbers: the root of -1."""


class DerivationError(RuntimeError):
    """A printed derivation would not give the gradient that backward gives."""


class CompileError(TypeError):
    """A function does something that a compiled one could not do anew in every call."""
