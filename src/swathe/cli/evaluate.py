"""`swathe evaluate`: average precision of stored detections against DOTA labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swathe.cli.options import RUN, Json, free_output, names, print_json
from swathe.cli.output import echo


def evaluate(
    truth: Annotated[Path, typer.Option(metavar="FOLDER", help="DOTA label files, one per image that was searched.")],
    found: Annotated[
        str, typer.Option(metavar="PATH", help="A store, a GeoParquet file, or a folder of DOTA Task 1 files.")
    ],
    classes: Annotated[
        str | None, typer.Option(metavar="LIST", help="The class list; every class of the labels by default.")
    ] = None,
    difficult_as_normal: Annotated[
        bool, typer.Option("--difficult-as-normal", help="Count difficult objects like others, as DOTA v1.5 does.")
    ] = False,
    ignore_unlabelled: Annotated[
        bool, typer.Option("--ignore-unlabelled", help="Leave out detections in images without a label file.")
    ] = False,
    run: Annotated[str | None, typer.Option(help=f"Which run of a store with several: {RUN}.")] = None,
    curves: Annotated[Path | None, typer.Option(metavar="PICTURE", help="Draw precision over recall.")] = None,
    json: Json = False,
) -> None:
    """Compute average precision as DOTA task 1 does; docs/reference/evaluation.md has the definitions."""
    from swathe.evaluation.evaluate import evaluate_folders

    if curves is not None:
        free_output(curves, overwrite=False)
    report = evaluate_folders(
        truth,
        found,
        classes=names("classes", classes) or None,
        difficult_as_normal=difficult_as_normal,
        ignore_unlabelled=ignore_unlabelled,
        run=run,
    )
    if curves is not None:
        report.draw_curves(curves)
    if json:
        print_json(report.to_json())
    else:
        echo(*report.as_table().split("\n"))
