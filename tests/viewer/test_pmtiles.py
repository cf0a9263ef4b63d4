"""Archives are read back by the package of the makers of the format, their tiles by GDAL."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from mvt_layers import layers
from requirements import need
from swathe.detections import Detections, SceneInfo
from swathe.errors import StoreError, UsageError
from swathe.viewer import pmtiles
from swathe.viewer.boxes import MOST_BOXES
from swathe.viewer.pmtiles import tile_ids, write_pmtiles

need("pyogrio")
need("pmtiles")

from pmtiles.reader import MmapSource, Reader, all_tiles  # noqa: E402
from pmtiles.tile import zxy_to_tileid  # noqa: E402

METRES = 0.5


def some_detections(count: int, west: float = 300_000.0, spread: int = 4000, side: float = 20.0) -> Detections:
    random = np.random.default_rng(count)
    info = SceneInfo("scene", "scene.tif", spread, spread, "EPSG:32660", (METRES, 0, west, 0, -METRES, 3_000_000.0))
    boxes = np.column_stack(
        [random.uniform(0, spread, (count, 2)), np.full((count, 2), (side, side / 2)), random.uniform(-1, 1, count)]
    )
    classes = random.integers(0, 2, count)
    return Detections.from_arrays(boxes, random.uniform(0.1, 1, count), classes, ("ship", "<b>"), info, "run")


def read_tiles(path: Path) -> tuple[dict[str, object], dict[tuple[int, int, int], bytes]]:
    """Read header and tiles of an archive."""
    with path.open("rb") as file:
        source = MmapSource(file)
        return Reader(source).header(), {place: gzip.decompress(tile) for place, tile in all_tiles(source)}


@pytest.mark.parametrize("zoom", [0, 1, 5, 18, 24])
def test_tiles_are_numbered_as_the_format_says(zoom: int) -> None:
    columns, rows = np.random.default_rng(zoom).integers(0, 1 << zoom, (2, 200))
    wanted = [zxy_to_tileid(zoom, int(x), int(y)) for x, y in zip(columns, rows, strict=True)]
    assert tile_ids(zoom, columns, rows).tolist() == wanted


def test_every_box_is_in_the_deepest_tiles_that_it_touches(tmp_path: Path) -> None:
    found = some_detections(500).sorted()  # its numbers are 0, 1, 2 and so on
    write_pmtiles(found, tmp_path / "map.pmtiles")
    header, tiles = read_tiles(tmp_path / "map.pmtiles")
    deepest = header["max_zoom"]
    centres = found.centres()
    side = 360 / 2**deepest
    seen: dict[int, list[float]] = {}
    for (zoom, column, _), content in tiles.items():
        if zoom == deepest:
            for row in layers(content, tmp_path)["boxes"]:
                number = int(str(row["mvt_id"]))
                seen.setdefault(number, []).append(row["geometry"].centroid.x / 8192 + column)  # type: ignore[attr-defined]
                assert row["class"] == found.classes[number]
                assert row["score"] == pytest.approx(found.scores[number], abs=6e-4)
    assert sorted(seen) == list(range(500))
    for number, places in seen.items():
        assert np.allclose(places, (centres[number, 0] + 180) / side, atol=0.01)


def test_many_boxes_are_cells_above_and_boxes_below(tmp_path: Path) -> None:
    found = some_detections(3 * MOST_BOXES)
    write_pmtiles(found, tmp_path / "map.pmtiles")
    header, tiles = read_tiles(tmp_path / "map.pmtiles")
    whole = layers(tiles[0, 0, 0], tmp_path)
    assert sum(int(str(cell["count"])) for cell in whole["cells"]) == len(found)
    deepest = [layers(tile, tmp_path) for (zoom, _, _), tile in tiles.items() if zoom == header["max_zoom"]]
    numbers = {row["mvt_id"] for tile in deepest for row in tile["boxes"]}
    assert len(numbers) == len(found)
    assert not any("cells" in tile for tile in deepest)
    assert header["min_zoom"] == 0
    assert {zoom for zoom, _, _ in tiles} == set(range(header["max_zoom"] + 1))  # type: ignore[operator]


def test_a_box_across_180_degrees_is_in_tiles_of_both_sides(tmp_path: Path) -> None:
    info = SceneInfo(
        "scene", "s.tif", 200, 200, "EPSG:3832", (10.0, 0, 20037508.34 - 1000 - 16697923.6, 0, -10.0, 1000.0)
    )
    found = Detections.from_arrays([[100.0, 100, 60, 40, 0.2]], [0.9], [0], ("ship",), info, "run")
    assert abs(found.centres()[0, 0]) == pytest.approx(180, abs=0.01)
    write_pmtiles(found, tmp_path / "map.pmtiles")
    header, tiles = read_tiles(tmp_path / "map.pmtiles")
    deepest = header["max_zoom"]
    columns = {column for zoom, column, _ in tiles if zoom == deepest}
    assert columns == {0, 2**deepest - 1}  # type: ignore[operator]


@pytest.mark.parametrize("room", [16384, 400, 200])
def test_a_directory_that_does_not_fit_has_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    monkeypatch.setattr(pmtiles, "START", room)
    monkeypatch.setattr(pmtiles, "ENTRIES", 8)
    pmtiles.write_pmtiles(some_detections(900, spread=60_000), tmp_path / "map.pmtiles")
    header, tiles = read_tiles(tmp_path / "map.pmtiles")
    assert (header["leaf_directory_length"] > 0) == (room < 1000)  # type: ignore[operator]
    assert header["tile_data_offset"] == room
    assert len(tiles) == header["addressed_tiles_count"]


def test_nothing_makes_an_empty_archive(tmp_path: Path) -> None:
    write_pmtiles(some_detections(5).take([]), tmp_path / "map.pmtiles")
    header, tiles = read_tiles(tmp_path / "map.pmtiles")
    assert tiles == {}
    assert header["max_zoom"] == 0


def test_pixels_have_no_place_on_a_map(tmp_path: Path) -> None:
    info = SceneInfo("photo", "photo.jpg", 100, 100)
    found = Detections.from_arrays([[50.0, 50, 20, 10, 0]], [0.9], [0], ("ship",), info, "run")
    with pytest.raises(UsageError, match="georeference"):
        write_pmtiles(found, tmp_path / "map.pmtiles")
    assert list(tmp_path.iterdir()) == []


def test_an_archive_is_replaced_only_if_wanted(tmp_path: Path) -> None:
    write_pmtiles(some_detections(5), tmp_path / "map.pmtiles")
    with pytest.raises(StoreError, match="exists"):
        write_pmtiles(some_detections(5), tmp_path / "map.pmtiles")
    before = (tmp_path / "map.pmtiles").read_bytes()
    write_pmtiles(some_detections(5), tmp_path / "map.pmtiles", overwrite=True)
    assert (tmp_path / "map.pmtiles").read_bytes() == before
