"""Smooth outlines of boxes, drawn into a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

HALO = (12, 12, 12)
HALO_OPACITY = 0.55
SUPERSAMPLING = 3  # lines are drawn this much larger and reduced, which smooths them
STRIP_PIXELS = 4_000_000  # pixels of the picture whose lines are drawn at once

Image8 = npt.NDArray[np.uint8]


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
