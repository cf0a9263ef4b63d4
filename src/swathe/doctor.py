"""What an installation has, what it lacks, and whether its geometry works.

Versions come from the metadata of installed packages, so that nothing heavy is imported to be looked at.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from swathe.errors import MissingExtraError, SwatheError

Level = Literal["fine", "note", "broken"]

CORE = ("swathe", "numpy", "numba", "rasterio", "pyarrow", "shapely", "pillow", "typer", "rich")
# Optional package -> the extra that brings it.
OPTIONAL = {
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "geopandas": "geo",
    "pyogrio": "geo",
    "torch": "train",
    "fastapi": "serve",
    "onnx": "train",
    "opencv-python-headless": "train",
    "matplotlib": "plot",
}
# Flag of the kernel -> what inference libraries call it.
CPU_FEATURES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "bf16",
    "amx_tile": "AMX",
    "asimd": "NEON",
}
FORMATS = {"GTiff": "GeoTIFF", "COG": "cloud-optimised GeoTIFF", "JP2OpenJPEG": "JPEG 2000", "VRT": "VRT mosaics"}
NEEDED_FORMATS = ("GTiff", "VRT")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    part: str  # group it belongs to: "versions", "machine", ...
    name: str  # what was looked at
    value: str  # what was found
    level: Level = "fine"  # "note": something is missing that can be done without; "broken": needed and does not work
    remedy: str | None = None  # the command or step that mends it

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        return asdict(self)


def examine() -> list[Finding]:
    """Look at the installation and the machine.

    Returns:
        What was found, by part.
    """
    return [*_versions(), *_machine(), *_backends(), *_formats(), *_cache(), *_checks()]


def warm() -> None:
    """Compile the geometry, once for all later processes where its cache can be written."""
    import numpy as np

    from swathe import boxes

    two = np.array([[10.0, 10.0, 8.0, 4.0, 0.3], [11.0, 10.0, 8.0, 4.0, -0.2]])
    boxes.nms(two, np.array([0.9, 0.8]))
    boxes.settle(two, np.array([0.9, 0.8]), np.zeros(2, dtype=np.int64), np.zeros(2, dtype=bool))
    boxes.iou_matrix(two, two)
    boxes.from_polygons(boxes.to_polygons(two))


def _versions() -> list[Finding]:
    """Look at packages."""
    findings = [Finding("versions", "python", platform.python_version())]
    for name in CORE:
        found = _version(name)
        remedy = None if found else "pip install swathe"
        findings.append(Finding("versions", name, found or "missing", "fine" if found else "broken", remedy))
    for name, extra in OPTIONAL.items():
        found = _version(name)
        remedy = None if found else f"pip install 'swathe[{extra}]'"
        findings.append(Finding("versions", name, found or "not installed", "fine" if found else "note", remedy))
    return findings


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _machine() -> list[Finding]:
    """Look at processor and memory."""
    from swathe.engine.limits import available_memory
    from swathe.engine.local import available_cores

    model, features = _processor()
    cores, quota = available_cores(), _quota()
    words = f"{cores} of {os.cpu_count()}" + (f", {quota:g} by the control group's quota" if quota else "")
    memory = available_memory()
    free = "unknown" if memory is None else f"{memory / 2**30:.1f} GiB, limits of control groups counted"
    return [
        Finding("machine", "system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        Finding("machine", "processor", model),
        Finding("machine", "features", ", ".join(features) or "none that is known"),
        Finding("machine", "usable cores", words),
        Finding("machine", "free memory", free),
    ]


def _processor(path: Path = Path("/proc/cpuinfo")) -> tuple[str, list[str]]:
    """Return model and features of the processor, as far as the kernel tells."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    model = fields.get("model name") or platform.processor() or platform.machine()
    return model, [name for flag, name in CPU_FEATURES.items() if flag in flags]


