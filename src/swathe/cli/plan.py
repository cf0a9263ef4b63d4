"""`swathe plan`: what a detection would do, in numbers, without looking at a pixel."""

from __future__ import annotations

from typing import Annotated

import typer

from swathe.cli.detect import Workers, describe, notes
from swathe.cli.options import (
    Bands,
    Json,
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

MEBIBYTE = 1 << 20

PlannedModel = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="MODEL", help="Plan with the scales and the memory of this model."),
]


def plan(
    sources: Sources,
    model: PlannedModel = None,
    scales: Scales = None,
    tile: TileSize = None,
    stride: Stride = None,
    workers: Workers = None,
    bands: Bands = None,
    value_range: ValueRange = None,
    json: Json = False,
) -> None:
    """Count the windows of scenes and project the memory; without a model at scale 1."""
    from swathe.api import Choices, open_sources
    from swathe.engine.local import choose_executor
    from swathe.engine.plan import make_plan

    chosen = Choices(numbers("--scales", scales), tile, stride, workers=workers)
    spec, info = (None, None) if model is None else chosen.detector(model)
    scenes = open_sources(
        sources, bands=whole_numbers("--bands", bands), value_range=value_limits("--value-range", value_range)
    )
    planned = make_plan(scenes, chosen.settings(info), spec)
    processes = max(1, choose_executor(workers).workers)
    memory = planned.memory_bytes(processes)
    if json:
        print_json({**planned.to_json(), "workers": processes, "memory_bytes": memory})
        return
    typer.echo("\n".join([describe(planned), *notes(planned)]))
    for level in planned.to_json()["levels"]:
        typer.echo(f"         {level['windows']:,} windows at scale {level['scale']:g}")
    counted = ", the model not counted" if model is None else ""
    typer.echo(f"Memory   at most {memory / MEBIBYTE:,.0f} MiB with {processes} worker(s){counted}")
