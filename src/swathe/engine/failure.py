"""Why a scene failed, in words."""

from __future__ import annotations

import traceback
from pathlib import Path

from swathe.errors import SwatheError
from swathe.raster.origins import redacted


def describe_failure(source: str, error: Exception) -> str:
    """Say what went wrong with a scene.

    Args:
        source: Its file or address.
        error: What was raised.

    Returns:
        The message of an error that Swathe raises on purpose; of another one its kind, words and place in the code.
    """
    if isinstance(error, SwatheError):
        return str(error)
    places = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(places[-1].filename).name}, line {places[-1].lineno}" if places else ""
    return (
        f"{redacted(source)}: cannot be finished ({type(error).__name__}: {error}{place}); this is a fault of "
        "Swathe or of a plug-in: report it with these words, and with the file if you may"
    )
