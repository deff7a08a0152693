"""A SymPy expression as a formula, in the names of functions that formulas have."""

from __future__ import annotations

import math
import sys
from typing import Any

_NAMES = {
    "Abs": "abs", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh",
    "acosh": "arccosh", "atanh": "arctanh", "Max": "max", "Min": "min",
}  # fmt: skip
#: The function that another one is 1/… of.
_INVERSE = {
    "cot": "tan", "sec": "cos", "csc": "sin", "coth": "tanh", "sech": "cosh", "csch": "sinh",
}  # fmt: skip


def is_sympy(given: Any) -> bool:
    """Whether this is a SymPy expression."""
    return hasattr(given, "free_symbols") and type(given).__module__.startswith("sympy")


def sympy_text(given: Any) -> str:
    """A SymPy expression as text; its E is Euler's number, not a name, its sinc is sin(x)/x."""
    sympy = sys.modules["sympy"]
    given = given.xreplace({sympy.E: sympy.Float(math.e)})
    given = given.replace(sympy.sinc, lambda x: sympy.sin(x) / x)
    given = given.replace(sympy.Heaviside, lambda x, *_: sympy.Function("Heaviside")(x))
    return str(_printer(sympy).doprint(given))


def _printer(sympy: Any) -> Any:
    printers = sympy.printing.str

    class Printer(printers.StrPrinter):  # type: ignore[misc,name-defined]
        """Writes functions by the names that formulas have."""

        def _print_Function(self, expr: Any) -> str:  # noqa: N802 -- SymPy's names
            name, inside = expr.func.__name__, self.stringify(expr.args, ", ")
            if name == "Heaviside":
                return f"[{inside} > 0]"
            if name in _INVERSE:
                return f"(1/{_INVERSE[name]}({inside}))"
            return f"{_NAMES.get(name, name)}({inside})"

        _print_Abs = _print_Max = _print_Min = _print_Function  # noqa: N815

        def _print_Relational(self, expr: Any) -> str:  # noqa: N802
            sign = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥"}.get(expr.rel_op, expr.rel_op)
            return f"[{self._print(expr.lhs)} {sign} {self._print(expr.rhs)}]"

        def _print_Piecewise(self, expr: Any) -> str:  # noqa: N802
            terms, left = [], ""
            for value, condition in expr.args:
                here = "" if condition is sympy.true else f"·{self._print(condition)}"
                terms.append(f"({self._print(value)}){here}{left}")
                left += f"·(1 - {self._print(condition)})" if here else ""
            return f"({' + '.join(terms)})"

    return Printer()
