"""`swathe describe`: what is known of a model, and its card to correct and complete."""

from __future__ import annotations

from json import dumps as to_text
from pathlib import Path
from typing import Annotated

import typer

from swathe.cli.options import Backend, Json, Overwrite, print_json
from swathe.cli.output import echo


def describe(
    model: Annotated[str, typer.Argument(help="Name of a model, a model file, or a training run's folder.")],
    backend: Backend = "auto",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="CARD",
            help="Write the card, read from MODEL.toml beside MODEL.onnx; or for .json a STAC item (extension mlm).",
        ),
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Say what a model finds and how it is read; the card that is written can be corrected and goes before the file."""
    from swathe.atomic import published_file
    from swathe.detectors.mlm import model_item
    from swathe.detectors.registry import resolve_model

    spec, card = resolve_model(model, backend=backend)
    if output is not None:
        is_item = output.suffix.lower() in (".json", ".geojson")
        text = to_text(model_item(spec, card), indent=2, ensure_ascii=False) + "\n" if is_item else card.to_toml()
        with published_file(output, overwrite=overwrite) as stream:
            stream.write(text.encode())
    if json:
        about = {"event": "summary", "path": spec.path, "sha256": spec.sha256, "backend": spec.backend}
        print_json({**about, **card.to_values(), "files": [] if output is None else [str(output)]})
        return
    echo(f"{spec.path}, run by {spec.backend}", *card.to_toml().splitlines())
    if output is not None:
        echo(f"card written to {output}")
