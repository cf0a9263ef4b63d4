"""Detections as files, mostly in the formats of others; the end of a file's name, or the user, decides which."""

from __future__ import annotations

from swathe.store.exports.csv import stream_csv
from swathe.store.exports.dota import write_dota_task1
from swathe.store.exports.formats import Format, chosen_format, export, format_of
from swathe.store.exports.geojson import features, write_geojson
from swathe.store.exports.rows import attributes, check_columns

__all__ = [
    "Format",
    "attributes",
    "check_columns",
    "chosen_format",
    "export",
    "features",
    "format_of",
    "stream_csv",
    "write_dota_task1",
    "write_geojson",
]
