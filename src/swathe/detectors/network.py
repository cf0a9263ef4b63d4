"""What all networks share: pixels go in, a head reads the outputs, duplicates and padding are dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from swathe import boxes as box_math
from swathe.detectors.heads.head import Candidates, Head, Outputs
from swathe.detectors.pixels import PixelBuffer
from swathe.detectors.protocol import DetectorSpec, Tile, TileDetections
from swathe.errors import ModelError
from swathe.stages import stage

Floats = npt.NDArray[np.float64]
# Runs the network on what lies in the pixel buffer. Its outputs are valid until the next call.
Run = Callable[[], Outputs]
# Makes both for tiles of a height and a width in pixels.
Prepare = Callable[[int, int], tuple[PixelBuffer, Run]]


class NetworkDetector:
    """A detector made of a network on some runtime and the head that knows its outputs."""

    def __init__(self, spec: DetectorSpec, head: Head, prepare: Prepare) -> None:
        """Put the parts together.

        Args:
            spec: Lowest score, classes to keep and threshold of the suppression.
            head: Turns outputs into boxes.
            prepare: Makes the buffer that the network reads, and what runs the network on it.
        """
        self.spec = spec
        self.head = head
        self._prepare = prepare
        first = spec.card.stride if spec.fitted and spec.card is not None else spec.tile
        self._pixels, self._run = prepare(first, first)

    def outputs(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Outputs:
        """Run the network on as many pictures as its buffer holds, or fewer.

        Args:
            pictures: (tile, tile, bands) each, or all of another shape if the specification says fitted.

        Returns:
            The head's outputs, one row for each place of the buffer, valid until the next call.

        Raises:
            ModelError: If the runtime cannot run the network.
            UsageError: If the pixels have another size or type.
        """
        height, width = pictures[0].shape[:2]
        if self.spec.fitted and (height, width) != self._pixels.shape and max(height, width) <= self.spec.tile:
            self._pixels, self._run = self._prepare(height, width)
        self._pixels.fill(pictures)
        return self._run()

    def candidates(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> list[Candidates]:
        """Find everything in pictures, before any suppression.

        Args:
            pictures: (tile, tile, bands) each, as many as the buffer holds, or fewer.

        Returns:
            Per picture, canonical boxes (n, 5), scores (n,) and classes (n,).

        Raises:
            ModelError: If the network gives outputs of a wrong shape, or values that are not finite.
            UsageError: If the pixels have another size or type.
        """
        outputs = self.outputs(pictures)
        images = (
            [[output[row] for output in outputs] for row in range(len(pictures))] if self.head.batched else [outputs]
        )
        try:
            with stage("decode"):
                return [self.head.decode(image, self.spec.min_score) for image in images]
        except ModelError as error:
            raise ModelError(f"{self.spec.path}: {error}") from error

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
            candidates = self.candidates([tile.pixels for tile in part])
            with stage("decode"):
                found += [self._finish(*each, tile) for each, tile in zip(candidates, part, strict=True)]
        return found

    def _finish(self, boxes: Floats, scores: Floats, classes: npt.NDArray[np.int64], tile: Tile) -> TileDetections:
        """Drop what lies in the padding or is not asked for, and the worse of two boxes that overlap."""
        spec = self.spec
        most = None if spec.card is None else spec.card.most
        full = most is not None and len(scores) >= most
        wanted = (boxes[:, 0] >= 0.0) & (boxes[:, 0] < tile.width) & (boxes[:, 1] >= 0.0) & (boxes[:, 1] < tile.height)
        if spec.keep:
            wanted &= np.isin(classes, [spec.classes.index(name) for name in spec.keep])
        boxes, scores, classes = boxes[wanted], scores[wanted], classes[wanted]
        kept = box_math.nms(boxes, scores, classes, spec.iou)
        return TileDetections(boxes[kept], scores[kept], classes[kept], full)
