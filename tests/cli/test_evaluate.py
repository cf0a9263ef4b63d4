"""`swathe evaluate` on DOTA files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from command import Command

SQUARE = "10 10 30 10 30 30 10 30"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """One image with one ship."""
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "P0001.txt").write_text(f"{SQUARE} ship 0\n")
    return folder


@pytest.fixture
def found(tmp_path: Path) -> Path:
    """The ship, found where it is."""
    folder = tmp_path / "found"
    folder.mkdir()
    (folder / "Task1_ship.txt").write_text(f"P0001 0.9 {SQUARE}\n")
    return folder


def test_json_has_the_documented_keys(command: Command, labels: Path, found: Path) -> None:
    outcome = command("evaluate", "--truth", labels, "--found", found, "--json")
    assert outcome.code == 0
    (report,) = outcome.lines
    expected = {"map50_voc07": 1.0, "map50_area": 1.0, "map50_95_area": 1.0}
    assert report["event"] == "summary"
    assert {key: report[key] for key in expected} == pytest.approx(expected)
    assert {key: report["classes"]["ship"][key] for key in expected} == pytest.approx(expected)


def test_table_is_for_people(command: Command, labels: Path, found: Path) -> None:
    outcome = command("evaluate", "--truth", labels, "--found", found)
    assert outcome.code == 0
    assert "ship" in outcome.out


def test_labels_of_other_formats_give_the_same(command: Command, labels: Path, found: Path, tmp_path: Path) -> None:
    images, shares = tmp_path / "images", tmp_path / "shares"
    for folder in (images, shares):
        folder.mkdir()
    Image.new("RGB", (100, 50)).save(images / "P0001.png")
    (shares / "classes.txt").write_text("boat\n")
    (shares / "P0001.txt").write_text("0 0.1 0.2 0.3 0.2 0.3 0.6 0.1 0.6\n")
    coco = tmp_path / "coco.json"
    outline = [float(number) for number in SQUARE.split()]
    listed = {"images": [{"id": 1, "file_name": "P0001.png"}], "categories": [{"id": 1, "name": "boat"}]}
    coco.write_text(
        json.dumps({**listed, "annotations": [{"image_id": 1, "category_id": 1, "segmentation": [outline]}]})
    )
    (expected,) = command("evaluate", "--truth", labels, "--found", found, "--json").lines
    for words in (("--truth", shares, "--kind", "yolo-obb", "--images", images), ("--truth", coco, "--kind", "coco")):
        (report,) = command("evaluate", *words, "--found", found, "--rename", "boat=ship", "--json").lines
        assert report == expected


def test_what_went_wrong_is_drawn(command: Command, labels: Path, found: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("P0001", "P0002"):
        Image.new("RGB", (400, 300)).save(tmp_path / "images" / f"{name}.png")
    (labels / "P0002.txt").write_text("100 100 200 100 200 150 100 150 ship 0\n")
    words = ("evaluate", "--truth", labels, "--found", found, "--pictures", tmp_path / "wrong")
    outcome = command(*words)
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert "--images" in outcome.err
    outcome = command(*words, "--images", tmp_path / "images")
    assert outcome.code == 0
    assert [path.name for path in (tmp_path / "wrong").iterdir()] == ["P0002.jpg"]
    assert Image.open(tmp_path / "wrong" / "P0002.jpg").size == (400, 300)
    assert command(*words, "--images", tmp_path / "images").code == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--kind", "voc"), "--kind voc: must be one of dota"),
        (("--kind", "yolo-obb"), "--images"),
        (("--rename", "boat"), "--rename boat: must be pairs"),
        (("--others", "keep"), "--others keep: must be one of"),
    ],
)
def test_options_about_labels_are_checked(
    command: Command, labels: Path, found: Path, words: tuple[str, ...], said: str
) -> None:
    outcome = command("evaluate", "--truth", labels, "--found", found, *words)
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert said in outcome.err


@pytest.mark.parametrize("line", ["P0001 0.9 10 10 30 10", "P0001 high 10 10 30 10 30 30 10 30"])
def test_damaged_result_is_one_line(command: Command, labels: Path, found: Path, line: str) -> None:
    (found / "Task1_ship.txt").write_text(line)
    outcome = command("evaluate", "--truth", labels, "--found", found)
    assert outcome.code == 3
    assert "Task1_ship.txt, line 1" in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("line", ["10 10 30 10 ship 0", "10 10 30 10 30 30 10 thirty ship 0"])
def test_damaged_label_is_one_line(command: Command, labels: Path, found: Path, line: str) -> None:
    (labels / "P0001.txt").write_text(line)
    outcome = command("evaluate", "--truth", labels, "--found", found)
    assert outcome.code == 3
    assert "P0001.txt" in outcome.err
    assert outcome.err.count("\n") == 1


def test_class_of_the_detections_that_no_label_has(command: Command, labels: Path, found: Path) -> None:
    (found / "Task1_plane.txt").write_text(f"P0001 0.9 {SQUARE}\n")
    outcome = command("evaluate", "--truth", labels, "--found", found)
    assert outcome.code == 3
    assert "plane" in outcome.err
    assert command("evaluate", "--truth", labels, "--found", found, "--classes", "ship").code == 0


@pytest.mark.parametrize("missing", ["truth", "found"])
def test_missing_folder(command: Command, labels: Path, found: Path, missing: str, tmp_path: Path) -> None:
    places = {"truth": labels, "found": found} | {missing: tmp_path / "nowhere"}
    outcome = command("evaluate", "--truth", places["truth"], "--found", places["found"])
    assert outcome.code == 3
    assert "nowhere" in outcome.err


def test_a_page_needs_nothing_else_and_has_its_numbers_beside_it(
    command: Command, labels: Path, found: Path, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    for name in ("P0001", "P<2>"):
        Image.new("RGB", (400, 300)).save(tmp_path / "images" / f"{name}.png")
    (labels / "P<2>.txt").write_text("100 100 200 100 200 150 100 150 sh&ip 0\n")
    words = ("evaluate", "--truth", labels, "--found", found, "--json", "-o", tmp_path / "page.html")
    outcome = command(*words, "--images", tmp_path / "images")
    assert outcome.code == 0
    page = (tmp_path / "page.html").read_text()
    assert {"event": "summary", **json.loads((tmp_path / "page.json").read_text())} == outcome.lines[0]
    assert "sh&amp;ip" in page
    assert "P&lt;2&gt;: 0 right, 0 false, 1 missed" in page
    assert page.count("data:image/jpeg") == 1
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    outcome = command(*words)
    assert (outcome.code, outcome.is_one_error) == (5, True)  # replaces nothing
    outcome = command(*words[:-1], tmp_path / "other.pdf")
    assert (outcome.code, outcome.is_one_error) == (2, True)
