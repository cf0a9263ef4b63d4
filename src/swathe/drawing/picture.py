"""A scene with its boxes as a PNG or JPEG picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from swathe.atomic import published_file
from swathe.colours import CHOSEN, class_colours
from swathe.drawing.frame import View, frame_of, read_frame
from swathe.drawing.furniture import write_legend, write_north, write_scale_bar, write_scores
from swathe.drawing.lines import outline
from swathe.drawing.shown import is_chosen, rows_in
from swathe.errors import UsageError

if TYPE_CHECKING:
    from swathe.detections import Detections
    from swathe.raster.scene import Scene

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
LEAST_WIDTH = 1.6  # of a line, pixels
LINES_PER_SIDE = 1250  # a line is so many times thinner than a large picture is long
SMALLEST_WITH_FURNITURE = 160  # pixels of the shorter side; below, legend and scale bar would hide the picture


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

    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: the name of a picture must end in {', '.join(FORMATS)}, or .html for a page")
    view = view or View()
    frame = frame_of(scene, view)
    pixels = read_frame(scene, frame)
    rows, polygons = rows_in(detections, scene, frame)
    names, colours = rows.classes, class_colours(detections.class_names)
    shown = sorted(set(names.tolist()))
    width = view.line_width or max(LEAST_WIDTH, max(frame.width, frame.height) / LINES_PER_SIDE)
    for name in shown:
        outline(pixels, polygons[names == name], colours[name], width)
    if view.chosen is not None:
        outline(pixels, polygons[is_chosen(rows, view.chosen)], CHOSEN, 2 * width)
    picture = Image.fromarray(pixels)
    if view.scores:
        write_scores(picture, polygons, rows.scores)
    if min(picture.size) >= SMALLEST_WITH_FURNITURE:
        write_legend(picture, [(name, int((names == name).sum()), colours[name]) for name in shown])
        write_scale_bar(picture, frame)
        write_north(picture, frame)
    with published_file(path, overwrite=True) as stream:
        picture.save(stream, format=FORMATS[path.suffix.lower()], quality=90)
    return len(rows)
