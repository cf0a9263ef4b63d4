"""Pictures of what is right, false and missed in an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swathe import boxes
from swathe.drawing.picture import draw
from swathe.errors import Argument, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from swathe.drawing.frame import View
    from swathe.evaluation.judged import JudgedImage


def need_pixels(items: Iterable[JudgedImage]) -> None:
    """Make sure that images can be drawn.

    Args:
        items: The images.

    Raises:
        UsageError: If nobody knows where the pixels of one of them are.
    """
    unknown = next((item.name for item in items if item.image is None), None)
    if unknown is not None:
        raise UsageError(f"the pixels of {unknown} are not known; say where they are (", Argument("images"), ")")


def draw_judged(item: JudgedImage, path: Path, view: View | None = None) -> None:
    """Draw an image in which something is false or missed, with what is right beside it.

    Args:
        item: The image.
        path: Picture to write; its folder must exist.
        view: What to show, and how large; the whole image if not given.

    Raises:
        UsageError: If nobody knows where the image's pixels are.
        SourceError: If the image cannot be read.
        StoreError: If the picture cannot be written.
    """
    from swathe.detections import Detections, SceneInfo
    from swathe.evaluation.judged import VERDICTS
    from swathe.raster.opening import open_scene

    need_pixels([item])
    scene = open_scene(item.image or "", scene_id=item.name)
    info = SceneInfo(item.name, scene.uri, scene.width, scene.height, scene.crs, scene.transform)
    rectangles = boxes.from_polygons(item.polygons)
    judged = Detections.from_arrays(rectangles, item.scores, item.verdicts, VERDICTS, info, "evaluation")
    draw(judged, scene, path, view)
