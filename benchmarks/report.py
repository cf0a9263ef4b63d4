"""Writes docs/benchmarks.md from the JSON of the benchmarks: what each one measures, how to read it, and a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.charts import CHARTS, draw

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "benchmarks.md"

HEADER = """\
# Benchmarks

Written by `make bench`, which runs all of them and takes a while; do not edit. Machines drift by 20 to 45 % within an
hour, so compare only what stands in one table: there all ways were run in turn. Times are medians. The raw numbers,
best times among them, are in `benchmarks/results`.
"""

WHOLE_RUNS = """\
Whole runs on the scene of the demo (5760 x 4736 pixels, JPEG) with ONNX Runtime: opening the model in the worker
processes, reading, inference, merge and store. Windows of 1024 pixels at scale 1, every 768 pixels. The demo itself
looks at scale 0.75, for which `buildings` was trained: fewer windows, and fewer boxes.

The ceiling is the bare model on windows of the same size, loaded and warm, in as many processes as the run has
workers. The start of the processes counts for Swathe and not for the ceiling. It takes the same time however large
the scene, so it weighs on one as short as this, and most on the smallest model: the virtual mosaic, the same scene
three times beside and twice below itself, tells how much. `random-s` has random weights, 15 classes and a score
threshold that leaves no boxes, so that merge and store have nothing to do.

The table is of November 2026, before runs grew scene by scene. Since then, on another machine (AMD EPYC, 2 cores,
AVX-512), one round: 7.9 of 14.5 windows/s (0.54), the mosaic 11.9 of 14.4 (0.83), `random-s` 2.9 of 3.3 (0.87).
"""

SUPPRESSION = """\
Exact greedy rotated suppression per class (15 classes, IoU above 0.2) of made-up detections, four per object, as
dense as in a busy scene; one process, machine code already compiled.

The ceiling is the exact overlap of each pair of a class that shares any area, computed once: {us_per_pair:.2f}
microseconds per pair. Sorting, the search for neighbours and all else come on top; bounds that decide a pair without
its exact overlap save some of it. Shapely (a tree over polygons, exact overlap) must keep the same boxes. OpenCV
(`NMSBoxesRotated`, called class by class) computes in float32 and may keep others. Both are left out where they take
too long to repeat.
"""

READS = """\
The same made-up picture, {size:,} x {size:,} pixels, in several kinds of files; each window has {tile:,} x {tile:,}
level pixels, one every {stride:,}. Milliseconds per window, for whole rows of windows as a run reads them and for
windows from all over the scene.

The ceiling is the uncompressed tiled file: there nothing is decoded, only copied and, at scales other than 1,
resampled; "x ceiling" is for rows. At scale 0.5 a window covers four times the pixels of the scene, unless the file
has an overview to read instead, which is how one file passes below the ceiling. Striped files and PNG are decoded in
bands that neighbouring windows share, hence less than one read per window in rows at scale 1 and above. Out of order
they are decoded anew, and PNG always from its top; runs never read them that way. Reads are calls to GDAL, MB are
decoded pixels.
"""

MEMORY = """\
Peak memory of whole runs, two worker processes unless the case says otherwise, beside the projection of the plan. The
scenes hold one repeated picture. The detector reads every window and finds a lattice of objects, as many as the case
asks for; the shipped model looks at the first windows of each process besides, which takes all the memory that it ever
takes.

Measured is the sum of the proportional set sizes (PSS) of all processes, every {period_ms} ms from outside: a page that
several processes share counts once. Resident sizes (RSS) count it in each of them, and so tell too much. PSS tells too
little of libraries that programs beside the run have loaded, too. "Merging" and "publishing" are the highest sums while
a scene is merged and stored; the workers have ended by then if it is the last one.

The table is of November 2026, before workers merged. Since then, on another machine (AMD EPYC, 2 cores, AVX-512):
15,000 x 15,000 takes 1,123 MiB of 1,202 projected, 60,000 x 60,000 takes 1,113 of 1,317.
"""

QUERIES = """\
{detections:,} detections in three layouts of a store over the same ground: few large scenes, many small ones, and the
latter after `swathe compact`. The box has 1 % of the area; the class is the rarest of 15, with a score of 0.9 or more.

