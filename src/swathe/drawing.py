"""Pictures of a scene with the oriented boxes found in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe.atomic import published_file
from swathe.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

    from swathe.detections import Detections
    from swathe.raster.scene import Scene

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
# Bright colours that stand apart from each other and from soil, plants, water and roofs, also for most colour-blind.
COLOURS = ((255, 221, 51), (51, 221, 255), (255, 102, 178), (153, 255, 102), (255, 153, 51), (178, 153, 255))
HALO = (12, 12, 12)
HALO_OPACITY = 0.55
SUPERSAMPLING = 3  # lines are drawn this much larger and reduced, which smooths them
STRIP_PIXELS = 4_000_000  # pixels of the picture whose lines are drawn at once
LARGEST_ENLARGEMENT = 4.0  # of a small crop

Image8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class View:
    """What is drawn, and how large."""

    box: tuple[float, float, float, float] | None = None  # xmin, ymin, xmax, ymax in scene pixels; None: all of it
    longest_side: int = 2000  # of the picture, pixels
    line_width: float = 1.6  # of the outlines, picture pixels
    scores: bool = False  # write the score beside each box

    def __post_init__(self) -> None:
        """Refuse views that show nothing."""
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise UsageError(f"box {self.box}: xmin must be below xmax, and ymin below ymax")
        if not 16 <= self.longest_side <= 20_000:
            raise UsageError(f"a picture of {self.longest_side} pixels: choose 16 to 20000")
        if not self.line_width > 0:
            raise UsageError(f"lines of {self.line_width} pixels: choose a positive width")


def draw(detections: Detections, scene: Scene, path: Path, view: View | None = None) -> int:
    """Draw a scene with its boxes; the file appears when it is complete.

    Args:
        detections: What was found; rows of other scenes are left out.
        scene: The scene, opened.
        path: Picture to write; .png, .jpg or .jpeg.
        view: What to show, and how large; the whole scene if not given.

    Returns:
        Number of boxes in the picture.

    Raises:
        UsageError: If the picture's kind is unknown or the view shows nothing of the scene.
        SourceError: If the scene cannot be read.
        StoreError: If the picture cannot be written.
    """
    from PIL import Image

    from swathe.query import Query

    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: the name of a picture must end in {', '.join(FORMATS)}")
    view = view or View()
    pixels, scale, corner = read_view(scene, view)
    rows = detections.filter(Query(scenes=(scene.id,)))
    polygons = (rows.to_polygons() - np.array(corner)) * scale
    names = rows.classes
    height, width = pixels.shape[:2]
    near = (polygons.max(axis=1) > 0).all(axis=1) & (polygons.min(axis=1) < (width, height)).all(axis=1)
    polygons, names = polygons[near], names[near]
    legend = [(name, COLOURS[place % len(COLOURS)]) for place, name in enumerate(sorted(set(names.tolist())))]
    for name, colour in legend:
        outline(pixels, polygons[names == name], colour, view.line_width)
    picture = Image.fromarray(pixels)
    if view.scores:
        _write_scores(picture, polygons, rows.scores[near])
    _write_legend(picture, [(name, int((names == name).sum()), colour) for name, colour in legend])
    _publish(picture, path)
    return len(polygons)


def read_view(scene: Scene, view: View) -> tuple[Image8, float, tuple[float, float]]:
    """Read the part of a scene that a view shows, reduced to the size of the picture.

    Args:
        scene: The scene.
        view: What to show.

    Returns:
        RGB (height, width, 3) that may be drawn on; picture pixels per scene pixel; scene coordinates of its corner.

    Raises:
        UsageError: If the view lies outside of the scene.
        SourceError: If the scene cannot be read.
    """
    from swathe.raster.pyramid import levels
    from swathe.raster.reader import RasterReader
    from swathe.raster.window import Window

    left, top, right, bottom = view.box or (0.0, 0.0, float(scene.width), float(scene.height))
    left, top, right, bottom = max(left, 0.0), max(top, 0.0), min(right, scene.width), min(bottom, scene.height)
    if left >= right or top >= bottom:
        raise UsageError(f"box {view.box}: lies outside of scene {scene.id} with {scene.width} x {scene.height} pixels")
    scale = min(view.longest_side / max(right - left, bottom - top), LARGEST_ENLARGEMENT)
    if view.box is None:
        scale = min(scale, 1.0)
    level = levels(scene.width, scene.height, (scale,))[0]
    col_off, row_off = min(int(left * scale), level.width - 1), min(int(top * scale), level.height - 1)
    width = max(1, min(round((right - left) * scale), level.width - col_off))
    height = max(1, min(round((bottom - top) * scale), level.height - row_off))
    with RasterReader(scene) as reader:
        pixels = reader.read(level, Window(col_off, row_off, width, height)).pixels
    return np.array(pixels), scale, (col_off / scale, row_off / scale)


def outline(pixels: Image8, polygons: npt.NDArray[np.float64], colour: Sequence[int], width: float) -> None:
    """Draw smooth outlines with a dark halo, in place.

    Args:
        pixels: RGB (height, width, 3), drawn on.
        polygons: (n, 4, 2) corners in picture pixels.
        colour: RGB, 0 to 255.
        width: Of the line, pixels; the halo adds as much again.
    """
    if not len(polygons):
        return
    rows = max(1, STRIP_PIXELS // pixels.shape[1])
    lowest, highest = polygons[:, :, 1].min(axis=1) - 2 * width, polygons[:, :, 1].max(axis=1) + 2 * width
    for top in range(0, len(pixels), rows):
        strip = pixels[top : top + rows]
        seen = polygons[(highest > top) & (lowest < top + len(strip))] - (0.0, float(top))
        _blend(strip, _coverage(strip.shape[:2], seen, 2 * width) * HALO_OPACITY, HALO)
        _blend(strip, _coverage(strip.shape[:2], seen, width), colour)


def _coverage(shape: tuple[int, ...], polygons: npt.NDArray[np.float64], width: float) -> npt.NDArray[np.float32]:
    """Return the share of each pixel that the outlines cover."""
    from PIL import Image, ImageDraw

    height, columns = shape
    large = Image.new("L", (columns * SUPERSAMPLING, height * SUPERSAMPLING))
    pen = ImageDraw.Draw(large)
    thickness = max(1, round(width * SUPERSAMPLING))
    # Pillow cuts fractions off, towards zero: whole numbers make a line go on where the strip above ended.
    for polygon in np.floor(polygons * SUPERSAMPLING).astype(int).tolist():
        corners = [(x, y) for x, y in polygon]
        pen.line([*corners, corners[0], corners[1]], fill=255, width=thickness, joint="curve")
    return np.asarray(large.reduce(SUPERSAMPLING), dtype=np.float32) / 255.0


def _blend(pixels: Image8, share: npt.NDArray[np.float32], colour: Sequence[int]) -> None:
    """Mix a colour into the pixels that have a share of it, in place."""
    rows, cols = np.nonzero(share)
    part = share[rows, cols, None]
    mixed = pixels[rows, cols] * (1.0 - part) + np.array(colour, dtype=np.float32) * part
    pixels[rows, cols] = np.round(mixed).astype(np.uint8)


def _write_scores(picture: Image.Image, polygons: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]) -> None:
    """Write each score above the topmost corner of its box."""
    from PIL import ImageDraw, ImageFont

    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size=12)
    for polygon, score in zip(polygons, scores, strict=True):
        x, y = polygon[polygon[:, 1].argmin()]
        place = (float(x), float(y) - 2)
        pen.text(place, f"{score:.2f}", font=font, anchor="ms", fill="white", stroke_width=1, stroke_fill="black")


def _write_legend(picture: Image.Image, entries: Sequence[tuple[str, int, tuple[int, int, int]]]) -> None:
    """Write classes and counts into the lower left corner."""
    from PIL import ImageDraw, ImageFont

    size = max(12, max(picture.size) // 80)
    font = ImageFont.load_default(size=size)
    pen = ImageDraw.Draw(picture, "RGBA")
    texts = [f"{name}  {count:,}" for name, count, _ in entries] or ["nothing found"]
    margin, step = size // 2, size * 3 // 2
    width = margin * 3 + size + max(int(pen.textlength(text, font=font)) for text in texts)
    bottom = picture.height - margin
    top = bottom - step * len(texts) - margin
    pen.rounded_rectangle((margin, top, margin + width, bottom), radius=margin, fill=(0, 0, 0, 170))
    for number, text in enumerate(texts):
        y = top + margin // 2 + step * number + step // 2
        if entries:
            swatch = (2 * margin, y - size // 3, 2 * margin + size * 2 // 3, y + size // 3)
            pen.rectangle(swatch, outline=entries[number][2], width=max(2, size // 8))
        pen.text((3 * margin + size * 2 // 3, y), text, font=font, anchor="lm", fill="white")


def _publish(picture: Image.Image, path: Path) -> None:
    """Write the picture, whole or not at all."""
    with published_file(path, overwrite=True) as stream:
        picture.save(stream, format=FORMATS[path.suffix.lower()], quality=90)
