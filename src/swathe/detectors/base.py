"""What all backends share: everything that happens after the graph, and the class that ties it to raw maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from swathe.boxes import nms
from swathe.detectors.pixels import PixelBuffer, padded_side
from swathe.detectors.protocol import DetectorSpec, Tile, TileDetections
from swathe.errors import ModelError
from swathe.model.decode import Boxes, Maps, decode
from swathe.model.info import ModelInfo

INPUT_NAME = "images"


class RawMapDetector(ABC):
    """A detector whose backend turns pixels into raw maps; the rest is common to all of them."""

    def __init__(self, spec: DetectorSpec, info: ModelInfo) -> None:
        """Check that the model is the one the specification speaks of, and allocate the input buffer.

        Args:
            spec: What was asked for.
            info: What the model file says about itself.

        Raises:
            ModelError: If the classes differ.
            UsageError: If the tile of the specification has no pixels.
        """
        if info.classes != spec.classes:
            raise ModelError(
                f"{spec.path}: the model finds {', '.join(info.classes)}, but {', '.join(spec.classes)} were planned; "
                "plan the run again with this model"
            )
        self.spec = spec
        self.info = info
        self.pixels = PixelBuffer(info, spec.tile)

    @abstractmethod
    def raw_maps(self, pixels: npt.NDArray[np.uint8]) -> Maps:
        """Run the network on one tile.

        Args:
            pixels: RGB, (tile, tile, 3).

        Returns:
            Per level, float32 logits (anchors * channels, grid height, grid width), valid until the next call.
        """

    def detect(self, tiles: Sequence[Tile]) -> list[TileDetections]:
        """Find the objects of each tile.

        Args:
            tiles: Pixels of the size that the specification announced.

        Returns:
            Per tile, detections in the tile's pixels, by falling score.

        Raises:
            ModelError: If the network gives maps of a wrong shape, or values that are not finite.
            UsageError: If the tile has another size or type.
        """
        return [finish(self.raw_maps(tile.pixels), self.info, self.spec, tile) for tile in tiles]


def finish(maps: Maps, info: ModelInfo, spec: DetectorSpec, tile: Tile) -> TileDetections:
    """Turn the raw maps of a tile into detections: decode, drop what is not asked for, suppress duplicates.

    Args:
        maps: Per level, float32 logits (anchors * channels, grid height, grid width).
        info: The model that made them.
        spec: Lowest score, classes to keep and threshold of the suppression.
        tile: The tile; boxes whose centre lies outside its valid part are dropped.

    Returns:
        Detections in the tile's pixels, by falling score.

    Raises:
        ModelError: If the maps have a wrong shape or values that are not finite; the message names the file.
    """
    try:
        boxes, scores, classes = decode(maps, info, spec.min_score)
    except ModelError as error:
        raise ModelError(f"{spec.path}: {error}") from error
    wanted = _centred_within(boxes, tile)
    if spec.keep:
        wanted &= np.isin(classes, [spec.classes.index(name) for name in spec.keep])
    boxes, scores, classes = boxes[wanted], scores[wanted], classes[wanted]
    kept = nms(boxes, scores, classes, spec.iou)
    return TileDetections(boxes[kept], scores[kept], classes[kept])


def _centred_within(boxes: Boxes, tile: Tile) -> npt.NDArray[np.bool_]:
    """Tell which boxes (n, 5) have their centre on scene pixels, not on padding."""
    columns, rows = boxes[:, 0], boxes[:, 1]
    return (columns >= 0.0) & (columns < tile.width) & (rows >= 0.0) & (rows < tile.height)


def output_names(info: ModelInfo) -> tuple[str, ...]:
    """Return the names of a graph's outputs: p3 for stride 8, p4 for stride 16, and so on."""
    return tuple(f"p{stride.bit_length() - 1}" for stride in info.strides)


def output_shapes(info: ModelInfo, tile: int) -> tuple[tuple[int, int, int, int], ...]:
    """Return the shapes (1, anchors * channels, grid height, grid width) of a graph's outputs for square tiles."""
    side = padded_side(tile, info)
    channels = info.anchors_per_cell * info.channels
    return tuple((1, channels, side // stride, side // stride) for stride in info.strides)


def check_output(spec: DetectorSpec, name: str, found: object, expected: object) -> None:
    """Compare one output of a graph with the model's description.

    Args:
        spec: The model, for the message.
        name: Name of the output.
        found: What the graph declares of it, its channels or its shape; None if there is no such output.
        expected: What the description asks for.

    Raises:
        ModelError: If they differ.
    """
    if found != expected:
        problem = "is missing" if found is None else f"is declared as {found} instead of {expected}"
        raise ModelError(
            f"{spec.path}: output {name!r} of the graph {problem}, so it is not the network that the file's "
            "description speaks of. Export the model again with `swathe export`"
        )
