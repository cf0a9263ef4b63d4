"""Pages: one file that keeps its limit, whatever is in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from swathe.colours import PALETTE, class_colours
from swathe.detections import Detections, SceneInfo
from swathe.drawing import View, draw, draw_page, page
from swathe.raster.opening import open_scene
from swathe.raster.scene import Scene


def noisy(folder: Path, name: str) -> tuple[Scene, Detections]:
    """Write a scene that no JPEG makes small."""
    pixels = np.random.default_rng(1).integers(0, 256, (900, 1300, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "noise.png")
    scene = open_scene(folder / "noise.png", scene_id=name)
    info = SceneInfo(scene.id, scene.uri, scene.width, scene.height)
    boxes, scores = [[100, 100, 50, 20, 0.3], [700, 500, 60, 30, -0.2]], [0.9, 0.5]
    return scene, Detections.from_arrays(boxes, scores, [0, 1], ("ship", "<script>"), info, "run")


def content(path: Path) -> dict[str, object]:
    """Read the data of a page."""
    (text,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', path.read_text("utf-8"), re.S)
    return json.loads(text)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    name = "</script><script>alert(1)</script>\"'&\u2028$title"
    scene, found = noisy(tmp_path, name)
    assert draw_page(found, scene, tmp_path / "page.html") == 2
    text = (tmp_path / "page.html").read_text("utf-8")
    assert text.count("</script>") == 2
    assert content(tmp_path / "page.html")["scene"] == name
    assert "http:" not in text
    assert "https:" not in text


def test_tiles_cover_each_level(tmp_path: Path) -> None:
    scene, found = noisy(tmp_path, "noise")
    draw_page(found, scene, tmp_path / "page.html")
    data = content(tmp_path / "page.html")
    assert (data["width"], data["height"]) == (1300, 900)
    assert [(level["factor"], len(level["tiles"])) for level in data["levels"]] == [(1, 6), (2, 2), (4, 1)]


def test_the_limit_is_kept_by_a_smaller_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, found = noisy(tmp_path, "noise")
    monkeypatch.setattr(page, "LARGEST_PAGE", 300_000)
    draw_page(found, scene, tmp_path / "page.html", View(longest_side=1300))
    assert (tmp_path / "page.html").stat().st_size <= 300_000
    data = content(tmp_path / "page.html")
    assert 64 <= data["width"] < 1300
    assert data["boxes"][0][2:10] == pytest.approx(
        (found.sorted().to_polygons()[0] * data["width"] / 1300).ravel().tolist(), abs=0.5
    )


def test_the_best_boxes_stay_if_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, found = noisy(tmp_path, "noise")
    monkeypatch.setattr(page, "MOST_BOXES", 1)
    assert draw_page(found, scene, tmp_path / "page.html") == 1
    data = content(tmp_path / "page.html")
    assert (data["found"], [box[1] for box in data["boxes"]]) == (2, [0.9])


def test_classes_keep_their_colours_and_share_none() -> None:
    names = [f"class {number}" for number in range(len(PALETTE))]
    assert len(set(class_colours(names).values())) == len(PALETTE)
    assert class_colours(["building"])["building"] == class_colours(["building", "plane"])["building"]
    assert len(class_colours([*names, "one", "more"])) == len(PALETTE) + 2


def test_one_detection_stands_out(tmp_path: Path) -> None:
    scene, found = noisy(tmp_path, "noise")
    plain, marked = tmp_path / "plain.png", tmp_path / "marked.png"
    chosen = found.table["id"][1].as_py()
    draw(found, scene, plain, View(longest_side=1300))
    draw(found, scene, marked, View(longest_side=1300, chosen=chosen))
    differing = np.argwhere((np.asarray(Image.open(plain)) != np.asarray(Image.open(marked))).any(axis=2))
    assert (np.abs(differing - (500, 700)) < 60).all(), "only its outline has changed"
    white = (np.asarray(Image.open(marked))[tuple(differing.T)] == 255).all(axis=1)
    assert white.sum() > 100
    for view, score in ((View(), None), (View(chosen=chosen), 0.5), (View(chosen="run/noise/7"), None)):
        draw_page(found, scene, tmp_path / "page.html", view)
        data = content(tmp_path / "page.html")
        assert (None if data["chosen"] is None else data["boxes"][data["chosen"]][1]) == score
