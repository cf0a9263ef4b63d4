"""Writes docs/benchmarks.md from the JSON of the benchmarks: what each one measures, how to read it, and a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
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


RIVALS = """\
A scene of 60 million pixels, 84 windows of 1024 pixels every 824, a JPEG in tiles with overviews. Swathe is the whole
command, from its start to the committed store, with a model of size s (44.6 billion operations a window); it looks at
fewer and larger windows by itself. SAHI 0.12.8 cuts as said and runs YOLO11s-obb of Ultralytics (58.1 billion); its
model is loaded before the clock starts. The row "with SAHI's YOLO11s-obb" is that very ONNX file run by Swathe in the
same windows: the difference of the two tools around a model. Weights are random and thresholds high, so that no box
is left to merge. All ways ran in turn. `python -m benchmarks.rivals.scene build/rivals` measures it, after
`benchmarks/rivals/install.sh sahi` and `... supervision`.

Rotated suppression of {suppression[boxes]:,} made-up boxes: Swathe {suppression[swathe][seconds]:.4f} seconds,
supervision 0.31 {suppression[supervision][seconds]:.1f} seconds and {suppression[supervision][gigabytes]:.1f} GB.
"""


@dataclass(frozen=True)
class Section:
    """One benchmark on the page."""

    title: str
    text: str  # what is measured, what the ceiling is, how to read it; may name single values of the result
    table: Callable[[Mapping[str, Any]], list[list[str]]]  # rows of cells, column heads first


STRIPS = """\
One scene of 30,000 x 30,000 pixels with five million raw detections, of which each of 1.4 million objects has 3.6: two
scales, and windows that overlap by a quarter. It is merged at once by one job, and in strips by several, into files
that are equal byte for byte. The windows are those of a detector that looks at no pixels. Peak memory is that of the
worker process that takes most. Finding the strips, merging them, and writing the file after what is open is settled
are jobs of their own; how long each kind takes is known of a lone worker. Most of the memory and time is the writing.
"""

PLANNING = """\
What the driver of a run takes when all workers have done their jobs already: from scenes that are open to the plan, the
jobs, which are packed for sending, and the commit. Peak memory includes the libraries, 140 MiB.
"""

SIMULATION = """\
Times that were measured on this machine, put on clusters that are not here: `benchmarks/scale/simulate.py` says how.
Efficiency is the rate for each core, over that of the best single process without Spark, and over that of one core
with Spark. Scenes are of very different sizes, one in five without tiles. The model is fast, so that all else weighs
most: {check[window_ms]:.0f} ms a window. A real run on two cores took {check[measured_seconds]:.0f} s, its
simulation {check[simulated_seconds]:.0f} s.

Start-up, stages, tasks that drag on, and merges are in it, and that a core is slower beside another one than alone, as
on this machine; that is most of what eight cores lack. It is not in it that many cores compete for memory and disks,
that a machine is slower than others, or is lost.
"""

ENGINES = """\
The same detection (size s, random weights, `{backend}`) by `swathe detect` with local worker processes, and with Spark
in local mode and as many tasks at once, in turn. "Command" is all of it, the start of Python, Java and Spark included;
"run" is what it takes in a session that is there already. "Over local" is the median of the ratios of each round.

The last columns are for Fig. 10 of the paper: what each worker does in a run, over what the one worker of a single
process does, and of the same engine; "–" where one worker was not measured.

Beside Java the model takes 3 % longer at 525 windows. What Spark costs in a run is 4.4 s at 54 windows and 7.8 s at
525: most of it is fixed, and the rest grows with the work.
"""

BASELINE = """\
The paper's Fig. 10 has 9.5 times the speed of one machine on five, and 12.3 on eight: more than linear. No machine
works faster for being in a cluster; its baseline is slow. The threads of a single PyTorch process meet after every
operation: with more of them than cores they wait for each other, while workers of one thread each wait for nobody. Here
both, on two cores: the bare network of size s, float32, eager, three rounds in turn. The last column is what eight such
machines with a worker for each core would be called against this baseline, without any loss: eight, if the baseline
were fair. So the effect of the paper is there, and smaller; how many threads its baseline had, it does not say.
"""

STAGE = """\
Fig. 11 of the paper again: the inference stage on two workers of Spark which have their model already, windows of 320
pixels, scenes of many sizes, one in five without tiles. Times are medians of ways in turn. With two cores the stage is
short if the last partitions are; with a core for each partition it lasts as long as its fullest one, hence the last
columns: the fullest partition over the mean, by projected cost and by the seconds of its task, and these seconds.
"""


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


def strips(result: Mapping[str, Any]) -> list[list[str]]:
    """Tabulate time and memory of merging one scene at once and in strips."""
    kinds = {"cut": "finding strips, s", "strip": "strips, s", "write": "writing, s"}
    rows = [["merge", "strips", "seconds", *kinds.values(), "peak of a worker, MiB"]]
    for case in result["cases"]:
        spent = [sum(case["job_seconds"][kind]) if kind in case["job_seconds"] else None for kind in kinds]
        cells = ["–" if seconds is None else f"{seconds:.1f}" for seconds in spent]
        count = f"{case['jobs'].get('strips', 0)}"
        rows.append([case["case"], count, f"{case['merge_seconds']:.1f}", *cells, f"{case['worker_mib']:,.0f}"])
    return rows


def planning(result: Mapping[str, Any]) -> list[list[str]]:
    """Tabulate time and memory of the driver."""
    rows = [["run", "jobs", "plan, s", "first job after, s", "all, s", "bytes of a job", "peak, MiB"]]
    for case in result["cases"]:
        times = [f"{case[name]:.1f}" for name in ("plan_seconds", "first_job_seconds", "all_seconds")]
        rows.append(
            [case["case"], f"{case['jobs']:,}", *times, f"{case['job_bytes']:,.0f}", f"{case['peak_mib']:,.0f}"]
        )
    return rows


def simulation(result: Mapping[str, Any]) -> list[list[str]]:
    """Tabulate what simulated clusters do."""
    heads = ["windows", "cores", "partitioner", "windows/s", "against one process", "against one core of Spark"]
    rows = [[*heads, "fullest core / mean", "merging, s"]]
    for one in result["results"]:
        rates = [
            f"{one['windows_per_second']:,.0f}",
            f"{one['against_process']:.2f}",
            f"{one['against_one_executor']:.2f}",
        ]
        merging = f"{one['seconds'] - one['look_seconds']:,.0f}"
        first = [f"{one['windows']:,}", str(one["cores"]), one["partitioner"]]
        rows.append([*first, *rates, f"{one['imbalance']:.2f}", merging])
    return rows


def rivals(result: Mapping[str, Any]) -> list[list[str]]:
    """Tabulate whole detections beside another tool's, each run of the benchmark by itself, and suppression."""
    rows = [["", "seconds, median", "least to most", "times as long as Swathe, openvino-bf16"]]
    for run in result["runs"]:
        taken = run["seconds"]
        least = median(taken["Swathe, openvino-bf16"])
        rows += [
            [name, f"{median(each):.1f}", f"{min(each):.1f} to {max(each):.1f}", f"{median(each) / least:.2f}"]
            for name, each in taken.items()
        ]
    return rows


