"""YOLO-OBB labels: `class x1 y1 x2 y2 x3 y3 x4 y4` per object, the corners as shares of width and height."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from swathe.datasets.sample import ImageFolder, Sample, label_files, label_text
from swathe.errors import SourceError
from swathe.raster.opening import open_scene

NAME_FILES = ("classes.txt", "data.yaml", "dataset.yaml")
LEVELS = 3  # folders, from that of the labels upwards, in which the names are looked for

_NAMES = re.compile(r"^names\s*:(?P<inline>[^\n]*)\n?(?P<block>(?:[ \t-][^\n]*\n?)*)", re.MULTILINE)
_ITEM = re.compile(r"^\s*(?:-|(?P<number>\d+)\s*:)\s*(?P<name>[^#\n]*?)\s*(?:#.*)?$")


def read_folder(labels: Path, images: Path, names: Path | None = None) -> list[Sample]:
    """Read a folder of YOLO-OBB text files.

    Args:
        labels: Folder of `.txt` label files.
        images: Folder of images with the same stems; shares become pixels by their sizes.
        names: File with the class names: one a line, or the `names` of a data set's YAML file. If not given,
            `classes.txt`, `data.yaml` or `dataset.yaml` beside the labels or up to two folders above.

    Returns:
        One sample per label file, and one without objects per image that has none, sorted by name.

    Raises:
        SourceError: If a folder, the names or the image of a label file is missing, or a label file is damaged.
    """
    classes = read_names(names or _find_names(labels))
    folder = ImageFolder(images)
    files = [path for path in label_files(labels, ".txt") if path.name not in NAME_FILES]
    samples = [_sample(path, folder.find(path), classes) for path in files]
    empty = folder.without({path.stem for path in files})
    return sorted(samples + [Sample.empty(path) for path in empty], key=lambda sample: sample.name)


def read_names(path: Path) -> tuple[str, ...]:
    """Read the names of the classes, in the order of their numbers.

    Args:
        path: A text file with one name a line, or a YAML file with `names`: a list, or numbers and names.

    Returns:
        The names.

    Raises:
        SourceError: If the file cannot be read or holds no names.
    """
    text = label_text(path)
    if path.suffix.lower() not in (".yaml", ".yml"):
        found = [line.strip() for line in text.splitlines() if line.strip()]
    else:
        found = _yaml_names(text)
    if not found or not all(found):
        raise SourceError(f"{path}: holds no class names; write one name a line into a file classes.txt")
    return tuple(found)


def _yaml_names(text: str) -> list[str]:
    """Return the `names` of a YAML file, written as a list or by number, in one line or in several."""
    match = _NAMES.search(text)
    if match is None:
        return []
    inline = match["inline"].split("#")[0].strip()
    if inline:
        lines = [f"- {part}" if ":" not in part else part for part in inline.strip("[]{}").split(",")]
    else:
        lines = [line for line in match["block"].splitlines() if line.split("#")[0].strip()]
    items = [_ITEM.match(line) for line in lines]
    named = {int(item["number"] or place): item["name"].strip("'\" ") for place, item in enumerate(items) if item}
    return [named.get(number, "") for number in range(len(items))]


def _find_names(labels: Path) -> Path:
    """Find the file with the class names of a folder of labels."""
    folders = [labels.absolute(), *labels.absolute().parents][:LEVELS]
    for path in (folder / name for folder in folders for name in NAME_FILES):
        if path.is_file():
            return path
    raise SourceError(
        f"label folder {labels}: the labels have numbers and no file says their names; put {' or '.join(NAME_FILES)} "
        "beside them or above"
    )


def _sample(path: Path, image: Path | None, classes: tuple[str, ...]) -> Sample:
    """Read one label file."""
    rows = [
        _row(line, f"{path}, line {number}: {line.strip()[:120]!r}", len(classes))
        for number, line in enumerate(label_text(path).splitlines(), start=1)
        if line.strip()
    ]
    values = np.asarray(rows, dtype=np.float64).reshape(-1, 9)
    size: npt.NDArray[np.float64] = np.ones(2)
    if rows and image is not None:
        scene = open_scene(image, value_range=(0.0, 255.0))  # given, so that no pixels are measured
        size = np.array([scene.width, scene.height], dtype=np.float64)
    names = tuple(classes[int(number)] for number in values[:, 0])
    return Sample(path.stem, image, values[:, 1:].reshape(-1, 4, 2) * size, names, np.zeros(len(rows), dtype=np.bool_))


def _row(line: str, where: str, classes: int) -> list[float]:
    """Return the class and the corners of a line."""
    fields = line.split()
    if len(fields) != 9:
        hint = "; upright boxes (class x y width height) have no angle to learn from" if len(fields) == 5 else ""
        raise SourceError(f"{where} has {len(fields)} fields; a label is `class x1 y1 x2 y2 x3 y3 x4 y4`{hint}")
    try:
        number, values = int(fields[0]), [float(field) for field in fields[1:]]
    except ValueError as error:
        raise SourceError(f"{where}: {error}; a label is `class x1 y1 x2 y2 x3 y3 x4 y4`. Correct the line") from error
    if not 0 <= number < classes:
        raise SourceError(f"{where}: there are {classes} classes, counted from 0; correct the line or the names")
    if not all(-1.0 <= value <= 2.0 for value in values):
        raise SourceError(f"{where}: corners must be shares of width and height, from 0 to 1; are these pixels?")
    return [number, *values]
