"""Tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swathe.cli.output import echo, printable

if TYPE_CHECKING:
    from collections.abc import Sequence


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as their longest cell.

    Args:
        titles: Heads of the columns.
        rows: Cells of each row, as many as titles.
    """
    lines = [[printable(cell) for cell in line] for line in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
