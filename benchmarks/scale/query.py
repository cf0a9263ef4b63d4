"""Queries over millions of detections in two layouts of a store, cold and warm, beside DuckDB on the same files.

Few large scenes and many small ones cover the same ground with the same density. Cold means a new process each time,
with the files of the store thrown out of the page cache first; only the query is timed, imports are not. Warm means
one process that has asked before. Ways take turns. DuckDB selects by the `bbox` columns and its rows are then tested
by shapely, so that both give the same answer, which is checked by counting; it has no geodesic distance to ask for.
Ends in JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from rasterio.crs import CRS

from benchmarks._machine import processor
from swathe.detections import Detections, SceneInfo
from swathe.query import Query
from swathe.store import open_store, read
from swathe.store.protocol import StoredScene

CLASSES = tuple(f"class {number:02d}" for number in range(15))
METRES_PER_PIXEL = 0.5
SPACING = 32.0  # pixels between neighbouring objects on average
RUN = "benchmark"
LAYOUTS = {"few large scenes": (10, 5), "many small scenes": (25, 20), "many, compacted": (25, 20)}
WAYS = ("swathe", "duckdb")


@dataclass(frozen=True)
class Ground:
    """Scenes side by side in a UTM zone."""

    columns: int  # scenes from west to east
    rows: int  # scenes from north to south
    each: int  # detections of a scene

    @property
    def side(self) -> int:
        """Side of a scene in pixels."""
        return math.isqrt(round(SPACING**2 * self.each))

    def scene(self, number: int) -> SceneInfo:
        """Return one of the scenes."""
        row, column = divmod(number, self.columns)
        metres = self.side * METRES_PER_PIXEL
        west, north = 300_000 + column * metres, 3_100_000 - row * metres
        transform = (METRES_PER_PIXEL, 0.0, west, 0.0, -METRES_PER_PIXEL, north)
        name = f"scene {number:03d}"
        return SceneInfo(name, f"{name}.tif", self.side, self.side, CRS.from_epsg(32645).to_wkt(), transform)

    def lonlat(self, east: float, south: float) -> tuple[float, float]:
        """Return longitude and latitude of a place, given as shares of the whole way east and south."""
        point = np.array([[east * self.columns * self.side, south * self.rows * self.side]])
        longitude, latitude = self.scene(0).place(point, "lonlat")[0].tolist()
        return longitude, latitude

    def box(self, share: float) -> tuple[float, float, float, float]:
        """Return a box around the middle that has this share of the area."""
        half = 0.5 * share**0.5
        west, south = self.lonlat(0.5 - half, 0.5 + half)
        east, north = self.lonlat(0.5 + half, 0.5 - half)
        return west, south, east, north


def build(path: Path, ground: Ground, *, compacted: bool) -> None:
    """Fill a store."""
    store = open_store(path, create=True)
    count = ground.columns * ground.rows
    scenes = [StoredScene(RUN, ground.scene(number), "", "pending", 1) for number in range(count)]
    store.begin(RUN, {}, scenes)
    written = []
    for number, stored in enumerate(scenes):
        random = np.random.default_rng(number)
        centres = random.uniform(0, ground.side, (ground.each, 2))
        sizes = random.lognormal(3, 0.4, (ground.each, 2))
        boxes = np.column_stack([centres, sizes, random.uniform(-1.5, 1.5, ground.each)])
        weights = np.arange(len(CLASSES), 0, -1) ** 2.0
        indexes = random.choice(len(CLASSES), ground.each, p=weights / weights.sum())
        found = Detections.from_arrays(boxes, random.beta(3, 2, ground.each), indexes, CLASSES, stored.scene, RUN)
        written.append(store.write(stored, found))
    store.commit(RUN, written)
    if compacted:
        store.compact(timedelta(0))


def files_of(path: Path) -> list[str]:
    """Return the files of detections of a store."""
    return sorted({f"{path}/{stored.file}" for stored in open_store(path).scenes()})


def questions(ground: Ground) -> dict[str, Query]:
    """Return what is asked."""
    return {
        "box of 1 %": Query(box=ground.box(0.01)),
        "class and score": Query(classes=(CLASSES[-1],), min_score=0.9),
        "within 1 km": Query(near=(*ground.lonlat(0.3, 0.3), 1000.0)),
        "one scene": Query(scenes=(ground.scene(7).id,)),
    }


def ask_swathe(path: Path, query: Query) -> int:
    """Count the matches that Swathe finds."""
    return len(read(open_store(path), query))


def ask_duckdb(path: Path, query: Query) -> int:
    """Count the matches that DuckDB finds: all columns as an Arrow table, then exact footprints."""
    import duckdb
    import shapely

    conditions, values = ["true"], list[object]()
    if query.box is not None:
        west, south, east, north = query.box
        conditions.append("bbox.xmin <= ? and bbox.ymin <= ? and bbox.xmax >= ? and bbox.ymax >= ?")
        values += [east, north, west, south]
    if query.min_score is not None:
        conditions.append("score >= ?")
        values.append(query.min_score)
    for column, names in (("class", query.classes), ("scene", query.scenes)):
        if names is not None:
            conditions.append(f"{column} = ?")
            values += names
    text = f"select * replace (geometry::blob as geometry) from read_parquet({files_of(path)}) where "
    with duckdb.connect() as connection:
        connection.execute("load parquet")
        table = connection.sql(text + " and ".join(conditions), params=values).to_arrow_table()
    if query.box is None:
        return int(table.num_rows)
    footprints = shapely.from_wkb(table.column("geometry").to_numpy())
    region = shapely.box(*query.box)
    shapely.prepare(region)
    return int(shapely.intersects(region, footprints).sum())


ASK: dict[str, Callable[[Path, Query], int]] = {"swathe": ask_swathe, "duckdb": ask_duckdb}


def forget(path: Path) -> None:
    """Throw the files of a store out of the page cache."""
    for file in path.rglob("*"):
        if file.is_file():
            handle = os.open(file, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def timed(way: str, path: Path, query: Query) -> tuple[float, int]:
    """Ask once; milliseconds and the number of matches."""
    start = time.perf_counter()
    count = ASK[way](path, query)
    return 1e3 * (time.perf_counter() - start), count


def cold(way: str, path: Path, question: str, ground: Ground) -> tuple[float, int]:
    """Ask once in a new process, of files that are not in memory."""
    forget(path)
    numbers = [str(number) for number in (ground.columns, ground.rows, ground.each)]
    command = [sys.executable, "-m", "benchmarks.scale.query", "--one", way, str(path), question, *numbers]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    milliseconds, count = json.loads(done.stdout.splitlines()[-1])
    return milliseconds, count


def one(arguments: list[str]) -> None:
    """Answer one question in this process, imports and a question of an empty store before it."""
    way, path, question, *numbers = arguments
    ground = Ground(*map(int, numbers))
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder) / "store", Ground(1, 1, 10), compacted=False)
        ASK[way](Path(folder) / "store", questions(ground)["one scene"])
    print(json.dumps(timed(way, Path(path), questions(ground)[question])))


def measure(path: Path, ground: Ground, runs: int) -> Iterator[dict[str, object]]:
    """Ask all questions, ways in turn."""
    for question, query in questions(ground).items():
        ways = WAYS[:1] if query.near is not None else WAYS
        for state in ("cold", "warm"):
            times: dict[str, list[float]] = {way: [] for way in ways}
            counts = set()
            for repeat in range(runs + (state == "warm")):
                for way in ways:
                    taken, count = cold(way, path, question, ground) if state == "cold" else timed(way, path, query)
                    counts.add(count)
                    if repeat or state == "cold":  # the first warm one warms up
                        times[way].append(taken)
            if len(counts) != 1:
                raise SystemExit(f"{question}: the ways disagree, {sorted(counts)} matches")
            found = {way: {"median_ms": statistics.median(all_), "min_ms": min(all_)} for way, all_ in times.items()}
            rounded = {way: {key: round(value, 1) for key, value in row.items()} for way, row in found.items()}
            print(f"  {question:<16} {state:<5} {rounded}", flush=True)
            yield {"question": question, "state": state, "matches": counts.pop(), "ways": rounded}


def main() -> None:
    """Run the benchmark and print its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=5_000_000, help="in each store (default 5 million)")
    parser.add_argument("--runs", type=int, default=5, help="questions of each kind (default 5)")
    parser.add_argument("--folder", type=Path, help="where the stores are written for the time of the run")
    parser.add_argument("--one", nargs=6, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.one)
        return
    layouts = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for name, (columns, rows) in LAYOUTS.items():
            path, ground = Path(folder) / name, Ground(columns, rows, arguments.detections // (columns * rows))
            build(path, ground, compacted="compacted" in name)
            files = files_of(path)
            size = sum(Path(file).stat().st_size for file in files)
            print(f"{name}: {len(files)} files, {size / 2**20:.0f} MiB", flush=True)
            answers = list(measure(path, ground, arguments.runs))
            scenes = columns * rows
            layouts.append({"layout": name, "scenes": scenes, "files": len(files), "bytes": size, "answers": answers})
    report = {"benchmark": "queries", "cpu": processor(), "detections": arguments.detections}
    print(json.dumps({**report, "layouts": layouts}))


if __name__ == "__main__":
    main()
