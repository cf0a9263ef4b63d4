"""From what a user names, files, folders, patterns and addresses, to rasters with an id each."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from swathe.counts import counted
from swathe.errors import SourceError
from swathe.inputs import read_input
from swathe.raster import mosaics
from swathe.raster.formats import MANIFEST, is_manifest
from swathe.raster.origins import is_remote, origin_of
from swathe.raster.scene import Scene
from swathe.raster.stac import Told, is_stac, read_stac

LIST_MARK = "@"


def find_sources(sources: Sequence[str | Path]) -> list[str]:
    """Find the rasters that are meant.

    A file is taken whatever its name. Of folders, all rasters in them and in the folders below are taken, by their
    suffix (`swathe.raster.formats.SUFFIXES`); hidden files and folders are not. Patterns such as `*.tif` and
    `**/*.png` give what they match, folders included. Addresses begin with https://, http://, s3:// or hdfs://; one of
    a bucket or cluster that ends in "/" stands for all rasters below, one with `*` for all that it matches. `@FILE`
    stands for the sources that a text file lists, one per line; lines that begin with # are left out.
    `GTIFF_DIR:2:FILE` is the second image of a TIFF. A folder of slices, with their manifest, is one scene.

    Names that end in .json or .geojson are documents of STAC, which list images, see `swathe.raster.stac`.

    Args:
        sources: Files, folders, patterns, addresses and lists.

    Returns:
        Absolute paths, then addresses, sorted, each once.

    Raises:
        SourceError: If a source does not exist, a folder holds no raster, or a pattern matches none.
        MissingExtraError: If a library is needed that is not installed.
    """
    return list(find_described(sources))


def find_described(sources: Sequence[str | Path]) -> dict[str, Told | None]:
    """Find the rasters that are meant, see `find_sources`, with what a STAC item tells of each.

    Args:
        sources: Files, folders, patterns, addresses and lists.

    Returns:
        By absolute path or address; None where no item is.

    Raises:
        SourceError: If a source does not exist, a folder holds no raster, or a pattern matches none.
        MissingExtraError: If a library is needed that is not installed.
    """
    if not sources:
        raise SourceError("no sources: give at least one file, folder, pattern or address")
    paths: set[str] = set()
    addresses: set[str] = set()
    told: dict[str, Told] = {}
    for source in _listed(map(str, sources)):
        if is_stac(source):
            told |= read_stac(source)
            continue
        (addresses if is_remote(source) else paths).update(origin_of(source).expand(source))
    for found in told:
        (addresses if is_remote(found) else paths).add(found)
    # Unlike Path.resolve, realpath takes links that lead in a ring; opening them fails, one scene among others.
    manifests = [found for found in (*paths, *addresses) if is_manifest(found)]
    for place in [found.removesuffix(MANIFEST) for found in manifests]:  # slices are not scenes of their own
        for held in (paths, addresses):
            held -= {found for found in held if found.startswith(place) and not is_manifest(found)}
    once = {os.path.realpath(path): path for path in sorted(paths, reverse=True)}
    return {found: told.get(found) for found in (*sorted(once.values(), key=Path), *sorted(addresses))}


def without_mosaics(scenes: Sequence[Scene]) -> tuple[Scene, ...]:
    """Leave out the mosaics (VRT) all parts of which are among the scenes, so that nothing is looked at twice.

    Args:
        scenes: The scenes that were found.

    Returns:
        The others; the first part of a mosaic that was left out has a note on it, and so has a mosaic only some parts
        of which are among the scenes.
    """
    places = {os.path.realpath(scene.uri): number for number, scene in enumerate(scenes)}
    kept: list[Scene | None] = list(scenes)
    for number, scene in enumerate(scenes):
        behind = () if is_remote(scene.uri) else mosaics.parts(scene.uri)
        images = [part for part in behind if not part.lower().endswith(".vrt")]
        shown = [places[part] for part in map(os.path.realpath, images) if part in places]
        if not shown:
            continue
        noted = number if len(shown) < len(images) else shown[0]
        what = f"shows {counted(len(shown), 'image')} that will be looked at by itself"
        note = (
            f"{what}, so objects are counted twice; name it or them"
            if noted == number
            else (
                f"the mosaic {scene.uri} is left out: it {what}, this among them; name it alone to look at it instead"
            )
        )
        if noted != number:
            kept[number] = None
        other = kept[noted]
        kept[noted] = None if other is None else replace(other, notes=(*other.notes, note))
    return tuple(scene for scene in kept if scene is not None)


def _listed(sources: Iterable[str]) -> Iterator[str]:
    """Yield sources, and in place of a list those that are in it."""
    for source in sources:
        if not source.startswith(LIST_MARK) or Path(source).exists():
            yield source
            continue
        path = Path(source[len(LIST_MARK) :]).expanduser()
        try:
            lines = [line.strip() for line in read_input(path).decode().splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{path}: the list of sources cannot be read ({error}); check the path") from error
        found = [line for line in lines if line and not line.startswith("#")]
        if not found:
            raise SourceError(f"{path}: lists no sources; write one per line")
        yield from found


def named(ids: Sequence[str], told: Iterable[Told | None]) -> list[str]:
    """Give scenes the ids of their STAC items, where these are different from each other and from all others.

    Args:
        ids: Of all scenes, by their files.
        told: What an item tells of each.

    Returns:
        An id for each scene.
    """
    names = [None if one is None else unicodedata.normalize("NFC", one.name) for one in told]
    counts = Counter(names)
    taken = {own for own, name in zip(ids, names, strict=True) if name is None}
    return [
        own if name is None or counts[name] > 1 or name in taken or not name else name
        for own, name in zip(ids, names, strict=True)
    ]


def scene_ids(sources: Sequence[str | Path]) -> list[str]:
    """Give each raster a scene id that no other has.

    Args:
        sources: Different files and addresses.

    Returns:
        An id per raster: its name without suffix; where rasters share it, the folders below their common one joined by
        "-"; and where that is shared too, with -2, -3 and so on. Letters with marks are one character each.

    Raises:
        SourceError: If an address is of a kind that is not read.
    """
    parts = (origin_of(str(source)).name_parts(str(source)) for source in sources)
    paths = [Path("/", *(unicodedata.normalize("NFC", part) for part in each)) for each in parts]
    paths = [path.parent if path.name == MANIFEST else path for path in paths]
    stems = Counter(path.stem for path in paths)
    common = Path(os.path.commonpath([path.parent for path in paths])) if paths else Path()
    ids: dict[str, None] = {}  # an ordered set
    for path in paths:
        alone = stems[path.stem] == 1
        name = path.stem if alone else "-".join(path.relative_to(common).with_suffix("").parts)
        unique, number = name, 1
        while unique in ids or (unique != path.stem and unique in stems):
            number += 1
            unique = f"{name}-{number}"
        ids[unique] = None
    return list(ids)
