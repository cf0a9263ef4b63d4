"""One labelled image: its name, its pixels' place, and the oriented objects people drew on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from swathe import boxes
from swathe.errors import SourceError, UsageError
from swathe.inputs import read_input

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

LEAST_SIDE = 1e-3  # pixels; what is thinner is a slip of the mouse
IMAGE_SUFFIXES = (".bmp", ".jp2", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".vrt", ".webp")


@dataclass(frozen=True)
class Sample:
    """The labels of one image, corner by corner as the file had them; coordinates may lie outside the image."""

    name: str  # stem of the label file, which is the stem of the image too
    image: Path | None  # file with the pixels, None if only the labels are known
    polygons: npt.NDArray[np.float64]  # (n, 4, 2) corners x, y in image pixels
    classes: tuple[str, ...]  # n class names
    difficult: npt.NDArray[np.bool_]  # (n,) True: an ignore region for training and evaluation

    def __post_init__(self) -> None:
        """Refuse columns of different lengths and coordinates that are not numbers."""
        count = len(self.classes)
        if self.polygons.shape != (count, 4, 2) or self.difficult.shape != (count,):
            raise UsageError(
                f"sample {self.name!r} has {count} classes, polygons of shape {self.polygons.shape} and marks "
                f"of shape {self.difficult.shape}; give (n, 4, 2) polygons, n classes and n marks"
            )
        if not np.isfinite(self.polygons).all():
            raise UsageError(f"sample {self.name!r} has a corner that is not a finite number; correct its labels")

    @classmethod
    def empty(cls, image: Path) -> Self:
        """Describe an image in which there is no object."""
        return cls(image.stem, image, np.empty((0, 4, 2)), (), np.empty(0, dtype=np.bool_))

    def __len__(self) -> int:
        """Return the number of labelled objects, ignore regions included."""
        return len(self.classes)

    def boxes(self) -> npt.NDArray[np.float64]:
        """Return the minimum-area boxes of the polygons.

        Returns:
            (n, 5) canonical cx, cy, w, h, theta in image pixels and radians.
        """
        return boxes.from_polygons(self.polygons)

    def flat(self) -> npt.NDArray[np.bool_]:
        """Return which objects (n,) are a point or a line, without any area."""
        return self.boxes()[:, 3] < LEAST_SIDE

    def select(self, indices: npt.NDArray[np.int64]) -> Sample:
        """Return the sample with some of its objects only.

        Args:
            indices: (k,) which objects to keep, in the wanted order.

        Returns:
            A sample of k objects of the same image.
        """
        classes = tuple(self.classes[index] for index in indices)
        return Sample(self.name, self.image, self.polygons[indices], classes, self.difficult[indices])


def polygon_array(polygons: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
    """Stack rows of eight numbers x1 y1 ... x4 y4 into (n, 4, 2); no row gives (0, 4, 2)."""
    return np.asarray(polygons, dtype=np.float64).reshape(-1, 4, 2)


def label_files(folder: Path, suffix: str) -> list[Path]:
    """List the label files of a folder.

    Args:
        folder: Where the label files are, directly inside.
        suffix: What their names end in, for instance `.txt`.

    Returns:
        The files sorted by stem.

    Raises:
        SourceError: If the folder is missing, is a file, or holds no such file.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise SourceError(f"label folder {folder} {what}; name the folder that holds the {suffix} label files")
    files = [path for path in folder.iterdir() if path.suffix.lower() == suffix and path.is_file()]
    if not files:
        raise SourceError(f"label folder {folder} holds no {suffix} file; name the folder that holds the labels")
    return sorted(files, key=lambda path: path.stem)


def label_text(path: Path) -> str:
    """Read a label file.

    Args:
        path: The file, UTF-8.

    Returns:
        Its text without byte order mark.

    Raises:
        SourceError: If it cannot be read or is not text.
    """
    try:
        return read_input(path).decode("utf-8-sig")
    except OSError as error:
        raise SourceError(f"label file {path} cannot be read ({error.strerror}); check its name and rights") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"label file {path} is not UTF-8 text ({error.reason}); is it a label file?") from error


class ImageFolder:
    """Finds the image of a label file by its stem; an image that is not there is an error, not a guess."""

    def __init__(self, folder: Path | None) -> None:
        """List the images of a folder once.

        Args:
            folder: Where the images are, directly inside; None if only the labels are wanted.

        Raises:
            SourceError: If the folder does not exist.
        """
        self._folder = folder
        self._images: dict[str, list[Path]] = {}
        if folder is None:
            return
        if not folder.is_dir():
            raise SourceError(f"image folder {folder} does not exist; name the folder that holds the images")
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                self._images.setdefault(path.stem, []).append(path)

    def find(self, label: Path) -> Path | None:
        """Return the image of a label file.

        Args:
            label: The label file.

        Returns:
            The image with the same stem, or None if no image folder was given.

        Raises:
            SourceError: If no image has that stem, or more than one.
        """
        if self._folder is None:
            return None
        found = self._images.get(label.stem, [])
        if len(found) == 1:
            return found[0]
        if not found:
            raise SourceError(
                f"{label}: no image named {label.stem}.* in {self._folder}; add it or remove the label file"
            )
        names = ", ".join(path.name for path in found)
        raise SourceError(f"{label}: more than one image has its name ({names} in {self._folder}); keep one of them")

    def without(self, stems: Collection[str]) -> list[Path]:
        """Return the images that have none of some names, sorted."""
        return [path for stem, paths in self._images.items() if stem not in stems for path in paths]
