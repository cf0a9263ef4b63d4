"""Errors of Swathe: one base class and a leaf for each way a user gets out of trouble.

Every message says what happened, to which file or value, and what to do next. The command line maps
each class to an exit code; the library raises them as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swathe.detections import Detections


class SwatheError(Exception):
    """Base of every error that Swathe raises on purpose; `exit_code` is what the command returns."""

    exit_code = 1


class UsageError(SwatheError):
    """An argument or a setting has a value that makes no sense, or a type that is not accepted."""

    exit_code = 2


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

    `detections` are those of the other scenes, where the caller has asked for detections.
    """

    exit_code = 6

    def __init__(
        self, message: str, failed: Mapping[str, str] | None = None, detections: Detections | None = None
    ) -> None:
        super().__init__(message)
        self.failed = dict(failed or {})
        self.detections = detections


class MissingExtraError(SwatheError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    exit_code = 7
