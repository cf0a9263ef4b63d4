"""Addresses of images that lie elsewhere: how users write them, how GDAL does, and what may be shown of them.

Users write `https://host/path.tif`, `http://...` and `s3://bucket/key.tif`; only this module and `vsi` know GDAL's own
spelling. A signed address carries its key in the query, so that part, like a name and password before the host, is used
for reading but never shown or stored.
"""

from __future__ import annotations

import os
import re
import socket
import string
from urllib.parse import quote, unquote, urlsplit

from swathe.errors import SourceError

SCHEMES = ("https", "http", "s3")

# For all reads; a variable of the same name in the environment goes first.
OPTIONS: dict[str, str | int | float] = {
    "GDAL_HTTP_MAX_RETRY": 4,
    "GDAL_HTTP_RETRY_DELAY": 1,  # seconds, about doubled with each retry: 20 seconds in all
    "GDAL_HTTP_RETRY_CODES": "429,500,502,503,504",
    "GDAL_HTTP_CONNECTTIMEOUT": 10,  # seconds
    # A transfer below 1 byte per second for 30 seconds is dead; a slow one may take as long as it needs.
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1,
    "GDAL_HTTP_LOW_SPEED_TIME": 30,
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
}
# For opening remote files: no requests for files that may lie beside them, and the header in one request.
OPENING_OPTIONS: dict[str, str | int | float] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_INGESTED_BYTES_AT_OPEN": 32768,
}
CONNECT_SECONDS = 5.0  # when a failure is looked into

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def is_remote(source: str) -> bool:
    """Tell an address from a path.

    Args:
        source: What a user named.

    Returns:
        Whether it is an address.

    Raises:
        SourceError: If it is an address of a kind that is not read, or one without a host or bucket.
    """
    found = _SCHEME.match(source)
    if found is None:
        return False
    if found[1].lower() not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise SourceError(f"{shown(source)}: addresses of this kind cannot be read, only {known} and files")
    if not urlsplit(source).netloc:
        raise SourceError(f"{shown(source)}: names no host or bucket; check the address")
    return True


def shown(uri: str) -> str:
    """Return what may be shown and stored of a path or address.

    Args:
        uri: A path or address, in the user's spelling or GDAL's.

    Returns:
        The same in the user's spelling, without name and password, and without the query of http and https addresses,
        which may hold a signature.
    """
    uri = address_of(uri)
    scheme, mark, rest = uri.partition("://")
    if scheme.lower() not in {"http", "https"}:
        return uri
    host, slash, place = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{place}"


def address_of(path: str) -> str:
    """Return a path or address in the user's spelling, given in that or in GDAL's; the inverse of `gdal_path`."""
    if path.startswith("/vsis3/"):
        return f"s3://{path.removeprefix('/vsis3/')}"
    return path.removeprefix("/vsicurl/")


def without_secrets(text: str) -> str:
    """Return a message of GDAL with what may be shown of the addresses in it; they hold no blanks."""
    return re.sub(r"(/vsi(curl|s3)/|https?://)[^\s'\"]+", lambda found: shown(found[0]), text)


def name_parts(uri: str) -> tuple[str, ...]:
    """Return host or bucket, folders and name of an address, for making ids."""
    parts = urlsplit(uri)
    scheme = parts.scheme.lower()
    place = uri.partition("://")[2].partition("/")[2] if scheme == "s3" else unquote(parts.path)
    host = parts.netloc.rpartition("@")[2]
    return (host, *(part for part in place.split("/") if part))


def gdal_path(uri: str) -> str:
    """Return the name under which GDAL opens a path or address.

    Args:
        uri: A path, or an address in the user's spelling.

    Returns:
        The path itself, or GDAL's virtual path; blanks and letters beyond ASCII of a URL are escaped.
    """
    found = _SCHEME.match(uri)
    if found is None:
        return uri
    scheme, rest = found[1].lower(), uri[found.end() :]
    if scheme == "s3":
        return f"/vsis3/{rest}"
    return f"/vsicurl/{scheme}://{quote(rest, safe=string.punctuation)}"


def options() -> dict[str, str | int | float]:
    """Return GDAL's settings for remote reads, without those that the environment makes itself."""
    return {name: value for name, value in OPTIONS.items() if name not in os.environ}


def is_about_content(text: str) -> bool:
    """Tell whether GDAL got a file's content and could not make anything of it."""
    return "not recognized as being" in text or ("HTTP" not in text and "server" not in text and "exist" not in text)


def is_about_credentials(text: str) -> bool:
    """Tell whether GDAL has found no credentials for S3."""
    return "AWS_SECRET_ACCESS_KEY" in text or "credentials" in text.lower()


def explain(uri: str, text: str) -> str:
    """Say in words why a remote image cannot be read, and what to do.

    Args:
        uri: The address.
        text: What GDAL said.

    Returns:
        A message that begins with the address, without its secrets.
    """
    status = re.search(r"(?:HTTP )?(?:response|error) code(?: on \S+)?: (\d{3})", text)
    return f"{shown(uri)}: {_explain_status(int(status[1])) if status else _explain_text(uri, text)}"


def _explain_status(status: int) -> str:
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


def _explain_text(uri: str, text: str) -> str:
    if "Range downloading not supported" in text:
        return (
            "the server sends whole files only, no parts (range requests) of them; fetch the file first and name the "
            "copy, or put it on a server that serves ranges"
        )
    if "does not exist" in text and "bucket" in text:
        return f"cannot be read ({without_secrets(text)}); check the name of the bucket, AWS_REGION and AWS_S3_ENDPOINT"
    if is_about_credentials(text):
        return (
            "no credentials for S3 were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or "
            "AWS_NO_SIGN_REQUEST=YES for public buckets"
        )
    if not text or "code" in text or "does not exist in the file system" in text:
        return _diagnose(uri)
    return f"cannot be read ({without_secrets(text).rstrip('. ')}); check the address, and run the same command again"


def _diagnose(uri: str) -> str:
    """Look into why a server did not answer."""
    host, port = _server(uri)
    again = "check the address and the network, and run the same command again, what is done is kept"
    if any(os.environ.get(name) for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY")):
        return f"the server did not answer through the proxy; {again}"
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except socket.gaierror:
        return f"the host {host} is not known; {again}"
    except ConnectionRefusedError:
        return f"{host} refuses connections at port {port}; {again}"
    except OSError as error:
        return f"{host} cannot be reached at port {port} ({error.strerror or error}); {again}"
    return f"{host} does not answer in time, or breaks off; {again}"


def _server(uri: str) -> tuple[str, int]:
    """Return host and port that an address leads to."""
    parts = urlsplit(uri)
    if parts.scheme.lower() == "s3":
        secure = os.environ.get("AWS_HTTPS", "YES").upper() not in {"NO", "FALSE", "OFF", "0"}
        parts = urlsplit(f"http{'s' * secure}://{os.environ.get('AWS_S3_ENDPOINT', 's3.amazonaws.com')}")
    return parts.hostname or "", parts.port or (80 if parts.scheme.lower() == "http" else 443)
