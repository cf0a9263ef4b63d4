"""Detections as files, mostly in the formats of others; the end of a file's name, or the user, decides which."""

from __future__ import annotations

from swathe.store.exports.dota import write_dota_task1
from swathe.store.exports.formats import Format, chosen_format, export, format_of
from swathe.store.exports.geojson import write_geojson

__all__ = ["Format", "chosen_format", "export", "format_of", "write_dota_task1", "write_geojson"]
