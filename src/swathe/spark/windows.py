"""Windows of images as a data source: `spark.read.format("swathe-windows")`, for functions of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema

from swathe.engine.plan import Batch, Task, make_plan
from swathe.engine.settings import RunSettings
from swathe.errors import SourceError
from swathe.opened import open_readable
from swathe.raster.environment import capture, restore
from swathe.raster.opening import open_reader
from swathe.raster.origins import redacted
from swathe.spark.options import Option, flag, list_of, parse, path_of

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

    from swathe.raster.scene import Scene

NAME = "swathe-windows"
SETTINGS = {
    "tile": Option(int, "a whole number of pixels"),
    "stride": Option(int, "a whole number of pixels"),
    "scales": Option(list_of(float), "numbers with commas between them"),
    "resolution": Option(float, "metres per pixel"),
}
OPENING = {
    "bands": Option(list_of(int), "numbers of bands with commas between them"),
    "value_range": Option(list_of(float), "two numbers with a comma between them"),
}
PIXELS = {"pixels": Option(flag, "true or false")}
COLUMNS = pa.schema(
    [
        ("scene", pa.string()),
        ("uri", pa.string()),
        ("scale", pa.float64()),  # level pixels per scene pixel
        ("column", pa.int64()),  # of the window's first pixel, level pixels
        ("row", pa.int64()),
        ("width", pa.int64()),
        ("height", pa.int64()),
    ]
)
# Only where they are asked for: the share of pixels with data, and (height, width, 3) bytes of RGB, row by row.
PIXEL_COLUMNS = (pa.field("valid", pa.float64()), pa.field("pixels", pa.binary()))


class WindowSource(DataSource):
    """Reads the windows of images."""

    @classmethod
    def name(cls) -> str:
        """Return what it is called in `format`."""
        return NAME

    def schema(self) -> StructType:
        """Return the columns; those of pixels only where they are asked for."""
        return from_arrow_schema(_columns(with_pixels=bool(self._options().get("pixels"))))

    def reader(self, schema: StructType) -> WindowReader:  # noqa: ARG002
        """Return what reads."""
        return WindowReader(path_of(NAME, self.options, "images"), self._options())

    def _options(self) -> dict[str, Any]:
        return parse(NAME, self.options, SETTINGS | OPENING | PIXELS)


class WindowReader(DataSourceReader):
    """Reads windows, a batch in each task, or those of a whole scene where pixels are not asked for."""

    def __init__(self, path: str, options: Mapping[str, Any]) -> None:
        self._path, self._environment = path, capture()
        self._pixels = bool(options.get("pixels"))
        self._opening = {name: options[name] for name in OPENING if name in options}
        given = {name: options[name] for name in SETTINGS if name in options}
        if "stride" not in given and "tile" in given:
            given["stride"] = given["tile"] * 3 // 4
        self._settings = RunSettings(**given)

    def partitions(self) -> Sequence[InputPartition]:
        """Find the images and cut them into windows."""
        opened = open_readable([self._path], **self._opening)
        for reason in opened.unopened.values():
            raise SourceError(reason)
        shares: list[InputPartition] = []
        for scene in make_plan(opened.scenes, self._settings).scenes:
            groups = ((batch,) for batch in scene.batches()) if self._pixels else [tuple(scene.batches())]
            shares.extend(InputPartition((scene.source, batches)) for batches in groups)
        return shares

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Yield the windows of a batch, one by one with their pixels, or many without."""
        scene: Scene
        batches: tuple[Batch, ...]
        scene, batches = partition.value
        if not self._pixels:
            rows = [_row(scene, task) for batch in batches for task in batch.tasks(scene.id)]
            yield pa.RecordBatch.from_pylist(rows, COLUMNS)
            return
        schema = _columns(with_pixels=True)
        with restore(self._environment):
            reader = open_reader(scene)
            try:
                for batch in batches:
                    for task in batch.tasks(scene.id):
                        tile = reader.read(task.level, task.window)
                        row = _row(scene, task) | {"valid": tile.valid, "pixels": tile.pixels.tobytes()}
                        yield pa.RecordBatch.from_pylist([row], schema)
            finally:
                reader.close()


def _columns(*, with_pixels: bool) -> pa.Schema:
    return pa.schema([*COLUMNS, *(PIXEL_COLUMNS if with_pixels else ())])


def _row(scene: Scene, task: Task) -> dict[str, Any]:
    window = task.window
    place = {"column": window.col_off, "row": window.row_off, "width": window.width, "height": window.height}
    return {"scene": scene.id, "uri": redacted(scene.uri), "scale": task.level.scale, **place}
