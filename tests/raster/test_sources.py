"""Files, folders and patterns become a sorted list of rasters with unique ids."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.errors import SourceError
from swathe.raster.sources import find_sources, scene_ids


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ("b.TIF", "a.png", "deep/er/c.jpg", "a.tif.ovr", "a.png.aux.xml", "notes.txt", ".hidden.tif", ".git/d.tif")
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return tmp_path


def names(found: list[str], folder: Path) -> list[str]:
    return [Path(path).relative_to(folder).as_posix() for path in found]


def test_folders_are_searched_for_rasters(folder: Path) -> None:
    assert names(find_sources([str(folder)]), folder) == ["a.png", "b.TIF", "deep/er/c.jpg"]


def test_sources_are_found_once(folder: Path) -> None:
    twice = [str(folder / "a.png"), str(folder / "*.png"), str(folder / "deep" / ".." / "a.png"), str(folder)]
    assert names(find_sources(twice), folder) == ["a.png", "b.TIF", "deep/er/c.jpg"]


def test_patterns(folder: Path) -> None:
    assert names(find_sources([str(folder / "**" / "*.jpg")]), folder) == ["deep/er/c.jpg"]
    assert names(find_sources([str(folder / "d*")]), folder) == ["deep/er/c.jpg"]


def test_a_file_is_taken_whatever_its_name(folder: Path) -> None:
    (folder / "[1]").write_text("x")
    assert names(find_sources([str(folder / "notes.txt"), folder / "[1]"]), folder) == ["[1]", "notes.txt"]


@pytest.mark.parametrize("source", ["absent.tif", "*.gif", "empty"])
def test_nothing_found_is_an_error_that_names_the_source(folder: Path, source: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(SourceError, match=source.replace("*", r"\*")):
        find_sources([str(folder), str(folder / source)])


def test_links_in_a_ring_are_left_for_opening(tmp_path: Path) -> None:
    (tmp_path / "scene.tif").symlink_to("scene.tif")
    assert find_sources([str(tmp_path)]) == [str(tmp_path / "scene.tif")]


def test_no_sources_is_an_error() -> None:
    with pytest.raises(SourceError, match="at least one"):
        find_sources([])


def test_ids_are_stems_or_the_folders_below_the_common_one() -> None:
    paths = [
        Path("/data/one/x.tif"),
        Path("/data/two/x.tif"),
        Path("/data/y.tif"),
        Path("/data/two/y.png"),
        Path("/data/z.tif"),
    ]
    assert scene_ids(paths) == ["one-x", "two-x", "y", "two-y", "z"]
    assert scene_ids([Path("/d/x.tif"), Path("/d/x.png"), Path("/d/x-2.png")]) == ["x", "x-3", "x-2"]
    assert scene_ids([]) == []


@settings(max_examples=50, deadline=None)
@given(st.sets(st.from_regex(r"/r(/[ab-]{1,3}){0,2}/[ab]{1,2}(-2)?\.(tif|png)", fullmatch=True), max_size=12))
def test_ids_are_unique(paths: set[str]) -> None:
    ids = scene_ids([Path(path) for path in sorted(paths)])
    assert len(set(ids)) == len(ids) == len(paths)
    assert not any("/" in name for name in ids)
