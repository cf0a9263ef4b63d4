"""Compares results of `make bench`, and names what got slower: python -m benchmarks.slower OLD NEW [--more 0.25].

OLD and NEW are JSON files of one benchmark, or folders of them. Machines drift by 20 to 45 % within an hour: run both
on one machine, one after the other, before you believe it. The exit code is 1 if something got slower.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MORE = 0.25  # share by which a time may grow
TIMES = ("median_ms", "min_ms", "seconds", "_ms")  # endings of names whose values are better if small
RATES = ("per_second_median", "per_second_best")  # and if large


def figures(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Yield the times and the rates in a result, by the path of names that leads to each; rates as times.

    Args:
        value: JSON values.
        name: The path so far.

    Yields:
        Name and value; the smaller, the faster.
    """
    if isinstance(value, dict):
        known = (str(value[key]) for key in ("model", "file", "layout", "question", "boxes", "case") if key in value)
        where = "/".join([*([name] if name else []), *known])
        for key, item in value.items():
            if isinstance(item, int | float) and not isinstance(item, bool):
                if key.endswith(RATES) and item > 0:
                    yield f"{where}/{key}", 1.0 / item
                elif key.endswith(TIMES):
                    yield f"{where}/{key}", float(item)
            else:
                yield from figures(item, f"{where}/{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from figures(item, name if isinstance(item, dict) else f"{name}/{number}")


def slower(old: Any, new: Any, more: float = MORE) -> list[str]:
    """Name what got slower.

    Args:
        old: JSON values of a benchmark.
        new: Those of the same one, later.
        more: Share by which a time may grow.

    Returns:
        A line for each figure of both, the worst first.
    """
    before = dict(figures(old))
    grown = [(time / before[name], name) for name, time in figures(new) if before.get(name, 0.0) > 0.0]
    return [
        f"{ratio:.2f} times as long: {name.strip('/')}"
        for ratio, name in sorted(grown, reverse=True)
        if ratio > 1.0 + more
    ]


def _pairs(old: Path, new: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the files to compare."""
    if not old.is_dir():
        yield old, new
        return
    yield from ((path, new / path.name) for path in sorted(old.glob("*.json")) if (new / path.name).exists())


def main() -> int:
    """Print what got slower."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--more", type=float, default=MORE)
    options = parser.parse_args()
    count = 0
    for before, after in _pairs(options.old, options.new):
        values = [json.loads(path.read_text(encoding="utf-8")) for path in (before, after)]
        if values[0].get("cpu") != values[1].get("cpu"):
            print(f"{after.name}: measured on another processor than {before.name}, so times cannot be compared")
            continue
        lines = slower(values[0], values[1], options.more)
        count += len(lines)
        for line in lines:
            print(f"{after.name}: {line}")
    print(f"{count} figures are slower by more than {options.more:.0%}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
