from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from memory_store import MemoryStore
from mvt_layers import layers
from requirements import need
from swathe.detections import Detections, SceneInfo
from swathe.query import Query
from swathe.query.cells import Cells
from swathe.viewer.blocks import FEW, MOST_READ, Blocks
from swathe.viewer.boxes import CELLS, MOST_BOXES
from swathe.viewer.frames import GroundFrame, PixelFrame
from swathe.viewer.snapshot import scene_key

need("pyogrio")


def store_of(count: int, side: float = 10.0, width: int = 4096, *, pixels: bool = True) -> MemoryStore:
    random = np.random.default_rng(count)
    boxes = np.column_stack(
        [random.uniform(0, width, (count, 2)), np.full((count, 2), side), random.uniform(-1, 1, count)]
    )
    place = () if pixels else ("EPSG:32645", (0.4, 0.0, 500_100.0, 0.0, -0.4, 3_000_700.0))
    info = SceneInfo("scene", "scene.tif", width, width, *place)
    store = MemoryStore()
    store.add("run", Detections.from_arrays(boxes, random.uniform(0.1, 1, count), [0] * count, ("ship",), info, "run"))
    return store


def test_a_tile_holds_the_boxes_that_touch_it(tmp_path: Path) -> None:
    store = store_of(1500)
    found = []
    for row in range(2):
        for column in range(2):
            frame = PixelFrame(4096, 4096, 1, column, row)
            tile = layers(Blocks(store).tile("", Query(), frame), tmp_path)
            (wanted,) = store.scan(Query(box=frame.bounds))
            (near,) = store.scan(Query(box=tuple(np.add(frame.bounds, (-7, -7, 7, 7)).tolist())))
            ids = {f"{entry['run']}/{entry['scene']}/{entry['mvt_id']}" for entry in tile["points"]}
            assert set(wanted.table.column("id").to_pylist()) <= ids <= set(near.table.column("id").to_pylist())
            found += ids
    assert len(set(found)) == 1500


@pytest.mark.parametrize("count", [MOST_BOXES, MOST_READ + 1])
@pytest.mark.parametrize("pixels", [True, False])
def test_tiles_of_a_block_hold_as_many_as_those_of_the_store(tmp_path: Path, count: int, pixels: bool) -> None:
    """Tiles with boxes and with counts, whether their block was read or only counted."""
    store = store_of(count, pixels=pixels)
    blocks, whole = Blocks(store), PixelFrame(4096, 4096, 0, 0, 0) if pixels else ground_frame(14)
    for zoom in range(3):
        total = 0
        for row, column in np.ndindex(1 << zoom, 1 << zoom):
            step = {"zoom": whole.zoom + zoom, "column": (whole.column << zoom) + column}
            frame = replace(whole, row=(whole.row << zoom) + row, **step)
            tile = layers(blocks.tile("", Query(), frame), tmp_path)
            counts = store.density(Query(), Cells(frame.bounds, 1, 1)).sum()
            counted = sum(int(str(cell["count"])) for cell in tile.get("cells", []))
            assert counted == pytest.approx(counts, abs=2 + 0.002 * counts)
            held = len(tile.get("boxes", [])) + len(tile.get("points", []))
            if held:
                assert counts <= held <= min(counts, MOST_BOXES) + 200
            else:
                assert counts == 0 or counts > 0.99 * MOST_BOXES
            total += counted
        assert total >= 0.99 * store.density(Query(), Cells(whole.bounds, 1, 1)).sum() > 0


def ground_frame(zoom: int) -> GroundFrame:
    ((x, y),) = GroundFrame(0, 0, 0).place(np.array([[87.002, 27.118]])) * 2**zoom
    return GroundFrame(zoom, int(x), int(y))


