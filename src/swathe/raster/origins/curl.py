"""What web servers and buckets share: GDAL reads both by HTTP, through its own file systems."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Callable
from urllib.parse import SplitResult

from swathe.errors import SourceError
from swathe.raster import vsi
from swathe.raster.environment import OPENING_OPTIONS, settings
from swathe.raster.origins.protocol import Fingerprint

CONNECT_SECONDS = 5.0  # when a failure is looked into
STATUS = re.compile(r"(?:HTTP )?(?:response|error) code(?: on \S+)?: (\d{3})")
AGAIN = "check the address and the network, and run the same command again, what is done is kept"


class Remote:
    """A server that GDAL reads from; subclasses say how its addresses are written."""

    def redacted(self, uri: str) -> str:
        """Return the address."""
        return uri

    def gdal_path(self, uri: str) -> str:
        """Return GDAL's virtual path."""
        raise NotImplementedError

    def server(self, uri: str, /) -> SplitResult:
        """Return the address of the server that answers."""
        raise NotImplementedError

    def fingerprint(self, uri: str) -> Fingerprint:
        """Ask the server for the length, and for the ETag or the time of last change; without both the hash is 0."""
        headers = self._headers(uri)
        name = self.redacted(uri)
        # GDAL may have asked for the first bytes only; then the length of the file is in their range.
        length = headers.get("content-range", headers.get("content-length", "")).rpartition("/")[2]
        if not length.isdigit():
            raise SourceError(
                f"{name}: the server does not say how long the file is, so parts of it cannot be read; fetch the file "
                "first and name the copy"
            )
        if int(length) == 0:
            raise SourceError(f"{name}: is empty; put it there again")
        if headers.get("content-type", "").lower().startswith("text/html"):
            raise SourceError(
                f"{name}: is a web page, not an image; open it in a browser, it may ask for a login or link to the "
                "image"
            )
        if headers.get("accept-ranges", "").lower() == "none":
            raise SourceError(self.explain(uri, "Range downloading not supported"))
        version = headers.get("etag") or headers.get("last-modified")
        if version is None:
            return int(length), 0
        return int(length), int.from_bytes(hashlib.sha256(version.encode()).digest()[:8]) >> 1

    def _headers(self, uri: str) -> dict[str, str]:
        """Ask the server for the headers of a file, and forget what GDAL remembers of it."""
        said = ""
        # An address may be signed for GET alone; asked so, a server begins to send the file, and is broken off.
        for more in ({"CPL_VSIL_CURL_USE_HEAD": "YES"}, {"CPL_VSIL_CURL_USE_HEAD": "NO"}):
            lines, said = self.ask_for_headers(uri, **more)
            if lines:
                pairs = (line.partition("=") for line in lines)
                return {name.lower(): value.strip() for name, _, value in pairs}
            if _status(said) not in {400, 401, 403, 405, 501}:
                break
        raise SourceError(self.explain(uri, said))

    def ask_for_headers(self, uri: str, **more: str) -> tuple[list[str], str]:
        """Ask for the headers of a file; see `ask`."""
        return self.ask(uri, lambda path: vsi.library().VSIGetFileMetadata(path, b"HEADERS", None), _why_not, **more)

    def ask(
        self, uri: str, ask: Callable[[bytes], int | None], why_not: Callable[[str], str] | None = None, **more: str
    ) -> tuple[list[str], str]:
        """Ask a server anew for a list of texts.

        Args:
            uri: The address.
            ask: Returns a list of GDAL's, given its path.
            why_not: Finds out what GDAL says, given its path.
            **more: Options of GDAL.

        Returns:
            The list, and what GDAL says if it is empty.
        """
        path = self.gdal_path(uri)
        with settings(**{**OPENING_OPTIONS, **more}):
            vsi.library().VSICurlPartialClearCache(path.encode())
            vsi.library().VSIErrorReset()
            answer = vsi.taken(ask(path.encode()))
            return answer, "" if answer else why_not(path) if why_not else vsi.last_message()

    def unopened(self, uri: str, reason: str, /) -> str | None:
        """Tell a server that does not give a file out from content that is not an image."""
        is_content = "not recognized as being" in reason or not re.search("HTTP|server|exist", reason)
        return None if is_content else self.explain(uri, reason)

    def unread(self, uri: str, reason: str, /) -> str:
        """Ask the server whether it still gives the file out."""
        try:
            self.fingerprint(uri)
        except SourceError as unreachable:
            return str(unreachable)
        return (
            f"{self.redacted(uri)}: {reason}; if the connection broke off, the same command again resumes where it "
            "stopped; if it fails at the same place, the file is damaged there"
        )

    def explain(self, uri: str, text: str) -> str:
        """Say in words why an image cannot be read, and what to do.

        Args:
            uri: The address.
            text: What GDAL said.

        Returns:
            A message that begins with the address, without its secrets.
        """
        status = _status(text)
        name = self.redacted(uri)
        for spelt in (self.gdal_path(uri), self.gdal_path(uri).removeprefix("/vsicurl/"), uri):
            text = text.replace(spelt, name)
        words = self._explained_text(uri, text) if status is None else explained_status(status)
        return f"{name}: {words}"

    def _explained_text(self, uri: str, text: str) -> str:
        if "Range downloading not supported" in text:
            return (
                "the server sends whole files only, no parts (range requests) of them; fetch the file first and name "
                "the copy, or put it on a server that serves ranges"
            )
        if not text or "code" in text or "does not exist in the file system" in text:
            return self._diagnosed(uri)
        return f"cannot be read ({text.rstrip('. ')}); check the address, and run the same command again"

    def _diagnosed(self, uri: str) -> str:
        """Look into why a server did not answer."""
        server = self.server(uri)
        host, port = server.hostname or "", server.port or (80 if server.scheme.lower() == "http" else 443)
        if any(os.environ.get(name) for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY")):
            return f"the server did not answer through the proxy; {AGAIN}"
        try:
            socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
        except socket.gaierror:
            return f"the host {host} is not known; {AGAIN}"
        except ConnectionRefusedError:
            return f"{host} refuses connections at port {port}; {AGAIN}"
        except OSError as error:
            return f"{host} cannot be reached at port {port} ({error.strerror or error}); {AGAIN}"
        return f"{host} does not answer in time, or breaks off; {AGAIN}"


def _status(text: str) -> int | None:
    found = STATUS.search(text)
    return None if found is None else int(found[1])


def explained_status(status: int) -> str:
    """Return what an answer of a server means, and what to do."""
    if status in {404, 410}:
        return f"does not exist (the server answers {status}); check the address"
    if status in {401, 403}:
        return (
            f"may not be read (the server answers {status}); check the address, whether a signed address has expired, "
            "and for s3:// the AWS_* variables or AWS_NO_SIGN_REQUEST=YES for public buckets"
        )
    if status == 429 or status >= 500:
        return (
            f"the server fails (it answers {status}, and did so at every retry); run the same command again later, "
            "what is done is kept"
        )
    return f"cannot be read (the server answers {status}); check the address"


def _why_not(path: str) -> str:
    """Return what GDAL says when it opens a file in vain."""
    vsi.read_start(path, 0)
    return vsi.last_message()
