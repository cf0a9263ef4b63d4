"""Random views of labelled images for training: mosaic, mixup, flips, rotation, scale, colour; all from one generator.

A box is never clipped to the frame: one whose centre leaves it is dropped, and what remains visible of it becomes an
ignore region, since it is neither a whole object nor background.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from swathe import boxes as box_room
from swathe.errors import UsageError

PADDING = 114  # grey level outside of images, as in detection


@dataclass(frozen=True)
class TrainingImage:
    """Pixels and labels of one training view."""

    pixels: npt.NDArray[np.uint8]  # (h, w, bands), RGB first
    boxes: npt.NDArray[np.float64]  # (n, 5) canonical, pixels of this view
    classes: npt.NDArray[np.int64]  # (n,)
    ignore: npt.NDArray[np.uint8]  # (h, w) 1 where nobody knows whether there is an object
    labelled: npt.NDArray[np.bool_]  # (classes,) which classes the image's data set labels


@dataclass(frozen=True)
class Augmentation:
    """How much views may differ from their images; probabilities in 0..1."""

    rotation: float = 180.0  # largest turn either way, degrees
    scale: tuple[float, float] = (0.6, 1.5)  # smallest and largest factor, drawn uniformly in its logarithm
    flip: float = 0.5  # probability of each of the two flips
    mosaic: float = 0.5  # probability of four images in one view
    mixup: float = 0.05  # probability of blending with a second view
    brightness: float = 0.3  # largest change of brightness, as a share
    contrast: float = 0.3  # largest change of contrast, as a share
    colour: float = 0.08  # largest change of each channel, as a share
    gamma: float = 0.25  # largest change of gamma, as a share
    grey: float = 0.05  # probability of a view without colour

    def __post_init__(self) -> None:
        """Refuse probabilities and ranges that make no sense."""
        for name in ("flip", "mosaic", "mixup", "grey"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageError(f"augmentation {name} is {getattr(self, name)}; it must be within 0..1")
        for name in ("brightness", "contrast", "colour", "gamma"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise UsageError(f"augmentation {name} is {getattr(self, name)}; it must be within 0..1 and below 1")
        low, high = self.scale
        if not 0.0 < low <= high < math.inf:
            raise UsageError(f"augmentation scale is {self.scale}; give two positive numbers, the smaller first")
        if not 0.0 <= self.rotation <= 180.0:
            raise UsageError(f"augmentation rotation is {self.rotation}; it must be within 0..180 degrees")


NO_AUGMENTATION = Augmentation(
    0.0, (1.0, 1.0), flip=0.0, mosaic=0.0, mixup=0.0, brightness=0.0, contrast=0.0, colour=0.0, gamma=0.0, grey=0.0
)

Pick = Callable[[np.random.Generator], TrainingImage]


def random_view(pick: Pick, size: int, settings: Augmentation, rng: np.random.Generator) -> TrainingImage:
    """Make one random training view.

    Args:
        pick: Draws a source image with the generator it is given.
        size: Side of the square view, pixels.
        settings: How much views may differ from their images.
        rng: The only source of randomness: the same state gives the same view.

    Returns:
        A view of size x size pixels.
    """
    view = _geometry(pick, size, settings, rng)
    if rng.random() < settings.mixup:
        view = _blend(view, _geometry(pick, size, settings, rng), float(rng.beta(8.0, 8.0)))
    return replace(view, pixels=_recolour(view.pixels, settings, rng))


def _geometry(pick: Pick, size: int, settings: Augmentation, rng: np.random.Generator) -> TrainingImage:
    """Return a single view or a mosaic of four."""
    if rng.random() >= settings.mosaic:
        return warp(pick(rng), size, size, _placement(settings, rng), rng.random(2))
    col, row = (int(value) for value in rng.integers(size // 4, size - size // 4, 2))
    parts = []
    for width, height in ((col, row), (size - col, row), (col, size - row), (size - col, size - row)):
        parts.append(warp(pick(rng), width, height, _placement(settings, rng), rng.random(2)))
    return _join(parts, col, row)


@dataclass(frozen=True)
class Placement:
    """A similarity: flips first, then turn and scale about the chosen point."""

    angle: float  # radians, clockwise on screen
    scale: float  # output pixels per input pixel
    flip_x: bool  # left and right change places
    flip_y: bool  # top and bottom change places


def _placement(settings: Augmentation, rng: np.random.Generator) -> Placement:
    turn = math.radians(settings.rotation)
    low, high = (math.log(value) for value in settings.scale)
    angle, scale, flips = rng.uniform(-turn, turn), math.exp(rng.uniform(low, high)), rng.random(2) < settings.flip
    return Placement(float(angle), scale, bool(flips[0]), bool(flips[1]))


def warp(
    image: TrainingImage, width: int, height: int, placement: Placement, position: npt.NDArray[np.float64]
) -> TrainingImage:
    """Look at an image through a turned, scaled and flipped frame.

    Args:
        image: The source.
        width: Columns of the view.
        height: Rows of the view.
        placement: Turn, scale and flips.
        position: Two numbers in 0..1: where the middle of the frame lies, from as far left (top) as keeps an unturned
            frame inside the image to as far right (bottom).

    Returns:
        The view; outside of the image its pixels are grey.
    """
    import cv2

    rows, cols = image.ignore.shape
    half = np.array([width, height]) / (2.0 * placement.scale)
    extent = np.array([cols, rows])
    low = np.minimum(half, extent / 2.0)
    centre = low + position * (extent - 2.0 * low)
    sine, cosine = math.sin(placement.angle) * placement.scale, math.cos(placement.angle) * placement.scale
    flips = np.diag([-1.0 if placement.flip_x else 1.0, -1.0 if placement.flip_y else 1.0])
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ flips
    offset = np.array([width, height]) / 2.0 - linear @ centre
    # cv2 puts the centre of the first pixel at 0, we put it at 0.5
    shifted = offset + linear @ np.array([0.5, 0.5]) - 0.5
    matrix = np.column_stack((linear, shifted))
    border = (PADDING, PADDING, PADDING)
    groups = np.split(image.pixels, range(3, image.pixels.shape[2], 3), axis=2)  # OpenCV takes four bands at most
    warped = [
        cv2.warpAffine(group, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=border).reshape(
            height, width, -1
        )
        for group in groups
    ]
    pixels = warped[0] if len(warped) == 1 else np.concatenate(warped, axis=2)
    ignore = cv2.warpAffine(image.ignore, matrix, (width, height), flags=cv2.INTER_NEAREST, borderValue=0)
    arrays = np.asarray(pixels, np.uint8), np.asarray(ignore, np.uint8)
    moved = image.boxes.copy()
    moved[:, :2] = image.boxes[:, :2] @ linear.T + offset
    moved[:, 2:4] *= placement.scale
    mirrored = placement.flip_x != placement.flip_y
    moved[:, 4] = (-moved[:, 4] if mirrored else moved[:, 4]) + placement.angle
    view = TrainingImage(arrays[0], box_room.canonical(moved), image.classes, arrays[1], image.labelled)
    return _drop_outside(view)


def _drop_outside(view: TrainingImage) -> TrainingImage:
    """Drop boxes whose centre is outside; what is seen of them is ignored."""
    rows, cols = view.ignore.shape
    x, y = view.boxes[:, 0], view.boxes[:, 1]
    inside = (x >= 0) & (x < cols) & (y >= 0) & (y < rows)
    fill_polygons(view.ignore, box_room.to_polygons(view.boxes[~inside]))
    return replace(view, boxes=view.boxes[inside], classes=view.classes[inside])


def fill_polygons(
    mask: npt.NDArray[np.uint8], polygons: Sequence[npt.NDArray[np.float64]] | npt.NDArray[np.float64], value: int = 1
) -> None:
    """Draw filled polygons into a mask, in place.

    Args:
        mask: (h, w).
        polygons: n polygons of (k, 2) corners, pixels; parts outside of the mask are cut off.
        value: What to write.
    """
    import cv2

    height, width = mask.shape
    for polygon in polygons:
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        if low[0] < width and low[1] < height and high[0] > 0 and high[1] > 0:
            cv2.fillPoly(mask, [np.round(polygon - 0.5).astype(np.int32)], value)


def _join(parts: list[TrainingImage], col: int, row: int) -> TrainingImage:
    """Put four views around the point (col, row)."""
    size = parts[0].ignore.shape[0] + parts[2].ignore.shape[0]
    pixels = np.empty((size, size, parts[0].pixels.shape[2]), np.uint8)
    ignore = np.empty((size, size), np.uint8)
    moved = []
    for part, (left, top) in zip(parts, ((0, 0), (col, 0), (0, row), (col, row)), strict=True):
        height, width = part.ignore.shape
        pixels[top : top + height, left : left + width] = part.pixels
        ignore[top : top + height, left : left + width] = part.ignore
        moved.append(part.boxes + np.array([left, top, 0.0, 0.0, 0.0]))
    return TrainingImage(
        pixels,
        np.concatenate(moved),
        np.concatenate([part.classes for part in parts]),
        ignore,
        np.logical_and.reduce([part.labelled for part in parts]),
    )


def _blend(first: TrainingImage, second: TrainingImage, share: float) -> TrainingImage:
    """Mix two views; the objects of both count."""
    pixels = first.pixels * np.float32(share) + second.pixels * np.float32(1.0 - share)
    return TrainingImage(
        pixels.astype(np.uint8),
        np.concatenate((first.boxes, second.boxes)),
        np.concatenate((first.classes, second.classes)),
        first.ignore | second.ignore,
        first.labelled & second.labelled,
    )


def _recolour(pixels: npt.NDArray[np.uint8], settings: Augmentation, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Change brightness, contrast, gamma and colour balance by one table per channel."""
    import cv2

    bands = pixels.shape[2]
    draws = rng.uniform(-1.0, 1.0, 3 + bands)
    brightness, contrast = 1.0 + settings.brightness * draws[0], 1.0 + settings.contrast * draws[1]
    gamma = (1.0 + settings.gamma) ** draws[2]
    channels = 1.0 + settings.colour * draws[3:]
    ramp = (np.arange(256) / 255.0) ** gamma
    ramp = np.clip((ramp - 0.5) * contrast + 0.5, 0.0, 1.0) * brightness
    tables = np.clip(np.round(ramp[:, None] * channels * 255.0), 0, 255).astype(np.uint8)
    out = np.asarray(cv2.LUT(pixels, tables.reshape(1, 256, bands)))
    if rng.random() < settings.grey:
        out[..., :3] = cv2.cvtColor(np.ascontiguousarray(out[..., :3]), cv2.COLOR_RGB2GRAY)[..., None]
    return np.asarray(out, np.uint8)
