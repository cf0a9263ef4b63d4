"""Which images validate: whole places, so that no crop of a place that is learned gives an answer away."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from swathe.arguments import number
from swathe.counts import counted
from swathe.errors import UsageError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

DEGREE = 111_195.0  # metres, of latitude
MOST = 1.5  # of the wanted share that may be held out, since a place is not parted


@dataclass(frozen=True)
class Split:
    """Images that are held out."""

    held_out: tuple[int, ...]  # numbers of the images
    places: int  # of all images
    largest: int  # images of the largest place


def split_by_place(
    outlines: Sequence[BaseGeometry | None], share: float = 0.15, apart: float = 0.0, seed: int = 1
) -> Split:
    """Hold out whole places at random until they hold the wanted share of all images.

    Args:
        outlines: What each image covers, longitude and latitude in degrees; None if nobody knows, then the image is a
            place of its own.
        share: Of the images, above 0 and below 1.
        apart: Images that are as near to each other show one place, metres; 0: those that touch.
        seed: Of the choice.

    Returns:
        The images, the same for the same outlines.

    Raises:
        UsageError: If a value is out of range, or no place is small enough to be held out.
    """
    number("share", share, "a share, above 0 and below 1", 1e-6, 1 - 1e-6)
    number("apart", apart, "a distance in metres, from 0", 0)
    places = defaultdict[int, list[int]](list)
    for image, place in enumerate(_places(outlines, apart)):
        places[place].append(image)
    wanted = max(1, round(share * len(outlines)))
    chosen: list[int] = []
    order = np.random.default_rng(seed).permutation(sorted(places)).tolist()
    for place in order:
        if len(chosen) < wanted and len(chosen) + len(places[place]) <= max(1, MOST * wanted):
            chosen += places[place]
    largest = max(map(len, places.values()), default=0)
    if not chosen or len(chosen) == len(outlines):
        raise UsageError(
            f"{counted(len(outlines), 'image')} of {counted(len(places), 'place')}, the largest of "
            f"{largest:,}: no whole places make up a share of {share:g}; give more images, or another share"
        )
    return Split(tuple(sorted(chosen)), len(places), largest)


def _places(outlines: Sequence[BaseGeometry | None], apart: float) -> list[int]:
    """Return the place of each image: the first image that it is joined with, however indirectly."""
    import shapely

    parent = list(range(len(outlines)))

    def root(image: int) -> int:
        while parent[image] != image:
            parent[image] = parent[parent[image]]
            image = parent[image]
        return image

    known = [image for image, outline in enumerate(outlines) if outline is not None]
    shapes = np.array([*(outlines[image] for image in known), None], dtype=object)[:-1]
    tree = shapely.STRtree(shapes)
    for row, image in enumerate(known):
        west, south, east, north = shapes[row].bounds
        narrowing = max(0.01, math.cos(math.radians((south + north) / 2)))
        up, side = apart / DEGREE, apart / DEGREE / narrowing
        near = tree.query(shapely.box(west - side, south - up, east + side, north + up))
        metres = shapely.transform(
            shapes[near], lambda points, narrowing=narrowing: points * (DEGREE * narrowing, DEGREE)
        )
        own = metres[near.tolist().index(row)]
        for other in near[shapely.dwithin(metres, own, apart)].tolist():
            low, high = sorted((root(image), root(known[other])))
            parent[high] = low
    return [root(image) for image in range(len(outlines))]
