"""Training configurations: what is understood, and that nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from requirements import need
from swathe.errors import SourceError, UsageError

need("torch")
need("cv2")

from swathe.training.config import load_config, parse_config  # noqa: E402 - after the check for torch


def minimal() -> dict[str, Any]:
    return {
        "model": {"name": "m", "classes": ["ship"]},
        "run": {"output": "runs/m"},
        "train": [{"kind": "dota", "labels": "labels", "images": "images"}],
    }


def test_defaults_are_the_baseline_s() -> None:
    config = parse_config(minimal(), where="test")
    schedule = config.schedule
    assert (schedule.learning_rate, schedule.final_share, schedule.momentum) == (0.01, 0.2, 0.937)
    assert (schedule.batch, schedule.nominal_batch, schedule.warmup_epochs) == (8, 64, 3.0)
    assert (schedule.weight_decay, schedule.epochs, schedule.optimiser) == (0.0005, 100, "sgd")
    assert (config.loss.box, config.loss.alpha, config.loss.divided) == ("ciou", 1.0, False)
    assert config.train[0].labels == Path("labels")


def test_the_shipped_recipes_are_understood() -> None:
    recipes = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
    assert recipes
    for recipe in recipes:
        assert load_config(recipe).model.classes


@pytest.mark.parametrize(
    ("table", "values", "message"),
    [
        ("model", {"sise": "n"}, "unknown key sise"),
        ("model", {"input_size": 500}, "multiple of 32"),
        ("model", {"input_size": "big"}, "Expected `int`"),
        ("model", {"input_size": True}, "Expected `int`"),
        ("model", {"classes": "ship"}, "Expected `array`"),
        ("loss", {"alpha": 0}, "alpha"),
        ("loss", {"box": "siou"}, "siou"),
        ("schedule", {"epochs": 0}, "epochs"),
        ("schedule", {"views": -5}, "views"),
        ("schedule", {"momentum": 2.0}, "momentum"),
        ("schedule", {"average_decay": 1.5}, "average_decay"),
        ("run", {"validate_every": 0}, "validate_every"),
        ("run", {"tile": 0}, "tile"),
        ("model", {"classes": [1, 2]}, "Expected `str`"),
        ("model", {"classes": ["ship", "ship"]}, "twice"),
        ("model", {"size": "q"}, "size"),
        ("loss", {"angle_radius": 0.0}, "angle_radius"),
        ("augment", {"scale": [0.5]}, "length 2"),
        ("augment", {"scale": ["a", "b"]}, "Expected `float`"),
        ("schedule", {"optimiser": "adam"}, "optimiser"),
        ("augment", {"mosaic": 2.0}, "mosaic"),
        ("optimizer", {}, "unknown key optimizer"),
    ],
)
def test_says_what_is_wrong(table: str, values: dict[str, Any], message: str) -> None:
    document = minimal()
    document[table] = {**document.get(table, {}), **values}
    with pytest.raises(UsageError, match=message):
        parse_config(document, where="test.toml")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kind": "voc", "labels": "a"}, "voc"),
        ({"kind": "dota", "labels": "a"}, "images"),
        ({"kind": "geojson", "labels": "a"}, "scene"),
        ({"labels": "a"}, "kind"),
        ({"kind": "dota", "labels": "a", "images": "b", "scale": 0}, "scale"),
        ({"kind": "dota", "labels": "a", "images": "b", "scale": float("inf")}, "scale"),
        ({"kind": "dota", "labels": "a", "images": "b", "box": [1, 2, 3]}, "length 4"),
        ({"kind": "dota", "labels": "a", "images": "b", "rename": "ship"}, "Expected `object`"),
        ({"kind": "dota", "labels": "a", "images": "b", "labelled": ["boat"]}, "does not have: boat"),
    ],
)
def test_says_what_a_data_set_lacks(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_config({**minimal(), "train": [entry]}, where="test.toml")


def test_a_run_without_data_is_refused() -> None:
    with pytest.raises(UsageError, match="no training set"):
        parse_config({**minimal(), "train": []}, where="test.toml")


@pytest.mark.parametrize("missing", ["model", "run", "train"])
def test_names_a_missing_table(missing: str) -> None:
    document = minimal()
    del document[missing]
    with pytest.raises(UsageError, match=missing):
        parse_config(document, where="test.toml")


def test_names_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.toml"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[model\n")
    with pytest.raises(SourceError, match="not TOML"):
        load_config(tmp_path / "bad.toml")


@pytest.mark.parametrize("content", [b"a." * 2000 + b"a = 1", b"#" * (2 << 20)])
def test_a_file_that_no_configuration_is_like_is_not_read_on(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train.toml"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"train\.toml is far too long"):
        load_config(path)
