"""What a user should know about how a file is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from swathe.raster.bands import has_palette, is_paletted

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


def notes_on(dataset: Any, uri: str, bands: Sequence[int], unused: int | None) -> Iterator[str]:
    """Tell what of a raster is not looked at, or in another way than elsewhere.

    Args:
        dataset: The open raster.
        uri: Its address.
        bands: The bands shown.
        unused: A band that is said to be alpha and not taken for a mask.

    Yields:
        Sentences without a capital at their start.
    """
    pages = [name for name in dataset.subdatasets if name.startswith("GTIFF_DIR:")]
    if pages:
        yield f"holds {len(pages)} images, and only the first is looked at; name the others as GTIFF_DIR:2:{uri}"
    turned = TURNED.get(dataset.tags().get("EXIF_Orientation", ""))
    if turned is not None:
        yield f"viewers show it {turned}, as its EXIF data say; here it is looked at as it is stored, pixels too"
    if unused is not None:
        yield f"its band {unused} is not used as a mask: it is said to be alpha, but seems to hold a picture"
    if is_paletted(dataset, bands) and not has_palette(dataset, bands):
        yield "its palette has no colours, so its numbers are shown as grey"
