"""From what a user names, files, folders, patterns and addresses, to rasters with an id each."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from swathe.errors import SourceError
from swathe.inputs import read_input
from swathe.raster import remote, vsi

SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".vrt", ".jp2"})
LOOKED_FOR = f"looked for {', '.join(sorted(SUFFIXES))}"
LIST_MARK = "@"
NAME_SHOWN = 200  # characters of a name that is too long


def find_sources(sources: Sequence[str | Path]) -> list[str]:
    """Find the rasters that are meant.

    A file is taken whatever its name. Of folders, all rasters in them and in the folders below are taken, by their
    suffix (.tif, .tiff, .png, .jpg, .jpeg, .vrt, .jp2); hidden files and folders are not. Patterns such as `*.tif`
    and `**/*.png` give what they match, folders included. Addresses begin with https://, http:// or s3://; one of a
    bucket that ends in "/" stands for all rasters below, one with `*` for all that it matches. `@FILE` stands for the
    sources that a text file lists, one per line; lines that begin with # are left out.

    Args:
        sources: Files, folders, patterns, addresses and lists.

    Returns:
        Absolute paths, then addresses, sorted, each once.

    Raises:
        SourceError: If a source does not exist, a folder holds no raster, or a pattern matches none.
    """
    if not sources:
        raise SourceError("no sources: give at least one file, folder, pattern or address")
    paths: list[Path] = []
    addresses: set[str] = set()
    for source in _listed(map(str, sources)):
        if remote.is_remote(source):
            addresses.update(_expand_address(source))
        else:
            paths += (path.absolute() for path in _expand(source))
    # Unlike Path.resolve, realpath takes links that lead in a ring; opening them fails, one scene among others.
    once = {os.path.realpath(path): path for path in sorted(paths, reverse=True)}
    return [*map(str, sorted(once.values())), *sorted(addresses)]


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


def _expand_address(address: str) -> Iterable[str]:
    if not address.lower().startswith("s3://"):
        if address.endswith("/"):
            raise SourceError(f"{remote.shown(address)}: web servers list no files; name each, or a list with @FILE")
        return [address]
    if not address.endswith("/") and "*" not in address:
        return [address]
    found = [name for name in vsi.list_objects(address) if _is_raster(remote.name_parts(name)[-1])]
    if not found:
        raise SourceError(f"{address}: no raster in this bucket begins so ({LOOKED_FOR}); check bucket and prefix")
    return found


def _expand(source: str) -> Iterable[Path]:
    try:
        path = Path(source).expanduser()
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, RuntimeError) as error:  # a name that is too long, or a home of nobody
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{source[:NAME_SHOWN]}: cannot be found ({reason}); check the path") from error
    if is_file:
        return [path]
    if is_folder:
        found = _rasters_below(path)
        if not found:
            raise SourceError(f"{source}: no raster in this folder ({LOOKED_FOR})")
        return found
    if not glob.has_magic(source):
        raise SourceError(f"{source}: no such file or folder; check the path")
    matches = _matches(path)
    found = [match for match in matches if match.is_file() and match.suffix.lower() in SUFFIXES]
    found += [raster for match in matches if match.is_dir() for raster in _rasters_below(match)]
    if not found:
        raise SourceError(f"{source}: no raster matches this pattern ({LOOKED_FOR})")
    return found


def _matches(pattern: Path) -> list[Path]:
    """Return what a pattern matches; `**` does not follow links, which may lead in rings, nor match hidden names."""
    relative = pattern.relative_to(pattern.anchor)
    try:
        found = list(Path(pattern.anchor).glob(str(relative)))
    except (OSError, ValueError) as error:
        raise SourceError(f"{pattern}: is no pattern ({error}); `**` stands alone between slashes") from error
    return [match for match in found if not any(name.startswith(".") for name in {*match.parts} - {*relative.parts})]


def _is_raster(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES


def _rasters_below(folder: Path) -> list[Path]:
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in files if _is_raster(name)]
    return found


def scene_ids(sources: Sequence[str | Path]) -> list[str]:
    """Give each raster a scene id that no other has.

    Args:
        sources: Different files and addresses.

    Returns:
        An id per raster: its name without suffix; where rasters share it, the folders below their common one joined by
        "-"; and where that is shared too, with -2, -3 and so on.

    Raises:
        SourceError: If an address is of a kind that is not read, or names no host.
    """
    paths = [_place(str(source)) for source in sources]
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


def _place(source: str) -> Path:
    """Return the path of a file, or what stands for it in an address, without the query."""
    return Path("/", *remote.name_parts(source)) if remote.is_remote(source) else Path(source).absolute()
