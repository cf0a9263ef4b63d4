from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from memory_store import MemoryStore
from requirements import need
from swathe.detections import Detections, SceneInfo
from swathe.query import Query
from swathe.viewer.boxes import CELLS, MOST_BOXES, vector_tile
from swathe.viewer.frames import GroundFrame, PixelFrame
from swathe.viewer.snapshot import scene_key

need("pyogrio")


def layers(content: bytes, folder: Path) -> dict[str, list[dict[str, object]]]:
    """Read all layers of a tile."""
    from pyogrio import list_layers, read_dataframe

    if not content:
        return {}
    (folder / "0.mvt").write_bytes(content)
    options = {"CLIP": "NO", "METADATA_FILE": ""}
    names = [name for name, _ in list_layers(folder / "0.mvt")]
    return {name: read_dataframe(folder / "0.mvt", layer=name, **options).to_dict("records") for name in names}


def store_of(count: int, side: float = 10.0, width: int = 4096) -> MemoryStore:
    random = np.random.default_rng(count)
    boxes = np.column_stack(
        [random.uniform(0, width, (count, 2)), np.full((count, 2), side), random.uniform(-1, 1, count)]
    )
    info = SceneInfo("scene", "scene.tif", width, width)
    store = MemoryStore()
    store.add("run", Detections.from_arrays(boxes, random.uniform(0.1, 1, count), [0] * count, ("ship",), info, "run"))
    return store


def test_a_tile_holds_the_boxes_that_touch_it(tmp_path: Path) -> None:
    store = store_of(1500)
    found = []
    for row in range(2):
        for column in range(2):
            frame = PixelFrame(4096, 4096, 1, column, row)
            tile = layers(vector_tile(store, Query(), frame), tmp_path)
            (wanted,) = store.scan(Query(box=frame.bounds))
            ids = [
                f"{entry['run']}/{entry['scene']}/{entry['number']}" for entry in tile["points"] + tile.get("boxes", [])
            ]
            assert sorted(ids) == sorted(wanted.table.column("id").to_pylist())
            found += ids
    assert len(set(found)) == 1500


@pytest.mark.parametrize(("side", "layer"), [(4.0, "points"), (200.0, "boxes")])
def test_boxes_too_small_to_see_are_points(tmp_path: Path, side: float, layer: str) -> None:
    tile = layers(vector_tile(store_of(20, side), Query(), PixelFrame(4096, 4096, 0, 0, 0)), tmp_path)
    assert {name: len(rows) for name, rows in tile.items() if rows} == {layer: 20}


def test_many_boxes_are_counted_in_cells(tmp_path: Path) -> None:
    tile = layers(vector_tile(store_of(MOST_BOXES + 1), Query(), PixelFrame(4096, 4096, 0, 0, 0)), tmp_path)
    assert list(tile) == ["cells"]
    assert sum(int(str(cell["count"])) for cell in tile["cells"]) == MOST_BOXES + 1
    assert len(tile["cells"]) <= CELLS**2


def test_cells_lie_where_the_boxes_are(tmp_path: Path) -> None:
    """Boxes in the right lower quarter of the scene: cells in the right lower quarter of the tile, y down."""
    store = store_of(3000, width=1024)
    (rows,) = store.scan()
    moved = rows.boxes * (0.5, 0.5, 1, 1, 1) + (512, 512, 0, 0, 0)
    info = next(iter(rows.scenes.values()))
    store.add("run", Detections.from_arrays(moved, rows.scores, [0] * len(rows), ("ship",), info, "run"))
    tile = layers(vector_tile(store, Query(), PixelFrame(1024, 1024, 0, 0, 0)), tmp_path)
    edges = np.array([cell["geometry"].bounds for cell in tile["cells"]])  # type: ignore[attr-defined]
    assert edges[:, 0].min() >= 4096 - 256
    assert edges[:, 3].max() <= 4096 + 256  # GDAL turns y upwards


def test_boxes_much_larger_than_a_tile_are_cut(tmp_path: Path) -> None:
    boxes = [[2048.0, 2048.0, 4000.0, 3000.0, 0.4]]
    store = MemoryStore()
    info = SceneInfo("scene", "scene.tif", 4096, 4096)
    store.add("run", Detections.from_arrays(boxes, [0.9], [0], ("port",), info, "run"))
    tile = layers(vector_tile(store, Query(), PixelFrame(4096, 4096, 3, 4, 4)), tmp_path)
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
