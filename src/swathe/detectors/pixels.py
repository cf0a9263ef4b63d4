"""From the pixels of tiles to the input of a network, in a buffer that is used again for every batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from swathe.detectors.card import ModelCard
from swathe.errors import UsageError

PADDING = 114  # grey level outside of images, as in training


def padded(pixels: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Pad a picture with grey at the right and bottom.

    Args:
        pixels: (rows, columns, bands), neither side longer than wanted.
        height: Rows wanted.
        width: Columns wanted.

    Returns:
        (height, width, bands); the same array if it is as large already.
    """
    rows, columns, bands = pixels.shape
    if (rows, columns) == (height, width):
        return pixels
    larger = np.full((height, width, bands), PADDING, dtype=np.uint8)
    larger[:rows, :columns] = pixels
    return larger


class PixelBuffer:
    """One float32 NCHW input buffer: fresh buffers of this size cost more in page faults than the arithmetic."""

    def __init__(self, card: ModelCard, height: int, width: int, batch: int = 1) -> None:
        """Allocate the buffer.

        Args:
            card: The model: its colour order, the scaling of its input and its size.
            height: Rows of the tiles it will be given.
            width: Columns of the tiles it will be given.
            batch: Tiles that it holds.

        Raises:
            UsageError: If the tile has no pixels, or is not the only one that the model takes.
        """
        card.check_tile(height)
        card.check_tile(width)
        self.shape = height, width
        sides = (card.input_size or -(-side // card.stride) * card.stride for side in self.shape)
        self.array: npt.NDArray[np.float32] = np.zeros((batch, card.bands, *sides), np.float32)
        self._scale = np.float32(card.input_scale)
        self._channels = slice(None, None, -1) if card.colour_order == "BGR" else slice(None)
        self._mean = np.array(card.mean, np.float32)[:, None, None]
        self._deviation = np.array(card.deviation, np.float32)[:, None, None]
        self._shifted = bool(self._mean.any()) or bool((self._deviation != 1.0).any())

    def fill(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """Scale the pixels of tiles into the buffer; what lies beyond the tiles stays zero.

        Args:
            pictures: (height, width, bands) each, RGB for three; as many as the buffer holds, or fewer.

        Returns:
            The buffer (batch, bands, height, width), valid until the next call; its first rows are those tiles.

        Raises:
            UsageError: If the pixels are not tiles of 8 bits of the announced size and bands.
        """
        height, width = self.shape
        bands = self.array.shape[1]
        kind = "RGB" if bands == 3 else f"{bands}-band"
        for row, pixels in zip(self.array, pictures, strict=False):
            if pixels.shape != (height, width, bands) or pixels.dtype != np.uint8:
                raise UsageError(
                    f"the detector was opened for 8-bit {kind} tiles of {width} x {height} pixels and got an array "
                    f"of shape {pixels.shape} and type {pixels.dtype}; pad the tile, or open the detector for another "
                    "size"
                )
            planes = pixels[:, :, self._channels].transpose(2, 0, 1)
            target = row[:, :height, :width]
            np.multiply(planes, self._scale, out=target, dtype=np.float32, casting="unsafe")
            if self._shifted:
                np.subtract(target, self._mean, out=target)
                np.divide(target, self._deviation, out=target)
        return self.array
