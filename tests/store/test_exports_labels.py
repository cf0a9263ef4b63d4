"""What annotation tools and other trainers are given comes back as it was, read by their rules."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely
from PIL import Image
from shapely import affinity

from swathe.datasets.formats import LabelSet
from swathe.detections import Detections, SceneInfo
from swathe.errors import StoreError, UsageError
from swathe.store.exports import Format, export
from swathe.store.exports.images import image_names
from swathe.testing.suites.samples import random_detections

CLASSES = ("ship", 'large "vehicle" <2>')
BEACH = SceneInfo("beach", "/data/a/beach.png", 500, 400)
TWIN = SceneInfo("b/beach", "/data/b/beach.png", 300, 200)
EMPTY = SceneInfo("empty", "/data/b/c/empty.png", 30, 20)


@pytest.fixture
def found() -> Detections:
    parts = [random_detections(BEACH, 20, 1, classes=CLASSES), random_detections(TWIN, 15, 2, classes=CLASSES)]
    return Detections.concat([*parts, random_detections(EMPTY, 0, 3, classes=CLASSES)])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for scene in (BEACH, TWIN, EMPTY):
        path = tmp_path / Path(scene.uri).relative_to("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (scene.width, scene.height)).save(path)
    return tmp_path / "data"


def expected(found: Detections, scene: SceneInfo) -> tuple[list[str], np.ndarray]:
    own = found.sorted().take(found.sorted().scene_ids == scene.id)
    return own.classes.tolist(), own.to_polygons()


def test_images_have_names_of_their_own_below_their_common_folder() -> None:
    assert list(image_names([BEACH, TWIN, EMPTY]).values()) == ["a/beach.png", "b/beach.png", "b/c/empty.png"]
    assert list(image_names([BEACH]).values()) == ["beach.png"]
    assert list(image_names([TWIN, EMPTY]).values()) == ["beach.png", "c/empty.png"]
    assert image_names([]) == {}
    remote = SceneInfo("P1", "s3://bucket/east/P1.tif", 10, 10), SceneInfo("P1", "s3://bucket/west/P1.tif", 10, 10)
    assert list(image_names(remote).values()) == ["east/P1.tif", "west/P1.tif"]


def test_coco_comes_back(found: Detections, images: Path, tmp_path: Path) -> None:
    path = export(found, tmp_path / "labels.coco.json")
    samples = LabelSet(path, "coco", images).read()
    assert [sample.name for sample in samples] == ["a/beach", "b/beach", "b/c/empty"]
    for sample, scene in zip(samples, (BEACH, TWIN, EMPTY), strict=True):
        names, polygons = expected(found, scene)
        assert sample.classes == tuple(names)
        np.testing.assert_array_equal(sample.polygons, polygons)


def test_yolo_comes_back(found: Detections, images: Path, tmp_path: Path) -> None:
    folder = export(found, tmp_path / "labels", Format.YOLO_OBB)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.txt")) == [
        "a/beach.txt",
        "b/beach.txt",
        "b/c/empty.txt",
        "classes.txt",
    ]
    (sample,) = LabelSet(folder / "a", "yolo-obb", images / "a").read()
    names, polygons = expected(found, BEACH)
    assert sample.classes == tuple(names)
    np.testing.assert_allclose(sample.polygons, polygons, atol=1e-9)
    with pytest.raises(StoreError, match="exists already"):
        export(found, folder, Format.YOLO_OBB)
    export(found, folder, Format.YOLO_OBB, overwrite=True)
    (folder / "mine.doc").touch()
    with pytest.raises(StoreError, match="holds something else"):
        export(found, folder, Format.YOLO_OBB, overwrite=True)


def test_yolo_refuses_images_that_would_share_a_file(tmp_path: Path) -> None:
    other = SceneInfo("other", "/data/a/beach.tif", 30, 20)
    both = Detections.concat([random_detections(BEACH, 1, 1), random_detections(other, 1, 1)])
    with pytest.raises(UsageError, match=r"beach\.txt"):
        export(both, tmp_path / "labels", Format.YOLO_OBB)
    assert list(tmp_path.iterdir()) == []


def test_cvat_has_a_polygon_per_object(found: Detections, tmp_path: Path) -> None:
    root = ElementTree.parse(export(found, tmp_path / "a.cvat.xml")).getroot()
    assert (root.tag, root.findtext("version")) == ("annotations", "1.1")
    assert tuple(name.text for name in root.iterfind("meta/task/labels/label/name")) == CLASSES
    listed = root.findall("image")
    assert [image.get("name") for image in listed] == ["a/beach.png", "b/beach.png", "b/c/empty.png"]
    for image, scene in zip(listed, (BEACH, TWIN, EMPTY), strict=True):
        assert (image.get("width"), image.get("height")) == (str(scene.width), str(scene.height))
        names, polygons = expected(found, scene)
        assert [polygon.get("label") for polygon in image] == names
        points = [[corner.split(",") for corner in polygon.get("points", "").split(";")] for polygon in image]
        np.testing.assert_array_equal(np.asarray(points, dtype=np.float64).reshape(-1, 4, 2), polygons)
    with pytest.raises(UsageError, match="XML cannot hold"):
        export(random_detections(SceneInfo("a", "/data/\x01.png", 9, 9), 1, 1), tmp_path / "b.cvat.xml")


def test_label_studio_turns_rectangles_around_their_first_corner(found: Detections, tmp_path: Path) -> None:
    tasks = json.loads(export(found, tmp_path / "a.label-studio.json").read_text(encoding="utf-8"))
    assert [task["data"]["image"] for task in tasks] == [
        "/data/local-files/?d=data/a/beach.png",
        "/data/local-files/?d=data/b/beach.png",
        "/data/local-files/?d=data/b/c/empty.png",
    ]
    for task, scene in zip(tasks, (BEACH, TWIN, EMPTY), strict=True):
        names, polygons = expected(found, scene)
        results = task["predictions"][0]["result"]
        assert [result["value"]["rectanglelabels"] for result in results] == [[name] for name in names]
        for result, polygon in zip(results, polygons, strict=True):
            value, sides = result["value"], (result["original_width"] / 100, result["original_height"] / 100)
            left, top, width, height = (
                value[name] * sides[number % 2] for number, name in enumerate(("x", "y", "width", "height"))
            )
            upright = shapely.box(left, top, left + width, top + height)
            # With y downwards, shapely's turn against the clock is one with it.
            turned = affinity.rotate(upright, value["rotation"], origin=(left, top))
            assert turned.symmetric_difference(shapely.Polygon(polygon)).area < 1e-6 * max(turned.area, 1.0)


def test_nothing_found_is_an_empty_list(tmp_path: Path) -> None:
    assert json.loads(export(Detections.empty(CLASSES), tmp_path / "a.label-studio.json").read_text()) == []
    assert ElementTree.parse(export(Detections.empty(CLASSES), tmp_path / "a.cvat.xml")).findall("image") == []


@pytest.mark.parametrize("ending", [".cvat.xml", ".label-studio.json"])
def test_files_are_not_replaced_unless_asked(ending: str, found: Detections, tmp_path: Path) -> None:
    path = export(found, tmp_path / f"a{ending}")
    with pytest.raises(StoreError, match="exists already"):
        export(found, path)
    assert export(found, path, overwrite=True).read_bytes()


@pytest.mark.parametrize("kind", ["dota-labels", "dior-r"])
def test_labels_come_back(tmp_path: Path, kind: str) -> None:
    found = Detections.concat(
        [random_detections(BEACH, 20, 1, classes=("ship", "plane")), random_detections(EMPTY, 0, 3)]
    )
    folder = export(found, tmp_path / "labels", Format(kind))
    samples = LabelSet(folder, kind.removesuffix("-labels")).read()
    assert [sample.name for sample in samples] == ["beach", "empty"]
    names, corners = expected(found, BEACH)
    assert list(samples[0].classes) == names
    np.testing.assert_array_equal(samples[0].polygons, corners)
    assert len(samples[1].polygons) == 0
    with pytest.raises(StoreError, match="exists already"):
        export(found, folder, Format(kind))
    export(found, folder, Format(kind), overwrite=True)
    twins = Detections.concat([found, random_detections(TWIN, 3, 2, classes=("ship",))])
    with pytest.raises(UsageError, match="rename the image"):
        export(twins, tmp_path / "twins", Format(kind))


def test_blanks_in_names_of_classes_are_refused_by_dota(found: Detections, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="blanks"):
        export(found, tmp_path / "labels", Format("dota-labels"))
    assert list(tmp_path.iterdir()) == []
