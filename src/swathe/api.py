"""From images to detections in one call, and the steps behind it that the command line takes one by one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from swathe.arguments import address, file_path, names, number, several, text, whole_number
from swathe.engine.settings import LEAST_SCALE, MOST_SCALE, RunSettings
from swathe.errors import Argument, SourceError, UsageError
from swathe.opened import Opened, looked_at, open_readable

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    from swathe.detections import Detections, SceneInfo
    from swathe.detectors.card import ModelCard
    from swathe.detectors.protocol import DetectorSpec
    from swathe.engine.events import RunSummary
    from swathe.engine.job import Executor
    from swathe.query import Query
    from swathe.raster.opening import ValueRange
    from swathe.store.protocol import Store

    Source: TypeAlias = str | Path | npt.NDArray[np.generic] | Image

DEFAULT_TILE = RunSettings.tile
DEFAULT_MERGE_IOU = RunSettings.merge_iou


@dataclass(frozen=True)
class Choices:
    """What a caller may choose about a run; what is left out follows from the model or from the other choices."""

    scales: float | Sequence[float] | None = None  # one: level pixels per scene pixel; several: factors; None: model's
    tile: int | None = None  # side of the windows, level pixels; None: by the model's largest objects, or 1024
    stride: int | None = None  # step between windows, level pixels; None: the same, or 3/4 of the tile
    classes: str | Sequence[str] | None = None  # classes to report; None: all
    min_score: float | Mapping[str, float] | None = None  # lowest score, or those of classes; None: the model's own
    merge_iou: float = DEFAULT_MERGE_IOU  # of two boxes of a class that overlap more, only the better stays
    workers: int | None = None  # worker processes; 0: all in this process; None: one per core
    backend: str = "auto"  # inference library, see swathe.detectors.registry
    batch_timeout: float | None = None  # seconds for a batch of windows; 0: no end; None: by measured times
    memory: str | None = None  # most memory of all processes together, such as "1.5GB"; None: what is free
    bands: Sequence[int] | None = None  # bands to look at, red, green, blue first, from 1; None: chosen for each image
    value_range: ValueRange | None = None  # values to show as black and white, or "percentile"; see `open_scene`
    device: str = "cpu"  # what runs the model, "cpu" or "cuda"
    merge_ios: float | None = None  # overlap over the smaller box, in place of merge_iou
    across_classes: bool = False  # whether boxes of different classes compete in the merge
    region: Query | None = None  # where to look: box, polygon or areas; None: everywhere

    def __post_init__(self) -> None:
        """Refuse values that no run could follow, by the name that a caller knows them by."""
        checks: dict[str, Callable[[Any], Any]] = {
            "scales": _scales,
            "tile": lambda given: whole_number("tile", given, "the side of windows in pixels, such as 1024", 1),
            "stride": lambda given: whole_number("stride", given, "a step in pixels, from 1 to the tile", 1),
            "classes": lambda given: names("classes", (given,) if isinstance(given, str) else given),
            "min_score": _lowest_scores,
            "merge_ios": lambda given: number("merge_ios", given, "a number from 0 to 1", 0, 1),
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
        text("device", self.device, '"cpu" or "cuda"')

    def settings(self, card: ModelCard | None = None, spec: DetectorSpec | None = None) -> RunSettings:
        """Fill in what was left out.

        Args:
            card: The model; without one the only scale is 1.
            spec: Its detector, by whose memory windows are chosen.

        Returns:
            The settings of the run.

        Raises:
            UsageError: If a value makes no sense.
        """
        from swathe.engine.memory import choose_windows

        own = None if card is None else card.input_size
        tile = self.tile or own or DEFAULT_TILE
        stride = max(1, tile * 3 // 4) if self.stride is None else self.stride
        fitted = None
        if self.tile is None and self.stride is None and card is not None and spec is not None:
            fitted = choose_windows(card, spec)
            tile, stride = fitted or (tile, stride)
        if stride > tile:
            accepted = f"from 1 to the tile size {tile}, or gaps appear"
            raise UsageError(argument="stride", value=stride, accepted=accepted)
        recommended = (1.0,) if card is None else card.scales
        given = tuple(recommended) if self.scales is None else _scales(self.scales)
        # One scale that a caller names is meant as it is; several are factors of the right one.
        free = self.scales is None or len(given) > 1
        return RunSettings(
            tile=tile,
            stride=stride,
            fitted=fitted is not None,
            scales=given,
            resolution=card.resolution if free and card is not None else None,
            merge_iou=self.merge_iou,
            merge_ios=self.merge_ios,
            across_classes=self.across_classes,
            class_scores=self._class_scores(card),
            region=self.region,
            workers=1 if self.workers is None and self.device == "cuda" else self.workers,  # they share the card
            batch_timeout=self.batch_timeout,
            memory_limit=None if self.memory is None else _memory_limit(self.memory),
            bands=_bands(self.bands, card),
            value_range=self.value_range,
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
        spec, card = resolve_model(
            model,
            backend=self.backend,
            min_score=None if isinstance(self.min_score, Mapping) else self.min_score,
            iou=self.merge_iou,
            keep=tuple(self.classes or ()),
            tile=self.tile,
            device=self.device,
        )
        lowest = [score for name, score in self._class_scores(card) if not spec.keep or name in spec.keep]
        return (replace(spec, min_score=min(lowest)) if lowest else spec), card

    def _class_scores(self, card: ModelCard | None) -> tuple[tuple[str, float], ...]:
        """Return the lowest score of each class, if some have their own; the model's for the others."""
        if card is None or not isinstance(self.min_score, Mapping):
            return ()
        unknown = sorted(set(self.min_score) - set(card.classes))
        if unknown:
            raise UsageError(argument="min_score", value=unknown[0], accepted=f"for one of {', '.join(card.classes)}")
        return tuple((name, self.min_score.get(name, card.min_score)) for name in card.classes)


