"""The page in a browser: it loads without complaint, shows boxes where they are, zooms and filters."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from map_server import PATIENCE, launched
from requirements import need
from swathe.detections import Detections, SceneInfo
from swathe.drawing import View, draw_page
from swathe.raster.opening import open_scene

need("playwright")

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = "</script><script>document.title='taken'</script>\"'&<b>"
SIDE = 400
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grey scene with a strange name, a plane in its middle and 10,000 small ships around."""
    folder = tmp_path_factory.mktemp("page")
    profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8"}
    with rasterio.open(
        folder / "scene.tif", "w", **profile, crs="EPSG:32645", transform=from_origin(5e5, 3e6, 0.5, 0.5)
    ) as file:
        file.write(np.full((3, SIDE, SIDE), 90, dtype=np.uint8))
    scene = open_scene(folder / "scene.tif", scene_id=HOSTILE)
    random = np.random.default_rng(0)
    ships = np.column_stack([random.uniform(0, SIDE, 10_000), random.uniform(0, 60, 10_000), np.full((10_000, 3), 4.0)])
    boxes = np.vstack([[[200.0, 200.0, 120.0, 60.0, 0.5]], ships])
    scores = np.concatenate([[0.9], random.uniform(0.3, 0.5, 10_000)])
    info = SceneInfo(scene.id, scene.uri, SIDE, SIDE, scene.crs, scene.transform)
    found = Detections.from_arrays(boxes, scores, [0] + [1] * 10_000, ("plane", "ship"), info, "run")
    assert draw_page(found, scene, folder / "page.html", View(longest_side=SIDE)) == 10_001
    return folder / "page.html"


@pytest.fixture
def page(page_file: Path) -> Iterator[Page]:
    """The page, opened; whatever it complains about fails the test."""
    from playwright.sync_api import sync_playwright

    complaints: list[Any] = []
    with sync_playwright() as play:
        browser = launched(play, FLAGS)
        page = browser.new_page(viewport={"width": 800, "height": 800})
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith(("file:", "data:")) else complaints.append(request),
        )
        page.goto(page_file.as_uri())
        page.wait_for_selector("#view[data-drawn]")
        until_the_picture_is_there(page)
        yield page
        browser.close()
    assert complaints == []


def until_the_picture_is_there(page: Page) -> None:
    """Wait until the scene is seen in the middle of the page: images are decoded after the boxes are drawn."""
    end = time.monotonic() + PATIENCE / 1000
    while np.abs(pixels(page)[400, 400] - 90).max() >= 4:
        assert time.monotonic() < end, "the picture does not come"
        page.wait_for_timeout(50)


def pixels(page: Page) -> np.ndarray:
    """Take a picture of the page."""
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def zoomed(page: Page, zoom: int) -> None:
    """Wait until the page is drawn at a zoom, without a function: the page lets no text be made into code."""
    page.wait_for_selector(f"#view[data-zoom='{zoom}']")


def drawn(page: Page) -> int:
    """Return how many boxes pass the filters, after the next frame."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return int(page.locator("#view").get_attribute("data-drawn") or -1)


def test_boxes_are_drawn_where_they_are_and_follow_the_zoom(page: Page) -> None:
    assert page.title() == HOSTILE
    assert page.locator("#title").inner_text() == HOSTILE
    assert drawn(page) == 10_001
    # The page is 800 pixels wide and the scene 400: a scene pixel is two of the screen.
    end = 400 + 120 * np.cos(0.5), 400 + 120 * np.sin(0.5)
    shown = pixels(page)
    assert (np.abs(shown[400, 400] - 90) < 4).all()
    near = shown[round(end[1]) - 3 : round(end[1]) + 4, round(end[0]) - 3 : round(end[0]) + 4]
    assert np.ptp(near, axis=2).max() > 60
    page.mouse.move(400, 400)
    page.locator("#tip").wait_for()
    assert page.locator("#tip").inner_text().splitlines()[:2] == ["plane  0.90", "60.0 x 30.0 m"]
    page.mouse.wheel(0, -240)
    zoomed(page, 4)
    assert drawn(page) == 10_001
    page.mouse.move(5, 795)
    page.locator("#tip").wait_for(state="hidden")
    drawn(page)
    shown = pixels(page)
    assert (
        np.ptp(shown[round(end[1]) - 3 : round(end[1]) + 4, round(end[0]) - 3 : round(end[0]) + 4], axis=2).max() < 30
    )
    end = 400 + 240 * np.cos(0.5), 400 + 240 * np.sin(0.5)
    near = shown[round(end[1]) - 4 : round(end[1]) + 5, round(end[0]) - 4 : round(end[0]) + 5]
    assert np.ptp(near, axis=2).max() > 60


def test_nothing_is_framed_before_a_key_moves_the_focus(page: Page) -> None:
    assert page.evaluate("document.activeElement === document.body")
    page.keyboard.press("+")
    zoomed(page, 3)
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert page.locator("#detail").inner_text() == ""


def test_classes_and_scores_are_filtered(page: Page) -> None:
    page.get_by_label("ship").uncheck()
    assert drawn(page) == 1
    page.get_by_label("ship").check()
    page.locator("#score").fill("0.6")
    assert drawn(page) == 1
    assert page.locator("#count").inner_text() == "1 of 10,001 detections"
    page.locator("#view").press("+")
    zoomed(page, 3)
