"""Suppresses oriented boxes with supervision, and prints the seconds and the memory that it took.

Runs in the tool's own environment: benchmarks/rivals/.venv-supervision/bin/python supervision_suppression.py FILE
FILE is an .npz of boxes (n, 5), scores, classes, corners (n, 4, 2) and the threshold.
"""

# mypy: ignore-errors
# The tool is not installed where types are checked.

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np
import supervision as sv


def main() -> None:
    """Suppress once."""
    given = np.load(sys.argv[1])
    corners = given["corners"]
    hulls = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    predictions = np.column_stack([hulls, given["scores"], given["classes"]])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    kept = sv.oriented_box_non_max_suppression(predictions, corners, float(given["iou"]))
    seconds = time.perf_counter() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"seconds": seconds, "kept": int(kept.sum()), "gigabytes": grown / 1e6}))


if __name__ == "__main__":
    main()
