"""The steps of a computation as an animation: WebP, GIF or APNG."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.pictures.drawing.svg import draw, footer_width
from chainrule.pictures.output.raster import UNITS_PER_INCH, needed, to_png
from chainrule.pictures.scene import Footer, Row, gradient_part, tone_of

if TYPE_CHECKING:
    from chainrule.pictures.picture import Picture
    from chainrule.pictures.scene import Box, Scene

#: Extension -> what Pillow calls it, and its options.
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".webp": ("WEBP", {"lossless": True, "method": 4}),
    ".gif": ("GIF", {"disposal": 1}),
    ".apng": ("PNG", {"default_image": False}),
}
SECONDS, LAST = 1.0, 2.5
#: An animation of more steps is a film, one of more pixels does not play.
MOST_STEPS, MOST_PIXELS = 400, 1600


def animation(picture: Picture, path: str | Path, seconds: float) -> bytes:
    """All steps, one after the other."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        *most, last = FORMATS
        raise ValueError(
            f"cannot animate to {Path(path).name!r}: its extension should be {', '.join(most)} or"
            f" {last}"
        )
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 60:
        raise ValueError(f"seconds={seconds!r}: how long a step is seen, above 0")
    image = needed("PIL.Image", "animations need Pillow", "pictures", "write an .html")
    steps = picture.steps.steps
    if len(steps) > MOST_STEPS:
        raise ValueError(
            f"{len(steps)} steps are too many for an animation (limit {MOST_STEPS}): show a part"
            f" with around=, or fewer boxes with depth= or max_nodes="
        )
    wide = max(footer_width(step.text) for step in steps)
    pixels = max(wide, picture.layout.width) / UNITS_PER_INCH
    dpi = min(picture.options.dpi, MOST_PIXELS / pixels)
    frames = []
    for k in range(len(steps)):
        scene = at_step(picture, k)
        svg = draw(scene, picture.layout, picture.still_theme, fades=False, wide=wide).svg
        frames.append(image.open(io.BytesIO(to_png(svg, dpi))).convert("RGB"))
    name, more = FORMATS[suffix]
    durations = [*[round(1000 * seconds)] * (len(frames) - 1), round(1000 * seconds * LAST)]
    out = io.BytesIO()
    frames[0].save(
        out, name, save_all=True, append_images=frames[1:], duration=durations, loop=0, **more
    )
    return out.getvalue()


def at_step(picture: Picture, k: int) -> Scene:
    """The scene as it is at a step: what is not known yet is blank."""
    steps = picture.steps
    boxes = tuple(_box_at(picture, i, box, k) for i, box in enumerate(picture.scene.boxes))
    step = steps.steps[k]
    lit = (frozenset(step.boxes), frozenset(step.edges))
    return replace(picture.scene, boxes=boxes, footer=Footer(step.text), lit=lit)


def _box_at(picture: Picture, i: int, box: Box, k: int) -> Box:
    steps = picture.steps
    gradients = tuple(gradient_part(box.rows))
    values = box.rows[: len(box.rows) - len(gradients)]
    if steps.value[i] > k:
        values = tuple(Row(row.word, "") for row in values)
    if i in steps.grads and gradients:
        known = [texts for when, texts in steps.grads[i] if when <= k]
        texts = known[-1] if known else ("·", *[""] * (len(gradients) - 1))
        single = len(gradients) == 1
        gradients = tuple(
            Row(row.word, text, tone_of(text) if single else "")
            for row, text in zip(gradients, texts, strict=True)
        )
    elif steps.late.get(i, 0) > k:
        gradients = tuple(Row(row.word, "") for row in gradients)
    return box._replace(rows=(*values, *gradients))
