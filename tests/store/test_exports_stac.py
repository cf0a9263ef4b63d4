"""A STAC collection of scenes and detections, validated by pystac with the schemas of STAC, and read back."""

from __future__ import annotations

from pathlib import Path

import pystac
import pystac.validation
import pytest
import shapely
from pystac.extensions.projection import ProjectionExtension

from swathe.detections import Detections, SceneInfo
from swathe.detections.outline import outline_of
from swathe.errors import StoreError
from swathe.raster.stac import read_stac
from swathe.store.exports import Format, export
from swathe.testing.suites.samples import ANTIMERIDIAN, MERCATOR, PIXELS, UTM, random_detections

EMPTY = SceneInfo("../odd/name", "/data/odd.tif", 30, 20)
EVERYTHING = Detections.concat(
    [
        random_detections(UTM, 30, 1),
        random_detections(MERCATOR, 20, 2),
        random_detections(ANTIMERIDIAN, 20, 3),
        random_detections(PIXELS, 10, 4),
        random_detections(EMPTY, 0, 5),
    ]
)


def test_pystac_finds_it_valid_and_reads_it(tmp_path: Path) -> None:
    folder = export(EVERYTHING, tmp_path / "found", Format.STAC)
    collection = pystac.Collection.from_file(str(folder / "collection.json"))
    items = {item.properties["title"]: item for item in collection.get_items()}
    assert set(items) == {scene for _, scene in EVERYTHING.scenes}
    for document in (collection, *items.values()):
        pystac.validation.validate_dict(document.to_dict(include_self_link=False), extensions=[])
    for (_, name), scene in EVERYTHING.scenes.items():
        item, own = items[name], EVERYTHING.take(EVERYTHING.scene_ids == name).sorted()
        read = Detections.open(Path(item.assets["detections"].get_absolute_href() or ""))
        assert read.table.to_pylist() == own.table.to_pylist()
        assert item.properties["swathe:classes"] == own.per_class()
        assert item.assets["image"].href.removeprefix("./") == scene.uri
        assert item.collection_id == collection.id == "found"
        if scene.georeferenced:
            assert shapely.equals(shapely.geometry.shape(item.geometry), outline_of(scene))
            placed = ProjectionExtension.ext(item)
            assert (placed.shape, placed.transform) == ([scene.height, scene.width], list(scene.transform or ()))
            assert placed.code or placed.wkt2 == scene.crs
        else:
            assert item.geometry is None
        assert (item.datetime is None) == (scene.acquired is None)


def test_what_is_written_is_a_source_again(tmp_path: Path) -> None:
    found = Detections.concat([random_detections(UTM, 3, 1), random_detections(ANTIMERIDIAN, 3, 3)])
    told = read_stac(str(export(found, tmp_path / "found", Format.STAC) / "collection.json"))
    assert {one.name: one.acquired for one in told.values()} == {
        scene.id: scene.acquired for scene in found.scenes.values()
    }
    assert {one.transform for one in told.values()} == {scene.transform for scene in found.scenes.values()}


def test_several_runs_and_a_folder_that_is_there(tmp_path: Path) -> None:
    both = Detections.concat([random_detections(UTM, 3, 1), random_detections(UTM, 3, 1, run="other")])
    folder = export(both, tmp_path / "found", Format.STAC)
    assert len(list(pystac.Collection.from_file(str(folder / "collection.json")).get_items())) == 2
    with pytest.raises(StoreError, match="exists already"):
        export(both, folder, Format.STAC)
    export(both, folder, Format.STAC, overwrite=True)
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(StoreError, match="something else"):
        export(both, folder, Format.STAC, overwrite=True)
