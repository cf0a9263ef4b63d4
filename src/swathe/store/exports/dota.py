"""Detections as the results files of DOTA task 1."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from swathe.atomic import published_file, published_folder
from swathe.errors import Argument, UsageError
from swathe.store.exports.rows import chunks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from swathe.detections import Detections

TASK1_PREFIX = "Task1_"


def write_dota_task1(
    detections: Detections, folder: Path, classes: Sequence[str] | None = None, *, overwrite: bool = False
) -> list[Path]:
    """Write the results files of DOTA task 1: `Task1_CLASS.txt` with lines `image score x1 y1 x2 y2 x3 y3 x4 y4`.

    Args:
        detections: What to write; the images are the scene ids, the corners scene pixels. Nothing is rounded.
        folder: A folder that does not exist or is empty; or a file that ends in .zip, as the server of DOTA takes it.
        classes: Classes that get a file, also if nothing of them was found; the model's if not given.
        overwrite: Whether a folder that holds such files alone may be replaced.

    Returns:
        The files, in the order of the classes; or the .zip file.

    Raises:
        UsageError: If a class or scene has a name that these files cannot hold, or a found class is not in `classes`.
        StoreError: If the folder exists already or cannot be written; nothing half-written is left.
    """
    names = tuple(detections.class_names if classes is None else classes)
    ordered = detections.sorted()
    found = ordered.classes
    _check_task1_names(names, set(found.tolist()), set(ordered.scene_ids.tolist()))
    lines = {_task1_name(name): _task1_lines(ordered.take(found == name)) for name in names}
    if folder.suffix.lower() == ".zip":
        with published_file(folder, overwrite=overwrite) as stream, zipfile.ZipFile(stream, "w") as archive:
            for name, content in lines.items():
                entry = zipfile.ZipInfo(name)  # of no date, so that the same results are the same file
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w", force_zip64=True) as member:
                    member.writelines(line.encode() for line in content)
        return [folder]
    with published_folder(folder, replaceable=_holds_task1_alone if overwrite else None) as hidden:
        for name, content in lines.items():
            with published_file(hidden / name, overwrite=False) as stream:
                stream.writelines(line.encode() for line in content)
    return [folder / name for name in lines]


def _task1_lines(detections: Detections) -> Iterator[str]:
    """Yield the lines of one class."""
    for chunk in chunks(detections):
        corners = chunk.to_polygons("pixel").reshape(-1, 8).tolist()
        for image, score, numbers in zip(chunk.scene_ids.tolist(), chunk.scores.tolist(), corners, strict=True):
            yield f"{image} {score!r} {' '.join(map(repr, numbers))}\n"


def _task1_name(class_name: str) -> str:
    return f"{TASK1_PREFIX}{class_name}.txt"


def _check_task1_names(names: Sequence[str], found: set[str], scenes: Iterable[str]) -> None:
    """Refuse what would be read back differently."""
    if not found.issubset(names):
        raise UsageError(
            f"class {min(found.difference(names))!r} was found but is not among the classes to write "
            f"({', '.join(names)}); filter by class, or name all"
        )
    for name in names:
        if not name or any(mark in name for mark in "/\\\0"):
            raise UsageError(f"class {name!r} cannot be part of a file name; DOTA files need another name for it")
    for scene in scenes:
        if len(scene.split()) != 1:
            raise UsageError(
                f"scene {scene!r}: DOTA separates fields by blanks; rename the file and detect again, or choose other ",
                Argument("scenes"),
            )


def _holds_task1_alone(folder: Path) -> bool:
    """Return whether a folder holds nothing but results files of DOTA task 1."""
    return all(path.is_file() and path.match(f"{TASK1_PREFIX}*.txt") for path in folder.iterdir())
