"""The value `Cells`: a grid to count detections on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from swathe import arguments
from swathe.errors import UsageError
from swathe.query import values

FloatArray: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """A grid of equal cells over a rectangle; an edge belongs to the cell right of it or above it."""

    box: values.Bounds  # xmin, ymin, xmax, ymax in geometry coordinates, xmin < xmax
    columns: int
    rows: int

    def __post_init__(self) -> None:
        """Refuse a grid without cells."""
        object.__setattr__(self, "box", values.bounds(self.box))
        xmin, ymin, xmax, ymax = self.box
        if not (xmin < xmax and ymin < ymax):
            raise UsageError(argument="box", value=self.box, accepted="four numbers, xmin < xmax and ymin < ymax")
        for name in ("columns", "rows"):
            arguments.whole_number(name, getattr(self, name), "a whole number from 1", 1)

    def count(self, hulls: FloatArray) -> npt.NDArray[np.int64]:
        """Count rectangles by the cells that their centres lie in.

        Args:
            hulls: Rectangles (n, 4) as xmin, ymin, xmax, ymax in geometry coordinates.

        Returns:
            Counts (rows, columns), the first row at the top (largest y).
        """
        xmin, ymin, xmax, ymax = self.box
        x, y = 0.5 * (hulls[:, 0] + hulls[:, 2]), 0.5 * (hulls[:, 1] + hulls[:, 3])
        columns = np.floor((x - xmin) / (xmax - xmin) * self.columns)
        rows = np.floor((y - ymin) / (ymax - ymin) * self.rows)
        inside = (columns >= 0) & (columns < self.columns) & (rows >= 0) & (rows < self.rows)
        places = (rows[inside] * self.columns + columns[inside]).astype(np.int64)
        counts = np.bincount(places, minlength=self.rows * self.columns).reshape(self.rows, self.columns)
        return counts[::-1].astype(np.int64)
