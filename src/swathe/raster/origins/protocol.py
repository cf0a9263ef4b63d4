"""What Swathe has to know of a place where rasters lie."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

Fingerprint = tuple[int, int]  # length in bytes, and time of last change in nanoseconds or hash of the version


class Origin(Protocol):
    """A kind of place: files of this machine, a web server, a bucket, a cluster's file system."""

    def expand(self, source: str) -> Iterable[str]:
        """Find the rasters that a user means.

        Args:
            source: What the user named.

        Returns:
            The addresses of rasters; of files their absolute paths.

        Raises:
            SourceError: If there is none, or the place cannot be listed.
        """
        ...

    def gdal_path(self, uri: str) -> str:
        """Return the name under which GDAL opens a raster."""
        ...

    def name_parts(self, uri: str) -> tuple[str, ...]:
        """Return host or bucket, folders and name, for making ids."""
        ...

    def fingerprint(self, uri: str) -> Fingerprint:
        """Return what changes when a raster does; not that of files beside it.

        Args:
            uri: The address.

        Returns:
            Its length in bytes, and its time of last change in nanoseconds or a hash of its version.

        Raises:
            SourceError: If it is missing, empty, may not be read, or cannot be reached; the message says what to do.
        """
        ...

    def redacted(self, uri: str) -> str:
        """Return what may be shown and stored of an address: everything but secrets."""
        ...

    def unopened(self, uri: str, reason: str, /) -> str | None:
        """Explain why GDAL could not open a raster.

        Args:
            uri: The address.
            reason: What GDAL said.

        Returns:
            What is wrong with the place, and what to do; None if the content is to blame.
        """
        ...

    def unread(self, uri: str, reason: str, /) -> str:
        """Explain why GDAL could not read a part of a raster that was open.

        Args:
            uri: The address.
            reason: What GDAL said, with the part.

        Returns:
            What is wrong, and what to do.
        """
        ...
