"""Web servers: `https://host/path.tif` and `http://...`.

A signed address carries its key in the query, so that part, like a name and password before the host, is used for
reading but never shown or stored.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from urllib.parse import SplitResult, quote, unquote, urlsplit

from swathe.errors import SourceError
from swathe.raster.origins.curl import Remote


class Http(Remote):
    """A web server."""

    def expand(self, source: str) -> Iterable[str]:
        """Take one file: web servers list none."""
        if not urlsplit(source).netloc:
            raise SourceError(f"{self.redacted(source)}: names no host; check the address")
        if source.endswith("/"):
            raise SourceError(f"{self.redacted(source)}: web servers list no files; name each, or a list with @FILE")
        return [source]

    def gdal_path(self, uri: str) -> str:
        """Return GDAL's virtual path, with blanks and letters beyond ASCII escaped."""
        scheme, mark, rest = uri.partition("://")
        return f"/vsicurl/{scheme.lower()}{mark}{quote(rest, safe=string.punctuation)}"

    def name_parts(self, uri: str) -> tuple[str, ...]:
        """Return host, folders and name, without the query."""
        parts = urlsplit(uri)
        host = parts.netloc.rpartition("@")[2]
        return (host, *(part for part in unquote(parts.path).split("/") if part))

    def redacted(self, uri: str) -> str:
        """Return the address without name and password, and without its query."""
        scheme, mark, rest = uri.partition("://")
        host, slash, place = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
        return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{place}"

    def server(self, uri: str, /) -> SplitResult:
        """Return the address itself."""
        return urlsplit(uri)
