"""Results that are kept one by one: faults are measured in any order, and one that fails does not cost the others."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks._machine import processor

RESULTS = Path(__file__).resolve().parents[1] / "results"


def measure(file: str, owner: object, names: Iterable[str]) -> None:
    """Call methods by name, and keep what each returns in a file of results.

    Args:
        file: Its name; results that it has of other methods stay.
        owner: Of the methods.
        names: Which to call.
    """
    path = RESULTS / file
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in names:
        print(name, file=sys.stderr, flush=True)
        load = round(os.getloadavg()[0], 1)
        measured: Callable[[], dict[str, object]] = getattr(owner, name)
        found = {**found, "machine": processor(), name: {**measured(), "load_before": load}}
        print(json.dumps(found[name]), file=sys.stderr, flush=True)
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