def _lowest_scores(given: Any) -> float | dict[str, float]:
    """Check a lowest score, or those of some classes."""
    accepted = "a number from 0 to 1, or one for each of some classes"
    if not isinstance(given, Mapping):
        return number("min_score", given, accepted, 0, 1)
    if not given:
        raise UsageError(argument="min_score", value=given, accepted=accepted)
    return {
        text("min_score", name, accepted): number("min_score", score, accepted, 0, 1) for name, score in given.items()
    }


def _bands(given: Sequence[int] | None, card: ModelCard | None) -> tuple[int, ...] | None:
    """Return the bands to look at: as asked for, or else the first ones of each image for a model that sees many."""
    if given is not None:
        return tuple(given)
    return None if card is None or card.bands == 3 else tuple(range(1, card.bands + 1))


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
    from swathe.engine.memory import DRIVER_BYTES, LIBRARY_BYTES

    least, given = LIBRARY_BYTES + DRIVER_BYTES, parse_bytes(amount)
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
    resolution: float | None = None,
    tile: int | None = None,
    stride: int | None = None,
    classes: str | Sequence[str] | None = None,
    min_score: float | Mapping[str, float] | None = None,
    merge_iou: float = DEFAULT_MERGE_IOU,
    merge_ios: float | None = None,
    across_classes: bool = False,
    region: Query | None = None,
    workers: int | None = None,
    output: str | Path | None = None,
    acquired: str | datetime | None = None,
    backend: str = "auto",
    device: str = "cpu",
    bands: Sequence[int] | None = None,
    value_range: ValueRange | None = None,
    memory: str | None = None,
    name: str | None = None,
    scene_prefix: str = "",
    exact: bool = False,
    engine: Executor | None = None,
) -> Detections:
    """Find oriented objects in images of any size.

    Args:
        source: A file, folder, pattern or address; an array (height, width) or (height, width, red-green-blue) or an
            image of Pillow, as scene `array-0`; or several of them.
        model: Name of a model that ships with Swathe, a .onnx or .safetensors file, or the folder of a training run.
        scales: A scale to look at, 1 being full resolution, or several as factors of the scale at which objects are as
            large as the model knows them; that scale if not given.
        resolution: Metres per pixel on the ground of images that have no georeference.
        tile: Side of square windows, pixels. If neither this nor the stride is given, windows are as large as memory
            allows and overlap by the largest objects of the model, where its card tells them; else 1024.
        stride: Step between neighbouring windows, pixels; 3/4 of the tile if only that is given.
        classes: Name or names of the classes to report; all if not given.
        min_score: Lowest score to report, 0 to 1, or one for each of some classes; the model's own if not given.
        merge_iou: Of two boxes of a class that overlap more than this, only the better stays.
        merge_ios: The same for the overlap over the smaller box, in place of `merge_iou`.
        across_classes: Whether boxes of different classes compete as those of one do.
        region: A `Query` with a box, a polygon or areas: windows that touch it are looked at, and what has its centre
            in it is kept.
        workers: Worker processes; one per core if not given, 0 for none.
        output: Store to add to, a folder or an address; not for arrays. Without it nothing stays on disk.
        acquired: When the images were taken, ISO 8601 or a datetime, in UTC; what their files say if not given.
        backend: "onnx", "openvino", "openvino-bf16", "torch", a plug-in's name, or "auto"; see `resolve_model`.
        device: What runs the model, "cpu" or "cuda".
        bands: Bands to use as red, green, blue, from 1, or as many as the model sees; chosen if not given.
        value_range: Values to show the model as black and white, or "percentile" to measure them; see `open_scene`.
        memory: Most memory of all processes together, such as "1.5GB" or "800MiB"; what is free if not given.
        name: What to call the run in the store, beside its id.
        scene_prefix: What to put before the names of the images, to tell them from others of the same names.
        exact: Whether "auto" must take the backend that gives the same results to the last bit on every run, ONNX
            Runtime for .onnx files, even where a faster one finds the same objects.
        engine: Who does the work, such as `swathe.engine.spark.SparkExecutor(session)`; `workers` if not given.

    Returns:
        The detections of all images, boxes in each image's pixels, in canonical order.

    Raises:
        SourceError: If an image is missing or damaged.
        ModelError: If the model is unknown, damaged, or does not fit.
        StoreError: If the output is not a store or cannot be written.
        UsageError: If a value makes no sense or is of a wrong type, or the run needs too much memory.
        MissingExtraError: If the inference library is not installed.
        PartialError: If some images failed: `failed` says why, `detections` are those of the others.
    """
    chosen = Choices(
        scales,
        tile,
        stride,
        classes,
        min_score,
        merge_iou,
        workers,
        backend,
        None,
        memory,
        bands,
        value_range,
        device,
        merge_ios,
        across_classes,
        region,
    )
    if engine is not None and not callable(getattr(engine, "open", None)):
        raise UsageError(argument="engine", value=engine, accepted="an executor, such as SparkExecutor(session)")
    from swathe.engine.backend import choose_backend
    from swathe.raster.sources import find_described

    with tempfile.TemporaryDirectory(prefix="swathe-") as folder:
        sources, (spec, card) = _as_files(source, Path(folder), keep=output is not None), chosen.detector(model)
        settings, found = chosen.settings(card, spec), find_described(sources)
        if engine is None and backend == "auto" and not exact:  # machines of a cluster may differ from this one
            spec = choose_backend(spec, settings, output, found).detector
        known = looked_at(output, settings, spec)
        opened = open_readable(found, settings.bands, value_range, acquired, resolution, scene_prefix, known, region)
        return _carried_out(opened, settings, spec, output, Path(folder), name, engine)


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
    opened: Opened,
    settings: RunSettings,
    detector: DetectorSpec,
    output: str | Path | None,
    folder: Path,
    name: str | None,
    engine: Executor | None,
) -> Detections:
    """Carry out a run into a store, one that is thrown away if none is wanted, and return what is in these scenes."""
    from swathe.engine.plan import make_plan
    from swathe.engine.run import run_plan
    from swathe.store import open_store

    plan = make_plan(opened.scenes, settings, detector, opened.done)
    place = folder / "store" if output is None else address("output", output, "the folder or address of a store")
    store = open_store(place, create=True)
    summary = with_unopened(run_plan(plan, store, name=name, executor=engine), opened.unopened)
    found = detections_of(summary, store)
    written = {key: replace(scene, uri=scene.id) for key, scene in found.scenes.items() if _lies_in(scene, folder)}
    found = replace(found, scenes={**found.scenes, **written})
    raise_for_failures(summary, found)
    return found


