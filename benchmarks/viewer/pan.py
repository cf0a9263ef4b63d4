"""From a pan to drawn boxes, in headless Chromium: the time until the map is idle again.

At zooms with cells and with boxes. Ends in JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks._machine import processor
from benchmarks.viewer._store import serving, write_store

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from map_server import browse, chromium  # type: ignore[import-not-found]

PANS = 15  # at each zoom
JUMP = """([x, y, zoom]) => new Promise((done) => {
  const begun = performance.now();
  swathe.map.once("idle", () => {
    const time = performance.now() - begun;
    done([time, swathe.map.queryRenderedFeatures({ layers: ["boxes", "points"] }).length]);
  });
  swathe.map.jumpTo({ center: [x, y], zoom });
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=1_000_000)
    parser.add_argument("--scenes", type=int, default=1)
    given = parser.parse_args()
    chance, results = random.Random(1), {}
    with tempfile.TemporaryDirectory() as folder:
        scenes = write_store(Path(folder) / "store", given.detections, given.scenes)
        with serving(Path(folder) / "store") as (address, _), chromium() as browser, browse(browser, address) as page:
            for zoom in (13, 15, 17, 18):
                times, boxes = [], []
                for _ in range(PANS):
                    scene = chance.choice(scenes[:-1])
                    place = [[chance.uniform(0.2, 0.8) * scene.width, chance.uniform(0.2, 0.8) * scene.height]]
                    x, y = scene.place(np.array(place), "lonlat")[0].tolist()
                    time, drawn = page.evaluate(JUMP, [x, y, zoom])
                    times.append(time)
                    boxes.append(drawn)
                results[zoom] = {
                    "p50_ms": float(np.median(times)),
                    "p95_ms": float(np.percentile(times, 95)),
                    "boxes": max(boxes),
                }
    print(json.dumps({"machine": processor(), **vars(given), "zooms": results}))


if __name__ == "__main__":
    main()
