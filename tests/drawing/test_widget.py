"""Maps in a notebook."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from requirements import need
from swathe.detections import Detections, SceneInfo
from swathe.errors import MissingExtraError, UsageError

PLACE = ("EPSG:32645", (0.5, 0.0, 300_000.0, 0.0, -0.5, 3_000_000.0))


def some_boxes(*place: object) -> Detections:
    scene = SceneInfo("scene", "scene.tif", 1000, 1000, *place)  # type: ignore[arg-type]
    boxes = [[100.0, 100, 40, 20, 0.3], [500.0, 300, 30, 10, -0.7]]
    return Detections.from_arrays(boxes, [0.9, 0.4], [0, 1], ("ship", "car"), scene, "run")


def test_the_widget_holds_footprints_and_what_is_known_of_them() -> None:
    need("lonboard")
    import pyarrow as pa
    from lonboard import Map

    found = some_boxes(*PLACE)
    shown = found.map()
    assert isinstance(shown, Map)
    assert shown.basemap is None  # nothing is fetched from elsewhere
    (layer,) = shown.layers
    table = pa.table(layer.table)
    assert table.column("class").to_pylist() == ["ship", "car"]
    corners = np.array(table.column("geometry").to_pylist()[0][0])
    assert np.allclose(corners[:-1].mean(axis=0), found.centres()[0], atol=1e-7)


def test_pixels_and_nothing_are_refused() -> None:
    need("lonboard")
    with pytest.raises(UsageError, match="georeference"):
        some_boxes().map()
    with pytest.raises(UsageError, match="no detection"):
        some_boxes(*PLACE).take([]).map()


def test_without_lonboard_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lonboard", None)
    with pytest.raises(MissingExtraError, match=r"swathe\[map\]"):
        some_boxes(*PLACE).map()
