"""8-bit integers are only written where they lose little and gain time."""

from __future__ import annotations

from pathlib import Path

import pytest

from requirements import need
from swathe.errors import ModelError, UsageError

need("torch")
from swathe.training import int8  # noqa: E402
from swathe.training.config import parse_config  # noqa: E402

MODEL = {"name": "m", "classes": ["ship"], "size": "n", "input_size": 64}


@pytest.mark.parametrize(
    ("precision", "milliseconds", "refused"),
    [
        ((0.6, 0.596), (80.0, 60.0), None),
        ((0.6, 0.7), (80.0, 79.0), None),
        ((0.6, 0.594), (80.0, 60.0), "average precision falls from 0.600 to 0.594"),
        ((0.6, 0.6), (80.0, 80.0), "save no time on this machine: 80 ms a window instead of 80"),
    ],
)
def test_gates(
    precision: tuple[float, float],
    milliseconds: tuple[float, float],
    refused: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = iter(precision)
    (tmp_path / "int8.onnx").write_bytes(b"graph")
    monkeypatch.setattr(int8, "judge", lambda *_: {int8.MEASURE: next(scores)})
    monkeypatch.setattr(int8, "_race", lambda *_: list(milliseconds))
    monkeypatch.setattr(int8, "_open", lambda *_: None)
    monkeypatch.setattr(int8, "side_of", lambda _: 64)
    args = tmp_path / "plain.onnx", tmp_path / "int8.onnx", None, tmp_path / "out.onnx"
    if refused is not None:
        with pytest.raises(ModelError, match=f"out.onnx: not written, because .*{refused}"):
            int8._compare(*args)  # type: ignore[arg-type]
        return
    report = int8._compare(*args)  # type: ignore[arg-type]
    assert (report.full_precision, report.precision) == precision
    assert (report.full_milliseconds, report.milliseconds) == milliseconds


def test_without_a_validation_set_nothing_can_be_said(tmp_path: Path) -> None:
    need("nncf")
    need("openvino")
    entry = {"kind": "geojson", "scene": "a.tif", "labels": "a.geojson", "class_name": "ship"}
    document = {"model": MODEL, "run": {"output": str(tmp_path)}, "train": [entry]}
    config = parse_config(document, where="here")
    with pytest.raises(UsageError, match="no validation set"):
        int8.export_int8(tmp_path / "best.safetensors", tmp_path / "out.onnx", config)
