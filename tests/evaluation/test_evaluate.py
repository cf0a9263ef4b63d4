"""Evaluation of folders: golden numbers, what counts, what is refused, and what is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from swathe.datasets import dota
from swathe.datasets.formats import LabelSet
from swathe.datasets.sample import Sample
from swathe.errors import SourceError, StoreError, UsageError
from swathe.evaluation import Found, Report, evaluate_detections, evaluate_folders

if TYPE_CHECKING:
    from pathlib import Path

    from swathe.datasets.classes import Others


def corners(left: float, top: float, size: float = 10) -> str:
    right, bottom = left + size, top + size
    return f"{left} {top} {right} {top} {right} {bottom} {left} {bottom}"


def write(folder: Path, files: dict[str, list[str]]) -> Path:
    folder.mkdir()
    for name, lines in files.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return folder


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    labels = {
        "P0001.txt": ["imagesource:GoogleEarth", "gsd:null", f"{corners(0, 0)} plane 0", f"{corners(30, 0)} plane 0"],
        "P0002.txt": [f"{corners(0, 0)} plane 1", f"{corners(50, 50)} ship 0"],
        "P0003.txt": [],
    }
    return write(tmp_path / "labels", labels)


def test_golden_folder(truth: Path, tmp_path: Path) -> None:
    plane = [
        f"P0001 0.9 {corners(0, 0)}",  # right
        f"P0002 0.8 {corners(0, 0)}",  # on a difficult one: neither
        f"P0003 0.7 {corners(0, 0)}",  # wrong
        f"P0001 0.6 {corners(30, 1)}",  # right: 90/110 = 0.818, so right up to IoU > 0.80
    ]
    report = evaluate_folders(truth, write(tmp_path / "found", {"Task1_plane.txt": plane}))
    result = report.to_json()
    # Plane: right, wrong, right of two. Ship: nothing found is 0 and part of the mean.
    assert result["classes"]["plane"]["map50_voc07"] == pytest.approx((6 + 5 * 2 / 3) / 11)
    assert result["classes"]["plane"]["map50_area"] == pytest.approx(0.5 + 0.5 * 2 / 3)
    # Seven thresholds (.50 to .80) as above; at .85, .90 and .95 the last one is wrong: 0.5.
    assert result["classes"]["plane"]["map50_95_area"] == pytest.approx((7 * (0.5 + 1 / 3) + 3 * 0.5) / 10)
    assert result["classes"]["plane"] | {"truths": 2, "difficult": 1, "detections": 4} == result["classes"]["plane"]
    assert result["classes"]["ship"]["map50_voc07"] == 0.0
    assert result["map50_voc07"] == pytest.approx(result["classes"]["plane"]["map50_voc07"] / 2)
    assert result["map50_area"] == pytest.approx(5 / 12)
    assert result["images"] == 3
    assert result["notes"] == []
    assert json.loads(json.dumps(result)) == result


def test_difficult_as_normal(truth: Path, tmp_path: Path) -> None:
    found = write(tmp_path / "found", {"Task1_plane.txt": [f"P0002 0.8 {corners(0, 0)}"]})
    plane = evaluate_folders(truth, found, difficult_as_normal=True).classes[0]
    assert (plane.truths, plane.difficult) == (3, 0)
    assert plane.map50_area == pytest.approx(1 / 3)


def test_class_without_truth_is_undefined_and_told(truth: Path, tmp_path: Path) -> None:
    found = write(tmp_path / "found", {"Task1_ship.txt": [f"P0002 0.8 {corners(50, 50)}"]})
    report = evaluate_folders(truth, found, classes=["ship", "harbor"])
    assert [item.map50_area for item in report.classes] == [1.0, None]
    assert report.map50_area == 1.0
    assert any("harbor" in note for note in report.notes)
    assert "harbor" in report.as_table()


def test_detections_of_unlisted_classes_are_refused_or_told(truth: Path, tmp_path: Path) -> None:
    found = write(tmp_path / "found", {"Task1_crane.txt": [f"P0001 0.8 {corners(0, 0)}"]})
    with pytest.raises(SourceError, match=r"no label has: crane"):
        evaluate_folders(truth, found)
    report = evaluate_folders(truth, found, classes=["plane"])
    assert report.map50_area == 0.0
    assert report.notes == ("1 detections of class crane, which is not listed, are left out",)


def test_detections_in_unlabelled_images_are_refused_or_told(truth: Path, tmp_path: Path) -> None:
    lines = [f"P0001 0.8 {corners(0, 0)}", f"P0099 0.9 {corners(0, 0)}"]
    found = write(tmp_path / "found", {"Task1_plane.txt": lines})
    with pytest.raises(SourceError, match="P0099"):
        evaluate_folders(truth, found)
    report = evaluate_folders(truth, found, ignore_unlabelled=True)
    assert report.classes[0].detections == 1
    assert report.classes[0].map50_area == 0.5
    assert "P0099" in report.notes[0]


def test_no_image_in_common_is_an_error_even_if_ignored(truth: Path, tmp_path: Path) -> None:
    found = write(tmp_path / "found", {"Task1_plane.txt": [f"scene-a 0.8 {corners(0, 0)}"]})
    with pytest.raises(SourceError, match="same names"):
        evaluate_folders(truth, found, ignore_unlabelled=True)


def test_image_names_may_have_a_suffix_or_folder(truth: Path, tmp_path: Path) -> None:
    lines = [f"P0001.png 0.8 {corners(0, 0)}", f"P0001.png 0.7 {corners(30, 0)}"]
    found = write(tmp_path / "found", {"Task1_plane.txt": lines, "Task1_ship.txt": [f"val/P0002 1 {corners(50, 50)}"]})
    assert evaluate_folders(truth, found).map50_area == 1.0


def test_two_images_of_one_label_file_are_refused(truth: Path, tmp_path: Path) -> None:
    lines = [f"train/P0001 0.8 {corners(0, 0)}", f"val/P0001 0.7 {corners(30, 0)}"]
    with pytest.raises(SourceError, match="'P0001'"):
        evaluate_folders(truth, write(tmp_path / "found", {"Task1_plane.txt": lines}))


def test_labelled_images_that_were_not_searched_are_told(truth: Path) -> None:
    samples = dota.read_folder(truth)
    names = np.empty(0, dtype=np.str_)
    found = Found(names, names, np.empty(0), np.empty((0, 4, 2)), searched=("P0001.tif", "P0003"))
    report = evaluate_detections(samples, found)
    assert report.notes == ("1 labelled images were not searched (P0002); their objects count as missed",)
    assert report.map50_area == 0.0


def test_scores_keep_all_their_digits(truth: Path, tmp_path: Path) -> None:
    lines = [f"P0003 0.50000000000000011 {corners(0, 0)}", f"P0001 0.5000000000000002 {corners(0, 0)}"]
    found = write(tmp_path / "found", {"Task1_plane.txt": lines})
    assert evaluate_folders(truth, found).classes[0].map50_area == pytest.approx(0.5)


def test_labels_without_objects_need_a_class_list(tmp_path: Path) -> None:
    labels, found = write(tmp_path / "labels", {"a.txt": []}), write(tmp_path / "found", {"Task1_plane.txt": []})
    with pytest.raises(SourceError, match="give the class list"):
        evaluate_folders(labels, found)
    assert evaluate_folders(labels, found, classes=["plane"]).map50_area is None


@pytest.mark.parametrize("classes", [[], ["plane", "plane"]])
def test_class_list_must_make_sense(truth: Path, tmp_path: Path, classes: list[str]) -> None:
    with pytest.raises(UsageError, match="class list"):
        evaluate_folders(truth, write(tmp_path / "found", {"Task1_plane.txt": []}), classes=classes)


def test_two_samples_of_one_name() -> None:
    sample = Sample("a", None, np.zeros((0, 4, 2)), (), np.zeros(0, dtype=np.bool_))
    with pytest.raises(UsageError, match="same name"):
        evaluate_detections([sample, sample], no_detections(), classes=["plane"])


def no_detections() -> Found:
    names = np.empty(0, dtype=np.str_)
    return Found(names, names, np.empty(0), np.empty((0, 4, 2)))


def report_of(truth: Path) -> Report:
    samples = dota.read_folder(truth)
    polygons = np.concatenate([sample.polygons for sample in samples])
    names = np.asarray([name for sample in samples for name in sample.classes])
    images = np.repeat([sample.name for sample in samples], [len(sample) for sample in samples])
    return evaluate_detections(samples, Found(images, names, np.linspace(1, 0.1, len(names)), polygons))


def test_table_has_a_line_per_class_and_says_which_form(truth: Path) -> None:
    lines = report_of(truth).as_table().splitlines()
    heads = "class truths found AP50 VOC07 AP50 area AP75 area AP50:95 area best score missed false"
    assert lines[0].split() == heads.split()
    assert lines[1].split() == ["plane", "2", "3", *["1.0000"] * 4, "0.7000", "0", "0"]
    assert lines[-1].split() == ["mean", "over", "classes", "3", "4", *["1.0000"] * 4, "0", "0"]
    assert len({len(line) for line in lines}) == 1


def test_a_perfect_result_is_exactly_one(tmp_path: Path) -> None:
    places = [(float(place), 0.0) for place in range(0, 11 * 20, 20)]
    labels = write(tmp_path / "labels", {"P.txt": [f"{corners(*place)} plane 0" for place in places]})
    lines = [f"P 0.{90 - number} {corners(*place)}" for number, place in enumerate(places)]
    report = evaluate_folders(labels, write(tmp_path / "found", {"Task1_plane.txt": lines}))
    assert (report.map50_voc07, report.map50_area, report.map50_95_area) == (1.0, 1.0, 1.0)


def test_what_is_false_and_missed_is_named_image_by_image(truth: Path, tmp_path: Path) -> None:
    plane = [
        f"P0001 0.9 {corners(0, 0)}",  # right
        f"P0002 0.8 {corners(0, 0)}",  # on a difficult one
        f"P0003 0.7 {corners(0, 0)}",  # false
        f"P0001 0.6 {corners(30, 1)}",  # right
        f"P0001 0.1 {corners(70, 70)}",  # false, below the best score
    ]
    report = evaluate_folders(truth, write(tmp_path / "found", {"Task1_plane.txt": plane}))
    first, second = report.classes
    assert (first.best and first.best.score, first.missed, first.false) == (0.6, 0, 1)
    assert (second.best, second.missed, second.false) == (None, 1, 0)
    assert [(item.name, item.verdicts.tolist()) for item in report.wrong] == [("P0002", [2]), ("P0003", [1])]
    assert report.wrong[0].polygons[0].ravel().tolist() == list(map(float, corners(50, 50).split()))


@pytest.mark.parametrize(("others", "area", "false"), [("drop", 4 / 9, 1), ("ignore", 2 / 3, 0)])
def test_labels_of_other_classes_are_background_or_ignored(
    truth: Path, tmp_path: Path, others: Others, area: float, false: int
) -> None:
    lines = [f"P0002 0.9 {corners(50, 50)}", f"P0001 0.8 {corners(0, 0)}", f"P0001 0.7 {corners(30, 0)}"]
    found = write(tmp_path / "found", {"Task1_plane.txt": lines})
    report = evaluate_folders(truth, found, classes=["plane"], others=others, difficult_as_normal=True)
    assert report.classes[0].map50_area == pytest.approx(area)
    assert report.classes[0].false == false


def test_other_classes_may_be_an_error_or_renamed(truth: Path, tmp_path: Path) -> None:
    found = write(tmp_path / "found", {"Task1_plane.txt": [f"P0002 0.9 {corners(50, 50)}"]})
    with pytest.raises(SourceError, match="not wanted: ship"):
        evaluate_folders(truth, found, classes=["plane"], others="error")
    renamed = evaluate_folders(LabelSet(truth, rename={"ship": "plane"}), found)
    assert (renamed.classes[0].name, renamed.classes[0].truths) == ("plane", 3)


def test_curves_are_drawn(truth: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = report_of(truth)
    report.draw_curves(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(StoreError, match=r"curves\.xyz: cannot write the picture .* use \.png"):
        report.draw_curves(tmp_path / "curves.xyz")
    assert not (tmp_path / "curves.xyz").exists()


def test_a_class_may_have_a_name_that_looks_like_a_formula(truth: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = report_of(truth)
    named = replace(report, classes=tuple(replace(item, name="$\\frac{$ _") for item in report.classes))
    named.draw_curves(tmp_path / "curves.svg")
    assert "<!-- $\\frac{$ _" in (tmp_path / "curves.svg").read_text()
