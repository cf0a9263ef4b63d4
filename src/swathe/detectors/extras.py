"""The error for a backend whose library is not installed; apart, because planning needs it and nothing heavier."""

from __future__ import annotations

from swathe.errors import MissingExtraError


def missing_extra(library: str, extra: str) -> MissingExtraError:
    """Make the error for a library that is not installed.

    Args:
        library: Its name, for people.
        extra: The extra of this package that installs it.

    Returns:
        The error, to be raised.
    """
    return MissingExtraError(f"{library} is not installed; get it by `pip install 'swathe[{extra}]'`")
