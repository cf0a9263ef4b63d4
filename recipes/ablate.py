"""Compare alphas, amounts of training images, or sizes on the same seeds, as the paper's tables and its figure 9 do.

Usage: python recipes/ablate.py CONFIG OUTPUT alpha 0.5 0.75 1 1.5 2 3 0.5-2 0.5~2 [--seeds 1 2] [--whole 0.5 1 1.5]
       python recipes/ablate.py CONFIG OUTPUT share 0.25 0.5 1 [--seeds 1 2]
       python recipes/ablate.py CONFIG OUTPUT size n s lite0 [--seeds 1 2]

Tables I to III and V and figure 9a: `alpha`. It is a number, two of them along a straight line over the steps (0.5-2),
or two between which the overlap of the boxes of a batch decides (0.5~2). Figure 9b and table VI: `share`, that of each
set's training images, chosen by the seed. Table IV: `size`, with the tiles of a second. With `--whole` each run is
judged on whole images too, class by class, at one scale and at these. Every run is a training run of its own in OUTPUT
and goes on where it was. Writes OUTPUT/alpha.json and OUTPUT/alpha.png (or share, or size), and says which differences
are no larger than those between seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from evaluate_sets import evaluate_sets

from swathe.detectors.torch import load_network
from swathe.training.config import DataSettings, TrainingConfig, load_config
from swathe.training.data import chosen_samples
from swathe.training.log import SCORES, STEPS
from swathe.training.loop import train

MEASURE = "map50_area"


@dataclass(frozen=True)
class Outcome:
    """What came out of one run."""

    scores: list[dict[str, float]]  # a row for each validation
    views_per_second: float  # in training
    tiles_per_second: float  # of the side of the training views, in detection
    whole: dict[str, Any]  # on whole images, by scales


def main() -> None:
    """Train what is missing, compare, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("what", choices=CHANGES)
    parser.add_argument("values", nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--whole", type=float, nargs="*")
    options = parser.parse_args()
    base, change = load_config(options.config), CHANGES[options.what]
    if not base.validate:
        parser.error(f"{options.config} names no validation set, so nothing can be compared")
    outcomes: dict[str, list[Outcome]] = {}
    for seed in options.seeds:
        for value in options.values:
            folder = options.output / f"{options.what}-{value}-seed-{seed}"
            settings = replace(base, run=replace(base.run, output=folder, seed=seed))
            outcomes.setdefault(value, []).append(outcome_of(change(settings, value), options.whole))
            report = compare(outcomes)
            (options.output / f"{options.what}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
            draw(outcomes, options.what, options.output / f"{options.what}.png")
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


def with_size(config: TrainingConfig, value: str) -> TrainingConfig:
    """Set the size of the network."""
    return replace(config, model=replace(config.model, size=value))


CHANGES = {"alpha": with_alpha, "share": with_share, "size": with_size}


def outcome_of(config: TrainingConfig, whole: list[float] | None) -> Outcome:
    """Train, and judge what comes out."""
    result = train(config)
    lines = (result.folder / SCORES).read_text(encoding="utf-8").splitlines()
    steps = len((result.folder / STEPS).read_text(encoding="utf-8").splitlines()) - 1
    schedule = config.schedule
    views = steps * schedule.batch * max(1, round(schedule.nominal_batch / schedule.batch))
    judged = {}
    for scales in (None, whole) if whole else ():
        options = argparse.Namespace(
            task1=None, model=str(result.last), backend="auto", min_score=0.01, merge_iou=0.2, scales=scales
        )
        judged["one scale" if scales is None else "several scales"] = evaluate_sets(config, options).to_json()
    rows = [json.loads(line) for line in lines]
    return Outcome(rows, views / result.seconds, tiles_per_second(result.last, config.model.input_size), judged)


def tiles_per_second(model: Path, side: int, rounds: int = 5) -> float:
    """Time the network of a model; the quickest round counts, after one that warms up."""
    network, info = load_network(model)
    network = network.to(memory_format=torch.channels_last)
    tile, times = torch.zeros(1, info.bands, side, side).contiguous(memory_format=torch.channels_last), []
    with torch.inference_mode():
        for _ in range(1 + rounds):
            started = time.perf_counter()
            network(tile)
            times.append(time.perf_counter() - started)
    return 1.0 / min(times[1:])


def compare(outcomes: dict[str, list[Outcome]]) -> dict[str, Any]:
    """Return the last scores, their means, and which means are as near to the best as seeds to each other."""
    last = {value: [run.scores[-1][MEASURE] for run in runs] for value, runs in outcomes.items()}
    means = {value: float(np.mean(scores)) for value, scores in last.items()}
    noise = max(max(scores) - min(scores) for scores in last.values())
    values = {
        value: {
            "scores": last[value],
            "mean": mean,
            "within_noise_of_best": max(means.values()) - mean <= noise,
            "views_per_second": float(np.mean([run.views_per_second for run in outcomes[value]])),
            "tiles_per_second": float(np.mean([run.tiles_per_second for run in outcomes[value]])),
        }
        for value, mean in means.items()
    }
    curves = {value: [run.scores for run in runs] for value, runs in outcomes.items()}
    whole = {value: [run.whole for run in runs] for value, runs in outcomes.items()}
    return {
        "measure": MEASURE,
        "largest_spread_between_seeds": noise,
        "values": values,
        "curves": curves,
        "whole": whole,
    }


def draw(outcomes: dict[str, list[Outcome]], what: str, path: Path) -> None:
    """Draw the last score of each value with its seeds, for sizes over their speed, and the scores over the epochs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    axes: Any = figure.subplots(1, 2)
    for place, (value, runs) in enumerate(outcomes.items()):
        across = [run.tiles_per_second if what == "size" else place for run in runs]
        axes[0].plot(across, [run.scores[-1][MEASURE] for run in runs], "o", color=f"C{place}")
        shortest = min((run.scores for run in runs), key=len)  # a run may end early
        epochs = [row["epoch"] for row in shortest]
        mean = np.mean([[row[MEASURE] for row in run.scores[: len(epochs)]] for run in runs], axis=0)
        axes[1].plot(epochs, mean, color=f"C{place}", label=value)
    if what != "size":
        axes[0].set_xticks(range(len(outcomes)), list(outcomes))
    label = "tiles a second" if what == "size" else what
    axes[0].set(xlabel=label, ylabel="mAP50 (area), one point per seed", title="At the end")
    axes[1].set(xlabel="epoch", title="Mean over the seeds")
    axes[1].legend(title=what)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
