"""The scripts under recipes/, each on a setting that takes seconds."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from requirements import need

need("torch")
need("cv2")
need("matplotlib")

import torch  # noqa: E402 - after the check

from swathe.detectors.onnx import BACKEND  # noqa: E402
from swathe.model.csl import encode  # noqa: E402

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def config(labelled: Path, tmp_path: Path) -> Path:
    """A run of two steps."""
    data = f'kind = "dota"\nlabels = "{labelled / "labels"}"\nimages = "{labelled / "images"}"\n'
    path = tmp_path / "bars.toml"
    path.write_text(
        '[model]\nname = "bars"\nclasses = ["bar"]\ninput_size = 96\n'
        f'[run]\noutput = "{tmp_path / "run"}"\ntile = 160\nstride = 160\nthreads = 1\n'
        '[schedule]\nepochs = 2\nviews = 2\nbatch = 2\nnominal_batch = 2\noptimiser = "adamw"\nlearning_rate = 0.002\n'
        f"[[train]]\n{data}[[validate]]\n{data}"
    )
    return path


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> object:
    """Import a script by its name."""
    monkeypatch.syspath_prepend(str(RECIPES))
    return importlib.import_module


def run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, words)])
    module.main()


@pytest.mark.parametrize(
    ("what", "values", "more"),
    [("alpha", ["1", "0.5~2", "0.5-2"], []), ("share", ["0.5", "1"], []), ("size", ["n"], [])],
)
def test_each_ablation_writes_numbers_and_a_picture(
    config: Path,
    tmp_path: Path,
    recipe: object,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    values: list[str],
    more: list,
) -> None:
    run(recipe("ablate"), monkeypatch, config, tmp_path / "out", what, *values, "--seeds", "1", *more)
    report = json.loads((tmp_path / "out" / f"{what}.json").read_text())
    assert list(report["values"]) == values
    assert all(item["tiles_per_second"] > 0 for item in report["values"].values())
    assert all(len(runs[0]) == 1 for runs in report["curves"].values())
    assert Image.open(tmp_path / "out" / f"{what}.png").size[0] > 500


def test_a_run_is_judged_on_whole_images_and_published(
    config: Path, tmp_path: Path, recipe: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(recipe("ablate"), monkeypatch, config, tmp_path / "out", "alpha", "1", "--seeds", "1", "--whole", "0.5", "1")
    ((judged,),) = json.loads((tmp_path / "out" / "alpha.json").read_text())["whole"].values()
    assert set(judged) == {"one scale", "several scales"}
    folder = tmp_path / "out" / "alpha-1-seed-1"
    run(recipe("evaluate_sets"), monkeypatch, config, folder, "-o", tmp_path / "judged")
    assert (tmp_path / "judged" / "report.html").stat().st_size > 10_000
    picture = tmp_path / "out" / "alpha.png"
    words = (folder, tmp_path / "judged" / "report.json", "--models", tmp_path / "models", "--pictures", picture)
    run(recipe("publish"), monkeypatch, *words)
    assert BACKEND.describe(str(tmp_path / "models" / "bars" / "model.onnx")).classes == ("bar",)
    card = (tmp_path / "models" / "bars" / "card.md").read_text()
    assert "| bar | 30 |" in card
    assert "(alpha.png)" in card
    assert (tmp_path / "models" / "bars" / "alpha.png").exists()


def test_every_way_to_read_an_angle_finds_it(recipe: object) -> None:
    pytest.importorskip("shapely")
    theta = np.linspace(-np.pi / 2, np.pi / 2, 500, endpoint=False)
    label = encode(torch.from_numpy(theta), continuous=True).numpy()
    for name, way in recipe("angles").WAYS.items():
        if way is not None:
            error = np.degrees((way(label) - theta + np.pi / 2) % np.pi - np.pi / 2)
            assert np.abs(error).max() < (0.51 if name == "bin centre" else 0.06), name
            assert abs(error.mean()) < 0.02, name
