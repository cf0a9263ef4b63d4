"""The map of the demo scene, by way of the commands; SWATHE_PICTURES names a folder that keeps its pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from map_server import browse, chromium, keep_picture, pixels_of, serve, settled
from requirements import need
from swathe.cli.main import main
from swathe.query import Query
from swathe.store import open_store, read

need("playwright")

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SCENE = Path(__file__).parents[2] / "data" / "banepa" / "banepa.tif"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("demo") / "store"
    assert main(["detect", str(SCENE), "-m", "buildings", "-o", str(store), "-q"]) == 0
    return store


@pytest.fixture(scope="module")
def address(store: Path) -> Iterator[str]:
    with serve(store) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def test_the_demo_scene_is_shown_with_its_buildings(browser: Browser, address: str, store: Path) -> None:
    ((x, y),) = read(open_store(store), Query(length=(25, None), limit=1)).centres().tolist()
    with browse(browser, address, color_scheme="dark") as page:
        settled(page)
        whole = keep_picture(page, "map-whole.jpg")
        assert whole[:, 340:].std() > 30
        page.evaluate(f"swathe.map.jumpTo({{ center: [{x}, {y}], zoom: 18 }})")
        settled(page)
        page.mouse.click(640, 400)
        page.locator("#details img").wait_for()
        page.evaluate("document.querySelector('#details img').decode().then(() => true)")
        settled(page)
        assert page.locator("#details h2").inner_text() == "building"
        keep_picture(page, "map.jpg")
        page.get_by_role("button", name="Close").click()
        before = pixels_of(page)
        page.get_by_label("building", exact=True).uncheck()
        settled(page)
        assert (np.abs(pixels_of(page) - before).max(axis=2) > 20).sum() > 5000


def test_on_a_phone_the_demo_scene_lies_above_the_filters(browser: Browser, address: str) -> None:
    with browse(browser, address, 390, 844, color_scheme="light", device_scale_factor=2) as page:
        settled(page)
        picture = keep_picture(page, "map-phone.jpg")
        assert picture[: picture.shape[0] // 3].std() > 30
