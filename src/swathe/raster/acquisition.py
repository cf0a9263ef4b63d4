"""When the picture of a scene was taken, from what the file says about it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

# "2024-05-01 10:20:30", "2024:05:01 10:20:30" and "2024-05-01T10:20:30.5+02:00" alike.
TIME = re.compile(
    r"(\d{4})[-:/](\d{2})[-:/](\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.\d+)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?", re.ASCII
)


def acquired(dataset: Any) -> str | None:
    """Return when a raster was acquired.

    GDAL's IMAGERY metadata of satellite products comes first, then the time in the TIFF header, which tells when the
    file was made if its maker wrote no better one.

    Args:
        dataset: The open raster.

    Returns:
        ISO 8601 in UTC to the second, such as "2024-05-01T10:20:30Z"; a time without zone counts as UTC. None if the
        file holds none, or one that is not a time.
    """
    times = dataset.tags(ns="IMAGERY").get("ACQUISITIONDATETIME"), dataset.tags().get("TIFFTAG_DATETIME")
    return next((time for time in map(to_utc, times) if time is not None), None)


def to_utc(text: str | None) -> str | None:
    """Bring a time to ISO 8601 in UTC, None if it is not a time."""
    match = TIME.fullmatch((text or "").strip())
    if match is None:
        return None
    year, month, day, clock, zone = match.groups()
    offset = "+00:00" if zone in {None, "Z", "UTC"} else zone
    try:
        time = datetime.fromisoformat(f"{year}-{month}-{day}T{clock}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time.year >= 1000 else None
