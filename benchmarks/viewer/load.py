"""Many clients at once: what the server of the map answers, how quickly, and how its memory grows.

Each client asks like a page does, one request after the other: tiles of detections at random places and zooms, tiles of
pixels, counts and features of a screen. First one client alone is timed, asking nothing twice. Ends in JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np

from benchmarks._machine import processor
from benchmarks.viewer._store import serving, write_store
from swathe.store import open_store
from swathe.viewer.frames import GroundFrame

if TYPE_CHECKING:
    from swathe.detections import SceneInfo

SCREEN = 0.1  # of the side of all scenes: 1 % of the ground
SCREEN_ZOOM = 16  # at which that fills a screen: nine tiles


def lonlat(scene: SceneInfo, chance: random.Random) -> tuple[float, float]:
    """Return a place in a scene."""
    x, y = scene.place(np.array([[chance.uniform(0, scene.width), chance.uniform(0, scene.height)]]), "lonlat")[0]
    return float(x), float(y)


def address(kind: str, scenes: list[SceneInfo], chance: random.Random) -> str:
    """Write a request of a kind."""
    scene = scenes[-1] if kind == "picture" else chance.choice(scenes[:-1])
    x, y = lonlat(scene, chance)
    if kind in {"boxes", "picture"}:
        zoom = chance.randint(15, 18) if kind == "boxes" else chance.randint(14, 19)
        ((column, row),) = GroundFrame(0, 0, 0).place(np.array([[x, y]])) * 2**zoom
        end = f"{zoom}/{int(column)}/{int(row)}"
        return f"api/tiles/detections/{end}.mvt" if kind == "boxes" else f"api/tiles/scenes/{end}.webp"
    side = SCREEN * scene.width * 0.5 / 111_000  # metres to degrees
    screen = f"bbox={x:.5f},{y:.5f},{x + side:.5f},{y + side:.5f}"
    return f"api/counts?{screen}" if kind == "counts" else f"api/collections/detections/items?limit=1000&{screen}"


KINDS = ("boxes", "boxes", "boxes", "picture", "picture", "counts", "features")


async def client(base: str, scenes: list[SceneInfo], seed: int, until: float, times: dict[str, list[float]]) -> None:
    """Ask until a time; errors raise."""
    chance = random.Random(seed)
    async with httpx.AsyncClient(base_url=base, timeout=60) as http:
        while time.monotonic() < until:
            kind = chance.choice(KINDS)
            started = time.monotonic()
            answer = await http.get(address(kind, scenes, chance))
            answer.raise_for_status()
            times[kind].append(1000 * (time.monotonic() - started))


async def screens(base: str, scenes: list[SceneInfo], count: int) -> dict[str, float]:
    """Ask for all tiles of boxes of screens that show 1 % of the ground, as a browser does, at places that are new."""
    chance, times = random.Random(3), []
    async with httpx.AsyncClient(base_url=base, timeout=60, limits=httpx.Limits(max_connections=6)) as http:
        for _ in range(count):
            ((x, y),) = (
                GroundFrame(0, 0, 0).place(np.array([lonlat(chance.choice(scenes[:-1]), chance)])) * 2**SCREEN_ZOOM
            )
            places = [(int(x) + column, int(y) + row) for column in range(3) for row in range(3)]
            started = time.monotonic()
            tiles = [http.get(f"api/tiles/detections/{SCREEN_ZOOM}/{column}/{row}.mvt") for column, row in places]
            for answer in await asyncio.gather(*tiles):
                answer.raise_for_status()
            times.append(1000 * (time.monotonic() - started))
    return {"median_ms": float(np.median(times)), "p95_ms": float(np.percentile(times, 95))}


def memory(process: int) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def summary(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Return number, median and 95th percentile in milliseconds by kind."""
    return {
        kind: {"requests": len(some), "p50_ms": float(np.median(some)), "p95_ms": float(np.percentile(some, 95))}
        for kind, some in sorted(times.items())
    }


async def measure(base: str, process: int, scenes: list[SceneInfo], clients: int, seconds: float) -> dict[str, object]:
    """Ask with one client, then with many."""
    alone: dict[str, list[float]] = defaultdict(list)
    together: dict[str, list[float]] = defaultdict(list)
    await client(base, scenes, 1, time.monotonic() + 3, defaultdict(list))  # imports, first opening
    await client(base, scenes, 2, time.monotonic() + 10, alone)
    screen = await screens(base, scenes, 20)
    before = memory(process)
    until = time.monotonic() + seconds
    asking = [asyncio.create_task(client(base, scenes, seed, until, together)) for seed in range(100, 100 + clients)]
    growth = []
    while time.monotonic() < until:
        await asyncio.sleep(min(5.0, seconds / 4))
        growth.append(round(memory(process)))
    await asyncio.gather(*asking)
    answered = sum(map(len, together.values()))
    return {
        "screen": screen,
        "alone": summary(alone),
        "together": summary(together),
        "requests_per_second": answered / seconds,
        "memory_mib": {"before": round(before), "during": growth},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=1_000_000)
    parser.add_argument("--scenes", type=int, default=1)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--stores", type=Path, help="Folder in which the store is kept for the next time.")
    given = parser.parse_args()
    about = {"detections": given.detections, "scenes": given.scenes, "clients": given.clients, "seconds": given.seconds}
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.stores or Path(temporary)) / f"{given.detections}-{given.scenes}"
        if not folder.exists():
            write_store(folder, given.detections, given.scenes)
        scenes = sorted(
            (stored.scene for stored in open_store(folder).scenes()), key=lambda scene: scene.id == "banepa"
        )
        with serving(folder) as (base, process):
            result = asyncio.run(measure(base, process, scenes, given.clients, given.seconds))
    print(json.dumps({"benchmark": "load", "cpu": processor(), **about, **result}))


if __name__ == "__main__":
    main()
