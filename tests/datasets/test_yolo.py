"""YOLO-OBB files: shares become pixels, numbers become names, images without labels have no objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from swathe.datasets import yolo
from swathe.datasets.formats import LabelSet
from swathe.errors import SourceError, UsageError

LINE = "1 0.1 0.2 0.3 0.2 0.3 0.4 0.1 0.4"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of labels and images, one of them without labels."""
    labels, images = tmp_path / "labels" / "train", tmp_path / "images" / "train"
    for folder in (labels, images):
        folder.mkdir(parents=True)
    for name in ("P1", "P2"):
        Image.new("RGB", (200, 100)).save(images / f"{name}.png")
    (labels / "P1.txt").write_text(f"{LINE}\n\n0 0 0 1 0 1 1 0 1\n")
    return labels, images


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels/train/classes.txt", "ship\nlarge vehicle\n"),
        ("labels/classes.txt", "\ufeffship\r\nlarge vehicle"),
        ("data.yaml", "path: .\nnc: 2\nnames: ['ship', \"large vehicle\"]  # two\ntrain: images\n"),
        ("data.yaml", "names: {0: ship, 1: large vehicle}\n"),
        ("data.yaml", "# a: b\nnames:\n  # sorted\n  1: large vehicle # long\n  0: ship\n\nnc: 2\n"),
        ("dataset.yaml", "names:\n- ship\n- 'large vehicle'\nnc: 2\n"),
    ],
)
def test_shares_become_pixels_and_numbers_become_names(
    folders: tuple[Path, Path], tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    labelled, empty = LabelSet(folders[0], "yolo-obb", folders[1]).read()
    assert labelled.classes == ("large vehicle", "ship")
    np.testing.assert_allclose(labelled.polygons[0], [[20, 20], [60, 20], [60, 40], [20, 40]])
    np.testing.assert_allclose(labelled.polygons[1], [[0, 0], [200, 0], [200, 100], [0, 100]])
    assert (labelled.name, labelled.image) == ("P1", folders[1] / "P1.png")
    assert (empty.name, len(empty), empty.image) == ("P2", 0, folders[1] / "P2.png")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1 0.5 0.5 0.1 0.1", "upright boxes"),
        (LINE[2:], "8 fields"),
        ("x" + LINE[1:], "invalid literal"),
        ("2" + LINE[1:], "2 classes, counted from 0"),
        ("-1" + LINE[1:], "2 classes, counted from 0"),
        ("1 10 20 30 20 30 40 10 40", "are these pixels"),
        ("1 nan 0.2 0.3 0.2 0.3 0.4 0.1 0.4", "shares"),
    ],
)
def test_damaged_lines_are_named(folders: tuple[Path, Path], line: str, said: str) -> None:
    (folders[0] / "classes.txt").write_text("ship\nplane\n")
    (folders[0] / "P1.txt").write_text(f"{LINE}\n{line}\n")
    with pytest.raises(SourceError, match=said) as caught:
        yolo.read_folder(*folders)
    assert "P1.txt, line 2" in str(caught.value)


@pytest.mark.parametrize("text", ["", "names:\n", "nc: 2\n", "names: []\n", "names:\n  1: ship\n", "names: {a: b}\n"])
def test_names_that_cannot_be_read_are_told(folders: tuple[Path, Path], text: str) -> None:
    with pytest.raises(SourceError, match=r"classes\.txt"):
        yolo.read_folder(*folders)
    (folders[0] / "data.yaml").write_text(text)
    with pytest.raises(SourceError, match="holds no class names"):
        yolo.read_folder(*folders)


def test_a_format_that_does_not_exist_or_lacks_images_is_refused(folders: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="images"):
        LabelSet(folders[0], "yolo-obb")
    with pytest.raises(UsageError, match="one of dota"):
        LabelSet(folders[0], "voc")
