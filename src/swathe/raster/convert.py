"""Converting rasters to cloud-optimised GeoTIFF: tiled, compressed, with overviews, by GDAL's own driver for them.

GDAL works in a process of its own, so that Ctrl-C and a full disk end in order: what it writes, its temporary files
included, lies in a hidden folder beside the target until it is complete.
"""

from __future__ import annotations

import errno
import math
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, Literal

import numpy as np

from swathe.atomic import not_written, published_path
from swathe.counts import counted
from swathe.errors import Argument, SourceError, StoreError, UsageError
from swathe.raster import gdal
from swathe.raster.environment import CACHE_BYTES, settings
from swathe.raster.origins import is_remote, redacted

Compression = Literal["zstd", "deflate", "jpeg"]
COMPRESSIONS: tuple[Compression, ...] = ("zstd", "deflate", "jpeg")

BLOCK = 512  # side of the tiles, pixels
SUFFIX = ".tif"
LARGEST_CACHE = 2 << 30
POLL_SECONDS = 0.2
# What may go wrong with the target; GDAL says it in the words of the system.
TARGET_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


@dataclass(frozen=True)
class ConvertOptions:
    """How pixels are compressed."""

    compress: Compression = "zstd"  # zstd and deflate keep every pixel as it is, jpeg does not
    quality: int = 90  # of jpeg, 1 to 100

    def __post_init__(self) -> None:
        """Refuse what GDAL would not understand."""
        if self.compress not in COMPRESSIONS:
            raise UsageError(argument="compress", value=self.compress, accepted=f"one of {', '.join(COMPRESSIONS)}")
        if not 1 <= self.quality <= 100:
            raise UsageError(argument="quality", value=self.quality, accepted="a number from 1 to 100")

    def creation_options(self, dataset: Any) -> dict[str, str | int]:
        """Return the options of GDAL's COG driver.

        Args:
            dataset: The open source.

        Returns:
            Name -> value.

        Raises:
            UsageError: If the pixels of the source cannot be compressed so.
        """
        options: dict[str, str | int] = {
            "COMPRESS": self.compress.upper(),
            "BLOCKSIZE": BLOCK,
            "OVERVIEWS": "IGNORE_EXISTING",
            "OVERVIEW_RESAMPLING": "AVERAGE",  # the mean of what a pixel covers, as the reader would make it
            "BIGTIFF": "IF_SAFER",
            "NUM_THREADS": "ALL_CPUS",
        }
        if self.compress == "jpeg":
            _check_jpeg(dataset)
            return options | {"QUALITY": self.quality, "OVERVIEW_QUALITY": self.quality}
        return options | {"PREDICTOR": "YES" if _is_predictable(dataset) else "NO"}


@dataclass(frozen=True)
class Job:
    """One file to write."""

    source: str  # path or address
    path: Path  # the file to write
    cache: int  # bytes for GDAL's blocks
    creation: dict[str, str | int]  # options of GDAL's COG driver


def _check_jpeg(dataset: Any) -> None:
    """Refuse pixels that JPEG cannot hold."""
    from rasterio.enums import ColorInterp

    paletted = ColorInterp.palette in dataset.colorinterp
    colours = sum(colour != ColorInterp.alpha for colour in dataset.colorinterp)
    if set(dataset.dtypes) != {"uint8"} or paletted or colours not in {1, 3}:
        types = ", ".join(sorted(set(dataset.dtypes)))
        kind = "a palette" if paletted else f"{counted(dataset.count, 'band')} of type {types}"
        raise UsageError(
            Argument("compress", "jpeg"),
            f": {redacted(dataset.name)} has {kind}, and jpeg holds 1 or 3 bands of 8 bits, and alpha; use zstd",
        )


def _is_predictable(dataset: Any) -> bool:
    """Whether all samples fill bytes and are real, as differences between neighbours need it."""
    bits = (dataset.tags(band, ns="IMAGE_STRUCTURE").get("NBITS") for band in dataset.indexes)
    return all(number is None for number in bits) and not any(name.startswith("complex") for name in dataset.dtypes)


def cache_bytes(dataset: Any) -> int:
    """Return how large GDAL's block cache must be to decode a source once.

    A row of tiles is written at once. A source in strips, or one that is decoded from its start like PNG, must keep the
    rows under it.

    Args:
        dataset: The open source.

    Returns:
        Bytes.
    """
    pixel = sum(np.dtype(name).itemsize for name in dataset.dtypes)
    rows = max(math.ceil(BLOCK / rows) * rows for rows, _ in dataset.block_shapes)
    return int(min(max(CACHE_BYTES, 2 * min(rows, dataset.height) * dataset.width * pixel), LARGEST_CACHE))


