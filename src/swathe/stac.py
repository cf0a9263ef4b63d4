"""What all STAC documents that Swathe writes have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

STAC_VERSION = "1.1.0"
EARLIEST, LATEST = "1858-01-01T00:00:00Z", "9999-12-31T23:59:59Z"  # from before the first photograph from the air


def make_item(
    name: str, outline: BaseGeometry | None, time: str | None, properties: dict[str, Any], *extensions: str
) -> dict[str, Any]:
    """Make an item without links and assets.

    Args:
        name: Its id.
        outline: What it covers, longitude and latitude; None if it has no place.
        time: ISO 8601 in UTC; None, if it is not known, becomes all times there are.
        properties: What else is told.
        *extensions: Addresses of the schemas of extensions.

    Returns:
        JSON values.
    """
    import shapely

    times = {"datetime": time} | ({} if time else {"start_datetime": EARLIEST, "end_datetime": LATEST})
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": list(extensions),
        "id": name,
        "geometry": None if outline is None else shapely.geometry.mapping(outline),
        **({} if outline is None else {"bbox": list(outline.bounds)}),
        "properties": {**times, **properties},
        "links": [],
        "assets": {},
    }
