"""Which runtime a run takes if nobody names one: the fastest that finds the same objects, and always the same one.

The runtime belongs to what a run is, since the last digits of its results depend on it. So a run that a store holds is
gone on with on the runtime that it was begun with, and what was once decided for a model stays decided on a machine.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from swathe.atomic import published_file
from swathe.detectors.agreement import Agreement, compare
from swathe.detectors.card import ModelCard
from swathe.detectors.protocol import DetectorSpec, Tile
from swathe.detectors.registry import open_detector
from swathe.engine.look import make_tile
from swathe.engine.plan import Plan, Task
from swathe.engine.scale import scene_scales
from swathe.engine.settings import RunSettings
from swathe.errors import ModelError, SourceError, StoreError
from swathe.raster.grid import Grid
from swathe.raster.opening import open_reader, open_scene
from swathe.raster.pyramid import levels
from swathe.store import open_store

EXACT, FAST = "onnx", "openvino-bf16"
FAST_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})  # of the CPU
SAMPLE_SIDE = 512  # windows on which both are compared, pixels
SAMPLE_WINDOWS = 8
CPU_INFO = Path("/proc/cpuinfo")


class ChosenBackend(NamedTuple):
    """What a run takes, and why."""

    detector: DetectorSpec
    reason: str  # for people; empty if there was nothing to choose


def choose_backend(
    detector: DetectorSpec, settings: RunSettings, store: str | Path | None, sources: Iterable[str]
) -> ChosenBackend:
    """Choose between the runtime whose results are the same to the last bit, and a faster one.

    Args:
        detector: On the former.
        settings: Of the run.
        store: Where it goes; None if nowhere.
        sources: Rasters that it looks at; windows of the first one that can be read are looked at with both. Without
            any, the faster one is taken if that was decided before.

    Returns:
        The detector to take. The faster one is only taken where the CPU and the libraries have it, and where it found
        the same objects.
    """
    if detector.backend != EXACT or detector.device != "cpu" or not is_fast_here():
        return ChosenBackend(detector, "")
    fast = replace(detector, backend=FAST)
    begun = _begun_with(store, settings, (detector, fast))
    if begun is not None:
        return ChosenBackend(begun, f"{begun.backend}, with which this run was begun")
    record = cache_folder() / "backends.json"
    key, known = _key(detector), _read(record)
    if key not in known and not sources:
        return ChosenBackend(detector, "")
    if key not in known:
        try:
            seen = _look(detector, fast, settings, sources)
        except ModelError:  # what the exact one cannot do either, the run itself will say
            return ChosenBackend(detector, f"{EXACT}; {FAST} cannot run this model")
        if seen is None or seen.detections == 0:
            return ChosenBackend(detector, f"{EXACT}; too little was found to compare {FAST} with it")
        known[key] = f"{seen.share:.1%} of {seen.detections} detections are the same"
        known[key] = f"{FAST if seen.is_enough else EXACT}; {known[key]} on {FAST}"
        _write(record, known)
    name = known[key].partition(";")[0]
    return ChosenBackend(fast if name == FAST else detector, known[key])


def is_fast_here() -> bool:
    """Tell whether the CPU computes with bfloat16, and the library that makes use of it is installed."""
    try:
        text = CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "").split()
    return not FAST_FLAGS.isdisjoint(flags) and find_spec("openvino") is not None


def cache_folder() -> Path:
    """Return the user's folder for what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "swathe"


def _begun_with(
    store: str | Path | None, settings: RunSettings, candidates: Sequence[DetectorSpec]
) -> DetectorSpec | None:
    """Return the detector of the latest run of these settings that a store holds; None if it holds none."""
    if store is None:
        return None
    runs = {Plan((), settings, candidate).run: candidate for candidate in candidates}
    try:
        held = [run for run in open_store(store).runs() if run.id in runs]
    except StoreError:
        return None
    return runs[max(held, key=lambda run: run.updated).id] if held else None


def _key(detector: DetectorSpec) -> str:
    """Return what a decision depends on: the model, what runs it, and the CPU."""
    model = [line for line in CPU_INFO.read_text(encoding="utf-8").splitlines() if line.startswith("model name")][:1]
    parts = [detector.sha256, version("onnxruntime"), version("openvino"), *model]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _read(record: Path) -> dict[str, str]:
    """Return the decisions so far; none if the file is not there, or damaged."""
    try:
        held = json.loads(record.read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in held.items()} if isinstance(held, dict) else {}


def _write(record: Path, known: dict[str, str]) -> None:
    """Keep decisions for the next run, where that can be written."""
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        with published_file(record, overwrite=True) as stream:
            stream.write(json.dumps(known, indent=1).encode())
    except (OSError, StoreError):
        return


def _look(exact: DetectorSpec, fast: DetectorSpec, settings: RunSettings, sources: Iterable[str]) -> Agreement | None:
    """Let both look at windows of the first source that can be read; None if none can."""
    side = exact.tile if exact.card is not None and exact.card.input_size else SAMPLE_SIDE
    for source in sources:
        try:
            tiles = list(_sample(source, settings, side, exact.card))
        except SourceError:
            continue
        one, other = (open_detector(replace(spec, tile=side, fitted=False, batch=1)) for spec in (exact, fast))
        return compare(one, other, tiles)
    return None


def _sample(source: str, settings: RunSettings, side: int, card: ModelCard | None) -> Iterator[Tile]:
    """Yield some windows with data from all over a scene."""
    scene = open_scene(source, bands=settings.bands, value_range=settings.value_range)
    if card is not None:
        card.check_bands(scene.bands, scene.id)
    level = levels(scene.width, scene.height, scene_scales(scene, settings))[0]
    grid = Grid(level.width, level.height, side, side)
    reader = open_reader(scene)
    try:
        step = max(1, len(grid) // SAMPLE_WINDOWS)
        for index in range(step // 2, len(grid), step):
            read = reader.read(level, grid[index])
            if read.valid > 0:
                yield make_tile(Task(scene.id, level, grid[index]), read.pixels, side, side)
    finally:
        reader.close()
