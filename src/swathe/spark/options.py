"""Options of data sources: text by name, as Spark hands it over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from swathe.errors import UsageError

Value = TypeVar("Value")


@dataclass(frozen=True)
class Option:
    """An option that a data source takes."""

    read: Callable[[str], object]  # from text to value; a ValueError if it is none
    accepted: str  # in words


def parse(source: str, given: Mapping[str, str], known: Mapping[str, Option]) -> dict[str, object]:
    """Read options.

    Args:
        source: Name of the data source, for messages.
        given: Text by name, in small letters.
        known: Options that there are, besides the path.

    Returns:
        Values of those that were given, by name.

    Raises:
        UsageError: If an option is unknown, or its value is none.
    """
    values: dict[str, object] = {}
    for name, text in given.items():
        if name == "path":
            continue
        if name not in known:
            raise UsageError(f"{source} has no option {name!r}; there are: path, {', '.join(known)}")
        try:
            values[name] = known[name].read(text)
        except ValueError as error:
            raise UsageError(argument=name, value=text, accepted=known[name].accepted) from error
    return values


def path_of(source: str, given: Mapping[str, str], what: str) -> str:
    """Return the path or address that was given to `load` or `save`.

    Args:
        source: Name of the data source, for messages.
        given: Text by name.
        what: What it is the path of, for messages.

    Returns:
        The path.

    Raises:
        UsageError: If there is none.
    """
    path = given.get("path")
    if not path:
        raise UsageError(f"{source} needs one path or address of {what}: name it in load(...) or save(...)")
    return path


def list_of(read: Callable[[str], Value]) -> Callable[[str], tuple[Value, ...]]:
    """Return what reads values with commas between them."""
    return lambda text: tuple(read(part.strip()) for part in text.split(","))


def flag(text: str) -> bool:
    """Read "true" or "false"; a ValueError if it is neither."""
    return ("false", "true").index(text.strip().lower()) == 1
