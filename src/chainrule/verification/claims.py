"""What somebody asserts: a formula, a number with its printed digits, an array."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.traced import Traced, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

#: A number as people print it: 0.05706, -3.97e-4, 3.97·10^-4, 1/3 is none.
_NUMBER = re.compile(
    r"\s*(?P<sign>[-+−–]?)\s*(?P<digits>\d[\d_]*\.?\d*|\.\d+)"
    r"(?:[eE](?P<e>[-+−]?\d+)|\s*[·×*x]\s*10\s*(?:\^|\*\*)?\s*[{(]?(?P<ten>[-+−]?\d+|[⁻⁰¹²³⁴-⁹]+)[})]?)?\s*"
)
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
#: A float has no larger exponent.
MOST_EXPONENT = 300
#: NumPy's arrays have no more axes.
MOST_AXES = 64
#: An array that was computed is trusted to so many bits less than its precision.
GUARD_BITS = 10
#: Of half precision that would leave nothing.
SHORT = 2.0**-20
#: The unit of rounding of a precision that NumPy does not have.
BFLOAT16 = 2.0**-8


@dataclass(frozen=True)
class Rounding:
    """A rounding to decimals ("4dp") or significant digits ("4sf")."""

    count: int
    decimals: bool

    @classmethod
    def of(cls, spec: str | None) -> Rounding | None:
        """The rounding that a text asks for; None for "exact".

        Raises:
            ValueError: for anything but "exact", "4dp" or "4sf".
        """
        if spec is None or spec == "exact":
            return None
        match = re.fullmatch(r"(\d+)\s*(dp|sf)", str(spec))
        if match is None or (match[2] == "sf" and int(match[1]) < 1):
            raise ValueError(
                f'rounding={spec!r}: use "exact", "4dp" for 4 decimals or "4sf" for 4 significant'
                f" digits"
            )
        return cls(int(match[1]), match[2] == "dp")

    def half_unit(self, x: Any) -> Any:
        """Half of the last digit kept, for each entry."""
        if self.decimals:
            return np.full(np.shape(x), 0.5 * 10.0**-self.count)
        with np.errstate(divide="ignore", invalid="ignore"):
            exponent = np.floor(np.log10(np.abs(np.asarray(x, float))))
        unit = 10.0 ** (exponent - self.count + 1)
        return np.where(np.isfinite(unit), 0.5 * unit, 0.0)

    def __str__(self) -> str:
        kind = "decimals" if self.decimals else "significant digits"
        return f"{self.count} {kind}"


@dataclass(frozen=True)
class Numbers:
    """Claimed numbers.

    Attributes:
        value: an array, of shape () for one number.
        half_unit: half of the last printed digit, for each entry; 0 where nothing was rounded.
        text: as it was given.
        printed: whether the digits were given as text.
        whole: where text had no decimal point: such a number may be exact.
        rounded: whether a number that was given as such is said to be rounded.
    """

    value: np.ndarray
    half_unit: np.ndarray
    text: str
    printed: bool = False
    whole: Any = False
    rounded: bool = False

    def reshaped(self, shape: tuple[int, ...]) -> Numbers:
        """The same entries in another shape."""
        value, half, whole = (
            np.reshape(np.broadcast_to(x, self.value.shape), shape)
            for x in (self.value, self.half_unit, self.whole)
        )
        return replace(self, value=value, half_unit=half, whole=whole)

    @property
    def known_to(self) -> np.ndarray:
        """How exactly each entry is known where it is used further: a whole number is meant so."""
        return np.where(self.whole, 0.0, self.half_unit)


def printed_number(text: str) -> Numbers | None:
    """A number given as text, with the size of its last digit; None if it is no number.

    >>> given = printed_number("0.0510")
    >>> float(given.value), float(given.half_unit)
    (0.051, 5e-05)
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    digits = match["digits"].replace("_", "")
    exponent = int((match["e"] or match["ten"] or "0").translate(_RAISED))
    if abs(exponent) > MOST_EXPONENT:
        return None
    number = Decimal(digits).scaleb(exponent)
    if match["sign"] in {"-", "−", "–"}:
        number = -number
    places = len(digits.partition(".")[2])
    half = 0.5 * 10.0 ** (exponent - places)
    whole = "." not in digits and exponent == 0
    return Numbers(np.array(float(number)), np.array(half), text.strip(), True, np.array(whole))


