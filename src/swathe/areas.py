"""Named areas: polygons on the ground, whose names are nested by slashes, such as "Nepal/Kavre/Banepa".

They are kept as GeoJSON (RFC 7946: longitude, latitude in degrees). A file may name the parent of an area in a property
or write out the whole name; what Swathe writes has whole names.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from swathe.arguments import file_path, instance, several, text
from swathe.atomic import published_file
from swathe.errors import Argument, SourceError, UsageError
from swathe.geojson import LONGITUDE_LATITUDE, Feature, Polygons, parse_polygons, read_polygons

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shapely.geometry.base import BaseGeometry

FILE_NAME = "areas.geojson"  # in the folder of a store
SEPARATOR = "/"
NAME_PROPERTY, PARENT_PROPERTY = "name", "parent"
EXTENT = (-180.0, -90.0, 180.0, 90.0)  # degrees


@dataclass(frozen=True)
class Area:
    """A named part of the earth's surface."""

    name: str  # nested by slashes, the largest first
    geometry: BaseGeometry  # shapely Polygon or MultiPolygon, holes allowed; longitude, latitude in degrees

    def __post_init__(self) -> None:
        """Refuse a name without text, and what is not a valid area on the ground."""
        import shapely

        text("name", self.name, "the name of the area")
        instance("geometry", self.geometry, shapely.Geometry, "a polygon of shapely")
        levels = self.name.split(SEPARATOR)
        if not all(level.strip() == level and level for level in levels) or not self.name.isprintable():
            raise UsageError(
                f"area {self.name!r}: a name is text without blanks at its ends, its levels parted by single slashes"
            )
        if self.geometry.geom_type not in ("Polygon", "MultiPolygon") or self.geometry.is_empty:
            raise UsageError(f"area {self.name!r}: is a {self.geometry.geom_type}, not a polygon with corners")
        west, south, east, north = self.geometry.bounds
        if not (EXTENT[0] <= west <= east <= EXTENT[2] and EXTENT[1] <= south <= north <= EXTENT[3]):
            swapped = abs(west) <= EXTENT[3] and abs(east) <= EXTENT[3] and abs(north) <= EXTENT[2]
            hint = "latitude seems to stand first" if swapped else "convert it with ogr2ogr -t_srs EPSG:4326"
            raise UsageError(
                f"area {self.name!r}: reaches from {west:g}, {south:g} to {east:g}, {north:g}, which is not longitude "
                f"and latitude; {hint}"
            )
        if not self.geometry.is_valid:
            raise UsageError(
                f"area {self.name!r}: its outline is not valid ({shapely.is_valid_reason(self.geometry)}); correct it "
                "there, or repair the file with ogr2ogr -makevalid"
            )


