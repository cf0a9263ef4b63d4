"""`swathe serve` in a process of its own, and a browser that looks at it."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from requirements import need_page, need_program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The server refuses what takes long; here it has time.
SERVER = """
from swathe.cli.main import run
from swathe.viewer import library, safety
library.LONGEST = safety.LONGEST = 600.0
run()
"""
LONGEST_STOP = 120  # seconds
PATIENCE = 180_000  # milliseconds: pixels are drawn by the processor, and others use it too


@contextmanager
def serve(store: Path | str) -> Iterator[str]:
    """Serve a store; yields the address of the page."""
    need_page()
    command = [sys.executable, "-c", SERVER, "serve", str(store), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or not (address := process.stdout.readline().strip()):
                raise AssertionError("swathe serve has not started")
            yield address
        finally:
            process.terminate()
            try:
                process.wait(LONGEST_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = launched(play, FLAGS)
        yield browser
        browser.close()


def launched(play: Playwright, flags: list[str]) -> Browser:
    """Start the browser, a second time if it does not come up: all tests of a module may depend on it."""
    from playwright.sync_api import Error

    words: dict[str, Any] = {"executable_path": need_program("chromium"), "args": flags, "timeout": PATIENCE}
    try:
        return play.chromium.launch(**words)
    except Error as error:
        warnings.warn(f"the browser is started a second time: {error}", stacklevel=1)
        return play.chromium.launch(**words)


@contextmanager
def browse(browser: Browser, address: str, width: int = 1280, height: int = 800, **options: Any) -> Iterator[Page]:
    """Open the map; complaints, and requests to any other host, fail the test."""
    page = browser.new_page(viewport={"width": width, "height": height}, **options)
    with watched(page, address):
        page.goto(address)
        page.wait_for_selector("#map[data-idle][data-counted]")
        yield page


@contextmanager
def watched(page: Page, address: str) -> Iterator[None]:
    """Close a page at the end; complaints, and requests to any other host, fail the test."""
    page.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: _check(request.url, address, complaints))
    yield
    page.close()
    assert complaints == []


def _check(url: str, address: str, complaints: list[str]) -> None:
    if not url.startswith((address.split("#", maxsplit=1)[0], "blob:", "data:")):
        complaints.append(f"asked {url}")


def settled(page: Page) -> None:
    """Wait until the map has drawn all that it has asked for."""
    # What was clicked is asked for after a moment, which the page itself waits for: its timers keep their order.
    page.evaluate("new Promise((done) => setTimeout(done, 300))")
    page.evaluate("new Promise((done) => { swathe.map.once('idle', done); swathe.map.triggerRepaint() })")


def pixels_of(page: Page) -> Any:
    """Take a picture of the page as an array of RGB."""
    import io

    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(page.screenshot())) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def keep_picture(page: Page, name: str) -> Any:
    """Take a picture of the page as an array of RGB; SWATHE_PICTURES names a folder in which it is kept, too."""
    import numpy as np
    from PIL import Image

    picture = pixels_of(page)
    if folder := os.environ.get("SWATHE_PICTURES"):
        Image.fromarray(picture.astype(np.uint8)).save(Path(folder) / name, quality=80, optimize=True)
    return picture