def printed_numbers(given: Any) -> Numbers | None:
    """Numbers given as text: one, a list of texts, or a text with brackets, "[[0.1, 0.2], …]"."""
    if isinstance(given, str) and ";" in given:
        return None  # rows are written [[1, 2], [3, 4]]
    if isinstance(given, str) and "[" in given:
        inside = _nested(given.strip())
        return None if inside is None else printed_numbers(inside)
    if isinstance(given, str):
        return printed_number(given)
    if not isinstance(given, list | tuple) or not given:
        return None
    parts = [printed_numbers(item) for item in given]
    if any(part is None for part in parts):
        return None
    known = [part for part in parts if part is not None]
    if len({part.value.shape for part in known}) > 1:
        raise ValueError("the rows of the claimed matrix have different lengths")
    return Numbers(
        np.array([part.value for part in known]),
        np.array([part.half_unit for part in known]),
        "[" + ", ".join(part.text for part in known) + "]",
        True,
        np.array([part.whole for part in known]),
    )


def _nested(text: str) -> Any:
    """The lists of a text with brackets; None where they do not match."""
    stack: list[list[Any]] = [[]]
    for piece in re.findall(r"\[|\]|[^\[\],;]+", text):
        if piece == "[":
            stack.append([])
            if len(stack) > MOST_AXES:
                return None
        elif piece == "]":
            if len(stack) < 2:
                return None
            done = stack.pop()
            stack[-1].append(done)
        elif piece.strip():
            stack[-1].append(piece.strip())
    return stack[0][0] if len(stack) == 1 and len(stack[0]) == 1 else None


def computed_numbers(given: Any, rounding: Rounding | None) -> Numbers:
    """Numbers given as such: a float, an array, another framework's tensor.

    Raises:
        TypeError: for what is no real numbers.
    """
    array = as_numbers(given)
    if rounding is not None:
        half = rounding.half_unit(array)
    else:
        half = np.where(np.isfinite(array), unit_of(given) * np.abs(array), 0.0)
    return Numbers(array, np.asarray(half), number_text(array), rounded=rounding is not None)


def unit_of(x: Any) -> float:
    """The unit of rounding of an array: half the distance from 1 to the next number."""
    dtype = str(getattr(x, "dtype", "")).removeprefix("torch.")
    return {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": BFLOAT16}.get(dtype, 2.0**-53)


def guarded(unit: float) -> float:
    """The relative error that an array may have that was computed in some precision."""
    return unit * (2**GUARD_BITS if unit < SHORT else 16)


def as_numbers(given: Any) -> np.ndarray:
    """An array of floats of whatever holds numbers.

    Raises:
        TypeError: for what does not.
    """
    if isinstance(given, Traced):
        given = plain(given)
    if given is None:
        raise TypeError("None was claimed: where a .grad is None backward() has not been run")
    detach = getattr(given, "detach", None)  # a tensor of PyTorch that requires a gradient
    if callable(detach):
        given = detach()
        given = given.cpu() if hasattr(given, "cpu") else given
        if getattr(given, "is_sparse", False):
            given = given.to_dense()
        if unit_of(given) == BFLOAT16:  # NumPy has none
            given = given.double()
    try:
        array = np.asarray(given)
        return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"a claim is a formula, a number, an array or a function, got {type(given).__name__}"
        ) from None


def number_text(x: Any, digits: int = 6) -> str:
    """A number, or a small array, in so many significant digits."""
    data = np.asarray(x)
    if data.dtype.kind == "c":
        return np.array2string(data, precision=digits)
    if not data.ndim:
        return short(float(data), digits)
    if data.size > 12:
        return f"array of shape {str(data.shape).replace(' ', '')}"
    return np.array2string(
        data, separator=", ", formatter={"float_kind": lambda e: short(float(e), digits)}
    ).replace("\n", "")


def index_text(index: Iterable[int]) -> str:
    """An index as it is written, [1, 2]."""
    return f"[{', '.join(map(str, index))}]"


def short(x: float, digits: int = 6) -> str:
    """A number in so many significant digits, without padding."""
    if not math.isfinite(x):
        return repr(x)
    text = f"{x:.{digits}g}"
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if e else "0" if mantissa == "-0" else mantissa