@pytest.mark.parametrize(("side", "layer"), [(4.0, "points"), (200.0, "boxes")])
def test_boxes_too_small_to_see_are_points(tmp_path: Path, side: float, layer: str) -> None:
    tile = layers(Blocks(store_of(20, side)).tile("", Query(), PixelFrame(4096, 4096, 0, 0, 0)), tmp_path)
    assert {name: len(rows) for name, rows in tile.items() if rows} == {"cells": len(tile["cells"]), layer: 20}


def test_many_boxes_are_only_counted_in_cells(tmp_path: Path) -> None:
    tile = layers(Blocks(store_of(FEW + 1)).tile("", Query(), PixelFrame(4096, 4096, 0, 0, 0)), tmp_path)
    assert list(tile) == ["cells"]
    assert sum(int(str(cell["count"])) for cell in tile["cells"]) == FEW + 1
    assert len(tile["cells"]) <= CELLS**2


def test_tiles_of_a_block_with_few_boxes_hold_them_all(tmp_path: Path) -> None:
    tile = layers(Blocks(store_of(FEW)).tile("", Query(), PixelFrame(4096, 4096, 0, 0, 0)), tmp_path)
    assert len(tile.get("boxes", [])) + len(tile.get("points", [])) == FEW > MOST_BOXES
    assert sum(int(str(cell["count"])) for cell in tile["cells"]) == FEW


def test_cells_lie_where_the_boxes_are(tmp_path: Path) -> None:
    """Boxes in the right lower quarter of the scene: cells in the right lower quarter of the tile, y down."""
    store = store_of(3000, width=1024)
    (rows,) = store.scan()
    moved = rows.boxes * (0.5, 0.5, 1, 1, 1) + (512, 512, 0, 0, 0)
    info = next(iter(rows.scenes.values()))
    store.add("run", Detections.from_arrays(moved, rows.scores, [0] * len(rows), ("ship",), info, "run"))
    tile = layers(Blocks(store).tile("", Query(), PixelFrame(1024, 1024, 0, 0, 0)), tmp_path)
    edges = np.array([cell["geometry"].bounds for cell in tile["cells"]])  # type: ignore[attr-defined]
    assert edges[:, 0].min() >= 4096 - 256
    assert edges[:, 3].max() <= 4096 + 256  # GDAL turns y upwards


def test_boxes_much_larger_than_a_tile_are_cut(tmp_path: Path) -> None:
    boxes = [[2048.0, 2048.0, 4000.0, 3000.0, 0.4]]
    store = MemoryStore()
    info = SceneInfo("scene", "scene.tif", 4096, 4096)
    store.add("run", Detections.from_arrays(boxes, [0.9], [0], ("port",), info, "run"))
    tile = layers(Blocks(store).tile("", Query(), PixelFrame(4096, 4096, 3, 4, 4)), tmp_path)
    (box,) = tile["boxes"]
    low, high = np.array(box["geometry"].bounds).reshape(2, 2)  # type: ignore[attr-defined]
    assert (low >= -8192 * 1.0).all()
    assert (high <= 8192 * 2.0).all()
    assert (low <= 0).all()
    assert (high >= 8192).all()


def test_tiles_of_the_ground_are_answered(client: TestClient, store: MemoryStore, tmp_path: Path) -> None:
    ((x, y),) = GroundFrame(0, 0, 0).place(np.array([[87.0015, 27.121]])) * 2**15
    answer = client.get(f"/api/tiles/detections/15/{int(x)}/{int(y)}.mvt?run=bbbb")
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    found = layers(answer.content, tmp_path)
    assert {entry["run"] for entry in found["boxes"]} == {"bbbb2222"}
    assert client.get("/api/tiles/detections/15/0/0.mvt").content == b""
    key = scene_key("aaaa1111", "photo")
    assert len(layers(client.get(f"/api/scenes/{key}/boxes/0/0/0.mvt").content, tmp_path)["boxes"]) == 50
    assert client.get(f"/api/scenes/{key}/boxes/9/0/0.mvt").status_code == 404
