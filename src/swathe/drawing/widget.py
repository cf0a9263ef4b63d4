"""Detections as a map in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from swathe.colours import class_colours
from swathe.errors import MissingExtraError, UsageError
from swathe.store.exports.rows import attributes

if TYPE_CHECKING:
    import lonboard

    from swathe.detections import Detections

FAINTEST, STRONGEST = 40, 150  # opacity of boxes with scores of 0 and 1, of 255
WKB = {"ARROW:extension:name": "geoarrow.wkb", "ARROW:extension:metadata": '{"crs": "EPSG:4326"}'}


def as_map(detections: Detections) -> lonboard.Map:
    """Make the widget, see `Detections.map`.

    Args:
        detections: What to show.

    Returns:
        The map.

    Raises:
        MissingExtraError: If lonboard is not installed.
        UsageError: If there is nothing to show, or a scene has no georeference.
        SourceError: If a corner lies where a scene's reference system has no longitude and latitude.
    """
    try:
        import lonboard
    except ImportError as error:
        raise MissingExtraError(library="lonboard", extra="map") from error
    import shapely

    if not len(detections):
        raise UsageError("there is no detection to show on a map")
    if not detections.georeferenced:
        raise UsageError(
            "a map needs scenes with a georeference, and these have none; `draw` shows detections on the pixels"
        )
    geometries = pa.array(shapely.to_wkb(detections.footprints()), pa.binary())
    table = attributes(detections).append_column(pa.field("geometry", pa.binary(), metadata=WKB), geometries)
    colours = class_colours(detections.class_names)
    rgb = np.array([colours[name] for name in detections.classes.tolist()], dtype=np.uint8)
    opacity = (FAINTEST + detections.scores * (STRONGEST - FAINTEST)).astype(np.uint8)
    layer = lonboard.PolygonLayer(
        table,
        get_fill_color=np.column_stack([rgb, opacity]),
        get_line_color=rgb,
        line_width_min_pixels=1.5,
        pickable=True,
    )
    return lonboard.Map(layer, basemap=None)  # type: ignore[arg-type] # its trait allows None
