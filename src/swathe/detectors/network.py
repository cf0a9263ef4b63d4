"""What all networks share: pixels go in, a head reads the outputs, duplicates and padding are dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from swathe import boxes as box_math
from swathe.detectors.heads.head import Head, Outputs
from swathe.detectors.pixels import PixelBuffer
from swathe.detectors.protocol import DetectorSpec, Tile, TileDetections
from swathe.errors import ModelError

# Runs the network on what lies in the pixel buffer. Its outputs are valid until the next call.
Run = Callable[[], Outputs]


class NetworkDetector:
    """A detector made of a network on some runtime and the head that knows its outputs."""

    def __init__(self, spec: DetectorSpec, head: Head, pixels: PixelBuffer, run: Run) -> None:
        """Put the parts together.

        Args:
            spec: Lowest score, classes to keep and threshold of the suppression.
            head: Turns outputs into boxes.
            pixels: The buffer that the network reads.
            run: Runs the network on it.
        """
        self.spec = spec
        self._head = head
        self._pixels = pixels
        self._run = run

    def outputs(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Outputs:
        """Run the network on as many pictures as its buffer holds, or fewer.

        Args:
            pictures: RGB, (tile, tile, 3) each.

        Returns:
            The head's outputs, one row for each place of the buffer, valid until the next call.

        Raises:
            ModelError: If the runtime cannot run the network.
            UsageError: If the pixels have another size or type.
        """
        self._pixels.fill(pictures)
        return self._run()

    def detect(self, tiles: Sequence[Tile]) -> list[TileDetections]:
        """Find the objects of each tile.

        Args:
            tiles: Pixels of the size that the specification announced.

        Returns:
            Per tile, detections in the tile's pixels, by falling score.

        Raises:
            ModelError: If the network gives outputs of a wrong shape, or values that are not finite.
            UsageError: If a tile has another size or type.
        """
        found = []
        rows = len(self._pixels.array)
        for start in range(0, len(tiles), rows):
            part = tiles[start : start + rows]
            outputs = self.outputs([tile.pixels for tile in part])
            found += [self._finish([output[row] for output in outputs], tile) for row, tile in enumerate(part)]
        return found

    def _finish(self, outputs: Outputs, tile: Tile) -> TileDetections:
        """Decode the outputs of one tile, drop what is not asked for, suppress duplicates."""
        spec = self.spec
        try:
            boxes, scores, classes = self._head.decode(outputs, spec.min_score)
        except ModelError as error:
            raise ModelError(f"{spec.path}: {error}") from error
        wanted = (boxes[:, 0] >= 0.0) & (boxes[:, 0] < tile.width) & (boxes[:, 1] >= 0.0) & (boxes[:, 1] < tile.height)
        if spec.keep:
            wanted &= np.isin(classes, [spec.classes.index(name) for name in spec.keep])
        boxes, scores, classes = boxes[wanted], scores[wanted], classes[wanted]
        kept = box_math.nms(boxes, scores, classes, spec.iou)
        return TileDetections(boxes[kept], scores[kept], classes[kept])
