"""DOTA task 1 evaluation from labels and detections to a report, as docs/reference/evaluation.md defines it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe.arguments import address, file_path
from swathe.datasets.classes import Others, map_classes
from swathe.datasets.formats import LabelSet
from swathe.datasets.sample import IMAGE_SUFFIXES, Sample
from swathe.errors import Argument, SourceError, UsageError
from swathe.evaluation.average_precision import area, best_working, precision_recall, voc07
from swathe.evaluation.breakdown import break_down, confusion
from swathe.evaluation.found import Found, read_found
from swathe.evaluation.judged import JudgedImage, judged_class
from swathe.evaluation.match import IGNORED, RIGHT, Matches, best_truths, judge
from swathe.evaluation.report import ClassReport, Report

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

THRESHOLDS = (0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95)
_NAMES_SHOWN = 5


def evaluate_folders(
    truth: LabelSet | Path | str,
    found: Path | str,
    *,
    classes: Sequence[str] | None = None,
    difficult_as_normal: bool = False,
    ignore_unlabelled: bool = False,
    run: str | None = None,
    others: Others = "drop",
) -> Report:
    """Evaluate stored detections against labels.

    Args:
        truth: The labels, or a folder of DOTA text files; every image with labels was searched, with empty ones too.
        found: A store, a GeoParquet file, or a folder of `Task1_<class>.txt` files.
        classes: The class list; None takes every class of the labels.
        difficult_as_normal: Whether objects marked as difficult count like others, as in DOTA v1.5.
        ignore_unlabelled: Whether detections in images without a label file are left out instead of refused.
        run: Which run of a store with several to evaluate.
        others: What becomes of labels of other classes than those of the list: "error" refuses them, "ignore" holds no
            detection on them against the detector, and "drop" takes them for background.

    Returns:
        The report.

    Raises:
        SourceError: If labels or detections are missing or damaged, or do not belong together.
        StoreError: If the store or the GeoParquet file is damaged.
        UsageError: If the class list or the run makes no sense, or a path is not a path.
    """
    labels = truth if isinstance(truth, LabelSet) else LabelSet(file_path("truth", truth, "a folder of label files"))
    results = address("found", found, "a store, a GeoParquet file, or a folder of result files")
    return evaluate_detections(
        labels.read(),
        read_found(results, run=run),
        classes=classes,
        difficult_as_normal=difficult_as_normal,
        ignore_unlabelled=ignore_unlabelled,
        others=others,
    )


def evaluate_detections(
    truth: Sequence[Sample],
    found: Found,
    *,
    classes: Sequence[str] | None = None,
    difficult_as_normal: bool = False,
    ignore_unlabelled: bool = False,
    others: Others = "drop",
) -> Report:
    """Evaluate detections against labels.

    Args:
        truth: The labels, one sample per image that was searched.
        found: The detections; images are matched to samples by name, with or without a file suffix.
        classes: The class list; None takes every class of the labels.
        difficult_as_normal: Whether objects marked as difficult count like others, as in DOTA v1.5.
        ignore_unlabelled: Whether detections in images without labels are left out instead of refused.
        others: What becomes of labels of classes outside of the list: "error", "ignore" or "drop".

    Returns:
        The report; its notes say what was left out.

    Raises:
        SourceError: If detections lie in images without labels, or have classes that the labels do not have.
        UsageError: If two samples have one name, or the class list is empty or has a name twice.
    """
    names = _class_list(truth, classes)
    labels = _Labels.of([map_classes(sample, {}, wanted=names, others=others) for sample in truth])
    if difficult_as_normal:
        labels = replace(labels, difficult=~np.isin(labels.classes, names))
    images, unlabelled = _located(found, [sample.name for sample in truth], ignore_unlabelled=ignore_unlabelled)
    unlisted = _other_classes(found, names, refuse=classes is None)
    reports = tuple(_class_report(name, names, labels, found, images) for name in names)
    notes = [*unlabelled, *unlisted, *_unsearched(found, truth)]
    undefined = [item.name for item in reports if item.truths == 0]
    if undefined:
        notes.append(f"no ground truth counts for {', '.join(undefined)}: undefined, and not part of the means")
    least = {item.name: item.best.score for item in reports if item.best is not None}
    taken = confusion(names, found, images, (labels.images, labels.classes, labels.polygons, labels.difficult), least)
    wrong = _wrong_images(reports, truth, found)
    return Report(reports, len(truth), difficult_as_normal, tuple(notes), wrong, taken)


@dataclass(frozen=True)
class _Labels:
    """All ground truth in columns."""

    images: npt.NDArray[np.int64]  # (t,) index of the sample
    classes: npt.NDArray[np.str_]  # (t,) class names
    polygons: npt.NDArray[np.float64]  # (t, 4, 2) pixels
    difficult: npt.NDArray[np.bool_]  # (t,) ignored; those of unlisted classes are so for every class

    @classmethod
    def of(cls, truth: Sequence[Sample]) -> _Labels:
        """Put samples one after the other."""
        images = np.repeat(np.arange(len(truth)), [len(sample) for sample in truth])
        classes = np.asarray([name for sample in truth for name in sample.classes], dtype=np.str_)
        polygons = np.concatenate([np.empty((0, 4, 2)), *(sample.polygons for sample in truth)])
        difficult = np.concatenate([np.empty(0, dtype=np.bool_), *(sample.difficult for sample in truth)])
        return cls(images, classes, polygons, difficult)


def _class_list(truth: Sequence[Sample], classes: Sequence[str] | None) -> tuple[str, ...]:
    """Return the class list, by default every class of the labels in alphabetical order."""
    if classes is not None:
        if not classes or len(set(classes)) != len(classes):
            raise UsageError(f"the class list ({', '.join(classes)}) is empty or has a name twice; correct it")
        return tuple(classes)
    names = sorted({name for sample in truth for name in sample.classes})
    if not names:
        raise SourceError(
            f"the labels of {len(truth)} images hold no object, so there is no class to evaluate; give the class list"
        )
    return tuple(names)


def _located(
    found: Found, names: Sequence[str], *, ignore_unlabelled: bool
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Return the index of each detection's sample (-1: not labelled) and a note on those without."""
    index = {name: position for position, name in enumerate(names)}
    if len(index) != len(names):
        raise UsageError("two samples have the same name; evaluate them apart or rename one")
    distinct, places = np.unique(found.images, return_inverse=True)
    positions = np.asarray([index.get(name, index.get(_stem(name), -1)) for name in distinct.tolist()], dtype=np.int64)
    images = positions[places]
    missing = [name for name, position in zip(distinct.tolist(), positions, strict=True) if position < 0]
    reached = positions[positions >= 0].tolist()
    if len(set(reached)) < len(reached):
        twice = names[max(reached, key=reached.count)]
        raise SourceError(
            f"detections of several images belong to one label file, {twice!r}: their names differ only by folder "
            "or suffix. Evaluate them apart or rename them"
        )
    if not missing:
        return images, ()
    if len(missing) == len(distinct):
        raise SourceError(
            f"none of the {len(missing)} images with detections ({_some(missing)}) has labels; the label files are "
            f"called {_some(names)}. Images and label files must have the same names"
        )
    if not ignore_unlabelled:
        raise SourceError(
            f"{len(missing)} images with detections have no label file: {_some(missing)}. Add their label files (empty "
            "ones for images without objects), or leave out detections in unlabelled images (",
            Argument("ignore_unlabelled"),
            ")",
        )
    count = int(np.count_nonzero(images < 0))
    return images, (f"{count} detections in {len(missing)} images without labels are left out ({_some(missing)})",)


