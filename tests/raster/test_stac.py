"""Sources that STAC documents list, written by pystac, in files and on a server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pystac
import pytest
import rasterio
import shapely
from PIL import Image

import swathe
from red_cells import write_red_cells
from servers import file_server
from swathe.engine import backend
from swathe.errors import SourceError
from swathe.opened import open_readable
from swathe.query import Query
from swathe.raster import sources
from swathe.raster.sources import find_sources
from swathe.raster.stac import is_stac, read_stac

if TYPE_CHECKING:
    from command import Command

TIME = datetime(2024, 5, 1, 10, 20, 30, tzinfo=UTC)


def make_item(image: Path, name: str, box: tuple[float, ...] = (85, 27, 86, 28), **assets: str) -> pystac.Item:
    item = pystac.Item(name, shapely.geometry.mapping(shapely.box(*box)), list(box), TIME, {})
    item.add_asset("image", pystac.Asset(str(image), media_type=pystac.MediaType.COG, roles=["data"]))
    item.add_asset("thumbnail", pystac.Asset("small.png", media_type="image/png", roles=["thumbnail"]))
    for key, href in assets.items():
        item.add_asset(key, pystac.Asset(href, media_type=pystac.MediaType.COG))
    return item


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Two images of one name."""
    places = [tmp_path / name / "image.tif" for name in ("a", "b")]
    for place in places:
        place.parent.mkdir()
        write_red_cells(place, width=64, height=64)
    return places


def test_names_tell_documents_of_stac() -> None:
    assert all(map(is_stac, ("a.json", "a.GeoJSON", "a.json#visual", "https://host/a.json?key=1", "s3://b/c.json#x")))
    assert not any(map(is_stac, ("a.tif", "slices.json", "a/slices.json", "a#b.tif", "https://host/a.tif?f=a.json")))


