"""A map without a server of ours: an archive and its page, from a plain host of files with and without ranges."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from map_server import chromium, keep_picture, pixels_of, watched
from memory_store import MemoryStore
from requirements import need, need_page
from swathe.cli.main import main
from viewer_samples import keep, sample_store

need("playwright")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


COUNT = """new Set(
  swathe.map.queryRenderedFeatures({ layers: ["boxes"] }).map((one) => one.properties.scene + one.id)
).size"""


class WithRanges(SimpleHTTPRequestHandler):
    """Serves a folder, and pieces of files where they are asked for."""

    pieces: list[int]

    def do_GET(self) -> None:
        """Answer with a piece, or with the file."""
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted is None:
            super().do_GET()
            return
        content = Path(self.translate_path(self.path)).read_bytes()
        first, last = int(wanted[1]), min(int(wanted[2]), len(content) - 1)
        self.pieces.append(last - first + 1)
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(content[first : last + 1])

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class WithoutRanges(SimpleHTTPRequestHandler):
    """Serves a folder, always whole files."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def hosted(folder: Path, kind: type[SimpleHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> MemoryStore:
    return sample_store(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def folder(samples: MemoryStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_page()
    folder = tmp_path_factory.mktemp("hosted")
    keep(samples, folder / "store")
    command = ["query", str(folder / "store"), "--run", "aaaa1111", "--scenes", "town,port/<i>"]
    assert main([*command, "-o", str(folder / "two places.pmtiles")]) == 0
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@contextmanager
def opened(browser: Browser, address: str, width: int = 1280, height: int = 800) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark")
    with watched(page, address):
        page.goto(f"{address}two%20places.html")
        page.wait_for_selector("#map[data-idle]")
        yield page


def idle(page: Page) -> None:
    page.evaluate("new Promise((done) => { swathe.map.once('idle', done); swathe.map.triggerRepaint() })")


def test_boxes_are_seen_filtered_and_told(browser: Browser, folder: Path, samples: MemoryStore) -> None:
    (rows,) = (rows for stored, rows in samples.found if (stored.run, stored.scene.id) == ("aaaa1111", "town"))
    best = int(np.argmax(rows.boxes[:, 2] * rows.boxes[:, 3]))
    WithRanges.pieces = []
    with hosted(folder, WithRanges) as address, opened(browser, address) as page:
        assert page.title() == "two places"
        assert page.locator(".total").inner_text() == "100 detections"
        assert page.locator(".classes b").count() == 0  # names are text
        assert page.evaluate(COUNT) == 100
        page.evaluate(f"swathe.map.jumpTo({{ center: {rows.centres()[best].tolist()}, zoom: 18 }})")
        idle(page)
        picture = pixels_of(page)
        page.mouse.click(640, 400)
        assert f"{rows.scores[best]:.3f}" in page.locator("#details dl").inner_text()
        assert rows.table.column("id")[best].as_py() in page.locator("#details dl").inner_text()
        keep_picture(page, "map-static.jpg")
        page.get_by_role("button", name="Close").click()
        page.get_by_label("ship", exact=True).uncheck()
        page.get_by_label("<b>harbour</b>", exact=True).uncheck()
        idle(page)
        assert (np.abs(pixels_of(page) - picture).max(axis=2) > 20).sum() > 1000
        assert page.evaluate(COUNT) == 0
    size = (folder / "two places.pmtiles").stat().st_size
    assert WithRanges.pieces
    assert max(WithRanges.pieces) < size


def test_a_host_without_ranges_gives_the_whole_file(browser: Browser, folder: Path) -> None:
    with hosted(folder, WithoutRanges) as address, opened(browser, address) as page:
        assert page.evaluate("swathe.map.queryRenderedFeatures({ layers: ['boxes'] }).length") >= 100


def test_on_a_phone_nothing_is_cut_off(browser: Browser, folder: Path) -> None:
    with hosted(folder, WithoutRanges) as address, opened(browser, address, 390, 844) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        keep_picture(page, "map-static-phone.jpg")
