"""The order of detections by what a reader asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe import arguments
from swathe.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swathe.detections import Detections

KEYS = ("score", "class", "scene", "run", "size", "length", "width", "azimuth", "acquired")
COLUMNS = {"score": "scores", "class": "classes", "scene": "scene_ids", "run": "run_ids"}
FALLING = "-"


def check_keys(keys: Sequence[str]) -> tuple[str, ...]:
    """Check what detections shall be sorted by.

    Args:
        keys: Some of `KEYS`; with "-" before it, falling.

    Returns:
        The keys.

    Raises:
        UsageError: If there is none, or one is unknown.
    """
    accepted = f"one or more of {', '.join(KEYS)}; {FALLING} before one for falling"
    given = arguments.names("sort", keys, accepted)
    if not given or not {key.removeprefix(FALLING) for key in given} <= set(KEYS):
        raise UsageError(argument="sort", value=",".join(given), accepted=accepted)
    return given


def sort_order(detections: Detections, keys: Sequence[str]) -> npt.NDArray[np.int64]:
    """Order detections by keys, equal ones in canonical order; what is unknown comes last, rising or falling.

    Args:
        detections: What to order.
        keys: The first counts most; see `check_keys`.

    Returns:
        Indexes (n,) of the rows in order.
    """
    order = detections.canonical_order()
    for key in reversed(keys):
        values, unknown = _values(detections, key.removeprefix(FALLING))
        ranks = np.unique(values, return_inverse=True)[1].astype(np.int64)
        ranks = np.where(unknown, len(ranks), -ranks if key.startswith(FALLING) else ranks)
        order = order[np.argsort(ranks[order], kind="stable")]
    return order


def _values(detections: Detections, key: str) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.bool_]]:
    """Return values (n,) to sort by, and where they are not known (n,)."""
    if key == "acquired":
        keys, codes = detections.scene_codes()
        times = np.asarray([detections.scenes[one].acquired or "" for one in keys], dtype=np.str_)
        values = times[codes] if len(codes) else np.empty(0, dtype=np.str_)
        return values, values == ""
    if key in COLUMNS:
        values = getattr(detections, COLUMNS[key])
        return values, np.zeros(len(values), dtype=np.bool_)
    length, width, azimuth = detections.measures().T
    if key == "size":
        area = length * width
        pixels = detections.boxes[:, 2] * detections.boxes[:, 3]
        return np.where(np.isnan(area), pixels, area), np.zeros(len(area), dtype=np.bool_)
    numbers = {"length": length, "width": width, "azimuth": azimuth}[key]
    return np.nan_to_num(numbers), np.isnan(numbers)
