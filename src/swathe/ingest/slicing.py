"""Cutting a scene into slices, each a file of its own, as the paper does before it looks at them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from swathe.engine.prefetch import read_ahead
from swathe.raster.formats import MANIFEST
from swathe.raster.grid import Grid
from swathe.raster.manifest import Manifest, Slice
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import levels
from swathe.raster.reader import RasterReader

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from swathe.files import Folder
    from swathe.raster.pyramid import Level
    from swathe.raster.window import Window

TILE, STRIDE = 1024, 824  # of the paper, pixels
WAITING = 4  # slices that may wait until those before them are written


def slice_scene(
    source: str,
    folder: Folder,
    *,
    tile: int = TILE,
    stride: int = STRIDE,
    scales: Sequence[float] = (1.0,),
    progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """Write the windows of a scene as PNG files, and a manifest that says where each belongs.

    Args:
        source: A file or an address.
        folder: Where to.
        tile: Side of the windows, level pixels.
        stride: Step between windows, level pixels.
        scales: Level pixels per scene pixel; several give slices at each.
        progress: Called with the slices that are written, and with how many there will be.

    Returns:
        The manifest, which is in the folder when all slices are.

    Raises:
        SourceError: If the source cannot be read.
        UsageError: If tile, stride or a scale makes no sense.
        StoreError: If the folder cannot be written.
    """
    scene = open_scene(source)
    grids = [
        (level, Grid(level.width, level.height, tile, stride)) for level in levels(scene.width, scene.height, scales)
    ]
    windows = [(level, number, window) for level, grid in grids for number, window in enumerate(grid)]
    slices = list[Slice]()
    with RasterReader(scene) as reader:

        def cut(place: tuple[Level, int, Window]) -> tuple[bytes, float]:
            read = reader.read(place[0], place[2])
            return png(read.pixels), read.valid

        for (level, number, window), (data, valid) in read_ahead(cut, windows, WAITING):
            file = f"{level.scale:g}/{number:06d}.png"
            folder.put(file, data)
            slices.append(Slice(file, level.scale, window, valid))
            if progress is not None:
                progress(len(slices), len(windows))
        reader.check_unchanged()
    manifest = Manifest(scene, tile, stride, tuple(scales), tuple(slices))
    folder.put(MANIFEST, manifest.to_json())
    return manifest


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return pixels (height, width, 3) as a PNG file."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)  # pixels of pictures hardly get smaller by more
    return stream.getvalue()
