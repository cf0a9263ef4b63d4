"""`swathe put`: scenes come into a folder whole or not at all, with a record of what they are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely

from command import Command
from hdfs_cluster import HdfsCluster
from red_cells import RedCells, write_red_cells
from swathe.areas import Area, Areas
from swathe.raster.opening import open_scene


@pytest.fixture
def scene(tmp_path: Path) -> RedCells:
    return write_red_cells(tmp_path / "harbour.tif")


def record(folder: Path, name: str = "harbour") -> dict[str, object]:
    return dict(json.loads((folder / f"{name}.scene.json").read_text()))


def test_a_scene_becomes_a_cog_with_a_record(command: Command, scene: RedCells, tmp_path: Path) -> None:
    centre = shapely.Point(85.345, 27.62)
    areas = Areas((Area("here", centre.buffer(0.2)), Area("elsewhere", shapely.box(0, 0, 1, 1))))
    areas.save(tmp_path / "areas.geojson")
    target = tmp_path / "scenes"
    outcome = command("put", scene.path, target, "--areas", tmp_path / "areas.geojson")
    assert (outcome.code, outcome.out.split()[0]) == (0, f"{target}/harbour.tif")
    with rasterio.open(target / "harbour.tif") as cog, rasterio.open(scene.path) as source:
        assert cog.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        np.testing.assert_array_equal(cog.read(), source.read())
    data, known = (target / "harbour.tif").read_bytes(), record(target)
    assert known["sha256"] == hashlib.sha256(data).hexdigest()
    assert (known["bytes"], known["width"], known["height"]) == (len(data), 448, 320)
    assert known["source"] == str(scene.path)
    # Half a metre in Mercator's projection is shorter on the ground, by the cosine of the latitude.
    latitude = shapely.from_geojson(json.dumps(known["footprint"])).centroid.y
    np.testing.assert_allclose(known["resolution"], 0.5 * np.cos(np.radians(latitude)), rtol=0.01)
    expected = ["here"] if centre.buffer(0.2).contains(shapely.from_geojson(json.dumps(known["footprint"]))) else []
    assert known["areas"] == expected


def test_a_repeat_changes_nothing(command: Command, scene: RedCells, tmp_path: Path) -> None:
    target = tmp_path / "scenes"
    command("put", scene.path, target)
    before = {path.name: path.stat().st_mtime_ns for path in target.iterdir()}
    outcome = command("put", scene.path, target)
    assert (outcome.code, "is there already" in outcome.out) == (0, True)
    assert {path.name: path.stat().st_mtime_ns for path in target.iterdir()} == before
    (target / "harbour.tif").unlink()
    assert "already" not in command("put", scene.path, target).out
    assert (target / "harbour.tif").exists()


def test_what_changed_is_put_again_and_another_image_is_refused(
    command: Command, scene: RedCells, tmp_path: Path
) -> None:
    target = tmp_path / "scenes"
    command("put", scene.path, target)
    write_red_cells(scene.path, width=512)
    assert command("put", scene.path, target).code == 0
    assert record(target)["width"] == 512
    (tmp_path / "other").mkdir()
    other = write_red_cells(tmp_path / "other" / "harbour.tif")
    refused = command("put", other.path, target)
    assert (refused.code, refused.is_one_error) == (5, True)
    assert command("put", other.path, target, "--overwrite").code == 0
    assert record(target)["width"] == 448


def test_a_cog_goes_as_it_is(command: Command, scene: RedCells, tmp_path: Path) -> None:
    command("convert", scene.path, "-o", tmp_path / "cog.tif", "--compress", "deflate")
    command("put", tmp_path / "cog.tif", tmp_path / "scenes")
    assert (tmp_path / "scenes" / "cog.tif").read_bytes() == (tmp_path / "cog.tif").read_bytes()


def test_a_bad_source_does_not_stop_the_others(command: Command, scene: RedCells, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    outcome = command("put", tmp_path / "bad.png", scene.path, tmp_path / "scenes", "--json")
    assert outcome.code == 6
    assert [line["event"] for line in outcome.lines] == ["put", "summary"]
    assert outcome.lines[-1]["scenes"] == 1
    assert sorted(path.name for path in (tmp_path / "scenes").iterdir()) == ["harbour.scene.json", "harbour.tif"]


def test_scenes_go_to_the_default_file_system_of_a_cluster(
    command: Command, hdfs: HdfsCluster, scene: RedCells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hdfs.configuration))
    assert command("put", scene.path, "hdfs:///put/scenes/").code == 0
    assert "already" in command("put", scene.path, "hdfs:///put/scenes/").out
    opened = open_scene(f"{hdfs.address}/put/scenes/harbour.tif")
    assert (opened.width, opened.block_shape) == (448, (512, 512))


def test_scenes_go_to_a_bucket(command: Command, bucket: str, scene: RedCells) -> None:
    assert command("put", scene.path, f"{bucket}/scenes/").code == 0
    assert "already" in command("put", scene.path, f"{bucket}/scenes/").out
    opened = open_scene(f"{bucket}/scenes/harbour.tif")
    assert (opened.width, opened.block_shape) == (448, (512, 512))
