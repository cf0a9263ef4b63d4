"""The project's own backends keep what the suite for plug-ins asks of every detector."""

from __future__ import annotations

from pathlib import Path

import pytest

from requirements import need
from swathe.detectors.protocol import DetectorSpec
from swathe.detectors.registry import resolve_model
from swathe.testing.suites.detector import DetectorSuite


class TestOnnx(DetectorSuite):
    """ONNX Runtime."""

    @pytest.fixture
    def spec(self, exported: Path) -> DetectorSpec:
        need("onnxruntime")
        return resolve_model(exported, backend="onnx", tile=200)[0]


class TestOpenVino(DetectorSuite):
    """OpenVINO."""

    @pytest.fixture
    def spec(self, exported: Path) -> DetectorSpec:
        need("openvino")
        return resolve_model(exported, backend="openvino", tile=200)[0]


class TestTorch(DetectorSuite):
    """PyTorch."""

    @pytest.fixture
    def spec(self, checkpoint: Path) -> DetectorSpec:
        return resolve_model(checkpoint, backend="torch", tile=200)[0]
