"""Any two executors give the same bytes for the same plan; so do runs that were killed and resumed, or grew slowly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from swathe.engine.events import BatchFinished, Progress, ProgressEvent, RunSummary
from swathe.engine.plan import make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.raster.opening import open_scene
from swathe.raster.scene import Scene
from swathe.store import open_store, read
from swathe.testing.fakes import Fault, write_script
from swathe.testing.scenes import ObjectRule, SyntheticScene, synthetic_scene, write_geotiff
from swathe.testing.suites.executor import files_of

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


Run = Callable[..., RunSummary]


@pytest.fixture
def run(tmp_path: Path, truth: list[SyntheticScene], scenes: list[Scene]) -> Run:
    """Carries out runs over the scenes, or some of them, into stores by name."""

    def run(
        name: str,
        workers: int,
        progress: Progress | None = None,
        faults: Sequence[Fault] = (),
        only: slice = slice(None),
    ) -> RunSummary:
        spec = write_script(truth, tmp_path / "script.json", clip="own", log=tmp_path / "log", faults=faults)
        plan = make_plan(scenes[only], replace(SETTINGS, workers=workers), spec)
        return run_plan(plan, open_store(tmp_path / name, create=True), progress=progress)

    return run


def bytes_of(folder: Path) -> dict[str, bytes | None]:
    """The detection files of a store, and that no work is left in it."""
    store = open_store(folder)
    assert all(not store.workspace(known.id).names() for known in store.runs())
    return files_of(store)


def test_serial_processes_and_resumed_runs_agree(tmp_path: Path, truth: list[SyntheticScene], run: Run) -> None:
    def interrupt(event: ProgressEvent) -> None:
        if isinstance(event, BatchFinished) and event.done_windows > event.total_windows / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("killed", 2, interrupt, [Fault("kill", "rows", 12)])  # a worker is lost, too
    resumed = run("killed", 2)
    assert 0 < resumed.resumed_windows < resumed.windows
    run("serial", 0)
    assert bytes_of(tmp_path / "serial") == bytes_of(tmp_path / "killed")
    found = read(open_store(tmp_path / "serial"))
    assert len(found) == sum(len(scene.boxes) for scene in truth) == resumed.detections
    assert not found.cut.any()


def test_scenes_added_one_by_one_agree(tmp_path: Path, run: Run) -> None:
    whole = run("whole", 2)
    second = run("grown", 0, only=slice(1, 2))
    first = run("grown", 1, only=slice(0, 1))
    assert whole.run == first.run == second.run
    assert bytes_of(tmp_path / "whole") == bytes_of(tmp_path / "grown")
    both = run("grown", 2)
    assert both.resumed_windows == both.windows
    assert (both.detections, both.per_class) == (whole.detections, whole.per_class)


def test_two_processes_that_add_scenes_at_once_agree(tmp_path: Path, run: Run) -> None:
    """One looks at both scenes, the other one at one of them, while the first one works."""
    others: list[RunSummary] = []

    def meanwhile(event: ProgressEvent) -> None:
        if isinstance(event, BatchFinished) and not others:
            others.append(run("shared", 0, only=slice(1, 2)))

    run("whole", 2)
    summary = run("shared", 2, meanwhile)
    assert others[0].scenes == ("rows",)
    assert summary.scenes == ("rows", "tiled")
    assert bytes_of(tmp_path / "whole") == bytes_of(tmp_path / "shared")


def test_a_file_that_disappears_fails_alone(tmp_path: Path, truth: list[SyntheticScene], scenes: list[Scene]) -> None:
    spec = write_script(truth, tmp_path / "script.json")
    Path(scenes[1].uri).unlink()
    store = open_store(tmp_path / "store", create=True)
    summary = run_plan(make_plan(scenes, SETTINGS, spec), store)
    assert "rows.tif" in summary.failed["rows"]
    assert summary.detections == len(truth[0].boxes) == len(read(store))
    assert store.runs()[0].failed == 1
