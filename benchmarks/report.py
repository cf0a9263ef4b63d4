"""Draws docs/benchmarks.md from the JSON of the benchmarks: a table for each list of measurements in it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "benchmarks.md"

HEADER = """# Benchmarks

Written by `make bench`; do not edit. Machines drift by 20 to 45 % within an hour: compare only what stands in one
table, where the ways were run in turn. The processor stands beside each table.
"""


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the numbers and words of nested mappings under dotted names; lists of measurements are left out."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        elif not (isinstance(value, list) and value and isinstance(value[0], Mapping)):
            yield f"{prefix}{name}", value


def tables(result: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the lines of a table for each list of measurements, after one of the single values."""
    single = [(name, value) for name, value in flattened(result) if name != "benchmark"]
    yield ["| value | |", "|---|---|", *(f"| {name} | {shown(value)} |" for name, value in single)]
    for rows in result.values():
        if isinstance(rows, list) and rows and isinstance(rows[0], Mapping):
            flat = [dict(flattened(row)) for row in rows]
            columns = list(dict.fromkeys(name for row in flat for name in row))
            lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
            yield lines + [f"| {' | '.join(shown(row.get(name)) for name in columns)} |" for row in flat]


def shown(value: Any) -> str:
    """Return a value as the table shows it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def main() -> int:
    """Write the page."""
    paths = sorted(RESULTS.glob("*.json"))
    if not paths:
        sys.stderr.write(f"error: no results in {RESULTS}; run: make bench\n")
        return 1
    parts = [HEADER]
    for path in paths:
        result = json.loads(path.read_text(encoding="utf-8"))
        parts.append(f"## {result.get('benchmark', path.stem)}\n")
        parts += ["\n".join(lines) + "\n" for lines in tables(result)]
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    print(f"{PAGE}: {len(paths)} benchmarks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
