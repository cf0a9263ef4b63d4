"""Settings of a detection run: everything that is neither a scene nor the detector."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from swathe.raster.grid import Grid

if TYPE_CHECKING:
    from swathe.query import Query

LARGEST_TILE = 1 << 20  # pixels; more than any memory holds
LEAST_SCALE, MOST_SCALE = 0.001, 1000.0  # beyond these no object of any image has a useful size


@dataclass(frozen=True)
class RunSettings:
    """How scenes are read and cut into windows, and how the findings of the windows are merged.

    The fields up to `value_range` change the result, and are part of the run's identity.
    """

    tile: int = 1024  # side of the square windows, or the longest one if they are fitted, level pixels
    stride: int = 824  # step between neighbouring windows, level pixels; tile - stride is the overlap
    fitted: bool = False  # whether windows may be smaller than the tile, and no squares; see `swathe.raster.grid`
    scales: tuple[float, ...] = (1.0,)  # one pass over a scene for each: level pixels per scene pixel, or factors
    resolution: float | None = None  # metres per level pixel that scales are factors of, where a scene knows its own
    merge_iou: float = 0.2  # of two boxes of a class that overlap more, only the better stays
    merge_ios: float | None = None  # overlap over the smaller box instead of the union; goes before `merge_iou`
    across_classes: bool = False  # whether boxes of different classes compete in the merge
    class_scores: tuple[tuple[str, float], ...] = ()  # lowest scores of classes that have their own
    region: Query | None = None  # where to look: box, polygon or areas; what has its centre there is kept
    give_way: float = 0.45  # share of a cut fragment's area that a whole object must cover to replace it
    cut_margin: float = 2.0  # a box this close to an inner window edge counts as cut by it, level pixels
    bands: tuple[int, ...] | None = None  # bands asked for, counted from 1; None: chosen for each scene
    value_range: tuple[float, float] | Literal["percentile"] | None = None  # values asked for as 0 and 255
    workers: int | None = None  # worker processes; None: one per core, 0: no process but this one
    prefetch: int = 2  # windows read ahead of the detector in each worker
    batch_timeout: float | None = None  # seconds a worker may take for a job; 0: any time, None: by measured times
    memory_limit: int | None = None  # bytes that all processes may take; None: what is free when the run begins

    def __post_init__(self) -> None:
        """Make equal settings equal, and refuse windows that leave gaps."""
        object.__setattr__(self, "scales", tuple(float(scale) for scale in self.scales))
        for name in ("bands", "value_range"):
            given = getattr(self, name)
            object.__setattr__(self, name, tuple(given) if isinstance(given, list) else given)
        Grid(1, 1, self.tile, self.stride)

    def identity(self) -> dict[str, object]:
        """Return the settings that change the result, as JSON values for the run id."""
        return {
            "tile": self.tile,
            "stride": self.stride,
            "fitted": self.fitted,
            "scales": list(self.scales),
            "resolution": self.resolution,
            "merge_iou": self.merge_iou,
            "merge_ios": self.merge_ios,
            "across_classes": self.across_classes,
            "class_scores": dict(self.class_scores),
            "region": None if self.region is None else _place(self.region),
            "give_way": self.give_way,
            "cut_margin": self.cut_margin,
            "bands": None if self.bands is None else list(self.bands),
            "value_range": list(self.value_range) if isinstance(self.value_range, tuple) else self.value_range,
        }


def _place(region: Query) -> dict[str, object]:
    """Return what stands for a region in the run id, and says where it is."""
    import shapely

    from swathe.query.regions import Shapes

    shapes = [shape for part in region.regions if isinstance(part, Shapes) for shape in part.polygons]
    digest = hashlib.sha256(b"".join(shapely.to_wkb(shape) for shape in shapes)).hexdigest()
    return {"bounds": list(region.bounds() or ()), "sha256": digest}
