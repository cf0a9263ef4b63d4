"""The tiles are read back by GDAL, which shares no code with what writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from requirements import need
from swathe.viewer import mvt

need("pyogrio")


def read_layer(content: bytes, folder: Path, layer: str) -> Any:
    """Read a layer; geometries in units of the tile, y down."""
    from pyogrio import read_dataframe

    (folder / "0.mvt").write_bytes(content)
    frame = read_dataframe(folder / "0.mvt", layer=layer, CLIP="NO", METADATA_FILE="")
    frame["geometry"] = shapely.transform(frame.geometry.to_numpy(), lambda points: points * (1, -1) + (0, mvt.EXTENT))
    return frame


@pytest.mark.parametrize("count", [1, 300])
def test_polygons_and_values_come_back(tmp_path: Path, count: int) -> None:
    random = np.random.default_rng(count)
    centres, angles = random.uniform(500, 7000, (count, 1, 2)), random.uniform(0, 7, count)
    sides = random.uniform(30, 400, (count, 2))
    unit = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    turn = np.stack([np.cos(angles), -np.sin(angles), np.sin(angles), np.cos(angles)], axis=1).reshape(-1, 2, 2)
    corners = np.round(centres + (unit * sides[:, None]) @ turn.transpose(0, 2, 1)).astype(np.int64)
    corners[::2] = corners[::2, ::-1]  # of either direction
    names = np.array(["ship", "<b>", "größer, 橋", ""])[random.integers(0, 4, count)]
    scores, numbers = np.round(random.uniform(0, 1, count), 3), random.integers(0, 1 << 40, count)
    columns = {"class": mvt.coded(names), "score": mvt.coded(scores), "number": mvt.coded(numbers)}
    content = mvt.layer("boxes", [(corners, np.arange(count))], mvt.POLYGON, columns, numbers)
    read = read_layer(content, tmp_path, "boxes")
    assert read["class"].tolist() == names.tolist()
    assert read["score"].tolist() == scores.tolist()
    assert read["number"].tolist() == read["mvt_id"].tolist() == numbers.tolist()
    wanted = shapely.polygons(corners)
    assert np.allclose(shapely.area(shapely.symmetric_difference(read["geometry"].to_numpy(), wanted)), 0, atol=1e-3)


def test_groups_of_shapes_keep_their_rows(tmp_path: Path) -> None:
    triangle = np.array([[[10, 10], [500, 20], [30, 600]]])
    square = np.array([[[1000, 1000], [1500, 1000], [1500, 1500], [1000, 1500]]])
    groups = [(square, np.array([1])), (triangle, np.array([0])), (np.empty((0, 5, 2), np.int64), np.array([], int))]
    content = mvt.layer("boxes", groups, mvt.POLYGON, {"class": mvt.coded(["triangle", "square"])})
    read = read_layer(content, tmp_path, "boxes")
    assert read["class"].tolist() == ["square", "triangle"]
    assert [len(shapely.get_coordinates(shape)) for shape in read["geometry"]] == [5, 4]


def test_points_come_back_from_outside_of_the_tile_too(tmp_path: Path) -> None:
    points = np.array([[[-300, 20]], [[8192, 9000]], [[0, 0]]])
    read = read_layer(
        mvt.layer("points", [(points, np.arange(3))], mvt.POINT, {"n": mvt.coded([7, 8, 9])}), tmp_path, "points"
    )
    assert read["n"].tolist() == [7, 8, 9]
    assert np.allclose(shapely.get_coordinates(read["geometry"].to_numpy()), points[:, 0], atol=1e-3)
