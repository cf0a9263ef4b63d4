"""Bringing scenes to where a cluster reads them: as cloud-optimised GeoTIFF, or cut into slices as the paper does."""

from __future__ import annotations

from swathe.ingest.put import Record, put
from swathe.ingest.slicing import slice_scene

__all__ = ["Record", "put", "slice_scene"]
