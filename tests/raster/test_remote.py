"""Addresses in words: what GDAL opens, what may be shown, and what a failure means."""

from __future__ import annotations

import pytest

from swathe.errors import SourceError
from swathe.raster import remote
from swathe.raster.sources import find_sources, scene_ids

SIGNED = "https://host/b/scene.tif?X-Amz-Signature=abc&X-Amz-Expires=9"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/data/scene.tif", "/data/scene.tif"),
        ("https://host/a/b.tif", "/vsicurl/https://host/a/b.tif"),
        ("HTTP://host:81/a.tif", "/vsicurl/http://host:81/a.tif"),
        ("https://host/a b/ü%20.tif", "/vsicurl/https://host/a%20b/%C3%BC%20.tif"),
        (SIGNED, f"/vsicurl/{SIGNED}"),
        ("s3://bucket/a b?.tif", "/vsis3/bucket/a b?.tif"),
    ],
)
def test_gdal_gets_its_own_spelling(uri: str, path: str) -> None:
    assert remote.gdal_path(uri) == path
    assert remote.is_remote(uri) is not uri.startswith("/")


def test_what_is_shown_holds_no_secrets() -> None:
    assert remote.shown(SIGNED) == "https://host/b/scene.tif"
    assert remote.shown("https://me:word@host/a.tif#x") == "https://host/a.tif"
    assert remote.shown(f"/vsicurl/{SIGNED}") == "https://host/b/scene.tif"
    assert remote.shown("HTTPS://host/a b.tif?key=1 2") == "HTTPS://host/a b.tif"
    assert remote.shown("https://host?key=a@b/c") == "https://host"
    assert remote.shown("/vsis3/bucket/a?.tif") == "s3://bucket/a?.tif"
    said = f"'/vsicurl/{SIGNED}' not found, nor {SIGNED}."
    assert remote.without_secrets(said) == "'https://host/b/scene.tif' not found, nor https://host/b/scene.tif"
    assert remote.shown("/data/what?.tif") == "/data/what?.tif"


def test_ids_come_from_the_address_without_its_query() -> None:
    assert scene_ids([SIGNED, "/data/c.tif", "s3://bucket/x/c.tif", "https://host/a%20b.tif"]) == [
        "scene",
        "data-c",
        "bucket-x-c",
        "a b",
    ]


@pytest.mark.parametrize("source", ["gs://bucket/a.tif", "ftp://host/a.tif", "https:///a.tif", "https://host/folder/"])
def test_other_addresses_are_refused(source: str) -> None:
    with pytest.raises(SourceError, match=source):
        find_sources([source])


def test_paths_come_before_addresses_each_once(tmp_path) -> None:
    path = tmp_path / "x.tif"
    path.write_text("x")
    addresses = ["https://host/b.tif", "http://host/a.tif"]
    assert find_sources([*addresses, path, *addresses]) == [str(path), *sorted(addresses)]


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("HTTP response code: 404", "does not exist .* check the address"),
        ("HTTP response code: 403", "may not be read .* expired"),
        ("HTTP response code on http://host/a.tif?key=1: 503", "the server fails .* run the same command again"),
        ("HTTP error code: 429 - http://host/a.tif. Retrying", "the server fails"),
        ("HTTP response code: 302", "cannot be read .*302"),
        ("Range downloading not supported by this server!", "whole files only.* fetch the file first"),
        ("AWS_SECRET_ACCESS_KEY not defined", "no credentials .* AWS_NO_SIGN_REQUEST"),
        ("The specified bucket does not exist", "name of the bucket"),
        ("strange thing with http://host/a.tif?key=1", "strange thing with"),
    ],
)
def test_failures_are_explained_without_secrets(said: str, means: str) -> None:
    message = remote.explain("http://host/a.tif?key=1", said)
    assert message.startswith("http://host/a.tif: ")
    assert "key" not in message.replace("ACCESS_KEY", "")
    with pytest.raises(SourceError, match=means):
        raise SourceError(message)


def test_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert remote.options()["GDAL_HTTP_MAX_RETRY"] == 4
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "9")
    assert "GDAL_HTTP_MAX_RETRY" not in remote.options()