@dataclass(frozen=True)
class Areas:
    """Areas by name. An area that has no polygon of its own is the union of those below it."""

    areas: tuple[Area, ...] = ()  # those with a polygon of their own, sorted by name

    def __post_init__(self) -> None:
        """Sort the areas, and refuse two of one name."""
        given = several("areas", self.areas, "a list of Area")
        ordered = tuple(sorted((instance("areas", area, Area, "a list of Area") for area in given), key=_name))
        for one, other in pairwise(ordered):
            if one.name == other.name:
                raise UsageError(
                    f"two areas are named {one.name!r}; rename one, or name their parents to tell them apart"
                )
        object.__setattr__(self, "areas", ordered)

    @classmethod
    def open(cls, path: Path | str, *, name_property: str = NAME_PROPERTY) -> Self:
        """Read areas from a file of polygons.

        Args:
            path: GeoJSON: a FeatureCollection (or one Feature) of polygons or multipolygons; a GeoPackage, a Shapefile,
                FlatGeobuf or KML with one layer; or a store, for the areas that it holds.
            name_property: Property that holds the names. A property "parent" may name the area around it: another
                feature, or a whole name.

        Returns:
            The areas.

        Raises:
            UsageError: If the path is not a path.
            SourceError: If the file cannot be read, or an area is unnamed, named twice, or has no valid outline.
            MissingExtraError: If it is read by pyogrio, and that is not installed.
        """
        given = file_path("path", path, "a file of polygons, or a store")
        path = given / FILE_NAME if given.is_dir() else given
        if given.is_dir() and not path.exists():
            raise SourceError(f"there are no areas in {given}; add some with `swathe areas`")
        return cls._named(read_polygons(path, "areas"), f"areas {path}", name_property)

    @classmethod
    def from_geojson(cls, document: Any, *, name_property: str = NAME_PROPERTY, where: str = "areas") -> Self:
        """Take areas from GeoJSON.

        Args:
            document: The parsed FeatureCollection or Feature.
            name_property: Property that holds the names.
            where: Where it comes from, for messages.

        Returns:
            The areas.

        Raises:
            SourceError: If it is not GeoJSON, or an area is unnamed, named twice, or has no valid outline.
        """
        return cls._named(parse_polygons(document, where), where, name_property)

    @classmethod
    def _named(cls, polygons: Polygons, where: str, name_property: str) -> Self:
        """Give polygons their whole names, and bring them to longitude and latitude."""
        features = polygons.features
        try:
            names = _whole_names([_names_of(feature, name_property) for feature in features])
            placed = [_placed(feature, name, polygons.crs) for feature, name in zip(features, names, strict=True)]
            return cls(tuple(map(Area, names, placed)))
        except UsageError as error:
            raise SourceError(f"{where}: ", *error.args) from error

    def __len__(self) -> int:
        """Return the number of areas with a polygon of their own."""
        return len(self.areas)

    def __iter__(self) -> Iterator[Area]:
        """Yield the areas with a polygon of their own, sorted by name."""
        return iter(self.areas)

    @property
    def names(self) -> tuple[str, ...]:
        """All whole names, sorted: also those that only stand above others."""
        known = {
            SEPARATOR.join(levels[:depth])
            for levels in (area.name.split(SEPARATOR) for area in self.areas)
            for depth in range(1, len(levels) + 1)
        }
        return tuple(sorted(known))

    def __getitem__(self, name: str) -> Area:
        """Look up an area.

        Args:
            name: Its whole name, or any tail of it that no other area has: "Banepa" or "Kavre/Banepa".

        Returns:
            The area under its whole name.

        Raises:
            UsageError: If no area or more than one is named so.
        """
        import shapely

        whole = self._resolve(name)
        own = [area for area in self.areas if area.name == whole]
        if own:
            return own[0]
        below = [area.geometry for area in self.areas if area.name.startswith(whole + SEPARATOR)]
        return Area(whole, shapely.union_all(below))

    def joined(self, other: Areas, *, overwrite: bool = False) -> Areas:
        """Add other areas to these.

        Args:
            other: What to add.
            overwrite: Whether areas of the same name are replaced.

        Returns:
            All areas.

        Raises:
            UsageError: If a name is in both and may not be replaced.
        """
        added = {area.name for area in other}
        taken = sorted(added & {area.name for area in self.areas})
        if taken and not overwrite:
            raise UsageError(
                f"there is an area {taken[0]!r} already; rename this one, or replace that (",
                Argument("overwrite"),
                ")",
            )
        return Areas((*(area for area in self.areas if area.name not in added), *other))

    def without(self, name: str) -> Areas:
        """Leave out an area and those below it.

        Args:
            name: Its name, whole or any unique tail.

        Returns:
            The others.

        Raises:
            UsageError: If no area or more than one is named so.
        """
        whole = self._resolve(name)
        return Areas(
            tuple(area for area in self.areas if area.name != whole and not area.name.startswith(whole + SEPARATOR))
        )

    def to_geojson(self) -> dict[str, Any]:
        """Return a GeoJSON FeatureCollection with whole names, the same for equal areas."""
        import shapely

        features = [
            {
                "type": "Feature",
                "properties": {NAME_PROPERTY: area.name},
                "geometry": shapely.geometry.mapping(area.geometry),
            }
            for area in self.areas
        ]
        return {"type": "FeatureCollection", "features": features}

    def save(self, path: Path | str, *, overwrite: bool = False) -> Path:
        """Write the areas as GeoJSON.

        Args:
            path: Where to.
            overwrite: Whether an existing file may be replaced.

        Returns:
            The path.

        Raises:
            StoreError: If the file exists already or cannot be written; nothing half-written is left.
        """
        path = Path(path)
        with published_file(path, overwrite=overwrite) as stream:
            stream.write(self.to_bytes())
        return path

    def to_bytes(self) -> bytes:
        """Return the areas as the content of a GeoJSON file, the same for equal areas, each in a line of its own."""
        features = self.to_geojson()["features"]
        lines = [json.dumps(feature, ensure_ascii=False, separators=(",", ":")) for feature in features]
        return ('{"type":"FeatureCollection","features":[\n' + ",\n".join(lines) + "\n]}\n").encode()

    def _resolve(self, name: str) -> str:
        """Return the whole name that is meant."""
        names = self.names
        if name in names:
            return name
        meant = [whole for whole in names if whole.endswith(SEPARATOR + name)]
        if len(meant) == 1:
            return meant[0]
        if meant:
            raise UsageError(f"area {name!r} may be {' or '.join(map(repr, meant))}; write more of its name")
        tails = {whole.rpartition(SEPARATOR)[2]: whole for whole in names}
        close = [tails.get(guess, guess) for guess in difflib.get_close_matches(name, [*names, *tails], n=3)]
        hint = f"; did you mean {' or '.join(map(repr, dict.fromkeys(close)))}?" if close else f" among {len(names)};"
        raise UsageError(f"there is no area {name!r}{hint} `swathe areas STORE` lists those of a store")