def _lies_in(scene: SceneInfo, folder: Path) -> bool:
    """Tell whether a scene is a picture from memory, that was written to a folder for a while."""
    return Path(scene.uri).parent == folder


def detections_of(summary: RunSummary, store: Store) -> Detections:
    """Read what a run has found in the scenes that it was asked for.

    Args:
        summary: What the run did.
        store: Where the detections are.

    Returns:
        The detections in canonical order.

    Raises:
        StoreError: If the store is damaged.
    """
    from swathe.query import Query
    from swathe.store import read

    if not summary.scenes:
        return Detections.empty()
    return read(store, Query(runs=(summary.run,), scenes=summary.scenes))


def with_unopened(summary: RunSummary, unopened: Mapping[str, str]) -> RunSummary:
    """Count the scenes that could not even be opened among those that failed.

    Args:
        summary: What a run over the other scenes did.
        unopened: Scene id -> why it cannot be opened.

    Returns:
        The summary of both.
    """
    return replace(summary, failed={**unopened, **summary.failed})


def raise_for_failures(summary: RunSummary, detections: Detections | None = None) -> None:
    """Turn failed scenes into an error.

    Args:
        summary: What a run did.
        detections: What it found, for callers that catch the error.

    Raises:
        SourceError: If the only scene failed.
        PartialError: If some scenes of several failed.
    """
    if summary.failed and not summary.scenes and len(summary.failed) == 1:
        raise SourceError(next(iter(summary.failed.values())))
    summary.raise_for_failures(detections)
