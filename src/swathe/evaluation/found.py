"""What a detector found, as evaluation sees it: raw corners, scores, and the names of classes and images."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe.datasets.sample import label_text
from swathe.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swathe.detections import Detections

TASK1_PREFIX = "Task1_"
_LINE_FORM = "image score x1 y1 x2 y2 x3 y3 x4 y4"


@dataclass(frozen=True)
class Found:
    """Detections of any number of images; the corners stay as they were written, without a detour over boxes."""

    images: npt.NDArray[np.str_]  # (n,) name of the image of each detection
    classes: npt.NDArray[np.str_]  # (n,) class name of each detection
    scores: npt.NDArray[np.float64]  # (n,) finite; only their order matters
    polygons: npt.NDArray[np.float64]  # (n, 4, 2) corners x, y in image pixels
    searched: tuple[str, ...] | None = None  # images that were searched, found something in or not; None: not known
    sources: Mapping[str, str] = field(default_factory=dict)  # where the pixels of images are, as far as known

    def __post_init__(self) -> None:
        """Refuse columns of different lengths and values that are not numbers."""
        count = len(self.scores)
        if {len(self.images), len(self.classes), len(self.polygons)} != {count} or self.polygons.shape[1:] != (4, 2):
            raise UsageError(
                f"detections have {len(self.images)} images, {len(self.classes)} classes, {count} scores and polygons "
                f"of shape {self.polygons.shape}; give columns of one length and (n, 4, 2) polygons"
            )
        if not (np.isfinite(self.scores).all() and np.isfinite(self.polygons).all()):
            raise UsageError("a detection has a score or a corner that is not a finite number; remove it")

    def __len__(self) -> int:
        """Return the number of detections."""
        return len(self.scores)


def read_found(path: Path | str, *, run: str | None = None) -> Found:
    """Read detections from a store, a GeoParquet file, or a folder of DOTA Task 1 files.

    Args:
        path: What to read; the kind is seen from what is there.
        run: Which run of a store with several to take: the beginning of its id, its name, or "latest".

    Returns:
        The detections.

    Raises:
        SourceError: If the path is missing or none of these, or a text file is damaged.
        StoreError: If the store or the GeoParquet file is damaged.
        UsageError: If `run` is needed, unknown, or given for Task 1 files.
    """
    from swathe.query import Query
    from swathe.store import find_run, read
    from swathe.store.files import open_held
    from swathe.store.opening import is_store

    given, path = path, Path(path)
    if not is_store(given):
        if not path.exists():
            raise SourceError(f"{path} does not exist; name a store, a GeoParquet file or a folder of Task 1 files")
        if path.is_dir():
            if run is not None:
                raise UsageError(f"{path} is a folder of text files, which have no runs; leave out run {run!r}")
            return read_task1(path)
    if path.is_file() and path.suffix.lower() not in (".parquet", ".geoparquet"):
        raise SourceError(f"{path} is not a GeoParquet file; name a store, a .parquet file or a folder of Task 1 files")
    held = open_held(given)
    runs = None if run is None else (find_run(held.runs(), run).id,)
    return from_detections(read(held, Query(runs=runs)))


def from_detections(detections: Detections, *, run: str | None = None) -> Found:
    """Take what evaluation needs from detections; images are called by the ids of their scenes.

    Args:
        detections: Detections of one run, or of several.
        run: Which run to take; needed if there are several.

    Returns:
        The detections of that run.

    Raises:
        UsageError: If there are several runs and none is chosen, or the chosen one is not among them.
    """
    names = sorted(detections.runs)
    if run is None and len(names) > 1:
        raise UsageError(f"there are detections of {len(names)} runs ({', '.join(names)}); say which one to evaluate")
    if run is not None and run not in names:
        raise UsageError(f"there is no run {run!r} to evaluate, only {', '.join(names) or 'an empty store'}")
    rows = np.arange(len(detections)) if run is None else np.flatnonzero(detections.run_ids == run)
    return Found(
        detections.scene_ids[rows],
        detections.classes[rows],
        detections.scores[rows],
        detections.to_polygons("pixel")[rows],
        tuple(scene for own, scene in detections.scenes if run is None or own == run),
        {name: scene.uri for (own, name), scene in detections.scenes.items() if run is None or own == run},
    )


def read_task1(folder: Path) -> Found:
    """Read a folder of DOTA Task 1 files, `Task1_<class>.txt` with lines `image score x1 y1 ... x4 y4`.

    Args:
        folder: The folder; other files in it are not looked at.

    Returns:
        The detections of all classes.

    Raises:
        SourceError: If there is no such file, or a line is damaged; the message gives its number and content.
    """
    paths = sorted(folder.glob(f"{TASK1_PREFIX}*.txt"))
    if not paths:
        raise SourceError(
            f"{folder} holds neither a store nor DOTA Task 1 files ({TASK1_PREFIX}<class>.txt); "
            "name the folder that does"
        )
    images: list[str] = []
    classes: list[str] = []
    rows: list[list[float]] = []
    for path in paths:
        name = path.stem.removeprefix(TASK1_PREFIX)
        before = len(rows)
        for number, line in enumerate(label_text(path).splitlines(), start=1):
            fields = line.split()
            if fields:
                images.append(fields[0])
                rows.append(_numbers(fields, f"{path}, line {number}: {line.strip()[:120]!r}"))
        classes.extend([name] * (len(rows) - before))
    values = np.asarray(rows, dtype=np.float64).reshape(-1, 9)
    names = np.asarray(images, dtype=np.str_), np.asarray(classes, dtype=np.str_)
    return Found(*names, values[:, 0], values[:, 1:].reshape(-1, 4, 2))


def _numbers(fields: list[str], where: str) -> list[float]:
    """Return score and corners of one line or say what is wrong with it."""
    if len(fields) != 10:
        raise SourceError(f"{where} has {len(fields)} fields; a result is `{_LINE_FORM}`. Correct or delete the line")
    try:
        values = [float(field) for field in fields[1:]]
    except ValueError as error:
        raise SourceError(f"{where}: {error}; a result is `{_LINE_FORM}`. Correct the line") from error
    if not all(math.isfinite(value) for value in values):
        raise SourceError(f"{where} has a value that is not finite; correct or delete the line")
    return values
