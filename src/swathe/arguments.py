"""Arguments from callers, checked: a wrong type is told as plainly as a wrong value.

Python does not check the types that signatures name. A `UsageError` is raised for a wrong type as for a wrong value:
both are the caller's to correct, and one `except` meets both. It holds the argument, the value and what is accepted.
Truth values are not numbers here, and text is not a list of names.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar
from unicodedata import category

from swathe.errors import UsageError

Value = TypeVar("Value")


def number(name: str, value: Any, accepted: str, low: float = -math.inf, high: float = math.inf) -> float:
    """Check a finite number.

    Args:
        name: The argument.
        value: What was given.
        accepted: What is accepted, to follow "must be".
        low: The least number.
        high: The largest number.

    Returns:
        The number.

    Raises:
        UsageError: If it is of another type, not finite, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UsageError(argument=name, value=value, accepted=accepted)
    try:
        found = float(value)
    except OverflowError as error:  # of a whole number with hundreds of digits
        raise UsageError(argument=name, value=value, accepted=accepted) from error
    if not (math.isfinite(found) and low <= found <= high):
        raise UsageError(argument=name, value=value, accepted=accepted)
    return found


def whole_number(name: str, value: Any, accepted: str, low: int | None = None) -> int:
    """Check a whole number.

    Args:
        name: The argument.
        value: What was given.
        accepted: What is accepted, to follow "must be".
        low: The least number; any if not given.

    Returns:
        The number.

    Raises:
        UsageError: If it is of another type, 3.0 among them, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or (low is not None and int(value) < low):
        raise UsageError(argument=name, value=value, accepted=accepted)
    return int(value)


def flag(name: str, value: Any) -> bool:
    """Check a truth value.

    Args:
        name: The argument.
        value: What was given.

    Returns:
        The value.

    Raises:
        UsageError: If it is none.
    """
    if not isinstance(value, bool):
        raise UsageError(argument=name, value=value, accepted="True or False")
    return value


def text(name: str, value: Any, accepted: str) -> str:
    """Check a text.

    Args:
        name: The argument.
        value: What was given.
        accepted: What is accepted, to follow "must be".

    Returns:
        The text.

    Raises:
        UsageError: If it is of another type, or empty.
    """
    if not isinstance(value, str) or not value:
        raise UsageError(argument=name, value=value, accepted=accepted)
    return value


def file_path(name: str, value: Any, accepted: str = "a path") -> Path:
    """Check the name of a file or folder.

    Args:
        name: The argument.
        value: What was given.
        accepted: What is accepted, to follow "must be".

    Returns:
        The path.

    Raises:
        UsageError: If it is neither text nor a path, empty, or holds a NUL byte.
    """
    plain = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(plain, str) or not plain or "\0" in plain:
        raise UsageError(argument=name, value=value, accepted=accepted)
    return Path(plain)


def address(name: str, value: Any, accepted: str = "a path or an address") -> Path | str:
    """Check the name of a file or folder, or an address such as "s3://bucket/key".

    Args:
        name: The argument.
        value: What was given.
        accepted: What is accepted, to follow "must be".

    Returns:
        The address as it is, or the path.

    Raises:
        UsageError: If it is neither text nor a path, empty, or holds a NUL byte.
    """
    path = file_path(name, value, accepted)
    return value if isinstance(value, str) and "://" in value else path


def instance(name: str, value: Any, kind: type[Value], accepted: str) -> Value:
    """Check the type of a value.

    Args:
        name: The argument.
        value: What was given.
        kind: The type.
        accepted: What is accepted, to follow "must be".

    Returns:
        The value.

    Raises:
        UsageError: If it is of another type.
    """
    if not isinstance(value, kind):
        raise UsageError(argument=name, value=value, accepted=accepted)
    return value


def several(name: str, value: Any, accepted: str) -> tuple[Any, ...]:
    """Check a list, or anything else to go through; text, which would be read as its letters, is none.

    Args:
        name: The argument.
        value: What was given.
        accepted: What is accepted, to follow "must be".

    Returns:
        What it holds.

    Raises:
        UsageError: If it cannot be gone through.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise UsageError(argument=name, value=value, accepted=accepted)
    try:
        return tuple(value)
    except TypeError as error:  # of an array without dimensions
        raise UsageError(argument=name, value=value, accepted=accepted) from error


def names(name: str, value: Any, accepted: str = "a list of names") -> tuple[str, ...]:
    """Check a list of names.

    Args:
        name: The argument.
        value: What was given.
        accepted: What is accepted, to follow "must be".

    Returns:
        The names.

    Raises:
        UsageError: If it is not a list, or something in it is not text.
    """
    found = several(name, value, accepted)
    if not all(isinstance(part, str) for part in found):
        raise UsageError(argument=name, value=value, accepted=accepted)
    return tuple(map(str, found))


def mapping(name: str, value: Any, accepted: str) -> Mapping[Any, Any]:
    """Check a mapping.

    Args:
        name: The argument.
        value: What was given.
        accepted: What is accepted, to follow "must be".

    Returns:
        The mapping.

    Raises:
        UsageError: If it is none.
    """
    if not isinstance(value, Mapping):
        raise UsageError(argument=name, value=value, accepted=accepted)
    return value


def is_label(name: str) -> bool:
    """Tell whether a name of a class can be kept, and shown in one line: text without controls such as line feeds."""
    return bool(name) and is_text(name) and not any(category(letter) == "Cc" for letter in name)


def is_text(name: str) -> bool:
    """Tell whether a name can be kept as UTF-8; file names of another encoding cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
