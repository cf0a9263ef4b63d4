"""Compare alphas, or amounts of training images, on the same seeds, as the paper's tables and its figure 9 do.

Usage: python recipes/ablate.py CONFIG.toml OUTPUT alpha 0.5 0.75 1 1.5 2 3 0.5-2 0.5~2 [--seeds 1 2]
       python recipes/ablate.py CONFIG.toml OUTPUT share 0.25 0.5 1 [--seeds 1 2]

An alpha is a number, two of them along a straight line over the steps (0.5-2), or two between which the overlap of the
boxes decides (0.5~2). A share is that of each set's training images, chosen by the seed. Every run is a training run of
its own in OUTPUT and goes on where it was. Writes OUTPUT/alpha.json and OUTPUT/alpha.png (or share), and says which
differences are no larger than those between seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from swathe.training.config import DataSettings, TrainingConfig, load_config
from swathe.training.data import chosen_samples
from swathe.training.log import SCORES
from swathe.training.loop import train

MEASURE = "map50_area"


def main() -> None:
    """Train what is missing, compare, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("what", choices=("alpha", "share"))
    parser.add_argument("values", nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    base, change = load_config(options.config), {"alpha": with_alpha, "share": with_share}[options.what]
    curves: dict[str, list[list[dict[str, float]]]] = {}
    for seed in options.seeds:
        for value in options.values:
            folder = options.output / f"{options.what}-{value}-seed-{seed}"
            settings = replace(base, run=replace(base.run, output=folder, seed=seed))
            result = train(change(settings, value))
            lines = (result.folder / SCORES).read_text(encoding="utf-8").splitlines()
            curves.setdefault(value, []).append([json.loads(line) for line in lines])
            report = compare(curves)
            (options.output / f"{options.what}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
            draw(curves, options.what, options.output / f"{options.what}.png")
    sys.stdout.write(json.dumps(report["values"], indent=1) + "\n")


def with_alpha(config: TrainingConfig, value: str) -> TrainingConfig:
    """Set alpha: constant, along a line (a-b), or by the overlap (a~b)."""
    start, end = [*value.replace("~", "-").split("-"), ""][:2]
    loss = replace(config.loss, alpha=float(start), alpha_full=float(end) if "~" in value else None)
    return replace(
        config, loss=loss, schedule=replace(config.schedule, alpha_final=float(end) if "-" in value else None)
    )


def with_share(config: TrainingConfig, value: str) -> TrainingConfig:
    """Train on a share of the images of each set."""
    folder = config.run.output.parent / "lists"
    folder.mkdir(parents=True, exist_ok=True)

    def part(number: int, entry: DataSettings) -> DataSettings:
        names = sorted(sample.name for sample in chosen_samples(entry))
        kept = np.random.default_rng(config.run.seed).permutation(len(names))[: round(float(value) * len(names))]
        path = folder / f"{config.run.output.name}-set-{number}.txt"
        path.write_text("".join(f"{names[index]}\n" for index in kept), encoding="utf-8")
        return replace(entry, only=path)

    return replace(config, train=tuple(part(number, entry) for number, entry in enumerate(config.train, start=1)))


def compare(curves: dict[str, list[list[dict[str, float]]]]) -> dict[str, Any]:
    """Return the last scores, their means, and which means are as near to the best as seeds to each other."""
    last = {value: [rows[-1][MEASURE] for rows in runs if rows] for value, runs in curves.items()}
    means = {value: float(np.mean(scores)) for value, scores in last.items() if scores}
    best = max(means, key=lambda value: means[value], default=None)
    noise = max((max(scores) - min(scores) for scores in last.values() if scores), default=0.0)
    values = {
        value: {"scores": last[value], "mean": mean, "within_noise_of_best": means[best] - mean <= noise}
        for value, mean in means.items()
        if best is not None
    }
    return {"measure": MEASURE, "largest_spread_between_seeds": noise, "values": values, "curves": curves}


def draw(curves: dict[str, list[list[dict[str, float]]]], what: str, path: Path) -> None:
    """Draw the last score of each value with its seeds, and the scores over the epochs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    axes: Any = figure.subplots(1, 2)
    for place, (value, runs) in enumerate(curves.items()):
        axes[0].plot([place] * len(runs), [rows[-1][MEASURE] for rows in runs], "o", color=f"C{place}")
        epochs = [row["epoch"] for row in runs[0]]
        mean = np.mean(
            [[row[MEASURE] for row in rows][: len(epochs)] for rows in runs if len(rows) >= len(epochs)], axis=0
        )
        axes[1].plot(epochs, mean, color=f"C{place}", label=value)
    axes[0].set_xticks(range(len(curves)), list(curves))
    axes[0].set(xlabel=what, ylabel="mAP50 (area), one point per seed", title="At the end")
    axes[1].set(xlabel="epoch", title="Mean over the seeds")
    axes[1].legend(title=what)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
