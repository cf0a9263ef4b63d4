"""`swathe detect`: find objects in scenes and put them into a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swathe.api import DEFAULT_MERGE_IOU
from swathe.cli.advice import advice, say_advice
from swathe.cli.conditions import AreaFile, AreaNames, find_areas, read_polygon
from swathe.cli.engine import Engine, Master, Partitioner, Settings, chosen_engine
from swathe.cli.found import check_target
from swathe.cli.options import (
    Acquired,
    Backend,
    Bands,
    Classes,
    Device,
    Json,
    LowestScores,
    Memory,
    NameProperty,
    Overwrite,
    Quiet,
    Resolution,
    Scales,
    Sources,
    Stride,
    TileSize,
    ValueRange,
    lowest_scores,
    names,
    numbers,
    print_json,
    value_limits,
    whole_numbers,
)
from swathe.cli.output import echo
from swathe.cli.profile import profile_lines
from swathe.cli.progress import detection_progress
from swathe.counts import counted
from swathe.errors import Argument, UsageError

if TYPE_CHECKING:
    from swathe.detections import SceneInfo
    from swathe.detectors.card import ModelCard
    from swathe.detectors.protocol import DetectorSpec
    from swathe.engine.events import RunSummary
    from swathe.engine.job import Executor
    from swathe.engine.plan import Plan
    from swathe.engine.settings import RunSettings
    from swathe.query import Query
    from swathe.raster.scene import Scene
    from swathe.store.exports import Format
    from swathe.store.protocol import Store

Model = Annotated[
    str,
    typer.Option(
        "-m", "--model", help="Name of a model (see `swathe models`), a model file, or a training run's folder."
    ),
]
Output = Annotated[
    str,
    typer.Option("-o", "--output", metavar="STORE", help="Store to add to: a folder or an address; made if needed."),
]
MergeIou = Annotated[
    float,
    typer.Option("--merge-iou", metavar="IOU", help="Of two boxes of a class that overlap more, the better stays."),
]
MergeIos = Annotated[
    float | None,
    typer.Option(
        "--merge-ios", metavar="SHARE", help="The same for the overlap over the smaller box, in place of --merge-iou."
    ),
]
AcrossClasses = Annotated[
    bool, typer.Option("--across-classes", help="Let boxes of different classes compete as those of one do.")
]
Box = Annotated[
    tuple[float, float, float, float] | None,
    typer.Option(
        "--box",
        metavar="XMIN YMIN XMAX YMAX",
        help="Look only here, and keep what has its centre here: lon/lat, or pixels.",
    ),
]
Polygon = Annotated[Path | None, typer.Option(metavar="FILE", help="The same for the polygon of this file.")]
Workers = Annotated[int | None, typer.Option(help="Worker processes; one per core by default, 0 for none.")]
BatchTimeout = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Replace a worker that takes longer for a batch; by measured times if not given, 0: never.",
    ),
]
RunName = Annotated[str | None, typer.Option("--name", metavar="NAME", help="What to call this run, beside its id.")]
ScenePrefix = Annotated[
    str, typer.Option("--scene-prefix", metavar="TEXT", help="What to put before the names of these scenes.")
]
Geojson = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the detections as GeoJSON, too.")]
Exports = Annotated[
    list[Path] | None,
    typer.Option(
        "--export", metavar="FILE", help="Write the detections as .gpkg .fgb .csv .coco.json ..., too; repeatable."
    ),
]

Exact = Annotated[
    bool, typer.Option("--exact", help="With backend auto: the same results to the last bit on every run; slower.")
]
Profile = Annotated[
    bool, typer.Option("--profile", help="Say where the time went, by stage of the work; --json always does.")
]


def detect(
    sources: Sources,
    model: Model,
    output: Output,
    scales: Scales = None,
    resolution: Resolution = None,
    tile: TileSize = None,
    stride: Stride = None,
    classes: Classes = None,
    min_score: LowestScores = None,
    merge_iou: MergeIou = DEFAULT_MERGE_IOU,
    merge_ios: MergeIos = None,
    across_classes: AcrossClasses = False,
    box: Box = None,
    polygon: Polygon = None,
    area: AreaNames = None,
    areas: AreaFile = None,
    name_property: NameProperty = None,
    workers: Workers = None,
    memory: Memory = None,
    batch_timeout: BatchTimeout = None,
    engine: Engine = "local",
    master: Master = None,
    partitioner: Partitioner = "cost",
    spark: Settings = None,
    backend: Backend = "auto",
    exact: Exact = False,
    device: Device = "cpu",
    bands: Bands = None,
    value_range: ValueRange = None,
    acquired: Acquired = None,
    name: RunName = None,
    scene_prefix: ScenePrefix = "",
    overwrite: Overwrite = False,
    geojson: Geojson = None,
    export: Exports = None,
    profile: Profile = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find objects in scenes and add them to a store; what is done already is not done again."""
    from swathe.api import Choices, raise_for_failures
    from swathe.engine.backend import choose_backend
    from swathe.engine.local import worker_count
    from swathe.engine.plan import make_plan
    from swathe.opened import looked_at, open_readable
    from swathe.raster.sources import find_described

    _check_store_name(output)
    targets = _targets(export or (), geojson, overwrite=overwrite)
    looks, kept = numbers("scales", scales), names("classes", classes)
    limits, shown = value_limits("value_range", value_range), whole_numbers("bands", bands)
    least, region = lowest_scores(min_score), _region(output, box, polygon, area, areas, name_property)
    chosen = Choices(
        looks, tile, stride, kept, least, merge_iou, workers, backend, batch_timeout, memory, shown, limits, device,
        merge_ios, across_classes, region,
    )  # fmt: skip
    spec, card = chosen.detector(model)
    settings = chosen.settings(card, spec)
    found, reason = find_described(sources), ""
    if engine == "local" and backend == "auto" and not exact:  # machines of a cluster may differ from this one
        spec, reason = choose_backend(spec, settings, None if overwrite else output, found)
    known = {} if overwrite else looked_at(output, settings, spec)
    scenes, unopened, done = open_readable(
        found, settings.bands, limits, acquired, resolution, scene_prefix, known, region
    )
    _check_one_kind([*scenes, *(stored.scene for stored in done)], targets)
    plan = make_plan(scenes, settings, spec, done)
    with chosen_engine(engine, master, partitioner, spark, plan, json=json, quiet=quiet) as executor:
        _check_before(plan, executor)
        store = _open_output(output, plan, overwrite=overwrite)
        if not json and not quiet:
            echo(*_model_lines(card, spec, settings, reason), describe(plan), *notes(plan, None if looks else card))
        summary = _run(plan, store, unopened, name, executor, json=json, quiet=quiet)
    _write(store, summary, targets, overwrite=overwrite)
    _report(summary, [str(path) for path in (*summary.files, *targets)], json=json, quiet=quiet)
    if profile and not json:
        echo(*profile_lines(summary, worker_count(settings.workers)))
    raise_for_failures(summary)


