"""Detection in images that a server gives out: the same findings, no secrets kept, failures survived."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio.shutil

from command import Command
from red_cells import write_red_cells
from servers import FileServer, file_server
from swathe.detections import Detections

GRID = ("--tile", "128", "--stride", "96")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Two scenes in tiles."""
    monkeypatch.setenv("GDAL_HTTP_RETRY_DELAY", "0.01")
    for name in ("one", "two"):
        plain = write_red_cells(tmp_path / f"plain-{name}.tif").path
        options = {"tiled": True, "blockxsize": 64, "blockysize": 64}
        rasterio.shutil.copy(plain, tmp_path / "scenes" / f"{name}.tif", driver="GTiff", **options)
    with file_server(tmp_path / "scenes") as running:
        yield running


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scenes").mkdir()
    return tmp_path / "scenes"


def assert_same_findings(one: Path, other: Path) -> None:
    first, second = Detections.open(one), Detections.open(other)
    assert len(first) > 0
    assert np.array_equal(first.boxes, second.boxes)
    assert first.scene_ids.tolist() == second.scene_ids.tolist()


def test_findings_equal_those_of_the_files(
    command: Command, server: FileServer, folder: Path, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("\n".join(["# scenes", server.url("one.tif?key=secret"), server.url("two.tif")]))
    words = ("-m", tiny_model, *GRID)
    assert command("detect", folder, *words, "--workers", "0", "-o", tmp_path / "local").code == 0
    # In a process of its own, which has to learn how to reach the server.
    outcome = command("detect", f"@{tmp_path}/list.txt", *words, "--workers", "1", "-o", tmp_path / "remote")
    assert outcome.code == 0
    assert_same_findings(tmp_path / "local", tmp_path / "remote")
    uris = {scene.id: scene.uri for scene in Detections.open(tmp_path / "remote").scenes.values()}
    assert uris == {name: server.url(f"{name}.tif") for name in ("one", "two")}
    kept = b"".join(path.read_bytes() for path in (tmp_path / "remote").rglob("*") if path.is_file())
    assert b"one.tif" in kept
    assert b"secret" not in kept
    assert "secret" not in outcome.out + outcome.err
    signed_anew = (server.url("one.tif?key=other"), server.url("two.tif"))
    again = command("detect", *signed_anew, *words, "--workers", "0", "-o", tmp_path / "remote", "--json")
    assert [line["event"] for line in again.lines] == ["summary"]


def test_a_server_that_fails_in_the_middle_costs_one_scene_until_the_next_run(
    command: Command, server: FileServer, folder: Path, tiny_model: Path, tmp_path: Path
) -> None:
    words = ("-m", tiny_model, "--workers", "0", *GRID)
    sources = (server.url("one.tif"), server.url("two.tif"))
    assert command("detect", folder, *words, "-o", tmp_path / "local").code == 0
    server.behave(broken={"one.tif": (folder / "one.tif").stat().st_size // 2})
    outcome = command("detect", *sources, *words, "-o", tmp_path / "remote", "--json")
    assert outcome.code == 6
    assert outcome.lines[-1]["failed"].keys() == {"one"}
    assert "the same command again" in outcome.lines[-1]["failed"]["one"]
    assert set(Detections.open(tmp_path / "remote").scene_ids.tolist()) == {"two"}
    server.behave(broken={})
    again = command("detect", *sources, *words, "-o", tmp_path / "remote", "--json")
    assert again.code == 0
    assert again.lines[-1]["resumed_windows"] >= again.lines[-1]["windows"] / 2
    assert_same_findings(tmp_path / "local", tmp_path / "remote")
