"""The columns of detections as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from swathe import arguments
from swathe.detections.table import BOX_COLUMNS, order_rows, pair_codes, ranks
from swathe.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

FloatArray: TypeAlias = npt.NDArray[np.float64]
IndexArray: TypeAlias = npt.NDArray[np.int64]
SceneKey: TypeAlias = tuple[str, str]  # run id, scene id: two runs may mean different pictures by one id


class Columns:
    """Reads an Arrow table of detections column by column; see `Detections`."""

    table: pa.Table

    def __len__(self) -> int:
        """Return the number of detections."""
        return int(self.table.num_rows)

    @property
    def boxes(self) -> FloatArray:
        """Boxes (n, 5): cx, cy, w, h in scene pixels, theta in radians in [-pi/2, pi/2), clockwise on screen."""
        return np.stack([self.table.column(name).to_numpy() for name in BOX_COLUMNS], axis=1)

    @property
    def scores(self) -> FloatArray:
        """Confidences (n,)."""
        return np.asarray(self.table.column("score").to_numpy())

    @property
    def classes(self) -> npt.NDArray[np.str_]:
        """Class name (n,) of each detection."""
        return self._names("class")

    @property
    def scene_ids(self) -> npt.NDArray[np.str_]:
        """Scene id (n,) of each detection."""
        return self._names("scene")

    @property
    def run_ids(self) -> npt.NDArray[np.str_]:
        """Run id (n,) of each detection."""
        return self._names("run")

    @property
    def cut(self) -> npt.NDArray[np.bool_]:
        """Whether each detection (n,) is a fragment cut by a window edge."""
        return np.asarray(self.table.column("cut").to_numpy())

    @property
    def numbers(self) -> IndexArray:
        """Last part (n,) of each id: the place of the detection in its scene."""
        return np.asarray(
            [int(name.rpartition("/")[2]) for name in self.table.column("id").to_pylist()], dtype=np.int64
        )

    def canonical_order(self) -> IndexArray:
        """Order by scene, class, falling score, then box, mark and run: an order that depends on the values alone.

        Returns:
            Indexes (n,) of the rows in canonical order.
        """
        by_name = {}
        for name in ("scene", "class", "run"):
            names, codes = self._coded(name)
            by_name[name] = ranks(names)[codes]
        leading, trailing = [by_name["scene"], by_name["class"]], [self.cut, by_name["run"]]
        return order_rows(self.boxes, self.scores, leading, trailing)

    def name_mask(self, column: str, names: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Tell which detections bear one of some names.

        Args:
            column: "run", "scene" or "class".
            names: The names.

        Returns:
            Mask (n,).

        Raises:
            UsageError: If there is no such column, or the names are not a list.
        """
        if column not in ("run", "scene", "class"):
            raise UsageError(argument="column", value=column, accepted="'run', 'scene' or 'class'")
        wanted = arguments.names("names", names)
        present, codes = self._coded(column)
        return np.isin(present, list(wanted))[codes] if len(codes) else np.zeros(0, dtype=np.bool_)

    def scene_codes(self) -> tuple[list[SceneKey], IndexArray]:
        """Tell which scene each detection lies in.

        Returns:
            The scenes that have detections, by run and id; and for each detection (n,) the place of its scene in them.
        """
        return pair_codes(self.table.column("run"), self.table.column("scene"))

    def class_codes(self) -> tuple[list[str], IndexArray]:
        """Tell which class each detection has: names, and for each detection (n,) the place of its own in them."""
        names, codes = self._coded("class")
        return names.tolist(), codes.astype(np.int64)

    def _names(self, column: str) -> npt.NDArray[np.str_]:
        """Decode a dictionary column to text."""
        names, codes = self._coded(column)
        return names[codes] if len(codes) else np.empty(0, dtype=np.str_)

    def _coded(self, column: str) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int32]]:
        """Return the names of a dictionary column and each row's index into them."""
        encoded = self.table.column(column).combine_chunks()
        return np.asarray(encoded.dictionary.to_pylist(), dtype=np.str_), encoded.indices.to_numpy()