def _unsearched(found: Found, truth: Sequence[Sample]) -> tuple[str, ...]:
    """Return a note on labelled images that were never searched, if that is known."""
    if found.searched is None:
        return ()
    searched = {form for name in found.searched for form in (name, _stem(name))}
    missing = [sample.name for sample in truth if sample.name not in searched]
    if not missing:
        return ()
    return (f"{len(missing)} labelled images were not searched ({_some(missing)}); their objects count as missed",)


def _other_classes(found: Found, names: Sequence[str], *, refuse: bool) -> tuple[str, ...]:
    """Return a note on detections of classes outside the list, or refuse them."""
    kinds, counts = np.unique(found.classes, return_counts=True)
    others = {name: int(count) for name, count in zip(kinds.tolist(), counts, strict=True) if name not in names}
    if refuse and others:
        raise SourceError(
            f"detections have classes that no label has: {_some(list(others))}; the labels have {', '.join(names)}. "
            "Rename them, or give the class list to evaluate"
        )
    return tuple(
        f"{count} detections of class {name}, which is not listed, are left out" for name, count in others.items()
    )


def _class_report(
    name: str, names: Sequence[str], labels: _Labels, found: Found, images: npt.NDArray[np.int64]
) -> ClassReport:
    """Evaluate one class at every IoU threshold."""
    own = labels.classes == name
    mine = own | ~np.isin(labels.classes, names)  # what is ignored for every class
    difficult, truth = labels.difficult[mine], (labels.images[mine], labels.polygons[mine])
    rows = np.flatnonzero((found.classes == name) & (images >= 0))
    # Ties in score go by image, then by the corners: the order of the rows in a file decides nothing.
    corners = found.polygons[rows].reshape(-1, 8).T[::-1]
    rows = rows[np.lexsort((*corners, images[rows], -found.scores[rows]))]
    truths = int(np.count_nonzero(~difficult))
    counted = ClassReport(name, truths, int(np.count_nonzero(own)) - truths, len(rows))
    if truths == 0:
        return counted
    found_here = images[rows], found.polygons[rows], found.scores[rows]
    matches = best_truths(found_here[1], found_here[0], truth[1], truth[0])
    report = _with_precision(counted, matches, difficult, found.scores[rows])
    score = np.inf if report.best is None else report.best.score
    return replace(
        report,
        judged=judged_class(matches, difficult, found_here, truth, score, THRESHOLDS[0]),
        breakdown=break_down(matches, difficult, found_here[1], truth[1], found_here[2]),
    )


