"""Why a cluster can seem faster than its cores: one process with many threads beside workers of one; ends in JSON.

The paper finds 9.5 times the speed of one machine on five, and 12.3 times on eight. No machine works faster for being
in a cluster: what it is compared with is slow. PyTorch as it starts by itself shares each operation of the network out
among threads, which wait for each other after each of them; workers of one thread each wait for nobody. Here are both,
on the cores of this machine: the bare network (size s, random weights, float32, eager), windows of 1024 pixels.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from dataclasses import replace

from benchmarks._machine import processor
from benchmarks.end_to_end.windows_per_second import ceiling
from benchmarks.rivals.scene import write_model
from benchmarks.scale._scenes import CACHE
from swathe.detectors.registry import resolve_model


def ways(cores: int) -> list[tuple[int, int]]:
    """Return pairs of processes and threads of each: one process with up to four threads a core, and one per core."""
    return [(1, threads) for threads in sorted({1, cores, 2 * cores, 4 * cores})] + [(cores, 1)]


def main() -> None:
    """Measure, and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all ways in turn (default 3)")
    rounds: int = parser.parse_args().rounds
    path = write_model(CACHE.parent / "random-s.onnx").with_suffix(".safetensors")
    spec = resolve_model(path, backend="torch", min_score=0.9)[0]
    found: dict[tuple[int, int], list[float]] = {way: [] for way in ways(len(os.sched_getaffinity(0)))}
    for _ in range(rounds):
        for (processes, threads), rates in found.items():
            rates.append(ceiling(replace(spec, threads=threads), processes))
            print(f"{processes} x {threads} threads: {rates[-1]:.2f} windows/s", flush=True)
    results = [
        {"processes": processes, "threads": threads, "rates": rates, "median": statistics.median(rates)}
        for (processes, threads), rates in found.items()
    ]
    print(json.dumps({"benchmark": "threads and workers", "cpu": processor(), "results": results}))


if __name__ == "__main__":
    main()
