"""Polygons on the ground from GeoJSON and files of GDAL: labels, areas and the outline of a query are read here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from swathe.errors import MissingExtraError, SourceError
from swathe.inputs import read_input

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

LONGITUDE_LATITUDE = "OGC:CRS84"  # what RFC 7946 allows alone; other systems are named as files of 2008 do
VECTORS = (".gpkg", ".shp", ".fgb", ".kml")  # suffixes of files that pyogrio reads
KINDS = ("Polygon", "MultiPolygon")
ENDINGS = ("CRS84", "EPSG::4326", "EPSG:4326")  # how names end that mean it

Ring = npt.NDArray[np.float64]  # (k, 2) corners, the last one is the first


@dataclass(frozen=True)
class Feature:
    """Something with an outline."""

    where: str  # file and number, for messages
    properties: Mapping[str, Any]
    geometry: BaseGeometry | None  # shapely Polygon or MultiPolygon in two dimensions, valid or not


@dataclass(frozen=True)
class Polygons:
    """The features of a file."""

    crs: str  # reference system of the coordinates, `LONGITUDE_LATITUDE` unless the file names another one
    features: tuple[Feature, ...]


def read_polygons(path: Path, what: str) -> Polygons:
    """Read a file of polygons.

    Args:
        path: GeoJSON: a FeatureCollection, a feature, or a bare geometry; or a file of one layer whose name ends in one
            of `VECTORS`.
        what: What the file holds, for messages, such as "areas".

    Returns:
        The polygons.

    Raises:
        SourceError: If the file cannot be read, is not GeoJSON, or holds anything but polygons.
        MissingExtraError: If it is read by pyogrio, and that is not installed.
    """
    if path.suffix.lower() in VECTORS:
        return _read_layer(path, f"{what} {path}")
    try:
        document = json.loads(read_input(path).decode("utf-8-sig"))
    except OSError as error:
        raise SourceError(f"{what} {path}: cannot be read ({error.strerror}); check its name and rights") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{what} {path}: is not GeoJSON ({error}); fetch or export it again") from error
    return parse_polygons(document, f"{what} {path}")


def _read_layer(path: Path, where: str) -> Polygons:
    """Read the layer of a GeoPackage, Shapefile or the like."""
    try:
        import pyogrio
    except ImportError as error:
        raise MissingExtraError(f"{where}: ", library="pyogrio", extra="geo") from error
    import shapely

    try:
        layers = pyogrio.list_layers(path)[:, 0].tolist()
        if len(layers) != 1:
            hint = "save the one that is meant in a file of its own, for instance with ogr2ogr"
            raise SourceError(f"{where}: has {len(layers)} layers ({', '.join(layers)}); {hint}")
        about, _, shapes, columns = pyogrio.raw.read(path, force_2d=True)
        geometries = [None if shape is None else shapely.from_wkb(shape) for shape in shapes]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, shapely.errors.ShapelyError) as error:
        raise SourceError(f"{where}: cannot be read ({error}); check it, or save it as GeoJSON") from error
    crs = about["crs"]
    if crs is None:
        raise SourceError(f"{where}: names no reference system; set one, for instance with ogr2ogr -a_srs EPSG:4326")
    features = []
    for number, geometry in enumerate(geometries):
        place = f"{where}, feature {number + 1}"
        if geometry is not None and geometry.geom_type not in KINDS:
            raise SourceError(f"{place}: is a {geometry.geom_type}, not a Polygon or MultiPolygon; keep the polygons")
        values = {name: column[number] for name, column in zip(about["fields"], columns, strict=True)}
        features.append(Feature(place, values, geometry))
    return Polygons(LONGITUDE_LATITUDE if crs.endswith(ENDINGS) else crs, tuple(features))


def parse_polygons(document: Any, where: str) -> Polygons:
    """Take polygons from parsed GeoJSON.

    Args:
        document: A FeatureCollection, a feature, or a bare geometry.
        where: The file, for messages.

    Returns:
        The polygons.

    Raises:
        SourceError: If it is not GeoJSON, or holds anything but polygons.
    """
    kind = document.get("type") if isinstance(document, dict) else None
    features = document.get("features") if kind == "FeatureCollection" else [document]
    if kind in ("Feature", "FeatureCollection"):
        sound = isinstance(features, list) and all(isinstance(feature, dict) for feature in features)
    else:
        sound, features = isinstance(kind, str), [{"geometry": document}]
    if not sound or features is None:
        raise SourceError(f"{where}: is JSON but not GeoJSON with a list of features; export it again")
    return Polygons(
        _crs(document, where),
        tuple(_feature(feature, f"{where}, feature {number}") for number, feature in enumerate(features, start=1)),
    )


def _crs(document: Mapping[str, Any], where: str) -> str:
    """Return the reference system of a document."""
    member = document.get("crs")
    if member is None:
        return LONGITUDE_LATITUDE
    properties = member.get("properties") if isinstance(member, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str):
        raise SourceError(f"{where}: its `crs` member has no name; write one or delete the member")
    return LONGITUDE_LATITUDE if name.endswith(ENDINGS) else name


def _feature(feature: Mapping[str, Any], where: str) -> Feature:
    """Read one feature."""
    import shapely

    properties, geometry = feature.get("properties"), feature.get("geometry")
    known = properties if isinstance(properties, dict) else {}
    if geometry is None:
        return Feature(where, known, None)
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in KINDS:
        raise SourceError(f"{where}: is a {kind}, not a Polygon or MultiPolygon; keep only the polygons")
    try:
        parts = [geometry["coordinates"]] if kind == "Polygon" else geometry["coordinates"]
        outlines = [[_ring(ring, where) for ring in part] for part in parts]
        polygons = [shapely.Polygon(shell, holes) for shell, *holes in outlines]
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"{where}: its coordinates are damaged ({error}); correct or delete the feature") from error
    return Feature(where, known, polygons[0] if kind == "Polygon" else shapely.MultiPolygon(polygons))


def _ring(positions: Any, where: str) -> Ring:
    """Read one ring; heights are left out."""
    ring = np.asarray([position[:2] for position in positions], dtype=np.float64)
    if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 4 or not np.isfinite(ring).all():
        raise SourceError(f"{where}: a ring needs four or more finite positions; correct or delete the feature")
    return ring
