"""`swathe export`: from a training checkpoint to an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swathe.cli.options import Json, Overwrite, print_json
from swathe.cli.output import echo


def export(
    checkpoint: Annotated[Path, typer.Argument(help="A .safetensors file, or the folder of a training run.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The .onnx file; beside the checkpoint.")
    ] = None,
    overwrite: Overwrite = False,
    half: Annotated[
        bool, typer.Option("--half", help="Round the weights to 16 bits: a file of half the size.")
    ] = False,
    full_head: Annotated[
        bool, typer.Option("--full-head", help="Leave the angle bins in the graph: slower, for other programs.")
    ] = False,
    int8: Annotated[
        Path | None,
        typer.Option(
            "--int8",
            metavar="CONFIG.toml",
            help="Compute with 8-bit integers, if that is faster here and as accurate on the validation sets of this "
            "training configuration; its training sets calibrate.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write the ONNX file of a trained model, after its boxes have been compared with PyTorch's."""
    from dataclasses import asdict

    from swathe.detectors.export import export_onnx

    source = checkpoint / "best.safetensors" if checkpoint.is_dir() else checkpoint
    if int8 is not None:
        from swathe.training.config import load_config
        from swathe.training.int8 import export_int8

        target = output or source.with_suffix(".int8.onnx")
        made = export_int8(source, target, load_config(int8), overwrite=overwrite)
        if json:
            print_json(asdict(made))
        else:
            echo(
                f"{made.path}: average precision {made.precision:.3f} instead of {made.full_precision:.3f}, "
                f"{made.milliseconds:.0f} ms a window instead of {made.full_milliseconds:.0f} on {made.backend}"
            )
        return
    report = export_onnx(
        source, output or source.with_suffix(".onnx"), overwrite=overwrite, half=half, lazy=not full_head
    )
    if json:
        print_json({"event": "summary", **asdict(report)})
        return
    echo(
        f"{report.path}: {report.boxes} boxes in {report.images} images equal PyTorch's on "
        f"{', '.join(report.backends)}; logits differ by at most {report.largest_logit_difference:.1e}"
    )
