"""Images read from a server on loopback, that counts what is asked of it and fails on demand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servers import FileServer, file_server
from swathe.errors import SourceError
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader
from swathe.raster.scene import Scene
from swathe.raster.window import Window

SIZE = 1024


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    with file_server(tmp_path_factory.getbasetemp()) as started:
        yield started


@pytest.fixture
def server(running: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """The server of a test's own folder, that behaves well."""
    monkeypatch.setenv("GDAL_HTTP_RETRY_DELAY", "0.01")
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "3")
    return running.start_again(tmp_path)


@pytest.fixture
def cog(picture: Any, write: Any) -> Path:
    """A tiled image with overviews whose tiles hardly shrink, 3 MB."""
    noise = np.random.default_rng(0).integers(0, 255, (3, SIZE, SIZE), dtype=np.uint8)
    return write(noise, "a scene.tif", tiled=True, blockxsize=128, blockysize=128, compress="deflate", overviews=(2, 4))


def read(uri: str | Path, window: Window, scale: float = 1.0) -> np.ndarray:
    scene = open_scene(uri)
    with RasterReader(scene) as reader:
        return reader.read(Level.of(scene.width, scene.height, scale), window).pixels


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.3])
def test_windows_equal_those_of_the_file_in_few_requests(server: FileServer, cog: Path, scale: float) -> None:
    window = Window(100, 70, 200, 180)
    expected = read(cog, window, scale)
    assert np.array_equal(read(server.url("a scene.tif"), window, scale), expected)
    assert len(server.requests) <= 10
    assert server.sent < cog.stat().st_size / 2


def test_a_mosaic_shows_what_lies_beside_it_on_its_server(server: FileServer, cog: Path, tmp_path: Path) -> None:
    band = (
        '<VRTRasterBand dataType="Byte" band="{0}"><SimpleSource><SourceFilename relativeToVRT="1">a scene.tif'
        "</SourceFilename><SourceBand>{0}</SourceBand></SimpleSource></VRTRasterBand>"
    )
    bands = "".join(band.format(number) for number in (1, 2, 3))
    text = f'<VRTDataset rasterXSize="{SIZE}" rasterYSize="{SIZE}">{bands}</VRTDataset>'
    (tmp_path / "mosaic.vrt").write_text(text.replace("a scene", "a%20scene"))
    window = Window(100, 70, 200, 180)
    assert np.array_equal(read(server.url("mosaic.vrt"), window), read(cog, window))
    with pytest.raises(SourceError, match=r"mosaic\.vrt: the VRT names"):
        open_scene(server.url("mosaic.vrt?signature=abc"))
    (tmp_path / "local.vrt").write_text(text.replace("a scene.tif", f"/vsicurl/{server.url('a%20scene.tif')}"))
    before = len(server.requests)
    with pytest.raises(SourceError, match=r"local\.vrt: the VRT names .* plain files only"):
        open_scene(tmp_path / "local.vrt")
    assert len(server.requests) == before


def test_an_address_that_is_signed_for_get_alone(server: FileServer, cog: Path) -> None:
    window = Window(100, 70, 200, 180)
    expected = read(cog, window)
    for status in (403, 405):
        server.behave(refused=["HEAD"], refusal=status)
        assert np.array_equal(read(server.url("a scene.tif?signature=abc"), window), expected)


def test_the_description_equals_that_of_the_file(server: FileServer, cog: Path) -> None:
    local, remote = open_scene(cog), open_scene(server.url("a scene.tif"))
    assert remote.id == local.id == "a scene"
    assert remote.fingerprint[0] == local.fingerprint[0] == cog.stat().st_size
    differing = {"uri", "fingerprint"}
    assert {k: v for k, v in remote.to_json().items() if k not in differing} == {
        k: v for k, v in local.to_json().items() if k not in differing
    }
    assert Scene.from_json(remote.to_json()) == remote
    assert len(server.requests) <= 4


def test_a_replaced_object_is_noticed(server: FileServer, cog: Path) -> None:
    scene = open_scene(server.url("a%20scene.tif"))
    scene.check_unchanged()
    server.behave(headers={"ETag": '"another"'})
    with pytest.raises(SourceError, match="has changed"):
        scene.check_unchanged()
    with pytest.raises(SourceError, match="has changed"):
        RasterReader(scene)


def test_without_etag_the_time_of_change_counts_and_without_both_the_length(server: FileServer, cog: Path) -> None:
    server.behave(headers={"ETag": "", "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"})
    scene = open_scene(server.url("a scene.tif"))
    server.behave(headers={"ETag": "", "Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"})
    with pytest.raises(SourceError, match="has changed"):
        scene.check_unchanged()
    server.behave(headers={"ETag": ""})
    assert open_scene(server.url("a scene.tif")).fingerprint == (cog.stat().st_size, 0)


