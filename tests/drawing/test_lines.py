"""Pictures: lines lie where the boxes are, also across the strips in which they are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from swathe import drawing
from swathe.boxes import to_polygons
from swathe.drawing import lines
from swathe.errors import UsageError

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


@pytest.mark.parametrize(
    "values", [{"box": (5, 5, 5, 9)}, {"box": (5, 9, 6, 9)}, {"longest_side": 1}, {"line_width": 0.0}]
)
def test_views_that_show_nothing_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        drawing.View(**values)  # type: ignore[arg-type]
