"""Reading the windows of a scene from its slices."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from swathe.errors import SourceError
from swathe.raster.gdal import describing, open_dataset
from swathe.raster.manifest import read_manifest
from swathe.raster.origins import redacted
from swathe.raster.pyramid import Level
from swathe.raster.reader import TileRead
from swathe.raster.scene import Scene
from swathe.raster.window import Window


class SliceReader:
    """Reads the windows of a scene from its slices."""

    def __init__(self, scene: Scene) -> None:
        """Read the manifest.

        Args:
            scene: The scene, as the manifest describes it.

        Raises:
            SourceError: If the manifest is gone or damaged.
        """
        scene.check_unchanged()
        self.scene = scene
        self._manifest = read_manifest(scene.uri)
        self._slices = {(one.scale, one.window): one for one in self._manifest.slices}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, level: Level, window: Window) -> TileRead:
        """Read a slice.

        Args:
            level: A level of the scene.
            window: A window that was cut.

        Returns:
            Its pixels.

        Raises:
            SourceError: If there is no such slice, or it cannot be read.
        """
        one, held = self._slices.get((level.scale, window)), self._manifest
        if one is None:
            scales = ", ".join(f"{scale:g}" for scale in held.scales)
            raise SourceError(
                f"{redacted(self.scene.uri)}: has no slice of {window} at scale {level.scale:g}; it was cut with tile "
                f"{held.tile}, stride {held.stride} and scales {scales}: give the same"
            )
        uri = f"{self.scene.uri.rpartition('/')[0]}/{one.file}"
        with open_dataset(uri) as dataset, describing(uri):
            pixels: Any = dataset.read()
        if pixels.shape != (3, window.height, window.width):
            raise SourceError(f"{redacted(uri)}: is not the slice that the manifest names; slice the scene again")
        return TileRead(np.ascontiguousarray(np.moveaxis(pixels, 0, 2)), one.valid)

    def check_unchanged(self) -> None:
        """Make sure that the manifest is still the same; raises `SourceError` if not."""
        self.scene.check_unchanged()

    def close(self) -> None:
        """Forget the manifest."""
        self._slices = {}
