"""DOTA text files as they are found in the wild, round trips, and what is said about damaged lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swathe.datasets import dota
from swathe.datasets.sample import Sample
from swathe.errors import SourceError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

LINE = "1 2 11 2 11 7 1 7 ship 0"


def file_with(tmp_path: Path, data: bytes | str) -> Path:
    path = tmp_path / "P0001.txt"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_everything_the_format_allows(tmp_path: Path) -> None:
    text = (
        "\ufeffimagesource:GoogleEarth\r\ngsd:null\r\nacquisition dates:2016-05-04\r\n\r\n"
        "2753.0 2408.5 2861 -3 2.8e3 2468 9999 2.5e-1 large-vehicle 1 \r\n"
        "1 2 11 2 11 7 1 7 ship\r\n"
        "\t1 2 11 2  11 7 1 7 plane 2   \r\n   \r\n"
    )
    polygons, classes, difficult = dota.read_labels(file_with(tmp_path, text))
    assert polygons[0].tolist() == [[2753.0, 2408.5], [2861.0, -3.0], [2800.0, 2468.0], [9999.0, 0.25]]
    assert polygons.dtype == np.float64
    assert classes == ("large-vehicle", "ship", "plane")
    assert difficult.tolist() == [True, False, True]


@pytest.mark.parametrize("text", ["", "\n", "imagesource:GoogleEarth\ngsd:0.1\n", "\ufeff"])
def test_an_image_without_objects(tmp_path: Path, text: str) -> None:
    polygons, classes, difficult = dota.read_labels(file_with(tmp_path, text))
    assert polygons.shape == (0, 4, 2)
    assert classes == ()
    assert difficult.shape == (0,)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1 2 11 2 11 7 1 ship", "has 8 fields"),
        ("1 2 11 2 11 7 1 7 tennis court 0", "has 11 fields"),
        ("1 2 11 2 11 seven 1 7 ship 0", "'seven' is not a number"),
        ("1 2 11 2 11 nan 1 7 ship 0", "not finite"),
        ("1 2 11 2 11 -inf 1 7 ship 0", "not finite"),
        ("1 2 11 2 11 7 1 7 ship 3", "must be 0, 1 or 2"),
        ("1 2 11 2 11 7 1 7 9 ship", "class name is the number '9'"),
        ("gsd:0.5", "has 1 fields"),
    ],
)
def test_damaged_lines_are_named(tmp_path: Path, line: str, said: str) -> None:
    path = file_with(tmp_path, f"gsd:0.1\n{LINE}\n{line}\n")
    with pytest.raises(SourceError, match=said) as caught:
        dota.read_labels(path)
    assert f"{path}, line 3: {line!r}" in str(caught.value)


def test_long_lines_are_shortened(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        dota.read_labels(file_with(tmp_path, "x" * 5000))
    assert len(str(caught.value)) < 500


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not UTF-8"):
        dota.read_labels(file_with(tmp_path, b"\x89PNG\r\n\x1a\n\xff"))
    with pytest.raises(SourceError, match="cannot be read"):
        dota.read_labels(tmp_path / "missing.txt")


NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
NAMES = st.from_regex(r"[a-z][a-z-]{0,12}", fullmatch=True).filter(lambda name: name not in {"inf", "nan", "infinity"})


@given(rows=st.lists(st.tuples(st.lists(NUMBERS, min_size=8, max_size=8), NAMES, st.booleans()), max_size=6))
def test_round_trip_to_the_last_bit(
    rows: list[tuple[list[float], str, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("dota") / "a.txt"
    polygons = np.asarray([row[0] for row in rows], dtype=np.float64).reshape(-1, 4, 2)
    difficult = np.asarray([row[2] for row in rows], dtype=np.bool_)
    dota.write_labels(path, polygons, [row[1] for row in rows], difficult, {"imagesource": "GoogleEarth", "gsd": "0.3"})
    read = dota.read_labels(path)
    assert np.array_equal(read[0], polygons)
    assert read[1] == tuple(row[1] for row in rows)
    assert np.array_equal(read[2], difficult)
    assert path.read_text().startswith("imagesource:GoogleEarth\ngsd:0.3\n")
    assert [item.name for item in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("name", ["tennis court", "", " ship"])
def test_class_names_with_blanks_are_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="blanks"):
        dota.write_labels(tmp_path / "a.txt", np.zeros((1, 4, 2)), [name])
    assert not list(tmp_path.iterdir())


def test_folder(tmp_path: Path) -> None:
    labels, images = tmp_path / "labelTxt", tmp_path / "images"
    labels.mkdir()
    images.mkdir()
    for name in ("P2", "P10", "P1"):
        (labels / f"{name}.txt").write_text(f"{LINE}\n")
        (images / f"{name}.PNG").touch()
    (images / "P99.png").touch()
    (labels / "notes.md").touch()
    samples = dota.read_folder(labels, images)
    assert [sample.name for sample in samples] == ["P1", "P10", "P2"]
    assert samples[0].image == images / "P1.PNG"
    assert dota.read_folder(labels)[0].image is None
    np.testing.assert_allclose(samples[0].boxes(), [[6, 4.5, 10, 5, 0]], atol=1e-12)


def test_folders_that_do_not_fit(tmp_path: Path) -> None:
    labels, images = tmp_path / "labels", tmp_path / "images"
    with pytest.raises(SourceError, match="does not exist"):
        dota.read_folder(labels)
    labels.mkdir()
    with pytest.raises(SourceError, match=r"holds no \.txt file"):
        dota.read_folder(labels)
    (labels / "P1.txt").write_text(LINE)
    with pytest.raises(SourceError, match="image folder"):
        dota.read_folder(labels, images)
    images.mkdir()
    with pytest.raises(SourceError, match=r"no image named P1"):
        dota.read_folder(labels, images)
    (images / "P1.png").touch()
    (images / "P1.jpg").touch()
    with pytest.raises(SourceError, match=r"P1\.jpg, P1\.png"):
        dota.read_folder(labels, images)
    with pytest.raises(SourceError, match="is a file"):
        dota.read_folder(labels / "P1.txt")


def test_columns_of_a_sample_must_fit() -> None:
    with pytest.raises(UsageError, match="2 classes"):
        Sample("a", None, np.zeros((1, 4, 2)), ("ship", "ship"), np.zeros(1, dtype=np.bool_))
    with pytest.raises(UsageError, match="finite"):
        Sample("a", None, np.full((1, 4, 2), np.inf), ("ship",), np.zeros(1, dtype=np.bool_))
