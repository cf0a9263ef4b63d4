"""`swathe query` and `swathe draw` on a store with known content."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.warp import transform

import swathe
from red_cells import RedCells, write_red_cells
from swathe.detections import Detections
from swathe.query import Query, reference_filter

if TYPE_CHECKING:
    from command import Command


@pytest.fixture(scope="module")
def everything(store: Path) -> Detections:
    """All that the store holds."""
    return Detections.open(store)


def region_of(found: Detections, number: int) -> tuple[float, float, float, float]:
    """Return a box around the centre of a detection, in geometry coordinates."""
    x, y = found.to_polygons("geometry")[number].mean(axis=0)
    return float(x - 1e-5), float(y - 1e-5), float(x + 1e-5), float(y + 1e-5)


def test_table_shows_the_best(command: Command, store: Path, everything: Detections) -> None:
    outcome = command("query", store)
    assert outcome.code == 0
    assert "longitude" in outcome.out
    assert f"{len(everything)} detections" in outcome.out


def test_conditions_equal_the_reference_filter(
    command: Command, store: Path, everything: Detections, tmp_path: Path
) -> None:
    box = region_of(everything, 3)
    ring = [[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]], [box[0], box[1]]]
    polygon = tmp_path / "area.geojson"
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    polygon.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    cases = [
        (("--box", *box), Query(box=box)),
        (("--polygon", polygon), Query(polygon=tuple((x, y) for x, y in ring))),
        (("--classes", "ship"), Query(classes=("ship",))),
        (("--min-score", 0.9999), Query(min_score=0.9999)),
        (("--scenes", "elsewhere"), Query(scenes=("elsewhere",))),
        (("--limit", 3, "--classes", "plane"), Query(limit=3, classes=("plane",))),
        (("--near", f"{box[0]},{box[1]},9.5"), Query(near=(box[0], box[1], 9.5))),
        (("--length", "10.."), Query(length=(10, None))),
        (("--width", "..5", "--length", "1..12.5"), Query(width=(None, 5), length=(1, 12.5))),
        (("--azimuth", "80..100"), Query(azimuth=(80, 100))),
        (("--azimuth", "170..10"), Query(azimuth=(170, 10))),
        (("--run", next(iter(everything.runs))), Query(runs=tuple(everything.runs))),
        (("--within", "--box", *box), Query(box=box, within=True)),
    ]
    for words, condition in cases:
        outcome = command("query", store, *words, "--json")
        assert outcome.code == 0
        expected = reference_filter(everything, condition)
        assert [line["id"] for line in outcome.lines[:-1]] == expected.table.column("id").to_pylist()
        assert outcome.lines[-1]["detections"] == len(expected)
    assert len(reference_filter(everything, Query(box=box))) == 1


def test_written_files_hold_the_same(command: Command, store: Path, everything: Detections, tmp_path: Path) -> None:
    for name in ("all.geojson", "all.parquet"):
        assert command("query", store, "-o", tmp_path / name).code == 0
    assert len(json.loads((tmp_path / "all.geojson").read_text())["features"]) == len(everything)
    assert Detections.open(tmp_path / "all.parquet").equals(everything)
    assert command("query", tmp_path / "all.parquet", "--classes", "ship", "--json").code == 0
    assert command("query", store, "-o", tmp_path / "task1", "--format", "dota").code == 0
    lines = sum(len(path.read_text().splitlines()) for path in (tmp_path / "task1").glob("Task1_*.txt"))
    assert lines == len(everything)
    assert command("query", store, "-o", tmp_path / "task1.zip", "--format", "dota").code == 0
    assert (tmp_path / "task1.zip").read_bytes()[:2] == b"PK"


@pytest.mark.parametrize(
    "name", ["all.gpkg", "all.fgb", "all.csv", "all.coco.json", "all.json", "all.geojson", "all.parquet"]
)
def test_the_name_decides_what_is_written(
    command: Command, store: Path, everything: Detections, tmp_path: Path, name: str
) -> None:
    assert command("query", store, "-o", tmp_path / name).code == 0
    assert (tmp_path / name).read_bytes() == everything.save(tmp_path / f"saved {name}").read_bytes()


def test_format_overrides_the_name(command: Command, store: Path, everything: Detections, tmp_path: Path) -> None:
    assert command("query", store, "-o", tmp_path / "a.json", "--format", "coco").code == 0
    assert len(json.loads((tmp_path / "a.json").read_text())["annotations"]) == len(everything)


def test_counts_by_class(command: Command, store: Path, everything: Detections) -> None:
    lines = command("query", store, "--count").out.splitlines()
    assert [line.split() for line in lines] == [
        *([str(count), name] for name, count in everything.per_class().items()),
        [str(len(everything)), "detections"],
    ]
    summary = command("query", store, "--count", "--json").lines
    assert summary == [
        {"event": "summary", "detections": len(everything), "per_class": everything.per_class(), "file": None}
    ]


def test_scenes_that_can_never_match_are_told_once(command: Command, tiny_model: Path, tmp_path: Path) -> None:
    for name, georeferenced in (("placed", True), ("plain", False)):
        write_red_cells(tmp_path / f"{name}.tif", width=128, height=128, georeferenced=georeferenced)
    pattern, path = str(tmp_path / "*.tif"), tmp_path / "store"
    assert command("detect", pattern, "-m", tiny_model, "-o", path, "--tile", 128, "--workers", 0).code == 0
    outcome = command("query", path, "--length", "0..", "--azimuth", "0..180", "--count")
    assert outcome.code == 0
    assert outcome.err.count("note: 1 of 2 scenes have no georeference") == 1
    outcome = command("query", path, "--acquired", "2024-01-01..")
    assert "2 of 2 scenes" in outcome.err
    assert command("query", path, "--min-score", 0.1).err == ""


def test_time_of_a_scene_can_be_told(command: Command, tiny_model: Path, tmp_path: Path) -> None:
    scene = write_red_cells(tmp_path / "a.tif", width=128, height=128)
    words = ("detect", scene.path, "-m", tiny_model, "-o", tmp_path / "s", "--tile", 128, "--workers", 0)
    exports = ("--export", tmp_path / "a.csv", "--export", tmp_path / "a.gpkg", "--geojson", tmp_path / "a.geojson")
    assert command(*words, "--acquired", "2024-05-01T12:00:00+02:00", *exports).code == 0
    found = Detections.open(tmp_path / "s")
    assert next(iter(found.scenes.values())).acquired == "2024-05-01T10:00:00Z"
    for period, count in (("2024-05-01..2024-05-02", len(found)), ("..2024-05-01", 0)):
        outcome = command("query", tmp_path / "s", "--acquired", period, "--json")
        assert (outcome.lines[-1]["detections"], outcome.err) == (count, "")
    for name in ("a.csv", "a.gpkg", "a.geojson"):
        assert (tmp_path / name).read_bytes() == found.save(tmp_path / f"again {name}").read_bytes()
    again = swathe.detect(scene.path, tiny_model, tile=128, workers=0, acquired="2024-05-01T10:00")
    assert again.scenes == found.scenes
    outcome = command(*words, "--acquired", "yesterday")
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert "--acquired" in outcome.err


def test_existing_output_is_kept(command: Command, store: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.geojson"
    path.write_text("mine")
    outcome = command("query", store, "-o", path)
    assert (outcome.code, outcome.is_one_error) == (5, True)
    assert "--overwrite" in outcome.err
    assert path.read_text() == "mine"
    assert command("query", store, "-o", path, "--overwrite").code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--box", 3, 3, 1, 1), 2),
        (("--limit", 0), 2),
        (("-o", "found.xyz"), 2),
        (("--polygon", "missing.geojson"), 3),
        (("--near", "1,2"), 2),
        (("--near", "1,2,far"), 2),
        (("--near", "200,2,5"), 2),
        (("--length", "5"), 2),
        (("--length", "5..x"), 2),
        (("--length", "9..5"), 2),
        (("--width", ".."), 2),
        (("--azimuth", "0..190"), 2),
        (("--azimuth", "10.."), 2),
        (("--acquired", "2024-13-01.."), 2),
        (("--acquired", "2024-01-01"), 2),
        (("--min-score", "nan"), 2),
        (("--format", "xyz", "-o", "a.gpkg"), 2),
        (("--within",), 2),
        (("--sort", "weight"), 2),
        (("--columns", "weight"), 2),
        (("--columns", "score", "--count"), 2),
        (("--columns", "score", "--json"), 2),
        (("--columns", "score", "-o", "a.coco.json"), 2),
        (("--format", "gpkg", "-o", "-"), 2),
        (("--format", "csv"), 2),
        (("--count", "-o", "a.csv"), 2),
        (("-o", "nowhere/a.csv"), 5),
    ],
)
def test_bad_conditions_are_one_line(command: Command, store: Path, words: tuple[object, ...], code: int) -> None:
    outcome = command("query", store, *words)
    assert (outcome.code, outcome.is_one_error) == (code, True)
    assert str(words[0]).strip("-") in outcome.err or words[0] == "-o"


@pytest.mark.parametrize("text", ["no json", '{"type": "Point", "coordinates": [1, 2]}', "[]"])
def test_file_that_is_no_polygon(command: Command, store: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "area.geojson").write_text(text)
    outcome = command("query", store, "--polygon", tmp_path / "area.geojson")
    assert (outcome.code, outcome.is_one_error) == (3, True)


SQUARE = [[400_000, 2_999_900], [400_100, 2_999_900], [400_100, 3_000_000], [400_000, 2_999_900]]


def test_metres_are_not_taken_for_degrees(command: Command, store: Path, tmp_path: Path) -> None:
    polygon = tmp_path / "utm.geojson"
    polygon.write_text(json.dumps({"type": "Polygon", "coordinates": [SQUARE]}))
    for words in (("--polygon", polygon), ("--box", 400_000, 2_999_900, 400_100, 3_000_000)):
        outcome = command("query", store, *words)
        assert (outcome.code, outcome.is_one_error) == (2, True)
        assert f"{words[0]} {words[1]}" in outcome.err
        assert "is not in longitude and latitude" in outcome.err


def test_latitude_before_longitude_is_told(command: Command, store: Path, everything: Detections) -> None:
    west, south, east, north = region_of(everything, 3)
    outcome = command("query", store, "--box", south, west, north, east, "--count")
    assert "1 detection with longitude and latitude exchanged; longitude comes first" in outcome.err
    assert "exchanged" not in command("query", store, "--box", 1, 1, 2, 2, "--count").err
    outcome = command("query", store, "--box", 35, 139, 36, 140)
    assert (outcome.code, "longitude comes first" in outcome.err) == (2, True)


def test_a_polygon_in_another_reference_system_matches_the_same(
    command: Command, store: Path, scene: RedCells, tmp_path: Path
) -> None:
    with rasterio.open(scene.path) as dataset:
        crs, (left, bottom, right, top) = dataset.crs, dataset.bounds
    middle = (left + right) / 2
    ring = [[left, bottom], [middle, bottom], [middle, top], [left, top], [left, bottom]]
    member = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{crs.to_epsg()}"}}
    counts = []
    for name, corners, members in (
        ("map", ring, {"crs": member}),
        ("degrees", list(zip(*transform(crs, 4326, *zip(*ring, strict=True)), strict=True)), {}),
    ):
        features = [{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [corners]}}]
        (tmp_path / name).write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}))
        counts.append(
            command("query", store, "--polygon", tmp_path / name, "--count", "--json").lines[-1]["detections"]
        )
    assert counts[0] == counts[1] > 0


def test_polygon_that_crosses_itself_is_named(command: Command, store: Path, tmp_path: Path) -> None:
    tie = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    (tmp_path / "tie.geojson").write_text(json.dumps(tie))
    outcome = command("query", store, "--polygon", tmp_path / "tie.geojson")
    assert (outcome.code, outcome.is_one_error) == (3, True)
    assert "tie.geojson: the polygon has no simple outline" in outcome.err


def test_place_without_a_store(command: Command, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        outcome = command("query", path)
        assert (outcome.code, outcome.is_one_error) == (5, True)


def test_picture_shows_boxes_where_they_are(command: Command, store: Path, scene: RedCells, tmp_path: Path) -> None:
    assert command("draw", store, "-o", tmp_path / "all.png", "--size", 448).code == 0
    with Image.open(tmp_path / "all.png") as picture:
        drawn = np.asarray(picture.convert("RGB")).astype(int)
    assert drawn.shape == (320, 448, 3)
    with Image.open(scene.path) as picture:
        plain = np.asarray(picture.convert("RGB")).astype(int)
    changed = np.abs(drawn - plain).sum(axis=2) > 60
    for cx, cy, long_side, _, theta in scene.boxes(scene.ships)[:-1]:
        end = cx + long_side / 2 * np.cos(theta), cy + long_side / 2 * np.sin(theta)
        assert changed[int(end[1]) - 1 : int(end[1]) + 2, int(end[0]) - 1 : int(end[0]) + 2].any()
        assert not changed[int(cy), int(cx)]


def test_part_of_a_scene_is_enlarged(command: Command, store: Path, tmp_path: Path) -> None:
    words = ("draw", store, "-o", tmp_path / "part.jpg", "--pixels", 100, 50, 300, 150, "--size", 600, "--scores")
    assert command(*words).code == 0
    with Image.open(tmp_path / "part.jpg") as picture:
        assert picture.size == (600, 300)
    assert command(*words).code == 5
    assert command(*words, "--overwrite").code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("-o", "picture.gif"), 2),
        (("-o", "a.png", "--size", 3), 2),
        (("-o", "a.png", "--pixels", 9000, 9000, 9100, 9100), 2),
        (("-o", "a.png", "--scene", "elsewhere"), 2),
        (("-o", "nowhere/a.png"), 5),
        (("-o", "a.png", "--image", "missing.tif"), 3),
    ],
)
def test_bad_pictures_are_one_line(
    command: Command,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[object, ...],
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = command("draw", store, *words)
    assert (outcome.code, outcome.is_one_error) == (code, True), outcome.err
    assert list(tmp_path.iterdir()) == []


def test_picture_of_another_image_is_refused(command: Command, store: Path, tmp_path: Path) -> None:
    other = write_red_cells(tmp_path / "other.tif", width=300, height=300)
    outcome = command("draw", store, "-o", tmp_path / "a.png", "--image", other.path)
    assert (outcome.code, outcome.is_one_error) == (2, True)


def test_damaged_store_names_the_file(command: Command, store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(store, copy)
    (file,) = (copy / "detections").glob("*/*.parquet")
    file.write_bytes(file.read_bytes()[:100])
    outcome = command("query", copy)
    assert (outcome.code, outcome.is_one_error) == (5, True)
    assert file.name in outcome.err


def test_reader_that_goes_away_leaves_no_traceback(store: Path) -> None:
    words = [sys.executable, "-c", "from swathe.cli.main import run; run()", "query", str(store), "--json"]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    finally:
        os.close(writing)
    assert done.stderr == ""


def test_a_name_that_nothing_bears_is_told(command: Command, store: Path) -> None:
    outcome = command("query", store, "--count", "--classes", "shpi", "--scene", "nowhere")
    assert outcome.code == 0
    assert "note: there is no scene 'nowhere' here" in outcome.err
    misspelt = command("query", store, "--count", "--classes", "shpi")
    assert "note: there is no class 'shpi' here; did you mean 'ship'?" in misspelt.err
    assert "note" not in command("query", store, "--count", "--classes", "ship").err


def test_objects_of_several_runs_are_told(
    command: Command, store: Path, scene: RedCells, tiny_model: Path, tmp_path: Path
) -> None:
    two_runs = tmp_path / "two"
    shutil.copytree(store, two_runs)
    again = ("detect", scene.path, "-m", tiny_model, "-o", two_runs, "--tile", 160, "--workers", 0)
    assert command(*again).code == 0
    note = "an object counts once in each; choose a run with --run"
    assert note in command("query", two_runs, "--count").err
    once = "this is of the latest run alone"
    assert once in command("stats", two_runs).err
    run = json.loads(command("runs", two_runs, "--json").out)["runs"][0]["run"]
    assert once in command("draw", two_runs, "-o", tmp_path / "all.png").err
    assert note not in command("query", two_runs, "--count", "--run", run).err


def test_lines_on_the_standard_output(command: Command, store: Path, everything: Detections, tmp_path: Path) -> None:
    everything.save(tmp_path / "all.csv")
    assert command("query", store, "-o", "-").out == (tmp_path / "all.csv").read_text()
    lines = command("query", store, "-o", "-", "--format", "geojson", "--columns", "class", "--sort", "-score").lines
    assert [line["properties"] for line in lines] == [
        {"class": name} for name in everything.sort_by("-score").classes.tolist()
    ]


def test_sorted_columns_are_printed(command: Command, store: Path, everything: Detections) -> None:
    lines = command("query", store, "--sort", "length,-score", "--columns", "length_m,class").out.splitlines()
    ordered = everything.sort_by("length", "-score")
    assert lines[0].split() == ["length_m", "class"]
    printed = [line.split() for line in lines[1:-1]]
    assert [name for _, name in printed] == ordered.classes.tolist()[: len(printed)]
    assert [float(size) for size, _ in printed] == pytest.approx(ordered.measures()[: len(printed), 0].tolist())
    words = command("query", store, "--sort", "-score", "--limit", 3, "--json").lines[:-1]
    assert [line["score"] for line in words] == sorted(everything.scores.tolist())[:-4:-1]
    longest = command("query", store, "--sort", "-length", "--limit", 3, "--columns", "length_m").out.splitlines()[1:-1]
    assert list(map(float, longest)) == pytest.approx(everything.sort_by("-length").measures()[:3, 0].tolist())


def test_overlapping_sheets_count_once(command: Command, tiny_model: Path, scene: RedCells, tmp_path: Path) -> None:
    with rasterio.open(scene.path) as whole:
        for name, column in (("west", 0), ("east", 96)):
            window = rasterio.windows.Window(column, 0, whole.width - 96, whole.height)
            profile = {**whole.profile, "width": window.width, "transform": whole.window_transform(window)}
            with rasterio.open(tmp_path / f"{name}.tif", "w", **profile) as sheet:
                sheet.write(whole.read(window=window))
    words = ("-m", tiny_model, "--tile", 160, "--workers", 0)
    assert command("detect", tmp_path / "west.tif", tmp_path / "east.tif", "-o", tmp_path / "sheets", *words).code == 0
    assert command("detect", scene.path, "-o", tmp_path / "whole", *words).code == 0
    both, once, alone = (
        command("query", tmp_path / name, "--count", "--json", *more).lines[-1]["detections"]
        for name, more in (("sheets", ()), ("sheets", ("--merge-scenes",)), ("whole", ()))
    )
    assert both > once == alone
    assert command("query", tmp_path / "sheets", "--merge-scenes", "--limit", 2, "--json").lines[-1]["detections"] == 2
