"""How evenly windows are shared out among tasks: the paper's rank, hash, strips and cost; ends in JSON.

The fullest partition over the mean, by projected cost, over sizes of plans and numbers of partitions. It follows from
plans alone: scenes of many sizes, at two scales, and rows that end where scenes do, as a large run has them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

from swathe.engine.job import BatchJob, Job
from swathe.engine.partition import PARTITIONERS, imbalance
from swathe.engine.plan import make_plan
from swathe.engine.settings import RunSettings
from swathe.raster.opening import open_scene

SCENE = Path(__file__).resolve().parents[2] / "data" / "banepa" / "banepa.tif"
SETTINGS = RunSettings(tile=1024, stride=768, scales=(0.5, 1.0))
SIDES = (2_000, 30_000)  # of scenes, pixels
SIZES = (100, 1_000, 10_000)  # batches of windows
COUNTS = (5, 20, 40, 256)  # partitions


def batches(count: int) -> list[Job]:
    """Return the first batches of a run over scenes of random sizes."""
    random, jobs = Random(1), list[Job]()
    source = open_scene(str(SCENE))
    while len(jobs) < count:
        width, height = (random.randrange(*SIDES) for _ in range(2))
        scene = replace(source, id=f"scene-{len(jobs)}", width=width, height=height)
        (planned,) = make_plan([scene], SETTINGS).scenes
        jobs += [BatchJob(planned, batch) for batch in planned.batches()]
    return jobs[:count]


def main() -> None:
    """Compute, and print JSON."""
    rows = []
    for size in SIZES:
        jobs = batches(size)
        for count in (count for count in COUNTS if count < size):
            found = {name: imbalance(jobs, rule(jobs, count), count) for name, rule in PARTITIONERS.items()}
            rows.append(
                {"batches": size, "partitions": count} | {name: round(value, 3) for name, value in found.items()}
            )
    print(json.dumps({"imbalance": rows}))


if __name__ == "__main__":
    main()
