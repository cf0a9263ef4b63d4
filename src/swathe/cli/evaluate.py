"""`swathe evaluate`: average precision of stored detections against labels, and pictures of what went wrong."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from swathe.cli.options import RUN, Json, free_output, names, print_json
from swathe.cli.output import echo
from swathe.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swathe.datasets.classes import Others
    from swathe.evaluation.judged import JudgedImage
    from swathe.evaluation.report import Report


def evaluate(
    truth: Annotated[Path, typer.Option(metavar="LABELS", help="Label files, one per searched image; or COCO's.")],
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
    kind: Annotated[str, typer.Option(metavar="FORMAT", help="Of labels: dota, dior-r, coco, yolo-obb.")] = "dota",
    images: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The labelled images; for yolo-obb, and for --pictures.")
    ] = None,
    rename: Annotated[
        str | None, typer.Option(metavar="OLD=NEW,...", help="Classes of the labels, and what detections call them.")
    ] = None,
    others: Annotated[
        str, typer.Option(metavar="WHAT", help="Labels of classes not in --classes: drop, ignore (regions) or error.")
    ] = "drop",
    curves: Annotated[Path | None, typer.Option(metavar="PICTURE", help="Draw precision over recall.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw the images in which something is false or missed.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PAGE.html", help="Write all of it as one page, the numbers beside it."),
    ] = None,
    json: Json = False,
) -> None:
    """Compute average precision as DOTA task 1 does; docs/reference/evaluation.md has the definitions."""
    from swathe.datasets.formats import LabelSet
    from swathe.evaluation.evaluate import evaluate_folders

    for path in (curves, output, None if output is None else output.with_suffix(".json")):
        if path is not None:
            free_output(path, overwrite=False)
    if pictures is not None and pictures.exists():
        raise StoreError(f"{pictures}: exists already; choose another name for the folder of pictures")
    _say_incomplete(found, run)
    report = evaluate_folders(
        LabelSet(truth, kind, images, _renamed(rename)),
        found,
        classes=names("classes", classes) or None,
        difficult_as_normal=difficult_as_normal,
        ignore_unlabelled=ignore_unlabelled,
        run=run,
        others=cast("Others", others),
    )
    if pictures is not None:
        _draw_wrong(report.wrong, pictures)
    if output is not None:
        _write_page(report, output)
    if curves is not None:
        report.draw_curves(curves)
    if json:
        print_json({"event": "summary", **report.to_json()})
    else:
        echo(*report.as_table().split("\n"))


def _say_incomplete(found: str, run: str | None) -> None:
    """Say of runs in a store that have not looked at all of their scenes yet that they are not complete."""
    from swathe.cli.notes import incomplete, say
    from swathe.store import find_run, open_store
    from swathe.store.opening import is_store

    if is_store(found):
        runs = open_store(found).runs()
        say(incomplete(runs if run is None else [find_run(runs, run)]))


def _renamed(text: str | None) -> dict[str, str]:
    """Read pairs of names."""
    pairs = [pair.partition("=") for pair in names("rename", text)]
    if not all(old.strip() and new.strip() for old, _, new in pairs):
        raise UsageError(argument="rename", value=text, accepted="pairs such as vehicle=small-vehicle,airplane=plane")
    return {old.strip(): new.strip() for old, _, new in pairs}


def _draw_wrong(wrong: Sequence[JudgedImage], folder: Path) -> None:
    """Draw each image in which something is false or missed."""
    from swathe.drawing.judged import draw_judged, need_pixels

    need_pixels(wrong)
    for item in wrong:
        path = folder / f"{item.name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_judged(item, path)


def _write_page(report: Report, path: Path) -> None:
    """Write the page, and its numbers beside it."""
    from swathe.atomic import published_file
    from swathe.drawing.report import draw_report

    draw_report(report, path)
    with published_file(path.with_suffix(".json"), overwrite=False) as stream:
        stream.write(dumps(report.to_json(), indent=1).encode() + b"\n")
