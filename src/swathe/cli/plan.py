"""`swathe plan`: what a detection would do, in numbers, without a model and without reading a pixel."""

from __future__ import annotations

import typer

from swathe.cli.detect import Workers, describe
from swathe.cli.options import Bands, Json, Scales, Sources, Stride, TileSize, numbers, print_json, whole_numbers

MEBIBYTE = 1 << 20


def plan(
    sources: Sources,
    scales: Scales = None,
    tile: TileSize = None,
    stride: Stride = None,
    workers: Workers = None,
    bands: Bands = None,
    json: Json = False,
) -> None:
    """Count the windows of scenes and project the memory, without a model."""
    from swathe.api import Choices, open_sources
    from swathe.engine.local import choose_executor
    from swathe.engine.plan import make_plan

    settings = Choices(numbers("--scales", scales), tile, stride, workers=workers).settings()
    planned = make_plan(open_sources(sources, bands=whole_numbers("--bands", bands)), settings)
    processes = max(1, choose_executor(workers).workers)
    memory = planned.memory_bytes(processes)
    if json:
        print_json({**planned.to_json(), "workers": processes, "memory_bytes": memory})
        return
    typer.echo(describe(planned))
    for level in planned.to_json()["levels"]:
        typer.echo(f"         {level['windows']:,} windows at scale {level['scale']:g}")
    typer.echo(f"Memory   at most {memory / MEBIBYTE:,.0f} MiB with {processes} worker(s), the model not counted")
