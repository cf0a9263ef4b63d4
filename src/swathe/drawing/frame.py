"""What part of a scene a picture shows, how large, and which way up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe.arguments import number
from swathe.errors import Argument, UsageError
from swathe.raster.ground import metres_per_pixel

if TYPE_CHECKING:
    from swathe.query.values import Bounds
    from swathe.raster.scene import Scene

LARGEST_ENLARGEMENT = 4.0  # of a small crop
LARGEST_READ = 64_000_000  # level pixels read at once to turn a picture
POINTS_PER_SIDE = 33  # of a box in degrees, whose sides are curves in other systems
EPSILON = 1e-9  # pixels, rounding

Image8 = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """What is drawn, and how large."""

    box: Bounds | None = None  # xmin, ymin, xmax, ymax in scene pixels; None: all of it
    lonlat: Bounds | None = None  # west, south, east, north in degrees, instead of `box`; west > east crosses 180
    north_up: bool = False  # turn the picture so that true north in its middle is up
    longest_side: int = 2000  # of the picture, pixels
    line_width: float | None = (
        None  # of the outlines, picture pixels; follows from the size of the picture if not given
    )
    scores: bool = False  # write the score beside each box, where there is room
    chosen: str | None = None  # id of a detection that stands out: white, and twice as thick

    def __post_init__(self) -> None:
        """Refuse views that show nothing."""
        for box in (self.box, self.lonlat):
            if box is not None and not all(map(math.isfinite, box)):
                raise UsageError(f"box {box}: give four finite numbers")
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise UsageError(f"box {self.box}: xmin must be below xmax, and ymin below ymax")
        if self.lonlat is not None and not -90 <= self.lonlat[1] < self.lonlat[3] <= 90:
            raise UsageError(f"box {self.lonlat}: the south must be below the north, both from -90 to 90 degrees")
        if self.lonlat is not None and not all(-180 <= self.lonlat[side] <= 180 for side in (0, 2)):
            raise UsageError(f"box {self.lonlat}: west and east must be from -180 to 180 degrees")
        if self.lonlat is not None and self.lonlat[0] == self.lonlat[2]:
            raise UsageError(f"box {self.lonlat}: west and east are the same; give two meridians")
        if self.box is not None and self.lonlat is not None:
            raise UsageError("a box in pixels and one in degrees; give one of them")
        if not 16 <= self.longest_side <= 20_000:
            raise UsageError(f"a picture of {self.longest_side} pixels: choose 16 to 20000")
        if self.line_width is not None:
            number("line_width", self.line_width, "a width in pixels, from 0.3 to 100", 0.3, 100)


@dataclass(frozen=True)
class Frame:
    """Where the pixels of a scene are in a picture."""

    width: int  # picture pixels
    height: int  # picture pixels
    matrix: tuple[tuple[float, float], tuple[float, float]]  # picture pixels per scene pixel: rows x, y
    offset: tuple[float, float]  # x, y of the scene's corner, picture pixels
    metres: float | None  # metres per picture pixel to the right, in the middle; None without georeference
    north: float | None  # direction of true north in the middle, radians clockwise from up; None without georeference

    def place(self, points: FloatArray) -> FloatArray:
        """Bring points (..., 2) from scene pixels to picture pixels."""
        return np.asarray(points @ np.array(self.matrix).T + np.array(self.offset))

    def unplace(self, points: FloatArray) -> FloatArray:
        """Bring points (..., 2) from picture pixels to scene pixels."""
        return np.asarray((points - np.array(self.offset)) @ np.linalg.inv(np.array(self.matrix)).T)

    @property
    def scale(self) -> float:
        """Picture pixels per scene pixel."""
        return math.sqrt(abs(float(np.linalg.det(np.array(self.matrix)))))


def frame_of(scene: Scene, view: View) -> Frame:
    """Lay a picture over a scene.

    Args:
        scene: The scene.
        view: What to show.

    Returns:
        Size and place of the picture.

    Raises:
        UsageError: If the view lies outside of the scene, or needs a georeference that the scene has not.
        SourceError: If the scene's reference system cannot be brought to WGS 84.
    """
    region = _region(scene, view)
    middle = tuple(_clipped(scene, region).mean(axis=0))
    ground = metres_per_pixel(scene.crs, scene.transform, (float(middle[0]), float(middle[1])))
    turn = np.eye(2)
    if view.north_up:
        if ground is None:
            raise UsageError(
                f"scene {scene.id!r} has no georeference, so north is unknown; leave out ", Argument("north_up")
            )
        turn = np.diag([1.0, -1.0]) @ ground / math.sqrt(abs(np.linalg.det(ground)))
    corners = np.array([[0, 0], [scene.width, 0], [scene.width, scene.height], [0, scene.height]]) @ turn.T
    shown = region @ turn.T
    low = np.maximum(shown.min(axis=0), corners.min(axis=0))
    high = np.minimum(shown.max(axis=0), corners.max(axis=0))
    if not (low < high).all():
        raise UsageError(
            f"box {view.box or view.lonlat}: lies outside of scene {scene.id} with {scene.width} x {scene.height} "
            "pixels"
        )
    largest = LARGEST_ENLARGEMENT if view.box or view.lonlat else 1.0
    scale = min(view.longest_side / float((high - low).max()), largest)
    if not view.north_up:
        low = np.floor(low * scale + EPSILON) / scale  # whole level pixels are read as they are
    width, height = (max(1, round(float(side) * scale)) for side in high - low)
    matrix, offset = turn * scale, -low * scale
    metres, north = _directions(matrix, ground)
    rows = ((float(matrix[0, 0]), float(matrix[0, 1])), (float(matrix[1, 0]), float(matrix[1, 1])))
    return Frame(width, height, rows, (float(offset[0]), float(offset[1])), metres, north)


def read_frame(scene: Scene, frame: Frame) -> Image8:
    """Read what a picture shows, at its scale; memory depends on the picture, not on the scene.

    Args:
        scene: The scene.
        frame: Size and place of the picture.

    Returns:
        RGB (height, width, 3) that may be drawn on; 0 beyond the scene.

    Raises:
        SourceError: If the scene cannot be read.
    """
    matrix = np.array(frame.matrix)
    is_turned = not np.allclose(matrix, np.eye(2) * matrix[0, 0])
    return _read_turned(scene, frame) if is_turned else _read_upright(scene, frame)


def _read_upright(scene: Scene, frame: Frame) -> Image8:
    """Read a picture whose pixels are level pixels."""
    scale = frame.matrix[0][0]
    low, _ = _seen(scene, frame, margin=0.0)
    last = np.floor(low * scale + EPSILON) + np.array([frame.width, frame.height])
    pixels, _ = _read_part(scene, scale, low, last / scale)
    whole = np.zeros((frame.height, frame.width, 3), dtype=np.uint8)
    whole[: len(pixels), : pixels.shape[1]] = pixels
    return whole


def _read_turned(scene: Scene, frame: Frame) -> Image8:
    """Read what lies under a turned picture, and turn it."""
    from PIL import Image

    matrix = np.array(frame.matrix)
    low, high = _seen(scene, frame, margin=2.0 / frame.scale)
    scale = float(np.linalg.norm(matrix, ord=2))
    scale = min(scale, math.sqrt(LARGEST_READ / max(1.0, float(np.prod(high - low)))))
    pixels, corner = _read_part(scene, scale, low, high)
    back = np.linalg.inv(matrix) * scale
    shift = -back @ np.array(frame.offset) - corner
    numbers = (*back[0].tolist(), float(shift[0]), *back[1].tolist(), float(shift[1]))
    picture = Image.fromarray(pixels).transform(
        (frame.width, frame.height), Image.Transform.AFFINE, numbers, resample=Image.Resampling.BICUBIC
    )
    return np.array(picture)


def _seen(scene: Scene, frame: Frame, *, margin: float) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest x, y of a scene that a picture shows, with a margin, all in scene pixels."""
    edges = np.array([[0, 0], [frame.width, 0], [frame.width, frame.height], [0, frame.height]], dtype=float)
    seen, limits = frame.unplace(edges), np.array([scene.width, scene.height], dtype=float)
    return np.clip(seen.min(axis=0) - margin, 0, limits), np.clip(seen.max(axis=0) + margin, 0, limits)


