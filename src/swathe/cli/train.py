"""`swathe train`: train a model as a configuration file says."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from swathe.cli.options import Json, print_json
from swathe.cli.output import echo
from swathe.cli.steps import training_progress
from swathe.counts import counted
from swathe.errors import MissingExtraError


def need_torch() -> None:
    """Make sure that the training library is there.

    Raises:
        MissingExtraError: If it is not.
    """
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError(library="PyTorch", extra="train")


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What to train on, and how; see recipes/.")],
    check: Annotated[bool, typer.Option("--check", help="Read configuration and labels, count, and end.")] = False,
    json: Json = False,
) -> None:
    """Train a model; a run that was interrupted resumes where it stopped."""
    need_torch()
    if check:
        _check(config, json=json)
        return
    from swathe.training.check import unlabelled_images
    from swathe.training.config import load_config
    from swathe.training.loop import train as train_with

    settings = load_config(config)
    if count := unlabelled_images(settings):
        echo(f"note: {_unused(count)}", err=True)
    with training_progress(json=json) as watch:
        result = train_with(settings, watch)
    if os.environ.get("RANK", "0") != "0":  # one of the processes that torchrun starts speaks for all
        return
    if json:
        print_json(
            {
                "event": "summary",
                "seconds": result.seconds,
                "waiting": result.waiting,
                "scores": dict(result.scores),
                "best": str(result.best),
                "last": str(result.last),
            }
        )
        return
    echo(f"Trained  {result.seconds / 60:.1f} minutes, {result.waiting:.0%} of them waiting for pictures")
    for name, value in result.scores.items():
        echo(f"{name:8s} {value:.4f}")
    echo(f"Best     {result.best}")
    echo(f"Next     swathe export {result.folder}")


def _unused(count: int) -> str:
    """Say what becomes of images without labels."""
    return f"{counted(count, 'image')} without labels: not used; an empty file means no object"


def _check(path: Path, *, json: bool) -> None:
    """Print what a run would do."""
    from swathe.training.check import check_config
    from swathe.training.config import load_config

    found = check_config(load_config(path))
    if json:
        print_json({"event": "summary", **asdict(found)})
        return
    echo(f"Train    {found.steps:,} steps, {found.views:,} views per epoch, from {found.crops:,} crops")
    for name, count in found.objects.items():
        held_out = f", {found.held_out_objects[name]:,} held out" if found.held_out_objects else ""
        echo(f"         {count:,} {name}{held_out}")
    if found.unlabelled:
        echo(f"Note     {_unused(found.unlabelled)}")
    if found.flat:
        echo(f"Note     {counted(found.flat, 'object')} without any area (a point or a line): left out")
    echo(f"Validate {found.held_out_crops:,} crops; an object counts in each crop that holds it")
