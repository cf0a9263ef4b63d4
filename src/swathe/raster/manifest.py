"""Slices: the windows of a scene as files of their own, with a manifest that says where each belongs.

This is how the paper prepares scenes. A folder of slices is detected as the scene that it was cut from: its windows are
the slices, and no others, so that what is found in them merges to the same result. What looks at other windows, such as
pictures and training, sees the slices put together.
"""

from __future__ import annotations

import json
import re
from dataclasses import astuple, dataclass, replace
from xml.sax.saxutils import escape

from swathe.errors import SourceError
from swathe.raster import vsi
from swathe.raster.fingerprint import fingerprint
from swathe.raster.gdal import reading
from swathe.raster.origins import origin_of, redacted
from swathe.raster.scene import Scene
from swathe.raster.window import Window

VERSION = 1
NAME = re.compile(r"[0-9.e+-]+/[0-9]+\.png")  # of slices, as they are written


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


def mosaic(uri: str) -> bytes:
    """Put the slices of a scene together: those at its own size, or at the scale that is nearest to it.

    Args:
        uri: Path or address of the manifest.

    Returns:
        A virtual raster (VRT) of the size of the scene.

    Raises:
        SourceError: If the manifest cannot be read, or names files that are no slices.
    """
    manifest = read_manifest(uri)
    scene, folder = manifest.scene, uri.rpartition("/")[0]
    scale = min((one.scale for one in manifest.slices), key=lambda scale: abs(scale - 1.0), default=1.0)
    chosen = [one for one in manifest.slices if one.scale == scale]
    if odd := [one.file for one in chosen if not NAME.fullmatch(one.file)]:
        raise SourceError(f"{redacted(uri)}: names {odd[0]!r}, which is no slice; slice the scene again")
    bands = []
    for band in (1, 2, 3):
        sources = "".join(_source(f"{folder}/{one.file}", band, one.window, scale) for one in chosen)
        bands.append(f'<VRTRasterBand dataType="Byte" band="{band}">{sources}</VRTRasterBand>')
    size = f'rasterXSize="{scene.width}" rasterYSize="{scene.height}"'
    return f"<VRTDataset {size}>{''.join(bands)}</VRTDataset>".encode()


def _source(uri: str, band: int, window: Window, scale: float) -> str:
    """Return the part of a virtual raster that is a slice."""
    inside = _rectangle("SrcRect", 0, 0, window.width, window.height)
    place = (window.col_off, window.row_off, window.width, window.height)
    outside = _rectangle("DstRect", *(value / scale for value in place))
    name = f'<SourceFilename shared="0">{escape(origin_of(uri).gdal_path(uri))}</SourceFilename>'
    return f"<SimpleSource>{name}<SourceBand>{band}</SourceBand>{inside}{outside}</SimpleSource>"


def _rectangle(name: str, column: float, row: float, width: float, height: float) -> str:
    return f'<{name} xOff="{column!r}" yOff="{row!r}" xSize="{width!r}" ySize="{height!r}"/>'
