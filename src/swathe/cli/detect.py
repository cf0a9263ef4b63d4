"""`swathe detect`: find objects in scenes and put them into a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swathe.cli.advice import advice, say_advice
from swathe.cli.found import check_target
from swathe.cli.options import (
    Acquired,
    Bands,
    Classes,
    Json,
    Memory,
    MinScore,
    Overwrite,
    Quiet,
    Scales,
    Sources,
    Stride,
    TileSize,
    ValueRange,
    names,
    numbers,
    print_json,
    read_time,
    value_limits,
    whole_numbers,
)
from swathe.cli.progress import detection_progress
from swathe.errors import UsageError

if TYPE_CHECKING:
    from swathe.engine.events import RunSummary
    from swathe.engine.plan import Plan
    from swathe.raster.scene import Scene
    from swathe.store.exports import Format
    from swathe.store.geoparquet import GeoParquetStore

Model = Annotated[
    str,
    typer.Option(
        "-m", "--model", help="Name of a model (see `swathe models`), a model file, or a training run's folder."
    ),
]
Output = Annotated[Path, typer.Option("-o", "--output", metavar="STORE", help="Store to write: a folder.")]
MergeIou = Annotated[
    float,
    typer.Option("--merge-iou", metavar="IOU", help="Of two boxes of a class that overlap more, the better stays."),
]
Workers = Annotated[int | None, typer.Option(help="Worker processes; one per core by default, 0 for none.")]
BatchTimeout = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Replace a worker that takes longer for a batch; by measured times if not given, 0: never.",
    ),
]
Backend = Annotated[str, typer.Option(help="onnx, openvino, openvino-bf16, torch, a plug-in, or auto.")]
Append = Annotated[bool, typer.Option("--append", help="Add this run to a store that holds others.")]
Geojson = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the detections as GeoJSON, too.")]
Exports = Annotated[
    list[Path] | None,
    typer.Option(
        "--export", metavar="FILE", help="Write the detections as .gpkg .fgb .csv .coco.json ..., too; repeatable."
    ),
]


def detect(
    sources: Sources,
    model: Model,
    output: Output,
    scales: Scales = None,
    tile: TileSize = None,
    stride: Stride = None,
    classes: Classes = None,
    min_score: MinScore = None,
    merge_iou: MergeIou = 0.2,
    workers: Workers = None,
    memory: Memory = None,
    batch_timeout: BatchTimeout = None,
    backend: Backend = "auto",
    bands: Bands = None,
    value_range: ValueRange = None,
    acquired: Acquired = None,
    append: Append = False,
    overwrite: Overwrite = False,
    geojson: Geojson = None,
    export: Exports = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find objects in scenes; the same command again resumes what was interrupted."""
    from swathe.api import Choices, open_output, open_readable, raise_for_failures, with_unopened
    from swathe.engine.events import SceneFailed
    from swathe.engine.limits import check_memory
    from swathe.engine.local import choose_executor
    from swathe.engine.plan import make_plan
    from swathe.engine.run import run_plan
    from swathe.store.geoparquet import DETECTIONS

    taken = None if acquired is None else read_time("--acquired", acquired)
    targets = {path: check_target(path, None, overwrite=overwrite) for path in export or ()}
    if geojson is not None:
        targets[geojson] = check_target(geojson, "geojson", overwrite=overwrite)
    chosen = Choices(
        scales=numbers("--scales", scales),
        tile=tile,
        stride=stride,
        classes=names("--classes", classes),
        min_score=min_score,
        merge_iou=merge_iou,
        workers=workers,
        backend=backend,
        batch_timeout=batch_timeout,
        memory=memory,
    )
    spec, info = chosen.detector(model)
    settings = chosen.settings(info)
    scenes, unopened = open_readable(
        sources, bands=whole_numbers("--bands", bands), value_range=value_limits("--value-range", value_range)
    )
    if taken is not None:
        scenes = tuple(replace(scene, acquired=taken) for scene in scenes)
    _check_one_kind(scenes, targets)
    plan = make_plan(scenes, settings, spec)
    processes = choose_executor(workers).workers
    check_memory(plan, processes)  # before anything is replaced
    say_advice(advice(plan, processes))
    store = open_output(output, plan, append=append, overwrite=overwrite)
    if not json and not quiet:
        typer.echo(f"Model    {info.name}, {', '.join(spec.keep or info.classes)}, from score {spec.min_score:g}")
        typer.echo("\n".join([describe(plan), *notes(plan)]))
    with detection_progress(json=json, quiet=quiet) as progress:
        for scene, reason in unopened.items():
            progress(SceneFailed(scene, reason))
        summary = with_unopened(run_plan(plan, store, progress=progress, supersede=not append), unopened)
    files = [str(store.path / DETECTIONS / path.name) for path in summary.files]
    if targets:
        _write(store, plan.run, targets, overwrite=overwrite)
        files.extend(map(str, targets))
    if json:
        print_json({"event": "summary", **summary.to_json(), "files": files})
    elif not quiet:
        typer.echo("\n".join(_summary(summary, files)))
    raise_for_failures(summary)


def describe(plan: Plan) -> str:
    """Return a line that says what will be looked at, and how."""
    settings = plan.settings
    scales = ", ".join(f"{scale:g}" for scale in settings.scales)
    return (
        f"Plan     {len(plan.scenes):,} scene(s), {plan.windows:,} windows of {settings.tile} px every "
        f"{settings.stride} px at scale {scales}; merged from IoU {settings.merge_iou:g}"
    )


def notes(plan: Plan) -> list[str]:
    """Return lines with what is to know about how scenes are read, each once with the first scene that it is about."""
    about: dict[str, list[str]] = {}
    for scene in plan.scenes:
        for note in scene.notes:
            about.setdefault(note, []).append(scene.id)
    more = {note: f" and {len(ids) - 1:,} more" if len(ids) > 1 else "" for note, ids in about.items()}
    return [f"Note     {ids[0]}{more[note]}: {note}" for note, ids in about.items()]


def _check_one_kind(scenes: Sequence[Scene], targets: Mapping[Path, Format]) -> None:
    """Refuse a file on the ground of scenes with and without georeference before the work, not after it."""
    without = [scene.id for scene in scenes if scene.crs is None or scene.transform is None]
    refused = [path for path, chosen in targets.items() if chosen.on_ground]
    if refused and 0 < len(without) < len(scenes):
        raise UsageError(
            f"{refused[0]}: some scenes have a georeference and others, such as {without[0]!r}, have none, so one file "
            "cannot hold both; leave it out, and write one after the other with `swathe query --scenes`"
        )


def _write(store: GeoParquetStore, run: str, targets: Mapping[Path, Format], *, overwrite: bool) -> None:
    """Write what a run has found so far to files."""
    from swathe.query import Query
    from swathe.store.exports import export

    found = store.scan(Query(runs=(run,)))
    for path, chosen in targets.items():
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
    return lines + [f"{'Files' if number == 0 else '':8s} {file}" for number, file in enumerate(files)]