def _model_lines(card: ModelCard, spec: DetectorSpec, settings: RunSettings, reason: str) -> list[str]:
    """Say which model looks, for what, from which score on, and why on this backend, if that was chosen."""
    own = ", ".join(f"{score:g} for {name}" for name, score in settings.class_scores) or f"{spec.min_score:g}"
    line = f"Model    {card.name}, {', '.join(spec.keep or card.classes)}, from score {own}"
    return [line, f"Backend  {reason}"] if reason else [line]


def _report(summary: RunSummary, files: list[str], *, json: bool, quiet: bool) -> None:
    """Print what the run did."""
    if json:
        print_json({"event": "summary", **summary.to_json(), "files": files})
    elif not quiet:
        echo(*_summary(summary, files))


def _region(
    store: str,
    box: tuple[float, float, float, float] | None,
    polygon: Path | None,
    area: Sequence[str] | None,
    areas: Path | None,
    name_property: str | None,
) -> Query | None:
    """Return where to look; None for everywhere."""
    from swathe.query import Query

    ring = None if polygon is None else read_polygon(polygon)
    found = find_areas(store, area or (), areas, name_property)
    return None if box is None and ring is None and found is None else Query(box=box, polygon=ring, areas=found)


def describe(plan: Plan) -> str:
    """Return a line that says what will be looked at, and how."""
    settings = plan.settings
    scales = ", ".join(map(_range, zip(*(scene.scales for scene in plan.scenes), strict=True))) or "as before"
    ios = settings.merge_ios
    overlap = f"IoU {settings.merge_iou:g}" if ios is None else f"an overlap of {ios:g} of the smaller box"
    classes = ", across classes" if settings.across_classes else ""
    size = f"{settings.tile} px every {settings.stride} px"
    if settings.fitted:
        size = f"at most {settings.tile} px that overlap by {settings.tile - settings.stride} px"
    return (
        f"Plan     {counted(plan.scene_count, 'scene')}, {counted(plan.windows, 'window')} of {size} at scale "
        f"{scales}; merged from {overlap}{classes}"
    )


def _range(scales: Sequence[float]) -> str:
    """Return what one scale of a run is over its scenes."""
    low, high = min(scales), max(scales)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def notes(plan: Plan, card: ModelCard | None) -> list[str]:
    """Return lines with what is to know about how scenes are read, each once with the first scene that it is about.

    Args:
        plan: The scenes, and how they are looked at.
        card: The model, if its card and not the caller says the scales.

    Returns:
        The lines.
    """
    from swathe.engine.scale import scale_note

    about: dict[str, list[str]] = {}
    reasons: dict[bool, str] = {}  # the first, with and without a resolution of the scene: scenes differ by a hair
    for scene in plan.scenes:
        known = scene.source.ground_resolution is not None
        reason = reasons.setdefault(known, scale_note(scene.source, plan.settings) or "")
        for note in (*filter(None, [reason]), *scene.source.notes):
            about.setdefault(note, []).append(scene.id)
    more = {note: f" and {len(ids) - 1:,} more" if len(ids) > 1 else "" for note, ids in about.items()}
    assumed = []
    if card is not None and card.resolution is None:
        assumed.append(
            f"Note     {card.name} does not say how large its pixels were on the ground, so scenes are looked at as "
            "they are; if you know it, write `resolution` on its card (`swathe describe MODEL -o`)"
        )
    return assumed + [f"Note     {ids[0]}{more[note]}: {note}" for note, ids in about.items()]


