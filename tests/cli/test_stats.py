"""`swathe stats` on a store with known content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from requirements import need
from swathe.cli.stats import BAR_WIDTH, bar

if TYPE_CHECKING:
    from command import Command


def test_text_and_json_agree_with_the_query(command: Command, store: Path) -> None:
    total = command("query", store, "--count", "--json").lines[-1]
    (summary,) = command("stats", store, "--json").lines
    assert (summary["detections"], summary["per_class"]) == (total["detections"], total["per_class"])
    text = command("stats", store).out
    assert text.startswith(f"{total['detections']:,} detections\n")
    assert {"score", "length, m", "width, m", "azimuth, degrees"} <= set(text.splitlines())


def test_filters_are_those_of_query(command: Command, store: Path) -> None:
    (summary,) = command("stats", store, "--json", "--classes", "ship").lines
    assert {name for name, count in summary["per_class"].items() if count} == {"ship"}
    assert command("stats", store, "--min-score", "1").code == 0


def test_polygons_are_those_of_query(command: Command, store: Path, tmp_path: Path) -> None:
    (*features, _) = command("query", store, "--json").lines
    polygon = tmp_path / "polygon.geojson"
    corners = features[0]["polygon"]
    polygon.write_text(json.dumps({"type": "Polygon", "coordinates": [[*corners, corners[0]]]}))
    counted = command("query", store, "--polygon", polygon, "--count", "--json").lines[-1]
    (summary,) = command("stats", store, "--polygon", polygon, "--json").lines
    assert 0 < summary["detections"] == counted["detections"] < len(features)


def test_bars_are_proportional() -> None:
    assert (bar(0.0), bar(1.0), bar(0.5), bar(1e-9)) == ("", "█" * BAR_WIDTH, "█" * (BAR_WIDTH // 2), "▏")


def test_pictures(command: Command, store: Path, tmp_path: Path) -> None:
    need("matplotlib")
    assert command("stats", store, "-o", tmp_path / "a.svg").code == 0
    assert (tmp_path / "a.svg").read_text("utf-8").startswith("<?xml")
    assert command("stats", store, "-o", tmp_path / "a.svg").code == 5


@pytest.mark.parametrize(("words", "code"), [(("-o", "a.gif"), 2), (("--area", "nowhere"), 3)])
def test_bad_words_are_one_line(command: Command, store: Path, words: tuple[str, ...], code: int) -> None:
    outcome = command("stats", store, *words)
    assert (outcome.code, outcome.is_one_error) == (code, True), outcome.err
