"""Detections into HBase and out of it: several writers, boxes, counts and densities. Ends in JSON.

Detections lie on the ground as in benchmarks/scale/query.py. Writers are processes; what they write is made before the
clock starts. Questions are asked by one process that has asked before.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import time
import uuid
from collections.abc import Callable

import numpy as np

from benchmarks._machine import processor
from benchmarks.cluster._ground import CLASSES, Ground, detections
from swathe.query import Query
from swathe.query.cells import Cells
from swathe.store import open_store, read
from swathe.store.protocol import StoredScene, Written

RUN = "benchmark"


def write(task: tuple[str, Ground, int, float]) -> tuple[Written, float]:
    """Write a scene when the time has come; return when it was done."""
    address, ground, number, start = task
    found, store = detections(ground, number, RUN), open_store(address)
    time.sleep(max(0.0, start - time.time()))
    return store.write(pending(ground, number), found), time.time()


def pending(ground: Ground, number: int) -> StoredScene:
    """Describe a scene that is to be looked at."""
    return StoredScene(RUN, ground.scene(number), "1", "pending", windows=1)


def fill(address: str, ground: Ground, numbers: range, writers: int, *, wait: float) -> float:
    """Write scenes, each by one writer, and return the seconds it took all of them."""
    store, start = open_store(address), time.time() + wait
    store.begin(RUN, {}, [pending(ground, number) for number in numbers])
    with multiprocessing.get_context("spawn").Pool(writers) as pool:
        tasks = [(address, ground, number, start) for number in numbers]
        done = pool.map(write, tasks, chunksize=1)
    seconds = max(end for _, end in done) - start
    begun = time.perf_counter()
    store.commit(RUN, [written for written, _ in done])
    return seconds + time.perf_counter() - begun


def median(ask: Callable[[], object], runs: int) -> float:
    """Ask several times, and return the median in milliseconds."""
    times = list[float]()
    for _ in range(runs + 1):
        start = time.perf_counter()
        ask()
        times.append(1e3 * (time.perf_counter() - start))
    return round(statistics.median(times[1:]), 1)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="hbase://host:port of a Thrift server, version 2")
    parser.add_argument("--each", type=int, default=50_000, help="detections of a scene, of 20")
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    address = f"{options.address}/benchmark-{uuid.uuid4().hex[:8]}"
    open_store(f"{address}?shards={options.shards}", create=True)
    ground = Ground(5, 4, options.each)
    single, rest = range(1), range(1, 20)
    result: dict[str, object] = {
        "machine": processor(),
        "load_before": os.getloadavg()[0],
        "detections": 20 * ground.each,
    }
    wait = 20.0  # seconds until the processes have made what they write
    result["in_by_one_writer_per_s"] = round(ground.each / fill(address, ground, single, 1, wait=wait))
    parts = [rest[first : first + options.writers] for first in range(0, len(rest), options.writers)]
    seconds = sum(fill(address, ground, part, options.writers, wait=wait) for part in parts)
    result["in_by_several_writers_per_s"] = round(len(rest) * ground.each / seconds)
    store, box, runs = open_store(address), Query(box=ground.box(0.01)), options.runs
    west, south, east, north = ground.box(1.0)
    whole = Cells((west, south, east, north), 64, 64)
    result["box_of_1_percent"] = {"matches": len(read(store, box)), "ms": median(lambda: read(store, box), runs)}
    scored = Query(box=ground.box(0.01), classes=(CLASSES[0],), min_score=0.8)
    result["same_by_class_and_score_ms"] = median(lambda: read(store, scored), runs)
    result["count_of_all_ms"] = median(store.count, runs)
    result["count_of_box_ms"] = median(lambda: store.count(box), runs)
    result["density_of_all_ms"] = median(lambda: store.density(None, whole), 2)
    small = Cells(ground.box(0.01), 64, 64)
    result["density_of_1_percent_ms"] = median(lambda: store.density(None, small), runs)
    if int(np.sum(store.density(None, whole))) > 20 * ground.each:
        raise SystemExit("more detections than were written")
    result["load_after"] = os.getloadavg()[0]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
