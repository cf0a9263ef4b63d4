"""Saving detections and opening what was saved: the file or folder decides the format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from swathe.areas import Areas
from swathe.detections import Detections
from swathe.errors import StoreError
from swathe.files import open_folder
from swathe.query import Query
from swathe.store.detections_file import DetectionsFile
from swathe.store.exports import export, format_of
from swathe.store.opening import open_store, read
from swathe.store.protocol import Catalogue, Scans, StoredRun, StoredScene
from swathe.times import utc_text

if TYPE_CHECKING:
    import numpy.typing as npt

    from swathe.query.cells import Cells

SUFFIXES = (".parquet", ".geoparquet")
EPOCH = utc_text(datetime.fromtimestamp(0, UTC))  # of runs whose time is not known


class Held(Catalogue, Scans, Protocol):
    """Detections that can be asked for: a store, or a file."""

    @property
    def address(self) -> str:
        """Where they are."""
        ...

    def areas(self) -> Areas:
        """Return the named areas that are kept beside them."""
        ...


class SavedFile:
    """A GeoParquet file of detections that lies by itself."""

    def __init__(self, address: str) -> None:
        """Open a file.

        Args:
            address: The file, or its address.

        Raises:
            StoreError: If it is missing, damaged, or does not hold detections.
        """
        self.address = address
        parent, _, name = address.rpartition("/")
        path = Path(address)
        if path.exists() and not path.is_file():
            raise StoreError(f"{address} is not a file that can be read; name a store or a Parquet file")
        try:
            self._file = DetectionsFile(open_folder(parent or ("/" if address[:1] == "/" else ".")).open(name), address)
        except FileNotFoundError as error:
            raise StoreError(f"{address} does not exist; name a store or a GeoParquet file") from error

    def runs(self) -> tuple[StoredRun, ...]:
        """See `Catalogue`."""
        scenes = self.scenes()
        runs = []
        for run, about in sorted(self._file.head.runs.items()):
            own = [scene for scene in scenes if scene.run == run]
            runs.append(StoredRun.of(run, None, about, EPOCH, own))
        return tuple(runs)

    def scenes(self, run: str | None = None) -> tuple[StoredScene, ...]:
        """See `Catalogue`."""
        found = self._file.scan(Query(runs=None if run is None else (run,)))
        keys, codes = found.scene_codes()
        counts = {key: found.take(np.flatnonzero(codes == number)).per_class() for number, key in enumerate(keys)}
        return tuple(
            StoredScene(own, scene, "", "complete", 0, per_class=counts.get((own, name), {}))
            for (own, name), scene in sorted(self._file.head.scenes.items())
            if run is None or own == run
        )

    def scan(self, query: Query | None = None) -> Iterator[Detections]:
        """See `Scans`."""
        query = query or Query()
        yield query.finish(self._file.scan(query))

    def count(self, query: Query | None = None) -> Mapping[str, int]:
        """See `Scans`."""
        query = query or Query()
        return self._file.count(query) if query.limit is None else next(self.scan(query)).per_class()

    def density(self, query: Query | None, cells: Cells) -> npt.NDArray[np.int64]:
        """See `Scans`."""
        import shapely

        return cells.count(np.asarray(shapely.bounds(next(self.scan(query)).footprints())).reshape(-1, 4))

    def areas(self) -> Areas:
        """A file has none."""
        return Areas()


def open_held(address: Path | str) -> Held:
    """Open a store, or a GeoParquet file of detections.

    Args:
        address: A folder, a file, or an address of one.

    Returns:
        What can be asked.

    Raises:
        StoreError: If there is nothing, or something else or something damaged.
        UsageError: If nothing opens addresses of this kind.
        MissingExtraError: If the library that is needed is not installed.
    """
    text = str(address)
    is_file = text.lower().endswith(SUFFIXES) and not Path(text).is_dir()
    return SavedFile(text) if is_file or Path(text).is_file() else open_store(text)


def open_detections(address: Path | str) -> Detections:
    """Read all detections of a store, or of a GeoParquet file.

    Args:
        address: A folder, a file, or an address of one.

    Returns:
        The detections in canonical order.

    Raises:
        StoreError: If there is nothing, or something else or something damaged.
        UsageError: If nothing opens addresses of this kind.
        MissingExtraError: If the library that is needed is not installed.
    """
    return read(open_held(address))


def save_detections(detections: Detections, path: Path | str, *, overwrite: bool = False) -> Path | str:
    """Write a file, or a store.

    Args:
        detections: What to write.
        path: Where to: `.parquet` and `.geoparquet` give GeoParquet, `.geojson`, `.json`, `.gpkg`, `.fgb`, `.csv` and
            `.coco.json` what they say, others a store.
        overwrite: Whether an existing file, or what a store holds, may be replaced.

    Returns:
        The path.

    Raises:
        UsageError: If some scenes are georeferenced and others are not and one file is asked for.
        MissingExtraError: If the format needs a library that is not installed.
        SourceError: If a footprint has no longitude and latitude.
        StoreError: If the path exists already, or cannot be written.
    """
    if isinstance(path, Path) and format_of(path) is not None:
        return export(detections, path, overwrite=overwrite)
    store = open_store(path, create=True)
    if store.runs() and not overwrite:
        raise StoreError(f"{path} exists already; choose another name, or allow to overwrite it")
    for old in store.runs():
        store.remove(old.id)
    for run in sorted({*detections.runs, *(own for own, _ in detections.scenes)}):
        scenes = [
            StoredScene(own, scene, "", "pending", 0) for (own, _), scene in detections.scenes.items() if own == run
        ]
        keys, codes = detections.scene_codes()
        numbers = {key: number for number, key in enumerate(keys)}
        store.begin(run, detections.runs.get(run, {}), scenes)
        parts = (detections.take(codes == numbers.get((run, scene.scene.id), -1)) for scene in scenes)
        store.commit(run, [store.write(scene, part) for scene, part in zip(scenes, parts, strict=True)])
    return path