def _name(area: Area) -> str:
    return area.name


def _names_of(feature: Feature, name_property: str) -> tuple[str, str | None]:
    """Return the name of a feature and that of its parent, if it says one."""
    properties = feature.properties
    name, parent = properties.get(name_property), properties.get(PARENT_PROPERTY)
    if not isinstance(name, str) or not name.strip():
        others = ", ".join(map(str, properties)) or "none at all"
        raise SourceError(
            f"{feature.where} has no name: its property {name_property!r} holds no text; its properties are {others}, "
            "choose another one as ",
            Argument("name_property"),
        )
    if parent is not None and not isinstance(parent, str):
        raise SourceError(f"{feature.where}: its parent {parent!r} is not text; write the name of an area")
    return name.strip(), (parent or "").strip() or None


def _whole_names(names: list[tuple[str, str | None]]) -> list[str]:
    """Write out names with those of their parents, of the parents' parents, and so on."""
    by_name: dict[str, list[str | None]] = {}
    for name, parent in names:
        by_name.setdefault(name, []).append(parent)
    whole = []
    for name, parent in names:
        levels, above = [name], parent
        while above is not None:
            if above in levels:
                raise UsageError(f"area {name!r}: its parents lead back to {above!r}; correct the property parent")
            levels.append(above)
            further = by_name.get(above, [None])
            if len(further) > 1:
                raise UsageError(
                    f"area {name!r}: its parent {above!r} is the name of {len(further)} areas; write its whole name, "
                    "its levels parted by slashes"
                )
            above = further[0]
        whole.append(SEPARATOR.join(reversed(levels)))
    return whole


def _placed(feature: Feature, name: str, crs: str) -> BaseGeometry:
    """Return the geometry of an area in longitude and latitude."""
    import shapely

    from swathe.raster.georeference import convert

    if feature.geometry is None:
        raise UsageError(f"area {name!r} has no geometry; delete the feature, an area is the union of those below it")
    if crs == LONGITUDE_LATITUDE:
        return feature.geometry
    try:
        return shapely.transform(feature.geometry, lambda corners: convert(crs, LONGITUDE_LATITUDE, corners))
    except SourceError as error:
        raise SourceError(f"{feature.where}: ", *error.args) from error