def _read_part(scene: Scene, scale: float, low: FloatArray, high: FloatArray) -> tuple[Image8, tuple[int, int]]:
    """Read the pixels of a level from one point of the scene to another; return them and the first one's x, y."""
    from swathe.raster.pyramid import Level
    from swathe.raster.reader import RasterReader
    from swathe.raster.window import Window

    level = Level.of(scene.width, scene.height, scale)
    left, top = (int(value) for value in np.floor(low * scale + EPSILON))
    left, top = min(left, level.width - 1), min(top, level.height - 1)
    right, bottom = (math.ceil(value) for value in high * scale - EPSILON)
    size = (max(1, min(right, level.width) - left), max(1, min(bottom, level.height) - top))
    with RasterReader(scene) as reader:
        return reader.read(level, Window(left, top, *size)).pixels[..., :3], (left, top)


def _region(scene: Scene, view: View) -> FloatArray:
    """Return the outline of what is shown, in scene pixels."""
    from swathe.raster.georeference import from_lonlat

    if view.lonlat is None:
        left, top, right, bottom = view.box or (0.0, 0.0, float(scene.width), float(scene.height))
        return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=float)
    if scene.crs is None or scene.transform is None:
        raise UsageError(f"scene {scene.id!r} has no georeference; give the box in pixels")
    west, south, east, north = view.lonlat
    east += 360.0 if east < west else 0.0
    steps = np.linspace(0.0, 1.0, POINTS_PER_SIDE)
    across, along = west + (east - west) * steps, south + (north - south) * steps
    level, upright = np.ones_like(across), np.ones_like(along)
    sides = [(across, south * level), (across, north * level), (west * upright, along), (east * upright, along)]
    points = np.concatenate([np.column_stack(side) for side in sides])
    points[points[:, 0] > 180.0, 0] -= 360.0
    placed = from_lonlat(scene.crs, scene.transform, points)
    placed = placed[np.isfinite(placed).all(axis=1)]
    if not len(placed):
        raise UsageError(f"box {view.lonlat}: lies beyond what the reference system of scene {scene.id} can describe")
    return placed


def _clipped(scene: Scene, region: FloatArray) -> FloatArray:
    """Return the two corners of a region's bounds within the scene."""
    bounds = np.array([region.min(axis=0), region.max(axis=0)])
    return np.asarray(np.clip(bounds, 0.0, (scene.width, scene.height)))


def _directions(matrix: FloatArray, ground: FloatArray | None) -> tuple[float | None, float | None]:
    """Return metres per picture pixel to the right, and the direction of north, radians clockwise from up."""
    if ground is None:
        return None, None
    metres = float(np.linalg.norm(ground @ np.linalg.inv(matrix) @ (1.0, 0.0)))
    x, y = matrix @ np.linalg.inv(ground) @ (0.0, 1.0)
    return metres, math.atan2(float(x), -float(y))