def test_a_replaced_object_is_read_anew(server: FileServer, cog: Path, write: Any, picture: Any) -> None:
    window = Window(0, 0, 64, 64)
    read(server.url("a scene.tif"), window)
    write(picture(SIZE, SIZE), "a scene.tif", tiled=True, blockxsize=128, blockysize=128)
    assert np.array_equal(read(server.url("a scene.tif"), window), read(cog, window))


def test_a_server_that_stumbles_is_asked_again(server: FileServer, cog: Path) -> None:
    window = Window(100, 70, 200, 180)
    expected = read(cog, window)
    server.behave(statuses=[503, 429, 200, 500, 200, 502, 504], cuts=1)
    assert np.array_equal(read(server.url("a scene.tif"), window), expected)
    assert sum(request.status >= 400 for request in server.requests) == 5


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"statuses": [404] * 50}, r"does not exist \(the server answers 404\)"),
        ({"statuses": [403] * 50}, r"may not be read \(the server answers 403\)"),
        ({"statuses": [503] * 50}, "the server fails .*503.* at every retry"),
        ({"ignore_range": True}, "whole files only"),
        ({"hide_length": True}, "does not say how long"),
        ({"headers": {"Content-Type": "text/html; charset=utf-8"}}, "is a web page"),
    ],
    ids=["404", "403", "503", "no ranges", "no length", "web page"],
)
def test_what_cannot_be_read_is_said_in_words(server: FileServer, cog: Path, behaviour: Any, message: str) -> None:
    server.behave(**behaviour)
    with pytest.raises(SourceError, match=message) as caught:
        open_scene(server.url("a scene.tif?signature=secret"))
    assert str(caught.value).startswith(server.url("a scene.tif: "))
    assert "secret" not in str(caught.value)


def test_a_server_that_says_too_late_that_it_knows_no_ranges(server: FileServer, cog: Path) -> None:
    server.behave(ignore_range=True, headers={"Accept-Ranges": ""})
    with pytest.raises(SourceError, match="whole files only"):
        open_scene(server.url("a scene.tif"))


def test_hosts_that_do_not_answer(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="refuses connections at port 9"):
        open_scene("http://127.0.0.1:9/a.tif")
    with pytest.raises(SourceError, match=r"the host no\.such\.invalid is not known"):
        open_scene("http://no.such.invalid/a.tif")
    monkeypatch.setenv("GDAL_HTTP_LOW_SPEED_TIME", "1")
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    server.behave(delay=600.0)  # no answer comes, however long this process stands still; nor one into a later test
    with pytest.raises(SourceError, match="does not answer in time"):
        open_scene(server.url("a.tif"))


@pytest.mark.parametrize("content", [b"", b"no image", b"II*\0\x08\0\0\0"])
def test_what_is_no_image(server: FileServer, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.tif").write_bytes(content)
    with pytest.raises(SourceError, match=r"b\.tif: is (empty|not an image)"):
        open_scene(server.url("b.tif"))


def test_a_file_that_was_cut_short(server: FileServer, cog: Path) -> None:
    cog.write_bytes(cog.read_bytes()[: SIZE * SIZE])
    scene = open_scene(server.url("a scene.tif"))
    with (
        RasterReader(scene) as reader,
        pytest.raises(SourceError, match="fails at the same place, the file is damaged"),
    ):
        reader.read(Level.of(SIZE, SIZE, 1.0), Window(SIZE - 100, SIZE - 100, 100, 100))


def test_an_answer_that_breaks_off_is_fetched_again_once(server: FileServer, cog: Path) -> None:
    window = Window(500, 500, 200, 200)
    expected = read(cog, window)
    with RasterReader(open_scene(server.url("a scene.tif"))) as reader:
        server.behave(cuts=1)
        assert np.array_equal(reader.read(Level.of(SIZE, SIZE, 1.0), window).pixels, expected)
        server.behave(cuts=50)
        with pytest.raises(SourceError, match="if the connection broke off, the same command again"):
            reader.read(Level.of(SIZE, SIZE, 1.0), Window(0, 0, 200, 200))


def test_headers_of_gdal_reach_the_server(server: FileServer, cog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.behave(token="Bearer 123")
    with pytest.raises(SourceError, match="may not be read"):
        open_scene(server.url("a scene.tif"))
    monkeypatch.setenv("GDAL_HTTP_HEADERS", "Authorization: Bearer 123")
    assert open_scene(server.url("a scene.tif")).width == SIZE


def test_a_server_that_fails_later(server: FileServer, cog: Path) -> None:
    scene = open_scene(server.url("a scene.tif"))
    with RasterReader(scene) as reader:
        server.behave(statuses=[503] * 50)
        with pytest.raises(SourceError, match=r"the server fails .*503"):
            reader.read(Level.of(SIZE, SIZE, 1.0), Window(500, 500, 200, 200))
