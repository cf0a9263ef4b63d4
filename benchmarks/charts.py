"""Draws the charts of docs/benchmarks.md from the JSON of the benchmarks; equal results give equal files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
INK, OURS, OURS_PALE, OTHER, OTHER_PALE = "#37474f", "#00796b", "#80cbc4", "#5c6bc0", "#c5cae9"
SQUARE = re.compile(r"([\d,]+) x ([\d,]+)")


@dataclass(frozen=True)
class Chart:
    """A picture of one result."""

    alt: str  # what a reader who cannot see it is told
    size: tuple[float, float]  # width and height, inches
    columns: int  # axes beside each other
    draw: Callable[[Mapping[str, Any], Any], None]  # result, axes


def memory(result: Mapping[str, Any], axes: Any) -> None:
    """Draw peak memory over the side of the scene, beside what the decoded picture alone would take."""
    found = {case["case"]: case for case in result["cases"] if SQUARE.fullmatch(case["case"])}
    sides = [int(name.split(" x ")[0].replace(",", "")) for name in found]
    whole = [3 * side**2 / 2**20 for side in sides]
    measured = [case["peak_pss_mib"] for case in found.values()]
    projected = [case["projected_mib"] for case in found.values()]
    axes.plot(sides, whole, color=OTHER, marker="o", label="the scene itself, decoded (3 bytes a pixel)")
    axes.plot(sides, projected, color=OURS_PALE, marker="o", label="a run, projected")
    axes.plot(sides, measured, color=OURS, marker="o", label="a run, measured")
    axes.set(xscale="log", yscale="log", xlabel="side of the scene, pixels", ylabel="peak memory, MiB")
    axes.set_xticks(sides, [f"{side:,}" for side in sides])
    axes.set_yticks([100, 1000, 10000], ["100", "1,000", "10,000"])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=9)


def queries(result: Mapping[str, Any], axes: Any) -> None:
    """Draw the times of the questions that both can answer, one picture for each layout."""
    for side, layout in zip(axes, result["layouts"], strict=True):
        found = {(answer["question"], answer["state"]): answer["ways"] for answer in layout["answers"]}
        questions = [question for question, state in found if state == "warm" and "duckdb" in found[question, state]]
        bars = (
            ("swathe", "cold", OURS_PALE, "Swathe, cold"),
            ("swathe", "warm", OURS, "Swathe, warm"),
            ("duckdb", "cold", OTHER_PALE, "DuckDB, cold"),
            ("duckdb", "warm", OTHER, "DuckDB, warm"),
        )
        for number, (way, state, colour, label) in enumerate(bars):
            heights = [found[question, state][way]["median_ms"] for question in questions]
            places = [place + 0.2 * (number - 1.5) for place in range(len(questions))]
            side.bar(places, heights, width=0.18, color=colour, label=label)
        side.set_xticks(range(len(questions)), [question.replace(" ", "\n", 1) for question in questions])
        side.set_title(f"{layout['layout']}, {layout['files']:,} files", fontsize=10, color=INK)
    axes[0].set_ylabel("milliseconds")
    axes[0].legend(frameon=False, fontsize=8, loc="upper left")


def simulation(result: Mapping[str, Any], axes: Any) -> None:
    """Draw efficiency against the best single process over the number of cores, one picture for each workload."""
    colours = {"rank": OTHER, "hash": OTHER_PALE, "strips": OURS_PALE, "cost": OURS}
    for side, workload in zip(axes, dict.fromkeys(one["workload"] for one in result["results"]), strict=True):
        for name, colour in colours.items():
            found = [one for one in result["results"] if (one["workload"], one["partitioner"]) == (workload, name)]
            cores = [one["cores"] for one in found]
            side.plot(cores, [one["against_process"] for one in found], color=colour, marker="o", label=name)
        side.set(xscale="log", xlabel="cores", ylim=(0, 1.05))
        side.set_xticks(cores, [f"{count}" for count in cores])
        side.minorticks_off()
        side.set_title(f"{found[0]['windows']:,} windows", fontsize=10, color=INK)
    axes[0].set_ylabel("rate of a core, over one process")
    axes[0].legend(frameon=False, fontsize=9, loc="lower left")


def rivals(result: Mapping[str, Any], axes: Any) -> None:
    """Draw the seconds that each way takes for a scene, those of the first run of the benchmark."""
    taken = result["runs"][0]["seconds"]
    names = sorted(taken, key=lambda name: -median(taken[name]))
    times = [median(taken[name]) for name in names]
    bars = axes.barh(names, times, color=[OURS if name.startswith("Swathe") else OTHER for name in names])
    axes.bar_label(bars, [f"{time:.1f} s" for time in times], padding=3)
    axes.set_xlabel("seconds for the scene")
    axes.margins(x=0.12)


def stage(result: Mapping[str, Any], axes: Any) -> None:
    """Draw how full the fullest partition is by its seconds, one picture for each size of the data."""
    colours = {"rank": OTHER, "hash": OTHER_PALE, "strips": OURS_PALE, "cost": OURS}
    for side, case in zip(axes, result["cases"], strict=True):
        counts = sorted({run["partitions"] for run in case["runs"]})
        for number, (name, colour) in enumerate(colours.items()):
            heights = [run["imbalance"] for run in case["runs"] if run["partitioner"] == name]
            places = [place + 0.2 * (number - 1.5) for place in range(len(counts))]
            side.bar(places, heights, width=0.18, color=colour, label=name)
        side.set_xticks(range(len(counts)), [f"{count}" for count in counts])
        side.set(xlabel="partitions")
        side.set_title(f"{case['windows']:,} windows", fontsize=10, color=INK)
    axes[0].set_ylabel("fullest partition / mean, seconds")
    axes[0].legend(frameon=False, fontsize=9, loc="upper left")


def baseline(result: Mapping[str, Any], axes: Any) -> None:
    """Draw the rates of one process with many threads, and of workers."""
    names = [f"{one['processes']} x {one['threads']} threads" for one in result["results"]]
    rates = [one["median"] for one in result["results"]]
    colours = [OURS if one["processes"] > 1 else OTHER for one in result["results"]]
    bars = axes.barh(names[::-1], rates[::-1], color=colours[::-1])
    axes.bar_label(bars, [f"{rate:.2f}" for rate in rates[::-1]], padding=3)
    axes.set_xlabel("windows a second, PyTorch eager")
    axes.margins(x=0.12)


CHARTS = {
    "rivals-scene": Chart("Seconds for a scene of 84 windows, Swathe beside SAHI", (7.4, 2.6), 1, rivals),
    "scale-memory": Chart(
        "Peak memory stays at one gibibyte while the decoded scene grows a hundredfold", (6.6, 3.4), 1, memory
    ),
    "scale-simulate": Chart("Efficiency of simulated clusters by number of cores", (8.4, 3.4), 2, simulation),
    "scale-stage": Chart(
        "Fullest partition over the mean, by partitioner and number of partitions", (8.4, 3.0), 2, stage
    ),
    "scale-baseline": Chart("One process with many threads beside workers of one", (6.6, 2.4), 1, baseline),
    "scale-query": Chart("Times of queries over five million detections, beside DuckDB", (9.6, 3.2), 3, queries),
}


def draw(name: str, result: Mapping[str, Any]) -> str:
    """Draw the chart of a result.

    Args:
        name: Name of the benchmark; it must be one of `CHARTS`.
        result: What the benchmark printed.

    Returns:
        The line of Markdown that shows it.
    """
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "swathe", "svg.fonttype": "path", "text.color": INK, "font.size": 9})
    import matplotlib.pyplot as plt

    chart = CHARTS[name]
    figure, axes = plt.subplots(
        1, chart.columns, figsize=chart.size, layout="constrained", facecolor="white", sharey=True
    )
    chart.draw(result, axes)
    for side in figure.axes:
        side.spines[["top", "right"]].set_visible(False)
    path = IMAGES / f"benchmark-{name}.svg"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return f"![{chart.alt}](images/{path.name})"
