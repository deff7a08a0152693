"""What a derivation consists of, and how it becomes text, LaTeX, Markdown and HTML."""

from __future__ import annotations

import html
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

from chainrule.formulas.styles import LATEX, MATHML, TEXT, Style
from chainrule.formulas.writing import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Block = Any


class Equation(NamedTuple):
    """`left = row = row …`; each row may hold several formulas that are equal.

    A `title` stands above, then the rows are indented under it. An `aside` stands at the end of
    the first row, such as a shape.
    """

    left: Any
    rows: Sequence[Sequence[Any]]
    title: Sequence[Any] = ()
    aside: str = ""


class Table(NamedTuple):
    """Columns under headings."""

    headings: Sequence[str]
    rows: Sequence[Sequence[Any]]


class Note(NamedTuple):
    """A sentence."""

    text: str


class Heading(NamedTuple):
    """A line above what follows."""

    text: str


# ------------------------------------------------------------------ plain text


def to_text(blocks: Iterable[Block]) -> str:
    """For a terminal."""
    parts: list[str] = []
    before = None
    for block in blocks:
        lines = _TEXT[type(block)](block)
        apart = before is not None and {before, type(block)} & {Heading, Table}
        parts += ["", *lines] if apart else lines
        before = type(block)
    return "\n".join(line.rstrip() for line in parts)


def _chained(formulas: Sequence[Any], style: Style = TEXT) -> str:
    texts = [written(formula, style) for formula in formulas]
    return style.sign(" = ").join(texts) if style is not TEXT else " = ".join(texts)


def _equation_text(block: Equation) -> list[str]:
    lines = []
    indent = ""
    if block.title:
        lines.append("  " + "".join(written(part) for part in block.title))
        indent = "    "
    left = "" if block.left is None else written(block.left)
    start = f"{indent}{left} " if left else indent
    aside = f"   {block.aside}" if block.aside else ""
    for row in block.rows:
        lines.append(f"{start}= {_chained(row)}{aside}")
        start, aside = " " * len(start), ""
    return lines


def _table_text(block: Table) -> list[str]:
    cells = [list(block.headings), *[[_cell(cell, TEXT) for cell in row] for row in block.rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(block.headings))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    ]
    return [lines[0], "  ".join("─" * width for width in widths), *lines[1:]]


def _cell(cell: Any, style: Style) -> str:
    if isinstance(cell, tuple) and type(cell) is tuple:
        return _chained(cell, style)
    return written(cell, style)


_TEXT: dict[type, Any] = {
    Equation: _equation_text,
    Table: _table_text,
    Note: lambda block: textwrap.wrap(block.text, 100, break_long_words=False),
    Heading: lambda block: [block.text],
}


# ------------------------------------------------------------------ LaTeX


def to_latex(blocks: Iterable[Block]) -> str:
    """One `aligned` environment, to stand between `$$`; KaTeX and MathJax read it too."""
    lines = [line for block in blocks for line in _LATEX[type(block)](block)]
    body = " \\\\\n".join(lines)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def _equation_latex(block: Equation) -> list[str]:
    lines = []
    quad = ""
    if block.title:
        lines.append("& " + "".join(written(part, LATEX) for part in block.title))
        quad = r"\quad "
    left = "" if block.left is None else written(block.left, LATEX)
    aside = rf" \qquad {LATEX.words(block.aside)}" if block.aside else ""
    for row in block.rows:
        lines.append(f"{left} & {quad}= {_chained(row, LATEX)}{aside}")
        left = aside = ""
    return lines


def _table_latex(block: Table) -> list[str]:
    head = " & ".join(LATEX.words(text) for text in block.headings)
    rows = [" & ".join(_cell(cell, LATEX) for cell in row) for row in block.rows]
    body = " \\\\\n".join([head + r" \\ \hline", *rows]).replace(r"\hline \\", r"\hline")
    return [f"& \\begin{{array}}{{{'l' * len(block.headings)}}}\n{body}\n\\end{{array}}"]