def convert(
    source: str,
    target: Path,
    options: ConvertOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write a raster as cloud-optimised GeoTIFF.

    Georeference, ground control points, nodata values, masks, bands with their colours and names, and metadata are
    kept; overviews are made anew by area average down to less than 512 pixels.

    Args:
        source: A file or an address.
        target: The file to write.
        options: How to compress; without loss if not given.
        overwrite: Whether the target may exist.
        progress: Called a few times per second with the bytes written so far, overviews included.

    Returns:
        Size of the target in bytes.

    Raises:
        SourceError: If the source is missing, damaged or no raster.
        StoreError: If the target exists and may not be replaced, is the source itself, or cannot be written.
        UsageError: If the pixels of the source cannot be compressed so.
    """
    options = options or ConvertOptions()
    if not is_remote(source) and target.exists() and target.samefile(source):
        raise StoreError(f"{target}: is the source itself; choose another name")
    with gdal.open_dataset(source) as dataset:
        creation, cache = options.creation_options(dataset), cache_bytes(dataset)
    with published_path(target, overwrite=overwrite, suffix=SUFFIX) as path:
        _run(Job(source, path, cache, creation), target, progress or (lambda _: None))
        return path.stat().st_size


def _run(job: Job, target: Path, progress: Callable[[int], None]) -> None:
    """Let a process of its own do a job, and tell how many bytes there are until it is done."""
    ours, theirs = Pipe()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
    words = [sys.executable, "-m", "swathe.raster.convert", str(theirs.fileno())]
    with tempfile.TemporaryFile() as noise, ours:
        # In a session of its own: Ctrl-C at a terminal reaches only this process, which ends the other.
        process = subprocess.Popen(
            words,
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=noise,
            stderr=noise,
            start_new_session=True,
        )
        theirs.close()
        try:
            ours.send(job)
            while not ours.poll(POLL_SECONDS):
                progress(_bytes_in(job.path.parent))
            failure: str | None = ours.recv()
        except (EOFError, ConnectionError):
            failure = "GDAL broke off; there may be too little memory"
        finally:
            process.kill()
            process.wait()
        noise.seek(0)
        said = noise.read().decode(errors="replace")
    if failure is not None:
        raise _error(failure, said, job.source, target)


def _bytes_in(folder: Path) -> int:
    """Add up the files in a folder, while one that is done with may disappear."""
    total = 0
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _error(failure: str, said: str, source: str, target: Path) -> SourceError | StoreError:
    """Tell a target that cannot be written from a source that cannot be read."""
    text = f"{failure} {said}"
    for code in TARGET_ERRORS:
        if os.strerror(code).lower() in text.lower() or (code == errno.ENOSPC and "Free disk space" in text):
            return StoreError(not_written(target, OSError(code, os.strerror(code))))
    if "TIFFAppend" in text or "WriteEncoded" in text:
        return StoreError(f"{target} cannot be written ({failure}); check the folder, rights and free space")
    return SourceError(f"{redacted(source)}: cannot be converted ({failure}); fetch or export it again")


def copy(job: Job) -> str | None:
    """Write one file, in this process.

    Args:
        job: What to do.

    Returns:
        What went wrong, None if nothing did.
    """
    import rasterio.shutil
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    try:
        # GDAL copies rows of blocks as wide as the swath allows; narrower ones would decode strips again and again. PNG
        # would be decoded into memory as a whole.
        with (
            gdal.open_dataset(job.source) as dataset,
            settings(GDAL_CACHEMAX=job.cache, GDAL_SWATH_SIZE=job.cache // 2, GDAL_PNG_WHOLE_IMAGE_OPTIM="NO"),
        ):
            rasterio.shutil.copy(dataset, job.path, driver="COG", **job.creation)
    except SourceError as error:
        return str(error)
    except (RasterioError, CPLE_BaseError) as error:
        return gdal.reason(error)
    return None


def main(handle: int) -> None:
    """Take a job from a pipe and answer how it went; end at once when the other side does.

    Args:
        handle: File descriptor of this end of the pipe.
    """
    with Connection(handle) as connection:
        job: Job = connection.recv()
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
        connection.send(copy(job))


def _end_with(connection: Connection) -> None:
    """Wait for the other side to go, and go, too: nobody is left to publish the file."""
    with suppress(EOFError, OSError):
        connection.recv()
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
