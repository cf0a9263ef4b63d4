"""Raw detections: what the windows gave, in scene coordinates, before the merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class RawDetections:
    """Columns of equal length; one row per detection of one window."""

    boxes: npt.NDArray[np.float64]  # (n, 5) canonical cx, cy, w, h, theta in scene pixels
    scores: npt.NDArray[np.float64]  # (n,) in 0..1
    classes: npt.NDArray[np.int64]  # (n,) index into DetectorSpec.classes
    cut: npt.NDArray[np.bool_]  # (n,) touches an inner window edge
    windows: npt.NDArray[np.int64]  # (n,) index of the window in its level's grid

    def __len__(self) -> int:
        """Return the number of detections."""
        return len(self.scores)

    def take(self, rows: npt.NDArray[np.int64]) -> RawDetections:
        """Return these rows, in this order."""
        return RawDetections(
            self.boxes[rows], self.scores[rows], self.classes[rows], self.cut[rows], self.windows[rows]
        )

    @classmethod
    def empty(cls) -> RawDetections:
        """Return no detections."""
        integers = np.empty(0, dtype=np.int64)
        return cls(np.empty((0, 5)), np.empty(0), integers, np.empty(0, dtype=np.bool_), integers)

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
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.classes for part in parts]),
            np.concatenate([part.cut for part in parts]),
            np.concatenate([part.windows for part in parts]),
        )
