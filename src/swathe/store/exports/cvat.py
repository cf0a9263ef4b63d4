"""Detections for CVAT: its format "CVAT for images 1.1", a polygon per object."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from swathe.atomic import published_file
from swathe.errors import UsageError
from swathe.store.exports.images import by_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swathe.detections import Detections

# What XML 1.0 cannot hold, however it is written.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_cvat(detections: Detections, path: Path, *, overwrite: bool = False) -> Path:
    """Write a file that CVAT takes under "Upload annotations" of a task with the same images.

    Args:
        detections: What to write, in pixels of the images; scores are left out, as CVAT has no place for them.
        path: Where to.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        UsageError: If a class or image has a name that XML cannot hold.
        StoreError: If the file exists already or cannot be written; nothing half-written is left.
    """
    with published_file(path, overwrite=overwrite) as stream:
        for line in _lines(detections):
            stream.write(f"{line}\n".encode())
    return path


def _lines(detections: Detections) -> Iterator[str]:
    """Yield the lines of the file."""
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield "<annotations><version>1.1</version><meta><task><labels>"
    for label in detections.class_names:
        yield f"<label><name>{escape(storable(label))}</name><attributes></attributes></label>"
    yield "</labels></task></meta>"
    for number, (scene, name, found) in enumerate(by_image(detections)):
        yield f'<image id="{number}" name={_quoted(name)} width="{scene.width}" height="{scene.height}">'
        for label, corners in zip(found.classes.tolist(), found.to_polygons("pixel").tolist(), strict=True):
            points = ";".join(f"{x!r},{y!r}" for x, y in corners)
            yield f'<polygon label={_quoted(label)} source="auto" occluded="0" points="{points}" z_order="0"></polygon>'
        yield "</image>"
    yield "</annotations>"


def _quoted(text: str) -> str:
    """Write an attribute of XML."""
    return quoteattr(storable(text))


def storable(text: str) -> str:
    """Return a name, or raise a `UsageError` if XML cannot hold it."""
    if FORBIDDEN.search(text):
        raise UsageError(f"{text!r}: XML cannot hold this name; rename it and detect again")
    return text
