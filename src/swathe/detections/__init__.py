"""Detections: a table of oriented boxes with class and score, and the scenes they were found in."""

from __future__ import annotations

from swathe.detections.collection import Detections
from swathe.detections.scene import Coordinates, SceneInfo
from swathe.detections.table import BOX_COLUMNS, NAME_TYPE, SCHEMA

__all__ = ["BOX_COLUMNS", "NAME_TYPE", "SCHEMA", "Coordinates", "Detections", "SceneInfo"]
