"""Pictures: lines lie where the boxes are, also across the strips in which they are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from swathe import drawing
from swathe.boxes import to_polygons
from swathe.detections import Detections, SceneInfo
from swathe.drawing import lines, picture
from swathe.errors import UsageError
from swathe.raster.opening import open_scene

COLOUR = (255, 221, 51)


def outlined(boxes: list[list[float]], width: float = 2.0) -> np.ndarray:
    """Draw boxes on a grey picture of 200 x 100 pixels."""
    pixels = np.full((100, 200, 3), 128, dtype=np.uint8)
    lines.outline(pixels, to_polygons(np.array(boxes)), COLOUR, width)
    return pixels


def test_line_has_the_colour_and_a_dark_halo_and_leaves_the_rest() -> None:
    pixels = outlined([[100, 50, 80, 40, 0.0]])
    assert pixels[30, 100].tolist() == list(COLOUR)
    assert pixels[29:32, 100].min() == COLOUR[2]
    assert (pixels[27:33, 100].max(axis=1) < 128).any()
    assert pixels[50, 100].tolist() == [128, 128, 128]
    assert pixels[10, 10].tolist() == [128, 128, 128]


@pytest.mark.parametrize("theta", [0.0, 0.4, 0.8, -1.2])
def test_coloured_pixels_lie_on_the_outline(theta: float) -> None:
    box = np.array([100.0, 50.0, 80.0, 30.0, theta])
    pixels = outlined([box.tolist()])
    rows, cols = np.nonzero((np.abs(pixels.astype(int) - COLOUR) < 60).all(axis=2))
    x, y = cols + 0.5 - box[0], rows + 0.5 - box[1]
    along = np.abs(x * np.cos(theta) + y * np.sin(theta))
    across = np.abs(y * np.cos(theta) - x * np.sin(theta))
    outside = np.maximum(along - box[2] / 2, across - box[3] / 2)
    assert len(rows) > 2 * (80 + 30)
    assert np.abs(outside).max() < 2.0


def test_strips_do_not_change_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = [[60, 50, 80, 40, 0.5], [140, 40, 60, 60, -0.3]]
    whole = outlined(boxes)
    monkeypatch.setattr(lines, "STRIP_PIXELS", 200 * 7)
    assert np.abs(outlined(boxes).astype(int) - whole).max() <= 1


def test_no_box_changes_nothing() -> None:
    pixels = np.full((10, 10, 3), 128, dtype=np.uint8)
    lines.outline(pixels, np.empty((0, 4, 2)), COLOUR, 2.0)
    assert (pixels == 128).all()


def test_lines_grow_with_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    widths: list[float] = []
    monkeypatch.setattr(picture, "outline", lambda *given: widths.append(given[-1]))
    Image.new("RGB", (5000, 20), (90, 90, 90)).save(tmp_path / "scene.png")
    scene = open_scene(tmp_path / "scene.png")
    info = SceneInfo(scene.id, scene.uri, scene.width, scene.height)
    found = Detections.from_arrays([[40, 10, 8, 4, 0.1]], [0.9], [0], ("ship",), info, "run")
    views = [drawing.View(), drawing.View(longest_side=5000), drawing.View(longest_side=5000, line_width=0.7)]
    for view in views:
        drawing.draw(found, scene, tmp_path / "picture.png", view)
    assert widths == [1.6, 4.0, 0.7]


@pytest.mark.parametrize(
    "values",
    [{"box": (5, 5, 5, 9)}, {"box": (5, 9, 6, 9)}, {"longest_side": 1}, {"line_width": 0.0}, {"line_width": np.nan}],
)
def test_views_that_show_nothing_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        drawing.View(**values)  # type: ignore[arg-type]
