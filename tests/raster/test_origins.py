"""Addresses in words: what GDAL opens, what may be shown, and what a failure means."""

from __future__ import annotations

import os

import pytest

from swathe.errors import SourceError
from swathe.raster import environment
from swathe.raster.origins import ORIGINS, is_remote, origin_of, redacted, without_secrets
from swathe.raster.origins.curl import Remote
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
        ("hdfs://host:9000/a b.tif", "/vsihdfsnative/host:9000/a b.tif"),
        ("hdfs:///a.tif", "/vsihdfsnative//a.tif"),
    ],
)
def test_gdal_gets_its_own_spelling(uri: str, path: str) -> None:
    assert origin_of(uri).gdal_path(uri) == path
    assert is_remote(uri) is not uri.startswith("/")


def test_what_is_shown_holds_no_secrets() -> None:
    assert redacted(SIGNED) == "https://host/b/scene.tif"
    assert redacted("https://me:word@host/a.tif#x") == "https://host/a.tif"
    assert redacted(f"/vsicurl/{SIGNED}") == "https://host/b/scene.tif"
    assert redacted("HTTPS://host/a b.tif?key=1 2") == "HTTPS://host/a b.tif"
    assert redacted("https://host?key=a@b/c") == "https://host"
    assert redacted("/vsis3/bucket/a?.tif") == "s3://bucket/a?.tif"
    assert redacted("/vsihdfsnative/host:9000/a?.tif") == "hdfs://host:9000/a?.tif"
    said = f"'/vsicurl/{SIGNED}' not found, nor {SIGNED}."
    assert without_secrets(said) == "'https://host/b/scene.tif' not found, nor https://host/b/scene.tif"
    assert redacted("/data/what?.tif") == "/data/what?.tif"


def test_ids_come_from_the_address_without_its_query() -> None:
    assert scene_ids([SIGNED, "/data/c.tif", "s3://bucket/x/c.tif", "https://host/a%20b.tif"]) == [
        "scene",
        "data-c",
        "bucket-x-c",
        "a b",
    ]


@pytest.mark.parametrize(
    "source", ["gs://bucket/a.tif", "ftp://host/a.tif", "https:///a.tif", "https://host/folder/", "s3:///a.tif"]
)
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
    origin = ORIGINS["s3" if "bucket" in said or "AWS" in said else "http"]
    assert isinstance(origin, Remote)
    message = origin.explain("http://host/a.tif?key=1", said)
    assert message.startswith("http://host/a.tif")
    with pytest.raises(SourceError, match=means):
        raise SourceError(message)


def test_what_is_shown_of_a_failure_holds_no_secrets() -> None:
    message = ORIGINS["http"].unopened("http://host/a.tif?key=1", "server: strange thing with http://host/a.tif?key=1")
    assert message is not None
    assert "strange thing with http://host/a.tif)" in message


def test_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    from rasterio.env import getenv

    for number in ("4", "9"):
        with environment.settings():
            assert getenv().get("GDAL_HTTP_MAX_RETRY", 9) == int(number)
        monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "9")


def test_what_reading_needs_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    import rasterio

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("https_proxy", "http://proxy:1")
    monkeypatch.setenv("GDAL_DATA", "/here/only")
    monkeypatch.setenv("SECRET", "no")
    monkeypatch.delenv("GDAL_HTTP_HEADERS", raising=False)
    with rasterio.Env(GDAL_HTTP_HEADERS="Authorization: Bearer 1"):
        captured = environment.capture()
    assert (
        captured.items()
        >= {
            "AWS_ACCESS_KEY_ID": "me",
            "https_proxy": "http://proxy:1",
            "GDAL_HTTP_HEADERS": "Authorization: Bearer 1",
        }.items()
    )
    assert not {"GDAL_DATA", "SECRET", "PATH"} & captured.keys()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    with environment.restore(captured):
        assert os.environ["AWS_ACCESS_KEY_ID"] == "me"
        assert os.environ["GDAL_HTTP_HEADERS"] == "Authorization: Bearer 1"
    assert os.environ["AWS_ACCESS_KEY_ID"] == "another"
    assert "GDAL_HTTP_HEADERS" not in os.environ
