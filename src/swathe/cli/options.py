"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from swathe.errors import StoreError, UsageError

Sources = Annotated[
    list[str],
    typer.Argument(metavar="SOURCES...", help="Scenes: files, folders, patterns in quotes, addresses, STAC, or @LIST."),
]
StoreAddress = Annotated[
    str, typer.Argument(metavar="STORE", help="A store: the folder or the address that `swathe detect -o` wrote to.")
]
RUN = "its id or the beginning of it, its name, or `latest`"
Scales = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="A scale to look at, 1 being full resolution; or several, such as 0.5,1,1.5, as factors of the one that "
        "follows from the ground resolutions of model and scene.",
    ),
]
Resolution = Annotated[
    float | None,
    typer.Option(metavar="METRES", help="Size of a pixel on the ground in scenes without georeference."),
]
TileSize = Annotated[
    int | None,
    typer.Option(
        "--tile",
        metavar="PIXELS",
        help="Side of square windows; by default as the model's largest objects allow, or 1024.",
    ),
]
Stride = Annotated[int | None, typer.Option(metavar="PIXELS", help="Step between windows; 3/4 of --tile.")]
Classes = Annotated[str | None, typer.Option(metavar="LIST", help="Only these classes, for instance ship,harbor.")]
MinScore = Annotated[float | None, typer.Option(metavar="SCORE", help="Lowest score, 0 to 1.")]
LowestScores = Annotated[
    str | None,
    typer.Option("--min-score", metavar="SCORE", help="Lowest score, 0 to 1, or those of classes: ship=0.4,plane=0.2."),
]
Bands = Annotated[
    str | None,
    typer.Option(metavar="R,G,B", help="Bands to use as red, green, blue, or as many as the model sees; from 1."),
]
ValueRange = Annotated[
    str | None,
    typer.Option(
        "--value-range",
        metavar="LOW,HIGH",
        help="Values to show as black and white, or percentile to measure them, as is done unless pixels have 8 bits.",
    ),
]
Region = Annotated[
    tuple[float, float, float, float] | None,
    typer.Option("--box", metavar="XMIN YMIN XMAX YMAX", help="Only what touches this box: lon/lat, or pixels."),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="AMOUNT",
        help="Most memory of all processes together, for instance 1.5GB or 800MiB; by default what is free.",
    ),
]
Backend = Annotated[str, typer.Option(help="onnx, openvino, openvino-bf16, torch, a plug-in, or auto.")]
Device = Annotated[str, typer.Option(help="What runs the model: cpu, or cuda through ONNX Runtime (not measured).")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors and failed scenes.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines, one value per line, summary last.")]
NameProperty = Annotated[
    str | None,
    typer.Option("--name-property", metavar="NAME", help="Property that holds the names of areas; `name` by default."),
]
Acquired = Annotated[
    str | None, typer.Option(metavar="TIME", help="When the scenes were taken, such as 2024-05-01T10:20:30Z, in UTC.")
]
Value = TypeVar("Value")
_AGE = re.compile(r"(\d{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def numbers(argument: str, text: str | None) -> tuple[float, ...] | None:
    """Read numbers with commas between them.

    Args:
        argument: The option's name in Python, for the message.
        text: Its value.

    Returns:
        The numbers, or None if the option was not given.

    Raises:
        UsageError: If a part is not a number.
    """
    return _parted(argument, text, float, "numbers", "0.5,1")


def lowest_scores(text: str | None) -> float | dict[str, float] | None:
    """Read a lowest score, or those of some classes.

    Args:
        text: The value of the option.

    Returns:
        A number, or a number for each class that is named; None if the option was not given.

    Raises:
        UsageError: If it is neither.
    """
    if text is None:
        return None
    pairs = [part.rpartition("=") for part in text.split(",")]
    try:
        if len(pairs) == 1 and not pairs[0][1]:
            return float(text)
        scores = {name.strip(): float(score) for name, _, score in pairs if name.strip()}
    except ValueError:
        scores = {}
    if len(scores) < len(pairs):
        raise UsageError(argument="min_score", value=text, accepted="a number, or class=number with commas between")
    return scores


def whole_numbers(argument: str, text: str | None) -> tuple[int, ...] | None:
    """Read whole numbers with commas between them.

    Args:
        argument: The option's name in Python, for the message.
        text: Its value.

    Returns:
        The numbers, or None if the option was not given.

    Raises:
        UsageError: If a part is not a whole number.
    """
    return _parted(argument, text, int, "whole numbers", "3,2,1")


def _parted(
    argument: str, text: str | None, read: Callable[[str], Value], what: str, example: str
) -> tuple[Value, ...] | None:
    """Read values with commas between them."""
    if text is None:
        return None
    try:
        return tuple(read(part) for part in text.split(","))
    except ValueError as error:
        accepted = f"{what} with commas between them, for instance {example}"
        raise UsageError(argument=argument, value=text, accepted=accepted) from error


def value_limits(argument: str, text: str | None) -> tuple[float, float] | Literal["percentile"] | None:
    """Read a lowest and a highest value, or the word for measuring them.

    Args:
        argument: The option's name in Python, for the message.
        text: Its value.

    Returns:
        Both values, "percentile" to measure them, or None if the option was not given.

    Raises:
        UsageError: If it is neither two numbers that rise nor "percentile".
    """
    if text is None:
        return None
    if text == "percentile":
        return "percentile"
    limits = numbers(argument, text) or ()
    if len(limits) != 2 or not limits[0] < limits[1]:
        accepted = "two numbers that rise, for instance 0,4095, or percentile"
        raise UsageError(argument=argument, value=text, accepted=accepted)
    return limits[0], limits[1]


def names(argument: str, text: str | None) -> tuple[str, ...]:
    """Read names with commas between them.

    Args:
        argument: The option's name in Python, for the message.
        text: Its value.

    Returns:
        The names, none if the option was not given.

    Raises:
        UsageError: If a name is empty.
    """
    if text is None:
        return ()
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts):
        accepted = "names with commas between them, for instance ship,harbor"
        raise UsageError(argument=argument, value=text, accepted=accepted)
    return parts


def span(argument: str, text: str | None, read: Callable[[str], Value]) -> tuple[Value | None, Value | None] | None:
    """Read a range with two dots between its ends.

    Args:
        argument: The option's name in Python, for the message.
        text: Its value: `FROM..TO`, `FROM..` or `..TO`.
        read: What makes a value of the text of an end.

    Returns:
        Both ends, None for an open one; None if the option was not given.

    Raises:
        UsageError: If there are no two dots, or an end cannot be read.
    """
    if text is None:
        return None
    ends = [end.strip() for end in text.split("..")]
    try:
        low, high = (read(end) if end else None for end in ends)
    except ValueError as error:
        accepted = "both ends with two dots between, or one of them: FROM..TO, FROM.., ..TO"
        raise UsageError(argument=argument, value=text, accepted=accepted) from error
    return low, high


def read_age(argument: str, text: str) -> timedelta:
    """Read an age.

    Args:
        argument: The option's name in Python, for the message.
        text: Its value, such as 90m, 12h, 30d or 8w.

    Returns:
        The age.

    Raises:
        UsageError: If it is not an age.
    """
    found = _AGE.fullmatch(text)
    if found is None:
        accepted = "minutes, hours, days or weeks: for instance 90m, 12h, 30d or 8w"
        raise UsageError(argument=argument, value=text, accepted=accepted)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def free_output(path: Path, *, overwrite: bool) -> Path:
    """Make sure that a file may be written.

    Args:
        path: The file.
        overwrite: Whether it may exist.

    Returns:
        The path.

    Raises:
        StoreError: If it is a folder, exists and may not be replaced, or its folder does not exist.
    """
    if path.is_dir():
        raise StoreError(f"{path}: is a folder; name a file")
    if path.exists() and not overwrite:
        raise StoreError(f"{path}: exists already; choose another name, or replace it with --overwrite")
    if not path.absolute().parent.is_dir():
        raise StoreError(f"{path}: the folder {path.parent} does not exist; create it first")
    return path


def print_json(value: Any) -> None:
    """Print a value as one line of JSON, and hand it on at once."""
    typer.echo(json.dumps(value, allow_nan=False, default=str))
