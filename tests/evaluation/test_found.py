"""Reading detections of each kind, and what is said about damaged ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from swathe import boxes
from swathe.detections import Detections, SceneInfo
from swathe.errors import SourceError, UsageError
from swathe.evaluation import Found, from_detections, read_found, read_task1

if TYPE_CHECKING:
    from pathlib import Path

LINE = "P0001 0.5 0 0 10 0 10 10 0 10"


def folder_with(tmp_path: Path, text: str, name: str = "Task1_storage-tank.txt") -> Path:
    (tmp_path / name).write_bytes(text.encode())
    return tmp_path


def test_task1(tmp_path: Path) -> None:
    folder_with(tmp_path, f"\ufeff{LINE}\r\n\r\nP0002  1e-3 -1.5 0 1 0 1 1 0 1  \r\n")
    folder_with(tmp_path, "", "Task1_ship.txt")
    folder_with(tmp_path, "not looked at", "readme.txt")
    found = read_task1(tmp_path)
    assert found.images.tolist() == ["P0001", "P0002"]
    assert found.classes.tolist() == ["storage-tank", "storage-tank"]
    assert found.scores.tolist() == [0.5, 0.001]
    assert found.polygons[1].tolist() == [[-1.5, 0], [1, 0], [1, 1], [0, 1]]
    assert found.searched is None
    assert len(read_found(tmp_path)) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("P0001 0.5 0 0 10 0 10 10 0", "has 9 fields"),
        (f"{LINE} 7", "has 11 fields"),
        (LINE.replace("0.5", "high"), "high"),
        (LINE.replace("0.5", "nan"), "not finite"),
        (LINE.replace("10 10", "10 inf"), "not finite"),
    ],
)
def test_damaged_lines_are_named(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        read_task1(folder_with(tmp_path, f"{LINE}\n{line}\n"))
    assert "Task1_storage-tank.txt, line 2" in str(caught.value)
    assert line in str(caught.value)


def test_binary_results_are_refused(tmp_path: Path) -> None:
    (tmp_path / "Task1_ship.txt").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(SourceError, match="not UTF-8"):
        read_task1(tmp_path)


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        read_found(tmp_path / "missing")
    with pytest.raises(SourceError, match="neither a store"):
        read_found(tmp_path)
    (tmp_path / "found.csv").write_text("a,b\n")
    with pytest.raises(SourceError, match="not a GeoParquet file"):
        read_found(tmp_path / "found.csv")


def detections_of(run: str, *scenes: str) -> Detections:
    parts = []
    for scene in scenes:
        info = SceneInfo(scene, f"/scenes/{scene}.png", 100, 100)
        rows = [[10, 20, 8, 4, 0.5], [40, 20, 8, 4, -0.5]]
        parts.append(Detections.from_arrays(rows, [0.9, 0.8], [0, 1], ["ship", "plane"], info, run))
    return Detections.concat(parts)


def test_detections() -> None:
    found = from_detections(detections_of("first", "P1", "P2"))
    assert found.images.tolist() == ["P1", "P1", "P2", "P2"]
    assert found.classes.tolist() == ["ship", "plane"] * 2
    assert found.scores.tolist() == [0.9, 0.8] * 2
    assert np.array_equal(found.polygons[2], boxes.to_polygons([[10, 20, 8, 4, 0.5]])[0])
    assert found.searched == ("P1", "P2")
    assert len(from_detections(Detections.empty(["ship"]))) == 0


def test_runs_are_evaluated_one_at_a_time() -> None:
    both = Detections.concat([detections_of("first", "P1"), detections_of("second", "P1", "P2")])
    with pytest.raises(UsageError, match="first, second"):
        from_detections(both)
    with pytest.raises(UsageError, match="no run 'third'"):
        from_detections(both, run="third")
    assert from_detections(both, run="second").images.tolist() == ["P1", "P1", "P2", "P2"]


@pytest.mark.parametrize("name", ["store", "found.parquet"])
def test_a_store_and_a_geoparquet_file_read_alike(tmp_path: Path, name: str) -> None:
    detections = detections_of("first", "P1", "P2")
    detections.save(tmp_path / name)
    found, expected = read_found(tmp_path / name), from_detections(detections.sorted())
    assert found.images.tolist() == expected.images.tolist()
    assert found.classes.tolist() == expected.classes.tolist()
    assert np.array_equal(found.polygons, expected.polygons)
    assert np.array_equal(found.scores, expected.scores)


def test_text_files_have_no_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no runs"):
        read_found(folder_with(tmp_path, LINE), run="first")


@pytest.mark.parametrize(
    ("scores", "polygons"),
    [([0.5], np.zeros((2, 4, 2))), ([0.5], np.full((1, 4, 2), np.nan)), ([0.5], np.zeros((1, 3, 2)))],
)
def test_columns_must_fit(scores: list[float], polygons: np.ndarray) -> None:
    with pytest.raises(UsageError):
        Found(np.array(["a"]), np.array(["ship"]), np.asarray(scores), polygons)
