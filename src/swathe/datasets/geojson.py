"""Labels drawn on a map: GeoJSON polygons over a georeferenced scene become oriented boxes in its pixels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from swathe import boxes
from swathe.datasets.sample import Sample
from swathe.errors import SourceError, UsageError
from swathe.inputs import read_input
from swathe.raster import georeference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shapely.geometry.base import BaseGeometry

DEFAULT_CRS = "OGC:CRS84"  # RFC 7946: longitude, latitude

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
    if (class_name is None) == (class_property is None):
        raise UsageError("give either the class name of all polygons or the property that holds it, not both")
    document = _document(path)
    drawn: list[Ring] = []
    classes: list[str] = []
    for number, feature in enumerate(_features(document, path), start=1):
        where = f"{path}, feature {number}"
        for ring in _outer_rings(feature.get("geometry"), where):
            drawn.append(ring)
            classes.append(_class_of(feature, class_property, where) if class_name is None else class_name)
    rings = _to_pixels(drawn, _crs_of(document, path), scene, path)
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


def _document(path: Path) -> dict[str, Any]:
    """Parse a GeoJSON file."""
    try:
        document = json.loads(read_input(path).decode("utf-8-sig"))
    except OSError as error:
        raise SourceError(f"label file {path} cannot be read ({error.strerror}); check its name and rights") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"label file {path} is not GeoJSON ({error}); fetch or export it again") from error
    if not isinstance(document, dict) or not isinstance(document.get("type"), str):
        raise SourceError(f"label file {path} is JSON but not GeoJSON: it has no type; export it again")
    return document


def _features(document: dict[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    """Yield the features of a collection, a single feature, or a bare geometry."""
    kind = document["type"]
    if kind == "FeatureCollection":
        features = document.get("features")
        if not isinstance(features, list) or not all(isinstance(feature, dict) for feature in features):
            raise SourceError(f"label file {path}: its list of features is missing or damaged; export it again")
        yield from features
    elif kind == "Feature":
        yield document
    else:
        yield {"geometry": document}


def _outer_rings(geometry: object, where: str) -> Iterator[Ring]:
    """Yield the outer ring of each polygon of a geometry; a feature without geometry has none."""
    if geometry is None:
        return
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(geometry, dict) or kind not in ("Polygon", "MultiPolygon"):
        raise SourceError(f"{where} is a {kind}, not a Polygon or MultiPolygon; keep only the polygons")
    try:
        polygons = [geometry["coordinates"]] if kind == "Polygon" else geometry["coordinates"]
        rings = [np.asarray([position[:2] for position in polygon[0]], dtype=np.float64) for polygon in polygons]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise SourceError(f"{where}: its coordinates are damaged ({error}); correct or delete the feature") from error
    for ring in rings:
        if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 4 or not np.isfinite(ring).all():
            raise SourceError(f"{where}: a ring needs four or more finite positions; correct or delete the feature")
        yield ring[:-1] if np.array_equal(ring[0], ring[-1]) else ring


def _class_of(feature: dict[str, Any], class_property: str | None, where: str) -> str:
    """Return the class that a property of the feature names."""
    properties = feature.get("properties")
    value = properties.get(class_property) if isinstance(properties, dict) else None
    if not isinstance(value, str) or not value:
        raise SourceError(f"{where} has no text in its property {class_property!r}; give its class there")
    return value


def _crs_of(document: dict[str, Any], path: Path) -> str:
    """Return the name of the coordinate reference system of a file."""
    member = document.get("crs")
    if member is None:
        return DEFAULT_CRS
    properties = member.get("properties") if isinstance(member, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str):
        raise SourceError(f"label file {path}: its `crs` member has no name; write one or delete the member")
    return name


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
