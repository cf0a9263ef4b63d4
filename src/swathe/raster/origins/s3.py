"""Buckets of Amazon S3, and of everything that speaks its protocol: `s3://bucket/key.tif`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from urllib.parse import SplitResult, urlsplit

from swathe.errors import SourceError
from swathe.raster import vsi
from swathe.raster.origins.curl import Remote, explained_status
from swathe.raster.origins.listing import expand_address

SCHEME = "s3://"


class S3(Remote):
    """A bucket."""

    def expand(self, source: str) -> Iterable[str]:
        """Take one object, all rasters below a prefix, or those that match a pattern."""
        if not urlsplit(source).netloc:
            raise SourceError(f"{source}: names no bucket; check the address")
        return expand_address(source, self._names_below)

    def gdal_path(self, uri: str) -> str:
        """Return GDAL's virtual path."""
        return f"/vsis3/{uri[len(SCHEME) :]}"

    def name_parts(self, uri: str) -> tuple[str, ...]:
        """Return bucket, folders and name."""
        return tuple(part for part in uri[len(SCHEME) :].split("/") if part)

    def server(self, _uri: str, /) -> SplitResult:
        """Return the address of the server that has the bucket."""
        secure = os.environ.get("AWS_HTTPS", "YES").upper() not in {"NO", "FALSE", "OFF", "0"}
        return urlsplit(f"http{'s' * secure}://{os.environ.get('AWS_S3_ENDPOINT', 's3.amazonaws.com')}")

    def ask(
        self, uri: str, ask: Callable[[bytes], int | None], why_not: Callable[[str], str] | None = None, **more: str
    ) -> tuple[list[str], str]:
        """Ask without retries first.

        Where no credentials are set, GDAL looks for them at the address at which machines of Amazon have them. With our
        retries that takes a minute wherever nobody answers there.
        """
        answer, said = super().ask(uri, ask, why_not, **more, GDAL_HTTP_MAX_RETRY="0")
        if answer or _is_about_credentials(said):
            return answer, said
        return super().ask(uri, ask, why_not, **more)

    def _explained_text(self, uri: str, text: str) -> str:
        if "does not exist" in text and "bucket" in text:
            return f"cannot be read ({text}); check the name of the bucket, AWS_REGION and AWS_S3_ENDPOINT"
        if _is_about_credentials(text):
            return (
                "no credentials for S3 were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or "
                "AWS_NO_SIGN_REQUEST=YES for public buckets"
            )
        if re.search("Access ?Denied|Forbidden|InvalidAccessKeyId|SignatureDoesNotMatch", text):
            return explained_status(403)
        return super()._explained_text(uri, text)

    def _names_below(self, folder: str) -> list[str]:
        names, said = self.ask(folder, vsi.library().VSIReadDirRecursive)
        # GDAL would take what it has seen in the list for all that there ever is.
        vsi.library().VSICurlPartialClearCache(self.gdal_path(folder).encode())
        if not names:
            _, said = (names, said) if said else self.ask_for_headers(folder)
            if said and not re.search("key does not exist|NoSuchKey|code: 404", said):  # nothing lies below
                raise SourceError(self.explain(folder, said))
        return [folder + name for name in names if not name.endswith("/")]


def _is_about_credentials(text: str) -> bool:
    """Tell whether GDAL has found no credentials."""
    return "AWS_SECRET_ACCESS_KEY" in text or "credentials" in text.lower()
