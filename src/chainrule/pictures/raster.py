"""SVG to PNG by resvg, an optional dependency."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

#: A subset of DejaVu Sans, so that text appears on a machine without fonts.
FONTS = Path(__file__).parent / "fonts"


def can_write_png() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec("resvg_py") is not None


def to_png(svg: str, zoom: float = 2.0) -> bytes:
    """A PNG of the picture, `zoom` pixels for each unit.

    Raises:
        ModuleNotFoundError: without resvg-py, with the install command.
    """
    try:
        resvg = importlib.import_module("resvg_py")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "PNG pictures need resvg-py: pip install 'chainrule[pictures]', or write an .svg"
        ) from None
    files = [str(path) for path in sorted(FONTS.glob("*.ttf"))]
    png = resvg.svg_to_bytes(svg_string=svg, zoom=zoom, font_files=files, skip_system_fonts=True)
    return bytes(png)
