"""What all requests share: the store, what is known of it, open images, and answers that were given lately."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from fastapi import Request
from fastapi.responses import Response

from swathe.detections import Detections
from swathe.errors import UsageError
from swathe.viewer.blocks import Blocks
from swathe.viewer.cache import Cache
from swathe.viewer.images import Images
from swathe.viewer.snapshot import Snapshot, Snapshots

if TYPE_CHECKING:
    from swathe.areas import Areas
    from swathe.query import Query
    from swathe.store.protocol import Store

LONGEST = 20.0  # seconds that a scan may take
AREAS_FRESH_FOR = 5.0  # seconds
FOR_GOOD = "private, max-age=3600, immutable"  # of what an address with the version names
MOST_BYTES = 32 << 20  # of answers: about a thousand tiles


class TooMuchError(UsageError):
    """A request asks for more than the server gives at once."""


class Library:
    """A store and what is kept of it between requests."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.stopping = False  # ends the streams, which would hold the server back
        self.images = Images(lambda run: self.now().settings(run))
        self.blocks = Blocks(store)
        self._cache = Cache[bytes](len, MOST_BYTES)
        self._snapshots = Snapshots(store)
        self._areas: tuple[float, Areas] | None = None

    def now(self) -> Snapshot:
        """Return runs and scenes as of now.

        Returns:
            The snapshot.

        Raises:
            StoreError: If the store cannot be read.
        """
        return self._snapshots.now()

    def areas(self) -> Areas:
        """Return the named areas of the store.

        Returns:
            The areas.

        Raises:
            StoreError: If they cannot be read.
        """
        if self._areas is None or time.monotonic() - self._areas[0] > AREAS_FRESH_FOR:
            self._areas = time.monotonic(), self.store.areas()
        return self._areas[1]

    def rows(self, query: Query, offset: int, limit: int) -> Detections:
        """Return some matches in canonical order.

        Args:
            query: What to look for.
            offset: How many to leave out.
            limit: How many at most.

        Returns:
            The matches.

        Raises:
            TooMuchError: If the store has to read for too long.
            StoreError: If the store cannot be read.
        """
        started, parts, seen = time.monotonic(), [], 0
        for batch in self.store.scan(query):
            first, last = max(offset - seen, 0), min(offset + limit - seen, len(batch))
            parts.append(batch.take(np.arange(first, max(first, last)) if first < len(batch) else []))
            seen += len(batch)
            if seen >= offset + limit:
                break
            if time.monotonic() - started > LONGEST:
                raise TooMuchError(f"this took over {LONGEST:g} seconds; ask for a smaller bbox or fewer classes")
        return Detections.concat(parts)

    def answer(
        self, request: Request, version: str, media_type: str, make: Callable[[], bytes], empty: bytes = b""
    ) -> Response:
        """Answer with what a browser may keep, and with nothing new if it has it already.

        Args:
            request: The request.
            version: Of what the answer depends on beside the request.
            media_type: Of the answer.
            make: Makes it.
            empty: Stands for no bytes.

        Returns:
            The answer.
        """
        asked = f"{version} {request.url.path}?{request.url.query}"
        tag = f'"{hashlib.blake2b(asked.encode(), digest_size=12).hexdigest()}"'
        is_named = request.query_params.get("v") == version
        headers = {"ETag": tag, "Cache-Control": FOR_GOOD if is_named else "no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self._cache.get(tag, make) or empty, media_type=media_type, headers=headers)
