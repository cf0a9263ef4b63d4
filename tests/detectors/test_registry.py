"""Models by name, file and folder; backends by name, plug-in and reference; cards beside models."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from swathe.detectors import registry
from swathe.detectors.card import make_card
from swathe.detectors.files import file_sha256
from swathe.detectors.heads.ywcsl import card_values
from swathe.detectors.protocol import DetectorSpec
from swathe.detectors.registry import list_models, open_detector, resolve_model
from swathe.errors import ModelError, UsageError
from tiny_models import TINY, write_tiny

CARD = make_card(card_values(TINY), where=Path("here"))
PLUG_IN = """
from swathe.detectors.card import ModelCard

suffixes = frozenset({".echo"})

import sys

Module = sys.modules[__name__]

def describe(path):
    return ModelCard(name="echo", classes=("reef", "wreck"), min_score=0.1, resolution=0.5)

class Echo:
    def __init__(self, spec):
        self.spec = spec

open = Echo
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
    (site / "echo-1.0.dist-info" / "entry_points.txt").write_text("[swathe.detectors]\necho = echo_detector\n")
    monkeypatch.syspath_prepend(str(site))
    return "echo"


def test_a_shipped_model_by_name(shipped: Path) -> None:
    spec, card = resolve_model("harbours")
    path = shipped / "harbours" / "model.onnx"
    assert card == CARD
    assert spec == DetectorSpec(
        "onnx", str(path), ("ship", "plane"), file_sha256(path), TINY.min_score, 0.2, tile=1024, card=CARD
    )
    models = list_models()
    assert [(model.name, model.card, model.files) for model in models] == [("harbours", CARD, (path,))]
    assert models[0].page == shipped / "harbours" / "card.md"


def test_a_name_goes_before_a_folder_of_that_name(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harbours").mkdir()
    assert resolve_model("harbours")[1] == CARD
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


@pytest.mark.parametrize("backend", ["echo", "echo_detector:Module"])
def test_a_plug_in_runs_a_model_that_only_it_knows(tmp_path: Path, plug_in: str, backend: str) -> None:
    model = tmp_path / "sonar.echo"
    model.write_bytes(b"ping")
    spec, card = resolve_model(model, backend=backend)
    assert (spec.backend, spec.path, spec.sha256) == (backend, str(model), file_sha256(model))
    assert (spec.classes, spec.min_score, card.resolution) == (("reef", "wreck"), 0.1, 0.5)
    detector = open_detector(spec)
    assert type(detector).__name__ == "Echo"
    assert detector.spec == spec


def test_a_plug_in_takes_only_its_own_files(tmp_path: Path, tiny: Path, plug_in: str) -> None:
    with pytest.raises(ModelError, match=r"'echo' needs a \.echo file and there is only model\.onnx"):
        resolve_model(tiny, backend=plug_in)
    model = tmp_path / "sonar.echo"
    model.write_bytes(b"ping")
    with pytest.raises(ModelError, match=r"sonar\.echo: .*name a plug-in"):
        resolve_model(model)


@pytest.mark.parametrize("backend", ["echo_detector:Missing", "no_such_module:Echo", "echo_detector:"])
def test_backends_that_cannot_be_imported(tiny: Path, plug_in: str, backend: str) -> None:
    with pytest.raises(UsageError, match="cannot be imported"):
        resolve_model(tiny, backend=backend)


def test_an_unknown_backend_lists_the_known_ones(tiny: Path, plug_in: str) -> None:
    with pytest.raises(UsageError, match=r"'ecko'.*onnx.*echo"):
        resolve_model(tiny, backend="ecko")


def test_a_card_beside_the_model_goes_before_the_file(tmp_path: Path, tiny: Path) -> None:
    path = tmp_path / "model.onnx"
    shutil.copy(tiny, path)
    before = resolve_model(path)[0]
    (tmp_path / "model.toml").write_text('name = "harbours"\nresolution = 0.4\nmin_score = 0.6\n')
    spec, card = resolve_model(path)
    assert (card.name, card.resolution, card.classes) == ("harbours", 0.4, TINY.classes)
    assert spec.min_score == 0.6
    assert before.identity()["input"] == spec.identity()["input"]


@pytest.mark.parametrize(
    "text", ["resolution = -1\n", "colours = 3\n", "classes = []\n", "scales = [0.0]\n", "= [", "name = 3\n", "\xff"]
)
def test_impossible_cards_are_refused(tmp_path: Path, tiny: Path, text: str) -> None:
    shutil.copy(tiny, tmp_path / "model.onnx")
    (tmp_path / "model.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=r"model\.toml"):
        resolve_model(tmp_path / "model.onnx")


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


def test_resolving_loads_no_other_heavy_library(tiny: Path) -> None:
    program = (
        "import sys; from swathe.detectors.registry import resolve_model, list_models; "
        f"resolve_model({str(tiny)!r}); list_models(); "
        "print({'torch', 'onnx', 'openvino', 'rasterio', 'numba'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_card_says_under_which_licence_the_weights_are() -> None:
    assert CARD.licence is None
    marked = replace(TINY, extra={"licence": "research use only"})
    assert make_card(card_values(marked), where=Path("here")).licence == "research use only"
