"""COCO files: upright boxes, outlines, groups, images without objects, and what is said about damaged files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from swathe.datasets import coco
from swathe.errors import SourceError

QUAD = [10.0, 10.0, 30.0, 20.0, 25.0, 30.0, 5.0, 20.0]


def document(*annotations: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "images": [
            {"id": 7, "file_name": "b/P1.png", "width": 100, "height": 80},
            {"id": 3, "file_name": "a/P1.png", "width": 50, "height": 40},
        ],
        "categories": [{"id": 2, "name": "ship"}, {"id": 9, "name": "plane"}],
        "annotations": [{"id": number, **item} for number, item in enumerate(annotations)],
        **members,
    }


def written(tmp_path: Path, value: object) -> Path:
    path = tmp_path / "labels.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_boxes_outlines_and_groups(tmp_path: Path) -> None:
    triangles = [[0.0, 0.0, 10.0, 0.0, 0.0, 10.0], [10.0, 10.0, 10.0, 0.0, 0.0, 10.0]]
    path = written(
        tmp_path,
        document(
            {"image_id": 7, "category_id": 9, "bbox": [1, 2, 30, 40]},
            {"image_id": 7, "category_id": 2, "bbox": [0, 0, 1, 1], "segmentation": [QUAD], "area": 3},
            {"image_id": 7, "category_id": 2, "segmentation": triangles},
            {"image_id": 7, "category_id": 2, "bbox": [5, 5, 2, 2], "iscrowd": 1, "segmentation": {"counts": "x"}},
        ),
    )
    empty, full = coco.read_file(path)
    assert (empty.name, len(empty), full.name, full.image) == ("a/P1", 0, "b/P1", None)
    assert full.classes == ("plane", "ship", "ship", "ship")
    assert full.difficult.tolist() == [False, False, False, True]
    assert full.polygons[0].tolist() == [[1, 2], [31, 2], [31, 42], [1, 42]]
    assert full.polygons[1].ravel().tolist() == QUAD
    assert shapely.Polygon(full.polygons[2]).equals(shapely.box(0, 0, 10, 10))
    np.testing.assert_allclose(shapely.area(shapely.polygons(full.polygons[3])), 4)


def test_images_are_found_below_their_folder(tmp_path: Path) -> None:
    path = written(tmp_path, document())
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "P1.png").touch()
    with pytest.raises(SourceError, match=r"no image b/P1\.png"):
        coco.read_file(path, tmp_path)
    (tmp_path / "b" / "P1.png").touch()
    assert [sample.image for sample in coco.read_file(path, tmp_path)] == [tmp_path / "a/P1.png", tmp_path / "b/P1.png"]


OBJECT = {"image_id": 7, "category_id": 2}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "not a COCO file"),
        ("[1, 2]", "not a COCO file"),
        ("[" * 100_000, "not a COCO file"),
        (document(categories=[{"id": 2}]), "missing required field `name`"),
        (document({"image_id": 8, "category_id": 2, "bbox": [1, 2, 3, 4]}), "image 8, which is not listed"),
        (document({"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]}), "no category 1"),
        (document(OBJECT), "neither a bbox nor an outline"),
        (document({**OBJECT, "segmentation": {"counts": "x"}}), "neither a bbox nor an outline"),
        (document({**OBJECT, "segmentation": [[1, 2, 3, 4]]}), "has 4 numbers"),
        (document({**OBJECT, "bbox": [1, 2, 3]}), "length 4"),
        (document({**OBJECT, "bbox": [1e308, 2, 1e308, 3]}), "not a finite number"),
    ],
)
def test_damaged_files_say_what_is_wrong(tmp_path: Path, value: object, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        coco.read_file(written(tmp_path, value))
    assert "labels.json" in str(caught.value)


@pytest.mark.parametrize("name", ["/etc/passwd", "../P1.png", " "])
def test_files_elsewhere_are_not_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="does not lie below"):
        coco.read_file(written(tmp_path, document(images=[{"id": 1, "file_name": name}])), tmp_path)
