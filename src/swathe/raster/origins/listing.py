"""Addresses that stand for several rasters: those that end in "/", and patterns."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable

from swathe.errors import SourceError
from swathe.raster.formats import SUFFIXES, is_raster_name


def expand_address(address: str, names_below: Callable[[str], Iterable[str]]) -> list[str]:
    """Find the rasters that an address stands for.

    Args:
        address: One raster; or one that ends in "/", for all rasters below; or one with `*`, for all rasters that match
            it, where `*` goes across "/", too.
        names_below: Lists the addresses of all files below one that ends in "/".

    Returns:
        The addresses, sorted.

    Raises:
        SourceError: If there is none.
    """
    if not address.endswith("/") and "*" not in address:
        return [address]
    folder = address.partition("*")[0].rpartition("/")[0] + "/"
    pattern = address if "*" in address else f"{glob_safe(address)}*"
    found = sorted(
        name
        for name in names_below(folder)
        if is_raster_name(name.rpartition("/")[2]) and fnmatch.fnmatchcase(name, pattern)
    )
    if not found:
        suffixes = ", ".join(sorted(SUFFIXES))
        raise SourceError(f"{address}: no raster there begins so (looked for {suffixes}); check the address")
    return found


def glob_safe(text: str) -> str:
    """Return a pattern that matches just a text."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
