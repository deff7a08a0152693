"""The site: `sphinx-build -W -c docs/site docs site` (extra `docs`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))

import chainrule

project = "chainrule"
author = "The chainrule developers"
copyright = author  # noqa: A001 -- its name
version = release = chainrule.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["site", "*.py", "pictures/README.md"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "chainrule"
html_copy_source = False
#: Worksheets have no lexer.
suppress_warnings = ["misc.highlighting_failure"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_use_ivar = True
napoleon_use_rtype = False


def as_restructured_text(_app, _what, _name, _thing, _options, lines):
    """Docstrings are plain text with `code`: stars and bars mean nothing in them."""
    inside = False
    for i, line in enumerate(lines):
        inside = line.lstrip().startswith((">>>", "...")) or (inside and bool(line.strip()))
        if not inside:
            parts = line.split("`")
            parts[::2] = [part.replace("*", r"\*").replace("|", r"\|") for part in parts[::2]]
            lines[i] = "``".join(parts)


def setup(app):
    """What Sphinx calls first."""
    app.connect("autodoc-process-docstring", as_restructured_text, priority=1)
