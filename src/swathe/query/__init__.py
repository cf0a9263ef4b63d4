"""Queries over detections, and the slow, obvious filter that every store must equal."""

from __future__ import annotations

from swathe.query.condition import Query
from swathe.query.reference import reference_filter

__all__ = ["Query", "reference_filter"]