def _with_precision(
    counted: ClassReport, matches: Matches, difficult: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]
) -> ClassReport:
    """Fill in the average precisions of a class that has ground truth."""
    curves = []
    for threshold in THRESHOLDS:
        outcome = judge(matches, difficult, threshold)
        judged = outcome != IGNORED
        curves.append(precision_recall(outcome[judged] == RIGHT, scores[judged], counted.truths))
    return replace(
        counted,
        map50_voc07=voc07(curves[0]),
        map50_area=area(curves[0]),
        map75_area=area(curves[THRESHOLDS.index(0.75)]),
        map50_95_area=sum(area(curve) for curve in curves) / len(curves),
        curve=curves[0],
        best=best_working(curves[0], counted.truths),
    )


def _wrong_images(reports: Sequence[ClassReport], truth: Sequence[Sample], found: Found) -> tuple[JudgedImage, ...]:
    """Put together, image by image, what is right, false and missed, where not all is right."""
    parts = [item.judged for item in reports if item.judged is not None]
    if not parts:
        return ()
    images, polygons, verdicts, scores = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "polygons", "verdicts", "scores")
    )
    places = {_stem(name): place for name, place in found.sources.items()} | dict(found.sources)
    wrong = []
    for image in np.unique(images[verdicts > 0]).tolist():
        name, known = truth[image].name, truth[image].image
        place = places.get(name) if known is None else str(known)
        rows = images == image
        wrong.append(JudgedImage(name, place, polygons[rows], verdicts[rows], scores[rows]))
    return tuple(wrong)


def _stem(name: str) -> str:
    """Return an image name without folders and without the suffix of an image file."""
    path = Path(name)
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name


def _some(names: Collection[str]) -> str:
    """Return the first few names for a message."""
    shown = ", ".join(list(names)[:_NAMES_SHOWN])
    return f"{shown}, ..." if len(names) > _NAMES_SHOWN else shown
