"""Labels as people have them: one reader for each format, by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from swathe.datasets import coco, dior_r, dota, yolo
from swathe.datasets.sample import Sample
from swathe.errors import UsageError

LabelFormat: TypeAlias = Literal["dota", "dior-r", "coco", "yolo-obb"]
READERS = {"dota": dota.read_folder, "dior-r": dior_r.read_folder, "coco": coco.read_file}


def read_labels(form: str, labels: Path, images: Path | None = None) -> list[Sample]:
    """Read the labels of a set of images.

    Args:
        form: "dota", "dior-r", "coco" or "yolo-obb".
        labels: The folder of label files, or COCO's one file.
        images: The folder of images; None if only the labels are wanted, which YOLO-OBB does not allow.

    Returns:
        One sample per labelled image, sorted by name; corners in image pixels.

    Raises:
        SourceError: If labels or images are missing or damaged.
        UsageError: If there is no such format, or it needs the images.
    """
    if form == "yolo-obb" and images is not None:
        return yolo.read_folder(labels, images)
    if form == "yolo-obb":
        accepted = "the folder of images, because labels of YOLO are shares of their sizes"
        raise UsageError(argument="images", value=None, accepted=accepted)
    if form not in READERS:
        raise UsageError(argument="format", value=form, accepted=f"one of {', '.join(READERS)}, yolo-obb")
    return READERS[form](labels, images)
