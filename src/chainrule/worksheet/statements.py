"""The statements of a worksheet: what each line says, before anything is computed."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from chainrule.errors import FormulaError
from chainrule.formulas.latex import is_latex
from chainrule.formulas.named import tokens_of
from chainrule.verification.claims import Rounding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RATE = re.compile(r"\bwith\s+(?:a\s+)?(?:learning\s+)?rate\s*=?\s*(?P<rate>[-+\d.eE]+)\)?\s*$")
_DIRECTIVE = re.compile(r"(?P<word>rate|rounding|resolution)\s+(?P<value>[^=≈\s]+)\s*")
_ABOUT = r"≈|≐|~=|~|\\approx\b|\\doteq\b"
_RELATION = re.compile(rf"(?P<about>{_ABOUT})|:=|(?<![<>!=:])=(?!=)")
_INDEX = r"(?:\[[-\d\s,]+\])?"
_NAME = re.compile(rf"\s*(?P<name>`[^`]+`|[^\W\d]\w*){_INDEX}\s*")
#: What may begin a statement: where a bracket was left open, the next line does.
_BEGINS = re.compile(rf"\s*(?:`[^`]+`|[^\W\d][^\s=≈()]*){_INDEX}\s*(?:{_ABOUT}|:=|=(?!=))")
_DIFFERENTIAL = re.compile(
    rf"\s*(?:d|∂|\\partial)\s*[^/\s]+\s*/\s*(?:d|∂|\\partial)\s*[^/\s\[\]]+{_INDEX}\s*|\s*\\d?frac\s*\{{.*\}}\s*"
)
_PRIMED = re.compile(rf"\s*[^\W\d]\w*{_INDEX}\s*(?:'|′|\^\{{?\\prime\}}?){_INDEX}\s*")


def base_name(left: str) -> str:
    """The name that stands left of a sign, without quotes and index."""
    return plain_name(re.sub(rf"(?<=.){_INDEX}\s*$", "", left.strip()))


def plain_name(left: str) -> str:
    """A name as it is kept: w_11 for w_{11} in LaTeX."""
    text = left.strip().strip("`")
    if not is_latex(text):
        return text
    try:
        tokens = tokens_of(text)
    except FormulaError:
        return text
    return tokens[0].text if len(tokens) == 1 and tokens[0].kind == "name" else text


class WorksheetError(ValueError):
    """A worksheet that cannot be read: the message has the line, the column and a caret."""

    def __init__(self, why: str, path: str, source: str, position: int) -> None:
        line, column = line_and_column(source, position)
        text = source.split("\n")[line - 1] if source.strip() else ""
        # Tabs stay tabs, so that the caret stands under its place.
        lead = "".join(c if c == "\t" else " " for c in text[: column - 1])
        super().__init__(f"{path}:{line}:{column}: {why}\n  {text}\n  {lead}^")
        self.why, self.line, self.column = why, line, column


def line_and_column(source: str, position: int) -> tuple[int, int]:
    """Where a position is, both counted from 1."""
    before = source[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1


class Piece(NamedTuple):
    """A part of a statement, and where it begins in the source."""

    text: str
    position: int

    def stripped(self) -> Piece:
        """Without the space around it."""
        lead = len(self.text) - len(self.text.lstrip())
        return Piece(self.text.strip(), self.position + lead)


class Statement(NamedTuple):
    """One statement.

    Attributes:
        kind: "directive", "named" (name = …), or "claim" (a derivative or an updated weight = …).
        left: what stands before the first = or ≈; of a directive its word.
        parts: what stands between the signs that follow; of a directive its value.
        rounded: for each part whether ≈ stands before it.
        rate: the learning rate after `with rate`.
    """

    kind: str
    left: Piece
    parts: tuple[Piece, ...]
    rounded: tuple[bool, ...]
    rate: float | None = None


#: What stands in place of an answer.
OPEN = frozenset({"?", "…", "...", "____"})


class Claimed(NamedTuple):
    """One claim of a worksheet, before it is judged.

    `named` says whether it is about the value of a name, not about a derivative.
    """

    left: Piece
    given: Piece
    line: int
    rate: float | None = None
    named: bool = False

    @property
    def is_question(self) -> bool:
        """Whether the answer is left open: dE/dw = ?"""
        return self.given.text in OPEN


def pieces(source: str, path: str, tell: Callable[[WorksheetError], None]) -> Iterator[Piece]:
    """The statements of a worksheet as they stand there.

    A statement ends with the line or a semicolon, but not inside brackets; `#` begins a comment.
    One whose brackets do not match is told, as an error, and left out.
    """
    depth, start, opened = 0, 0, 0
    i = 0
    text = []  # the statement so far, comments blanked out so that positions stay
    fault: WorksheetError | None = None
    while i <= len(source):
        c = source[i] if i < len(source) else "\n"
        if c == "#":
            end = source.find("\n", i)
            end = len(source) if end < 0 else end
            text.append(" " * (end - i))
            i = end
            continue
        if c in "([{":
            opened = i if not depth else opened
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth < 0:
                fault = fault or WorksheetError(f"this {c} closes nothing", path, source, i)
                depth = 0
        if depth and (i >= len(source) or (c == "\n" and _BEGINS.match(source, i + 1))):
            fault = WorksheetError("this bracket is never closed", path, source, opened)
            depth = 0
        if not depth and (c == "\n" or (c == ";" and source[i - 1 : i] != "\\")):
            statement = Piece("".join(text), start)
            if fault is not None:
                tell(fault)
            elif statement.text.strip():
                yield statement
            text, start, fault = [], i + 1, None
        else:
            text.append(" " if c == "\n" else c)
        i += 1


def statement_of(piece: Piece, source: str, path: str) -> Statement:
    """What a statement says.

    Raises:
        WorksheetError: for what is no statement.
    """
    text, start = piece
    rate = None
    if match := _RATE.search(text):
        rate = _rate(match["rate"], source, path, start + match.start("rate"))
        text = text[: match.start()].rstrip(" \t,(")
    signs = list(_top_level(text))
    if not signs:
        where = piece.stripped().position
        if match := _DIRECTIVE.fullmatch(text.strip()):
            word = Piece(match["word"], where)
            value = Piece(match["value"], where + match.start("value"))
            return Statement("directive", word, (value,), (False,))
        raise WorksheetError(
            "a statement is name = formula, dE/dw = formula, dE/dw ≈ number, or"
            " rounding 4dp, rate 0.4",
            path, source, where,
        )  # fmt: skip
    left = Piece(text[: signs[0].start()], start).stripped()
    ends = [*[sign.start() for sign in signs[1:]], len(text)]
    parts = tuple(
        Piece(text[sign.end() : end], start + sign.end()).stripped()
        for sign, end in zip(signs, ends, strict=True)
    )
    for part in parts:
        if not part.text:
            raise WorksheetError("something is missing here", path, source, part.position - 1)
    rounded = tuple(sign["about"] is not None for sign in signs)
    is_claim = _DIFFERENTIAL.fullmatch(left.text) or _PRIMED.fullmatch(left.text)
    if not is_claim and not _NAME.fullmatch(plain_name(left.text)):
        raise WorksheetError(
            "left of = stands a name, or a derivative such as dE/dw1, or an updated weight such as"
            " w1'",
            path, source, left.position,
        )  # fmt: skip
    return Statement("claim" if is_claim else "named", left, parts, rounded, rate)


def directive(word: str, text: str) -> str | float:
    """What a directive says.

    Raises:
        ValueError: for what it cannot say.
    """
    if word == "rounding":
        Rounding.of(text)
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf or (word == "resolution" and not number):
        raise ValueError(f"{word} takes a positive number")
    return number


def decoded(data: bytes, path: str) -> str:
    """The text of a file.

    Raises:
        WorksheetError: if it is no UTF-8.
    """
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        before = len(data[: problem.start].decode("utf-8"))
        why = f"the file is no UTF-8 text: the byte {data[problem.start]:#04x} stands here"
        raise WorksheetError(why, path, data.decode("utf-8", "replace"), before) from None


def _rate(text: str, source: str, path: str, position: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise WorksheetError(f"{text!r} is no learning rate", path, source, position) from None


def _top_level(text: str) -> Iterator[re.Match[str]]:
    """The = and ≈ that are in no brackets."""
    depth, at = 0, 0
    while at < len(text):
        c = text[at]
        depth += (c in "([{") - (c in ")]}")
        match = _RELATION.match(text, at) if not depth else None
        if match:
            yield match
            at = match.end()
        else:
            at += 1