def _targets(exports: Sequence[Path], geojson: Path | None, *, overwrite: bool) -> dict[Path, Format]:
    """Make sure, before the work, that all files can be written that are wanted beside the store."""
    targets = {path: check_target(path, None, overwrite=overwrite) for path in exports}
    if geojson is not None:
        targets[geojson] = check_target(geojson, "geojson", overwrite=overwrite)
    return targets


def _check_before(plan: Plan, executor: Executor | None) -> None:
    """Refuse a run that does not fit into memory, before anything is replaced, and say what would make it quicker."""
    from swathe.engine.limits import check_memory
    from swathe.engine.local import worker_count

    processes = worker_count(plan.settings.workers)
    if executor is None:  # others are asked what they have when the run begins
        check_memory(plan, processes)
    say_advice(advice(plan, processes))


def _check_store_name(output: str) -> None:
    """Refuse the name of a file where a store is made, which is a folder."""
    from swathe.store.exports.formats import ENDINGS

    if output.lower().endswith(tuple(ENDINGS)) and not Path(output).is_dir():
        raise UsageError(
            Argument("output", output),
            ": a store is a folder; name one, and write the file, too, with ",
            Argument("export"),
        )


def _open_output(output: str, plan: Plan, *, overwrite: bool) -> Store:
    """Open or make the store; to replace what it holds is to remove all but unfinished work of this very run."""
    from swathe.store import open_store

    store = open_store(output, create=True)
    for run in store.runs() if overwrite else ():
        if run.id != plan.run or not run.pending:
            store.remove(run.id)
    return store


def _run(
    plan: Plan,
    store: Store,
    unopened: Mapping[str, str],
    name: str | None,
    executor: Executor | None,
    *,
    json: bool,
    quiet: bool,
) -> RunSummary:
    """Carry out a plan and show its progress; scenes that could not be opened count among those that failed."""
    from swathe.api import with_unopened
    from swathe.engine.events import SceneFailed
    from swathe.engine.run import run_plan

    with detection_progress(json=json, quiet=quiet) as progress:
        for scene, reason in unopened.items():
            progress(SceneFailed(scene, reason))
        return with_unopened(run_plan(plan, store, name=name, progress=progress, executor=executor), unopened)


def _check_one_kind(scenes: Sequence[Scene | SceneInfo], targets: Mapping[Path, Format]) -> None:
    """Refuse a file on the ground of scenes with and without georeference before the work, not after it."""
    without = [scene.id for scene in scenes if scene.crs is None or scene.transform is None]
    refused = [path for path, chosen in targets.items() if chosen.on_ground]
    if refused and 0 < len(without) < len(scenes):
        raise UsageError(
            f"{refused[0]}: some scenes have a georeference and others, such as {without[0]!r}, have none, so one file "
            "cannot hold both; leave it out, and write one after the other with `swathe query --scenes`"
        )


def _write(store: Store, summary: RunSummary, targets: Mapping[Path, Format], *, overwrite: bool) -> None:
    """Write what is found in the scenes so far to files."""
    from swathe.api import detections_of
    from swathe.store.exports import export

    found = detections_of(summary, store) if targets else None
    for path, chosen in targets.items():
        if found is not None:
            export(found, path, chosen, overwrite=overwrite)


def _summary(summary: RunSummary, files: list[str]) -> list[str]:
    """Return the lines that end a run."""
    fresh = summary.windows - summary.resumed_windows - summary.lost_windows
    rate = f", {fresh / summary.seconds:.1f} windows per second" if fresh and summary.seconds > 0 else ""
    done = f", {summary.resumed_windows:,} of them done before" if summary.resumed_windows else ""
    done += f", {summary.lost_windows:,} of failed scenes not done" if summary.lost_windows else ""
    lines = [
        f"Windows  {summary.windows:,} ({summary.skipped:,} without data{done})",
        f"Time     {summary.seconds:.1f} seconds{rate}",
        f"Found    {summary.detections:,}",
        *(f"         {count:,} {name}" for name, count in summary.per_class.items()),
    ]
    if summary.full_windows:
        full = counted(summary.full_windows, "window")
        lines.append(
            f"Note     in {full} the model gave all boxes that it has room for, so some may be missing; larger scales "
            "or smaller windows hold fewer objects"
        )
    return lines + [f"{'Files' if number == 0 else '':8s} {file}" for number, file in enumerate(files)]
