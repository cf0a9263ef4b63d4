"""What stands beside the boxes in a picture: legend, scale bar, north arrow and scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe.colours import Colour

if TYPE_CHECKING:
    from PIL import Image

    from swathe.drawing.frame import Frame

BACKGROUND = (0, 0, 0, 170)
BAR_SHARE = 0.22  # longest scale bar, share of the picture's width
ROUND_STEPS = (1, 2, 5)
SCORE_SIZE = 12  # pixels, at least


def round_length(longest: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is not above a length.

    Args:
        longest: A length above 0, in any unit.

    Returns:
        A round length in the same unit.
    """
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in ROUND_STEPS if step * power <= longest * (1 + 1e-12))


def length_in_words(length: float, *, on_ground: bool) -> str:
    """Write the length of a scale bar.

    Args:
        length: Metres, or scene pixels.
        on_ground: Whether it is in metres.

    Returns:
        For instance "200 m", "5 km", "20 cm", "100 px".
    """
    if not on_ground:
        return f"{length:g} px"
    if length >= 1000:
        return f"{length / 1000:g} km"
    return f"{length:g} m" if length >= 1 else f"{length * 100:g} cm"


def scale_bar(frame: Frame) -> tuple[float, str]:
    """Choose a scale bar for a picture.

    Args:
        frame: The picture.

    Returns:
        Its length in picture pixels, and the round length that it stands for.
    """
    on_ground = frame.metres is not None
    unit = frame.metres if frame.metres is not None else 1.0 / frame.scale
    length = round_length(max(frame.width * BAR_SHARE, 1.0) * unit)
    return length / unit, length_in_words(length, on_ground=on_ground)


def write_scores(picture: Image.Image, polygons: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]) -> int:
    """Write scores above the topmost corners of boxes, the best first, where no other score stands.

    Args:
        picture: Drawn on.
        polygons: Corners (n, 4, 2) in picture pixels.
        scores: Scores (n,).

    Returns:
        How many there was room for.
    """
    from PIL import ImageDraw, ImageFont

    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size=max(SCORE_SIZE, text_size(picture) * 2 // 3))
    taken = np.zeros((picture.height, picture.width), dtype=np.bool_)
    written = 0
    for number in np.argsort(-scores, kind="stable").tolist():
        x, y = polygons[number][polygons[number][:, 1].argmin()].tolist()
        text, place = f"{scores[number]:.2f}", (x, y - 2)
        left, top, right, bottom = (round(edge) for edge in pen.textbbox(place, text, font=font, anchor="ms"))
        if left < 0 or top < 0 or right > picture.width or bottom > picture.height:
            continue
        if taken[top:bottom, left:right].any():
            continue
        taken[top:bottom, left:right] = True
        pen.text(place, text, font=font, anchor="ms", fill="white", stroke_width=1, stroke_fill="black")
        written += 1
    return written


def write_legend(picture: Image.Image, entries: Sequence[tuple[str, int, Colour]]) -> None:
    """Write classes and counts into the lower left corner.

    Args:
        picture: Drawn on.
        entries: Name, count and colour of each class shown.
    """
    from PIL import ImageDraw, ImageFont

    size = text_size(picture)
    font = ImageFont.load_default(size=size)
    pen = ImageDraw.Draw(picture, "RGBA")
    texts = [f"{name}  {count:,}" for name, count, _ in entries] or ["nothing found"]
    margin, step = size // 2, size * 3 // 2
    width = margin * 3 + size + max(int(pen.textlength(text, font=font)) for text in texts)
    bottom = picture.height - margin
    top = bottom - step * len(texts) - margin
    pen.rounded_rectangle((margin, top, margin + width, bottom), radius=margin, fill=BACKGROUND)
    for number, text in enumerate(texts):
        y = top + margin // 2 + step * number + step // 2
        if entries:
            swatch = (2 * margin, y - size // 3, 2 * margin + size * 2 // 3, y + size // 3)
            pen.rectangle(swatch, outline=entries[number][2], width=max(2, size // 8))
        pen.text((3 * margin + size * 2 // 3, y), text, font=font, anchor="lm", fill="white")


def write_scale_bar(picture: Image.Image, frame: Frame) -> None:
    """Draw the scale bar into the lower right corner.

    Args:
        picture: Drawn on.
        frame: Its place and scale.
    """
    from PIL import ImageDraw, ImageFont

    size = text_size(picture)
    pen, font = ImageDraw.Draw(picture, "RGBA"), ImageFont.load_default(size=size)
    length, text = scale_bar(frame)
    margin, thick = size // 2, max(2, size // 6)
    width = max(length, pen.textlength(text, font=font)) + 2 * margin
    right, bottom = picture.width - margin, picture.height - margin
    top, middle = bottom - size * 2 - margin, right - width / 2
    pen.rounded_rectangle((right - width, top, right, bottom), radius=margin, fill=BACKGROUND)
    pen.text((middle, top + margin // 2), text, font=font, anchor="ma", fill="white")
    left, base = middle - length / 2, bottom - margin
    pen.line((left, base, left + length, base), fill="white", width=thick)
    for x in (left, left + length):
        pen.line((x, base - thick * 2, x, base + thick // 2), fill="white", width=max(1, thick // 2))


def write_north(picture: Image.Image, frame: Frame) -> None:
    """Draw an arrow to true north into the upper right corner, if north is known.

    Args:
        picture: Drawn on.
        frame: Its direction.
    """
    from PIL import ImageDraw, ImageFont

    if frame.north is None:
        return
    size = text_size(picture)
    pen, font = ImageDraw.Draw(picture, "RGBA"), ImageFont.load_default(size=size)
    radius = size * 1.6
    x, y = picture.width - size // 2 - radius, size // 2 + radius
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=BACKGROUND)
    ahead = np.array([math.sin(frame.north), -math.cos(frame.north)])
    aside = np.array([-ahead[1], ahead[0]])
    centre = np.array([x, y]) - 0.25 * radius * ahead
    tip, tail = centre + 0.55 * radius * ahead, centre - 0.5 * radius * ahead
    wings = tail - 0.3 * radius * aside, tail + 0.3 * radius * aside
    points = (tip, wings[0], centre - 0.25 * radius * ahead, wings[1])
    pen.polygon([(float(px), float(py)) for px, py in points], fill="white")
    letter = centre + 0.9 * radius * ahead
    pen.text((float(letter[0]), float(letter[1])), "N", font=font, anchor="mm", fill="white")


def text_size(picture: Image.Image) -> int:
    """Return the height of letters that suits a picture, pixels."""
    return max(12, max(picture.size) // 80)
