"""The value `Detections`: rows of boxes with their scenes, classes and runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from swathe import arguments
from swathe import boxes as box_math
from swathe.counts import counted
from swathe.detections import footprints
from swathe.detections.columns import Columns, SceneKey
from swathe.detections.notebook import SHOWN_ROWS, as_html
from swathe.detections.order import check_keys, sort_order
from swathe.detections.scene import SceneInfo, check_coordinates
from swathe.detections.table import (
    NAME_TYPE,
    SCHEMA,
    as_indexes,
    make_table,
)
from swathe.errors import UsageError
from swathe.plugins import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import geopandas
    import lonboard

    from swathe.detections.scene import Coordinates

FloatArray: TypeAlias = npt.NDArray[np.float64]
IndexArray: TypeAlias = npt.NDArray[np.int64]


SCENES = "a mapping from run and scene id to SceneInfo"


class Condition(Protocol):
    """What chooses detections; `swathe.query.Query` is one."""

    def select(self, detections: Detections) -> Detections:
        """Return those that meet it, in canonical order."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Detections(Columns):
    """Oriented boxes with class and score, as an Arrow table; every method returns a new value.

    Rows keep their order; `sorted` gives the canonical one. `found[0]` is a dictionary, as in `for row in found`;
    `found[:10]`, `found[found.scores > 0.5]` and `found[[3, 1]]` are detections.
    """

    table: pa.Table  # columns of SCHEMA; boxes in scene pixels, theta in radians, clockwise on screen
    scenes: Mapping[SceneKey, SceneInfo] = field(default_factory=dict)  # by run and id; those without detections too
    class_names: tuple[str, ...] = ()  # classes the models know, in their order; not all need occur
    runs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # run id -> model, settings (JSON values)

    def __post_init__(self) -> None:
        """Refuse a table of other columns, and rows of unknown scenes, classes or runs."""
        arguments.instance("table", self.table, pa.Table, "a pyarrow.Table")
        arguments.mapping("scenes", self.scenes, SCENES)
        for key, scene in self.scenes.items():
            arguments.instance("scenes", scene, SceneInfo, SCENES)
            if key[1:] != (scene.id,):
                raise UsageError(argument="scenes", value=key, accepted=SCENES)
        object.__setattr__(self, "class_names", arguments.names("class_names", self.class_names))
        arguments.mapping("runs", self.runs, "a mapping from ids to what is known of the runs")
        if not self.table.schema.equals(SCHEMA):
            raise UsageError(f"detections need the columns {', '.join(SCHEMA.names)}, not {self.table.schema.names}")
        held: dict[str, set[Any]] = {
            name: set(pc.unique(self.table.column(name)).to_pylist()) for name in ("class", "run")
        }
        unknown = [
            *(("class", name) for name in held["class"].difference(self.class_names)),
            *(("run", run) for run in held["run"].difference(self.runs)),
            *(("scene", scene) for _, scene in set(self.scene_codes()[0]).difference(self.scenes)),
        ]
        if unknown:
            column, name = min(unknown, key=str)
            raise UsageError(f"detections name the {column} {name!r}, which is not described")
        object.__setattr__(self, "scenes", dict(self.scenes))
        object.__setattr__(self, "runs", dict(self.runs))

    @classmethod
    def from_arrays(
        cls,
        boxes: npt.ArrayLike,
        scores: npt.ArrayLike,
        class_indices: npt.ArrayLike,
        class_names: Sequence[str],
        scene: SceneInfo,
        run: str,
        cut: npt.ArrayLike | None = None,
        run_info: Mapping[str, Any] | None = None,
    ) -> Self:
        """Make the detections of one scene.

        Args:
            boxes: Boxes (n, 5): cx, cy, w, h in scene pixels, theta in radians, clockwise on screen.
            scores: Confidences (n,).
            class_indices: Indexes (n,) into `class_names`.
            class_names: All classes of the model, in its order.
            scene: Where they were found.
            run: Which run found them.
            cut: Whether each box (n,) is a fragment cut by a window edge; none is if not given.
            run_info: What shall be known of the run wherever its detections go: JSON values such as model and settings.

        Returns:
            The detections in the given order, boxes in canonical form, with ids `run/scene/number`: the number is the
            place in canonical order, so that the ids do not depend on the given order.

        Raises:
            UsageError: If lengths differ, a value is not finite, a class index is unknown, or a name is empty.
        """
        names = arguments.names("class_names", class_names)
        arguments.instance("scene", scene, SceneInfo, "a SceneInfo")
        about = arguments.mapping("run_info", {} if run_info is None else run_info, "a mapping of JSON values")
        canonical = box_math.canonical(boxes) + 0.0  # -0.0 becomes 0.0: equal boxes shall be equal bytes
        table = make_table(canonical, scores, class_indices, cut, names, scene.id, run)
        return cls(table, {(run, scene.id): scene}, names, {run: dict(about)})

    @classmethod
    def empty(
        cls,
        class_names: Sequence[str] = (),
        scenes: Mapping[SceneKey, SceneInfo] | None = None,
        runs: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Self:
        """Make detections without a row.

        Args:
            class_names: Classes that were looked for.
            scenes: Scenes that were looked at, by run and id.
            runs: What is known of the runs, by id.

        Returns:
            No detections.
        """
        return cls(SCHEMA.empty_table(), scenes or {}, tuple(class_names), runs or {})

    @classmethod
    def concat(cls, parts: Iterable[Detections]) -> Self:
        """Join detections of several scenes or runs.

        Args:
            parts: What to join, in this order; may be empty.

        Returns:
            All rows, scenes, runs, and classes in the order in which they first appear.

        Raises:
            UsageError: If two parts describe a scene of a run differently.
        """
        accepted = "a list of Detections"
        parts = [
            arguments.instance("parts", part, Detections, accepted)
            for part in arguments.several("parts", parts, accepted)
        ]
        scenes: dict[SceneKey, SceneInfo] = {}
        runs: dict[str, Mapping[str, Any]] = {}
        for part in parts:
            for key, scene in part.scenes.items():
                if scenes.setdefault(key, scene) != scene:
                    raise UsageError(
                        f"scene {scene.id!r} of run {key[0]!r} is described in two ways ({scenes[key].uri} and "
                        f"{scene.uri}); join detections that were made together"
                    )
            runs.update({run: info for run, info in part.runs.items() if info or run not in runs})
        names = tuple(dict.fromkeys(name for part in parts for name in part.class_names))
        tables = [part.table for part in parts if len(part)]
        table = pa.concat_tables(tables).unify_dictionaries().combine_chunks() if tables else SCHEMA.empty_table()
        return cls(table, scenes, names, runs)

    @classmethod
    def open(cls, path: Path | str) -> Detections:
        """Read a store, or a GeoParquet file of detections.

        Args:
            path: What to read: a folder, a file, or the address of one.

        Returns:
            All its detections in canonical order.

        Raises:
            UsageError: If it is not a path.
            StoreError: If there is nothing, or something else or something damaged.
        """
        found: Detections = load("swathe.store.files:open_detections")(arguments.address("path", path))
        return found

    def __repr__(self) -> str:
        classes = counted(len(self.class_names), "class", "classes")
        return f"Detections({counted(len(self), 'object')} of {classes} in {counted(len(self.scenes), 'scene')})"

    def _repr_html_(self) -> str:
        """Show the first rows in a notebook."""
        return as_html(repr(self), [self[row] for row in range(min(len(self), SHOWN_ROWS))], len(self))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a dictionary by the names of the columns."""
        for batch in self.table.to_batches(max_chunksize=1024):
            yield from batch.to_pylist()

    @overload
    def __getitem__(self, rows: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, rows: slice | npt.ArrayLike) -> Self: ...

    def __getitem__(self, rows: Any) -> Any:
        """Look up a row by its number, or keep rows by a slice, a mask or numbers.

        Args:
            rows: A number, negative ones count from the end; or what `take` takes, or a slice.

        Returns:
            A row by the names of the columns; otherwise detections.

        Raises:
            IndexError: If there is none.
        """
        if isinstance(rows, slice):
            return self.take(np.arange(len(self))[rows])
        if not isinstance(rows, int | np.integer) or isinstance(rows, bool):
            return self.take(rows)
        if not -len(self) <= rows < len(self):
            raise IndexError(f"there is no detection {rows} among {len(self):,}")
        return self.table.slice(int(rows) % len(self), 1).to_pylist()[0]

    @property
    def georeferenced(self) -> bool:
        """Whether geometries are longitude and latitude (all scenes are georeferenced) or pixels (none is).

        Scenes count that have detections; where nothing was found it is longitude and latitude if one scene has them.

        Raises:
            UsageError: If some scenes with detections are georeferenced and others are not.
        """
        kinds = {scene.georeferenced for scene in self.scenes.values()}
        if len(kinds) > 1:  # rarely, so that names of scenes are mostly not counted
            present = [scene for scene, _ in self._rows_by_scene()]
            kinds = {scene.georeferenced for scene in present} or {True}
        if len(kinds) > 1:
            without = next(scene.id for scene in present if not scene.georeferenced)
            raise UsageError(
                f"some scenes have a georeference and others, such as {without!r}, have none, so their geometries do "
                "not fit into one table or file; choose scenes of one kind"
            )
        return kinds == {True}

    def to_polygons(self, coordinates: Coordinates = "pixel") -> FloatArray:
        """Compute the corners of the boxes.

        Args:
            coordinates: "pixel": scene pixels; "crs": each scene's own reference system; "lonlat": longitude, latitude
                in degrees; "geometry": "lonlat" for scenes with georeference and "pixel" for others.

        Returns:
            Corners (n, 4, 2) as x, y (or longitude, latitude). In pixels they go clockwise on screen from the corner
            at (-w/2, -h/2).

        Raises:
            UsageError: If a scene has no georeference to place them with, or the coordinates are none of these.
            SourceError: If the centre of a scene has no longitude and latitude.
        """
        check_coordinates(coordinates)
        corners = np.asarray(box_math.to_polygons(self.boxes))
        if coordinates != "pixel":
            for scene, rows in self._rows_by_scene():
                corners[rows] = scene.place(corners[rows].reshape(-1, 2), coordinates).reshape(-1, 4, 2)
        return corners

    def centres(self) -> FloatArray:
        """Place the centres of the boxes on the ground.

        Returns:
            Longitude, latitude (n, 2) in degrees; NaN for scenes without georeference.

        Raises:
            SourceError: If the centre of a scene has no longitude and latitude.
        """
        centres = np.full((len(self), 2), np.nan)
        for scene, rows in self._rows_by_scene():
            if scene.georeferenced:
                centres[rows] = scene.place(self.boxes[rows, :2], "lonlat")
        return centres

    def centre_points(self) -> npt.NDArray[Any]:
        """Make points of the centres of the boxes, in geometry coordinates as `footprints` are.

        Returns:
            Shapely points (n,).

        Raises:
            SourceError: If the centre of a scene has no longitude and latitude.
        """
        import shapely

        centres = self.boxes[:, :2]
        for scene, rows in self._rows_by_scene():
            centres[rows] = scene.place(centres[rows], "geometry")
        points: npt.NDArray[Any] = shapely.points(centres)
        return points

    def footprints(self) -> npt.NDArray[Any]:
        """Compute what the boxes cover, in geometry coordinates; regions of queries are compared with it.

        Returns:
            Shapely geometries (n,), rings counter-clockwise (x right, y up). Mostly polygons of the four corners; boxes
            that span more than one degree of longitude (near a pole, mostly) have points along their sides too, those
            across the antimeridian are multipolygons cut at 180 degrees, and those over a pole reach up to its edge.

        Raises:
            SourceError: If the centre of a scene has no longitude and latitude.
        """
        corners = self.to_polygons("geometry")
        polygons = footprints.simple_polygons(corners)
        for scene, rows in self._rows_by_scene():
            wide = rows[footprints.wide_rows(corners[rows])]
            if scene.georeferenced and len(wide):
                points = footprints.points_along_sides(self.boxes[wide])
                placed = scene.place(points.reshape(-1, 2), "lonlat").reshape(points.shape)
                polygons[wide] = footprints.cut_at_antimeridian(placed)
        return polygons

    def measures(self) -> FloatArray:
        """Measure the boxes on the ground.

        Returns:
            Measures (n, 3) of length (the side that is longer on the ground) and width in metres, azimuth of the long
            side in degrees clockwise from true north, in [0, 180). NaN for scenes without georeference.

        Raises:
            SourceError: If a box lies where a scene's reference system has no longitude and latitude.
        """
        from swathe.raster.ground import measure

        measures = np.empty((len(self), 3))
        for scene, rows in self._rows_by_scene():
            measures[rows] = measure(scene.crs, scene.transform, self.boxes[rows])
        return measures

    def to_geopandas(self) -> geopandas.GeoDataFrame:
        """Make a GeoDataFrame with the footprint of each detection.

        Returns:
            `id`, `run`, `scene`, `class`, `score`; `length_m`, `width_m`, `azimuth_deg` and `acquired`, empty where
            unknown; `cx`, `cy`, `w`, `h` in scene pixels, `theta_degrees`, `cut`; and `geometry`: longitude, latitude
            (EPSG:4326) where all scenes are georeferenced, pixels without a reference system where none is.

        Raises:
            MissingExtraError: If geopandas is not installed.
            UsageError: If some scenes are georeferenced and others are not.
            SourceError: If the centre of a scene has no longitude and latitude.
        """
        return load("swathe.store.exports.frame:as_geopandas")(self)

    def map(self) -> lonboard.Map:
        """Show the detections on a map in a notebook, coloured by class, stronger where the score is higher.

        Returns:
            A widget of lonboard without a base map, which would be fetched from elsewhere; `basemap` takes one.

        Raises:
            MissingExtraError: If lonboard is not installed.
            UsageError: If there is nothing to show, or a scene has no georeference.
            SourceError: If the centre of a scene has no longitude and latitude.
        """
        shown: lonboard.Map = load("swathe.drawing.widget:as_map")(self)
        return shown

    def filter(self, query: Condition) -> Detections:
        """Keep what a query asks for.

        Args:
            query: What to keep, a `Query`.

        Returns:
            The matching detections in canonical order.

        Raises:
            UsageError: If it is not a query.
            SourceError: If a footprint has no longitude and latitude.
        """
        if not hasattr(query, "select"):
            raise UsageError(argument="query", value=query, accepted="a Query, such as Query(min_score=0.5)")
        return query.select(self)

    def take(self, rows: npt.ArrayLike) -> Self:
        """Keep rows by index (or boolean mask), in the given order.

        Args:
            rows: Indexes (k,), negative ones count from the end; or a mask (n,).

        Returns:
            These rows; scenes, classes and runs stay described.

        Raises:
            UsageError: If they are neither, or an index lies outside.
        """
        indexes = as_indexes(rows, len(self))
        return replace(self, table=self.table.take(pa.array(indexes, pa.int64())))

    def sorted(self) -> Self:
        """Sort into canonical order.

        Returns:
            The same detections, sorted.
        """
        return self.take(self.canonical_order())

    def sort_by(self, *keys: str) -> Self:
        """Sort by what counts; equal ones come in canonical order, and what is unknown last.

        Args:
            *keys: "score", "class", "scene", "run", "size" (length times width, in square metres, in pixels without
                georeference), "length", "width", "azimuth", "acquired"; with "-" before it, falling.

        Returns:
            The same detections, sorted.

        Raises:
            UsageError: If there is no such key.
            SourceError: If a box lies where a scene's reference system has no longitude and latitude.
        """
        return self.take(sort_order(self, check_keys(keys)))

    def equals(self, other: Detections) -> bool:
        """Compare rows in order, scenes, class names and runs; floats bit by bit up to the sign of zero.

        Args:
            other: What to compare with.

        Returns:
            Whether they are the same.
        """
        plain = pa.schema([(c.name, pa.string() if c.type == NAME_TYPE else c.type) for c in SCHEMA])
        return (
            self.table.cast(plain).equals(other.table.cast(plain))
            and dict(self.scenes) == dict(other.scenes)
            and self.class_names == other.class_names
            and dict(self.runs) == dict(other.runs)
        )

    def save(self, path: Path | str, *, overwrite: bool = False) -> Path | str:
        """Write a file, or a store.

        Args:
            path: Where to: `.parquet` and `.geoparquet` give GeoParquet, `.geojson`, `.json`, `.gpkg`, `.fgb`, `.shp`,
                `.kml`, `.csv`, `.coco.json` ... what they say, others the folder or the address of a store.
            overwrite: Whether an existing file, or what a store holds, may be replaced.

        Returns:
            The path.

        Raises:
            UsageError: If some scenes are georeferenced and others are not and one file is asked for.
            MissingExtraError: If the format needs a library that is not installed.
            SourceError: If a footprint has no longitude and latitude.
            StoreError: If the path exists already or cannot be written; no half-written file is left.
        """
        save = load("swathe.store.files:save_detections")
        saved: Path | str = save(
            self, arguments.address("path", path), overwrite=arguments.flag("overwrite", overwrite)
        )
        return saved

    def per_class(self) -> dict[str, int]:
        """Count the detections of each class that has some, in the order of the classes."""
        names, codes = self._coded("class")
        counts = dict(zip(names.tolist(), np.bincount(codes, minlength=len(names)).tolist(), strict=True))
        return {name: counts[name] for name in self.class_names if counts.get(name)}

    def _rows_by_scene(self) -> Iterator[tuple[SceneInfo, IndexArray]]:
        """Yield each scene that has detections, with the indexes of its rows."""
        keys, codes = self.scene_codes()
        if len(keys) == 1:  # mostly
            yield self.scenes[keys[0]], np.arange(len(self))
            return
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(len(keys)))
        for key, rows in zip(keys, np.split(order, starts[1:]), strict=False):
            yield self.scenes[key], rows
