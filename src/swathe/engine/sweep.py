"""The merge of a scene part by part: the same result as all at once, in a memory that does not grow with the scene.

Only detections that share area decide about each other. Parts are taken by the topmost edge of their boxes, so at any
moment there is a line above which nothing new can appear, and a detection that ends above it is complete: all that can
ever touch it is there. Whether it gives way to a whole object is known then. The suppression is decided as far as it
can be, best score first: a complete detection is kept or dropped once all better ones that it overlaps are decided, and
what a kept one drops is dropped for good; the others wait. Chains of waiting detections are short, since scores do not
fall or rise steadily from top to bottom over many neighbours; where they did, more would wait, and the result would be
the same. A margin of fixed width would be no substitute: a chain may be longer than any margin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from swathe import boxes as box_math
from swathe.boxes.kernels import DROPPED, KEPT
from swathe.engine.parts import Part
from swathe.engine.raw import RawDetections
from swathe.engine.seam import canonical_order, gives_way_to_whole, merge
from swathe.engine.settings import RunSettings

Flags = npt.NDArray[np.bool_]
Item = TypeVar("Item")

# Fewer new detections than this are not worth a round of decisions.
ROUND_ROWS = 50_000
# A detection counts as complete this far above the line, pixels: far more than rounding at any coordinate allowed.
SLACK = 1.0


@dataclass(frozen=True)
class MergedScene:
    """What the merge of a scene gives."""

    kept: RawDetections  # the detections that stay, in no particular order
    raw: int  # detections before the merge
    skipped: int  # windows without data


class Sweep:
    """Merges detections that come from top to bottom."""

    def __init__(self, settings: RunSettings) -> None:
        """Begin with nothing.

        Args:
            settings: Thresholds of the merge.
        """
        self._settings = settings
        self._rows = RawDetections.empty()
        # Rows that are dropped and yet stay for a while, since a fragment that is still to come may give way to them.
        self._dropped: Flags = np.zeros(0, dtype=np.bool_)

    def __len__(self) -> int:
        """Return how many detections are held back."""
        return len(self._rows)

    def advance(self, new: RawDetections, line: float) -> RawDetections:
        """Take detections and decide what can be decided.

        Args:
            new: Detections of any place.
            line: No box of a later call reaches above this row, scene pixels; infinity if there are no more.

        Returns:
            The detections that stay whatever comes; each is returned once. After infinity nothing is held back.
        """
        rows = RawDetections.concat([self._rows, new])
        dropped = np.concatenate([self._dropped, np.zeros(len(new), dtype=np.bool_)])
        order = canonical_order(rows.boxes, rows.scores, rows.classes, rows.cut)
        rows, dropped = rows.take(order), dropped[order]
        complete = box_math.hulls(rows.boxes).reshape(-1, 4)[:, 3] < line - SLACK
        settings = self._settings
        classes = np.zeros_like(rows.classes) if settings.across_classes else rows.classes
        dropped |= gives_way_to_whole(rows.boxes, classes, rows.cut, settings.give_way)
        rivals = np.flatnonzero(~dropped)
        states = np.full(len(rows), DROPPED, dtype=np.int8)
        states[rivals] = box_math.settle(
            rows.boxes[rivals],
            rows.scores[rivals],
            classes[rivals],
            complete[rivals],
            settings.merge_iou if settings.merge_ios is None else settings.merge_ios,
            smaller=settings.merge_ios is not None,
        )
        dropped = states == DROPPED
        stays = np.flatnonzero(~(states == KEPT) & ~(dropped & complete))
        self._rows, self._dropped = rows.take(stays), dropped[stays]
        return rows.take(np.flatnonzero(states == KEPT))


def merge_parts(
    load: Callable[[Item], Part], batches: Sequence[Item], settings: RunSettings, *, single: bool = False
) -> MergedScene:
    """Merge the parts of a scene; of a scene with many detections, each part is held only while it is needed.

    Args:
        load: Reads the part of a batch; called once or twice for each.
        batches: All batches of the scene, or what `load` knows them by.
        settings: Thresholds of the merge.
        single: Whether the scene is a single window: then there is nothing to merge.

    Returns:
        The detections that stay; the same as `swathe.engine.seam.merge` of all parts together chooses.
    """
    tops: list[float] = []
    few: list[RawDetections] = []
    raw = skipped = 0
    for batch in batches:
        part = load(batch)
        tops.append(_top(part.raw))
        raw, skipped = raw + len(part.raw), skipped + part.skipped
        if single or raw <= ROUND_ROWS:
            few.append(part.raw)
        else:
            few.clear()
    if single:
        kept = RawDetections.concat(few)
    elif raw <= ROUND_ROWS:
        kept = _at_once(RawDetections.concat(few), settings)
    else:
        kept = _from_top_to_bottom(load, batches, tops, settings)
    return MergedScene(kept, raw, skipped)


def _at_once(rows: RawDetections, settings: RunSettings) -> RawDetections:
    """Merge what is small enough."""
    columns = rows.boxes, rows.scores, rows.classes, rows.cut
    names = ("merge_iou", "merge_ios", "across_classes", "give_way")
    return rows.take(merge(*columns, **{name: getattr(settings, name) for name in names}))


def _from_top_to_bottom(
    load: Callable[[Item], Part], batches: Sequence[Item], tops: Sequence[float], settings: RunSettings
) -> RawDetections:
    """Merge parts in the order of their topmost rows, in rounds."""
    sweep = Sweep(settings)
    kept: list[RawDetections] = []
    waiting: list[RawDetections] = []
    rows = 0
    order = np.argsort(np.array(tops), kind="stable").tolist()
    lines = [*(tops[place] for place in order[1:]), math.inf]
    for place, line in zip(order, lines, strict=True):
        waiting.append(load(batches[place]).raw)
        rows += len(waiting[-1])
        # Rounds grow with what is held back, so that the work stays in proportion even where little can be decided.
        if line == math.inf or rows >= max(ROUND_ROWS, len(sweep)):
            kept.append(sweep.advance(RawDetections.concat(waiting), line))
            waiting.clear()
            rows = 0
    return RawDetections.concat(kept)


def _top(raw: RawDetections) -> float:
    """Return the topmost row that a detection reaches, scene pixels; infinity if there is none."""
    return float(box_math.hulls(raw.boxes).reshape(-1, 4)[:, 1].min(initial=math.inf))
