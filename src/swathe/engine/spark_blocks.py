"""Where HDFS keeps the pixels of a job, as the NameNode tells Spark's own client, which knows its rights and its name
services.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from swathe.engine.job import BatchJob, Job
from swathe.errors import SourceError
from swathe.raster.gdal import open_dataset
from swathe.raster.pyramid import choose_overview
from swathe.raster.scene import Scene

SCHEMES = ("hdfs://", "webhdfs://")


class Block(NamedTuple):
    """A block of a file."""

    first: int  # byte
    end: int
    hosts: tuple[str, ...]  # that have it


class BlockHosts:
    """Tells the hosts of jobs; asks once for each file."""

    def __init__(self, context: Any) -> None:
        """Take Spark's context."""
        self._context = context
        self._blocks = cache(self._asked)
        self._rows = cache(_rows)

    def __call__(self, job: Job) -> tuple[str, ...]:
        """Return the hosts that have the pixels of a job.

        Args:
            job: A job. The parts that a merge reads may be anywhere.

        Returns:
            Names or addresses as Spark calls its hosts, the one with most of the bytes first; none if the scene does
            not lie in HDFS.
        """
        source = job.scene.source
        if not source.uri.lower().startswith(SCHEMES) or not (isinstance(job, BatchJob) or job.scene.batch_count == 1):
            return ()
        blocks = self._blocks(source.uri)
        spans = [(0, blocks[-1].end)] if blocks else []
        if isinstance(job, BatchJob) and len(blocks) > 1:
            spans = self._spans(job) or spans
        held = Counter[str]()
        for block in blocks:
            bytes_of_block = sum(max(0, min(end, block.end) - max(first, block.first)) for first, end in spans)
            held.update(dict.fromkeys(block.hosts, bytes_of_block))
        return tuple(host for host, count in held.most_common() if count)

    def _asked(self, uri: str) -> tuple[Block, ...]:
        """Ask the NameNode for the blocks of a file; none if it does not answer: the work is done all the same."""
        from py4j.protocol import Py4JError

        java = self._context._jvm  # noqa: SLF001 - Python's part of Spark has no way to ask
        try:
            path = java.org.apache.hadoop.fs.Path(uri)
            files = path.getFileSystem(self._context._jsc.hadoopConfiguration())  # noqa: SLF001
            status = files.getFileStatus(path)
            found = files.getFileBlockLocations(status, 0, status.getLen())
            parts = [(int(part.getOffset()), int(part.getLength()), tuple(part.getHosts())) for part in found]
        except Py4JError:
            return ()
        return tuple(Block(first, first + length, hosts) for first, length, hosts in parts)

    def _spans(self, job: BatchJob) -> list[tuple[int, int]]:
        """Return the bytes that hold the rows of a batch, none if that is not known."""
        level, batch = job.batch.level, job.batch
        first, last = (level.grid[level.windows[batch.first + place]] for place in (0, batch.count - 1))
        shares = first.row_off / level.level.height, (last.row_off + last.height) / level.level.height
        return self._rows(job.scene.source, choose_overview(job.scene.source.overviews, level.level.scale), shares)


def _rows(scene: Scene, overview: int | None, shares: tuple[float, float]) -> list[tuple[int, int]]:
    """Return the bytes of the rows of blocks between two shares of the height of a TIFF."""
    try:
        with open_dataset(scene.uri, overview) as dataset:
            side = dataset.block_shapes[0][0]
            columns, rows = -(-dataset.width // dataset.block_shapes[0][1]), -(-dataset.height // side)
            top = int(shares[0] * dataset.height) // side
            bottom = min(rows, -(-int(shares[1] * dataset.height) // side))
            places = [*((0, row) for row in range(top, bottom)), (columns - 1, bottom - 1)]
            found = [dataset.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=1) for x, y in places]
    except SourceError:
        return []
    return [] if None in found else list(pairwise(int(offset) for offset in found))
