"""The compiler: traces a function, simplifies what it does, and writes NumPy source."""

from chainrule.compiler.compiled import Compiled, compile  # noqa: A004

__all__ = ["Compiled", "compile"]
