"""Oriented boxes: the canonical form, exact overlap, suppression, conversions and affine maps.

Names are loaded at first use, because the compiled functions behind some of them bring numba.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swathe.boxes.convention import canonical, hulls, to_polygons
    from swathe.boxes.overlap import covered, intersection_area, iou, iou_matrix, overlapping_pairs
    from swathe.boxes.quadrilateral import polygon_iou, polygon_iou_matrix
    from swathe.boxes.rectangle import from_polygons
    from swathe.boxes.suppress import nms, settle
    from swathe.boxes.transform import affine, affine_polygons, scale, shift

__all__ = [
    "affine",
    "affine_polygons",
    "canonical",
    "covered",
    "from_polygons",
    "hulls",
    "intersection_area",
    "iou",
    "iou_matrix",
    "nms",
    "overlapping_pairs",
    "polygon_iou",
    "polygon_iou_matrix",
    "scale",
    "settle",
    "shift",
    "to_polygons",
]

_MODULES = {
    "convention": ("canonical", "hulls", "to_polygons"),
    "overlap": ("covered", "intersection_area", "iou", "iou_matrix", "overlapping_pairs"),
    "quadrilateral": ("polygon_iou", "polygon_iou_matrix"),
    "rectangle": ("from_polygons",),
    "suppress": ("nms", "settle"),
    "transform": ("affine", "affine_polygons", "scale", "shift"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load the module that a public name lives in."""
    if name not in _HOME:
        raise AttributeError(f"module 'swathe.boxes' has no attribute {name!r}")
    value = getattr(import_module(f"swathe.boxes.{_HOME[name]}"), name)
    globals()[name] = value
    return value
