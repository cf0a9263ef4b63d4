"""Raw detections: what the windows gave, in scene coordinates, before the merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

COLUMNS = ("boxes", "scores", "classes", "cut")


@dataclass(frozen=True)
class RawDetections:
    """Columns of equal length; one row per detection of one window."""

    boxes: npt.NDArray[np.float64]  # (n, 5) canonical cx, cy, w, h, theta in scene pixels
    scores: npt.NDArray[np.float64]  # (n,) in 0..1
    classes: npt.NDArray[np.int64]  # (n,) index into DetectorSpec.classes
    cut: npt.NDArray[np.bool_]  # (n,) touches an inner window edge

    def __len__(self) -> int:
        """Return the number of detections."""
        return len(self.scores)

    def take(self, rows: npt.NDArray[np.int64]) -> RawDetections:
        """Return these rows, in this order."""
        return RawDetections(*(getattr(self, name)[rows] for name in COLUMNS))

    @classmethod
    def empty(cls) -> RawDetections:
        """Return no detections."""
        return cls(np.empty((0, 5)), np.empty(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_))

    @classmethod
    def concat(cls, parts: Sequence[RawDetections]) -> RawDetections:
        """Join parts in the order given.

        Args:
            parts: Detections of windows or batches; may be empty.

        Returns:
            All rows.
        """
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS))
