"""What to say when the library of a backend is not installed; apart, because planning needs it and nothing heavier."""

from __future__ import annotations


def install_hint(library: str, extra: str) -> str:
    """Return the message for a library that is not installed.

    Args:
        library: Its name, for people.
        extra: The extra of this package that installs it.

    Returns:
        What is missing, and the command that brings it.
    """
    return f"{library} is not installed; get it by `pip install 'swathe[{extra}]'`"
