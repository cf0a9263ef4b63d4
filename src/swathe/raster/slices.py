"""Slices: the windows of a scene as files of their own, with a manifest that says where each belongs.

This is how the paper prepares scenes. A folder of slices is read as the scene that it was cut from: its windows are the
slices, and no others, so that what is found in them merges to the same result.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, replace
from typing import Any, Self

import numpy as np

from swathe.errors import SourceError
from swathe.raster import vsi
from swathe.raster.fingerprint import fingerprint
from swathe.raster.gdal import describing, open_dataset, reading
from swathe.raster.origins import origin_of, redacted
from swathe.raster.pyramid import Level
from swathe.raster.reader import TileRead
from swathe.raster.scene import Scene
from swathe.raster.window import Window

VERSION = 1


@dataclass(frozen=True)
class Slice:
    """One window of a scene."""

    file: str  # relative to the manifest
    scale: float
    window: Window  # level pixels
    valid: float  # share of pixels that hold data


@dataclass(frozen=True)
class Manifest:
    """What a folder of slices holds."""

    scene: Scene
    tile: int  # side of the windows, level pixels
    stride: int  # step between windows, level pixels
    scales: tuple[float, ...]
    slices: tuple[Slice, ...]

    def to_json(self) -> bytes:
        """Serialise."""
        slices = [[one.file, one.scale, *astuple(one.window), one.valid] for one in self.slices]
        scene = {**self.scene.to_json(), "uri": redacted(self.scene.uri)}
        values = {"version": VERSION, "scene": scene, "tile": self.tile, "stride": self.stride, "scales": self.scales}
        return json.dumps({**values, "slices": slices}).encode()

    @classmethod
    def from_json(cls, data: bytes, where: str) -> Manifest:
        """Read what `to_json` gave.

        Args:
            data: JSON.
            where: Where it comes from, for messages.

        Returns:
            The manifest.

        Raises:
            SourceError: If it is damaged.
        """
        try:
            read = json.loads(data)
            slices = tuple(Slice(file, scale, Window(*window), valid) for file, scale, *window, valid in read["slices"])
            scene = Scene.from_json(read["scene"])
            return cls(scene, int(read["tile"]), int(read["stride"]), tuple(read["scales"]), slices)
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{where}: is damaged ({error}); slice the scene again") from error


def read_manifest(uri: str) -> Manifest:
    """Read the manifest of slices.

    Args:
        uri: Its path or address.

    Returns:
        The manifest; its scene is that of the slices.

    Raises:
        SourceError: If it cannot be read.
    """
    print_of_file = fingerprint(uri)
    with reading(uri):
        data = vsi.read_start(origin_of(uri).gdal_path(uri), print_of_file[0])
    if data is None:
        raise SourceError(f"{redacted(uri)}: cannot be read; check the address and rights")
    manifest = Manifest.from_json(data, redacted(uri))
    scene = replace(
        manifest.scene, uri=uri, fingerprint=print_of_file, overviews=(), tiled=True, value_range=None, dtype="uint8"
    )
    return replace(manifest, scene=replace(scene, block_shape=(manifest.tile, manifest.tile), nodata=None, alpha=None))


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
