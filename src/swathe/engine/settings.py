"""Settings of a detection run: everything that is neither a scene nor the detector."""

from __future__ import annotations

import math
from dataclasses import dataclass

from swathe.errors import UsageError

LARGEST_TILE = 1 << 20  # pixels; more than any memory holds


LEAST_SCALE, MOST_SCALE = 0.001, 1000.0  # beyond these no object of any image has a useful size


@dataclass(frozen=True)
class RunSettings:
    """How scenes are cut into windows and how the findings of the windows are merged.

    The fields up to `cut_margin` change the result, and are part of the run's identity.
    """

    tile: int = 1024  # side of the square windows, level pixels
    stride: int = 824  # step between neighbouring windows, level pixels; tile - stride is the overlap
    scales: tuple[float, ...] = (1.0,)  # level pixels per scene pixel, one pass over the scene for each
    merge_iou: float = 0.2  # of two boxes of a class that overlap more, only the better stays
    give_way: float = 0.45  # share of a cut fragment's area that a whole object must cover to replace it
    cut_margin: float = 2.0  # a box this close to an inner window edge counts as cut by it, level pixels
    workers: int | None = None  # worker processes; None: one per core, 0: no process but this one
    prefetch: int = 2  # windows read ahead of the detector in each worker
    batch_timeout: float | None = None  # seconds a worker may take for a batch; 0: any time, None: by measured times
    memory_limit: int | None = None  # bytes that all processes may take; None: what is free when the run begins

    def __post_init__(self) -> None:
        """Refuse values that no run could follow."""
        object.__setattr__(self, "scales", tuple(float(scale) for scale in self.scales))
        if not 1 <= self.tile <= LARGEST_TILE:
            raise UsageError(argument="tile", value=self.tile, accepted=f"from 1 to {LARGEST_TILE} pixels")
        if not 1 <= self.stride <= self.tile:
            accepted = f"from 1 to the tile size {self.tile}, or gaps appear"
            raise UsageError(argument="stride", value=self.stride, accepted=accepted)
        self._check_scales()
        self._check_shares()
        if self.workers is not None and self.workers < 0:
            raise UsageError(argument="workers", value=self.workers, accepted="a number of processes, or 0 for none")
        if self.prefetch < 1:
            raise UsageError(argument="prefetch", value=self.prefetch, accepted="at least 1 window to read ahead")
        if self.batch_timeout is not None and not (math.isfinite(self.batch_timeout) and self.batch_timeout >= 0):
            raise UsageError(argument="batch_timeout", value=self.batch_timeout, accepted="seconds, or 0 for no limit")
        if self.memory_limit is not None and self.memory_limit < 1:
            raise UsageError(
                argument="memory_limit", value=self.memory_limit, accepted="bytes, or None for all that is free"
            )

    def _check_scales(self) -> None:
        if not self.scales:
            raise UsageError(argument="scales", value=self.scales, accepted="at least one number, for instance 1.0")
        for scale in self.scales:
            if not LEAST_SCALE <= scale <= MOST_SCALE:
                raise UsageError(argument="scales", value=scale, accepted=f"from {LEAST_SCALE:g} to {MOST_SCALE:g}")
        if len(set(self.scales)) != len(self.scales):
            raise UsageError(argument="scales", value=self.scales, accepted="different from each other")

    def _check_shares(self) -> None:
        for name in ("merge_iou", "give_way"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise UsageError(argument=name, value=value, accepted="from 0 to 1")
        if not (math.isfinite(self.cut_margin) and self.cut_margin >= 0):
            raise UsageError(argument="cut_margin", value=self.cut_margin, accepted="zero or more pixels")

    def identity(self) -> dict[str, object]:
        """Return the settings that change the result, for the run id."""
        return {
            "tile": self.tile,
            "stride": self.stride,
            "scales": list(self.scales),
            "merge_iou": self.merge_iou,
            "give_way": self.give_way,
            "cut_margin": self.cut_margin,
        }
