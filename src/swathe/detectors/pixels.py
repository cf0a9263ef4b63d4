"""From the pixels of a tile to the input of a network, in a buffer that is used again for every tile."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swathe.errors import UsageError
from swathe.model.info import ModelInfo


def padded_side(tile: int, info: ModelInfo) -> int:
    """Return the side of the network's input for tiles of a given side: the next multiple of the largest stride."""
    largest = max(info.strides)
    return -(-tile // largest) * largest


class PixelBuffer:
    """One float32 NCHW input buffer: fresh buffers of this size cost more in page faults than the arithmetic."""

    def __init__(self, info: ModelInfo, tile: int) -> None:
        """Allocate the buffer.

        Args:
            info: The model: its colour order, input scale and strides.
            tile: Side of the square tiles it will be given, pixels.

        Raises:
            UsageError: If the tile has no pixels.
        """
        if tile < 1:
            raise UsageError(f"the tile is {tile} pixels wide; give at least 1, 1024 is usual")
        side = padded_side(tile, info)
        self.tile = tile
        self.array: npt.NDArray[np.float32] = np.zeros((1, 3, side, side), np.float32)
        self._scale = np.float32(info.input_scale)
        self._channels = slice(None, None, -1) if info.colour_order == "BGR" else slice(None)

    def fill(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Scale the pixels of a tile into the buffer; what lies beyond the tile stays zero.

        Args:
            pixels: RGB, (tile, tile, 3).

        Returns:
            The buffer (1, 3, side, side), valid until the next call.

        Raises:
            UsageError: If the pixels are not an RGB tile of 8 bits of the announced size.
        """
        if pixels.shape != (self.tile, self.tile, 3) or pixels.dtype != np.uint8:
            raise UsageError(
                f"the detector was opened for 8-bit RGB tiles of {self.tile} x {self.tile} pixels and got an array of "
                f"shape {pixels.shape} and type {pixels.dtype}; pad the tile, or open the detector for another size"
            )
        planes = pixels[:, :, self._channels].transpose(2, 0, 1)
        target = self.array[0, :, : self.tile, : self.tile]
        np.multiply(planes, self._scale, out=target, dtype=np.float32, casting="unsafe")
        return self.array
