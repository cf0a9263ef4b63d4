"""DOTA text labels: `x1 y1 x2 y2 x3 y3 x4 y4 class difficult`, one object a line, after optional header lines."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe.atomic import published_file
from swathe.datasets.sample import ImageFolder, Sample, label_files, label_text, polygon_array
from swathe.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# `imagesource:GoogleEarth`, `gsd:0.15`, `gsd:null`, `acquisition dates:2016-05-04`: a label line begins with a number.
_HEADER = re.compile(r"[A-Za-z][\w ]*:")
_RESOLUTION = re.compile(r"^gsd:\s*(\d+(?:\.\d+)?(?:e-?\d+)?)\s*$", re.MULTILINE)
_DIFFICULT = ("0", "1", "2")
_LINE_FORM = "x1 y1 x2 y2 x3 y3 x4 y4 class difficult"

Labels = tuple[npt.NDArray[np.float64], tuple[str, ...], npt.NDArray[np.bool_]]


def read_labels(path: Path) -> Labels:
    """Read one DOTA text file.

    Header lines, blank lines, a byte order mark, either line ending and a missing difficult mark are accepted, and so
    are coordinates outside the image: the format allows them all.

    Args:
        path: The label file; an empty one is an image without objects.

    Returns:
        Polygons (n, 4, 2) x, y in pixels, n class names, and (n,) marks that are True where difficult is not 0.

    Raises:
        SourceError: If the file cannot be read, or a line is not a label; the message gives its number and content.
    """
    rows: list[list[float]] = []
    classes: list[str] = []
    difficult: list[bool] = []
    for number, line in enumerate(label_text(path).splitlines(), start=1):
        fields = line.split()
        if not fields or (not rows and _HEADER.match(line.strip())):
            continue
        where = f"{path}, line {number}: {_shortened(line)!r}"
        if len(fields) not in (9, 10):
            raise SourceError(
                f"{where} has {len(fields)} fields; a label is `{_LINE_FORM}`. Correct or delete the line"
            )
        rows.append([_coordinate(field, where) for field in fields[:8]])
        classes.append(_class_name(fields[8], where))
        difficult.append(_is_difficult(fields[9] if len(fields) == 10 else "0", where))
    return polygon_array(rows), tuple(classes), np.asarray(difficult, dtype=np.bool_)


def read_resolution(path: Path) -> float | None:
    """Read the resolution in the header of a DOTA text file, `gsd:0.15`.

    Args:
        path: The label file.

    Returns:
        Metres per pixel, None if the file does not say or says `null`.

    Raises:
        SourceError: If the file cannot be read.
    """
    found = _RESOLUTION.search(label_text(path))
    return float(found[1]) if found and float(found[1]) > 0 else None


def read_folder(labels: Path, images: Path | None = None) -> list[Sample]:
    """Read a folder of DOTA text files.

    Args:
        labels: Folder of `.txt` label files.
        images: Folder of images with the same stems; None if only the labels are wanted.

    Returns:
        One sample per label file, sorted by name.

    Raises:
        SourceError: If a folder or the image of a label file is missing, or a label file is damaged.
    """
    folder = ImageFolder(images)
    return [Sample(path.stem, folder.find(path), *read_labels(path)) for path in label_files(labels, ".txt")]


def write_labels(
    path: Path,
    polygons: npt.NDArray[np.float64],
    classes: Sequence[str],
    difficult: npt.NDArray[np.bool_] | None = None,
    header: Mapping[str, str] | None = None,
) -> None:
    """Write one DOTA text file; coordinates are never rounded and the file appears whole or not at all.

    Args:
        path: File to write; one that exists is replaced.
        polygons: (n, 4, 2) corners x, y in pixels.
        classes: n class names without blanks.
        difficult: (n,) ignore marks; None marks nothing.
        header: Lines `key:value` at the top, for instance `{"imagesource": "GoogleEarth", "gsd": "0.15"}`.

    Raises:
        UsageError: If a class name is empty or holds blanks, or the columns do not fit each other.
        StoreError: If the file cannot be written.
    """
    marks = np.zeros(len(classes), dtype=np.bool_) if difficult is None else difficult
    sample = Sample(path.stem, None, np.asarray(polygons, dtype=np.float64), tuple(classes), marks)
    for name in sample.classes:
        if len(name.split()) != 1 or name != name.strip():
            raise UsageError(
                f"class name {name!r} cannot be written to {path}: DOTA separates fields by blanks; rename it"
            )
    lines = [f"{key}:{value}" for key, value in (header or {}).items()]
    for polygon, name, mark in zip(sample.polygons.tolist(), sample.classes, sample.difficult.tolist(), strict=True):
        corners = " ".join(repr(value) for corner in polygon for value in corner)
        lines.append(f"{corners} {name} {int(mark)}")
    with published_file(path, overwrite=True) as stream:
        stream.write("".join(f"{line}\n" for line in lines).encode())


def _coordinate(field: str, where: str) -> float:
    """Return a finite number or say which field of which line is none."""
    try:
        value = float(field)
    except ValueError as error:
        raise SourceError(f"{where}: {field!r} is not a number; a label is `{_LINE_FORM}`. Correct the line") from error
    if not math.isfinite(value):
        raise SourceError(f"{where}: coordinate {field!r} is not finite; correct or delete the line")
    return value


def _class_name(field: str, where: str) -> str:
    """Return a class name or say that the field is a number, as when a coordinate too many shifts the fields."""
    try:
        float(field)
    except ValueError:
        return field
    raise SourceError(f"{where}: the class name is the number {field!r}; a label is `{_LINE_FORM}`. Correct the line")


def _is_difficult(field: str, where: str) -> bool:
    """Return whether an object is marked as difficult (1 or 2) or say that the mark is unknown."""
    if field not in _DIFFICULT:
        raise SourceError(f"{where}: difficult is {field!r} and must be 0, 1 or 2; correct the line")
    return field != "0"


def _shortened(line: str) -> str:
    """Return a line as it can be shown in a message."""
    text = line.strip()
    return text if len(text) <= 120 else text[:117] + "..."
