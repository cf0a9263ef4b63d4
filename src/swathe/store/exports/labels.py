"""Detections as labels to learn from: text files of DOTA and annotations of DIOR-R, one for each image."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from swathe.atomic import published_folder
from swathe.datasets.dior_r import CORNERS
from swathe.datasets.dota import write_labels
from swathe.errors import UsageError
from swathe.store.exports.cvat import storable
from swathe.store.exports.images import by_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from swathe.detections import Detections, SceneInfo


def write_dota_labels(detections: Detections, folder: Path, *, overwrite: bool = False) -> Path:
    """Write a text file of DOTA for each image: `x1 y1 x2 y2 x3 y3 x4 y4 class 0`, in pixels; scores are left out.

    Args:
        detections: What to write; images without detections get an empty file.
        folder: A folder that does not exist or is empty.
        overwrite: Whether a folder that holds such files alone may be replaced.

    Returns:
        The folder.

    Raises:
        UsageError: If a class has a blank in its name, or two images differ only by folder or suffix.
        StoreError: If the folder exists already or cannot be written; nothing half-written is left.
    """
    with published_folder(folder, replaceable=_holds_alone(".txt") if overwrite else None) as hidden:
        for _, name, _, found in _images(detections, ".txt"):
            write_labels(hidden / name, found.to_polygons("pixel"), found.classes.tolist())
    return folder


def write_dior_r(detections: Detections, folder: Path, *, overwrite: bool = False) -> Path:
    """Write an annotation of DIOR-R (XML, `robndbox`) for each image, in pixels; scores are left out.

    Args:
        detections: What to write; images without detections get a file without objects.
        folder: A folder that does not exist or is empty.
        overwrite: Whether a folder that holds such files alone may be replaced.

    Returns:
        The folder.

    Raises:
        UsageError: If XML cannot hold a name, or two images differ only by folder or suffix.
        StoreError: If the folder exists already or cannot be written; nothing half-written is left.
    """
    with published_folder(folder, replaceable=_holds_alone(".xml") if overwrite else None) as hidden:
        for scene, name, image, found in _images(detections, ".xml"):
            (hidden / name).write_bytes(_annotation(scene, image, found))
    return folder


def _images(detections: Detections, suffix: str) -> Iterator[tuple[SceneInfo, str, str, Detections]]:
    """Yield each image with the name of its label file, its own name, and what was found in it."""
    written: set[str] = set()
    for scene, name, found in by_image(detections):
        image = PurePosixPath(name)
        label = f"{image.stem}{suffix}"
        if label in written:
            raise UsageError(f"image {name}: another one's labels are called {label}, too; rename the image")
        written.add(label)
        yield scene, label, image.name, found


def _annotation(scene: SceneInfo, image: str, found: Detections) -> bytes:
    """Return the annotation of an image."""
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = storable(image)
    size = ElementTree.SubElement(root, "size")
    for name, value in (("width", scene.width), ("height", scene.height), ("depth", 3)):
        ElementTree.SubElement(size, name).text = str(value)
    for label, corners in zip(found.classes.tolist(), found.to_polygons("pixel").tolist(), strict=True):
        item = ElementTree.SubElement(root, "object")
        for name, text in (("name", storable(label)), ("type", "robndbox"), ("difficult", "0")):
            ElementTree.SubElement(item, name).text = text
        box = ElementTree.SubElement(item, "robndbox")
        for corner, (x, y) in zip(CORNERS, corners, strict=True):
            ElementTree.SubElement(box, f"x_{corner}").text = repr(x)
            ElementTree.SubElement(box, f"y_{corner}").text = repr(y)
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _holds_alone(suffix: str) -> Callable[[Path], bool]:
    """Return what tells whether a folder holds nothing but files with a suffix."""
    return lambda folder: all(path.is_file() and path.suffix == suffix for path in folder.iterdir())
