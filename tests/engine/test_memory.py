"""The projection, part by part, on examples worked by hand; whole runs are measured by benchmarks/scale/memory.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from swathe.detectors.card import ModelCard
from swathe.detectors.protocol import DetectorSpec
from swathe.engine.memory import (
    DRIVER_BYTES,
    LIBRARY_BYTES,
    MEBIBYTE,
    MERGE_BYTES,
    ONNX,
    WORKER_BYTES,
    Projection,
    choose_windows,
    expected_objects,
    merge_memory,
    model_memory,
    project,
)
from swathe.engine.plan import make_plan
from swathe.engine.settings import RunSettings
from swathe.raster.reader import reader_memory
from swathe.raster.scene import Scene
from swathe.testing.scenes import scene_without_file, synthetic_scene


def empty_scene(width: int, height: int, name: str = "scene", *, tiled: bool = True) -> Scene:
    bare = synthetic_scene(8, 8, seed=0, scene_id=name)
    return replace(scene_without_file(bare), width=width, height=height, tiled=tiled)


@pytest.fixture
def network(tmp_path: Path) -> DetectorSpec:
    """A model file of size n: 8.1 MB."""
    path = tmp_path / "model.onnx"
    path.write_bytes(bytes(8_100_000))
    return DetectorSpec("onnx", str(path), ("building",), "0" * 64, min_score=0.3, iou=0.2)


def test_the_model_on_an_example(network: DetectorSpec) -> None:
    """Of 1024 x 1024 pixels, 141.8 bytes each: 10 + 74 of feature maps, 12 of input, 45.77 of output maps."""
    maps = (128**2 + 64**2 + 32**2) * 3 * (5 + 1 + 180) * 4
    weights = 1.6 * 8_100_000
    assert model_memory(network, 1024) == pytest.approx(57 * MEBIBYTE + weights + 96 * 1024**2 + maps, rel=1e-6)
    assert model_memory(network, 1024) / MEBIBYTE == pytest.approx(211, abs=1)


def test_a_network_of_four_times_the_weights_is_twice_as_wide(network: DetectorSpec, tmp_path: Path) -> None:
    (tmp_path / "wide.onnx").write_bytes(bytes(4 * 8_100_000))
    wide = replace(network, path=str(tmp_path / "wide.onnx"))
    more = model_memory(wide, 512) - model_memory(network, 512)
    assert more == pytest.approx(1.6 * 3 * 8_100_000 + 74 * 512**2, rel=1e-6)


def test_size_lite0_does_not_follow_from_its_weights(network: DetectorSpec) -> None:
    """Measured at 1024 px: 408 MiB for the weights of a random network, feature maps of 300 bytes a pixel."""
    card = ModelCard(name="lite", classes=("building",), layout="ywcsl", size="lite0")
    lite = replace(network, card=card)
    assert model_memory(lite, 1024) - model_memory(network, 1024) == pytest.approx(42 * MEBIBYTE + (310 - 74) * 1024**2)
    assert model_memory(lite, 1024) > 408 * MEBIBYTE
    assert model_memory(replace(lite, backend="openvino-bf16"), 1536) > 370 * MEBIBYTE


def test_windows_follow_from_the_largest_objects(network: DetectorSpec) -> None:
    card = ModelCard(name="n", classes=("building",), layout="ywcsl", largest_object=194.0)
    assert choose_windows(card, network) == (1536, 1536 - 256)
    lite = replace(network, card=msgspec.structs.replace(card, size="lite0"))
    assert choose_windows(card, lite) == (1024, 1024 - 256)
    assert choose_windows(msgspec.structs.replace(card, largest_object=5000.0), network) == (1536, 768)
    for other in ({"largest_object": None}, {"layout": "yolov5-obb"}, {"input_size": 640}):
        assert choose_windows(msgspec.structs.replace(card, **other), network) is None


def test_libraries_differ(network: DetectorSpec) -> None:
    sizes = [model_memory(replace(network, backend=name), 1024) for name in ("onnx", "openvino", "torch")]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


def test_a_plug_in_without_a_file_has_no_network(network: DetectorSpec) -> None:
    fake = replace(network, backend="package.module:factory", path="nowhere")
    assert model_memory(fake, 512) == model_memory(fake, 2048) == ONNX.private
    assert model_memory(replace(fake, path=network.path), 1024) == model_memory(network, 1024)


def test_the_merge_on_an_example() -> None:
    assert merge_memory(0) == 0
    assert merge_memory(50_000) == 50_000 * (220 + 600)
    assert merge_memory(1_000_000) == 220_000_000 + 60_000_000


def test_expected_objects_are_a_hundred_per_megapixel() -> None:
    assert expected_objects(empty_scene(30_000, 30_000)) == 90_000
    assert expected_objects(empty_scene(10, 10)) == 1


def test_a_run_of_one_scene_on_an_example(network: DetectorSpec) -> None:
    scene, settings = empty_scene(30_000, 30_000), RunSettings()
    projection = project([(scene, 1.0)], settings, network, workers=2)
    each = WORKER_BYTES + reader_memory(scene, 1024, 1.0) + 4 * 1024**2 * 3 + model_memory(network, 1024)
    assert projection.each_worker == each
    merge = MERGE_BYTES + merge_memory(90_000)
    assert projection.total == LIBRARY_BYTES + ONNX.shared + DRIVER_BYTES + merge + 2 * each
    assert projection.slot == LIBRARY_BYTES + ONNX.shared + merge + each


@pytest.mark.parametrize(("count", "workers", "merges"), [(1, 2, 1), (2, 2, 2), (9, 2, 2), (9, 0, 1)])
def test_as_many_scenes_are_merged_at_once_as_there_are_workers(
    network: DetectorSpec, count: int, workers: int, merges: int
) -> None:
    scenes = [empty_scene(5_000, 5_000, str(number)) for number in range(count)]
    projection = project([(scene, 1.0) for scene in scenes], RunSettings(), network, workers)
    assert projection.merge == merges * (MERGE_BYTES + merge_memory(2_500))


def test_one_process_does_everything(network: DetectorSpec) -> None:
    projection = project([(empty_scene(5_000, 5_000), 1.0)], RunSettings(), network, workers=0)
    shared = LIBRARY_BYTES + ONNX.shared + DRIVER_BYTES + MERGE_BYTES
    assert projection.total == shared + merge_memory(2_500) + projection.each_worker


def test_workers_do_not_grow_with_a_tiled_scene_but_with_the_tile(network: DetectorSpec) -> None:
    def each(side: int, tile: int) -> int:
        scene = empty_scene(side, side)
        return project([(scene, 1.0)], RunSettings(tile=tile, stride=tile), network, 2).each_worker

    assert each(60_000, 1024) == each(30_000, 1024)
    assert each(30_000, 512) < each(30_000, 1024) < each(30_000, 2048)


def test_the_band_of_an_untiled_scene_counts_in_each_worker() -> None:
    """30,000 columns, a window and a strip of rows, three bytes each."""
    tiled, striped = (
        project([(empty_scene(30_000, 30_000, tiled=tiled), 1.0)], RunSettings(), None, 2) for tiled in (True, False)
    )
    band = 30_000 * (1024 + 128) * 3
    assert striped.reading - tiled.reading == pytest.approx(band, rel=0.1)
    assert striped.model == 0


def test_the_projection_as_json_adds_up(network: DetectorSpec) -> None:
    plan = make_plan([empty_scene(9_000, 9_000)], RunSettings(), network)
    told = plan.memory(3).to_json()
    assert told.pop("workers") == 3
    each = sum(told[f"{name}_bytes"] for name in ("worker", "reading", "windows", "model"))
    shared = sum(told[f"{name}_bytes"] for name in ("libraries", "driver", "merge"))
    assert shared + 3 * each == plan.memory(3).total
    assert len(told) == 7


def test_parts_add_up() -> None:
    parts = {"libraries": 100, "driver": 20, "worker": 5, "reading": 4, "windows": 2, "model": 1, "objects": 3}
    merge = MERGE_BYTES + 3
    assert Projection(**parts, merges=1, workers=0).total == 120 + merge + 12
    assert Projection(**parts, merges=2, workers=3).total == 120 + 2 * merge + 36
