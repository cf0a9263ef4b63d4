"""`import swathe` and `swathe --help` bring no library that they do not need, seen in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "cv2", "geopandas", "llvmlite", "matplotlib", "numba", "onnx", "onnxruntime", "openvino", "pandas", "PIL",
    "pyarrow", "pyogrio", "pyspark", "rasterio", "scipy", "shapely", "torch",
)  # fmt: skip


def loaded(code: str) -> set[str]:
    """Run code in a fresh process and return the top-level modules that it loaded."""
    report = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_swathe_loads_no_heavy_library() -> None:
    assert not loaded("import swathe; swathe.__version__; swathe.boxes") & {*HEAVY, "rich", "typer"}


def test_help_loads_no_heavy_library() -> None:
    code = "from swathe.cli.main import main\nassert main(['--help']) == 0"
    assert not loaded(code) & {*HEAVY, "numpy"}


@pytest.mark.parametrize(
    "modules",
    [
        "swathe.engine.run, swathe.engine.local, swathe.engine.worker",
        "swathe.api",
        "swathe.store.lake, swathe.store.exports",
        "swathe.evaluation.evaluate",
        "swathe.detectors.onnx",
        "swathe.drawing",
    ],
)
def test_detection_never_loads_the_training_library(modules: str) -> None:
    assert "torch" not in loaded(f"import {modules}")


def test_public_names_are_there() -> None:
    import swathe

    assert dir(swathe) == sorted(swathe.__all__)
    assert all(getattr(swathe, name) is not None for name in swathe.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    import swathe

    with pytest.raises(AttributeError, match="no attribute 'detekt'"):
        _ = swathe.detekt
