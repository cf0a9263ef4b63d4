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
    json: Json = False,
) -> None:
    """Write the ONNX file of a trained model, after its boxes have been compared with PyTorch's."""
    from dataclasses import asdict

    from swathe.detectors.export import export_onnx

    source = checkpoint / "best.safetensors" if checkpoint.is_dir() else checkpoint
    report = export_onnx(source, output or source.with_suffix(".onnx"), overwrite=overwrite, half=half)
    if json:
        print_json({"event": "summary", **asdict(report)})
        return
    echo(
        f"{report.path}: {report.boxes} boxes in {report.images} images equal PyTorch's on "
        f"{', '.join(report.backends)}; logits differ by at most {report.largest_logit_difference:.1e}"
    )
