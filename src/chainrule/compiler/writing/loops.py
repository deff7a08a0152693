"""The loop over the pieces of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.compiler.planning.tiles import Run, is_cut
from chainrule.compiler.tracing.calls import Fixed, Ref
from chainrule.compiler.writing.spelling import INDENT, comment, literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainrule.compiler.tracing.trace import Step
    from chainrule.compiler.writing.source import Writer


def write_run(writer: Writer, run: Run, looks: Callable[[Step], None]) -> None:
    """Write a loop in which every step works on one piece of its arrays."""
    names, body = writer.names, writer.body
    pieces = [names.new("piece") for _ in run.dtypes]
    length = run.shape[0]
    rows = min(run.rows, length)
    for name, dtype in zip(pieces, run.dtypes, strict=True):
        writer.setup.append(
            f"{name} = np.empty({literal((rows, *run.shape[1:]))}, {literal(dtype)})"
        )
    whole = f"({', '.join(pieces)}{',' * (len(pieces) == 1)})"
    tiles, part = names.new("tiles"), names.new("part")
    starts = f"range(0, {length - length % rows}, {rows})"
    writer.setup.append(f"{tiles} = [(slice(i, i + {rows}), {whole}) for i in {starts}]")
    if length % rows:
        short = ", ".join(f"{name}[:{length % rows}]" for name in pieces)
        last = f"slice({length - length % rows}, {length})"
        writer.setup.append(f"{tiles}.append(({last}, ({short}{',' * (len(pieces) == 1)})))")
    outside = dict(writer.called)
    results = _whole_results(writer, run)
    sums = {number: names.new("total") for number in run.sums}
    body += [f"{name} = 0.0" for name in sums.values()]
    start = len(body)
    _cut_operands(writer, run, part)
    for number, name in results.items():
        writer.called[number] = names.new(f"{name}_part")
        body.append(f"{writer.called[number]} = {name}[{part}]")
    writer.called |= {number: pieces[i] for number, i in run.pieces.items()}
    for step in run.steps:
        if step.number in sums:
            text = writer.expression(step)
            body.append(f"{sums[step.number]} += float({text})")
        else:
            body.append(f"{writer.expression(step, writer.called[step.number])}")
            looks(step)
    inside = body[start:]
    del body[start:]
    quiet = [n for n in writer.quiet if n >= start]
    body.append(f"for {part}, {whole} in {tiles}:  # pieces that stay in the cache")
    body += [INDENT + line for line in inside]
    writer.quiet = [n for n in writer.quiet if n < start] + [start, len(body) - 1] * bool(quiet)
    writer.called = outside | results
    writer.pieces_of = {}
    for number, name in sums.items():
        step = next(step for step in run.steps if step.number == number)
        writer.called[number] = names.new("v")
        body.append(f"{writer.called[number]} = np.{step.value.dtype.name}({name})")


def _whole_results(writer: Writer, run: Run) -> dict[int, str]:
    """Results that are needed elsewhere, each in a whole array."""
    results = {}
    for step in run.steps:
        if step.number in run.pieces or step.number in run.sums:
            continue
        if step.number in writer.plan.buffers:
            results[step.number] = writer.buffer_name(step)
        else:
            name = results[step.number] = writer.name(step)
            shape, dtype = literal(step.value.shape), literal(step.value.dtype)
            writer.body.append(f"{name} = np.empty({shape}, {dtype}){comment(step)}")
    return results


def _cut_operands(writer: Writer, run: Run, part: str) -> None:
    """Pieces of the arrays that come from elsewhere."""
    own = run.numbers
    seen: set[Any] = set()
    for step in run.steps:
        for x in step.args:
            if (
                not isinstance(x, Ref | Fixed)
                or x in seen
                or (isinstance(x, Ref) and x.number in own)
            ):
                continue
            seen.add(x)
            value: Any = writer.value(x)
            if isinstance(x, Ref):
                value = writer.trace.steps[x.number].value
            if not np.ndim(value) or not is_cut(value, run.shape):
                continue
            whole = writer.text(x)
            name = writer.names.new(f"{whole}_part")
            writer.body.append(f"{name} = {whole}[{part}]")
            if isinstance(x, Ref):
                writer.called[x.number] = name
            else:
                writer.pieces_of[x.position] = name