def _sentence_latex(block: Note | Heading) -> list[str]:
    return [f"& {LATEX.words(line)}" for line in textwrap.wrap(block.text, 80)]


_LATEX: dict[type, Any] = {
    Equation: _equation_latex,
    Table: _table_latex,
    Note: _sentence_latex,
    Heading: _sentence_latex,
}


# ------------------------------------------------------------------ Markdown


def to_markdown(blocks: Iterable[Block]) -> str:
    """Sentences as Markdown, formulas as `$$…$$`, tables as tables."""
    parts: list[str] = []
    formulas: list[Block] = []

    def flush() -> None:
        if formulas:
            parts.append(f"$$\n{to_latex(formulas)}\n$$")
            formulas.clear()

    for block in blocks:
        if isinstance(block, Equation):
            formulas.append(block)
            continue
        flush()
        if isinstance(block, Table):
            rows = [
                [f"${_cell(cell, LATEX)}$".replace("|", r"\vert ") for cell in row]
                for row in block.rows
            ]
            rule = ["---"] * len(block.headings)
            table = [block.headings, rule, *rows]
            parts.append("\n".join(f"| {' | '.join(row)} |" for row in table))
        else:
            text = _escaped_markdown(block.text)
            parts.append(f"**{text}**" if isinstance(block, Heading) else text)
    flush()
    return "\n\n".join(parts)


def _escaped_markdown(text: str) -> str:
    return "".join("\\" + c if c in "\\`*_[]<>|$" else c for c in text)


# ------------------------------------------------------------------ HTML

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem;
  padding: 0 1rem; }}
.scroll {{ overflow-x: auto; }}
table.equation td {{ padding: .2rem .3rem; vertical-align: middle; white-space: nowrap; }}
table.equation td.left {{ text-align: right; }}
table.equation.titled {{ margin-left: 2rem; }}
table.trace {{ border-collapse: collapse; }}
table.trace th, table.trace td {{ border-bottom: 1px solid #8888; padding: .4rem .8rem;
  text-align: left; white-space: nowrap; }}
.aside {{ padding-left: 2rem; opacity: .7; }}
math {{ font-size: 1.1em; padding-top: .2em; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def to_html(blocks: Iterable[Block], title: str) -> str:
    """A page of its own: MathML, no script, no request to anywhere."""
    body = "\n".join(_HTML[type(block)](block) for block in blocks)
    return _PAGE.format(title=html.escape(title), body=body)


def _math(inside: str) -> str:
    return f'<math displaystyle="true">{inside}</math>'


def _equation_html(block: Equation) -> str:
    title = ""
    if block.title:
        title = f"<p>{_math(MATHML.row([written(part, MATHML) for part in block.title]))}</p>\n"
    left = "" if block.left is None else _math(written(block.left, MATHML))
    rows = []
    aside = f'<span class="aside">{html.escape(block.aside)}</span>' if block.aside else ""
    for row in block.rows:
        chained = _math(MATHML.row([_chained(row, MATHML)]))
        rows.append(f'<tr><td class="left">{left}</td><td>=</td><td>{chained}{aside}</td></tr>')
        left = aside = ""
    kind = "equation titled" if block.title else "equation"
    return (
        f'{title}<div class="scroll"><table class="{kind}">\n'
        + "\n".join(rows)
        + ("\n</table></div>")
    )


def _table_html(block: Table) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text in block.headings)
    rows = [
        "<tr>" + "".join(f"<td>{_math(_cell(cell, MATHML))}</td>" for cell in row) + "</tr>"
        for row in block.rows
    ]
    return (
        f'<div class="scroll"><table class="trace">\n<tr>{head}</tr>\n'
        + "\n".join(rows)
        + "\n</table></div>"
    )


_HTML: dict[type, Any] = {
    Equation: _equation_html,
    Table: _table_html,
    Note: lambda block: f"<p>{html.escape(block.text)}</p>",
    Heading: lambda block: f"<h2>{html.escape(block.text)}</h2>",
}
