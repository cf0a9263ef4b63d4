"""Map polygons over a scene: where they come to lie, what is one object, and what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio import warp

from swathe.datasets import geojson
from swathe.errors import SourceError, UsageError

rasterio = pytest.importorskip("rasterio")
shapely = pytest.importorskip("shapely")
from rasterio import crs as rasterio_crs  # noqa: E402

UTM = rasterio_crs.CRS.from_epsg(32645).to_wkt()
SQUARE = [[2, 1], [12, 1], [12, 6], [2, 6]]


@dataclass(frozen=True)
class Ground:
    """A scene of 100 x 80 pixels of half a metre, turned by the angle whose tangent is 3/4."""

    id: str = "town"
    uri: str = "/scenes/town.tif"
    width: int = 100
    height: int = 80
    crs: str | None = UTM
    transform: tuple[float, float, float, float, float, float] | None = (0.4, 0.3, 350000.0, 0.3, -0.4, 3057000.0)

    def to_map(self, pixels: Any) -> np.ndarray:
        a, b, c, d, e, f = self.transform
        return np.asarray(pixels, dtype=np.float64) @ np.array([[a, d], [b, e]]) + (c, f)

    def to_lonlat(self, pixels: Any) -> list[list[float]]:
        eastings, northings = self.to_map(pixels).T
        return np.transpose(warp.transform(UTM, "EPSG:4326", eastings, northings)).tolist()


def feature(coordinates: Any, kind: str = "Polygon", **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": coordinates}}


def collection(tmp_path: Path, *features: Any, **members: Any) -> Path:
    path = tmp_path / "labels.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}))
    return path


def closed(ring: list[list[float]]) -> list[list[float]]:
    return [*ring, ring[0]]


def test_lonlat_lands_on_its_pixels(tmp_path: Path) -> None:
    ground = Ground()
    hole = closed(ground.to_lonlat([[4, 2], [5, 2], [5, 3]]))
    path = collection(tmp_path, feature([closed(ground.to_lonlat(SQUARE)), hole]))
    sample = geojson.read_polygons(path, ground, class_name="building")
    # A hundredth of a millimetre on the ground; degrees carry about nanometres.
    np.testing.assert_allclose(sample.boxes(), [[7, 3.5, 10, 5, 0]], atol=1e-5)
    assert (sample.name, sample.image, sample.classes) == ("town", Path("/scenes/town.tif"), ("building",))
    assert not sample.difficult.any()


def test_the_crs_member_counts(tmp_path: Path) -> None:
    ground = Ground()
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32645"}}
    path = collection(tmp_path, feature([closed(ground.to_map(SQUARE).tolist())]), crs=crs)
    (ring,) = geojson.read_rings(path, ground, class_name="building").rings
    np.testing.assert_allclose(ring, SQUARE, atol=1e-6)


def test_parts_properties_and_what_lies_outside(tmp_path: Path) -> None:
    ground = Ground()
    here, there = closed(ground.to_lonlat(SQUARE)), closed(ground.to_lonlat(np.add(SQUARE, 30)))
    away, partly = closed(ground.to_lonlat(np.add(SQUARE, 500))), closed(ground.to_lonlat(np.add(SQUARE, (-5, 0))))
    path = collection(
        tmp_path,
        feature([[here], [away], [there]], "MultiPolygon", label="house"),
        feature([partly], label="barn"),
        {"type": "Feature", "properties": {}, "geometry": None},
    )
    labelled = geojson.read_rings(path, ground, class_property="label")
    assert labelled.classes == ("house", "house", "barn")
    np.testing.assert_allclose(labelled.rings[2], np.add(SQUARE, (-5, 0)), atol=1e-5)
    sample = geojson.read_polygons(path, ground, class_property="label")
    np.testing.assert_allclose(sample.boxes()[1], [37, 33.5, 10, 5, 0], atol=1e-5)


def test_a_bare_geometry_and_positions_with_height(tmp_path: Path) -> None:
    ground, path = Ground(), tmp_path / "one.geojson"
    ring = [[*position, 1400.0] for position in closed(ground.to_lonlat(SQUARE))]
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    assert len(geojson.read_polygons(path, ground, class_name="building")) == 1


def test_no_features(tmp_path: Path) -> None:
    sample = geojson.read_polygons(collection(tmp_path), Ground(), class_name="building")
    assert sample.polygons.shape == (0, 4, 2)


RING = closed(SQUARE)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (feature([1, 2], "Point"), "is a Point"),
        (feature([RING[:2]]), "four or more"),
        (feature([[*RING, [1, float("nan")]]]), "finite"),
        (feature([[*RING, ["east", 1]]]), "damaged"),
        (feature([]), "damaged"),
        ({"type": "Feature", "geometry": {"type": "Polygon"}}, "damaged"),
        ({"type": "Feature", "geometry": 7}, "not a Polygon"),
    ],
)
def test_damaged_features_are_named(tmp_path: Path, broken: dict[str, Any], said: str) -> None:
    whole = feature([closed(Ground().to_lonlat(SQUARE))])
    with pytest.raises(SourceError, match=said) as caught:
        geojson.read_rings(collection(tmp_path, whole, broken), Ground(), class_name="building")
    assert "feature 2" in str(caught.value)


@pytest.mark.parametrize("text", ["", "PK\x03", "[1, 2]", '{"a": 1}', '{"type": "FeatureCollection", "features": 3}'])
def test_what_is_no_geojson_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.geojson"
    path.write_text(text)
    with pytest.raises(SourceError, match=r"labels\.geojson"):
        geojson.read_rings(path, Ground(), class_name="building")
    with pytest.raises(SourceError, match="cannot be read"):
        geojson.read_rings(tmp_path / "missing.geojson", Ground(), class_name="building")


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    antipodes = collection(tmp_path, feature([[[0, 0], [0, 1], [1, 1], [0, 0]]]))
    with pytest.raises(SourceError, match=r"does not lie over|outside the reference system"):
        geojson.read_rings(antipodes, Ground(), class_name="building")
    elsewhere = collection(tmp_path, feature([[[88, 25], [88, 25.5], [88.5, 25.5], [88, 25]]]))
    with pytest.raises(SourceError, match="none of the 1 polygons"):
        geojson.read_rings(elsewhere, Ground(), class_name="building")
    with pytest.raises(SourceError, match="no georeference"):
        geojson.read_rings(elsewhere, Ground(crs=None, transform=None), class_name="building")
    unknown = collection(tmp_path, feature([RING]), crs={"type": "name", "properties": {"name": "EPSG:99999999"}})
    with pytest.raises(SourceError, match="99999999"):
        geojson.read_rings(unknown, Ground(), class_name="building")
    with pytest.raises(SourceError, match="no name"):
        geojson.read_rings(collection(tmp_path, crs={"type": "link"}), Ground(), class_name="building")


def test_classes_are_said_in_one_way(tmp_path: Path) -> None:
    path = collection(tmp_path, feature([closed(Ground().to_lonlat(SQUARE))], label=3))
    with pytest.raises(UsageError, match="either"):
        geojson.read_rings(path, Ground())
    with pytest.raises(UsageError, match="either"):
        geojson.read_rings(path, Ground(), class_name="building", class_property="label")
    with pytest.raises(SourceError, match="'label'"):
        geojson.read_rings(path, Ground(), class_property="label")


def test_labelled_area_holds_the_labels_and_their_margin_but_not_what_is_beyond() -> None:
    places = [(x, y) for x in range(0, 200, 20) for y in range(0, 200, 20) if x < 100 or y < 100]
    rings = [np.add(SQUARE, place).astype(np.float64) for place in places]
    area = geojson.labelled_area(rings, 3.0)
    assert all(area.contains(shapely.Polygon(ring).buffer(2.9)) for ring in rings)
    assert area.contains(shapely.Point(50, 50))
    assert not area.intersects(shapely.Point(180, 180))
    with pytest.raises(UsageError, match="no outline"):
        geojson.labelled_area([], 3.0)
