"""Files of this machine: paths, folders, patterns, and the pages of a TIFF."""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from swathe.errors import SourceError
from swathe.raster.formats import SUFFIXES, is_raster_name
from swathe.raster.origins.protocol import Fingerprint

LOOKED_FOR = f"looked for {', '.join(sorted(SUFFIXES))}"
NAME_SHOWN = 200  # characters of a name that is too long
PAGE = re.compile(r"GTIFF_DIR:(\d+):(.+)", re.DOTALL)  # GDAL's name for an image of a TIFF, counted from 1


class File:
    """Files of this machine."""

    def expand(self, source: str) -> Iterable[str]:
        """Take a file whatever its name, of a folder all rasters below, of a pattern what it matches."""
        if PAGE.fullmatch(source):
            return [absolute(source)]
        return [str(path.absolute()) for path in _expand(source.removeprefix("file://"))]

    def gdal_path(self, uri: str) -> str:
        """Return the path itself."""
        return uri

    def name_parts(self, uri: str) -> tuple[str, ...]:
        """Return folders and name; the number of a page goes behind the name."""
        page = PAGE.fullmatch(uri)
        if page is None:
            return Path(uri).absolute().parts[1:]
        path = Path(page[2])
        return path.with_name(f"{path.stem}-{page[1]}{path.suffix}").absolute().parts[1:]

    def fingerprint(self, uri: str) -> Fingerprint:
        """Return the size and the time of last change."""
        path = Path(path_of(uri))
        try:
            status = path.stat()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", error)
            raise SourceError(f"{path}: cannot be found ({reason}); check the path") from error
        if path.is_dir():
            raise SourceError(f"{path}: is a folder; name the image files in it")
        if status.st_size == 0:
            raise SourceError(f"{path}: is empty; fetch or export it again")
        return status.st_size, status.st_mtime_ns

    def redacted(self, uri: str) -> str:
        """Return the path: it holds no secrets."""
        return uri

    def unopened(self, _uri: str, _reason: str, /) -> str | None:
        """Blame the content: the file is there."""
        return None

    def unread(self, uri: str, reason: str, /) -> str:
        """Blame the content."""
        return f"{uri}: {reason}; the file is damaged or cut short, fetch or export it again"


def absolute(source: str) -> str:
    """Return the uri of one file that a user names."""
    page = PAGE.fullmatch(source)
    if page is not None:
        return f"GTIFF_DIR:{int(page[1])}:{absolute(page[2])}"
    return str(_as_stored(Path(source.removeprefix("file://")).expanduser()).absolute())


def path_of(uri: str) -> str:
    """Return the file of a page of a TIFF; other paths are as they were."""
    page = PAGE.fullmatch(uri)
    return uri if page is None else page[2]


def _expand(source: str) -> Iterable[Path]:
    try:
        path = _as_stored(Path(source).expanduser())
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


def _as_stored(path: Path) -> Path:
    """Return the spelling of a path that exists: letters with marks are one character or two, as a disk has them."""
    spellings = (Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD"))
    return next((other for other in (path, *spellings) if os.path.exists(other)), path)  # noqa: PTH110 - Path.exists raises where the name is too long


def _matches(pattern: Path) -> list[Path]:
    """Return what a pattern matches; `**` does not follow links, which may lead in rings, nor match hidden names."""
    relative = pattern.relative_to(pattern.anchor)
    try:
        found = list(Path(pattern.anchor).glob(str(relative)))
    except (OSError, ValueError) as error:
        raise SourceError(f"{pattern}: is not a pattern ({error}); `**` stands alone between slashes") from error
    return [match for match in found if not any(name.startswith(".") for name in {*match.parts} - {*relative.parts})]


def _rasters_below(folder: Path) -> list[Path]:
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in files if is_raster_name(name)]
    return found
