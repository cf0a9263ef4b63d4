"""DIOR-R labels: Pascal VOC XML with four corners per object in `robndbox`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from swathe.datasets.sample import ImageFolder, Sample, label_files, polygon_array
from swathe.errors import SourceError
from swathe.inputs import read_input

if TYPE_CHECKING:
    from pathlib import Path

    from swathe.datasets.dota import Labels

CORNERS = ("left_top", "right_top", "right_bottom", "left_bottom")


def read_labels(path: Path) -> Labels:
    """Read one DIOR-R annotation; its `angle` field is ignored, the corners say it all.

    Class names are put in lower case: the files write `Expressway-Service-area`, the class lists do not.

    Args:
        path: The XML file; one without objects is an image without objects.

    Returns:
        Polygons (n, 4, 2) x, y in pixels, n class names, and (n,) marks that are True where difficult is not 0.

    Raises:
        SourceError: If the file cannot be read, is not such an annotation, or declares a document type.
    """
    rows: list[list[float]] = []
    classes: list[str] = []
    difficult: list[bool] = []
    for number, item in enumerate(_root(path).iter("object"), start=1):
        where = f"{path}, object {number}"
        rows.append(_corners(item, where))
        classes.append(_required(item, "name", where).lower())
        difficult.append(_mark(item, where))
    return polygon_array(rows), tuple(classes), np.asarray(difficult, dtype=np.bool_)


def read_folder(annotations: Path, images: Path | None = None) -> list[Sample]:
    """Read a folder of DIOR-R annotations.

    Args:
        annotations: Folder of `.xml` files.
        images: Folder of images with the same stems; None if only the labels are wanted.

    Returns:
        One sample per annotation, sorted by name.

    Raises:
        SourceError: If a folder or the image of an annotation is missing, or an annotation is damaged.
    """
    folder = ImageFolder(images)
    return [Sample(path.stem, folder.find(path), *read_labels(path)) for path in label_files(annotations, ".xml")]


class _PlainTreeBuilder(ElementTree.TreeBuilder):
    """Builds a tree but refuses a document type, the only door through which entity bombs come in."""

    def doctype(self, name: str, *_identifiers: str | None) -> None:
        """Stop at a DOCTYPE, before any entity is declared."""
        raise SourceError(f"declares a document type ({name!r}), which annotations never need; delete its DOCTYPE")


def _root(path: Path) -> ElementTree.Element:
    """Parse an annotation and return its root element."""
    try:
        root = ElementTree.fromstring(read_input(path), ElementTree.XMLParser(target=_PlainTreeBuilder()))
    except SourceError as error:
        raise SourceError(f"annotation {path} {error}") from error
    except OSError as error:
        raise SourceError(f"annotation {path} cannot be read ({error.strerror}); check its name and rights") from error
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise SourceError(f"annotation {path} is not well-formed XML ({error}); fetch it again") from error
    if root.tag != "annotation":
        raise SourceError(f"{path} is not a DIOR-R annotation: its root is <{root.tag}>, not <annotation>")
    return root


def _required(item: ElementTree.Element, tag: str, where: str) -> str:
    """Return the text of a child element or say that it is missing."""
    text = (item.findtext(tag) or "").strip()
    if not text:
        raise SourceError(f"{where} has no <{tag}>; correct the annotation or fetch it again")
    return text


def _corners(item: ElementTree.Element, where: str) -> list[float]:
    """Return x1 y1 ... x4 y4 of an object, clockwise from the corner called left top."""
    box = item.find("robndbox")
    if box is None:
        raise SourceError(
            f"{where} has no <robndbox>; DIOR with horizontal boxes is another set: take DIOR-R's oriented annotations"
        )
    values: list[float] = []
    for corner in CORNERS:
        for tag in (f"x_{corner}", f"y_{corner}"):
            text = _required(box, tag, where)
            try:
                value = float(text)
            except ValueError as error:
                raise SourceError(f"{where}: <{tag}> is {text!r}, not a number; correct the annotation") from error
            if not math.isfinite(value):
                raise SourceError(f"{where}: <{tag}> is {text!r}, not a finite number; correct the annotation")
            values.append(value)
    return values


def _mark(item: ElementTree.Element, where: str) -> bool:
    """Return whether an object is difficult; a missing mark means that it is not."""
    text = (item.findtext("difficult") or "0").strip()
    if text not in ("0", "1", "2"):
        raise SourceError(f"{where}: <difficult> is {text!r} and must be 0, 1 or 2; correct the annotation")
    return text != "0"
