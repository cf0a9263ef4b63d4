"""What a user should know about how a file is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Values of EXIF's orientation, and how viewers turn or mirror such a photograph.
TURNED = {
    "2": "mirrored",
    "3": "turned by half",
    "4": "mirrored and turned by half",
    "5": "mirrored and turned by a quarter",
    "6": "turned clockwise",
    "7": "mirrored and turned by a quarter",
    "8": "turned counter-clockwise",
}


def notes_on(dataset: Any, uri: str, unused: int | None, *, colourless: bool) -> Iterator[str]:
    """Tell what of a raster is not looked at, or in another way than elsewhere.

    Args:
        dataset: The open raster.
        uri: Its address.
        unused: A band that is said to be alpha and not taken for a mask.
        colourless: Whether it has a palette without colours.

    Yields:
        Sentences without a capital at their start.
    """
    pages, orientation = _pages_and_orientation(dataset)
    if pages > 1:
        yield f"holds {pages} images, and only the first is looked at; name the others as GTIFF_DIR:2:{uri}"
    if orientation in TURNED:
        shown = TURNED[orientation]
        yield f"viewers show it {shown}, as its EXIF data say; here it is looked at as it is stored, pixels too"
    if unused is not None:
        yield f"its band {unused} is not used as a mask: it is said to be alpha, but seems to hold a picture"
    if colourless:
        yield "its palette has no colours, so its numbers are shown as grey"


def _pages_and_orientation(dataset: Any) -> tuple[int, str]:
    """Count the images of a TIFF, 0 for other files, and return EXIF's orientation, "" without one."""
    from rasterio._err import CPLE_BaseError  # what properties raise has no public name

    try:
        pages = sum(name.startswith("GTIFF_DIR:") for name in dataset.subdatasets)
        return pages, dataset.tags().get("EXIF_Orientation", "")
    except CPLE_BaseError:  # the file ends before them; whether it ends before its pixels shows when they are read
        return 0, ""
