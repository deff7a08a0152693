"""Numbers as they are printed."""

from __future__ import annotations

from typing import Any


def number(x: Any, digits: int) -> str:
    """A number to so many significant digits: 0.05707, 1.2e-7, nan."""
    text = f"{float(x):.{digits}g}"
    mantissa, e, exponent = text.partition("e")
    if mantissa == "-0":
        mantissa = "0"
    return f"{mantissa}e{int(exponent)}" if e else mantissa
