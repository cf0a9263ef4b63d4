"""Errors of Swathe: one base class and a leaf for each way a user gets out of trouble.

Every message says what happened, to which file or value, and what to do next. Arguments that it speaks of are data:
Python writes `min_score`, and the command line the option. The command line maps each class to an exit code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from reprlib import Repr
from typing import Any

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80  # characters


@dataclass(frozen=True)
class Argument:
    """An argument that a message speaks of, and its value where that matters."""

    name: str  # as Python calls it
    value: Any = ...

    def __str__(self) -> str:
        """Write it as Python does, the value in one line and not too long."""
        return self.name if self.value is ... else f"{self.name} {' '.join(_SHORT.repr(self.value).split())}"


class SwatheError(Exception):
    """Base of every error that Swathe raises on purpose; `exit_code` is what the command returns.

    Its `args` are the parts of the message: text, and an `Argument` wherever one is named.
    """

    exit_code = 1

    def message(self, write: Callable[[Argument], str] = str) -> str:
        """Join the parts of the message.

        Args:
            write: How arguments are written.

        Returns:
            The message.
        """
        return "".join(write(part) if isinstance(part, Argument) else str(part) for part in self.args)

    def __str__(self) -> str:
        """Write the message for callers of Python."""
        return self.message()


class UsageError(SwatheError):
    """An argument or a setting has a value that makes no sense, or a type that is not accepted.

    Of an argument at fault, `argument` is its name, `value` what was given and `accepted` what it must be; `argument`
    is None where the message is text alone.
    """

    exit_code = 2

    def __init__(
        self, *parts: str | Argument, argument: str | None = None, value: Any = ..., accepted: str = ""
    ) -> None:
        if argument is not None:
            parts = (*parts, Argument(argument, value), f": must be {accepted}")
        super().__init__(*parts)
        self.argument, self.value, self.accepted = argument, value, accepted


class SourceError(SwatheError):
    """A scene, label file or other input is missing, empty, damaged or of another kind than it claims."""

    exit_code = 3


class ModelError(SwatheError):
    """A model is unknown, damaged, or does not fit what is asked of it."""

    exit_code = 4


class StoreError(SwatheError):
    """A store or another output exists already, is damaged, or cannot be written."""

    exit_code = 5


class PartialError(SwatheError):
    """The run finished, but some scenes failed; their names and reasons are in the message and in `failed`.

    `detections` are the `Detections` of the other scenes, where the caller has asked for detections.
    """

    exit_code = 6

    def __init__(self, message: str, failed: Mapping[str, str] | None = None, detections: Any = None) -> None:
        super().__init__(message)
        self.failed = dict(failed or {})
        self.detections = detections


class MissingExtraError(SwatheError):
    """An optional library is not installed; `extra` is the extra of this package that brings it."""

    exit_code = 7

    def __init__(self, *parts: str | Argument, library: str = "", extra: str | None = None) -> None:
        if extra is not None:
            parts = (*parts, f"{library} is not installed; get it by `pip install 'swathe[{extra}]'`")
        super().__init__(*parts)
        self.library, self.extra = library, extra