def _quota(groups: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return the cores that the control group grants, None without a limit."""
    try:
        granted, period = (groups / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return None if granted == "max" else int(granted) / int(period)


def _backends() -> list[Finding]:
    """Look at what can run models, and at the models."""
    from swathe.detectors.registry import list_models, resolve_model
    from swathe.engine.backend import FAST, is_fast_here

    findings = []
    if importlib.util.find_spec("onnxruntime") is not None:
        from swathe.detectors.onnx import providers

        gpu = [name for name in providers() if name not in {"CPUExecutionProvider", "AzureExecutionProvider"}]
        seen = f"{', '.join(gpu)} seen; CUDA is used where it is asked for" if gpu else "no other provider than the CPU"
        findings.append(Finding("backends", "ONNX Runtime", seen))
    try:
        models = list_models()
        for model in models:
            spec, _ = resolve_model(model.name)
            taken = f"{spec.backend}, or {FAST} where it finds the same," if is_fast_here() else f"{spec.backend},"
            value = f"whole; `auto` takes {taken} for {Path(spec.path).name}"
            findings.append(Finding("backends", f"model {model.name}", value))
    except SwatheError as error:
        missing = error.extra if isinstance(error, MissingExtraError) else None
        remedy = f"pip install 'swathe[{missing}]'" if missing else "pip install --force-reinstall 'swathe[onnx]'"
        findings.append(Finding("backends", "models", str(error), "broken", remedy))
    return findings


def _formats() -> list[Finding]:
    """Look at the formats that GDAL reads."""
    from swathe.raster.gdal import driver_names, library_versions

    findings = [Finding("rasters", name, value) for name, value in library_versions().items()]
    known = driver_names()
    for driver, words in FORMATS.items():
        if driver in known:
            findings.append(Finding("rasters", driver, words))
        else:
            level: Level = "broken" if driver in NEEDED_FORMATS else "note"
            remedy = "pip install --force-reinstall --only-binary rasterio rasterio"
            findings.append(Finding("rasters", driver, f"{words}: this GDAL was built without it", level, remedy))
    return findings


def _cache() -> list[Finding]:
    """Look at where compiled geometry is kept and where scratch files go."""
    import swathe

    beside = Path(swathe.__file__).parent / "boxes"
    own = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(own) if own else beside
    findings = []
    if os.access(folder, os.W_OK):
        findings.append(Finding("folders", "compiled geometry", f"kept in {folder}"))
    else:
        remedy = "set NUMBA_CACHE_DIR to a folder that you may write to"
        value = f"{folder} cannot be written; the user's cache folder is tried"
        findings.append(Finding("folders", "compiled geometry", value, "note", remedy))
    scratch = Path(tempfile.gettempdir())
    free = shutil.disk_usage(scratch).free / 2**30
    findings.append(Finding("folders", "temporary files", f"{scratch}, {free:.1f} GiB free"))
    command = shutil.which("swathe", path=sysconfig.get_path("scripts")) or f"{sys.executable} without a command"
    findings.append(Finding("folders", "command", command))
    return findings


def _checks() -> list[Finding]:
    """Compute something with a known answer."""
    import numpy as np

    from swathe import boxes

    # A square, the same turned by 45 degrees (their intersection is a regular octagon), and one apart.
    three = np.array(
        [[50.0, 50.0, 20.0, 20.0, 0.0], [50.0, 50.0, 20.0, 20.0, np.pi / 4], [90.0, 50.0, 20.0, 20.0, 0.0]]
    )
    kept: Sequence[int] = boxes.nms(three, np.array([0.7, 0.9, 0.8]), iou=0.5).tolist()
    overlap = float(boxes.iou(three[:1], three[1:2])[0])
    octagon = 2.0 * (np.sqrt(2.0) - 1.0)  # its area, share of the square's
    is_right = list(kept) == [1, 2] and abs(overlap - octagon / (2.0 - octagon)) < 1e-9
    if is_right:
        return [Finding("checks", "geometry", "overlap and suppression give the known answers")]
    remedy = "pip install --force-reinstall numba llvmlite"
    return [Finding("checks", "geometry", f"wrong: kept {list(kept)}, overlap {overlap}", "broken", remedy)]
