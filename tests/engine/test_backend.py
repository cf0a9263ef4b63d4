"""A faster backend is taken by itself where it finds the same objects, and a run stays on the one it was begun with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from red_cells import RedCells, write_red_cells
from requirements import need
from swathe.detectors import agreement
from swathe.detectors.protocol import DetectorSpec, Tile, TileDetections
from swathe.detectors.registry import open_detector, resolve_model
from swathe.engine import backend
from swathe.engine.backend import choose_backend
from swathe.engine.plan import make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.errors import ModelError
from swathe.raster.opening import open_scene
from swathe.store import open_store

need("onnxruntime")
SETTINGS = RunSettings(tile=128, stride=96, workers=0)


class Stub:
    """Finds the same rectangles in every tile, moved by so much."""

    def __init__(self, spec: DetectorSpec, shift: float, count: int = 30) -> None:
        self.spec, self._shift, self._count = spec, shift, count
        self.looked = 0

    def detect(self, tiles: Sequence[Tile]) -> list[TileDetections]:
        """Find them."""
        self.looked += len(tiles)
        places = np.arange(self._count) * 10.0
        boxes = np.column_stack([places + self._shift, places, *np.full((3, self._count), [[9.0], [6.0], [0.2]])])
        found = TileDetections(boxes, np.full(self._count, 0.9), np.zeros(self._count, np.int64))
        return [found] * len(tiles)


@pytest.fixture
def scene(tmp_path: Path) -> RedCells:
    """A scene with data everywhere."""
    return write_red_cells(tmp_path / "harbour.tif")


@pytest.fixture
def exact(tiny_model: Path) -> DetectorSpec:
    """The backend that is always there."""
    return resolve_model(tiny_model)[0]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Pretend that the CPU is fast and both find the same; list what is opened."""
    backends: list[str] = []

    def open_stub(spec: DetectorSpec) -> Stub:
        backends.append(spec.backend)
        return Stub(spec, 0.1 if spec.backend == backend.FAST else 0.0)

    cpu = tmp_path / "cpuinfo"
    cpu.write_text("model name\t: any\nflags\t\t: fpu avx512_bf16\n")
    monkeypatch.setattr(backend, "CPU_INFO", cpu)
    monkeypatch.setattr(backend, "find_spec", lambda name: name)
    monkeypatch.setattr(backend, "version", "{:.0}1".format)
    monkeypatch.setattr(backend, "open_detector", open_stub)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return backends


def test_one_that_finds_the_same_is_taken_and_that_is_decided_once(
    exact: DetectorSpec, scene: RedCells, opened: list[str]
) -> None:
    first = choose_backend(exact, SETTINGS, None, [str(scene.path)])
    assert first.detector == replace(exact, backend="openvino-bf16")
    assert first.reason.startswith("openvino-bf16; 100.0% of ")
    assert sorted(opened) == ["onnx", "openvino-bf16"]
    assert choose_backend(exact, SETTINGS, None, [str(scene.path)]) == first
    assert choose_backend(exact, SETTINGS, None, ()) == first, "a plan need not look"
    assert len(opened) == 2
    other = replace(exact, sha256="another model")
    assert choose_backend(other, SETTINGS, None, ()).detector == other


def test_one_that_finds_something_else_is_not(
    exact: DetectorSpec, scene: RedCells, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "open_detector", lambda spec: Stub(spec, 3.0 * (spec.backend == backend.FAST)))
    chosen = choose_backend(exact, SETTINGS, None, [str(scene.path)])
    assert chosen.detector == exact
    assert chosen.reason.startswith("onnx; 0.0% of ")


def test_where_nothing_is_found_nothing_is_decided(
    exact: DetectorSpec, scene: RedCells, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "open_detector", lambda spec: Stub(spec, 0.0, count=0))
    chosen = choose_backend(exact, SETTINGS, None, [str(scene.path)])
    assert (chosen.detector, "too little" in chosen.reason) == (exact, True)
    assert not (backend.cache_folder() / "backends.json").exists()


def test_one_that_cannot_run_the_model_is_not_taken(
    exact: DetectorSpec, scene: RedCells, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(spec: DetectorSpec) -> Stub:
        if spec.backend == backend.FAST:
            raise ModelError("an operation is not known")
        return Stub(spec, 0.0)

    monkeypatch.setattr(backend, "open_detector", refuse)
    chosen = choose_backend(exact, SETTINGS, None, [str(scene.path)])
    assert chosen == (exact, "onnx; openvino-bf16 cannot run this model")


def test_a_run_stays_on_the_backend_that_it_was_begun_with(
    exact: DetectorSpec, scene: RedCells, opened: list[str], tmp_path: Path
) -> None:
    store = open_store(tmp_path / "store", create=True)
    run_plan(make_plan([open_scene(scene.path)], SETTINGS, exact), store)
    chosen = choose_backend(exact, SETTINGS, tmp_path / "store", [str(scene.path)])
    assert chosen.detector == exact
    assert opened == []
    others = replace(SETTINGS, tile=192, stride=96)
    assert choose_backend(exact, others, tmp_path / "store", [str(scene.path)]).detector.backend == "openvino-bf16"


@pytest.mark.parametrize("content", ["", "[1, 2]", "{"])
def test_a_damaged_record_is_made_anew(exact: DetectorSpec, scene: RedCells, opened: list[str], content: str) -> None:
    record = backend.cache_folder() / "backends.json"
    record.parent.mkdir(parents=True)
    record.write_text(content)
    assert choose_backend(exact, SETTINGS, None, [str(scene.path)]).detector.backend == "openvino-bf16"
    assert len(json.loads(record.read_text())) == 1


def test_another_device_is_obeyed(exact: DetectorSpec, scene: RedCells) -> None:
    on_card = replace(exact, device="cuda")
    assert choose_backend(on_card, SETTINGS, None, [str(scene.path)]).detector == on_card


def test_agreement_counts_both_ways(exact: DetectorSpec) -> None:
    tile = Tile(np.zeros((128, 128, 3), np.uint8), "s", 1.0, 0, 0, 128, 128)
    few, many = Stub(exact, 0.0, count=25), Stub(exact, 0.0, count=50)
    for one, other in ((few, many), (many, few)):
        found = agreement.compare(one, other, [tile])
        assert found.share == 0.5
        assert not found.is_enough
    assert agreement.compare(few, few, [tile]).is_enough
    assert not agreement.compare(Stub(exact, 0.0, 5), Stub(exact, 0.0, 5), [tile]).is_enough, "too few to tell"


def test_both_find_the_red_cells(exact: DetectorSpec, scene: RedCells) -> None:
    need("openvino")
    if not any(flag in Path("/proc/cpuinfo").read_text() for flag in backend.FAST_FLAGS):
        pytest.skip("this CPU has no bfloat16")
    tiles = list(backend._sample(str(scene.path), SETTINGS, 128, exact.card))
    assert len(tiles) >= 6
    fast = replace(exact, backend=backend.FAST, tile=128)
    found = agreement.compare(open_detector(replace(exact, tile=128)), open_detector(fast), tiles)
    assert found.detections > 5
    assert found.share == 1.0
