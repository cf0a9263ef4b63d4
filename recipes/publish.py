"""Put a trained model where Swathe looks for its own: src/swathe/models/NAME with model.onnx and card.md.

Usage: python recipes/publish.py RUN REPORT.json [--models FOLDER] [--pictures FILE ...] [--hours H] [--machine TEXT]

RUN is the folder of a finished training run, REPORT.json what `recipes/evaluate_sets.py -o` wrote for it. The weights
are exported in 16 bits, compared with PyTorch's first. Pictures of errors are copied beside the card: only of images
whose licence allows it. What the card cannot know, such as what was tried, is added to it by hand.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swathe.detectors.export import export_onnx
from swathe.detectors.registry import SHIPPED_FOLDER
from swathe.model.checkpoint import load_safetensors
from swathe.model.info import ModelInfo
from swathe.training.loop import BEST, STATE
from swathe.training.state import Progress, read_progress

MOST_CONFUSED = 5  # pairs of classes on the card
MEASURES = {
    "map50_voc07": "AP50, VOC07",
    "map50_area": "AP50, area",
    "map75_area": "AP75",
    "map50_95_area": "AP .50:.95",
}


def main() -> None:
    """Export, write the card, copy the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("report", type=Path)
    parser.add_argument("--models", type=Path, default=SHIPPED_FOLDER)
    parser.add_argument("--pictures", type=Path, nargs="*", default=[])
    parser.add_argument("--hours", type=float, help="of training, if runs went before this one")
    parser.add_argument("--machine", default="a CPU, without a GPU")
    options = parser.parse_args()
    _, info = load_safetensors(options.run / BEST)
    _, progress = read_progress(options.run / STATE)
    report = json.loads(options.report.read_text(encoding="utf-8"))
    folder = options.models / info.name
    folder.mkdir(parents=True, exist_ok=True)
    exported = export_onnx(options.run / BEST, folder / "model.onnx", overwrite=True, half=True)
    for picture in options.pictures:
        shutil.copyfile(picture, folder / picture.name)
    lines = card(info, progress, report, options, exported.path.stat().st_size / 1e6)
    (folder / "card.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"{folder}: read card.md, add what it cannot know, and try `swathe models`\n")


def card(
    info: ModelInfo, progress: Progress, report: dict[str, Any], options: argparse.Namespace, megabytes: float
) -> list[str]:
    """Return the lines of the card."""
    extra, hours = info.extra, options.hours or progress.seconds / 3600
    if info.ground_sample_distance is None:
        scales = " or ".join(f"{scale:g}" for scale in info.scales)
        pixels = f"RGB at scale {scales} of the images it was trained on, whose resolution is not known"
    else:
        pixels = f"RGB, {info.ground_sample_distance:g} m per pixel on the ground"
    facts = {
        "Input": f"{pixels}; trained on views of {info.input_size} x {info.input_size} pixels",
        "Data": extra.get("data", "not written down"),
        "Recipe": f"`{extra.get('recipe', 'not written down')}`, {progress.steps:,} steps",
        "Time": f"{hours:.1f} hours on {options.machine}",
        "Files": f"`model.onnx` ({megabytes:.1f} MB): weights of 16 bits, computed in 32",
        "Licence of the weights": extra.get("licence", "not written down"),
    }
    return [
        f"# {info.name}",
        "",
        f"Finds {', '.join(info.classes)} as oriented boxes. YWCSL size {info.size}.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in facts.items()),
        "",
        "## What it reaches",
        "",
        f"On {report['images']} held-out images, each detected whole (`recipes/evaluate_sets.py`), by polygon IoU:",
        "",
        *table(report),
        "",
        "## What it is bad at",
        "",
        *weaknesses(report),
        *(f"\n![Right, false and missed]({picture.name})" for picture in options.pictures),
    ]


def table(report: dict[str, Any]) -> Iterator[str]:
    """Yield a row for each class, and the means."""
    yield f"| class | objects | {' | '.join(MEASURES.values())} | best score | angle, median error |"
    yield "|---" * (len(MEASURES) + 4) + "|"
    for name, item in report["classes"].items():
        angle = item["angle"]
        ends = (rounded(item["best_score"], 2), "-" if angle is None else f"{angle['median']:.1f}°")
        yield f"| {name} | {item['truths']:,} | {' | '.join((*(rounded(item[key]) for key in MEASURES), *ends))} |"
    yield f"| **mean** | | {' | '.join(f'**{rounded(report[key])}**' for key in MEASURES)} | | |"


def weaknesses(report: dict[str, Any]) -> Iterator[str]:
    """Yield what the numbers say about errors: sizes and shapes, confused classes, turned squares."""
    classes = report["classes"]
    for kind in ("sizes", "aspects"):
        parts: dict[str, list[float]] = {}
        for item in classes.values():
            for name, part in item[kind].items():
                if part["map50_area"] is not None:
                    parts.setdefault(name, []).append(part["map50_area"])
        values = ", ".join(f"{name} {sum(found) / len(found):.2f}" for name, found in parts.items())
        title = "Size" if kind == "sizes" else "Shape"
        yield f"* **{title}**, mean AP50: {values} (ranges as in `docs/reference/evaluation.md`)."
    names = [*classes, "nothing there"]
    counts = [
        (count, names[row], names[col])
        for row, line in enumerate(report["confusion"])
        for col, count in enumerate(line[:-1])
        if row != col and count
    ]
    most_often = sorted(counts, reverse=True)[:MOST_CONFUSED]
    worst = ", ".join(f"{truth} taken for {taken} {count} times" for count, truth, taken in most_often)
    yield f"* **Taken for others** at the best scores: {worst or 'nothing'}."
    missed = {name: item["missed"] / item["truths"] for name, item in classes.items() if item["truths"]}
    most = sorted(missed, key=lambda name: -missed[name])[:3]
    yield f"* **Missed** most: {', '.join(f'{name} ({missed[name]:.0%})' for name in most)}."


def rounded(value: float | None, digits: int = 3) -> str:
    """Return a number of the card."""
    return "-" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
