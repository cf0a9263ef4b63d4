"""Times as text: ISO 8601 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from swathe.errors import UsageError


def parse_utc(value: str | datetime, argument: str = "time") -> datetime:
    """Read a time.

    Args:
        value: ISO 8601, such as "2024-05-01", "2024-05-01T10:20:30Z" or "2024-05-01T12:20:30+02:00"; or a datetime. A
            time without zone counts as UTC, a day as its midnight.
        argument: What the caller calls it, for the message.

    Returns:
        The time in UTC.

    Raises:
        UsageError: If it is not a time.
    """
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        accepted = "a time such as 2024-05-01 or 2024-05-01T10:20:30Z"
        raise UsageError(argument=argument, value=value, accepted=accepted) from error


def utc_text(time: datetime) -> str:
    """Write a time in UTC as ISO 8601 that ends in Z, such as "2024-05-01T10:20:30Z"."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
