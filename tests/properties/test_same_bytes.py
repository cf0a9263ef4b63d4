"""Any two executors give byte-identical stores for the same plan; so does a run that was killed and resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from swathe.engine.events import BatchFinished, Progress, ProgressEvent, RunSummary
from swathe.engine.run import run_detection
from swathe.engine.settings import RunSettings
from swathe.raster.opening import open_scene
from swathe.raster.scene import Scene
from swathe.store.geoparquet import GeoParquetStore
from swathe.testing.fakes import Fault, write_script
from swathe.testing.scenes import ObjectRule, SyntheticScene, synthetic_scene, write_geotiff

SETTINGS = RunSettings(tile=192, stride=112, scales=(0.5, 1.0), workers=0)
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
UTM = (0.5, 0.0, 300_000.0, 0.0, -0.5, 3_050_000.0)


@pytest.fixture
def truth() -> list[SyntheticScene]:
    """A scene for a tiled and one for an untiled file."""
    rule = ObjectRule(count=30)
    return [
        synthetic_scene(700, 600, seed=seed, rule=rule, scene_id=name) for seed, name in ((1, "tiled"), (2, "rows"))
    ]


@pytest.fixture
def scenes(tmp_path: Path, truth: list[SyntheticScene]) -> list[Scene]:
    """The same as real files, one of them with a place on the ground."""
    tiled = write_geotiff(truth[0], tmp_path / "tiled.tif", crs="EPSG:32645", transform=UTM, overviews=(2,))
    return [open_scene(tiled), open_scene(write_geotiff(truth[1], tmp_path / "rows.tif", tiled=False))]


def published(folder: Path) -> dict[str, bytes]:
    """Everything in a store; a finished one holds no work."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_serial_processes_and_resumed_runs_agree(
    tmp_path: Path, truth: list[SyntheticScene], scenes: list[Scene]
) -> None:
    script, log = tmp_path / "script.json", tmp_path / "log"

    def run(name: str, workers: int, progress: Progress | None = None) -> RunSummary:
        folder = tmp_path / name
        store = GeoParquetStore(folder) if folder.exists() else GeoParquetStore.create(folder)
        return run_detection(scenes, spec, store, replace(SETTINGS, workers=workers), progress=progress)

    def interrupt(event: ProgressEvent) -> None:
        if isinstance(event, BatchFinished) and event.done_windows > event.total_windows / 2:
            raise KeyboardInterrupt

    spec = write_script(truth, script, clip="own", log=log, faults=[Fault("kill", "rows", 12)])
    with pytest.raises(KeyboardInterrupt):
        run("killed", 2, interrupt)  # a worker is lost, too
    resumed = run("killed", 2)
    assert 0 < resumed.resumed_windows < resumed.windows
    run("serial", 0)
    assert published(tmp_path / "serial") == published(tmp_path / "killed")
    found = GeoParquetStore(tmp_path / "serial").scan()
    assert len(found) == sum(len(scene.boxes) for scene in truth) == resumed.detections
    assert not found.cut.any()


def test_a_file_that_disappears_fails_alone(tmp_path: Path, truth: list[SyntheticScene], scenes: list[Scene]) -> None:
    spec = write_script(truth, tmp_path / "script.json")
    Path(scenes[1].uri).unlink()
    store = GeoParquetStore.create(tmp_path / "store")
    summary = run_detection(scenes, spec, store, SETTINGS)
    assert "rows.tif" in summary.failed["rows"]
    assert summary.detections == len(truth[0].boxes) == len(store.scan())
    assert store.manifest(summary.run) is None
