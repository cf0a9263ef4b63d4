"""COCO labels: one JSON file for all images, with upright boxes or outlines per object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from swathe import boxes
from swathe.datasets.sample import Sample
from swathe.errors import SourceError
from swathe.inputs import read_input

Key = int | str


class _Image(msgspec.Struct):
    id: Key
    file_name: str  # below the folder of images


class _Category(msgspec.Struct):
    id: Key
    name: str


class _Annotation(msgspec.Struct):
    image_id: Key
    category_id: Key
    bbox: tuple[float, float, float, float] | None = None  # left, top, width, height, pixels
    segmentation: list[list[float]] | dict[str, Any] | None = None  # outlines x1 y1 x2 y2 ..., or packed pixels
    iscrowd: int = 0  # 1: a group of objects, which no detection is held against


class _Document(msgspec.Struct):
    images: list[_Image]
    categories: list[_Category]
    annotations: list[_Annotation]


def read_file(path: Path, images: Path | None = None) -> list[Sample]:
    """Read a file of the COCO detection task.

    An outline of four corners is taken as it is; of one with more corners, or of several, the rectangle of least area
    around them counts. An object without outline is its upright box. Groups (`iscrowd`) are ignore regions.

    Args:
        path: The JSON file.
        images: The folder that `file_name` is relative to; None if only the labels are wanted.

    Returns:
        One sample per image, those without objects too, sorted by name: `file_name` without its suffix.

    Raises:
        SourceError: If the file cannot be read, is not such a file, or an image is missing.
    """
    document = _document(path)
    classes = {category.id: category.name for category in document.categories}
    of_image: dict[Key, list[_Annotation]] = defaultdict(list)
    for number, annotation in enumerate(document.annotations, start=1):
        if annotation.category_id not in classes:
            raise SourceError(f"{path}, annotation {number}: there is no category {annotation.category_id!r}; add it")
        of_image[annotation.image_id].append(annotation)
    unknown = of_image.keys() - {image.id for image in document.images}
    if unknown:
        raise SourceError(f"{path}: annotations are of image {min(unknown, key=str)!r}, which is not listed; add it")
    samples = [_sample(image, of_image[image.id], classes, images, path) for image in document.images]
    return sorted(samples, key=lambda sample: sample.name)


def _sample(
    image: _Image, annotations: list[_Annotation], classes: Mapping[Key, str], folder: Path | None, path: Path
) -> Sample:
    """Put the objects of one image together."""
    corners = [_corners(item, f"{path}, image {image.file_name}") for item in annotations]
    return Sample(
        str(PurePosixPath(image.file_name).with_suffix("")) if image.file_name.strip("./") else image.file_name,
        None if folder is None else _image(folder, image.file_name, path),
        np.asarray(corners, dtype=np.float64).reshape(-1, 4, 2),
        tuple(classes[item.category_id] for item in annotations),
        np.asarray([item.iscrowd != 0 for item in annotations], dtype=np.bool_),
    )


def _document(path: Path) -> _Document:
    """Parse a file."""
    try:
        return msgspec.json.decode(read_input(path), type=_Document)
    except OSError as error:
        raise SourceError(f"label file {path} cannot be read ({error.strerror}); check its name and rights") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise SourceError(f"label file {path} is not a COCO file ({error}); export it again") from error


def _image(folder: Path, name: str, path: Path) -> Path:
    """Return the image that a file names."""
    place = PurePosixPath(name)
    if not name.strip() or place.is_absolute() or ".." in place.parts:
        raise SourceError(f"{path}: file_name {name!r} does not lie below the folder of images; correct it")
    if not (folder / place).is_file():
        raise SourceError(f"{path}: there is no image {name} in {folder}; add it, or remove it from the file")
    return folder / place


def _corners(annotation: _Annotation, where: str) -> npt.NDArray[np.float64]:
    """Return the four corners (4, 2) of an object."""
    if isinstance(annotation.segmentation, list) and annotation.segmentation:
        parts = [_outline(part, where) for part in annotation.segmentation]
        if len(parts) == 1 and len(parts[0]) == 4:
            return parts[0]
        (corners,) = boxes.to_polygons(boxes.from_polygons([np.concatenate(parts)]))
        return np.asarray(corners, dtype=np.float64)
    if annotation.bbox is None:
        raise SourceError(f"{where}: an object has neither a bbox nor an outline; add one of them")
    left, top, width, height = annotation.bbox
    right, bottom = left + width, top + height
    return _finite(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]), where)


def _outline(numbers: list[float], where: str) -> npt.NDArray[np.float64]:
    """Return one outline as corners (k, 2)."""
    if len(numbers) < 6 or len(numbers) % 2:
        raise SourceError(f"{where}: an outline has {len(numbers)} numbers; it needs x and y of three or more corners")
    return _finite(np.asarray(numbers, dtype=np.float64).reshape(-1, 2), where)


def _finite(corners: npt.NDArray[np.float64], where: str) -> npt.NDArray[np.float64]:
    if not np.isfinite(corners).all():
        raise SourceError(f"{where}: a coordinate is not a finite number; correct or delete the object")
    return corners
