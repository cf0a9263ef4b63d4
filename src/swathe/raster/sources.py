"""From what a user names, files, folders and patterns, to rasters with an id each."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from swathe.errors import SourceError

SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".vrt", ".jp2"})


def find_sources(sources: Sequence[str | Path]) -> list[Path]:
    """Find the rasters that are meant.

    A file is taken whatever its name. Of folders, all rasters in them and in the folders below are taken, by their
    suffix (.tif, .tiff, .png, .jpg, .jpeg, .vrt, .jp2); hidden files and folders are not. Patterns such as `*.tif`
    and `**/*.png` give what they match, folders included.

    Args:
        sources: Files, folders and patterns.

    Returns:
        Absolute paths, sorted, each once.

    Raises:
        SourceError: If a source does not exist, a folder holds no raster, or a pattern matches none.
    """
    if not sources:
        raise SourceError("no sources: give at least one file, folder or pattern")
    found = sorted(path.absolute() for source in sources for path in _expand(str(source)))
    return sorted({path.resolve(): path for path in reversed(found)}.values())


def _expand(source: str) -> Iterable[Path]:
    path = Path(source).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        found = _rasters_below(path)
        if not found:
            raise SourceError(f"{source}: no raster in this folder (looked for {', '.join(sorted(SUFFIXES))})")
        return found
    if not glob.has_magic(source):
        raise SourceError(f"{source}: no such file or folder; check the path")
    matches = [Path(match) for match in glob.glob(str(path), recursive=True)]  # noqa: PTH207 - Path.glob takes no absolute pattern
    found = [match for match in matches if match.is_file() and match.suffix.lower() in SUFFIXES]
    found += [raster for match in matches if match.is_dir() for raster in _rasters_below(match)]
    if not found:
        raise SourceError(f"{source}: no raster matches this pattern (looked for {', '.join(sorted(SUFFIXES))})")
    return found


def _rasters_below(folder: Path) -> list[Path]:
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        shown = (Path(place, name) for name in files if not name.startswith("."))
        found += [path for path in shown if path.suffix.lower() in SUFFIXES]
    return found


def scene_ids(paths: Sequence[Path]) -> list[str]:
    """Give each file a scene id that no other has.

    Args:
        paths: Different files.

    Returns:
        An id per file: its name without suffix; where files share it, the folders below their common one joined by
        "-"; and where that is shared too, with -2, -3 and so on.
    """
    stems = Counter(path.stem for path in paths)
    absolute = [path.absolute() for path in paths]
    common = Path(os.path.commonpath([path.parent for path in absolute])) if absolute else Path()
    ids: dict[str, None] = {}  # an ordered set
    for path in absolute:
        alone = stems[path.stem] == 1
        name = path.stem if alone else "-".join(path.relative_to(common).with_suffix("").parts)
        unique, number = name, 1
        while unique in ids or (unique != path.stem and unique in stems):
            number += 1
            unique = f"{name}-{number}"
        ids[unique] = None
    return list(ids)
