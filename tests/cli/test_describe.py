"""`swathe describe`: what it says is what it writes, and what it writes is read."""

from __future__ import annotations

import tomllib
from pathlib import Path
from shutil import copy
from typing import TYPE_CHECKING

import pystac
import pystac.validation
from pystac.extensions.mlm import MLMExtension

from known_graphs import OBB, rows, write_graph
from requirements import need
from swathe.detectors.registry import resolve_model

if TYPE_CHECKING:
    from command import Command
    from red_cells import RedCells


def test_the_card_is_printed_and_written(command: Command, tiny_model: Path, tmp_path: Path) -> None:
    model = tmp_path / "tiny.onnx"
    copy(tiny_model, model)
    before = resolve_model(model)[1]
    shown = command("describe", model)
    assert (shown.code, tomllib.loads(shown.out.partition("\n")[2])["classes"]) == (0, list(before.classes))
    words = ("describe", model, "-o", tmp_path / "tiny.toml")
    line = command(*words, "--json").lines[0]
    assert (line["layout"], line["backend"], line["files"]) == ("ywcsl", "onnx", [str(tmp_path / "tiny.toml")])
    assert resolve_model(model)[1] == before
    assert command(*words).code == 5
    assert command(*words, "--overwrite").code == 0


def test_a_corrected_card_is_obeyed(command: Command, tiny_model: Path, tmp_path: Path) -> None:
    model, card = tmp_path / "tiny.onnx", tmp_path / "tiny.toml"
    copy(tiny_model, model)
    command("describe", model, "-o", card)
    card.write_text(card.read_text().replace("# not known: resolution", "resolution"))
    assert command("describe", model, "--json").lines[0]["resolution"] == 0.3
    card.write_text("resolution = 'large'\n")
    outcome = command("describe", model)
    assert (outcome.code, outcome.is_one_error) == (4, True)
    assert "tiny.toml" in outcome.err


def test_a_device_that_is_not_there(command: Command, tiny_model: Path, tmp_path: Path) -> None:
    words = ("detect", tmp_path, "-m", tiny_model, "-o", tmp_path / "found", "--device")
    for device, told in (("tpu", "cpu or cuda"), ("cuda", "onnxruntime-gpu")):
        outcome = command(*words, device)
        assert (outcome.code, outcome.is_one_error) == (2, True)
        assert "--device" in outcome.err
        assert told in outcome.err


def test_windows_with_no_room_for_more_boxes_are_told(command: Command, scene: RedCells, tmp_path: Path) -> None:
    need("onnx")
    model = write_graph(tmp_path / "few.onnx", {"output0": rows([30, 20, 8, 8, 0.9, 0, 0])}, OBB)
    words = ("detect", scene.path, "-m", model, "--workers", "0", "-o")
    line = command(*words, tmp_path / "json", "--json").lines[-1]
    assert line["full_windows"] == line["windows"] - line["skipped"] > 1
    assert f"in {line['full_windows']} windows the model gave all boxes" in command(*words, tmp_path / "text").out


def test_a_model_is_a_stac_item(command: Command, tiny_model: Path, tmp_path: Path) -> None:
    assert command("describe", tiny_model, "-o", tmp_path / "model.json").code == 0
    item = pystac.Item.from_file(str(tmp_path / "model.json"))
    pystac.validation.validate_dict(item.to_dict(include_self_link=False), extensions=[])
    spec, card = resolve_model(tiny_model)
    told = MLMExtension.ext(item)
    assert (told.mlm_name, told.tasks, told.framework) == (card.name, ["object-detection"], "ONNX")
    assert [one.to_dict()["title"] for one in told.output[0].classes or ()] == list(card.classes)
    scaling = told.input[0].to_dict()["value_scaling"]
    assert [(one["mean"], one["stddev"]) for one in scaling] == [(0.0, 1.0 / card.input_scale)] * 3
    model = item.assets["model"]
    assert (model.href, model.extra_fields["file:checksum"]) == (str(tiny_model), f"1220{spec.sha256}")
