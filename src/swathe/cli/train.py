"""`swathe train`: train a model as a configuration file says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from swathe.cli.options import Json, print_json
from swathe.cli.progress import training_progress
from swathe.errors import MissingExtraError


def need_torch() -> None:
    """Make sure that the training library is there.

    Raises:
        MissingExtraError: If it is not.
    """
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("PyTorch is not installed; run: pip install 'swathe[train]'")


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What to train on, and how; see recipes/.")],
    json: Json = False,
) -> None:
    """Train a model; a run that was interrupted goes on where it was."""
    need_torch()
    from swathe.training.loop import train_from_config

    with training_progress(json=json) as watch:
        result = train_from_config(config, watch)
    if json:
        print_json(
            {
                "event": "summary",
                "seconds": result.seconds,
                "scores": dict(result.scores),
                "best": str(result.best),
                "last": str(result.last),
            }
        )
        return
    typer.echo(f"Trained  {result.seconds / 60:.1f} minutes")
    for name, value in result.scores.items():
        typer.echo(f"{name:8s} {value:.4f}")
    typer.echo(f"Best     {result.best}")
    typer.echo(f"Next     swathe export {result.folder}")
