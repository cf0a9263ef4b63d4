"""A disk that is full or read-only, at every kind of write: a clear error, nothing half-written, a rerun resumes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from accidents.conftest import Report
from accidents.faults import disk
from accidents.mounts import fill, read_only, small_disk
from accidents.runs import STRIDE, TILE, sha256, tree
from command import Command
from red_cells import write_red_cells

KIBIBYTE = 1 << 10
EVERY = int(os.environ.get("SWATHE_EVERY_WRITE", "40"))  # 1: each single call is made to fail, one after the other
GRID = ("--tile", TILE, "--stride", STRIDE, "--workers", 0, "--json")
# Bytes that are free when the run begins, so that it fails at its store, its ledger, its parts, its scenes.
FREE = (0, 4, 8, 12, 16, 24, 32, 40, 48, 64)[:: 1 if EVERY == 1 else 4]


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """A folder with two scenes."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    write_red_cells(folder / "north.tif", width=300, height=300)
    write_red_cells(folder / "south.tif", width=300, height=200)
    return folder


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("ballast"))


def test_every_call_that_can_fail_fails_once(
    command: Command,
    scenes: Path,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    report: Report,
) -> None:
    words = ("detect", scenes, "-m", tiny_model, *GRID, "-o")
    monkeypatch.setattr("swathe.engine.driver.COMMIT_SECONDS", 3600.0)  # every run makes the same calls
    with disk() as account:
        assert command(*words, tmp_path / "whole").code == 0
    whole = tree(tmp_path / "whole")
    numbers = range(0, len(account.calls), EVERY)
    for number in numbers:
        with disk(number):
            outcome = command(*words, tmp_path / "store")
        # The last call only brings a name to the disk: that it fails is told, but all is done.
        assert outcome.code == 5, (number, outcome)
        assert outcome.is_one_error
        assert str(tmp_path / "store") in outcome.err
        assert "disk or the quota is full" in outcome.err
        assert "run the same command again" in outcome.err
        for path in tmp_path.glob("store/detections/*/[!.]*.parquet"):
            assert whole[str(path.relative_to(tmp_path / "store"))] == sha256(path)
        assert command(*words, tmp_path / "store").code == 0
        assert tree(tmp_path / "store") == whole
        shutil.rmtree(tmp_path / "store")
    calls = f"{len(numbers)} of the {len(account.calls)} calls"
    report(f"Disk full from the n-th call on, for {calls}: told, nothing half-written; the rerun: same bytes")


def test_a_run_on_a_disk_that_is_full_resumes_when_there_is_space(
    command: Command, scenes: Path, tiny_model: Path, tmp_path: Path, report: Report
) -> None:
    words = ("detect", scenes, "-m", tiny_model, *GRID, "-o")
    assert command(*words, tmp_path / "whole").code == 0
    failed = 0
    with small_disk(tmp_path / "disk", 1024 * KIBIBYTE) as place:
        for free in FREE:
            ballast = fill(place, free * KIBIBYTE)
            outcome = command(*words, place / "store")
            failed += outcome.code == 5
            assert outcome.code in (0, 5), outcome.err
            assert outcome.code == 0 or (outcome.is_one_error and "disk or the quota is full" in outcome.err)
            ballast.unlink()
            assert command(*words, place / "store").code == 0
            assert tree(place / "store") == tree(tmp_path / "whole")
            assert visible(place) == ["store"]
            shutil.rmtree(place / "store")
    assert failed > len(FREE) // 2
    free = f"{FREE[0]} to {FREE[-1]} KiB"
    report(f"tmpfs with {free} left, {len(FREE)} times: {failed} runs failed and told; the rerun: same bytes")


WRITERS = {
    "found.geojson": ("query", "STORE", "-o"),
    "found.gpkg": ("query", "STORE", "-o"),
    "found.fgb": ("query", "STORE", "-o"),
    "found.csv": ("query", "STORE", "-o"),
    "found.coco.json": ("query", "STORE", "-o"),
    "found.parquet": ("query", "STORE", "-o"),
    "picture.png": ("draw", "STORE", "--scene", "north", "-o"),
    "north.tif": ("convert", "SCENE", "-o"),
}


@pytest.mark.parametrize("name", list(WRITERS))
def test_a_file_on_a_full_disk_is_there_as_a_whole_or_not_at_all(
    command: Command, scenes: Path, tiny_model: Path, tmp_path: Path, name: str, report: Report
) -> None:
    assert command("detect", scenes, "-m", tiny_model, *GRID, "-o", tmp_path / "store").code == 0
    places = {"STORE": tmp_path / "store", "SCENE": scenes / "north.tif"}
    words = [places.get(word, word) for word in WRITERS[name]]
    with small_disk(tmp_path / "disk", 2048 * KIBIBYTE) as place:
        for free in (0,) if words[0] == "convert" else (0, 4):  # the small scene would fit into 4 KiB
            ballast = fill(place, free * KIBIBYTE)
            outcome = command(*words, place / name)
            assert (outcome.code, outcome.is_one_error) == (5, True), outcome.err
            assert str(place / name) in outcome.err
            assert "full" in outcome.err
            assert visible(place) == []
            ballast.unlink()
        read_only(place)
        outcome = command(*words, place / name)
        assert (outcome.code, outcome.is_one_error) == (5, True), outcome.err
        assert "read-only" in outcome.err
        read_only(place, on=False)
        assert command(*words, place / name).code == 0
        style = ["found.qml"] if name == "found.gpkg" else []  # goes beside a GeoPackage
        assert visible(place) == [name, *style]
    report(f"Full and read-only disk for {name}: told, nothing left; then written")


def test_a_store_on_a_read_only_disk(
    command: Command, scenes: Path, tiny_model: Path, tmp_path: Path, report: Report
) -> None:
    words = ("detect", scenes, "-m", tiny_model, *GRID, "-o")
    with small_disk(tmp_path / "disk", 1024 * KIBIBYTE) as place:
        read_only(place)
        for _ in range(2):
            outcome = command(*words, place / "store")
            assert (outcome.code, outcome.is_one_error) == (5, True), outcome.err
            assert "the file system is read-only" in outcome.err
            # Once without a store, once with an unfinished one.
            read_only(place, on=False)
            with disk(25):
                assert command(*words, place / "store").code == 5
            read_only(place)
        read_only(place, on=False)
        assert command(*words, place / "store").code == 0
        read_only(place)
        assert command(*words, place / "store").code == 0, "there is nothing to write"
        assert command("query", place / "store", "--json").code == 0
    report("Read-only disk, without a store, with an unfinished and with a finished one: told; reading works")
