"""Finding models by name or path, and opening detectors from their specification."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from swathe import arguments
from swathe.detectors.extras import install_hint
from swathe.detectors.files import file_sha256, read_onnx_info
from swathe.detectors.protocol import Detector, DetectorSpec
from swathe.errors import MissingExtraError, ModelError, UsageError
from swathe.model.checkpoint import load_safetensors
from swathe.model.info import ModelInfo

ENTRY_POINT_GROUP = "swathe.detectors"
SHIPPED_FOLDER = Path(__file__).parents[1] / "models"
FILE_STEMS = ("model", "best")  # of a shipped model, of a training run

Factory = Callable[[DetectorSpec], Detector]


@dataclass(frozen=True)
class _Backend:
    """A backend that ships with Swathe."""

    factory: str  # "module:class", imported when a detector is opened
    suffix: str  # kind of model file it reads
    module: str  # library it needs
    library: str  # that library's name, for people
    extra: str  # the extra that installs it


_BACKENDS = {
    "onnx": _Backend("swathe.detectors.onnx:OnnxDetector", ".onnx", "onnxruntime", "ONNX Runtime", "onnx"),
    "openvino": _Backend("swathe.detectors.openvino:OpenVinoDetector", ".onnx", "openvino", "OpenVINO", "openvino"),
    "openvino-bf16": _Backend(
        "swathe.detectors.openvino:OpenVinoDetector", ".onnx", "openvino", "OpenVINO", "openvino"
    ),
    "torch": _Backend("swathe.detectors.torch:TorchDetector", ".safetensors", "torch", "PyTorch", "train"),
}
_AUTOMATIC = {".onnx": "onnx", ".safetensors": "torch"}  # the bit-stable backend for each kind of file


@dataclass(frozen=True)
class ShippedModel:
    """A model that comes with Swathe."""

    name: str  # what users call it
    info: ModelInfo  # what its file says about itself
    files: tuple[Path, ...]  # its model files, the preferred one first
    card: Path | None  # data, licences, recipe, accuracy, weaknesses: for people


def list_models() -> list[ShippedModel]:
    """List the models that come with Swathe.

    Returns:
        The models by name.

    Raises:
        ModelError: If the file of one of them is damaged.
    """
    models = []
    for folder in sorted(SHIPPED_FOLDER.glob("*/")):
        files = _files_in(folder)
        if files:
            card = folder / "card.md"
            models.append(ShippedModel(folder.name, read_info(files[0]), files, card if card.exists() else None))
    return models


def resolve_model(
    name_or_path: str | Path,
    *,
    backend: str = "auto",
    min_score: float | None = None,
    iou: float = 0.2,
    keep: Sequence[str] = (),
    tile: int = 1024,
    threads: int = 1,
) -> tuple[DetectorSpec, ModelInfo]:
    """Find a model and describe the detector to be opened on it; no inference library is loaded.

    Args:
        name_or_path: Name of a shipped model, a .onnx or .safetensors file, or the folder of a training run. A
            name goes before a file or folder of that name; write ./NAME for those.
        backend: "onnx", "openvino", "openvino-bf16", "torch", the name of a plug-in, or "package.module:factory";
            "auto" takes ONNX Runtime for .onnx and PyTorch for .safetensors.
        min_score: Lowest score to report, 0 to 1; the model's own if not given.
        iou: Of two boxes of a class in one tile that overlap more, only the better stays, 0 to 1.
        keep: Names of the classes to report; all if empty.
        tile: Side of the square tiles the detector will be given, pixels.
        threads: Inference threads of each worker.

    Returns:
        The specification, and what the model says about itself.

    Raises:
        ModelError: If there is no such model, or its file is damaged or does not suit the backend.
        MissingExtraError: If the backend's library is not installed.
        UsageError: If a setting is out of range, or a class to keep is none of the model's.
    """
    arguments.file_path(
        "name_or_path", name_or_path, "the name of a model, a model file, or the folder of a training run"
    )
    arguments.text("backend", backend, 'the name of a backend, or "auto"')
    _check_settings(min_score, iou, tile, threads)
    path = _choose(_candidates(name_or_path), backend, name_or_path)
    info = read_info(path)
    backend = _AUTOMATIC[path.suffix] if backend == "auto" else backend
    _check_backend(backend)
    _check_keep(arguments.names("keep", keep), info, path)
    spec = DetectorSpec(
        backend=backend,
        path=str(path),
        classes=info.classes,
        sha256=file_sha256(path),
        min_score=info.min_score if min_score is None else min_score,
        iou=iou,
        keep=tuple(keep),
        threads=threads,
        tile=tile,
    )
    return spec, info


def open_detector(spec: DetectorSpec) -> Detector:
    """Open a detector in this process.

    Args:
        spec: Made by `resolve_model`, perhaps in another process.

    Returns:
        The detector, ready for tiles.

    Raises:
        ModelError: If the model file has changed since, is damaged, or does not suit the backend.
        MissingExtraError: If the backend's library is not installed.
        UsageError: If there is no such backend.
    """
    arguments.instance("spec", spec, DetectorSpec, "what resolve_model returns first")
    if spec.backend in _BACKENDS:
        return _load(_BACKENDS[spec.backend].factory)(_verified(spec))
    if ":" in spec.backend:
        return _load(spec.backend)(spec)
    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=spec.backend):
        return cast("Factory", entry_point.load())(spec)
    raise UsageError(argument="backend", value=spec.backend, accepted=_backends())


def read_info(path: Path) -> ModelInfo:
    """Read what a model file says about itself, and check the file on the way.

    Args:
        path: A .onnx or .safetensors file.

    Returns:
        The description.

    Raises:
        MissingExtraError: If the library that reads it is not installed.
        ModelError: If the file is missing, damaged, or of another kind.
        UsageError: If it is no path.
    """
    path = arguments.file_path("path", path)
    if path.suffix == ".onnx":
        return read_onnx_info(path)
    if path.suffix == ".safetensors":
        return load_safetensors(path)[1]
    raise ModelError(
        f"{path}: models are .onnx or .safetensors files, other kinds (pickles above all) are not opened; "
        "train or export the model with Swathe"
    )


def _check_settings(min_score: float | None, iou: float, tile: int, threads: int) -> None:
    """Refuse settings that no detector could follow."""
    if min_score is not None:
        arguments.number("min_score", min_score, "a number from 0 to 1", 0, 1)
    arguments.number("iou", iou, "a number from 0 to 1", 0, 1)
    arguments.whole_number("tile", tile, "pixels, at least 1", 1)
    arguments.whole_number("threads", threads, "a number, at least 1", 1)


def _check_backend(backend: str) -> None:
    """Refuse a backend that does not exist or is not installed, before any work is planned on it."""
    built_in = _BACKENDS.get(backend)
    if built_in is not None and importlib.util.find_spec(built_in.module) is None:
        raise MissingExtraError(install_hint(built_in.library, built_in.extra))
    if built_in is None and ":" not in backend and not entry_points(group=ENTRY_POINT_GROUP, name=backend):
        raise UsageError(argument="backend", value=backend, accepted=_backends())


def _check_keep(keep: Sequence[str], info: ModelInfo, path: Path) -> None:
    """Refuse classes that the model does not know."""
    unknown = [name for name in keep if name not in info.classes]
    if unknown:
        raise UsageError(
            f"{path}: the model has no class {', '.join(map(repr, unknown))}; its classes are {', '.join(info.classes)}"
        )


def _candidates(name_or_path: str | Path) -> tuple[Path, ...]:
    """Find the model files behind a name or a path, the preferred one first."""
    path = Path(name_or_path)
    is_name = isinstance(name_or_path, str) and path.name == name_or_path
    if is_name and (files := _files_in(SHIPPED_FOLDER / path)):
        return files
    if path.is_dir():
        if files := _files_in(path):
            return files
        raise ModelError(f"{path}: the folder holds no best.safetensors; give the folder of a finished training run")
    if path.exists():
        return (path.absolute(),)  # not resolved: messages shall name what was asked for
    known = ", ".join(sorted(folder.name for folder in SHIPPED_FOLDER.glob("*/") if _files_in(folder)))
    raise ModelError(
        f"no model {str(name_or_path)!r}: it is neither a file nor the name of a model that comes with Swathe "
        f"({known or 'there are none'}); see `swathe models`"
    )


def _files_in(folder: Path) -> tuple[Path, ...]:
    """Return the model files in the folder of a shipped model or of a training run, ONNX first."""
    paths = (folder.resolve() / f"{stem}{suffix}" for suffix in _AUTOMATIC for stem in FILE_STEMS)
    return tuple(path for path in paths if path.is_file())


def _choose(files: tuple[Path, ...], backend: str, asked: str | Path) -> Path:
    """Choose the file that suits the backend; plug-ins get the preferred one."""
    if backend not in _BACKENDS:
        return files[0]
    suffix = _BACKENDS[backend].suffix
    for path in files:
        if path.suffix == suffix:
            return path
    hint = "write one with `swathe export`" if suffix == ".onnx" else "give the file that training wrote"
    raise ModelError(f"{asked}: backend {backend!r} needs a {suffix} file and there is only {files[0].name}; {hint}")


def _verified(spec: DetectorSpec) -> DetectorSpec:
    """Make sure that the model file is still the one that was planned with."""
    if file_sha256(Path(spec.path)) != spec.sha256:
        raise ModelError(f"{spec.path}: the model file has changed since the run was planned; start the run again")
    return spec


def _load(reference: str) -> Factory:
    """Import the factory behind "package.module:factory"."""
    module, _, name = reference.partition(":")
    try:
        return cast("Factory", getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError) as error:
        raise UsageError(f"detector {reference!r} cannot be imported ({error}); check its spelling") from error


def _backends() -> str:
    """Name the backends there are."""
    plug_ins = [entry_point.name for entry_point in entry_points(group=ENTRY_POINT_GROUP)]
    known = ", ".join(["auto", *_BACKENDS, *plug_ins])
    return f"one of {known}, or package.module:factory"
