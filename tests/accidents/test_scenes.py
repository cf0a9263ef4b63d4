"""One bad scene among many; a scene that is replaced while it is read.

`make accidents` takes a thousand scenes, SWATHE_SCENES sets how many.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import swathe
from accidents.conftest import Report
from accidents.runs import TILE, tree
from command import Command
from red_cells import RedCells, write_red_cells
from swathe.errors import PartialError
from swathe.files import LocalFolder
from swathe.store import open_store

SCENES = int(os.environ.get("SWATHE_SCENES", "12"))


def objects(scene: RedCells) -> int:
    return len(scene.ships) + len(scene.planes)


def truncate(path: Path) -> None:
    """Cut a file in the middle of its pixels; its head stays whole."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 5])


def test_one_bad_scene_among_many(command: Command, tiny_model: Path, tmp_path: Path, report: Report) -> None:
    folder, pattern = tmp_path / "scenes", write_red_cells(tmp_path / "pattern.tif", width=160, height=160)
    folder.mkdir()
    for number in range(SCENES):
        shutil.copy(pattern.path, folder / f"scene-{number:04d}.tif")
    bad = folder / f"scene-{SCENES // 3:04d}.tif"
    truncate(bad)
    words = ["detect", folder, "-m", tiny_model, "--tile", TILE, "--workers", 0, "--json", "-o"]
    outcome = command(*words, tmp_path / "store")
    assert outcome.code == 6, outcome.err
    assert "Traceback" not in outcome.err
    assert bad.stem in outcome.err
    summary = outcome.lines[-1]
    assert list(summary["failed"]) == [bad.stem]
    assert len(summary["scenes"]) == SCENES - 1
    assert summary["detections"] == (SCENES - 1) * objects(pattern)
    assert len(swathe.Detections.open(tmp_path / "store").scenes) == SCENES - 1

    shutil.copy(pattern.path, bad)
    mended = command(*words, tmp_path / "store")
    assert mended.code == 0, mended.err
    looked_at = {event["scene"] for event in mended.lines if event["event"] == "batch_finished"}
    assert looked_at == {bad.stem}
    assert mended.lines[-1]["detections"] == SCENES * objects(pattern)
    assert command(*words, tmp_path / "fresh").code == 0
    assert tree(tmp_path / "store") == tree(tmp_path / "fresh"), "as if it had never been broken"
    report(f"One truncated scene among {SCENES}: named, exit code 6, {SCENES - 1} stored; mended: only it is looked at")


def test_python_gets_the_good_scenes_with_the_error(tiny_model: Path, tmp_path: Path) -> None:
    good, bad = (write_red_cells(tmp_path / f"{name}.tif") for name in ("good", "bad"))
    truncate(bad.path)
    with pytest.raises(PartialError, match=r"bad.*damaged") as caught:
        swathe.detect([good.path, bad.path], tiny_model, tile=TILE, workers=0)
    assert list(caught.value.failed) == ["bad"]
    assert caught.value.detections is not None
    assert set(caught.value.detections.scene_ids.tolist()) == {"good"}
    assert len(caught.value.detections) == objects(good)


def test_a_scene_that_is_the_only_one_and_bad_is_known_as_failed(
    command: Command, tiny_model: Path, tmp_path: Path
) -> None:
    scene = write_red_cells(tmp_path / "scene.tif", width=160, height=160)
    truncate(scene.path)
    words = ["detect", scene.path, "-m", tiny_model, "-o", tmp_path / "store", "--tile", TILE, "--workers", 0]
    assert command(*words).code == 3
    (known,) = open_store(tmp_path / "store").scenes()
    assert (known.state, known.detections) == ("failed", 0)
    assert "scene.tif" in known.reason
    write_red_cells(scene.path, width=160, height=160)
    assert command(*words).code == 0


@pytest.mark.parametrize("way", ["in place", "by renaming"])
def test_a_scene_replaced_while_it_is_read_is_not_mixed(
    command: Command, tiny_model: Path, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    scene = write_red_cells(tmp_path / "scene.tif", width=1200, height=900)
    other = write_red_cells(tmp_path / "other.tif")
    store = tmp_path / "store"
    words = ["detect", scene.path, "-m", tiny_model, "--tile", TILE, "--workers", 0, "-o"]

    def put_and_replace(folder: LocalFolder, name: str, data: bytes | memoryview) -> None:
        """With the first part; what comes after it is being read ahead then."""
        put(folder, name, data)
        if "/part-" not in name or len(list(store.glob(".work/*/*/part-*"))) > 1:
            return
        if way == "in place":
            shutil.copy(other.path, scene.path)
        else:
            shutil.copy(other.path, tmp_path / "scene.new")
            (tmp_path / "scene.new").rename(scene.path)

    put = LocalFolder.put
    with monkeypatch.context() as patch:
        patch.setattr(LocalFolder, "put", put_and_replace)
        outcome = command(*words, store)
    assert (outcome.code, outcome.is_one_error) == (3, True), outcome.err
    assert "has changed since the run was planned" in outcome.err
    assert len(swathe.Detections.open(store)) == 0
    assert command(*words, store).code == 0
    assert len(swathe.Detections.open(store)) == objects(other)
    assert command(*words, tmp_path / "fresh").code == 0
    assert tree(store) == tree(tmp_path / "fresh"), "nothing is left of the first picture"
    report(f"A scene replaced {way} while it was read: noticed, nothing stored; the rerun is of the new picture alone")
