"""Write docs/misconceptions.md: the wrong rules that diagnosis replays.

Run it after declaring one; a test compares the page with the ops.
"""

import re
from pathlib import Path

from chainrule.ops import TABLE
from chainrule.verification.explaining.structure import STRUCTURAL

INTRODUCTION = """# Misconceptions

What learners really write in place of a derivative. `cr.check` replays each of these on the graph
of a wrong gradient ([Checking a derivative](checking.md)). Those of an op stand beside its rule;
`a`, `b` are its inputs, `y` its result. Made by `docs/make_misconceptions.py`.

## Of an op
"""


def page() -> str:
    parts = [INTRODUCTION]
    for name, op in sorted(TABLE.items()):
        if op.misconceptions:
            parts.append(f"**{name}**\n")
            parts += ["- " + m.told({"a": "a", "b": "b", "y": "y"}) for m in op.misconceptions]
            parts.append("")
    parts.append("## Of a graph\n")
    for generate in STRUCTURAL:
        text = re.sub(r"\s+", " ", generate.__doc__ or "").strip()
        parts.append(f"- **{generate.__name__.replace('_', ' ')}**: {text[0].lower()}{text[1:]}")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "misconceptions.md").write_text(page(), encoding="utf-8")
