"""The fakes do what their script says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import Polygon, box

from swathe.boxes import to_polygons
from swathe.detectors.protocol import Tile
from swathe.detectors.registry import open_detector
from swathe.errors import ModelError, UsageError
from swathe.testing.fakes import Fault, clip_to_window, read_log, write_script
from swathe.testing.scenes import ObjectRule, SyntheticScene, synthetic_scene

PIXELS = np.zeros((128, 128, 3), dtype=np.uint8)


def tile_at(scene: SyntheticScene, col: int, row: int, scale: float = 1.0, side: int = 128) -> Tile:
    return Tile(PIXELS, scene.id, scale, col, row, side, side)


@pytest.mark.parametrize("seed", range(40))
def test_clipping_equals_shapely(seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = to_polygons(
        np.array([[*random.uniform(-20, 120, 2), *random.uniform(5, 90, 2), random.uniform(-1.5, 1.5)]])
    )
    clipped = clip_to_window(corners[0], 100, 80)
    expected = Polygon(corners[0]).intersection(box(0, 0, 100, 80))
    area = Polygon(clipped).area if len(clipped) >= 3 else 0.0
    assert area == pytest.approx(expected.area, abs=1e-9)


@pytest.mark.parametrize("clip", ["minimum", "own"])
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
def test_every_box_covers_its_part_of_an_object(tmp_path: Path, clip: str, scale: float) -> None:
    scene = synthetic_scene(600, 600, seed=1, rule=ObjectRule(count=150))
    detector = open_detector(write_script([scene], tmp_path / "script.json", clip=clip))
    found = detector.detect([tile_at(scene, 100, 60, scale)])[0]
    assert len(found) > 3
    assert (np.diff(found.scores) <= 0).all()
    window = box(0, 0, 128, 128)
    truth = scene.polygons() * scale - (100, 60)
    parts = [Polygon(polygon).intersection(window) for polygon in truth]
    for polygon, name in zip(to_polygons(found.boxes), found.classes, strict=True):
        shape = Polygon(polygon)
        covered = [
            part
            for part, truth_name in zip(parts, scene.classes, strict=True)
            if truth_name == name and part.area > 0 and shape.buffer(1e-6).covers(part)
        ]
        assert covered
        assert max(part.area for part in covered) >= 0.5 * shape.area - 1e-6


def test_objects_outside_the_window_are_not_found(tmp_path: Path) -> None:
    boxes = np.array([[64.0, 64.0, 20.0, 10.0, 0.3], [300.0, 64.0, 20.0, 10.0, 0.3]])
    scene = SyntheticScene("two", 400, 128, boxes, np.array([1, 2]))
    found = open_detector(write_script([scene], tmp_path / "script.json")).detect([tile_at(scene, 0, 0)])[0]
    np.testing.assert_array_equal(found.boxes, boxes[:1])
    assert found.classes.tolist() == [1]


def test_faults_happen_at_their_call_and_only_then(tmp_path: Path) -> None:
    scene, log = synthetic_scene(300, 300, seed=1), tmp_path / "log"
    spec = write_script([scene], tmp_path / "script.json", log=log, faults=[Fault("error", scene.id, 1)])
    detector = open_detector(spec)
    detector.detect([tile_at(scene, 0, 0)])
    with pytest.raises(ModelError, match="a window fails"):
        detector.detect([tile_at(scene, 64, 0)])
    detector.detect([tile_at(scene, 64, 0)])
    assert [line.split("\t")[2] for line in read_log(log)] == ["0", "64", "64"]


def test_faults_do_not_change_the_identity(tmp_path: Path) -> None:
    scene = synthetic_scene(300, 300, seed=1)
    with pytest.raises(UsageError, match="need a log"):
        write_script([scene], tmp_path / "a.json", faults=[Fault("kill", scene.id, 0)])
    plain = write_script([scene], tmp_path / "a.json")
    faulty = write_script([scene], tmp_path / "b.json", log=tmp_path / "log", faults=[Fault("kill", scene.id, 0)])
    other = write_script([synthetic_scene(300, 300, seed=2)], tmp_path / "c.json")
    assert plain.sha256 == faulty.sha256 != other.sha256
