"""Scenes that are opened for a run: those that can be, those that cannot, and those that need not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from swathe.arguments import address, number
from swathe.engine.failure import describe_failure
from swathe.errors import SourceError, StoreError, UsageError
from swathe.times import parse_utc, utc_text

if TYPE_CHECKING:
    from datetime import datetime

    from swathe.detectors.protocol import DetectorSpec
    from swathe.engine.settings import RunSettings
    from swathe.query import Query
    from swathe.raster.opening import ValueRange
    from swathe.raster.scene import Scene
    from swathe.raster.stac import Told
    from swathe.store.protocol import StoredScene


class Opened(NamedTuple):
    """Scenes that were found."""

    scenes: tuple[Scene, ...]  # those that could be opened
    unopened: Mapping[str, str]  # scene id -> why it cannot be opened
    done: tuple[StoredScene, ...]  # those that need not be opened, because a run has looked at them already


def looked_at(output: str | Path | None, settings: RunSettings, detector: DetectorSpec) -> dict[str, StoredScene]:
    """Find out what a store has of a run already, so that thousands of files need not be opened to add one.

    Args:
        output: The store; None, or one that is not there yet, has nothing.
        settings: Settings of the run.
        detector: Its model.

    Returns:
        Complete scenes by address.
    """
    from swathe.engine.plan import Plan
    from swathe.store import open_store

    place = None if output is None else address("output", output, "the folder or address of a store")
    try:
        stored = () if place is None else open_store(place).scenes(Plan((), settings, detector).run)
    except StoreError:
        return {}
    return {scene.scene.uri: scene for scene in stored if scene.state == "complete"}


def open_readable(
    sources: Sequence[str | Path] | Mapping[str, Told | None],
    bands: Sequence[int] | None = None,
    value_range: ValueRange | None = None,
    acquired: str | datetime | None = None,
    resolution: float | None = None,
    prefix: str = "",
    known: Mapping[str, StoredScene] | None = None,
    region: Query | None = None,
) -> Opened:
    """Find and open scenes; one bad file among good ones does not stop them. Pixels are not looked at yet.

    Args:
        sources: Files, folders, patterns, addresses, documents of STAC; or what `find_described` made of them.
        bands: Bands to use as red, green, blue, from 1; chosen for each scene if not given.
        value_range: Values to show as 0 and 255, or "percentile" to measure them, see `open_scene`.
        acquired: When the scenes were taken, ISO 8601 or a datetime, in UTC; None to leave what their files say.
        resolution: Metres per pixel on the ground of scenes that have no georeference; None if nobody knows.
        prefix: What to put before the ids of all scenes.
        known: Scenes that a run has looked at, by address; those that did not change are not opened.
        region: Where to look; images whose STAC item lies elsewhere are not opened.

    Returns:
        What was found, without mosaics of other scenes.

    Raises:
        SourceError: If nothing is found, or no file can be opened.
        UsageError: If the bands do not exist, the value range does not rise, or the time or the resolution is none.
    """
    from swathe.engine.identity import is_known
    from swathe.engine.region import items_in
    from swathe.raster.fingerprint import stamp
    from swathe.raster.opening import open_scene
    from swathe.raster.placement import placed_by_item
    from swathe.raster.sources import find_described, named, scene_ids

    time = None if acquired is None else utc_text(parse_utc(acquired, "acquired"))
    if resolution is not None:
        resolution = number("resolution", resolution, "metres per pixel, such as 0.3", 1e-6, 1e6)
    scenes: list[Scene] = []
    done: list[StoredScene] = []
    unopened: dict[str, str] = {}
    described, elsewhere = items_in(region, sources if isinstance(sources, Mapping) else find_described(sources))
    mosaics = any(path.lower().endswith(".vrt") for path in described)  # left out if they show the others
    for own, (path, told) in zip(named(scene_ids(list(described)), described.values()), described.items(), strict=True):
        name = prefix + own
        when = time or (None if told is None else told.acquired)
        mark, before = stamp(path, when, resolution), None if mosaics else (known or {}).get(path)
        if before is not None and is_known(before, mark):
            done.append(before)
            continue
        try:
            scene = placed_by_item(open_scene(path, bands=bands, value_range=value_range, scene_id=name), told)
            side = None if scene.georeferenced else resolution
            scenes.append(replace(scene, acquired=when or scene.acquired, resolution=side, stamp=mark))
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 whatever one file causes must not end the others
            unopened[name] = describe_failure(path, error)
    return _without_doubles(scenes, unopened, done, elsewhere)


def _without_doubles(
    scenes: list[Scene], unopened: Mapping[str, str], done: Sequence[StoredScene], note: str | None
) -> Opened:
    """Return what was found, with a note on the first scene; raises `SourceError` if that is nothing."""
    from swathe.raster.sources import without_mosaics

    if not scenes and not done:
        first, *others = unopened.values()
        more = f" (and {len(others)} more that cannot be opened)" if others else ""
        raise SourceError(f"{first}{more}")
    if note and scenes:
        scenes[0] = replace(scenes[0], notes=(*scenes[0].notes, note))
    return Opened(without_mosaics(scenes), unopened, tuple(done))
