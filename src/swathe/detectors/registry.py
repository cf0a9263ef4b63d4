"""Finding models by name or path, and opening detectors from their specification."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from swathe import arguments
from swathe.detectors.card import ModelCard
from swathe.detectors.files import file_sha256
from swathe.detectors.protocol import Backend, Detector, DetectorSpec
from swathe.errors import ModelError, UsageError
from swathe.plugins import load

ENTRY_POINT_GROUP = "swathe.detectors"
SHIPPED_FOLDER = Path(__file__).parents[1] / "models"
DEFAULT_TILE = 1024  # side of tiles for models that take any, pixels
CUDA_BATCH = 8  # tiles that a graphics card is given at once
FILE_STEMS = ("model", "best")  # of a shipped model, of a training run

# What ships with Swathe, as "module:backend"; their libraries are loaded when they are used.
BACKENDS = {
    "onnx": "swathe.detectors.onnx:BACKEND",
    "openvino": "swathe.detectors.openvino:BACKEND",
    "openvino-bf16": "swathe.detectors.openvino:BACKEND",
    "torch": "swathe.detectors.torch:BACKEND",
}
AUTOMATIC = {".onnx": "onnx", ".safetensors": "torch"}  # the bit-stable backend for each kind of file


@dataclass(frozen=True)
class ShippedModel:
    """A model that comes with Swathe."""

    name: str  # what users call it
    card: ModelCard
    files: tuple[Path, ...]  # its model files, the preferred one first
    page: Path | None  # data, licences, recipe, accuracy, weaknesses: for people


def list_models() -> list[ShippedModel]:
    """List the models that come with Swathe.

    Returns:
        The models by name.

    Raises:
        ModelError: If the file of one of them is damaged.
        MissingExtraError: If the library that reads them is not installed.
    """
    models = []
    for folder in sorted(SHIPPED_FOLDER.glob("*/")):
        files = _files_in(folder, AUTOMATIC)
        if files:
            page = folder / "card.md"
            card = find_backend(AUTOMATIC[files[0].suffix]).describe(str(files[0]))
            models.append(ShippedModel(folder.name, card, files, page if page.exists() else None))
    return models


def resolve_model(
    name_or_path: str | Path,
    *,
    backend: str = "auto",
    min_score: float | None = None,
    iou: float = 0.2,
    keep: Sequence[str] = (),
    tile: int | None = None,
    threads: int = 1,
    device: str = "cpu",
) -> tuple[DetectorSpec, ModelCard]:
    """Find a model and describe the detector to be opened on it.

    Args:
        name_or_path: Name of a shipped model, a model file, or the folder of a training run. A name goes before a file
            or folder of that name; write ./NAME for those.
        backend: "onnx", "openvino", "openvino-bf16", "torch", the name of a plug-in, or "package.module:backend";
            "auto" takes ONNX Runtime for .onnx and PyTorch for .safetensors.
        min_score: Lowest score to report, 0 to 1; the model's own if not given.
        iou: Of two boxes of a class in one tile that overlap more, only the better stays, 0 to 1.
        keep: Names of the classes to report; all if empty.
        tile: Side of the square tiles it will be given, pixels; if not given, the only one that it takes, or 1024.
        threads: Inference threads of each worker.
        device: "cpu", or "cuda" for one of NVIDIA through ONNX Runtime, which is given tiles by the batch.

    Returns:
        The specification, and the card of the model.

    Raises:
        ModelError: If there is no such model, or its file is damaged or does not suit the backend.
        MissingExtraError: If the backend's library is not installed.
        UsageError: If a setting is out of range, there is no such backend, or a class to keep is none of the model's.
    """
    arguments.file_path(
        "name_or_path", name_or_path, "the name of a model, a model file, or the folder of a training run"
    )
    arguments.text("backend", backend, 'the name of a backend, or "auto"')
    _check_settings(min_score, iou, tile, threads)
    path = _choose(name_or_path, backend)
    backend = AUTOMATIC[path.suffix] if backend == "auto" else backend
    card = find_backend(backend).describe(str(path))
    _check_device(device, backend)
    _check_keep(arguments.names("keep", keep), card, path)
    tile = tile or card.input_size or DEFAULT_TILE
    card.check_tile(tile)
    spec = DetectorSpec(
        backend=backend,
        path=str(path),
        classes=card.classes,
        sha256=file_sha256(path),
        min_score=card.min_score if min_score is None else min_score,
        iou=iou,
        keep=tuple(keep),
        threads=threads,
        tile=tile,
        batch=CUDA_BATCH if device == "cuda" else 1,
        device=device,
        card=card,
    )
    return spec, card


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
    if spec.backend in BACKENDS and file_sha256(Path(spec.path)) != spec.sha256:
        raise ModelError(f"{spec.path}: the model file has changed since the run was planned; start the run again")
    return find_backend(spec.backend).open(spec)


def find_backend(name: str) -> Backend:
    """Find a backend.

    Args:
        name: One that ships with Swathe, the name of an entry point, or "package.module:backend".

    Returns:
        The backend.

    Raises:
        UsageError: If there is none of that name, or it cannot be imported.
    """
    reference = BACKENDS.get(name, name)
    plug_ins = entry_points(group=ENTRY_POINT_GROUP)
    try:
        if name not in BACKENDS and name in plug_ins.names:
            return cast("Backend", plug_ins[name].load())
        if ":" in reference:
            return cast("Backend", load(reference))
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"backend {name!r} cannot be imported ({error}); check its spelling") from error
    known = ", ".join(["auto", *BACKENDS, *sorted(plug_ins.names)])
    raise UsageError(argument="backend", value=name, accepted=f"one of {known}, or package.module:backend")


def _check_settings(min_score: float | None, iou: float, tile: int | None, threads: int) -> None:
    """Refuse settings that no detector could follow."""
    if min_score is not None:
        arguments.number("min_score", min_score, "a number from 0 to 1", 0, 1)
    arguments.number("iou", iou, "a number from 0 to 1", 0, 1)
    if tile is not None:
        arguments.whole_number("tile", tile, "pixels, at least 1", 1)
    arguments.whole_number("threads", threads, "a number, at least 1", 1)


def _check_device(device: str, backend: str) -> None:
    """Refuse a device that is not there, before any work is planned on it."""
    if device == "cuda" and backend == "onnx":
        from swathe.detectors.onnx import need_cuda

        need_cuda()
    elif device != "cpu":
        accepted = f"cpu with the backend {backend}" if device == "cuda" else "cpu or cuda"
        raise UsageError(argument="device", value=device, accepted=accepted)


def _check_keep(keep: Sequence[str], card: ModelCard, path: Path) -> None:
    """Refuse classes that the model does not know."""
    unknown = [name for name in keep if name not in card.classes]
    if unknown:
        raise UsageError(
            f"{path}: the model has no class {', '.join(map(repr, unknown))}; its classes are {', '.join(card.classes)}"
        )


def _choose(name_or_path: str | Path, backend: str) -> Path:
    """Choose the model file that suits the backend."""
    suffixes = tuple(AUTOMATIC) if backend == "auto" else tuple(sorted(find_backend(backend).suffixes))
    files = _candidates(name_or_path, suffixes)
    for path in files:
        if path.suffix in suffixes:
            return path
    if backend == "auto":
        raise ModelError(
            f"{files[0]}: Swathe itself runs .onnx and .safetensors files, other kinds (pickles above all) are not "
            "opened; export the model, or name a plug-in that runs it as the backend"
        )
    kinds = " or ".join(suffixes)
    raise ModelError(f"{name_or_path}: backend {backend!r} needs a {kinds} file and there is only {files[0].name}")


def _candidates(name_or_path: str | Path, suffixes: Sequence[str]) -> tuple[Path, ...]:
    """Find the model files behind a name or a path, the preferred one first."""
    path = Path(name_or_path)
    is_name = isinstance(name_or_path, str) and path.name == name_or_path
    if is_name and (files := _files_in(SHIPPED_FOLDER / path, (*AUTOMATIC, *suffixes))):
        return files
    if path.is_dir():
        if files := _files_in(path, (*AUTOMATIC, *suffixes)):
            return files
        raise ModelError(f"{path}: the folder holds no best.safetensors; give the folder of a finished training run")
    if path.exists():
        return (path.absolute(),)  # not resolved: messages shall name what was asked for
    known = ", ".join(sorted(folder.name for folder in SHIPPED_FOLDER.glob("*/") if _files_in(folder, AUTOMATIC)))
    raise ModelError(
        f"no model {str(name_or_path)!r}: it is neither a file nor the name of a model that comes with Swathe "
        f"({known or 'there are none'}); see `swathe models`"
    )


def _files_in(folder: Path, suffixes: Iterable[str]) -> tuple[Path, ...]:
    """Return the model files in the folder of a shipped model or of a training run, by kind in the order given."""
    paths = (folder.resolve() / f"{stem}{suffix}" for suffix in suffixes for stem in FILE_STEMS)
    return tuple(path for path in paths if path.is_file())