Cold: a new process, whose imports are not counted, and files thrown out of the page cache. Warm: one process that has
asked before. DuckDB (as many threads as cores) reads the same files, selects by the `bbox` columns and hands
all columns over; shapely then tests the footprints, so that both find the same. It has no geodesic distance to ask for.

The table is of store format 2. Format 3 (Delta tables) on another machine (AMD, 2 cores, AVX-512), warm: the box 107 ms
in 50 files and 153 ms in 500 (DuckDB 120 and 244), class and score 491 and 654 ms (DuckDB 394 and 394).
"""


@dataclass(frozen=True)
class Section:
    """One benchmark on the page."""

    title: str
    text: str  # what is measured, what the ceiling is, how to read it; may name single values of the result
    table: Callable[[Mapping[str, Any]], list[list[str]]]  # rows of cells, column heads first


def whole_runs(result: Mapping[str, Any]) -> list[list[str]]:
    """Tabulate windows per second of whole runs beside the bare model."""
    heads = ["model", "windows", "whole run, windows/s", "bare model, windows/s", "whole run / bare model"]
    rows = [[*heads, "boxes stored"]]
    for model in result["models"]:
        if "skipped" in model:
            rows.append([model["model"], f"not run: {model['skipped']}", *["–"] * 4])
            continue
        rates = [model["windows_per_second_median"], model["bare_model_per_second_median"]]
        cells = [f"{model['windows']:,}", *(f"{rate:.1f}" for rate in rates), f"{model['ratio_median']:.2f}"]
        rows.append([model["model"], *cells, f"{model['detections']:,}"])
    return rows


def suppression(result: Mapping[str, Any]) -> list[list[str]]:
    """Tabulate the times of rotated suppression, the ceiling beside them."""
    rivals = {"shapely STRtree": "shapely", "opencv per class": "OpenCV"}
    heads = ["boxes", "overlapping pairs", "Swathe, ms", "ceiling, ms", *(f"{name}, ms" for name in rivals.values())]
    rows = [[*heads, "boxes kept by Swathe", *(f"by {name}" for name in rivals.values())]]
    for scene in result["scenes"]:
        ways = scene["ways"]
        others = [ways.get(name) for name in rivals]
        rows.append(
            [
                f"{scene['boxes']:,}",
                f"{scene['pairs']:,}",
                milliseconds(ways["swathe"]["median_ms"]),
                milliseconds(scene["pairs"] * result["us_per_pair"] / 1000),
                *("–" if other is None else milliseconds(other["median_ms"]) for other in others),
                f"{ways['swathe']['kept']:,}",
                *("–" if other is None else f"{other['kept']:,}" for other in others),
            ]
        )
    return rows


def reads(result: Mapping[str, Any]) -> list[list[str]]:
    """Tabulate the times of reading windows, a line for each scale and file."""
    heads = ["in rows, ms", "x ceiling", "scattered, ms", "reads per window, rows / scattered"]
    rows = [["scale", "file", *heads, "MB per window, rows / scattered"]]
    found = {(way["scale"], way["file"], way["order"]): way for way in result["windows"]}
    files = list(dict.fromkeys(way["file"] for way in result["windows"]))
    for scale in sorted({way["scale"] for way in result["windows"]}):
        for file in files:
            ordered, scattered = found[scale, file, "rows"], found[scale, file, "scattered"]
            ceiling = found[scale, files[0], "rows"]["median_ms"]
            cells = [milliseconds(ordered["median_ms"]), f"{ordered['median_ms'] / ceiling:.1f}"]
            cells.append(milliseconds(scattered["median_ms"]))
            counts = ("reads_per_window", "megabytes_per_window")
            rows.append(
                [f"{scale:g}", file, *cells, *(f"{ordered[name]:.1f} / {scattered[name]:.1f}" for name in counts)]
            )
    return rows


def memory(result: Mapping[str, Any]) -> list[list[str]]:
    """Tabulate the peak memory of whole runs beside the projection."""
    heads = ["case", "windows", "raw detections", "stored", "projected, MiB", "measured PSS, MiB"]
    rows = [[*heads, "projected / measured", "merging, MiB", "publishing, MiB", "measured RSS, MiB"]]
    for case in result["cases"]:
        projected, measured, phases = case["projected_mib"], case["peak_pss_mib"], case["peak_pss_mib_by_phase"]
        counts = [f"{case[name]:,}" for name in ("windows", "raw_detections", "detections")]
        moments = [f"{phases[name]:,.0f}" if name in phases else "–" for name in ("merge", "publish")]
        sizes = [f"{projected:,.0f}", f"{measured:,.0f}", f"{projected / measured:.2f}"]
        rows.append([case["case"], *counts, *sizes, *moments, f"{case['peak_rss_mib']:,.0f}"])
    return rows


def queries(result: Mapping[str, Any]) -> list[list[str]]:
    """Tabulate the times of queries, a line for each layout and question."""
    heads = [f"{way}, {state}, ms" for state in ("cold", "warm") for way in ("Swathe", "DuckDB")]
    rows = [["layout", "files", "question", "matches", *heads]]
    for layout in result["layouts"]:
        found = {(answer["question"], answer["state"]): answer for answer in layout["answers"]}
        for question in dict.fromkeys(answer["question"] for answer in layout["answers"]):
            cells = []
            for state in ("cold", "warm"):
                ways = found[question, state]["ways"]
                cells += [milliseconds(ways[way]["median_ms"]) if way in ways else "–" for way in ("swathe", "duckdb")]
            matches = f"{found[question, 'warm']['matches']:,}"
            rows.append([layout["layout"], f"{layout['files']:,}", question, matches, *cells])
    return rows


SECTIONS = {
    "end_to_end-windows_per_second": Section("Windows per second, end to end", WHOLE_RUNS, whole_runs),
    "micro-nms": Section("Rotated non-maximum suppression", SUPPRESSION, suppression),
    "reads-windows": Section("Reading windows", READS, reads),
    "scale-query": Section("Queries", QUERIES, queries),
    "scale-memory": Section("Memory", MEMORY, memory),
}


def milliseconds(value: float) -> str:
    """Return a time with two or three digits that mean something."""
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def machine(cpu: Mapping[str, Any]) -> str:
    """Describe the processor in a sentence."""
    words = [str(cpu["name"])]
    if "cores" in cpu:
        words.append(f"{cpu['cores']} cores")
    words += [name for key, name in (("avx512", "with AVX-512"), ("avx2", "with AVX2")) if cpu.get(key)][:1]
    return f"Measured on: {', '.join(words)}."


def lines_of(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a Markdown table; the first row holds the heads, numbers stand at the right."""
    columns = list(zip(*rows[1:], strict=True))
    numbers = [all(cell[:1].isdigit() or cell == "–" for cell in column) for column in columns]
    yield f"| {' | '.join(rows[0])} |"
    yield "|" + "|".join("---:" if is_number else "---" for is_number in numbers) + "|"
    for row in rows[1:]:
        yield f"| {' | '.join(row)} |"


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the page, and draw its charts.

    Args:
        results: Name of a section -> what its benchmark printed; those that are missing are left out.

    Returns:
        The page, in Markdown.
    """
    parts = [HEADER]
    for name, section in SECTIONS.items():
        if name in results:
            result = results[name]
            text = section.text.format_map(result)
            table = "\n".join(lines_of(section.table(result)))
            picture = f"{draw(name, result)}\n\n" if name in CHARTS else ""
            parts.append(f"## {section.title}\n\n{text}\n{picture}{table}\n\n{machine(result['cpu'])}\n")
    return "\n".join(parts)


def main() -> int:
    """Write the page."""
    paths = {name: RESULTS / f"{name}.json" for name in SECTIONS}
    results = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}
    if not results:
        sys.stderr.write(f"error: no results in {RESULTS}; run: make bench\n")
        return 1
    PAGE.write_text(page(results), encoding="utf-8")
    print(f"{PAGE}: {len(results)} benchmarks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
