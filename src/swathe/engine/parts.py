"""Parts: the raw detections of one finished batch as bytes, sealed with a checksum so that any damage is seen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from swathe.engine.raw import COLUMNS, RawDetections

DIGEST_BYTES = 32
HEAD_BYTES = 8  # windows without data
ROW = np.dtype([("boxes", "<f8", (5,)), ("scores", "<f8"), ("classes", "<i8"), ("cut", "?")])


@dataclass(frozen=True)
class Part:
    """What a batch gave."""

    raw: RawDetections
    skipped: int  # windows of the batch without data
    full: int = 0  # windows in which the model had no room for more boxes; not packed, for it only serves as a warning

    def pack(self) -> bytes:
        """Return the part as bytes; equal parts are equal bytes."""
        rows = np.empty(len(self.raw), dtype=ROW)
        for name in COLUMNS:
            rows[name] = getattr(self.raw, name)
        body = self.skipped.to_bytes(HEAD_BYTES, "little") + rows.tobytes()
        return body + hashlib.sha256(body).digest()

    @classmethod
    def unpack(cls, data: bytes, classes: int) -> Part | None:
        """Read a part back.

        Args:
            data: What `pack` gave.
            classes: How many classes the model has.

        Returns:
            The part; None if it is damaged in any way, so that the batch must run again.
        """
        body, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != digest or (len(body) - HEAD_BYTES) % ROW.itemsize or len(body) < HEAD_BYTES:
            return None
        rows = np.frombuffer(body, dtype=ROW, offset=HEAD_BYTES)
        raw = RawDetections(*(np.ascontiguousarray(rows[name]) for name in COLUMNS))
        # Sealed, but not necessarily by us.
        in_range = (raw.classes >= 0) & (raw.classes < classes)
        if not (np.isfinite(raw.boxes).all() and np.isfinite(raw.scores).all() and in_range.all()):
            return None
        return cls(raw, int.from_bytes(body[:HEAD_BYTES], "little"))
