"""The merge of a scene in strips: the same result as all at once, by several jobs, none of which holds the whole scene.

Only detections that share area decide about each other. A scene with many is cut by lines across its longer side, and
a strip takes all that reaches into it: two that share area meet in one strip at least. A detection that lies between
two lines is complete: all that can ever touch it is there. Whether a detection gives way to a more whole one is known
when each strip has spoken. The suppression is decided as far as it can be, best score first: a complete detection is
kept or dropped once all better ones that it overlaps are decided, and what a kept one drops is dropped for good; the
others stay open, and those that stay open in all the strips they reach into are settled together at the end.

Chains of waiting detections are short, since scores do not fall or rise steadily over many neighbours; where they did,
more would wait, and the result would be the same. A margin of fixed width would be no substitute: a chain may be longer
than any margin.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from swathe import boxes as box_math
from swathe.boxes.kernels import KEPT, OPEN
from swathe.engine.parts import Part
from swathe.engine.raw import RawDetections
from swathe.engine.seam import canonical_order, gives_way_to_whole, merge
from swathe.engine.settings import RunSettings

# Raw detections that a job merges at once, about: some 60 MB while it decides.
MOST_ROWS = 100_000
# How far beyond its ends a detection counts, pixels: far more than rounding at any coordinate allowed.
SLACK = 1.0
# Places for lines, at most.
MOST_CELLS = 1 << 16


@dataclass(frozen=True)
class MergedScene:
    """What the merge of a scene gives."""

    kept: RawDetections  # the detections that stay, in no particular order
    raw: int  # detections before the merge
    skipped: int  # windows without data


@dataclass(frozen=True)
class Strip:
    """A band of a scene, from one line to the next; what touches it is merged by one job."""

    axis: int  # 0: from left to right, 1: from top to bottom
    low: float  # scene pixels; minus infinity for the first strip
    high: float  # scene pixels; infinity for the last strip
    batches: tuple[int, ...]  # places of the batches that hold detections of it, in the order of the plan

    @property
    def names(self) -> tuple[str, str]:
        """What its parts are called within the scene: of the detections that stay, and of those that are open."""
        name = f"strip-{self.axis}-{self.low:.0f}-{self.high:.0f}"
        return f"{name}-kept", f"{name}-open"


@dataclass(frozen=True)
class Strips:
    """A scene with more detections than one job should merge."""

    strips: tuple[Strip, ...]  # without gaps
    raw: int  # detections before the merge
    skipped: int  # windows without data


def merge_or_cut(
    parts: Iterable[Part], size: tuple[int, int], settings: RunSettings, most: int = MOST_ROWS
) -> MergedScene | Strips:
    """Merge a scene with few detections; find strips for one with many.

    Args:
        parts: Of all batches of the scene, in the order of the plan; each is held only while it is needed.
        size: Width and height of the scene, pixels.
        settings: Thresholds of the merge.
        most: Detections that a job may merge, about.

    Returns:
        The detections that stay; or the strips, the same for the same parts.
    """
    axis, length = int(size[1] >= size[0]), max(size)
    step = -(-length // MOST_CELLS)
    begins = np.zeros(length // step + 1, dtype=np.int64)  # detections that begin in each cell between possible lines
    reaches: list[tuple[float, float]] = []
    few: list[RawDetections] = []
    raw = skipped = 0
    for part in parts:
        low, high = _ends(part.raw, axis)
        reaches.append((low.min(initial=math.inf), high.max(initial=-math.inf)))
        np.add.at(begins, np.clip(low // step, 0, len(begins) - 1).astype(np.int64), 1)
        raw, skipped = raw + len(low), skipped + part.skipped
        if raw <= most:
            few.append(part.raw)
        else:
            few.clear()
    if raw <= most:
        return MergedScene(merge_at_once(RawDetections.concat(few), settings), raw, skipped)
    shares = np.linspace(0, raw, -(-raw // most) + 1)[1:-1]
    lines = (np.unique(np.searchsorted(np.cumsum(begins), shares)) + 1) * step
    lows, highs = np.array(reaches).T
    strips = []
    for low, high in itertools.pairwise([-math.inf, *lines.tolist(), math.inf]):
        batches = np.flatnonzero((lows - SLACK < high) & (highs + SLACK >= low))
        strips.append(Strip(axis, low, high, tuple(batches.tolist())))
    return Strips(tuple(strips), raw, skipped)


def merge_at_once(rows: RawDetections, settings: RunSettings) -> RawDetections:
    """Merge what is small enough."""
    columns = rows.boxes, rows.scores, rows.classes, rows.cut
    names = ("merge_iou", "merge_ios", "across_classes", "give_way")
    return rows.take(merge(*columns, **{name: getattr(settings, name) for name in names}))


def merge_strip(parts: Iterable[Part], strip: Strip, settings: RunSettings) -> tuple[RawDetections, RawDetections]:
    """Decide about the detections of a strip as far as they alone allow it.

    Args:
        parts: Of the batches that the strip names.
        strip: The strip.
        settings: Thresholds of the merge.

    Returns:
        Detections that stay whatever comes, each in one strip of the scene alone; and those that are open.
    """
    pieces = []
    for part in parts:
        low, high = _ends(part.raw, strip.axis)
        pieces.append(part.raw.take(np.flatnonzero((low - SLACK < strip.high) & (high + SLACK >= strip.low))))
    rows = RawDetections.concat(pieces)
    rows = rows.take(canonical_order(rows.boxes, rows.scores, rows.classes, rows.cut))
    classes = np.zeros_like(rows.classes) if settings.across_classes else rows.classes
    stays = np.flatnonzero(~gives_way_to_whole(rows.boxes, classes, rows.cut, settings.give_way))
    rows, classes = rows.take(stays), classes[stays]
    low, high = _ends(rows, strip.axis)
    states = box_math.settle(
        rows.boxes,
        rows.scores,
        classes,
        (low - SLACK >= strip.low) & (high + SLACK < strip.high),
        settings.merge_iou if settings.merge_ios is None else settings.merge_ios,
        smaller=settings.merge_ios is not None,
    )
    return rows.take(np.flatnonzero(states == KEPT)), rows.take(np.flatnonzero(states == OPEN))


def settle_open(strips: Sequence[Strip], opens: Sequence[RawDetections], settings: RunSettings) -> RawDetections:
    """Decide about what no strip could decide.

    Args:
        strips: All strips of a scene.
        opens: What is open in each of them.
        settings: Thresholds of the merge.

    Returns:
        The detections that stay besides those that the strips have kept.
    """
    rows = RawDetections.concat(opens)
    number = np.repeat(np.arange(len(opens)), [len(one) for one in opens])
    order = canonical_order(rows.boxes, rows.scores, rows.classes, rows.cut)
    rows, number = rows.take(order), number[order]
    lines = np.array([strip.low for strip in strips[1:]])
    low, high = _ends(rows, strips[0].axis)
    first, last = np.searchsorted(lines, low - SLACK, "right"), np.searchsorted(lines, high + SLACK, "right")
    # A detection comes once from each strip in which it is open. Identical ones share their fate in every strip, so
    # they may be counted together.
    kind = _kinds(rows)
    seen, own = np.bincount(kind), np.bincount(kind, number == first)
    is_open = (number == first) & (seen[kind] == own[kind] * (last - first + 1))
    return merge_at_once(rows.take(np.flatnonzero(is_open)), settings)


def _ends(rows: RawDetections, axis: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return where detections begin and end along an axis, scene pixels."""
    hulls = box_math.hulls(rows.boxes).reshape(-1, 4)
    return hulls[:, axis], hulls[:, axis + 2]


def _kinds(rows: RawDetections) -> npt.NDArray[np.int64]:
    """Number sorted rows such that identical ones, and no others, have the same number."""
    table = np.column_stack([rows.boxes, rows.scores, rows.classes, rows.cut])
    changes = (table[1:] != table[:-1]).any(axis=1)
    return np.cumsum(np.concatenate([np.zeros(min(1, len(rows)), dtype=np.int64), changes]))
