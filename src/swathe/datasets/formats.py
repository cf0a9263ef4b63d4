"""Labels as people have them: one reader for each format, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from swathe.counts import counted
from swathe.datasets import coco, dior_r, dota, yolo
from swathe.datasets.classes import map_classes
from swathe.datasets.sample import Sample
from swathe.errors import SourceError, UsageError

READERS = {"dota": dota.read_folder, "dior-r": dior_r.read_folder, "coco": coco.read_file}
KINDS = (*READERS, "yolo-obb")


@dataclass(frozen=True)
class LabelSet:
    """Labels of a set of images, and how they are read."""

    labels: Path  # the folder of label files, or COCO's one file
    kind: str = "dota"  # one of `KINDS`
    images: Path | None = None  # the folder of images; only YOLO-OBB cannot do without
    rename: Mapping[str, str] = field(default_factory=dict)  # class names of the set -> those wanted

    def __post_init__(self) -> None:
        """Refuse a format that does not exist, and shares of images that are not given."""
        if self.kind not in KINDS:
            raise UsageError(argument="kind", value=self.kind, accepted=f"one of {', '.join(KINDS)}")
        if self.kind == "yolo-obb" and self.images is None:
            accepted = "the folder of images, because labels of YOLO are shares of their sizes"
            raise UsageError(argument="images", value=None, accepted=accepted)

    def read(self) -> list[Sample]:
        """Read the labels.

        Returns:
            One sample per labelled image, sorted by name; corners in image pixels.

        Raises:
            SourceError: If labels or images are missing or damaged, or no object is larger than a pixel.
        """
        if self.kind == "yolo-obb" and self.images is not None:
            samples = yolo.read_folder(self.labels, self.images)
        else:
            samples = READERS[self.kind](self.labels, self.images)
        extents = [np.ptp(sample.polygons, axis=1).max(axis=1, initial=0.0) for sample in samples]
        largest = np.concatenate(extents) if extents else np.empty(0)
        if len(largest) and largest.max() <= 1.0:
            raise SourceError(
                f"{self.labels}: none of its {counted(len(largest), 'object')} is larger than a pixel; if the corners "
                "are shares of the image, as YOLO writes them, the labels are of kind yolo-obb"
            )
        return [map_classes(sample, self.rename) for sample in samples]
