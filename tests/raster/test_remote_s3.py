"""Images in a bucket, read through the S3 server of moto on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from requirements import need
from servers import file_server, s3_server
from swathe.errors import SourceError
from swathe.opened import open_readable
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader
from swathe.raster.sources import find_sources
from swathe.raster.window import Window


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """An empty bucket called "scenes"."""
    need("boto3")
    import boto3

    with pytest.MonkeyPatch.context() as environment, s3_server(environment) as address:
        environment.setenv("GDAL_HTTP_MAX_RETRY", "0")
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
        client.create_bucket(Bucket="scenes")
        yield client


@pytest.fixture
def scene(bucket: Any, picture: Any, write: Any) -> Path:
    path: Path = write(picture(600, 500), tiled=True, blockxsize=128, blockysize=128, compress="deflate")
    for key in ("a b.tif", "x/c.tif", "x/y/d.TIF", "x/.hidden.tif", "x/notes.txt"):
        bucket.put_object(Bucket="scenes", Key=key, Body=path.read_bytes())
    return path


def test_windows_equal_those_of_the_file(scene: Path) -> None:
    window = Window(100, 70, 200, 180)
    read = []
    for source in (scene, "s3://scenes/a b.tif"):
        opened = open_scene(source)
        with RasterReader(opened) as reader:
            read.append(reader.read(Level.of(600, 500, 1.0), window).pixels)
    assert np.array_equal(*read)
    assert (opened.uri, opened.id, opened.fingerprint[0]) == ("s3://scenes/a b.tif", "a b", scene.stat().st_size)


def test_prefixes_and_patterns_list_the_bucket(scene: Path) -> None:
    assert find_sources(["s3://scenes/x/"]) == ["s3://scenes/x/c.tif", "s3://scenes/x/y/d.TIF"]
    assert find_sources(["s3://scenes/*.tif"]) == ["s3://scenes/a b.tif", "s3://scenes/x/c.tif"]
    assert len(find_sources(["s3://scenes/"])) == 3


def test_what_is_not_there(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match=r"s3://scenes/absent\.tif: does not exist"):
        open_scene("s3://scenes/absent.tif")
    with pytest.raises(SourceError, match=r"s3://elsewhere/a\.tif: does not exist|bucket"):
        open_scene("s3://elsewhere/a.tif")
    for source in ("s3://scenes/z/", "s3://elsewhere/", "s3://scenes/*.png"):
        with pytest.raises(SourceError, match=r"no raster there|name of the bucket|does not exist"):
            find_sources([source])


def test_a_replaced_object_is_noticed(bucket: Any, scene: Path) -> None:
    opened = open_scene("s3://scenes/x/c.tif")
    opened.check_unchanged()
    content = bytearray(scene.read_bytes())
    content[-1] ^= 1
    bucket.put_object(Bucket="scenes", Key="x/c.tif", Body=bytes(content))
    with pytest.raises(SourceError, match="has changed"):
        opened.check_unchanged()


def test_a_signed_address_is_read_and_its_signature_kept_out_of_sight(bucket: Any, scene: Path) -> None:
    signed = bucket.generate_presigned_url("get_object", Params={"Bucket": "scenes", "Key": "a b.tif"})
    assert "Signature" in signed
    opened = open_scene(signed)
    assert (opened.id, opened.width) == ("a b", 600)
    gone = bucket.generate_presigned_url("get_object", Params={"Bucket": "scenes", "Key": "gone.tif"})
    with pytest.raises(SourceError, match=r"gone\.tif: does not exist") as caught:
        open_scene(gone)
    assert "Signature" not in str(caught.value)


def test_missing_credentials_and_servers(scene: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_S3_ENDPOINT", "127.0.0.1:9")
    with pytest.raises(SourceError, match="refuses connections at port 9"):
        open_scene("s3://scenes/x/c.tif")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SourceError, match="no credentials for S3 were found"):
        open_scene("s3://scenes/x/c.tif")


@pytest.mark.parametrize("source", ["s3://nobodys/x/c.tif", "s3://nobodys/x/"])
def test_where_a_machine_of_amazon_would_have_credentials_is_not_asked_again_and_again(
    source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GDAL_HTTP_MAX_RETRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GDAL_HTTP_RETRY_DELAY", "0.01")
    monkeypatch.setenv("HOME", str(tmp_path))
    with file_server(tmp_path) as server:
        server.behave(statuses=[503] * 50)
        monkeypatch.setenv("CPL_AWS_EC2_API_ROOT_URL", server.address)
        with pytest.raises(SourceError, match="no credentials for S3 were found"):
            open_readable([source])
        assert 1 <= len(server.requests) <= 8


def test_a_prefix_that_may_not_be_listed_is_not_called_empty(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with file_server(tmp_path) as server:
        server.behave(statuses=[403] * 50)
        monkeypatch.setenv("AWS_S3_ENDPOINT", server.address.removeprefix("http://"))
        with pytest.raises(SourceError, match=r"s3://closed/x/: may not be read"):
            find_sources(["s3://closed/x/"])


def test_a_mosaic_in_a_bucket_shows_what_lies_in_the_bucket(bucket: Any, scene: Path, tmp_path: Path) -> None:
    def put(name: str) -> str:
        text = (
            '<VRTDataset rasterXSize="600" rasterYSize="500"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
            f'<SourceFilename relativeToVRT="{int(not name.startswith("/"))}">{name}</SourceFilename></SimpleSource>'
            "</VRTRasterBand></VRTDataset>"
        )
        bucket.put_object(Bucket="scenes", Key="x/mosaic.vrt", Body=text.encode())
        return "s3://scenes/x/mosaic.vrt"

    window = Window(100, 70, 200, 180)
    for name in ("c.tif", "/vsis3/scenes/x/c.tif"):
        opened = open_scene(put(name))
        with RasterReader(opened) as reader, RasterReader(open_scene(scene, bands=[1])) as expected:
            level = Level.of(600, 500, 1.0)
            assert np.array_equal(reader.read(level, window).pixels, expected.read(level, window).pixels)
    for name in (str(scene), "/vsis3/elsewhere/x/c.tif", "/vsicurl/http://127.0.0.1:9/c.tif"):
        with pytest.raises(SourceError, match=r"mosaic\.vrt: the VRT names .* on its own server"):
            open_scene(put(name))
    with pytest.raises(SourceError, match=r"mosaic\.vrt: its part s3://scenes/x/gone\.tif: does not exist"):
        open_scene(put("gone.tif"))
