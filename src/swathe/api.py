"""From images to detections in one call, and the steps behind it that the command line takes one by one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from swathe.arguments import file_path, names, number, several, text, whole_number
from swathe.counts import counted
from swathe.engine.settings import LEAST_SCALE, MOST_SCALE, RunSettings
from swathe.errors import Argument, SourceError, StoreError, UsageError
from swathe.times import parse_utc, utc_text

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    from swathe.detections import Detections
    from swathe.detectors.card import ModelCard
    from swathe.detectors.protocol import DetectorSpec
    from swathe.engine.events import RunSummary
    from swathe.engine.plan import Plan
    from swathe.raster.opening import ValueRange
    from swathe.raster.scene import Scene
    from swathe.store.geoparquet import GeoParquetStore

    Source: TypeAlias = str | Path | npt.NDArray[np.generic] | Image

DEFAULT_TILE = RunSettings.tile
DEFAULT_MERGE_IOU = RunSettings.merge_iou


@dataclass(frozen=True)
class Choices:
    """What a caller may choose about a run; what is left out follows from the model or from the other choices."""

    scales: Sequence[float] | None = None  # level pixels per scene pixel; None: those the model was trained for
    tile: int | None = None  # side of the windows, level pixels; None: 1024
    stride: int | None = None  # step between windows, level pixels; None: 3/4 of the tile
    classes: Sequence[str] = ()  # classes to report; empty: all
    min_score: float | None = None  # lowest score to report, 0 to 1; None: the model's own
    merge_iou: float = DEFAULT_MERGE_IOU  # of two boxes of a class that overlap more, only the better stays
    workers: int | None = None  # worker processes; 0: all in this process; None: one per core
    backend: str = "auto"  # inference library, see swathe.detectors.registry
    batch_timeout: float | None = None  # seconds for a batch of windows; 0: no end; None: by measured times
    memory: str | None = None  # most memory of all processes together, such as "1.5GB"; None: what is free

    def __post_init__(self) -> None:
        """Refuse values that no run could follow, by the name that a caller knows them by."""
        checks: dict[str, Callable[[Any], Any]] = {
            "scales": _scales,
            "tile": lambda given: whole_number("tile", given, "the side of windows in pixels, such as 1024", 1),
            "stride": lambda given: whole_number("stride", given, "a step in pixels, from 1 to the tile", 1),
            "classes": lambda given: names("classes", given),
            "min_score": lambda given: number("min_score", given, "a number from 0 to 1", 0, 1),
            "workers": lambda given: whole_number("workers", given, "0 for none, or a number of processes", 0),
            "batch_timeout": lambda given: number("batch_timeout", given, "seconds, 0 to wait for ever", 0),
            "memory": lambda given: text("memory", given, 'an amount with a unit, such as "1.5GB" or "800MiB"'),
        }
        for name, check in checks.items():
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, check(given))
        number("merge_iou", self.merge_iou, "a number from 0 to 1", 0, 1)
        text("backend", self.backend, 'the name of an inference library, or "auto"')

    def settings(self, card: ModelCard | None = None) -> RunSettings:
        """Fill in what was left out.

        Args:
            card: The model; without one the only scale is 1.

        Returns:
            The settings of the run.

        Raises:
            UsageError: If a value makes no sense.
        """
        own = None if card is None else card.input_size
        tile = self.tile or own or DEFAULT_TILE
        recommended = (1.0,) if card is None else card.scales
        return RunSettings(
            tile=tile,
            stride=max(1, tile * 3 // 4) if self.stride is None else self.stride,
            scales=tuple(recommended if self.scales is None else self.scales),
            merge_iou=self.merge_iou,
            workers=self.workers,
            batch_timeout=self.batch_timeout,
            memory_limit=None if self.memory is None else _memory_limit(self.memory),
        )

    def detector(self, model: str | Path) -> tuple[DetectorSpec, ModelCard]:
        """Find the model and describe its detector.

        Args:
            model: Name of a shipped model, or a model file, or the folder of a training run.

        Returns:
            The specification of the detector, and the card of the model.

        Raises:
            ModelError: If there is no such model, or its file is damaged.
            MissingExtraError: If its inference library is not installed.
            UsageError: If a class is none of the model's, or the score is out of range.
        """
        from swathe.detectors.registry import resolve_model

        file_path("model", model, "the name of a model, a model file, or the folder of a training run")
        return resolve_model(
            model,
            backend=self.backend,
            min_score=self.min_score,
            iou=self.merge_iou,
            keep=tuple(self.classes),
            tile=self.tile,
        )


def _scales(given: Any) -> tuple[float, ...]:
    """Check scales: one, or several different ones."""
    accepted = f"a number from {LEAST_SCALE:g} to {MOST_SCALE:g}, or several different ones, such as [0.5, 1.0]"
    listed = (given,) if isinstance(given, Real) else several("scales", given, accepted)
    found = tuple(number("scales", scale, accepted, LEAST_SCALE, MOST_SCALE) for scale in listed)
    if not found or len(set(found)) < len(found):
        raise UsageError(argument="scales", value=given, accepted=accepted)
    return found


def _memory_limit(amount: str) -> int:
    """Read an amount of memory, and refuse one that no run could do with."""
    from swathe.engine.limits import in_words, parse_bytes
    from swathe.engine.memory import LEADER_BYTES, LIBRARY_BYTES

    least, given = LIBRARY_BYTES + LEADER_BYTES, parse_bytes(amount)
    if given < least:
        units = {"MB": 10**6, "GB": 10**9} if amount.isdecimal() else {}
        meant = next((amount + unit for unit, size in units.items() if given * size >= least), None)
        hint = "; give more, or none for all that is free" if meant is None else f"; did you mean {meant}?"
        raise UsageError(
            Argument("memory", amount), f": is less than the {in_words(least)} that the smallest run takes{hint}"
        )
    return given


def detect(  # noqa: PLR0913 a caller names what differs from the defaults
    source: Source | Sequence[Source],
    model: str | Path,
    *,
    scales: float | Sequence[float] | None = None,
    tile: int | None = None,
    stride: int | None = None,
    classes: str | Sequence[str] | None = None,
    min_score: float | None = None,
    merge_iou: float = DEFAULT_MERGE_IOU,
    workers: int | None = None,
    output: str | Path | None = None,
    acquired: str | datetime | None = None,
    backend: str = "auto",
    bands: Sequence[int] | None = None,
    value_range: ValueRange | None = None,
    memory: str | None = None,
) -> Detections:
    """Find oriented objects in images of any size.

    Args:
        source: A file, a folder, a pattern, an address (https://, http:// or s3://); an array (height, width) or
            (height, width, red-green-blue) or an image of Pillow, as scene `array-0`; or several of them.
        model: Name of a model that ships with Swathe, a .onnx or .safetensors file, or the folder of a training run.
        scales: Scale or scales to look at, 1 being full resolution; those the model was trained for if not given.
        tile: Side of the square windows, pixels; 1024 if not given.
        stride: Step between neighbouring windows, pixels; 3/4 of the tile if not given.
        classes: Name or names of the classes to report; all if not given.
        min_score: Lowest score to report, 0 to 1; the model's own if not given.
        merge_iou: Of two boxes of a class that overlap more than this, only the better stays.
        workers: Worker processes; one per core if not given, 0 for none.
        output: Store to write; one that exists is added to, an unfinished run in it is resumed, and images that the
            same model and settings have looked at are left out. Without it nothing stays on disk. Not for arrays.
        acquired: When the images were taken, ISO 8601 or a datetime, in UTC; what their files say if not given.
        backend: "onnx", "openvino", "openvino-bf16", "torch", a plug-in's name, or "auto"; see `resolve_model`.
        bands: Bands to use as red, green, blue, from 1; chosen for each image if not given.
        value_range: Values to show the model as black and white, or "percentile" to measure them for each image; if
            not given, 8-bit pixels are taken as they are and others by percentile.
        memory: Most memory of all processes together, such as "1.5GB" or "800MiB"; what is free if not given.

    Returns:
        The detections of all images, boxes in each image's pixels, in canonical order.

    Raises:
        SourceError: If an image is missing or damaged.
        ModelError: If the model is unknown, damaged, or does not fit.
        StoreError: If the output is no store or cannot be written.
        UsageError: If a value makes no sense or is of a wrong type, or the run needs too much memory.
        MissingExtraError: If the inference library is not installed.
        PartialError: If some images failed: `failed` says why, `detections` are those of the others.
    """
    kept = (classes,) if isinstance(classes, str) else () if classes is None else classes
    looks = (scales,) if isinstance(scales, int | float) else scales
    chosen = Choices(looks, tile, stride, kept, min_score, merge_iou, workers, backend, memory=memory)
    target = None if output is None else file_path("output", output, "the folder of a store")
    with tempfile.TemporaryDirectory(prefix="swathe-") as name:
        sources, (spec, card) = _as_files(source, Path(name), keep=target is not None), chosen.detector(model)
        scenes, unopened = open_readable(sources, bands=bands, value_range=value_range)
        run = with_time(scenes, acquired), chosen.settings(card), spec
        return _carried_out(*run, unopened, target, Path(name))


def _as_files(source: Any, folder: Path, *, keep: bool) -> list[str]:
    """Return sources as names of files, folders, patterns and addresses; pictures in memory are written to a folder."""
    from swathe.raster.arrays import is_picture, write_picture

    accepted = "a file, a folder, a pattern, an address, an array, or a list of them"
    lone = isinstance(source, str | Path) or is_picture(source)
    sources = []
    for place, one in enumerate((source,) if lone else several("source", source, accepted)):
        if not is_picture(one):
            file_path("source", one, accepted)
            sources.append(os.fspath(one))
        elif keep:
            raise UsageError(
                Argument("output"),
                ": a store finds images by name, and arrays have none; leave it out, and write what was found "
                "with its save method",
            )
        else:
            sources.append(str(write_picture(one, folder / f"array-{place}.tif")))
    return sources


def _carried_out(
    scenes: Sequence[Scene],
    settings: RunSettings,
    detector: DetectorSpec,
    unopened: Mapping[str, str],
    output: Path | None,
    folder: Path,
) -> Detections:
    """Plan a run, carry it out into a store, one that is thrown away if none is wanted, and return what it found."""
    from swathe.engine.plan import make_plan
    from swathe.engine.run import run_plan
    from swathe.query import Query

    plan = make_plan(scenes, settings, detector)
    store = open_output(folder / "store" if output is None else output, plan, append=True)
    summary = with_unopened(run_plan(plan, store), unopened)
    found = store.scan(Query(runs=(plan.run,)))
    written = {
        key: replace(scene, uri=scene.id) for key, scene in found.scenes.items() if Path(scene.uri).parent == folder
    }
    found = replace(found, scenes={**found.scenes, **written})
    raise_for_failures(summary, found)
    return found


def with_time(scenes: Sequence[Scene], acquired: str | datetime | None) -> tuple[Scene, ...]:
    """Tell when scenes were taken.

    Args:
        scenes: The scenes.
        acquired: The time, ISO 8601 or a datetime, in UTC; None to leave what their files say.

    Returns:
        The scenes.

    Raises:
        UsageError: If it is no time.
    """
    if acquired is None:
        return tuple(scenes)
    time = utc_text(parse_utc(acquired, "acquired"))
    return tuple(replace(scene, acquired=time) for scene in scenes)


def open_readable(
    sources: Sequence[str | Path], *, bands: Sequence[int] | None = None, value_range: ValueRange | None = None
) -> tuple[tuple[Scene, ...], dict[str, str]]:
    """Find and open scenes; one bad file among good ones does not stop them. Pixels are not looked at yet.

    Args:
        sources: Files, folders, patterns, addresses.
        bands: Bands to use as red, green, blue, from 1; chosen for each scene if not given.
        value_range: Values to show as 0 and 255, or "percentile" to measure them, see `open_scene`.

    Returns:
        The scenes that could be opened, and for the ids of the others why not.

    Raises:
        SourceError: If nothing is found, or no file can be opened.
        UsageError: If the bands do not exist or the value range does not rise.
    """
    from swathe.raster.opening import open_scene
    from swathe.raster.sources import find_sources, scene_ids

    scenes: list[Scene] = []
    unopened: dict[str, str] = {}
    paths = find_sources([str(source) for source in sources])
    for name, path in zip(scene_ids(paths), paths, strict=True):
        try:
            scenes.append(open_scene(path, bands=bands, value_range=value_range, scene_id=name))
        except SourceError as error:
            unopened[name] = str(error)
    if not scenes:
        first, *others = unopened.values()
        more = f" (and {len(others)} more that cannot be opened)" if others else ""
        raise SourceError(f"{first}{more}")
    return tuple(scenes), unopened


def with_unopened(summary: RunSummary, unopened: Mapping[str, str]) -> RunSummary:
    """Count the scenes that could not even be opened among those that failed.

    Args:
        summary: What a run over the other scenes did.
        unopened: Scene id -> why it cannot be opened.

    Returns:
        The summary of both.
    """
    return replace(summary, failed={**unopened, **summary.failed})


def open_output(path: Path, plan: Plan, *, append: bool = False, overwrite: bool = False) -> GeoParquetStore:
    """Open or create the store that a run is to be written to.

    Args:
        path: The store's folder.
        plan: The run; if it is in the store already, it is resumed.
        append: Allow other runs beside it.
        overwrite: Remove everything that is in the store first, unless that is unfinished work of this very run.

    Returns:
        The store.

    Raises:
        UsageError: If both are asked for.
        StoreError: If the path is no store, or holds other runs and neither is asked for.
    """
    from swathe.engine.succession import remove_succeeded, runs_beside
    from swathe.store.geoparquet import GeoParquetStore

    if append and overwrite:
        raise UsageError(Argument("append"), " and ", Argument("overwrite"), " exclude each other; give one of them")
    is_free = not path.exists() or (path.is_dir() and not any(path.iterdir()))
    if is_free or (overwrite and not _is_begun(path, plan)):
        return GeoParquetStore.create(path, overwrite=overwrite)
    store = GeoParquetStore(path)
    remove_succeeded(store)
    beside = runs_beside(plan, store)
    if beside and plan.run not in {*store.runs(), *store.unfinished_runs()} and not append:
        raise StoreError(
            f"{path}: holds {counted(len(beside), 'other run')}; add this one (",
            Argument("append"),
            "), replace all (",
            Argument("overwrite"),
            f"), or choose another place; `swathe runs {path}` lists them",
        )
    return store


def _is_begun(path: Path, plan: Plan) -> bool:
    """Tell whether a store holds unfinished work of a run and nothing else: then it is resumed, not done again."""
    from swathe.engine.succession import is_all_unfinished
    from swathe.store.geoparquet import GeoParquetStore, is_store

    try:
        return is_store(path) and is_all_unfinished(plan, GeoParquetStore(path))
    except StoreError:  # damaged, and to be replaced
        return False


def raise_for_failures(summary: RunSummary, detections: Detections | None = None) -> None:
    """Turn failed scenes into an error.

    Args:
        summary: What a run did.
        detections: What it found, for callers that catch the error.

    Raises:
        SourceError: If the only scene failed.
        PartialError: If some scenes of several failed.
    """
    if summary.failed and not summary.files and len(summary.failed) == 1:
        raise SourceError(next(iter(summary.failed.values())))
    summary.raise_for_failures(detections)
