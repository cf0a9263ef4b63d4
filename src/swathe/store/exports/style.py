"""A style for QGIS: the outline of each class in its colour."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from swathe.atomic import published_file
from swathe.colours import class_colours

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from swathe.detections import Detections

SUFFIX = ".qml"
WIDTH = "0.5"  # of outlines, millimetres


def write_style(detections: Detections, path: Path, *, overwrite: bool = False) -> Path:
    """Write a QGIS style file (QML) that shows outlines by class, in the colours of `swathe draw` and `swathe serve`.

    Args:
        detections: Whose classes are meant, also those that were not found.
        path: Where to; QGIS applies it by itself to a file of the same name beside it.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        StoreError: If the file exists already or cannot be written; nothing half-written is left.
    """
    with published_file(path, overwrite=overwrite) as stream:
        stream.write(style(detections.class_names))
    return path


def style(names: Iterable[str]) -> bytes:
    """Return a style for layers with a column `class`.

    Args:
        names: Names of the classes.

    Returns:
        The text of the file, the same for the same classes.
    """
    root = ElementTree.Element("qgis", styleCategories="Symbology", version="3.22.0")
    renderer = ElementTree.SubElement(
        root, "renderer-v2", type="categorizedSymbol", attr="class", symbollevels="0", enableorderby="0"
    )
    categories = ElementTree.SubElement(renderer, "categories")
    symbols = ElementTree.SubElement(renderer, "symbols")
    for number, (name, colour) in enumerate(sorted(class_colours(names).items())):
        ElementTree.SubElement(
            categories, "category", value=name, label=name, symbol=str(number), render="true", type="string"
        )
        symbol = ElementTree.SubElement(
            symbols, "symbol", name=str(number), type="fill", alpha="1", clip_to_extent="1", force_rhr="0"
        )
        layer = ElementTree.SubElement(symbol, "layer", {"class": "SimpleLine", "enabled": "1", "pass": "0"})
        options = ElementTree.SubElement(layer, "Option", type="Map")
        values = {"line_color": ",".join(map(str, (*colour, 255))), "line_width": WIDTH, "line_width_unit": "MM"}
        for key, value in values.items():
            ElementTree.SubElement(options, "Option", name=key, value=value, type="QString")
            ElementTree.SubElement(layer, "prop", k=key, v=value)  # read by QGIS before 3.26
    ElementTree.indent(root)
    head = b"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    text: bytes = ElementTree.tostring(root, encoding="utf-8")
    return head + text + b"\n"
