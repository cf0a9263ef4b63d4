"""Pictures of scenes: tiles of web Mercator, tiles of pixels, and pieces at full resolution.

Pixels come through the reader that detection uses: same bands, same range of values, same mask, same georeference.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from swathe.errors import SourceError
from swathe.raster import georeference
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import Level, choose_overview
from swathe.raster.reader import RasterReader
from swathe.raster.window import Window
from swathe.viewer.frames import TILE

if TYPE_CHECKING:
    from PIL.Image import Image

    from swathe.store.protocol import StoredScene
    from swathe.viewer.frames import Floats, GroundFrame, PixelFrame

MOST_OPEN = 16  # scenes
MOST_PIXELS = 1 << 26  # of a source, read for one picture: coarse tiles of scenes without overviews are left empty
MESH = 16  # parts of a side between which places are computed, not looked up
Rgba: TypeAlias = npt.NDArray[np.uint8]  # (height, width, 4)


class Images:
    """Opens scenes and keeps those open that were looked at last; each is read by one request at a time."""

    def __init__(self, settings: Callable[[str], Mapping[str, Any]]) -> None:
        """Take what tells the settings of a run, of which bands and range of values are used."""
        self._settings = settings
        self._lock = threading.Lock()
        self._opened: OrderedDict[str, tuple[threading.Lock, list[RasterReader]]] = OrderedDict()

    @contextmanager
    def _reader(self, stored: StoredScene) -> Iterator[RasterReader]:
        key = f"{stored.scene.uri} {stored.fingerprint}"
        with self._lock:
            lock, readers = self._opened.setdefault(key, (threading.Lock(), []))
            self._opened.move_to_end(key)
            old = self._opened.popitem(last=False)[1] if len(self._opened) > MOST_OPEN else None
        if old is not None:
            with old[0]:
                for reader in old[1]:
                    reader.close()
                old[1].clear()
        with lock:
            if not readers:
                readers.append(_open(stored, self._settings(stored.run)))
            yield readers[0]

    def pixels(self, stored: StoredScene, frame: PixelFrame) -> Image | None:
        """Read a tile of a scene's own pixels; None if nothing of the scene is there."""
        level = Level.of(stored.scene.width, stored.scene.height, frame.scale)
        left, top = frame.column * TILE, frame.row * TILE
        if left >= level.width or top >= level.height:
            return None
        window = Window(left, top, min(TILE, level.width - left), min(TILE, level.height - top))
        part = self._read(stored, level, window)
        return None if part is None else _on_tile(part)

    def ground(self, stored: StoredScene, frame: GroundFrame) -> Image | None:
        """Read a tile of web Mercator; None if nothing of the scene is there."""
        from PIL import Image

        scene = stored.scene
        shares = np.linspace(0.0, 1.0, MESH + 1)
        grid = np.stack(np.meshgrid(shares, shares), axis=-1).reshape(-1, 2)
        places = georeference.from_lonlat(scene.crs, scene.transform, frame.unplace(grid))
        if not np.isfinite(places).all():
            return None
        low, high = np.maximum(places.min(axis=0), 0.0), np.minimum(places.max(axis=0), (scene.width, scene.height))
        if not (low < high).all():
            return None
        corners = places.reshape(MESH + 1, MESH + 1, 2)
        scale = min(1.0, TILE / float(np.linalg.norm(np.diff(corners, axis=1), axis=2).sum(axis=1).min()))
        level = Level.of(scene.width, scene.height, scale)
        first = np.maximum(np.floor(low * scale) - 2, 0).astype(int)
        last = np.minimum(np.ceil(high * scale) + 2, (level.width, level.height)).astype(int)
        part = self._read(stored, level, Window(*first.tolist(), *(last - first).tolist()))
        if part is None:
            return None
        mesh = _mesh(corners * scale - first)
        return part.transform((TILE, TILE), Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)

    def piece(self, stored: StoredScene, window: Window) -> Image | None:
        """Read a part of a scene at full resolution."""
        return self._read(stored, Level.of(stored.scene.width, stored.scene.height, 1.0), window)

    def _read(self, stored: StoredScene, level: Level, window: Window) -> Image | None:
        """Read pixels with alpha; None if that were too many of the source."""
        from PIL import Image

        with self._reader(stored) as reader:
            overview = choose_overview(reader.scene.overviews, level.scale)
            factor = 1 if overview is None else reader.scene.overviews[overview]
            if window.width * window.height / (level.scale * factor) ** 2 > MOST_PIXELS:
                return None
            tile = reader.read(level, window)
        alpha = np.full(tile.pixels.shape[:2], 255, dtype=np.uint8) if tile.mask is None else tile.mask * np.uint8(255)
        return Image.fromarray(np.dstack([tile.pixels, alpha]))


def _open(stored: StoredScene, settings: Mapping[str, Any]) -> RasterReader:
    limits = settings.get("value_range")
    scene = open_scene(
        stored.scene.uri,
        scene_id=stored.scene.id,
        bands=(settings.get("bands") or [])[:3] or None,  # the picture of a model that sees more
        value_range=tuple(limits) if isinstance(limits, list) else limits,
    )
    if (scene.width, scene.height) != (stored.scene.width, stored.scene.height):
        raise SourceError(f"{stored.scene.uri}: has another size than the scene {stored.scene.id!r} had")
    return RasterReader(scene)


def _on_tile(part: Image) -> Image:
    from PIL import Image

    if part.size == (TILE, TILE):
        return part
    tile = Image.new("RGBA", (TILE, TILE))
    tile.paste(part)
    return tile


def _mesh(corners: Floats) -> list[tuple[tuple[int, int, int, int], tuple[float, ...]]]:
    """Return the squares of a tile and, for each, the corners of where it comes from, as Pillow wants them."""
    step = TILE // MESH
    mesh = []
    for row in range(MESH):
        for column in range(MESH):
            square = (column * step, row * step, (column + 1) * step, (row + 1) * step)
            around = [(row, column), (row + 1, column), (row + 1, column + 1), (row, column + 1)]
            mesh.append((square, tuple(float(value) for place in around for value in corners[place])))
    return mesh


def overlaid(pictures: Sequence[Image]) -> Image | None:
    """Lay pictures of one size over each other, the last on top; None if there is none."""
    if not pictures:
        return None
    from PIL import Image

    joined = pictures[0]
    for picture in pictures[1:]:
        joined = Image.alpha_composite(joined, picture)
    return joined


def encoded(picture: Image | None) -> bytes:
    """Write a picture as WebP; nothing as nothing."""
    if picture is None or picture.getchannel("A").getbbox() is None:
        return b""
    stream = io.BytesIO()
    picture.save(stream, format="WEBP", quality=85, method=1)
    return stream.getvalue()
