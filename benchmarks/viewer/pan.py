"""From a move of the map to drawn boxes, in headless Chromium: the time until it is idle again.

A jump shows a place whose tiles nobody has asked for; a pan goes on by half a screen. At zooms with cells and with
boxes, over one large scene and over many. Ends in JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks._machine import processor
from benchmarks.viewer._store import serving, write_store
from swathe.store import open_store

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from map_server import browse, chromium  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from swathe.detections import SceneInfo

LAYOUTS = ((1_000_000, 1), (5_000_000, 500))  # detections, scenes
ZOOMS = (13, 15, 16, 17, 18)
PLACES = 3  # at each zoom
WIDTH, HEIGHT = 1280, 800
MOVE = """([call, argument]) => new Promise((done) => {
  const begun = performance.now();
  swathe.map.once("idle", () => {
    const time = performance.now() - begun;
    done([time, swathe.map.queryRenderedFeatures({ layers: ["cells", "boxes", "points"] }).length]);
  });
  swathe.map[call](...argument);
})"""


def moves(page: Page, scene: SceneInfo, zoom: int, chance: random.Random) -> Iterator[tuple[str, float, int]]:
    """Jump to a place and go on from it twice; yields kind, milliseconds and how many shapes are drawn."""
    place = [[chance.uniform(0.2, 0.8) * scene.width, chance.uniform(0.2, 0.8) * scene.height]]
    center = scene.place(np.array(place), "lonlat")[0].tolist()
    step = chance.choice([[WIDTH / 2, 0], [-WIDTH / 2, 0], [0, HEIGHT / 2], [0, -HEIGHT / 2]])
    for kind, call, argument in (
        ("jump", "jumpTo", [{"center": center, "zoom": zoom}]),
        ("pan", "panBy", [step, {"animate": False}]),
        ("pan", "panBy", [step, {"animate": False}]),
    ):
        time, drawn = page.evaluate(MOVE, [call, argument])
        yield kind, time, drawn
        page.wait_for_timeout(500)  # the counts beside the map


def measure(folder: Path) -> list[dict[str, Any]]:
    """Look at a store."""
    scenes = [stored.scene for stored in open_store(folder).scenes() if stored.detections]
    chance, results = random.Random(1), []
    with serving(folder) as (address, _), chromium() as browser:
        with browse(browser, address, WIDTH, HEIGHT):  # imports, first opening
            pass
        with browse(browser, address, WIDTH, HEIGHT) as page:
            for zoom in ZOOMS:
                seen = [move for _ in range(PLACES) for move in moves(page, chance.choice(scenes), zoom, chance)]
                for kind in ("jump", "pan"):
                    times = [time for name, time, _ in seen if name == kind]
                    results.append(
                        {
                            "zoom": zoom,
                            "move": kind,
                            "median_ms": round(float(np.median(times)), 1),
                            "p95_ms": round(float(np.percentile(times, 95)), 1),
                            "most_drawn": max(drawn for name, _, drawn in seen if name == kind),
                        }
                    )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=Path, help="Folder in which the stores are kept for the next time.")
    given = parser.parse_args()
    layouts = []
    with tempfile.TemporaryDirectory() as temporary:
        for detections, scenes in LAYOUTS:
            folder = (given.stores or Path(temporary)) / f"{detections}-{scenes}"
            if not folder.exists():
                write_store(folder, detections, scenes)
            layouts.append({"detections": detections, "scenes": scenes, "moves": measure(folder)})
    print(json.dumps({"benchmark": "pan", "cpu": processor(), "screen": [WIDTH, HEIGHT], "layouts": layouts}))


if __name__ == "__main__":
    main()
