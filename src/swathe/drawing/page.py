"""A scene with its boxes as one HTML file that needs nothing else: zoom, tooltips, filters.

The picture is cut into tiles at several sizes, which stand in the page as data. Its script and style are files beside
this module; the page allows no other ones, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import math
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from swathe.atomic import published_file
from swathe.colours import class_colours
from swathe.drawing.frame import Frame, View, frame_of, read_frame
from swathe.drawing.shown import is_chosen, rows_in
from swathe.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

    from swathe.detections import Detections
    from swathe.raster.scene import Scene

SUFFIXES = (".html", ".htm")
LARGEST_PAGE = 10_000_000  # bytes
MOST_BOXES = 40_000  # of the highest scores; about 4 MB of text
TILE = 512  # pixels
QUALITIES = (82, 70, 55)  # of JPEG, tried before the picture is made smaller
REDUCTION = math.sqrt(0.5)  # of the sides: half the pixels
SMALLEST_SIDE = 64  # pixels: below, no scene is refused for its size


def draw_page(detections: Detections, scene: Scene, path: Path, view: View | None = None) -> int:
    """Write a page that shows a scene with its boxes; the file appears when it is complete.

    Args:
        detections: What was found; rows of other scenes are left out.
        scene: The scene, opened.
        path: File to write; .html or .htm.
        view: What to show, and how large at most; made smaller until the page has no more than `LARGEST_PAGE` bytes.

    Returns:
        Number of boxes in the page, those of the highest scores if there are more than `MOST_BOXES`.

    Raises:
        UsageError: If the file's kind is unknown or the view shows nothing of the scene.
        SourceError: If the scene cannot be read.
        StoreError: If the page cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: the name of a page must end in {', '.join(SUFFIXES)}")
    view = view or View()
    while True:
        frame = frame_of(scene, view)
        rows, polygons = rows_in(detections, scene, frame)
        best = np.sort(np.argsort(-rows.scores, kind="stable")[:MOST_BOXES])
        shown = rows.take(best)
        data = _data(shown, scene, frame, len(rows))
        data["boxes"] = _boxes(shown, polygons[best], data["classes"])
        chosen = [] if view.chosen is None else np.flatnonzero(is_chosen(shown, view.chosen)).tolist()
        data["chosen"] = chosen[0] if chosen else None
        page = _fitted(data, scene, frame)
        if page is not None:
            break
        if view.longest_side <= SMALLEST_SIDE:
            raise UsageError(f"{path}: the page would be larger than {LARGEST_PAGE:,} bytes; choose fewer classes")
        view = replace(view, longest_side=max(SMALLEST_SIDE, int(max(frame.width, frame.height) * REDUCTION)))
    with published_file(path, overwrite=True) as stream:
        stream.write(page)
    return len(best)


def _fitted(data: dict[str, Any], scene: Scene, frame: Frame) -> bytes | None:
    """Return the page with the best quality of picture that keeps the limit, or None if none does."""
    from PIL import Image

    picture = Image.fromarray(read_frame(scene, frame))
    for quality in QUALITIES:
        page = _page({**data, "levels": _pyramid(picture, quality)}, scene.id)
        if len(page) <= LARGEST_PAGE:
            return page
    return None


def _pyramid(picture: Image.Image, quality: int) -> list[dict[str, Any]]:
    """Cut a picture into tiles, each level half as large as the one before, down to a single tile."""
    levels, factor = [], 1
    while True:
        size = (math.ceil(picture.width / factor), math.ceil(picture.height / factor))
        reduced = picture if factor == 1 else picture.reduce(factor)
        columns, rows = math.ceil(size[0] / TILE), math.ceil(size[1] / TILE)
        tiles = []
        for number in range(rows * columns):
            left, top = number % columns * TILE, number // columns * TILE
            part = reduced.crop((left, top, min(left + TILE, size[0]), min(top + TILE, size[1])))
            tiles.append(_data_uri(part, quality))
        levels.append({"factor": factor, "columns": columns, "tiles": tiles})
        if rows * columns == 1:
            return levels
        factor *= 2


def _data_uri(picture: Image.Image, quality: int) -> str:
    stream = io.BytesIO()
    picture.save(stream, format="JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _data(rows: Detections, scene: Scene, frame: Frame, found: int) -> dict[str, Any]:
    """Return what the script must know, boxes and picture left out."""
    colours = class_colours(rows.class_names)
    shown = sorted(set(rows.classes.tolist()))
    return {
        "scene": scene.id,
        "width": frame.width,
        "height": frame.height,
        "tile": TILE,
        "metres": frame.metres,
        "north": frame.north,
        "scale": frame.scale,
        "found": found,
        "classes": [{"name": name, "colour": "#{:02x}{:02x}{:02x}".format(*colours[name])} for name in shown],
    }


def _boxes(rows: Detections, polygons: np.ndarray[Any, Any], classes: list[dict[str, str]]) -> list[list[Any]]:
    """Return a list per box: class, score, corners in picture pixels, length, width, longitude, latitude or None."""
    numbers = {entry["name"]: number for number, entry in enumerate(classes)}
    names, scores = rows.classes.tolist(), np.round(rows.scores, 3).tolist()
    corners = np.round(polygons.reshape(-1, 8), 1).tolist()
    sizes, centres = np.round(rows.measures()[:, :2], 2).tolist(), np.round(rows.centres(), 6).tolist()
    pixels = np.round(rows.boxes[:, 2:4], 1).tolist()
    boxes = []
    for name, score, corner, size, centre, pixel in zip(names, scores, corners, sizes, centres, pixels, strict=True):
        is_placed = not (math.isnan(centre[0]) or math.isnan(size[0]))
        boxes.append([numbers[name], score, *corner, *(size if is_placed else pixel), *(centre if is_placed else [])])
    return boxes


def _page(data: dict[str, Any], title: str) -> bytes:
    """Put the page together; nothing in it can leave the place it is put to."""
    static = files("swathe.drawing") / "static"
    style, script = ((static / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    template = Template((static / "page.html").read_text(encoding="utf-8"))
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":  # no text ends the element it stands in
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    page = template.substitute(
        title=html.escape(title),
        style=style,
        script=script,
        style_hash=element_hash(style),
        script_hash=element_hash(script),
        data=text,
    )
    return page.encode("utf-8", errors="xmlcharrefreplace")


def element_hash(text: str) -> str:
    """Return the hash of an element's text as a content security policy has it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
