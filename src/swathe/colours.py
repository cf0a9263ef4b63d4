"""Colours of classes: bright, told apart by most colour-blind people, and the same in every picture."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

Colour = tuple[int, int, int]

# Stand apart from each other and from soil, plants, water and roofs, also for most colour-blind. The order lets the
# names of frequent classes fall on the brighter ones.
PALETTE: tuple[Colour, ...] = (
    (51, 221, 255),
    (255, 102, 178),
    (153, 255, 102),
    (255, 153, 51),
    (255, 221, 51),
    (178, 153, 255),
    (255, 255, 255),
    (255, 102, 92),
)

CHOSEN: Colour = (255, 255, 255)  # of the one detection that stands out by its thicker line, too


def class_colours(names: Iterable[str]) -> dict[str, Colour]:
    """Choose a colour for each class.

    A name has a colour of its own, by its checksum; of two names with the same one, the later in the alphabet takes
    the next colour that is free. So a class keeps its colour however few classes are shown, if all that the model
    knows are given here.

    Args:
        names: Names of all classes, also of those that are not shown.

    Returns:
        Red, green, blue (0 to 255) by name; colours repeat if there are more classes than colours.
    """
    chosen: dict[str, Colour] = {}
    free = set(range(len(PALETTE)))
    for name in sorted(set(names)):
        free = free or set(range(len(PALETTE)))
        wanted = zlib.crc32(name.encode()) % len(PALETTE)
        place = min(free, key=lambda number: (number - wanted) % len(PALETTE))
        free.remove(place)
        chosen[name] = PALETTE[place]
    return chosen
