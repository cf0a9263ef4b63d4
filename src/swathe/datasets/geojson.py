"""Labels drawn on a map: GeoJSON polygons over a georeferenced scene become oriented boxes in its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from swathe import boxes, geojson
from swathe.datasets.sample import Sample
from swathe.errors import SourceError, UsageError
from swathe.raster import georeference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shapely.geometry.base import BaseGeometry

Ring = npt.NDArray[np.float64]  # (k, 2) corners, the first not repeated at the end


class GeoreferencedScene(Protocol):
    """What must be known of a scene to lay labels over it; `swathe.raster.scene.Scene` is one."""

    @property
    def id(self) -> str:
        """Name of the scene."""
        ...

    @property
    def uri(self) -> str:
        """Where the pixels are."""
        ...

    @property
    def width(self) -> int:
        """Columns."""
        ...

    @property
    def height(self) -> int:
        """Rows."""
        ...

    @property
    def crs(self) -> str | None:
        """Coordinate reference system as WKT, None without georeference."""
        ...

    @property
    def transform(self) -> tuple[float, float, float, float, float, float] | None:
        """Affine a, b, c, d, e, f: x = a col + b row + c, y = d col + e row + f; None without georeference."""
        ...


@dataclass(frozen=True)
class LabelledRings:
    """Outlines as they were drawn, in scene pixels; holes are left out."""

    rings: tuple[Ring, ...]  # n outlines of (k, 2) x, y in scene pixels
    classes: tuple[str, ...]  # n class names


def read_polygons(
    path: Path, scene: GeoreferencedScene, *, class_name: str | None = None, class_property: str | None = None
) -> Sample:
    """Read the polygons of a GeoJSON file as minimum-area rectangles over a scene.

    Args:
        path: GeoJSON file in longitude and latitude, or in the system its `crs` member names.
        scene: The georeferenced scene under the labels.
        class_name: Class of all objects.
        class_property: Property that holds each object's class; give this or `class_name`.

    Returns:
        A sample named after the scene; its polygons are rectangles in scene pixels. Outlines that do not touch the
        scene are not part of it.

    Raises:
        SourceError: If the file is damaged, holds anything but polygons, or does not lie over the scene.
        UsageError: If not exactly one of `class_name` and `class_property` is given.
    """
    labelled = read_rings(path, scene, class_name=class_name, class_property=class_property)
    rectangles = boxes.to_polygons(boxes.from_polygons(list(labelled.rings)))
    difficult = np.zeros(len(labelled.classes), dtype=np.bool_)
    return Sample(scene.id, Path(scene.uri), rectangles, labelled.classes, difficult)


def read_rings(
    path: Path, scene: GeoreferencedScene, *, class_name: str | None = None, class_property: str | None = None
) -> LabelledRings:
    """Read the outlines of a GeoJSON file in the pixels of a scene.

    Args:
        path: GeoJSON file in longitude and latitude, or in the system its `crs` member names.
        scene: The georeferenced scene under the labels.
        class_name: Class of all objects.
        class_property: Property that holds each object's class; give this or `class_name`.

    Returns:
        The outer rings that touch the scene, in the order of the file; a multipolygon gives several.

    Raises:
        SourceError: If the file is damaged, holds anything but polygons, or does not lie over the scene.
        UsageError: If not exactly one of `class_name` and `class_property` is given.
    """
    import shapely

    if (class_name is None) == (class_property is None):
        raise UsageError("give either the class name of all polygons or the property that holds it, not both")
    document = geojson.read_polygons(path, "label file")
    drawn: list[Ring] = []
    classes: list[str] = []
    for feature in document.features:
        outlines = shapely.get_exterior_ring(shapely.get_parts(feature.geometry))
        drawn.extend(shapely.get_coordinates(ring)[:-1] for ring in outlines)
        if len(outlines):
            name = _class_of(feature, class_property) if class_name is None else class_name
            classes.extend([name] * len(outlines))
    rings = _to_pixels(drawn, document.crs, scene, path)
    kept = [index for index, ring in enumerate(rings) if _touches(ring, scene)]
    if drawn and not kept:
        raise SourceError(
            f"none of the {len(drawn)} polygons of {path} lies over scene {scene.id!r}; check that they belong together"
        )
    return LabelledRings(tuple(rings[index] for index in kept), tuple(classes[index] for index in kept))


def labelled_area(rings: Sequence[Ring], margin: float, *, ratio: float = 0.2) -> BaseGeometry:
    """Return the part of a scene where the labels are complete: a hull that follows the outlines, widened.

    Args:
        rings: Outlines in scene pixels.
        margin: How far the area reaches beyond the outlines, pixels.
        ratio: 0 follows the outlines most closely, 1 is their convex hull.

    Returns:
        A shapely polygon (or several) in scene pixels.

    Raises:
        UsageError: If there is no outline.
    """
    import shapely

    if not rings:
        raise UsageError("no outline is given, so there is no labelled area; check the labels")
    outlines = shapely.make_valid(np.asarray([shapely.Polygon(ring) for ring in rings], dtype=object))
    corners = shapely.MultiPoint(np.concatenate(list(rings)))
    hull = shapely.concave_hull(corners, ratio=ratio)
    return shapely.buffer(shapely.union_all([hull, *outlines]), margin)


def _class_of(feature: geojson.Feature, class_property: str | None) -> str:
    """Return the class that a property of the feature names."""
    value = feature.properties.get(class_property or "")
    if not isinstance(value, str) or not value:
        raise SourceError(f"{feature.where} has no text in its property {class_property!r}; give its class there")
    return value


def _to_pixels(rings: list[Ring], crs: str, scene: GeoreferencedScene, path: Path) -> list[Ring]:
    """Bring rings from the system of the file to the pixels of the scene, all in one call."""
    if scene.crs is None or scene.transform is None:
        raise SourceError(
            f"scene {scene.id!r} has no georeference, so {path} cannot be laid over it; use a GeoTIFF or pixel labels"
        )
    if not rings:
        return []
    try:
        corners = georeference.convert(crs, scene.crs, np.concatenate(rings))
    except SourceError as error:
        raise SourceError(f"label file {path} does not lie over scene {scene.id!r}: {error}") from error
    pixels = georeference.from_crs(scene.transform, corners)
    if not np.isfinite(pixels).all():
        raise SourceError(f"label file {path} has positions outside the reference system of scene {scene.id!r}")
    return np.split(pixels, np.cumsum([len(ring) for ring in rings])[:-1])


def _touches(ring: Ring, scene: GeoreferencedScene) -> bool:
    """Return whether the upright hull of a ring reaches into the scene; places without pixels are infinite."""
    if not np.isfinite(ring).all():
        return False
    low, high = ring.min(axis=0), ring.max(axis=0)
    return bool(low[0] < scene.width and low[1] < scene.height and high[0] > 0 and high[1] > 0)
