"""The map in a browser, over a store of files: search, filters, details, polygon, downloads, comparison, live runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from map_server import PATIENCE, browse, chromium, pixels_of, serve, settled
from memory_store import MemoryStore
from requirements import need
from swathe.query import Query
from swathe.store import open_store, read
from viewer_samples import CLASSES, describe, keep, sample_store, some_boxes, write_scene

need("playwright")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FIRST, LATER = "aaaa1111", "bbbb2222"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> MemoryStore:
    return sample_store(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def folder(samples: MemoryStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("map") / "store"
    keep(samples, folder)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with serve(folder) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with browse(browser, f"{address}#run={FIRST}") as page:
        yield page


def counted(page: Page, wanted: int) -> None:
    """Wait until so many detections are counted in view, whatever their class."""
    page.wait_for_selector(f"#map[data-counted='{wanted}']")


def middle_of(page: Page, longitude: float, latitude: float) -> tuple[float, float]:
    """Return where a place is on the screen."""
    point = page.evaluate(f"swathe.map.project([{longitude}, {latitude}])")
    return point["x"], point["y"]


def test_scenes_and_boxes_are_drawn_where_they_are(page: Page, samples: MemoryStore) -> None:
    counted(page, 100)
    settled(page)
    (town,) = (stored.scene for stored, _ in samples.found if (stored.run, stored.scene.id) == (FIRST, "town"))
    (red, grey) = town.place(np.array([[300.0, 300.0], [100.0, 590.0]]), "lonlat")
    picture = pixels_of(page)
    page.locator("summary", has_text="Show").click()
    page.locator("#show-boxes").uncheck()
    settled(page)
    bare = pixels_of(page)
    x, y = middle_of(page, *red)
    assert np.abs(bare[round(y), round(x)] - (200, 30, 40)).max() < 12
    x, y = middle_of(page, *grey)
    assert np.abs(bare[round(y), round(x)] - 90).max() < 6
    assert (np.abs(picture - bare).max(axis=2) > 20).sum() > 2000  # pixels that boxes have changed


def test_classes_scores_and_runs_are_filtered(page: Page, samples: MemoryStore) -> None:
    rows = [rows for stored, rows in samples.found if stored.run == FIRST and stored.scene.georeferenced]
    counted(page, 100)
    page.locator("#score").fill("0.6")
    counted(page, sum(int((part.scores >= 0.6).sum()) for part in rows))
    page.locator("#score").fill("0")
    counted(page, 100)
    ships = sum(part.per_class()["ship"] for part in rows)
    page.get_by_label("ship", exact=True).uncheck()
    page.locator(".total", has_text=f"{100 - ships} detections in view").wait_for()
    assert "hidden=ship" in page.url
    page.get_by_role("button", name="Show all classes").click()
    page.locator(".total", has_text="100 detections in view").wait_for()
    page.locator(f"[data-run={LATER}] input").check()
    counted(page, 50)
    assert f"run={LATER}" in page.url


def test_names_are_text_and_never_markup(page: Page) -> None:
    counted(page, 100)
    assert page.locator(".classes .name").all_inner_texts() == sorted(CLASSES)
    assert page.locator(".classes b").count() == 0


def test_an_area_is_searched_by_keyboard(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("else")
    page.get_by_role("option", name="Nepal/Elsewhere").wait_for()
    page.keyboard.press("Enter")
    page.get_by_text("In Nepal/Elsewhere").wait_for()
    counted(page, 0)
    page.get_by_role("button", name="Leave the area").click()
    page.locator("#search").fill("27.1211, 87.0015")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    settled(page)
    assert re.search(r"place=1[789][.\d]*/27\.1211\d*/87\.0015", page.url)


def test_a_click_tells_of_a_box_and_shows_its_pixels(page: Page, samples: MemoryStore) -> None:
    (rows,) = (rows for stored, rows in samples.found if (stored.run, stored.scene.id) == (FIRST, "town"))
    best = int(np.argmax(rows.boxes[:, 2] * rows.boxes[:, 3]))
    counted(page, 100)
    settled(page)
    page.mouse.click(*middle_of(page, *rows.centres()[best]))
    page.locator("#details dl").wait_for()
    shown = page.locator("#details").inner_text()
    identifier = page.locator("#details dd").last.inner_text()
    (row,) = rows.take([rows.table.column("id").to_pylist().index(identifier)])
    length, width, _ = rows.measures()[rows.table.column("id").to_pylist().index(identifier)]
    assert f"{row['score']:.3f}" in shown
    assert f"{length:.1f} × {width:.1f} m" in shown
    page.locator("#details img").wait_for()
    assert page.evaluate("document.querySelector('#details img').decode().then(() => true)")
    page.keyboard.press("Escape")
    page.locator("#details").wait_for(state="hidden")


def test_a_polygon_is_drawn_and_counted(page: Page, folder: Path) -> None:
    counted(page, 100)
    settled(page)
    corners = [(500, 200), (1000, 250), (760, 640)]
    places = [page.evaluate(f"swathe.map.unproject([{x}, {y}]).toArray()") for x, y in corners]
    page.locator("#polygon").click()
    for x, y in corners:
        page.mouse.click(x, y)
        page.wait_for_timeout(400)  # two quick clicks are a double click
    page.keyboard.press("Enter")
    page.locator("#in-polygon", has_text="in the polygon").wait_for()
    wanted = read(
        open_store(folder), Query(polygon=tuple(map(tuple, places)), runs=(FIRST,), scenes=("town", "port/<i>"))
    )
    assert page.locator("#in-polygon").inner_text().startswith(f"{len(wanted)} in the polygon")


@pytest.mark.parametrize(("kind", "begin"), [("geojson", b"{"), ("gpkg", b"SQLite"), ("csv", b'"id"')])
def test_what_is_seen_is_downloaded(page: Page, tmp_path: Path, kind: str, begin: bytes) -> None:
    counted(page, 100)
    page.locator("summary", has_text="Download").click()
    with page.expect_download() as waiting:
        page.locator(f"[data-format={kind}]").click()
    waiting.value.save_as(tmp_path / kind)
    assert (tmp_path / kind).read_bytes().startswith(begin)


def test_two_runs_lie_side_by_side(page: Page) -> None:
    page.locator(f"[data-run={LATER}] input").check()
    counted(page, 50)
    page.locator("summary", has_text="Compare").click()
    page.locator("#other").select_option(FIRST)
    page.locator("#side-left").wait_for()
    page.locator("#find-changes").click()
    page.get_by_text("In view: 0 new (green), 10 gone (red), 50 on both sides.").wait_for()
    page.locator("#swipe").focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.getElementById('other-map').style.clipPath") == "inset(0px 60% 0px 0px)"
    page.get_by_role("button", name="End").click()
    page.locator("#swipe").wait_for(state="hidden")


def test_a_scene_without_georeference_is_seen_in_its_pixels(page: Page) -> None:
    page.locator("#search").fill("photo")
    page.get_by_role("option", name="photo").click()
    page.get_by_text("Pixels of photo").wait_for()
    counted(page, 50)
    settled(page)
    picture = pixels_of(page)
    assert (np.abs(picture - (200, 30, 40)).max(axis=2) < 12).sum() > 3000
    page.get_by_role("button", name="Back to the map").click()
    counted(page, 100)


def test_an_address_brings_others_to_the_same_view(browser: Browser, page: Page, samples: MemoryStore) -> None:
    rows = [rows for stored, rows in samples.found if stored.run == FIRST and stored.scene.georeferenced]
    left = [part.filter(Query(min_score=0.7, classes=("<b>harbour</b>",))) for part in rows]
    total = f"{sum(map(len, left))} detections in view"
    page.locator("#score").fill("0.7")
    page.get_by_label("ship", exact=True).uncheck()
    page.locator(".total", has_text=total).wait_for()
    with browse(browser, page.url) as other:
        other.locator(".total", has_text=total).wait_for()
        assert other.locator("#score").input_value() == "0.7"
        assert not other.get_by_label("ship", exact=True).is_checked()


CROWD, SPARSE = 6000, 60
DENSE = "{ center: [87.00303, 27.1211], zoom: 17 }"  # where the two scenes meet
THIN = "{ center: [87.0052, 27.1211], zoom: 19 }"
VISIBLE = (
    "['cells', 'boxes', 'points'].filter((one) => swathe.map.getLayoutProperty(one, 'visibility') !== 'none').join()"
)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a store of two scenes side by side, one full of boxes."""
    folder, store = tmp_path_factory.mktemp("crowd"), MemoryStore()
    for number, count in enumerate((CROWD, SPARSE)):
        path = write_scene(folder / f"{number}.tif", placed=True, shift=300.0 * number)
        store.add("run", some_boxes(describe(path, str(number)), "run", count, seed=number))
    keep(store, folder / "store")
    with serve(folder / "store") as found:
        yield found


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1440, 900), (390, 844)])
def test_a_view_shows_cells_or_boxes_and_never_both(browser: Browser, crowded: str, width: int, height: int) -> None:
    with browse(browser, crowded, width, height) as page:
        for place, wanted in ((DENSE, "cells"), (THIN, "boxes,points"), (DENSE, "cells")):
            page.evaluate(f"swathe.map.jumpTo({place})")
            page.wait_for_function(f"{VISIBLE.strip()} === '{wanted}'")
            settled(page)
            drawn = page.evaluate("swathe.map.queryRenderedFeatures({ layers: ['cells', 'boxes', 'points'] }).length")
            assert 0 < drawn <= 4000
            assert page.locator("#legend").is_visible() == (wanted == "cells")
            _apart(page, ["#panel", "#legend", ".maplibregl-ctrl-scale", ".maplibregl-ctrl-group"])


