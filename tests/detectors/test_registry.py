"""Models by name, file and folder; backends by name, plug-in and factory; nothing heavy while resolving."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from swathe.detectors import registry
from swathe.detectors.files import file_sha256
from swathe.detectors.protocol import DetectorSpec
from swathe.detectors.registry import list_models, open_detector, resolve_model
from swathe.errors import ModelError, UsageError
from tiny_models import TINY, write_tiny

PLUG_IN = """
class Echo:
    def __init__(self, spec):
        self.spec = spec
"""


@pytest.fixture
def shipped(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder of shipped models with one of them, `harbours`, in it."""
    folder = tmp_path / "models"
    (folder / "harbours").mkdir(parents=True)
    (folder / "empty").mkdir()
    shutil.copy(tiny, folder / "harbours" / "model.onnx")
    (folder / "harbours" / "card.md").write_text("# harbours\n")
    monkeypatch.setattr(registry, "SHIPPED_FOLDER", folder)
    return folder


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Install a distribution whose entry point `echo` is a detector."""
    site = tmp_path / "site"
    (site / "echo-1.0.dist-info").mkdir(parents=True)
    (site / "echo_detector.py").write_text(PLUG_IN)
    (site / "echo-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: echo\nVersion: 1.0\n")
    (site / "echo-1.0.dist-info" / "entry_points.txt").write_text("[swathe.detectors]\necho = echo_detector:Echo\n")
    monkeypatch.syspath_prepend(str(site))
    return "echo"


def test_a_shipped_model_by_name(shipped: Path) -> None:
    spec, info = resolve_model("harbours")
    path = shipped / "harbours" / "model.onnx"
    assert info == TINY
    assert spec == DetectorSpec("onnx", str(path), ("ship", "plane"), file_sha256(path), TINY.min_score, 0.2, tile=1024)
    models = list_models()
    assert [(model.name, model.info, model.files) for model in models] == [("harbours", TINY, (path,))]
    assert models[0].card == shipped / "harbours" / "card.md"


def test_a_name_goes_before_a_folder_of_that_name(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harbours").mkdir()
    assert resolve_model("harbours")[1] == TINY
    with pytest.raises(ModelError, match=r"no best\.safetensors"):
        resolve_model("./harbours")


def test_an_unknown_name_lists_the_known_ones(shipped: Path) -> None:
    with pytest.raises(ModelError, match=r"'harbors'.*\(harbours\)"):
        resolve_model("harbors")
    shutil.rmtree(shipped)
    with pytest.raises(ModelError, match="there are none"):
        resolve_model("harbors")


def test_settings_reach_the_specification(tiny: Path) -> None:
    spec, _ = resolve_model(tiny, min_score=0.0, iou=0.5, keep=["plane"], tile=640, threads=2)
    assert (spec.min_score, spec.iou, spec.keep, spec.tile, spec.threads) == (0.0, 0.5, ("plane",), 640, 2)
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize(
    "setting", [{"min_score": 1.5}, {"iou": -0.1}, {"tile": 0}, {"threads": 0}, {"keep": ("boat",)}]
)
def test_impossible_settings_are_refused(tiny: Path, setting: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"from 0 to 1|at least 1|no class 'boat'; its classes are ship, plane"):
        resolve_model(tiny, **setting)  # type: ignore[arg-type]


def test_a_run_folder_gives_its_best_weights(tmp_path: Path, tiny: Path) -> None:
    shutil.copy(tiny, tmp_path / "best.onnx")
    assert resolve_model(tmp_path)[0].path == str(tmp_path / "best.onnx")
    with pytest.raises(ModelError, match=r"'torch' needs a \.safetensors file and there is only best\.onnx"):
        resolve_model(tmp_path, backend="torch")


@pytest.mark.parametrize("name", ["weights.pt", "weights.pkl", "weights"])
def test_pickles_are_not_opened(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(ModelError, match="pickles"):
        resolve_model(path)


def test_plug_ins_are_found_by_their_entry_point(tiny: Path, plug_in: str) -> None:
    spec, _ = resolve_model(tiny, backend=plug_in)
    detector = open_detector(spec)
    assert type(detector).__name__ == "Echo"
    assert detector.spec == spec
    with pytest.raises(UsageError, match=r"'ecko'.*onnx.*echo"):
        resolve_model(tiny, backend="ecko")


def test_factories_are_imported(tiny: Path, plug_in: str) -> None:
    spec, _ = resolve_model(tiny, backend="echo_detector:Echo")
    assert open_detector(spec).spec == spec
    for reference in ("echo_detector:Missing", "no_such_module:Echo"):
        wrong, _ = resolve_model(tiny, backend=reference)
        with pytest.raises(UsageError, match="cannot be imported"):
            open_detector(wrong)


def test_an_unknown_backend_is_refused_on_opening(tiny: Path) -> None:
    spec = DetectorSpec("nothing", str(tiny), TINY.classes, "", 0.25, 0.2)
    with pytest.raises(UsageError, match=r"'nothing'.*openvino"):
        open_detector(spec)


def test_a_deleted_model_is_refused(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "model.onnx")
    spec, _ = resolve_model(path)
    path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        open_detector(spec)


def test_resolving_loads_no_inference_library(tiny: Path) -> None:
    program = (
        "import sys; from swathe.detectors.registry import resolve_model, list_models; "
        f"resolve_model({str(tiny)!r}); list_models(); "
        "print({'torch', 'onnx', 'onnxruntime', 'openvino', 'rasterio', 'numba'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
