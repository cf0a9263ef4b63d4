"""A change of any file that the pixels of a scene come from is noticed, and a missing one is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from swathe.errors import SourceError
from swathe.raster.fingerprint import fingerprint
from swathe.raster.mosaics import parts as vrt_parts
from swathe.raster.opening import open_scene
from swathe.raster.scene import Scene

from . import kinds
from .conftest import Write


@pytest.fixture
def mosaic(tmp_path: Path) -> Scene:
    return open_scene(kinds.KINDS["mosaic of mosaics"](tmp_path).path)


def test_the_parts_of_a_mosaic(mosaic: Scene, tmp_path: Path) -> None:
    parts = [tmp_path / "inner.vrt", *(tmp_path / "parts" / f"{number}.tif" for number in range(3))]
    assert vrt_parts(mosaic.uri) == tuple(str(part) for part in parts)
    assert vrt_parts(str(parts[1])) == ()
    assert fingerprint(mosaic.uri)[0] == sum(part.stat().st_size for part in [Path(mosaic.uri), *parts])


@pytest.mark.parametrize("part", ["inner.vrt", "parts/2.tif", "scene.vrt"])
def test_a_changed_part_is_noticed(mosaic: Scene, tmp_path: Path, part: str) -> None:
    mosaic.check_unchanged()
    os.utime(tmp_path / part, ns=(1, 1))
    with pytest.raises(SourceError, match=r"scene\.vrt: has changed"):
        mosaic.check_unchanged()


def test_a_missing_part_is_named_before_anything_is_read(mosaic: Scene, tmp_path: Path) -> None:
    (tmp_path / "parts" / "1.tif").unlink()
    message = r"scene\.vrt: its part .*parts/1\.tif: cannot be found .*put it back"
    for check in (mosaic.check_unchanged, lambda: open_scene(mosaic.uri)):
        with pytest.raises(SourceError, match=message):
            check()
    (tmp_path / "parts" / "1.tif").touch()
    with pytest.raises(SourceError, match=r"its part .*parts/1\.tif: is empty"):
        open_scene(mosaic.uri)


def test_relative_names_start_at_the_mosaic(mosaic: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert open_scene("../scene.vrt").fingerprint == mosaic.fingerprint
    moved = tmp_path / "elsewhere" / "scene.vrt"
    moved.write_text(Path(mosaic.uri).read_text())
    with pytest.raises(SourceError, match=r"elsewhere/inner\.vrt: cannot be found"):
        open_scene(moved)


@pytest.mark.parametrize("beside", [".msk", ".ovr"])
def test_masks_and_overviews_beside_a_file_belong_to_it(
    write: Write, picture: Callable[..., np.ndarray], beside: str
) -> None:
    scene = open_scene(write(picture(60, 50)))
    other = write(np.full((1, 50, 60), 255, dtype=np.uint8), "other.tif")
    other.rename(f"{scene.uri}{beside}")
    with pytest.raises(SourceError, match="has changed"):
        scene.check_unchanged()
