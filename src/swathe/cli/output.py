"""What commands print: names in it come from files, models and stores, and must not break lines or steer a terminal."""

from __future__ import annotations

import typer


def echo(*lines: object, err: bool = False) -> None:
    """Print lines, in which characters that are not text are written out.

    Args:
        *lines: What to print, each on a line of its own.
        err: Print them to the standard error.
    """
    typer.echo("\n".join(printable(str(line)) for line in lines), err=err)


def printable(text: str) -> str:
    """Write out the characters that would break a line or steer a terminal.

    Args:
        text: Any text, or bytes that are none in a name.

    Returns:
        One line of text.
    """
    return "".join(letter if letter.isprintable() else ascii(letter).strip("'") for letter in text)
