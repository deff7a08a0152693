"""The errors of the library: what keeps a gradient, or what is said of it, from being wrong."""


class ChangedDataError(RuntimeError):
    """Data that a pending backward still needs was changed after it was recorded."""


class RuleError(TypeError):
    """The rule of an op returned a cotangent of the wrong shape, dtype or number."""


class FormulaError(ValueError):
    """A text is no formula, or names something that is not in the graph.

    `position` is the place in the text, where it is known.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class DerivationError(RuntimeError):
    """A printed derivation would not give the gradient that backward gives."""
