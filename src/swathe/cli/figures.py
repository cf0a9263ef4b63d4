"""`swathe figures`: pictures computed from the training code itself."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from swathe.cli.options import Overwrite, free_output
from swathe.cli.output import echo
from swathe.cli.train import need_torch


class Figure(StrEnum):
    """The figures there are."""

    ALPHA = "alpha"


def figures(
    figure: Annotated[
        Figure, typer.Argument(help="alpha: how the power alpha weights loss and gradient over the IoU.")
    ],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Picture; FIGURE.png by default.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw a figure of the paper from the code that trains."""
    need_torch()
    from swathe.training.figures import draw_alpha

    path = free_output(output or Path(f"{figure.value}.png"), overwrite=overwrite)
    draw_alpha(path)
    echo(path)