def _apart(page: Page, names: list[str]) -> None:
    """Check that no element covers another one."""
    boxes = [page.locator(name).bounding_box() for name in names if page.locator(name).is_visible()]
    for one, other in combinations(boxes, 2):
        beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        assert beside or one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]


@pytest.mark.parametrize(("width", "height"), [(390, 844), (320, 640)])  # a phone; 1280 pixels at 400 % zoom
def test_narrow_pages_need_no_sideways_scrolling(browser: Browser, address: str, width: int, height: int) -> None:
    with browse(browser, address, width, height) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in ("#search", "#score", "#polygon"):
            page.locator(name).scroll_into_view_if_needed()
            assert page.locator(name).bounding_box()["width"] <= width
        page.locator("#fold").click()
        page.locator("#sections").wait_for(state="hidden")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_panel_follows_the_colours_of_the_system(browser: Browser, address: str, scheme: str) -> None:
    with browse(browser, address, color_scheme=scheme) as page:
        panel = pixels_of(page)[40, 200].mean()
        assert (panel > 200) == (scheme == "light")
        page.locator("#theme").click()
        assert (pixels_of(page)[40, 200].mean() > 200) == (scheme == "dark")


def test_a_run_is_followed_as_it_works(browser: Browser, tmp_path: Path) -> None:
    """Scenes are committed one by one by this process; the page shows each without being loaded again."""
    work = MemoryStore()
    scenes = [
        describe(write_scene(tmp_path / f"{name}.tif", placed=True, shift=400.0 * at), name)
        for at, name in enumerate("abc")
    ]
    for number, scene in enumerate(scenes):
        work.add("run", some_boxes(scene, "run", 20, seed=number))
    store = open_store(tmp_path / "store", create=True)
    store.begin(
        "run",
        {"model": {"name": "ships"}},
        [replace(stored, state="pending", per_class={}) for stored, _ in work.found],
    )
    with serve(tmp_path / "store") as address, browse(browser, address) as page:
        page.get_by_text("0 of 3 scenes").wait_for()
        for done, (stored, rows) in enumerate(work.found, start=1):
            store.commit("run", [store.write(stored, rows)])
            page.get_by_text(f"{done} of 3 scenes" if done < 3 else "3 scenes · 60 detections").wait_for()
            counted(page, 20 * done)
        assert page.locator("progress").count() == 0


def test_all_requests_are_written_down(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}api.html")
    page.get_by_text("/api/collections/detections/items", exact=True).click()
    page.get_by_text("Lowest score.").first.wait_for()
    page.close()
