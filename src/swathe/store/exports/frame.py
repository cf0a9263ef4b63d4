"""Detections as a table of geopandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swathe.errors import MissingExtraError
from swathe.store.exports.rows import attributes

if TYPE_CHECKING:
    import geopandas

    from swathe.detections import Detections


def as_geopandas(detections: Detections) -> geopandas.GeoDataFrame:
    """Make a GeoDataFrame, see `Detections.to_geopandas`.

    Args:
        detections: What to put into it, in this order.

    Returns:
        The ids, the attributes that all exports have, and the footprints.

    Raises:
        MissingExtraError: If geopandas is not installed.
        UsageError: If some scenes are georeferenced and others are not.
        SourceError: If a corner lies where a scene's reference system has no longitude and latitude.
    """
    try:
        import geopandas
    except ImportError as error:
        raise MissingExtraError(library="geopandas", extra="geo") from error
    crs = "EPSG:4326" if detections.georeferenced else None
    table = attributes(detections).add_column(0, "id", detections.table.column("id"))
    return geopandas.GeoDataFrame(table.to_pandas(), geometry=detections.footprints(), crs=crs)
