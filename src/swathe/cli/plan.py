"""`swathe plan`: what a detection would do, in numbers, without looking at a pixel."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from swathe.cli.advice import advice, say_advice
from swathe.cli.detect import Workers, describe, notes
from swathe.cli.options import (
    Bands,
    Json,
    Memory,
    Resolution,
    Scales,
    Sources,
    Stride,
    TileSize,
    ValueRange,
    numbers,
    print_json,
    value_limits,
    whole_numbers,
)
from swathe.cli.output import echo
from swathe.cli.progress import MEBIBYTE
from swathe.counts import counted
from swathe.errors import PartialError

if TYPE_CHECKING:
    from swathe.engine.memory import Projection

PlannedModel = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="MODEL", help="Plan with the scales and the memory of this model."),
]


def plan(
    sources: Sources,
    model: PlannedModel = None,
    scales: Scales = None,
    resolution: Resolution = None,
    tile: TileSize = None,
    stride: Stride = None,
    workers: Workers = None,
    memory: Memory = None,
    bands: Bands = None,
    value_range: ValueRange = None,
    json: Json = False,
) -> None:
    """Count the windows of scenes and project the memory, which must be there; without a model at scale 1."""
    from swathe.api import Choices
    from swathe.engine.backend import choose_backend
    from swathe.engine.limits import check_memory, memory_limit
    from swathe.engine.local import worker_count
    from swathe.engine.plan import make_plan
    from swathe.opened import open_readable

    looks, limits, shown = (
        numbers("scales", scales),
        value_limits("value_range", value_range),
        whole_numbers("bands", bands),
    )
    chosen = Choices(looks, tile, stride, workers=workers, memory=memory, bands=shown, value_range=limits)
    spec, card = (None, None) if model is None else chosen.detector(model)
    settings = chosen.settings(card, spec)
    spec = None if spec is None else choose_backend(spec, settings, None, ()).detector
    scenes, unopened, _ = open_readable(sources, settings.bands, limits, resolution=resolution)
    planned = make_plan(scenes, settings, spec)
    processes = worker_count(workers)
    projection = planned.memory(processes)
    gains = advice(planned, processes)
    say_advice(gains)
    for scene, reason in unopened.items():
        echo(f"failed {scene}: {reason}", err=True)
    if json:
        limit = memory_limit(planned)
        told = {"memory_bytes": projection.total, "memory": projection.to_json(), "memory_limit_bytes": limit}
        found = {"workers": processes, **told, "advice": [asdict(gain) for gain in gains], "failed": unopened}
        print_json({"event": "summary", **planned.to_json(), **found})
    else:
        echo(describe(planned), *notes(planned, None if looks else card))
        levels = planned.to_json()["levels"]
        unit = "scale" if settings.resolution is None else "scale factor"
        for level in levels if len(levels) > 1 else ():
            echo(f"         {counted(level['windows'], 'window')} at {unit} {level['scale']:g}")
        echo(*_memory_lines(projection, counted=model is not None))
    check_memory(planned, processes)
    if unopened:
        raise typer.Exit(PartialError.exit_code)


def _memory_lines(projection: Projection, *, counted: bool) -> list[str]:
    """Return the projection by part."""
    workers, each = projection.workers, projection.each_worker
    lines = [
        f"Memory   about {_mebibytes(projection.total)}{'' if counted else ', the model not counted'}",
        f"         {_mebibytes(projection.libraries)} code of libraries, which all processes share",
        f"         {_mebibytes(projection.driver)} the driver, which hands out the work",
        f"         {_mebibytes(projection.merge)} while scenes are merged and stored, {projection.merges} at once",
    ]
    who = f"in each of {workers} workers" if workers > 1 else "in the worker" if workers else "for the worker's part"
    parts = {"itself": "worker", "reading": "reading", "windows read ahead": "windows", "model": "model"}
    of_them = ", ".join(f"{word} {_mebibytes(getattr(projection, name))}" for word, name in parts.items())
    return [*lines, f"         {_mebibytes(each)} {who}: {of_them}"]


def _mebibytes(size: int) -> str:
    return f"{size / MEBIBYTE:,.0f} MiB"
