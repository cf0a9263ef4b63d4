"""Numbers of things in words: "1 scene", "2,000 scenes", "1 class", "3 classes"."""

from __future__ import annotations


def counted(count: int, thing: str, things: str | None = None) -> str:
    """Write how many there are.

    Args:
        count: The number.
        thing: What is counted, in the singular.
        things: The plural, if more than an s follows.

    Returns:
        The number, with commas between thousands, and the word that fits it.
    """
    return f"{count:,} {thing if count == 1 else things or f'{thing}s'}"
