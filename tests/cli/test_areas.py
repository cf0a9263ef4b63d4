"""`swathe areas`: kept in a store, listed with what was found, asked for by `swathe query`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import shapely

from swathe.areas import Area, Areas
from swathe.detections import Detections
from swathe.query import Query, reference_filter

if TYPE_CHECKING:
    from command import Command


@pytest.fixture(scope="module")
def everything(store: Path) -> Detections:
    """All that the store holds."""
    return Detections.open(store)


@pytest.fixture(scope="module")
def areas(everything: Detections) -> Areas:
    """The western and the eastern half of the scene, and a place without detections."""
    west, south, east, north = shapely.total_bounds(everything.footprints())
    middle = (west + east) / 2
    return Areas(
        (
            Area("harbour/west", shapely.box(west - 1, south - 1, middle, north + 1)),
            Area("harbour/east", shapely.box(middle, south - 1, east + 1, north + 1)),
            Area("elsewhere", shapely.box(0, 0, 1, 1)),
        )
    )


@pytest.fixture
def own(store: Path, areas: Areas, tmp_path: Path) -> Path:
    """A copy of the store that holds the areas."""
    path = tmp_path / "own"
    shutil.copytree(store, path)
    areas.save(path / "areas.geojson")
    return path


def test_areas_are_added_listed_and_removed(
    command: Command, store: Path, everything: Detections, areas: Areas, tmp_path: Path
) -> None:
    path, file = tmp_path / "own", areas.save(tmp_path / "parts.geojson")
    shutil.copytree(store, path)
    assert "--add FILE" in command("areas", path).out
    outcome = command("areas", path, "--add", file, "--json")
    assert outcome.code == 0
    listed = {line["name"]: line for line in outcome.lines[:-1]}
    assert list(listed) == ["elsewhere", "harbour", "harbour/east", "harbour/west"]
    assert outcome.lines[-1] == {"event": "summary", "areas": 4}
    assert listed["harbour"]["detections"] == len(everything)
    assert listed["harbour"]["per_class"] == everything.per_class()
    west = reference_filter(everything, Query(areas=(areas["west"],)))
    assert 0 < listed["harbour/west"]["detections"] == len(west) < len(everything)
    plain = command("areas", path).out.splitlines()
    assert plain[0] == "elsewhere: nothing found"
    assert plain[1] == "harbour: " + ", ".join(f"{count} {name}" for name, count in everything.per_class().items())
    outcome = command("areas", path, "--remove", "harbour")
    assert (outcome.code, outcome.out) == (0, "elsewhere: nothing found\n")
    assert Areas.open(path).names == ("elsewhere",)


def test_areas_of_the_same_name_need_overwrite(command: Command, own: Path, tmp_path: Path) -> None:
    file = Areas((Area("harbour/west", shapely.box(5, 5, 6, 6)),)).save(tmp_path / "new.geojson")
    before = (own / "areas.geojson").read_bytes()
    outcome = command("areas", own, "--add", file)
    assert (outcome.code, outcome.is_one_error) == (2, True)
    assert "--overwrite" in outcome.err
    assert (own / "areas.geojson").read_bytes() == before
    assert command("areas", own, "--add", file, "--overwrite").code == 0
    assert Areas.open(own)["west"].geometry.bounds == (5, 5, 6, 6)


def test_query_by_area_of_the_store(command: Command, own: Path, everything: Detections, areas: Areas) -> None:
    for wanted in (["west"], ["harbour/east", "elsewhere"], ["harbour"]):
        words = [word for name in wanted for word in ("--area", name)]
        expected = reference_filter(everything, Query(areas=tuple(areas[name] for name in wanted)))
        assert command("query", own, *words, "--json", "--count").lines[-1]["detections"] == len(expected)


def test_query_by_areas_of_a_file(command: Command, store: Path, areas: Areas, tmp_path: Path) -> None:
    features = areas.to_geojson()
    for feature in features["features"]:
        feature["properties"]["title"] = feature["properties"].pop("name")
    file = tmp_path / "titles.geojson"
    file.write_text(json.dumps(features))
    found = command("query", store, "--areas", file, "--name-property", "title", "--area", "elsewhere", "--json")
    assert found.lines[-1]["detections"] == 0
    everywhere = command("query", store, "--areas", file, "--name-property", "title", "--json", "--count")
    assert everywhere.lines[-1]["detections"] > 0
    outcome = command("query", store, "--areas", file)
    assert (outcome.code, outcome.is_one_error) == (3, True)
    assert "--name-property" in outcome.err


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("query", "OWN", "--area", "nowhere"), 2, "no area 'nowhere'"),
        (("query", "STORE", "--area", "west"), 3, "swathe areas"),
        (("query", "STORE", "--areas", "missing.geojson"), 3, "missing.geojson"),
        (("query", "STORE", "--name-property", "x"), 2, "--areas"),
        (("areas", "STORE", "--name-property", "x"), 2, "--add"),
        (("areas", "STORE", "--remove", "west"), 2, "no area 'west'"),
        (("areas", "STORE", "--add", "missing.geojson"), 3, "missing.geojson"),
        (("areas", "nowhere"), 5, "nowhere"),
    ],
)
def test_mistakes_are_one_line(
    command: Command, store: Path, own: Path, words: tuple[str, ...], code: int, part: str
) -> None:
    places = {"STORE": store, "OWN": own}
    outcome = command(*(places.get(word, word) for word in words))
    assert (outcome.code, outcome.is_one_error) == (code, True), outcome.err
    assert part in outcome.err


def test_damaged_areas_of_a_store_are_one_line(command: Command, own: Path) -> None:
    (own / "areas.geojson").write_text("{")
    for words in (("areas", own), ("query", own, "--area", "west")):
        outcome = command(*words)
        assert (outcome.code, outcome.is_one_error) == (5, True)
        assert "areas.geojson" in outcome.err
    assert command("query", own, "--count").code == 0