def test_a_run_reads_a_catalog_once(
    images: list[Path], tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(backend, "is_fast_here", lambda: True)
    monkeypatch.setattr(backend, "_key", lambda detector: detector.sha256)
    monkeypatch.setattr(backend, "_look", lambda *given: read.extend(given[-1]))
    monkeypatch.setattr(sources, "read_stac", lambda source: read.append(source) or read_stac(source))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "items.geojson"
    path.write_text(json.dumps(pystac.ItemCollection([make_item(images[0], "one")]).to_dict()))
    swathe.detect(path, model=tiny_model, workers=0)
    assert read == [str(path), str(images[0])], "the document, and the image on which backends are compared"


def test_item_collection_and_catalog_list_the_same(images: list[Path], tmp_path: Path) -> None:
    items = [make_item(image, f"scene-{number}") for number, image in enumerate(images)]
    (tmp_path / "items.geojson").write_text(json.dumps(pystac.ItemCollection(items).to_dict()))
    catalog = pystac.Catalog("all", "Everything")
    below = pystac.Collection(
        "some", "A few", pystac.Extent(pystac.SpatialExtent([[85, 27, 86, 28]]), pystac.TemporalExtent([[TIME, None]]))
    )
    catalog.add_child(below)
    below.add_items(items)
    catalog.normalize_and_save(str(tmp_path / "catalog"), pystac.CatalogType.SELF_CONTAINED)
    one = read_stac(str(tmp_path / "catalog" / "catalog.json"))
    assert sorted(one) == [str(image) for image in images]
    assert read_stac(str(tmp_path / "items.geojson")) == one
    assert [told.acquired for told in one.values()] == ["2024-05-01T10:20:30Z"] * 2
    opened = open_readable([tmp_path / "items.geojson"])
    assert [(scene.id, scene.acquired) for scene in opened.scenes] == [
        ("scene-0", "2024-05-01T10:20:30Z"),
        ("scene-1", "2024-05-01T10:20:30Z"),
    ]
    assert find_sources([str(tmp_path / "catalog" / "catalog.json"), str(images[0])]) == [str(one) for one in images]


def test_a_catalog_that_leads_back_to_itself_ends(images: list[Path], tmp_path: Path) -> None:
    links = [{"rel": "child", "href": "catalog.json"}, {"rel": "item", "href": "item.json"}]
    ring = {"type": "Catalog", "id": "ring", "stac_version": "1.0.0", "description": "", "links": links}
    (tmp_path / "catalog.json").write_text(json.dumps(ring))
    (tmp_path / "item.json").write_text(json.dumps(make_item(images[0], "one").to_dict()))
    assert list(read_stac(str(tmp_path / "catalog.json"))) == [str(images[0])]


def test_an_asset_is_named_where_there_are_several(images: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "item.json"
    path.write_text(json.dumps(make_item(images[0], "one", infrared="b/image.tif").to_dict()))
    with pytest.raises(SourceError, match=r"several images .*image, infrared.*item.json#image"):
        read_stac(str(path))
    assert list(read_stac(f"{path}#infrared")) == [str(images[1])]
    path.write_text(json.dumps(make_item(images[0], "one", visual="b/image.tif").to_dict()))
    assert list(read_stac(str(path))) == [str(images[1])]
    with pytest.raises(SourceError, match="lists no image"):
        read_stac(f"{path}#elsewhere")


def test_footprints_decide_what_is_opened(images: list[Path], tmp_path: Path) -> None:
    images[1].unlink()
    items = [make_item(images[0], "near"), make_item(images[1], "far", box=(10, 10, 11, 11))]
    (tmp_path / "items.json").write_text(json.dumps(pystac.ItemCollection(items).to_dict()))
    opened = open_readable([tmp_path / "items.json"], region=Query(box=(84, 26, 87, 29)))
    assert ([scene.id for scene in opened.scenes], dict(opened.unopened)) == (["near"], {})
    assert "1 image not opened" in opened.scenes[0].notes[-1]
    with pytest.raises(SourceError, match="2 images not opened"):
        open_readable([tmp_path / "items.json"], region=Query(box=(0, 0, 1, 1)))


def test_an_item_places_an_image_that_does_not_say_where_it_lies(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 60, 3), dtype=np.uint8)).save(tmp_path / "plain.png")
    said: dict[str, Any] = {"proj:code": "EPSG:32645", "proj:transform": [0.5, 0, 350_000, 0, -0.5, 3_060_000, 0, 0, 1]}
    for shape, placed in (([40, 60], True), ([60, 40], False)):
        item = make_item(tmp_path / "plain.png", "plain")
        item.properties |= {**said, "proj:shape": shape}
        (tmp_path / "item.json").write_text(json.dumps(item.to_dict()))
        (scene,) = open_readable([tmp_path / "item.json"]).scenes
        assert scene.georeferenced == placed
        if placed:
            assert scene.transform == (0.5, 0, 350_000, 0, -0.5, 3_060_000)
            assert rasterio.crs.CRS.from_wkt(scene.crs).to_epsg() == 32645


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"type": "Feature"}', '{"type": "FeatureCollection", "features": [3]}', '"x"', "null"]
)
def test_what_is_not_stac_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(SourceError, match=r"other\.json"):
        read_stac(str(tmp_path / "other.json"))


def test_items_on_a_server(images: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "image.tif").write_bytes(images[0].read_bytes())
    (folder / "item.json").write_text(json.dumps(make_item(Path("image.tif"), "there").to_dict()))
    bad = make_item(images[0], "there")
    bad.assets["image"].href = f"file://{images[0]}"
    (folder / "bad.json").write_text(json.dumps(bad.to_dict()))
    with file_server(folder) as server:
        (scene,) = open_readable([server.url("item.json")]).scenes
        assert (scene.id, scene.uri) == ("there", server.url("image.tif"))
        with pytest.raises(SourceError, match="a file of this machine"):
            open_readable([server.url("bad.json")])
        with pytest.raises(SourceError, match=r"missing\.json"):
            open_readable([server.url("missing.json")])


def test_detect_and_plan_take_items(command: Command, tiny_model: Path, images: list[Path], tmp_path: Path) -> None:
    item = tmp_path / "item.json"
    item.write_text(json.dumps(make_item(images[0], "one").to_dict()))
    assert [scene["id"] for scene in command("plan", item, "--json").lines[-1]["scenes"]] == ["one"]
    words = ("detect", item, "-m", tiny_model, "-o", tmp_path / "store", "--tile", 64, "--workers", 0)
    assert command(*words).code == 0
    found = command("query", tmp_path / "store", "--acquired", "2024-05-01..2024-05-02", "--json")
    assert found.lines[-1]["detections"] == command("query", tmp_path / "store", "--json").lines[-1]["detections"]
    assert command(*words, "--json").lines[-1]["event"] == "summary"
