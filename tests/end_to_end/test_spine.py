"""From an image to numbers, only through the command line and through files: detect, query, export, evaluate."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import swathe
from red_cells import write_red_cells
from swathe.boxes import iou
from swathe.store import open_store
from swathe.testing.suites.executor import files_of

if TYPE_CHECKING:
    from command import Command

GRID = ("--tile", "128", "--stride", "96")


def test_detect_query_export_evaluate(command: Command, tiny_model: Path, tmp_path: Path) -> None:
    scene = write_red_cells(tmp_path / "harbour.tif")
    store, labels = tmp_path / "store", tmp_path / "labels"
    for place, workers in ((store, 2), (tmp_path / "alone", 0)):
        words = ("detect", scene.path, "-m", tiny_model, "-o", place, *GRID, "--workers", workers, "--json")
        detected = command(*words)
        assert detected.code == 0, detected.err
    assert files_of(open_store(store)) == files_of(open_store(tmp_path / "alone"))

    found = swathe.Detections.open(store)
    for name, cells in (("ship", scene.ships), ("plane", scene.planes)):
        boxes = found.filter(swathe.Query(classes=(name,))).boxes
        truth = scene.boxes(cells)
        order = [np.lexsort((rows[:, 0], rows[:, 1].round())) for rows in (boxes, truth)]
        assert len(boxes) == len(truth)
        assert iou(boxes[order[0]], truth[order[1]]).min() > 0.99

    labels.mkdir()
    (labels / "harbour.txt").write_text("\n".join(scene.dota_lines()))
    assert command("query", store, "-o", tmp_path / "task1", "--format", "dota").code == 0
    for place in (store, tmp_path / "task1"):
        outcome = command("evaluate", "--truth", labels, "--found", place, "--json")
        assert outcome.code == 0, outcome.err
        assert outcome.lines[-1]["map50_95_area"] == pytest.approx(1.0)

    geopandas = pytest.importorskip("geopandas")
    (file,) = (store / "detections").rglob("*.parquet")
    frame = geopandas.read_parquet(file)
    assert len(frame) == len(found)
    metres = frame.to_crs(3857).geometry.area.to_numpy() / 0.25
    assert np.allclose(metres, 30 * 16, rtol=0.02)


def test_interrupted_run_is_resumed(tiny_model: Path, tmp_path: Path) -> None:
    scene = write_red_cells(tmp_path / "wide.tif", width=1536, height=1536)
    words = [sys.executable, "-c", "from swathe.cli.main import run; run()", "detect", str(scene.path)]
    words += ["-m", str(tiny_model), "-o", str(tmp_path / "store"), *GRID, "--workers", "2", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "batch_finished":
                process.send_signal(signal.SIGINT)
                break
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "run the same command again to resume" in err
    assert "Traceback" not in err
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    summary = json.loads(done.stdout.splitlines()[-1])
    assert 0 < summary["resumed_windows"] < summary["windows"]
    assert summary["detections"] == len(scene.ships) + len(scene.planes)
    assert not (tmp_path / "store" / ".work").exists() or not any((tmp_path / "store" / ".work").iterdir())


def test_detect_from_python(tiny_model: Path, tmp_path: Path) -> None:
    scene = write_red_cells(tmp_path / "harbour.tif", georeferenced=False)
    found = swathe.detect(scene.path, tiny_model, tile=128, stride=96, workers=0)
    assert len(found) == len(scene.ships) + len(scene.planes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["harbour.tif"]
    again = swathe.detect([scene.path], tiny_model, tile=128, stride=96, workers=0, output=tmp_path / "store")
    assert again.equals(found)
    assert swathe.Detections.open(tmp_path / "store").equals(found)
    ships = swathe.detect(scene.path, tiny_model, tile=128, workers=0, classes=["ship"], output=tmp_path / "store")
    alone = swathe.detect(scene.path, tiny_model, tile=128, workers=0, classes="ship")
    assert len(alone) == len(ships)
    assert set(ships.classes.tolist()) == {"ship"}
