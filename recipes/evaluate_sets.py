"""Judge a model on the validation sets of a training configuration, whole images at a time, as model cards quote it.

Usage: python recipes/evaluate_sets.py CONFIG.toml MODEL [-o FOLDER] [--min-score 0.01] [--scales S ...]
       python recipes/evaluate_sets.py CONFIG.toml --task1 FOLDER [-o FOLDER]

Images are searched with the command everybody uses, or the results of another detector are taken from DOTA Task 1
files. A detection of a class that a set does not label is left out, since nobody knows. Several scales are factors of
the right one, as for `swathe detect`. Prints JSON; with -o also writes it, and all of it as a page.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import swathe
from swathe.datasets.classes import map_classes
from swathe.datasets.sample import Sample
from swathe.drawing.report import draw_report
from swathe.evaluation.evaluate import evaluate_detections
from swathe.evaluation.found import Found, from_detections, read_task1
from swathe.evaluation.report import Report
from swathe.training.config import DataSettings, TrainingConfig, load_config
from swathe.training.data import chosen_samples


def main() -> None:
    """Search, keep what can be judged, evaluate, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--task1", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--min-score", type=float, default=0.01)
    parser.add_argument("--merge-iou", type=float, default=0.2)
    parser.add_argument("--scales", type=float, nargs="*")
    parser.add_argument("--backend", default="auto")
    options = parser.parse_args()
    report = evaluate_sets(load_config(options.config), options)
    text = json.dumps(report.to_json(), indent=1) + "\n"
    sys.stdout.write(text + report.as_table() + "\n")
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "report.json").write_text(text, encoding="utf-8")
        draw_report(report, options.output / "report.html")


def evaluate_sets(config: TrainingConfig, options: argparse.Namespace) -> Report:
    """Judge what is found in the validation sets of a configuration.

    Args:
        config: Sets and classes.
        options: As the command line gives them: model or task1, min_score, merge_iou, scales, backend.

    Returns:
        The report.
    """
    truth: list[Sample] = []
    parts: list[Found] = []
    for entry in config.validate:
        samples = chosen_samples(entry)
        truth += [map_classes(item, entry.rename, wanted=config.model.classes, others=entry.others) for item in samples]
        parts.append(_judged(_found(samples, options), samples, entry))
    found = Found(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.classes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.polygons for part in parts]),
    )
    return evaluate_detections(truth, found, classes=config.model.classes)


def _found(samples: list[Sample], options: argparse.Namespace) -> Found:
    """Return what is found in the images of a set."""
    if options.task1 is not None:
        return read_task1(options.task1)
    given = {"min_score": options.min_score, "merge_iou": options.merge_iou, "scales": options.scales}
    images = [str(item.image) for item in samples]
    return from_detections(swathe.detect(images, options.model, backend=options.backend, **given))


def _judged(found: Found, samples: list[Sample], entry: DataSettings) -> Found:
    """Keep what lies in the images of a set and is of a class that it labels."""
    names = np.array([Path(name).stem for name in found.images.tolist()], np.str_)
    kept = np.isin(names, [item.name for item in samples])
    if entry.labelled:
        kept &= np.isin(found.classes, entry.labelled)
    return replace(
        found, images=names[kept], classes=found.classes[kept], scores=found.scores[kept], polygons=found.polygons[kept]
    )


if __name__ == "__main__":
    main()