def of_engine(case: Mapping[str, Any], engine: str, workers: int, name: str) -> list[float]:
    """Return the seconds of an engine in the rounds of a case."""
    return next(list(way[name]) for way in case["ways"] if (way["engine"], way["workers"]) == (engine, workers))


def engines(result: Mapping[str, Any]) -> list[list[str]]:
    """Tabulate what Spark costs beside local processes, and what each worker does."""
    rows = [["windows", "workers", "engine", "command, s", "over local", "run, s", "over local", "windows/s"]]
    rows[0] += ["each, over one process", "over one of this engine"]
    for case in result["cases"]:
        ways = {(way["engine"], way["workers"]): way for way in case["ways"]}
        rates = {key: case["windows"] / median(way["run"]) for key, way in ways.items()}
        for (engine, count), way in ways.items():
            cells = [f"{case['windows']}", f"{count}", engine]
            for name in ("whole", "run"):
                ratios = [spent / local for local, spent in zip(ways["local", count][name], way[name], strict=True)]
                cells += [f"{median(way[name]):.1f}", f"{median(ratios):.3f}"]
            rate = rates[engine, count]
            bases = [rates.get((one, 1)) for one in ("local", engine)]
            shares = ["–" if base is None else f"{rate / count / base:.2f}" for base in bases]
            rows.append([*cells, f"{rate:.2f}", *shares])
    return rows


def baseline(result: Mapping[str, Any]) -> list[list[str]]:
    """Tabulate one process with many threads beside workers of one thread each."""
    rows = [["processes", "threads of each", "windows/s", "workers over this", "eight machines over this"]]
    best = result["results"][-1]["median"]
    for one in result["results"]:
        ratio = best / one["median"]
        rows.append(
            [f"{one['processes']}", f"{one['threads']}", f"{one['median']:.2f}", f"{ratio:.2f}", f"{8 * ratio:.1f}"]
        )
    return rows


def stage(result: Mapping[str, Any]) -> list[list[str]]:
    """Tabulate the inference stage by partitioner and number of partitions."""
    heads = ["stage, s", "hash / this", "fullest / mean, projected", "measured", "fullest task, s"]
    rows = [["windows", "partitions", "partitioner", *heads]]
    for case in result["cases"]:
        rival = {run["partitions"]: run["seconds"] for run in case["runs"] if run["partitioner"] == "hash"}
        for run in case["runs"]:
            first = [f"{case['windows']:,}", f"{run['partitions']}", run["partitioner"]]
            cells = [f"{run['seconds']:.1f}", f"{rival[run['partitions']] / run['seconds']:.2f}"]
            balance = [f"{run[name]:.2f}" for name in ("projected", "imbalance", "fullest_task")]
            rows.append([*first, *cells, *balance])
    return rows


SECTIONS = {
    "rivals-scene": Section("Whole scenes, beside SAHI", RIVALS, rivals),
    "end_to_end-windows_per_second": Section("Windows per second, end to end", WHOLE_RUNS, whole_runs),
    "micro-nms": Section("Rotated non-maximum suppression", SUPPRESSION, suppression),
    "reads-windows": Section("Reading windows", READS, reads),
    "scale-query": Section("Queries", QUERIES, queries),
    "scale-memory": Section("Memory", MEMORY, memory),
    "scale-strips": Section("A scene with five million raw detections", STRIPS, strips),
    "scale-plan": Section("Planning", PLANNING, planning),
    "scale-engines": Section("Spark beside local processes", ENGINES, engines),
    "scale-stage": Section("Partitioners, Fig. 11 again", STAGE, stage),
    "scale-baseline": Section("More than linear, Fig. 10 again", BASELINE, baseline),
    "scale-simulate": Section("Clusters that are not here, simulated", SIMULATION, simulation),
}


def milliseconds(value: float) -> str:
    """Return a time with two or three digits that mean something."""
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def machine(cpu: Mapping[str, Any]) -> str:
    """Describe the processor in a sentence."""
    words = [str(cpu["name"])]
    if "cores" in cpu:
        words.append(f"{cpu['cores']} cores")
    words += [
        name
        for key, name in (("bf16", "with AVX-512 and bfloat16"), ("avx512", "with AVX-512"), ("avx2", "with AVX2"))
        if cpu.get(key)
    ][:1]
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
