"""SVG to PNG by resvg and to PDF by typst, optional dependencies."""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import Any

from chainrule.pictures.drawing.letters import FONTS, lacking

#: Units of an SVG to the inch.
UNITS_PER_INCH = 96.0
#: More pixels than this most programs refuse to open.
MOST_PIXELS = 100e6
#: A page as large as the picture.
_PAGE = (
    "#set page(width: auto, height: auto, margin: 0pt, fill: none)\n"
    '#image(bytes(sys.inputs.svg), format: "svg")\n'
)


def can_write_png() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec("resvg_py") is not None


def to_png(svg: str, dpi: float = 192.0) -> bytes:
    """A PNG of the picture.

    Raises:
        ModuleNotFoundError: without resvg-py, with the install command.
    """
    resvg = needed("resvg_py", "PNG pictures need resvg-py", "pictures", "write an .svg")
    wide, high = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0])
    pixels = wide * high * (dpi / UNITS_PER_INCH) ** 2
    if pixels > MOST_PIXELS:
        fits = int(dpi * (MOST_PIXELS / pixels) ** 0.5)
        raise ValueError(
            f"a PNG of {pixels / 1e6:,.0f} megapixels: use dpi={fits} or less, or write an .svg"
        )
    files = [str(path) for path in sorted(FONTS.glob("*.ttf"))]
    png = resvg.svg_to_bytes(
        svg_string=svg,
        zoom=dpi / UNITS_PER_INCH,
        font_files=files,
        skip_system_fonts=not lacking(svg),  # they have what the bundled font has not
    )
    return bytes(png)


def to_pdf(svg: str) -> bytes:
    """A PDF page as large as the picture, with text that can be searched.

    Raises:
        ModuleNotFoundError: without typst, with the install command.
    """
    typst = needed("typst", "PDF pictures need typst", "pdf", "write an .svg")
    pdf = typst.compile(
        _PAGE.encode(), format="pdf", font_paths=[str(FONTS)], ignore_system_fonts=not lacking(svg),
        sys_inputs={"svg": svg},
    )  # fmt: skip
    return bytes(pdf)


def needed(module: str, what: str, extra: str, way_out: str) -> Any:
    """An optional dependency.

    Raises:
        ModuleNotFoundError: without it, with the install command.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{what}: pip install 'chainrule[{extra}]', or {way_out}"
        ) from None
