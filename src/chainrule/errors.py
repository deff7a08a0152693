"""The two errors that keep a gradient from being silently wrong."""


class ChangedDataError(RuntimeError):
    """Data that a pending backward still needs was changed after it was recorded."""


class RuleError(TypeError):
    """The rule of an op returned a cotangent of the wrong shape, dtype or number."""
